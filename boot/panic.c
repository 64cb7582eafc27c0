/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end after a panic: all other CPUs are stopped by NMI, which also ends their guests; then one
 * report: registers of the exception, a backtrace with names, where the others were; and a stop. No
 * lock is waited for, since its holder may have been stopped. The first CPU that panics reports;
 * one that panics meanwhile is stopped, too, and a fault in the report ends it. The
 * backtrace is a scan: every word of the stack that points behind a CALL in the text is printed, so
 * a stale one may appear, but a frame is never missed and the code needs no frame pointers.
 */
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "boot/consoles.h"
#include "boot/panic.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/vm.h"

#define FRAMES      64
#define STACK_WORDS 1024
#define STOP_NS     100000000 /* how long the others may take to stop */

struct symbol {
    uint64_t address;
    uint32_t name, reserved;
};

/* Made by tools/symbols from the image's first link; absent in that link itself, where the section
 * holds just a zero. */
struct symbols {
    uint64_t count;
    struct symbol list[];
};
extern const struct symbols image_symbols_start;
extern const char image_text_start[], image_text_end[];

static bool in_text(uint64_t a)
{
    return a >= (uint64_t)image_text_start && a < (uint64_t)image_text_end;
}

/* The address, and the function it is in: the rest of a line. back: 1 for a return address, since
 * what a function ends with may be a call that does not return. */
static void print_symbol(uint64_t a, unsigned back)
{
    const struct symbols *s = &image_symbols_start;
    const char *names = (const char *)&s->list[s->count];
    const struct symbol *best = NULL;
    for (uint64_t i = 0; i < s->count; i++)
        if (s->list[i].address <= a - back)
            best = &s->list[i];
    if (best)
        fmt_write(log_sink, NULL, "%016lx %s+%#lx\n", a, names + best->name, a - best->address);
    else
        fmt_write(log_sink, NULL, "%016lx\n", a);
}

static void print_place(uint64_t a, unsigned back)
{
    fmt_write(log_sink, NULL, "  ");
    print_symbol(a, back);
}

/* True if the instruction before a return address is a CALL: E8 rel32, or FF /2 with a short
 * operand. */
static bool follows_call(uint64_t a)
{
    const uint8_t *p = (const uint8_t *)a;
    if (!in_text(a - 8) || !in_text(a))
        return false;
    if (p[-5] == 0xe8)
        return true;
    for (int n = 2; n <= 7; n++)
        if (p[-n] == 0xff && (p[-n + 1] >> 3 & 7) == 2)
            return true;
    return false;
}

static void backtrace(uint64_t rsp)
{
    const uint64_t *word = (const uint64_t *)ALIGN_DOWN(rsp, 8);
    uint64_t top = this_cpu()->stack_top;
    unsigned printed = 0;
    fmt_write(log_sink, NULL, "  backtrace:\n");
    /* Not beyond the page we are on when this is not the CPU's usual stack. */
    if (rsp > top || top - rsp > STACK_WORDS * 8 * 8)
        top = ALIGN_UP(rsp + 1, 4096);
    for (; (uint64_t)word < top && printed < FRAMES; word++)
        if (in_text(*word) && follows_call(*word)) {
            print_place(*word, 1);
            printed++;
        }
}

/* Index + 1 of the CPU that reports; 0: all is well. */
static uint32_t reporter;
static bool failed; /* the report has caused a panic itself */

/* Where this CPU was is for the reporter; then it is out of the game. */
static NORETURN void stay_stopped(uint64_t rip)
{
    struct cpu *c = this_cpu();
    if (!c->stopped_rip) /* else the NMI comes to one that has panicked, too */
        c->stopped_rip = rip;
    if (c->current_vcpu && backend)
        c->stopped_guest_rip = backend->get_reg(c->current_vcpu, VREG_RIP);
    __atomic_store_n(&c->stopped, 1, __ATOMIC_RELEASE);
    for (;;) {
        cli();
        hlt();
    }
}

/* In the NMI handler of every CPU. */
static void take_nmi(const struct exception_frame *f)
{
    uint32_t who = __atomic_load_n(&reporter, __ATOMIC_ACQUIRE);
    if (who && who != this_cpu_index() + 1)
        stay_stopped(f->rip);
}

