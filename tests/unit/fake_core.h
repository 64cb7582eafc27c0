/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit handlers of core on a desk: their sources, with a backend and a machine that are nothing
 * but the variables below. Included once by each test_exit*.c; what the handlers asked of the world
 * is counted, and fake_setup() forgets it.
 */
#ifndef TESTS_UNIT_FAKE_CORE_H
#define TESTS_UNIT_FAKE_CORE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"
#include "core/console.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/vm.h"
#include "mm/pool.h"

/* No two of these have a static name in common. */
#include "core/vcpu.c"
#include "core/interrupt.c"
#include "core/machine.c"
#include "core/machine_console.c"
#include "core/machine_io.c"
#include "core/exit.c"
#include "core/io_exit.c"
#include "core/linear.c"
#include "core/code_pages.c"
#include "core/mmio.c"
#include "core/mmio_move.c"
#include "core/task_exit.c"
#include "core/hypercall.c"
#include "core/cr_exit.c"
#include "core/guest_time.c"
#include "core/msr_exit.c"

#define FAKE_RAM    0x10000u
#define FAKE_NOW    UINT64_C(1000000) /* TSC ticks at the start, two a nanosecond */
#define FAKE_UPTIME UINT64_C(5000)    /* ns */
#define FAKE_WALL   1700000000        /* seconds since 1970 */
#define FAKE_VCPUS  4u

static struct fake {
    uint64_t reg[VREG_COUNT];
    struct segment segment[SEG_COUNT];
    unsigned cpl, code_bits;
    bool pdptes_good, console_full;
    uint64_t now, debugctl, spec_ctrl;
    unsigned nmi_blocks, nmi_unblocks;
    uint8_t xmm[16][16];
    unsigned injected; /* the last vector; 0: none */
    unsigned finished_steps, tlb_flushes, pdpte_loads, dr_intercepts, dr_passes, logs, lines;
    unsigned xcr0_sets, cpuids, tsc_offset_loads, wakes, starts;
    struct vcpu *woken, *started; /* the last ones */
    struct vcpu_start start;
    void (*during_await)(void); /* sched_await_exits() has been called */
    enum stop_reason stopped;
    char why[VM_END_TEXT], log[200], line[200];
} fake;

static struct vm vm;
static struct vcpu vcpu, sibling[FAKE_VCPUS - 1]; /* vCPU 0, and those after it */
static uint8_t apic_page[FAKE_VCPUS][VLAPIC_SIZE] __attribute__((aligned(4096)));
static uint8_t ram[FAKE_RAM] __attribute__((aligned(4096)));

/* --- debugger --------------------------------------------------------------------------------- */

bool debug_exception(struct vcpu *v, const struct event *e)
{
    (void)v;
    (void)e;
    return false;
}

void debug_stop(struct vcpu *v, enum debug_stop why)
{
    (void)v;
    (void)why;
}

enum outcome debug_mov_dr(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    (void)x;
    return OUTCOME_ADVANCE;
}

/* --- backend ---------------------------------------------------------------------------------- */

static uint64_t fake_get_reg(struct vcpu *v, enum vreg reg)
{
    (void)v;
    return fake.reg[reg];
}

static void fake_set_reg(struct vcpu *v, enum vreg reg, uint64_t value)
{
    fake.reg[reg] = value;
    if (reg == VREG_RIP)
        v->rip = value;
    if (reg == VREG_RFLAGS)
        v->rflags = value;
}

static void fake_get_segment(struct vcpu *v, enum seg_name seg, struct segment *out)
{
    (void)v;
    *out = fake.segment[seg];
}

static void fake_set_segment(struct vcpu *v, enum seg_name seg, const struct segment *s)
{
    (void)v;
    fake.segment[seg] = *s;
}

static unsigned fake_cpl(struct vcpu *v)
{
    (void)v;
    return fake.cpl;
}

static unsigned fake_code_bits(struct vcpu *v)
{
    (void)v;
    return fake.code_bits;
}

