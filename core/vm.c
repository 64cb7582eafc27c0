/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a VM: start, end, and what comes after it. Memory is scrubbed in pieces between time
 * slices, so that a big VM's start or end costs its neighbours no more than a slice.
 */
#include "core/vm.h"

#include "core/backend.h"
#include "core/debug.h"
#include "core/host.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "core/interrupt.h"
#include "core/loader.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/observe.h"
#include "core/pin.h"
#include "core/sched.h"
#include "core/vm_memory.h"
#include "mm/pool.h"

/* docs/config.md, on_reboot: so many lives of less than that, and there is no further one. */
#define SHORT_LIVES_MAX 10u
#define SHORT_LIFE_NS   UINT64_C(2000000000)

static uint32_t work_wanted; /* some VM may have work for vm_work(); atomic */

/* --- end --- */

static void release(struct vm *vm)
{
    sched_leave_vm(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        observe_free(vm->vcpu[i]);
        vcpu_free(vm->vcpu[i]);
        vm->vcpu[i] = NULL;
    }
    vm->vcpu_count = 0;
    machine_free(vm);
    /* Translations go before the pages do. */
    backend->vm_free(vm);
    if (vm->space.root.v)
        vm_memory_give(vm);
    if (vm->gpa_tables.root.v) {
        radix_free(&vm->gpa_tables, 0, RADIX_ENTRIES);
        pool_free(pool_ptr(vm->gpa_tables.root));
        vm->gpa_tables.root = HPA(0);
    }
    space_free(&vm->space);
    memset(&vm->mem, 0, sizeof(vm->mem));
    vm->footprint.gone = host_now();
    vm->state = VM_ENDED;
    vm->ended_ns = host_uptime_ns();
}

static void announce_end(struct vm *vm)
{
    log_info("vm %s: ended %s: %s", vm->name, vm_ended_well(vm) ? "well" : "badly", vm->end_text);
}

static void want_work(void)
{
    __atomic_store_n(&work_wanted, 1, __ATOMIC_SEQ_CST);
}

void vm_vcpu_off(struct vm *vm)
{
    if (__atomic_sub_fetch(&vm->alive, 1, __ATOMIC_SEQ_CST))
        return;
    want_work();
    host_kick(0);
}

/* True for the first: its reason is the one that counts. Nobody reads the record before all vCPUs
 * are off, and its writer is one of them or the boot CPU, which would read it. */