void panic_init(void)
{
    exception_set_nmi_handler(take_nmi);
}

static void stop_others(void)
{
    unsigned n = host_cpu_count(), me = this_cpu_index();
    for (unsigned i = 0; i < n; i++)
        if (i != me)
            lapic_send_nmi(cpu_table[i]->apic_id);
    uint64_t begin = rdtsc(), limit = tsc_from_ns(STOP_NS);
    for (unsigned i = 0; i < n; i++)
        while (i != me && !__atomic_load_n(&cpu_table[i]->stopped, __ATOMIC_ACQUIRE) &&
               rdtsc() - begin < limit)
            pause();
}

bool host_panic_begin(void)
{
    uint32_t none = 0, me = this_cpu_index() + 1;
    cli();
    if (__atomic_compare_exchange_n(&reporter, &none, me, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        lock_break_all();
        stop_others();
        consoles_make_synchronous();
        return true;
    }
    if (none != me) {
        this_cpu()->panicked = true;
        stay_stopped((uint64_t)__builtin_return_address(0));
    }
    failed = true;
    return false;
}

static void print_others(void)
{
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        const struct cpu *c = cpu_table[i];
        const struct vcpu *v = c->current_vcpu;
        if (i == this_cpu_index())
            continue;
        fmt_write(log_sink, NULL, "  CPU %u (APIC ID %u): ", i, c->apic_id);
        if (!__atomic_load_n(&c->stopped, __ATOMIC_ACQUIRE)) {
            fmt_write(log_sink, NULL, "does not answer\n");
            continue;
        }
        if (v)
            fmt_write(log_sink, NULL, "vm %s, vCPU %u at %016lx; ", v->vm->name, v->index,
                      c->stopped_guest_rip);
        fmt_write(log_sink, NULL, "%sstopped at ", c->panicked ? "panicked, too; " : "");
        print_symbol(c->stopped_rip, 0);
    }
}

static NORETURN void rest_in_peace(void)
{
    consoles_make_synchronous();
    for (;;) {
        cli();
        hlt();
    }
}

static void print_where(uint64_t rsp)
{
    backtrace(rsp);
    if (host_cpu_count() == 1)
        return;
    fmt_write(log_sink, NULL, "  on CPU %u (APIC ID %u); the others:\n", this_cpu_index(),
              this_cpu()->apic_id);
    print_others();
    fmt_write(log_sink, NULL, "  end of the report\n");
}

/* A bug in the report itself: say so, shortly, and only once. */
static NORETURN void report_failed(uint64_t rip)
{
    static bool said;
    if (!said) {
        said = true;
        fmt_write(log_sink, NULL, "\n  a second panic while the first was reported, at ");
        print_symbol(rip, 0);
    }
    rest_in_peace();
}

void host_exception(const struct exception_frame *f, uint64_t cr2)
{
    struct cpu *c = this_cpu();
    if (!c->stopped_rip)
        c->stopped_rip = f->rip; /* should another CPU be reporting already */
    if (!host_panic_begin())
        report_failed(f->rip);
    log_set_output(NULL);
    fmt_write(log_sink, NULL,
              "\nplinth: panic: exception %u in the hypervisor, error code %#lx\n", f->vector,
              f->error_code);
    fmt_write(log_sink, NULL,
              "  rip %016lx cs %04lx rflags %lx rsp %016lx ss %04lx\n"
              "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
              "  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n"
              "  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n"
              "  r13 %016lx r14 %016lx r15 %016lx\n"
              "  cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n",
              f->rip, f->cs, f->rflags, f->rsp, f->ss, f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
              f->rdi, f->rbp, f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15,
              read_cr0(), cr2, read_cr3(), read_cr4());
    print_place(f->rip, 0);
    print_where(f->rsp);
    rest_in_peace();
}

void host_panic_end(void)
{
    uint64_t rsp;
    __asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
    if (failed)
        report_failed((uint64_t)__builtin_return_address(0));
    print_where(rsp);
    rest_in_peace();
}