static void fake_finish_step(struct vcpu *v)
{
    (void)v;
    fake.finished_steps++;
}

static void fake_inject(struct vcpu *v, uint8_t vector)
{
    (void)v;
    fake.injected = vector;
}

static void fake_queue_breakpoints(struct vcpu *v, uint32_t hits)
{
    (void)v;
    (void)hits;
}

static void fake_apic_mode(struct vcpu *v)
{
    (void)v;
}

static void fake_intercept_dr(struct vcpu *v, bool on)
{
    (void)v;
    if (on)
        fake.dr_intercepts++;
    else
        fake.dr_passes++;
}

static bool fake_load_pdptes(struct vcpu *v)
{
    (void)v;
    fake.pdpte_loads++;
    return fake.pdptes_good;
}

static void fake_block_nmi(struct vcpu *v, bool block)
{
    (void)v;
    if (block)
        fake.nmi_blocks++;
    else
        fake.nmi_unblocks++;
}

static void fake_flush_tlb(struct vcpu *v)
{
    (void)v;
    fake.tlb_flushes++;
}

static uint64_t fake_get_msr(struct vcpu *v, uint32_t msr)
{
    (void)v;
    if (msr == MSR_IA32_SPEC_CTRL)
        return fake.spec_ctrl;
    assert_int_equal(msr, MSR_IA32_DEBUGCTL);
    return fake.debugctl;
}

static bool fake_set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    if (msr == MSR_IA32_TSC)
        fake.tsc_offset_loads++; /* the offset itself is the VM's */
    else if (msr == MSR_IA32_DEBUGCTL)
        fake.debugctl = value;
    else if (msr != MSR_IA32_SPEC_CTRL)
        fail_msg("set_msr(%#x)", msr);
    else if (value & ~BITS(2, 0))
        return false; /* as the CPU does with reserved bits */
    else
        fake.spec_ctrl = value;
    return true;
}

static void fake_vcpu_start(struct vcpu *v, const struct vcpu_start *start)
{
    fake.starts++;
    fake.started = v;
    fake.start = *start;
}

static const char *fake_reason_name(unsigned reason)
{
    return reason == 33 ? "THIRTY_THREE" : "?";
}

static struct backend fake_backend = {
    .name = "fake",
    .get_reg = fake_get_reg,
    .set_reg = fake_set_reg,
    .get_segment = fake_get_segment,
    .set_segment = fake_set_segment,
    .cpl = fake_cpl,
    .code_bits = fake_code_bits,
    .finish_step = fake_finish_step,
    .queue_breakpoints = fake_queue_breakpoints,
    .inject = fake_inject,
    .apic_mode = fake_apic_mode,
    .intercept_dr = fake_intercept_dr,
    .load_pdptes = fake_load_pdptes,
    .flush_tlb = fake_flush_tlb,
    .block_nmi = fake_block_nmi,
    .get_msr = fake_get_msr,
    .set_msr = fake_set_msr,
    .vcpu_start = fake_vcpu_start,
    .reason_name = fake_reason_name,
};

/* --- the machine and the rest of core --------------------------------------------------------- */

void lock_wait(struct lock *l, uint16_t ticket)
{
    (void)l;
    (void)ticket;
    fail_msg("one CPU: it would wait for ever");
}

void lock_init(struct lock *l, enum lock_order order, const char *name)
{
    *l = (struct lock)LOCK_INIT((uint16_t)order, name);
}

bool lock_held(const struct lock *l)
{
    return l->next != l->owner;
}

uint64_t host_now(void)
{
    return fake.now;
}

uint64_t host_uptime_ns(void)
{
    return FAKE_UPTIME;
}

uint64_t host_ns_to_tsc(uint64_t ns)
{
    return ns * 2;
}

uint64_t host_tsc_to_ns(uint64_t ticks)
{
    return ticks / 2;
}

uint64_t host_ns_since(uint64_t tsc)
{
    return host_tsc_to_ns(host_now() - tsc);
}

uint64_t host_tsc_khz(void)
{
    return 2000000;
}