static bool claim_end(struct vm *vm, enum stop_reason reason)
{
    uint8_t none = STOP_NONE;
    return __atomic_compare_exchange_n(&vm->stop_reason, &none, (uint8_t)reason, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void stop_vcpus(struct vm *vm)
{
    struct vcpu *v = host_current_vcpu();
    vm->stopper = v && v->vm == vm ? v : NULL;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_STOP);
}

enum outcome vm_stop(struct vm *vm, enum stop_reason reason, const char *format, ...)
{
    if (!claim_end(vm, reason))
        return OUTCOME_STOP;
    va_list args;
    va_start(args, format);
    fmt_vprint(vm->end_text, sizeof(vm->end_text), format, args);
    va_end(args);
    vm->footprint.stop = host_now();
    stop_vcpus(vm);
    return OUTCOME_STOP;
}

enum outcome vm_exit(struct vm *vm, uint32_t status, const char *by)
{
    if (!claim_end(vm, STOP_EXIT))
        return OUTCOME_STOP;
    vm->status = status;
    fmt_print(vm->end_text, sizeof(vm->end_text), "exit by %s, status %u", by, status);
    stop_vcpus(vm);
    return OUTCOME_STOP;
}

/* What the configuration wants after the end that this VM has come to. */
static enum config_action vm_action(const struct vm *vm)
{
    switch (vm->stop_reason) {
    case STOP_RESET:
        return (enum config_action)vm->on_reboot;
    case STOP_EXIT:
        return vm->status ? (enum config_action)vm->on_crash : (enum config_action)vm->on_poweroff;
    case STOP_POWEROFF:
    case STOP_HALTED:
        return (enum config_action)vm->on_poweroff;
    case STOP_OPERATOR:
    case STOP_LOAD:
        return CONFIG_STOP;
    default:
        return (enum config_action)vm->on_crash;
    }
}

static enum vm_then what_then(const struct vm *vm)
{
    if (vm->then != THEN_CONFIG)
        return (enum vm_then)vm->then;
    return vm_action(vm) == CONFIG_RESTART ? THEN_CONFIG : THEN_STOP;
}

/* All its vCPUs are off; its memory is to be scrubbed next. */
static void finish(struct vm *vm)
{
    vm->footprint.off = host_now();
    lock_take(&vm->lock);
    machine_flush(vm);
    sched_set_timer(&vm->timer, TIMERQ_NEVER);
    bool keep = vm->then == THEN_CONFIG && vm_action(vm) == CONFIG_KEEP;
    vm->state = keep ? VM_KEPT : VM_ENDING;
    lock_release(&vm->lock);
    debug_vm_ended(vm);
    sched_leave_vm(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        vm->ran += vm->vcpu[i]->ran;
        for (unsigned k = 0; k < EXIT_KINDS; k++)
            vm->exits += vm->vcpu[i]->exits[k];
    }
    announce_end(vm);
    vm->scrub_at = 0;
    want_work();
}

static void fail_start(struct vm *vm, const char *why)
{
    vm_stop(vm, STOP_LOAD, "%s", why);
    release(vm);
    log_error("vm %s: not started: %s", vm->name, vm->end_text);
}

/* --- start --- */

static const char *build(struct vm *vm)
{
    uint64_t before = page_alloc_free(&hypervisor_pool);
    lock_init(&vm->code_lock, LOCK_ORDER_CODE, "code pages");
    if (space_create(&vm->space) != PL_OK ||
        radix_create(&vm->gpa_tables, backend->gpa_format, &pool_radix_ops, NULL) != PL_OK)
        return "no hypervisor memory for its page tables";
    if (vm_memory_take(vm) != PL_OK)
        return "not enough memory";
    uint64_t between = page_alloc_free(&hypervisor_pool);
    vm->footprint.tables = before - between;
    if (backend->vm_create(vm) != PL_OK)
        return "no hypervisor memory for it";
    sched_switch_to(NULL); /* making a vCPU uses the CPU's current-VMCS pointer */
    for (unsigned i = 0; i < vm->cpus; i++) {
        vm->vcpu[i] = vcpu_create(vm, i);
        if (!vm->vcpu[i])
            return "no hypervisor memory for its vCPUs";
        vm->vcpu_count++;
    }
    if (machine_init(vm) != PL_OK)
        return "no hypervisor memory for its devices";
    vm->footprint.own = between - page_alloc_free(&hypervisor_pool) + vm->record_pages;
    return NULL;
}

static void reset_record(struct vm *vm)
{
    vm->stop_reason = STOP_NONE;
    vm->status = 0;
    vm->end_text[0] = '\0';
    vm->scrub_at = vm->load_at = 0;
    vm->ran = vm->exits = vm->unlisted_msrs = 0;
    vm->logged_msrs = 0;
    vm->console_used = false;
    vm->keys.n = 0;
    vm->stopper = NULL;
    vm->then = THEN_CONFIG;
    vm->paused = 0;
    vm->owed = 0;
    vm->started_ns = host_uptime_ns();
}

bool vm_pin_fits(const struct vm *vm, const char *pin, char *why, size_t size)
{
    for (unsigned i = 0; i < vm->cpus; i++) {
        uint64_t cpus[CPU_WORDS];
        unsigned cpu = 0;
        pin_allowed(pin, i, cpus);
        while (cpu < host_cpu_count() && !(cpus[cpu / 64] & BIT(cpu % 64)))
            cpu++;
        if (cpu == host_cpu_count()) {
            fmt_print(why, size, "pin %s: vCPU %u may run on no CPU of this machine, which has %u",
                      pin, i, cpu);
            return false;
        }
    }
    return true;
}

void vm_start(struct vm *vm)
{
    char why[VM_END_TEXT];
    uint64_t free_bytes = page_alloc_free(&guest_pool) * PAGE_SIZE;
    reset_record(vm);
    footprint_begin(&vm->footprint);
    if (!loader_check(vm, why, sizeof(why))) {
        fail_start(vm, why);
        return;
    }
    if (vm->memory > free_bytes) {
        fmt_print(why, sizeof(why), "memory %lu KiB: only %lu KiB of guest memory are free",
                  vm->memory / 1024, free_bytes / 1024);
        fail_start(vm, why);
        return;
    }
    if (!vm_pin_fits(vm, vm->pin, why, sizeof(why))) {
        fail_start(vm, why);
        return;
    }
    const char *failed = build(vm);
    if (failed) {
        fail_start(vm, failed);
        return;
    }
    vm->state = VM_STARTING;
    want_work();
}

/* The VM's time begins: its TSC and its clock show 0 now. */
static void start_clock(struct vm *vm)
{
    vm->start_tsc = host_now();
    vm->tsc_offset = 0 - vm->start_tsc;
    machine_start_clock(vm);
}

/* From here on other CPUs run it. */
static void start_vcpus(struct vm *vm)
{
    vm->alive = vm->vcpu_count;
    vm->hopeless = vm->vcpu_count - 1;
    for (unsigned i = vm->vcpu_count - 1; i > 0; i--) {
        struct vcpu *v = vm->vcpu[i];
        v->tsc_offset = vm->tsc_offset;
        v->waits_for_startup = v->halted = v->hopeless = true;
        sched_start(v, false);
    }
    sched_start(vm->vcpu[0], true);
}

/* All is in its memory: let it go. */
static void launch(struct vm *vm, const struct vcpu_start *start)
{
    struct vcpu *v = vm->vcpu[0];
    start_clock(vm);
    v->tsc_offset = vm->tsc_offset;
    sched_switch_to(v);
    backend->vcpu_start(v, start);
    vlapic_set_virtual_wire(&v->apic); /* as a firmware leaves the boot processor's */
    interrupt_apic_effects(v);
    interrupt_rearm(v);
    sched_switch_to(NULL); /* another CPU may take it */
    vm->state = VM_RUNNING;
    log_info("vm %s: started: %s, %lu KiB", vm->name, vm->kernel, vm->memory / 1024);
    start_vcpus(vm);
}

/* Its memory is clean: the next piece of the guest goes there. */
static void load_piece(struct vm *vm)
{
    char why[VM_END_TEXT];
    struct vcpu_start start;
    hpa_t before = host_current_space();
    host_load_space(vm->space.root);
    enum loader_result result = loader_load(vm, &start, why, sizeof(why));
    host_load_space(before);
    if (result == LOADER_DONE)
        launch(vm, &start);
    if (result != LOADER_FAILED)
        return;
    /* Part of it may have been loaded: scrub again before the memory goes back. */
    vm_stop(vm, STOP_LOAD, "%s", why);
    finish(vm);
}

/* A VM that cannot come up would restart for ever and bury the log. */
static bool may_restart(struct vm *vm)
{
    bool lasted = vm->ended_ns - vm->started_ns >= SHORT_LIFE_NS;
    vm->short_lives = lasted ? 0 : vm->short_lives + 1;
    if (vm->short_lives < SHORT_LIVES_MAX)
        return true;
    log_warn("vm %s: not restarted: it ended %u times in a row within 2 s of its start",
             vm->name, vm->short_lives);
    vm->short_lives = 0; /* the operator may try again */
    return false;
}

static void restart(struct vm *vm)
{
    if (!may_restart(vm))
        return;
    vm->restarts++;
    log_info("vm %s: restarts", vm->name);
    vm_start(vm);
}

/* vm holds nothing any more; its record may be gone afterwards. */
static void go_on(struct vm *vm)
{
    switch (what_then(vm)) {
    case THEN_CONFIG:
        restart(vm);
        break;
    case THEN_START:
        vm->restarts++;
        vm_start(vm);
        break;
    case THEN_DESTROY:
        vm_forget(vm);
        break;
    default:
        break;
    }
}

void vm_let_go(struct vm *vm)
{
    if (vm->state == VM_STARTING) {
        finish(vm);
        return;
    }
    vm->scrub_at = 0;
    vm->state = VM_ENDING;
    want_work();
}

void vm_destroy(struct vm *vm)
{
    vm->then = THEN_DESTROY;
    if (vm->state == VM_DEFINED || vm->state == VM_ENDED) {
        vm_forget(vm);
        return;
    }
    if (vm->state != VM_ENDING)
        (void)vm_stop(vm, STOP_OPERATOR, "destroyed by the operator");
    if (vm->state == VM_STARTING || vm->state == VM_KEPT)
        vm_let_go(vm);
}

static bool work_on(struct vm *vm)
{
    switch (vm->state) {
    case VM_RUNNING:
        if (__atomic_load_n(&vm->alive, __ATOMIC_ACQUIRE))
            return false;
        finish(vm);
        return true;
    case VM_STARTING:
        if (vm_memory_scrub(vm))
            load_piece(vm);
        return true;
    case VM_ENDING:
        if (vm_memory_scrub(vm)) {
            release(vm);
            go_on(vm);
        }
        return true;
    default:
        return false;
    }
}

bool vm_work(void)
{
    static unsigned next; /* so that two VMs that start share the work */
    if (likely(!__atomic_load_n(&work_wanted, __ATOMIC_SEQ_CST)))
        return false;
    __atomic_store_n(&work_wanted, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm_count(); i++) {
        unsigned at = (next + i) % vm_count();
        if (work_on(vm_at(at))) { /* it may have gone, and there be fewer */
            next = at + 1;
            want_work(); /* there may be more */
            return true;
        }
    }
    return false;
}
