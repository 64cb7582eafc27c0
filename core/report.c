/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports on vCPUs. Reads, never changes.
 */
#include "core/report.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/backend.h"
#include "core/log.h"
#include "core/vm.h"

#define TRAIL_SHOWN 16

static const char *mode_name(uint64_t cr0, uint64_t efer, uint64_t rflags, uint32_t cs)
{
    if (!(cr0 & CR0_PE))
        return "real mode";
    if (rflags & RFLAGS_VM)
        return "virtual-8086 mode";
    if (efer & EFER_LMA)
        return cs & AR_L ? "64-bit mode" : "compatibility mode";
    return cs & AR_DB ? "32-bit protected mode" : "16-bit protected mode";
}

const char *report_mode_name(struct vcpu *v)
{
    struct segment cs;
    backend->get_segment(v, SEG_CS, &cs);
    return mode_name(backend->get_reg(v, VREG_CR0), backend->get_reg(v, VREG_EFER),
                     backend->get_reg(v, VREG_RFLAGS), cs.access);
}

const char *report_state_name(const struct vcpu *v)
{
    static const char *const states[] = {[VCPU_OFF] = "off", [VCPU_QUEUED] = "runnable",
                                         [VCPU_RUNNING] = "running", [VCPU_BLOCKED] = "halted"};
    unsigned state = __atomic_load_n(&v->state, __ATOMIC_RELAXED);
    if (state == VCPU_BLOCKED && v->stalled)
        return "stalled";
    /* sched_wait_here(): it halts, and its CPU. */
    return states[state == VCPU_RUNNING && v->halted ? VCPU_BLOCKED : state];
}

void report_registers(struct vcpu *v, fmt_sink_fn *sink, void *ctx)
{
    static const char *const names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                 "rsi", "rdi", "r8 ", "r9 ", "r10", "r11",
                                                 "r12", "r13", "r14", "r15"};
    static const char *const segments[SEG_COUNT] = {"es", "cs", "ss",  "ds",
                                                    "fs", "gs", "ldtr", "tr"};
    uint64_t cr0 = backend->get_reg(v, VREG_CR0), efer = backend->get_reg(v, VREG_EFER);
    uint64_t rflags = backend->get_reg(v, VREG_RFLAGS);
    struct segment s;
    backend->get_segment(v, SEG_CS, &s);
    fmt_write(sink, ctx, "  rip %04x:%016lx  rflags %lx  %s\n", s.selector,
              backend->get_reg(v, VREG_RIP), rflags, mode_name(cr0, efer, rflags, s.access));
    for (unsigned i = 0; i < GPR_COUNT; i++)
        fmt_write(sink, ctx, "%s%s %016lx%s", i % 4 ? "" : "  ", names[i], vcpu_gpr(v, i),
                  i % 4 == 3 ? "\n" : "  ");
    fmt_write(sink, ctx, "  cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx  efer %lx  xcr0 %lx\n", cr0, v->cr2,
              backend->get_reg(v, VREG_CR3), backend->get_reg(v, VREG_CR4), efer, v->xcr0);
    for (enum seg_name n = SEG_ES; n < SEG_COUNT; n++) {
        backend->get_segment(v, n, &s);
        fmt_write(sink, ctx, "%s%-4s %04x base %lx limit %x access %x%s", n % 2 ? "" : "  ",
                  segments[n], s.selector, s.base, s.limit, s.access, n % 2 ? "\n" : "   ");
    }
}

void report_trail(const struct vcpu *v, fmt_sink_fn *sink, void *ctx)
{
    uint64_t total = 0;
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        total += v->exits[k];
    unsigned n = (unsigned)min_u64(total, TRAIL_SHOWN);
    fmt_write(sink, ctx, "  last exits:");
    for (unsigned i = 0; i < n; i++)
        fmt_write(sink, ctx, "%s %s", i ? "," : "",
                  exit_kind_name(v->trail[(v->trail_at - n + i) % VCPU_TRAIL]));
    fmt_write(sink, ctx, "%s\n", n ? "" : " none");
}

void report_exits(const struct vcpu *v, fmt_sink_fn *sink, void *ctx)
{
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        if (v->exits[k])
            fmt_write(sink, ctx, "  %-14s %12lu\n", exit_kind_name(k), v->exits[k]);
}

void report_vcpu(struct vcpu *v)
{
    struct log_buffer b = {.used = 0};
    fmt_write(log_lines, &b, "plinth: vm %s: vCPU %u: %s\n", v->vm->name, v->index,
              v->vm->end_text);
    report_registers(v, log_lines, &b);
    report_trail(v, log_lines, &b);
    if (v->vm->stop_reason == STOP_ENTRY_FAILED)
        backend->dump(v, log_lines, &b);
}