int64_t host_wall_clock(void)
{
    return FAKE_WALL;
}

uint64_t host_fpu_mask(void)
{
    return XCR0_X87 | XCR0_SSE | XCR0_AVX;
}

size_t host_fpu_size(void)
{
    return 576;
}

void host_fpu_reset(void *area)
{
    memset(area, 0, host_fpu_size());
}

void host_fpu_set_xcr0(uint64_t xcr0)
{
    (void)xcr0;
    fake.xcr0_sets++;
}

void host_fpu_get_xmm(unsigned n, uint8_t value[16])
{
    memcpy(value, fake.xmm[n], sizeof(fake.xmm[n]));
}

void host_fpu_set_xmm(unsigned n, const uint8_t value[16])
{
    memcpy(fake.xmm[n], value, sizeof(fake.xmm[n]));
}

void *pool_alloc(hpa_t *at)
{
    (void)at;
    return NULL;
}

void *pool_alloc_pages(unsigned n, hpa_t *at)
{
    (void)n;
    (void)at;
    return NULL;
}

void pool_free(void *page)
{
    fail_msg("pool_free(%p)", page);
}

void pool_free_pages(void *first, unsigned n)
{
    fail_msg("pool_free_pages(%p, %u)", first, n);
}

uint64_t guest_cr4_bits(void)
{
    return CR4_PAE | CR4_PGE | CR4_PSE | CR4_DE | CR4_OSFXSR | CR4_OSXSAVE | CR4_SMEP;
}

uint64_t guest_efer_bits(void)
{
    return EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

unsigned guest_maxphyaddr(void)
{
    return 40;
}

const struct msr_features *guest_msr_features(void)
{
    return &fake_backend.msrs;
}

bool guest_has_1g_pages(void)
{
    return false;
}

enum outcome exit_cpuid(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    (void)x;
    fake.cpuids++;
    return OUTCOME_ADVANCE;
}

void *host_current_vcpu(void)
{
    return &vcpu;
}

/* As the scheduler does it, at once: takes in what was posted, wakes who has a reason. */
void sched_notify(struct vcpu *v, uint32_t requests)
{
    uint32_t posted = requests & (REQUEST_POSTED | REQUEST_NMI | REQUEST_LINT0 | REQUEST_TSC);
    bool locked = lock_held(&vm.lock);
    if (locked)
        lock_release(&vm.lock); /* another CPU would wait for it */
    interrupt_collect(v, posted);
    if (locked)
        lock_take(&vm.lock);
    vcpu_request(v, requests & ~posted);
    if (v->state != VCPU_BLOCKED || (!interrupt_wakes(v) &&
                                     !(requests & (REQUEST_INIT | REQUEST_STARTUP))))
        return;
    fake.wakes++;
    fake.woken = v;
    v->state = VCPU_QUEUED;
    v->wake_at = UINT64_MAX;
}

void sched_await_exits(struct vm *of, uint32_t requests)
{
    assert_false(lock_held(&of->lock));
    (void)requests;
    if (fake.during_await)
        fake.during_await();
}

void sched_give_way(struct vcpu *v)
{
    vcpu_request(v, REQUEST_RESCHEDULE);
}

void sched_stall(struct vcpu *v)
{
    v->stalled = true;
    vcpu_request(v, REQUEST_RESCHEDULE);
}

void sched_set_timer(struct sched_timer *t, uint64_t at)
{
    t->entry.at = at;
}


void host_let_in(void)
{
    assert_false(lock_held(&vm.lock));
}

void host_relax(void)
{
}

unsigned host_cpu_index(void)
{
    return 0;
}

bool console_has_room(void)
{
    return !fake.console_full;
}

void log_vm_line(struct log_vm_lines *l, const char *line, size_t len)
{
    assert_ptr_equal(l->vm, vm.name);
    fake.lines++;
    len = min_u64(len, sizeof(fake.line) - 1);
    memcpy(fake.line, line, len);
    fake.line[len] = '\0';
}

void log_vm_end(struct log_vm_lines *l)
{
    (void)l;
}

void console_vm_raw(struct vm *of, const char *text, size_t len)
{
    (void)text;
    (void)len;
    if (of->attached)
        fail_msg("nobody is attached");
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fmt_vprint(fake.log, sizeof(fake.log), format, args);
    va_end(args);
    fake.logs++;
}

enum outcome vm_stop(struct vm *of, enum stop_reason reason, const char *format, ...)
{
    va_list args;
    assert_ptr_equal(of, &vm);
    va_start(args, format);
    fmt_vprint(fake.why, sizeof(fake.why), format, args);
    va_end(args);
    fake.stopped = reason;
    return OUTCOME_STOP;
}

enum outcome vm_exit(struct vm *of, uint32_t status, const char *by)
{
    of->status = status;
    return vm_stop(of, STOP_EXIT, "exit by %s, status %u", by, status);
}

void panic(const char *format, ...)
{
    (void)format;
    abort();
}

/* --- for tests -------------------------------------------------------------------------------- */

/* One more vCPU, as after its creation, with its APIC as after power-on. */
static inline struct vcpu *fake_add_vcpu(struct vcpu *v)
{
    unsigned i = vm.vcpu_count++;
    vm.vcpu[i] = v;
    v->vm = &vm;
    v->index = i;
    v->wake_at = v->event_at = UINT64_MAX;
    vlapic_init(&v->apic, apic_page[i], i, i == 0);
    v->apic.maxphyaddr = 40;
    return v;
}

/* 64-bit code at 0x1000, paging off so that linear is physical; RAM, and a PC's devices. */
static int fake_setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&vm, 0, sizeof(vm));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(sibling, 0, sizeof(sibling));
    memset(ram, 0, sizeof(ram));
    fake.now = FAKE_NOW;
    fake_backend.msrs.rdtscp = true;
    fake_backend.msrs.xsaves = true;
    backend = &fake_backend;
    fake.code_bits = 64;
    fake.pdptes_good = true;
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET;
    fake.reg[VREG_RFLAGS] = RFLAGS_FIXED1;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        fake.segment[i] = (struct segment){.limit = UINT32_MAX, .access = AR_P | AR_S |
                                           AR_TYPE_DATA_RW | AR_DB | AR_G};
    fake.segment[SEG_CS].access = AR_P | AR_S | AR_TYPE_CODE_RX | AR_L | AR_G;
    fake.segment[SEG_TR].access = AR_P | AR_TYPE_TSS_BUSY;
    vm.mem.window = ram;
    vm.mem.n = 1;
    vm.mem.range[0].size = FAKE_RAM;
    lock_init(&vm.lock, LOCK_ORDER_VM, "vm");
    timerq_entry_init(&vm.timer.entry);
    vm.state = VM_RUNNING;
    fake_add_vcpu(&vcpu);
    vcpu.state = VCPU_RUNNING;
    vcpu.rip = fake.reg[VREG_RIP] = 0x1000;
    vcpu.rflags = RFLAGS_FIXED1;
    assert_int_equal(machine_init(&vm), PL_OK);
    machine_start_clock(&vm);
    return 0;
}

/* Dispatches an exit of that kind and instruction length. */
static inline enum outcome fake_exit(struct vm_exit x, enum exit_kind kind, uint8_t length)
{
    x.kind = (uint8_t)kind;
    x.length = length;
    return exit_dispatch(&vcpu, &x);
}

/* The outcome was a fault: this vector and error code wait, and RIP has not moved. */
static inline void fake_assert_fault(enum outcome outcome, uint8_t vector, uint32_t error)
{
    assert_int_equal(outcome, OUTCOME_FAULT);
    assert_true(vcpu.exception_valid);
    assert_int_equal(vcpu.exception.type, EVENT_HW_EXCEPTION);
    assert_int_equal(vcpu.exception.vector, vector);
    assert_int_equal(vcpu.exception.error_code, error);
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(vcpu.rip, 0x1000);
    vcpu.exception_valid = false;
    vcpu.requests = 0;
}

#endif
