/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler's mechanics: who may touch which queue, who wakes whom, what a CPU does next. A
 * vCPU is OFF, QUEUED on one CPU's queue, RUNNING there, or BLOCKED with its timer there; all
 * changes happen under the lock of v->cpu's queue. The boot CPU also looks after the console and
 * after VMs that start and end.
 *
 * No wake-up is lost: a waker sets a bit in v->requests and then reads v->state; a CPU that blocks
 * v writes v->state and then reads v->requests. Both are locked operations, so at least one sees
 * the other (tests/model/wakeup.pml).
 */
#include "core/sched.h"

#include "core/backend.h"
#include "core/console.h"
#include "core/control.h"
#include "core/gdb.h"
#include "core/guest_time.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/power.h"
#include "core/report.h"
#include "core/stat.h"
#include "core/trace.h"
#include "core/vm.h"

struct cpu_sched {
    struct lock lock;       /* queue, timers, running; v->state and v->cpu of those here */
    struct runq queue;
    struct timerq timers;   /* only this CPU sets; others may cancel */
    struct vcpu *running;   /* between pick and put */
    uint64_t paid_until;    /* TSC: somebody has paid for this CPU's time up to here; its own */
    bool short_turns;       /* a serial line has to be looked at more often than once a slice */
    /* A bit for each CPU that may run somebody who has been queued here since it last found nobody:
     * share() need not look at who waits. Under the lock, but share() reads it without. */
    uint64_t wanted[CPU_WORDS];
    uint64_t heard;         /* host_interrupts() when it last looked for work of its own */
    uint64_t wait_begin;    /* TSC: since then `running` waits here ... */
    uint64_t wait_left;     /* ... and so many ticks of its slice were left */
    uint64_t waited;        /* ticks that `running` has waited here in this turn */
} __attribute__((aligned(64)));

static struct cpu_sched cpus[CPU_MAX];
static uint64_t idle[CPU_MAX / 64]; /* bit per CPU that is in host_idle() or about to be; atomic */
static uint64_t slice;              /* TSC ticks */
static uint64_t granule;            /* nobody is preempted before so many ticks */

static struct vcpu *of(struct runq_entity *e)
{
    return container_of(e, struct vcpu, run);
}

static struct cpu_sched *here(void)
{
    return &cpus[host_cpu_index()];
}

void sched_init(uint64_t slice_ns)
{
    slice = host_ns_to_tsc(slice_ns);
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        lock_init(&cpus[i].lock, LOCK_ORDER_QUEUE, "queue");
        runq_init(&cpus[i].queue, (int64_t)slice);
        timerq_init(&cpus[i].timers);
    }
    granule = slice / 10;
}

static enum vcpu_state state_of(const struct vcpu *v)
{
    return (enum vcpu_state)__atomic_load_n(&v->state, __ATOMIC_SEQ_CST);
}

static void set_state(struct vcpu *v, enum vcpu_state state)
{
    __atomic_store_n(&v->state, (uint8_t)state, __ATOMIC_SEQ_CST);
}

static uint64_t allowed_word(const struct vcpu *v, unsigned w)
{
    return __atomic_load_n(&v->cpus_allowed[w], __ATOMIC_RELAXED);
}

static bool is_allowed(const struct vcpu *v, unsigned cpu)
{
    return allowed_word(v, cpu / 64) & BIT(cpu % 64);
}

/* --- idle CPUs --- */

static bool is_idle(unsigned cpu)
{
    return __atomic_load_n(&idle[cpu / 64], __ATOMIC_SEQ_CST) & BIT(cpu % 64);
}

static void set_idle(unsigned cpu, bool on)
{
    if (on)
        __atomic_fetch_or(&idle[cpu / 64], BIT(cpu % 64), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&idle[cpu / 64], ~BIT(cpu % 64), __ATOMIC_SEQ_CST);
}

/* An idle CPU on which v may run, or -1. */
static int idle_cpu_for(const struct vcpu *v)
{
    for (unsigned w = 0; w * 64 < host_cpu_count(); w++) {
        uint64_t fit = __atomic_load_n(&idle[w], __ATOMIC_SEQ_CST) & allowed_word(v, w);
        if (fit)
            return (int)(w * 64) + __builtin_ctzll(fit);
    }
    return -1;
}

/* v joins those who wait at c, whose lock is held. */
static void note_wanted(struct cpu_sched *c, const struct vcpu *v)
{
    for (unsigned w = 0; w * 64 < host_cpu_count(); w++)
        __atomic_store_n(&c->wanted[w], c->wanted[w] | allowed_word(v, w), __ATOMIC_RELAXED);
}

/* CPU me has looked at all who wait at c, whose lock is held: it may run none of them. */
static void note_unwanted(struct cpu_sched *c, unsigned me)
{
    uint64_t *word = &c->wanted[me / 64];
    __atomic_store_n(word, *word & ~BIT(me % 64), __ATOMIC_RELAXED);
}

/* --- becoming runnable --- */

/* Somebody stands in front of what runs on c, whose lock is held: let its slice end soon, but not
 * at once, or a few that wake often would leave it nothing but switches. */
static void shorten_slice(struct cpu_sched *c, unsigned cpu)
{
    struct vcpu *r = c->running;
    if (!r)
        return;
    uint64_t end = max_u64(r->slice_begin + granule, host_now());
    if (end >= __atomic_load_n(&r->slice_end, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&r->slice_end, end, __ATOMIC_RELAXED);
    vcpu_request(r, REQUEST_LOOK);
    if (cpu != host_cpu_index())
        host_kick(cpu);
}

/* v, QUEUED and on no list, joins c, whose lock is held. */
static void join(struct cpu_sched *c, unsigned cpu, struct vcpu *v)
{
    v->cpu = cpu;
    v->runnable_since = host_now();
    v->wakes++;
    v->woken = true;
    trace_event(TRACE_WAKE, v, cpu);
    bool front = runq_wake(&c->queue, &v->run);
    note_wanted(c, v);
    if (is_idle(cpu))
        host_kick(cpu);
    else if (front)
        shorten_slice(c, cpu);
}

static struct cpu_sched *lock_home(const struct vcpu *v, unsigned *cpu)
{
    for (;;) {
        *cpu = __atomic_load_n(&v->cpu, __ATOMIC_ACQUIRE);
        struct cpu_sched *c = &cpus[*cpu];
        lock_take(&c->lock);
        if (likely(v->cpu == *cpu))
            return c;
        lock_release(&c->lock); /* it has moved since */
    }
}

/* A blocked vCPU wakes where it slept, unless that CPU is busy and another has nothing to do. One
 * whose state is still in its CPU's registers stays there. */
static void wake(struct vcpu *v)
{
    unsigned cpu;
    struct cpu_sched *c = lock_home(v, &cpu);
    if (state_of(v) != VCPU_BLOCKED) {
        lock_release(&c->lock);
        return;
    }
    timerq_cancel(&c->timers, &v->timer.entry);
    set_state(v, VCPU_QUEUED);
    int other = is_idle(cpu) || v->held_by ? -1 : idle_cpu_for(v);
    if (other < 0 || !c->running) {
        join(c, cpu, v);
        lock_release(&c->lock);
        return;
    }
    /* QUEUED on no list: nobody picks it. But inspect_parked() may look at it: with its old home's
     * lock, free from now on, it would load the VMCS here while `other` picks and loads it there.
     * So its home changes first: now both go by the lock under which it is queued. */
    __atomic_store_n(&v->cpu, (uint32_t)other, __ATOMIC_RELEASE);
    lock_release(&c->lock);
    c = &cpus[other];
    lock_take(&c->lock);
    join(c, (unsigned)other, v);
    lock_release(&c->lock);
}

void sched_notify(struct vcpu *v, uint32_t requests)
{
    __atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST);
    switch (state_of(v)) {
    case VCPU_BLOCKED:
        wake(v);
        break;
    case VCPU_RUNNING:
        if (v->cpu != host_cpu_index())
            host_kick(v->cpu);
        break;
    default: /* its CPU looks at the bits before it enters the guest */
        break;
    }
}

static void has_exited(void *arg)
{
    (void)arg; /* it runs behind an exit: the requests are looked at before the next entry */
}

void sched_await_exits(struct vm *vm, uint32_t requests)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        if ((__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & requests) &&
            state_of(v) == VCPU_RUNNING && v->cpu != host_cpu_index())
            host_call_on(v->cpu, has_exited, NULL);
    }
}

void sched_give_way(struct vcpu *v)
{
    v->yielded = true;
    vcpu_request(v, REQUEST_RESCHEDULE);
}

/* --- timers --- */

/* When what runs here must make room for a timer of vm that is due at `at`. */
static uint64_t stop_for(const struct vcpu *r, const struct vm *vm, uint64_t at)
{
    return r->vm == vm ? at : max_u64(at, r->slice_begin + granule);
}

void sched_set_timer(struct sched_timer *t, uint64_t at)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &cpus[t->cpu];
    if (t->cpu != me) {
        lock_take(&c->lock);
        timerq_cancel(&c->timers, &t->entry);
        lock_release(&c->lock);
        c = &cpus[me];
    }
    lock_take(&c->lock);
    t->cpu = me;
    timerq_set(&c->timers, &t->entry, at);
    struct vcpu *r = c->running;
    if (r && at < r->slice_end) {
        r->slice_end = min_u64(r->slice_end, stop_for(r, t->vm, at));
        r->look_at = 0;
    }
    lock_release(&c->lock);
}

/* Wakes vCPUs and lets devices work whose time has come. */
static void run_timers(struct cpu_sched *c, unsigned me)
{
    struct timerq_entry *e;
    uint64_t now = host_now();
    lock_take(&c->lock);
    while ((e = timerq_pop_due(&c->timers, now))) {
        struct sched_timer *t = container_of(e, struct sched_timer, entry);
        if (t->v) {
            trace_event(TRACE_TIMER, t->v, TRACE_TIMER_VCPU);
            set_state(t->v, VCPU_QUEUED); /* on this queue and not cancelled: it was BLOCKED */
            join(c, me, t->v);
            continue;
        }
        lock_release(&c->lock);
        uint64_t begin = host_now();
        struct vm *vm = t->vm;
        trace_event(TRACE_TIMER, vm->vcpu[0], TRACE_TIMER_DEVICES);
        interrupt_device_time(vm);
        /* Its own vCPUs' debt, not that of whoever runs here next. */
        uint64_t spent = host_now() - begin;
        __atomic_fetch_add(&vm->owed, spent, __ATOMIC_RELAXED);
        c->paid_until += spent;
        lock_take(&c->lock);
    }
    lock_release(&c->lock);
}

/* --- what a CPU holds --- */

void sched_switch_to(struct vcpu *v)
{
    struct vcpu *old = host_current_vcpu();
    if (old == v)
        return;
    if (old) {
        backend->save(old);
        host_fpu_save(old->fpu);
        /* From now on another CPU may load it. */
        __atomic_store_n(&old->held_by, 0, __ATOMIC_RELEASE);
    }
    host_set_current_vcpu(v);
    if (!v)
        return;
    v->switches++;
    v->held_by = host_cpu_index() + 1;
    host_fpu_load(v->fpu, v->xcr0);
    backend->load(v);
    if (unlikely(!v->vm->footprint.first) && v->vm->state == VM_RUNNING)
        footprint_first_turn(v->vm);
}

static void leave_vm(void *arg)
{
    struct vm *vm = arg;
    struct vcpu *v = host_current_vcpu();
    if (v && v->vm == vm)
        sched_switch_to(NULL);
    if (host_current_space().v == vm->space.root.v)
        host_load_space(base_space.root);
    if (vm->arch)
        backend->flush_vm(vm);
}

void sched_leave_vm(struct vm *vm)
{
    host_call_others(leave_vm, vm);
    leave_vm(vm);
}

struct inspection {
    struct vcpu *v;
    void (*fn)(struct vcpu *v, void *arg);
    void *arg;
    bool done;
};

static void inspect_here(void *arg)
{
    struct inspection *i = arg;
    if (host_current_vcpu() != i->v)
        return; /* it has been put away in the meantime */
    i->fn(i->v, i->arg);
    i->done = true;
}

/* Its state is in no CPU: take it here, while its queue's lock keeps it from being run. */
static void inspect_parked(struct inspection *i)
{
    unsigned cpu;
    struct cpu_sched *c = lock_home(i->v, &cpu);
    if (state_of(i->v) != VCPU_RUNNING && !i->v->held_by) {
        sched_switch_to(i->v);
        i->fn(i->v, i->arg);
        sched_switch_to(NULL);
        i->done = true;
    }
    lock_release(&c->lock);
}

void sched_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
    struct inspection i = {v, fn, arg, false};
    while (!i.done) {
        uint32_t holder = __atomic_load_n(&v->held_by, __ATOMIC_ACQUIRE);
        if (!holder)
            inspect_parked(&i);
        else if (holder == host_cpu_index() + 1)
            inspect_here(&i);
        else
            host_call_on(holder - 1, inspect_here, &i);
        host_relax();
    }
}

/* --- a vCPU's turn --- */

/* What a halted vCPU must look at before it goes on waiting; the rest is for the entry. */
#define REQUEST_WAKING (REQUEST_EVENT | REQUEST_POSTED | REQUEST_NMI | REQUEST_LINT0 | \
                        REQUEST_TSC)

/* A start-up IPI is for one that waits for it; one that follows an INIT stays. */
static void ignore_startup(struct vcpu *v)
{
    uint32_t r = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
    while ((r & REQUEST_STARTUP) && !(r & REQUEST_INIT) &&
           !__atomic_compare_exchange_n(&v->requests, &r, r & ~REQUEST_STARTUP_ALL, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static bool wakes(struct vcpu *v, uint64_t now)
{
    uint32_t done = (uint32_t)(REQUEST_WAKING | REQUEST_RESCHEDULE | REQUEST_LOOK | REQUEST_DEBUG |
                               REQUEST_PAUSE);
    uint32_t r = __atomic_fetch_and(&v->requests, ~done, __ATOMIC_SEQ_CST);
    if ((r & REQUEST_INIT) || ((r & REQUEST_STARTUP) && v->waits_for_startup)) {
        vcpu_request(v, r & done); /* after the signal */
        return true;
    }
    ignore_startup(v);
    interrupt_collect(v, r);
    if (now >= v->event_at)
        interrupt_time(v, now);
    return !v->waits_for_startup && (interrupt_wakes(v) || now >= v->wake_at);
}

/* False: v was woken, but not by what it waits for. */
static bool still_halted(struct vcpu *v, uint64_t now)
{
    if (!v->halted)
        return false;
    /* Before its requests are taken, or a sibling that halts between the two finds all hopeless and
     * nothing asked for, though an NMI wakes v here. If it stays halted, may_halt() counts it. */
    if (v->hopeless) {
        v->hopeless = false;
        __atomic_fetch_sub(&v->vm->hopeless, 1, __ATOMIC_SEQ_CST);
    }
    if (!wakes(v, now))
        return true;
    v->halted = false;
    vcpu_request(v, REQUEST_EVENT);
    return false;
}

static bool nothing_asked(const struct vm *vm)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        any |= __atomic_load_n(&vm->vcpu[i]->requests, __ATOMIC_SEQ_CST);
    return !(any & (REQUEST_WAKING | REQUEST_INIT | REQUEST_STARTUP | REQUEST_STOP));
}

/* v is about to wait. With interrupts off only another vCPU can end that: when the last one does
 * it, this is a guest's way to say that it is done. False then. */
static bool may_halt(struct vcpu *v)
{
    struct vm *vm = v->vm;
    bool hopeless = v->waits_for_startup || (!v->wake_on_interrupt && v->wake_at == UINT64_MAX);
    if (!hopeless || v->hopeless)
        return true;
    v->hopeless = true;
    if (__atomic_add_fetch(&vm->hopeless, 1, __ATOMIC_SEQ_CST) < vm->vcpu_count ||
        !nothing_asked(vm))
        return true;
    vm_stop(vm, STOP_HALTED, "halted with interrupts off");
    return false;
}

/* c's lock is held; `but`: requests for which v does not go to sleep after all. */
static void block(struct cpu_sched *c, unsigned me, struct vcpu *v, uint64_t until, uint32_t but)
{
    runq_remove(&c->queue, &v->run);
    v->timer.cpu = me;
    timerq_set(&c->timers, &v->timer.entry, until);
    set_state(v, VCPU_BLOCKED);
    if (likely(!(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & but)))
        return;
    timerq_cancel(&c->timers, &v->timer.entry);
    set_state(v, VCPU_QUEUED);
    join(c, me, v);
}

static void put_back(struct cpu_sched *c, struct vcpu *v)
{
    bool over = runq_turn(&c->queue, &v->run) == 0;
    set_state(v, VCPU_QUEUED);
    v->runnable_since = host_now();
    runq_put(&c->queue, &v->run,
             over ? RUNQ_USED : v->yielded ? RUNQ_YIELDED : RUNQ_PREEMPTED);
    note_wanted(c, v);
    v->yielded = false;
}

/* More to do here than one CPU can: idle ones shall come, one for each that waits. Several wakers
 * in a row choose the same idle CPU, whose bit stays until it is awake: all end up there. */
static void share(struct cpu_sched *c)
{
    unsigned left = c->queue.count;
    for (unsigned w = 0; left && w * 64 < host_cpu_count(); w++) {
        uint64_t fit = __atomic_load_n(&idle[w], __ATOMIC_SEQ_CST) &
                       __atomic_load_n(&c->wanted[w], __ATOMIC_RELAXED);
        for (; left && fit; fit &= fit - 1, left--)
            host_kick(w * 64 + (unsigned)__builtin_ctzll(fit));
    }
}

struct turn {
    uint64_t begin;      /* TSC */
    bool ran;            /* it was in its guest */
    bool capped;         /* blocked until its VM's cap lets it run again */
    uint64_t until;      /* OUTCOME_BLOCK: for how long */
    uint32_t but;        /* requests for which it does not block */
};

/* v's turn begins: how long it has waited for it. */
static __attribute__((noinline)) void note_turn(struct vcpu *v, uint64_t now)
{
    uint64_t waited = now > v->runnable_since ? now - v->runnable_since : 0;
    trace_event(TRACE_IN, v, (uint32_t)min_u64(waited, UINT32_MAX));
    if (!v->woken)
        return;
    v->woken = false;
    v->latency += waited;
    v->latency_max = max_u64(v->latency_max, waited);
}

static enum outcome run_guest(struct cpu_sched *c, struct vcpu *v, struct turn *t)
{
    uint64_t room = min_u64((uint64_t)runq_turn(&c->queue, &v->run),
                            cap_left(&v->vm->cap, t->begin));
    sched_switch_to(v);
    share(c); /* now that whoever ran before can be taken away */
    host_load_space(v->vm->space.root);
    guest_time_enter(v, t->begin);
    host_enter_domain(v->vm->slot + 1);
    if (v->woken || unlikely(trace_wanted()))
        note_turn(v, t->begin);
    v->slice_begin = t->begin;
    v->slice_end = t->begin + (unlikely(c->short_turns) ? min_u64(room, granule) : room);
    lock_take(&c->lock);
    struct timerq_entry *first = timerq_first(&c->timers);
    if (first)
        v->slice_end = min_u64(v->slice_end,
                               stop_for(v, container_of(first, struct sched_timer, entry)->vm,
                                        first->at));
    /* Others have woken, too, and would have shortened its slice had they come a moment later. */
    if (!list_empty(&c->queue.woken))
        v->slice_end = min_u64(v->slice_end, t->begin + granule);
    c->running = v;
    lock_release(&c->lock);
    v->look_at = c->waited = 0;
    if (unlikely(v->debug.attached))
        vcpu_request(v, REQUEST_DEBUG);
    enum outcome outcome = backend->run(v);
    v->ran += host_now() - t->begin - c->waited;
    t->ran = true;
    if (outcome == OUTCOME_RETRY)
        guest_time_preempted(v);
    return outcome;
}

/* The bit goes before the look: who ends the pause clears paused and then sets the bit, so either
 * paused is seen as 0 here, or the bit is seen at the last look in block(). */
static bool is_paused(struct vcpu *v)
{
    if (likely(!__atomic_load_n(&v->vm->paused, __ATOMIC_SEQ_CST)))
        return false;
    __atomic_fetch_and(&v->requests, ~(uint32_t)REQUEST_PAUSE, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&v->vm->paused, __ATOMIC_SEQ_CST);
}

static enum outcome turn(struct cpu_sched *c, struct vcpu *v, struct turn *t)
{
    if (__atomic_load_n(&v->requests, __ATOMIC_ACQUIRE) & REQUEST_STOP)
        return OUTCOME_STOP;
    if (unlikely(is_paused(v))) {
        t->until = TIMERQ_NEVER;
        t->but = REQUEST_STOP | REQUEST_PAUSE;
        return OUTCOME_BLOCK;
    }
    if (unlikely(debug_held(v))) {
        t->until = UINT64_MAX;
        t->but = (uint32_t)(REQUEST_STOP | REQUEST_GO);
        return OUTCOME_BLOCK;
    }
    if (!cap_left(&v->vm->cap, t->begin)) {
        t->capped = true;
        t->but = REQUEST_STOP;
        return OUTCOME_BLOCK;
    }
    if (!still_halted(v, t->begin)) {
        enum outcome outcome = run_guest(c, v, t);
        if (outcome != OUTCOME_BLOCK)
            return outcome;
        /* What wakes it may have come before it halted: in STI's shadow, say. */
        v->halted = true;
        if (!still_halted(v, host_now()))
            return OUTCOME_RETRY;
    }
    t->until = min_u64(v->wake_at, v->event_at);
    t->but = ~0u;
    return may_halt(v) ? OUTCOME_BLOCK : OUTCOME_STOP;
}

/* v pays for all of this CPU's time since somebody has paid last, not only for what it has run: a
 * guest whose timers keep the scheduler busy shall not do that at others' expense. */
static uint64_t pay(struct cpu_sched *c, struct vcpu *v)
{
    struct vm *vm = v->vm;
    uint64_t now = host_now(), ticks = now - c->paid_until;
    c->paid_until = now;
    if (__atomic_load_n(&vm->owed, __ATOMIC_RELAXED))
        ticks += __atomic_exchange_n(&vm->owed, 0, __ATOMIC_RELAXED);
    cap_charge(&vm->cap, now, ticks);
    return ticks;
}

static COLD void trace_out(struct cpu_sched *c, struct vcpu *v, enum outcome outcome)
{
    enum trace_why why = TRACE_WHY_PREEMPTED;
    if (outcome == OUTCOME_STOP)
        why = TRACE_WHY_STOPPED;
    else if (outcome == OUTCOME_BLOCK)
        why = v->waits_for_startup ? TRACE_WHY_STARTUP : TRACE_WHY_HALTED;
    else if (runq_turn(&c->queue, &v->run) == 0)
        why = TRACE_WHY_SLICE;
    else if (v->yielded)
        why = TRACE_WHY_YIELDED;
    else if (!cap_left(&v->vm->cap, host_now()))
        why = TRACE_WHY_CAPPED;
    trace_event(TRACE_OUT, v, why);
}

/* The allowed CPU with the least to do; -1: none of this machine's. */
static int least_loaded(const struct vcpu *v)
{
    int best = -1;
    unsigned load = UINT32_MAX, n = host_cpu_count();
    for (unsigned i = 0; i < n; i++) {
        unsigned at = (v->vm->slot + v->index + i) % n; /* vCPUs of one VM spread */
        if (!is_allowed(v, at) || runq_load(&cpus[at].queue) >= load)
            continue;
        best = (int)at;
        load = runq_load(&cpus[at].queue);
    }
    return best;
}

/* v has been picked where it may no longer run. False: there is no better place. */
static bool migrate(struct cpu_sched *c, struct vcpu *v)
{
    int to = least_loaded(v);
    if (to < 0)
        return false;
    if (host_current_vcpu() == v)
        sched_switch_to(NULL);
    lock_take(&c->lock);
    runq_remove(&c->queue, &v->run);
    set_state(v, VCPU_QUEUED);
    __atomic_store_n(&v->cpu, (uint32_t)to, __ATOMIC_RELEASE); /* as in wake() */
    lock_release(&c->lock);
    c = &cpus[to];
    lock_take(&c->lock);
    join(c, (unsigned)to, v);
    lock_release(&c->lock);
    return true;
}

/* v has been picked. */
static void take_turn(struct cpu_sched *c, unsigned me, struct vcpu *v)
{
    if (unlikely(!is_allowed(v, me)) && migrate(c, v))
        return;
    struct turn t = {.begin = host_now()};
    struct vm *vm = v->vm;
    enum outcome outcome = turn(c, v, &t);
    if (outcome == OUTCOME_STOP && vm->stop_reason >= STOP_TRIPLE_FAULT && vm->stopper == v)
        report_vcpu(v); /* while its state is here */
    uint64_t ticks = pay(c, v);
    /* What it has just paid for comes before its next turn, or it would wake too early for ever. */
    if (t.capped)
        t.until = cap_next(&vm->cap, host_now());
    lock_take(&c->lock);
    c->running = NULL;
    runq_charge(&c->queue, &v->run, ticks);
    if (unlikely(trace_wanted()) && t.ran)
        trace_out(c, v, outcome);
    if (outcome == OUTCOME_STOP) {
        runq_remove(&c->queue, &v->run);
        set_state(v, VCPU_OFF);
    } else if (outcome == OUTCOME_BLOCK) {
        block(c, me, v, t.until, t.but);
    } else {
        put_back(c, v);
    }
    lock_release(&c->lock);
    if (outcome == OUTCOME_STOP)
        vm_vcpu_off(vm); /* v may be gone from here on */
}

/* --- a CPU's life --- */

struct thief {
    unsigned cpu;
    bool later; /* there is something that may be had in a moment */
};

static bool may_move(void *ctx, const struct runq_entity *e)
{
    const struct vcpu *v = container_of(e, const struct vcpu, run);
    struct thief *t = ctx;
    if (!is_allowed(v, t->cpu))
        return false;
    if (!__atomic_load_n(&v->held_by, __ATOMIC_ACQUIRE))
        return true;
    t->later = true;
    return false;
}

/* From one CPU, whose lock is held, as c's is. */
static struct vcpu *steal_from(struct cpu_sched *from, struct cpu_sched *c, unsigned me,
                               bool *later)
{
    struct thief t = {me, false};
    bool all = runq_load(&c->queue) == 0; /* are looked at */
    struct runq_entity *e = runq_steal(&from->queue, &c->queue, may_move, &t);
    *later |= t.later;
    if (!e) {
        if (all && !t.later)
            note_unwanted(from, me);
        return NULL;
    }
    struct vcpu *v = of(e);
    v->cpu = me;
    note_wanted(c, v);
    return v;
}

/* c's lock is held. Others' locks are only tried: two CPUs may want each other's. False: nothing
 * was got, but in a moment something may be. */
static bool steal(struct cpu_sched *c, unsigned me)
{
    unsigned n = host_cpu_count();
    bool later = false;
    for (unsigned i = 1; i < n; i++) {
        struct cpu_sched *from = &cpus[(me + i) % n];
        if (!runq_worth_stealing(&from->queue, &c->queue))
            continue;
        if (!lock_try(&from->lock)) {
            later = true;
            continue;
        }
        struct vcpu *v = steal_from(from, c, me, &later);
        lock_release(&from->lock);
        if (v) {
            trace_event(TRACE_STEAL, v, (me + i) % n);
            return true;
        }
    }
    return !later;
}

static struct vcpu *pick(struct cpu_sched *c, unsigned me)
{
    lock_take(&c->lock);
    if (runq_hungry(&c->queue))
        (void)steal(c, me);
    struct runq_entity *e = runq_pick(&c->queue);
    if (e)
        set_state(of(e), VCPU_RUNNING);
    lock_release(&c->lock);
    return e ? of(e) : NULL;
}

/* First idle, then a last look, in this order: who queues something looks in the other one. What
 * may not run here (pins) is no reason to stay awake, so the look is an attempt. */
static void rest(struct cpu_sched *c, unsigned me, uint64_t until)
{
    set_idle(me, true);
    lock_take(&c->lock);
    bool again = !c->queue.count && !steal(c, me);
    bool work = c->queue.count != 0;
    until = min_u64(until, timerq_next(&c->timers));
    lock_release(&c->lock);
    /* What there is to steal may still be held by a CPU that waits in host_call_others() for this
     * one: with interrupts closed, looking again and again, neither would ever get on. */
    if (!work && again)
        until = min_u64(until, host_now() + granule / 8);
    if (!work) {
        trace_event(TRACE_IDLE, NULL, 0);
        host_idle(until);
        trace_event(TRACE_BUSY, NULL, 0);
    }
    set_idle(me, false);
    c->paid_until = host_now(); /* what nobody used */
}

/* --- waiting in place --- */

/* The console, a command that goes on, the next sample of counters. */
static uint64_t boot_cpu_deadline(void)
{
    return min_u64(console_deadline(), stat_deadline());
}

/* Somebody waits for this CPU, or for another that is busy: what a CPU without work may take. One
 * that is idle has been kicked by whom it queued. */
static bool anybody_waits(unsigned me)
{
    for (unsigned i = 0; i < host_cpu_count(); i++)
        if (__atomic_load_n(&cpus[i].queue.count, __ATOMIC_RELAXED) && (i == me || !is_idle(i)))
            return true;
    return false;
}

/* Until when c has nothing to do beside what runs there. */
static uint64_t next_duty(struct cpu_sched *c, unsigned me)
{
    lock_take(&c->lock);
    uint64_t until = timerq_next(&c->timers);
    lock_release(&c->lock);
    return me == 0 ? min_u64(until, boot_cpu_deadline()) : until;
}

bool sched_wait_here(struct vcpu *v)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &cpus[me];
    uint64_t now = host_now();
    /* Once a slice it goes the long way: what a turn begins and ends with is not put off. */
    if (!v->wake_on_interrupt || v->wake_at != UINT64_MAX || now >= v->slice_end ||
        now - v->slice_begin >= slice || v->debug.attached || trace_wanted() ||
        (me == 0 && host_interrupts() != c->heard))
        return false;
    v->halted = true;
    if (!still_halted(v, now))
        return false;
    set_idle(me, true); /* and then the look at queues, as in rest() */
    uint64_t until = next_duty(c, me);
    if (until <= now || anybody_waits(me)) {
        set_idle(me, false);
        return false;
    }
    c->wait_begin = now;
    c->wait_left = v->slice_end - now;
    v->slice_end = until;
    host_idle_begin();
    return true;
}

/* Nobody has used the time between, v least of all. */
void sched_wait_over(struct vcpu *v)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &cpus[me];
    uint64_t now = host_idle_end(), slept = now - c->wait_begin;
    set_idle(me, false);
    c->paid_until += slept;
    c->waited += slept;
    v->slice_end = min_u64(v->slice_end, now + c->wait_left);
}

bool sched_still_waits(struct vcpu *v)
{
    v->halted = true;
    return still_halted(v, host_now());
}

/* --- to be looked at --- */

void sched_look(unsigned cpu, struct sched_view *out)
{
    struct cpu_sched *c = &cpus[cpu];
    lock_take(&c->lock);
    *out = (struct sched_view){
        .queued = c->queue.count,
        .epoch = c->queue.epoch,
        .running = c->running && !is_idle(cpu),
        .running_vm = c->running ? c->running->vm->slot : 0,
        .running_vcpu = c->running ? c->running->index : 0,
        .slice_begin = c->running ? c->running->slice_begin : 0,
        .slice_end = c->running ? c->running->slice_end : 0,
        .next_timer = timerq_next(&c->timers),
    };
    lock_release(&c->lock);
    out->idle = is_idle(cpu);
}

uint64_t sched_slice(void)
{
    return slice;
}

/* --- the end --- */

#define STOP_PATIENCE_NS 100000000 /* a CPU that runs on for longer is left to itself */

static uint32_t closing, closed; /* atomic */

void sched_stop_others(void)
{
    unsigned others = host_cpu_count() - 1;
    uint64_t until = host_now() + host_ns_to_tsc(STOP_PATIENCE_NS);
    if (__atomic_exchange_n(&closing, 1, __ATOMIC_SEQ_CST) || !backend)
        return;
    for (unsigned i = 1; i <= others; i++) {
        lock_take(&cpus[i].lock);
        if (cpus[i].running)
            vcpu_request(cpus[i].running, REQUEST_RESCHEDULE);
        lock_release(&cpus[i].lock);
        host_kick(i);
    }
    while (__atomic_load_n(&closed, __ATOMIC_ACQUIRE) < others && host_now() < until)
        host_relax();
}

static NORETURN void stay_closed(void)
{
    __atomic_fetch_add(&closed, 1, __ATOMIC_RELEASE);
    for (;;)
        host_idle(UINT64_MAX);
}

/* False: nobody is here to run. */
static bool pass(struct cpu_sched *c, unsigned me)
{
    /* With timers that are always due it may come neither to a guest nor to a HLT, and so to no
     * interrupt: who waits in host_call_others() must not depend on that. */
    host_serve();
    run_timers(c, me);
    struct vcpu *v = pick(c, me);
    if (!v)
        return false;
    take_turn(c, me, v);
    return true;
}

/* 16 bytes come in 1.4 ms. Where an interrupt ends a guest's turn at once, nobody has to hurry;
 * Bochs shows a guest that runs with interrupts off none of ours. */
static bool lines_need_us(void)
{
    return unlikely(host_lines_late()) && (gdb_has_session() || control_has_session());
}

/* The operator has had a whole round: what starts or ends comes first in the next one, or a long
 * answer would hold a `vm destroy` up. */
static bool vms_first;

static bool work_on_vms(void)
{
    if (!vm_work())
        return false;
    host_enter_domain(0);
    return true;
}

/* What the boot CPU does besides running vCPUs: a piece of it. False: there was nothing to do. Who
 * waits for this CPU waits for one of the two at most, the operator or a VM that starts or ends. */
static bool boot_cpu_work(void)
{
    uint64_t begin = host_now();
    bool first = vms_first;
    vms_first = false;
    if (first && work_on_vms())
        return true;
    console_poll();
    gdb_poll();
    stat_poll();
    vms_first = host_now() - begin > granule / 4;
    return vms_first || work_on_vms();
}

void sched_run(bool stop_when_idle)
{
    struct cpu_sched *c = here();
    c->paid_until = host_now();
    for (;;) {
        c->heard = host_interrupts();
        bool worked = boot_cpu_work();
        c->short_turns = lines_need_us();
        /* The operator's commands, and VMs that start and end, are in nobody's share. */
        c->paid_until = host_now();
        if (worked)
            c->heard = UINT64_MAX; /* there may be more of it: nobody waits here */
        if (!pass(c, 0) && !worked) {
            if (stop_when_idle && !vm_any_alive())
                power_off();
            rest(c, 0, boot_cpu_deadline());
        }
    }
}

void sched_run_other(void)
{
    struct cpu_sched *c = here();
    unsigned me = host_cpu_index();
    c->paid_until = host_now();
    while (likely(!__atomic_load_n(&closing, __ATOMIC_ACQUIRE)))
        if (!pass(c, me))
            rest(c, me, UINT64_MAX);
    stay_closed();
}

void sched_preempt(void)
{
    /* A timer that was armed for somebody else's slice may still be pending. */
    struct vcpu *v = here()->running;
    if (v && host_now() >= min_u64(v->slice_end, v->event_at))
        vcpu_request(v, REQUEST_LOOK);
}

/* --- control --- */

/* The store before the looks at states: whoever picks a vCPU writes its state before it looks at
 * paused, so either it is seen RUNNING here, or it sees paused and blocks. */
void sched_pause(struct vm *vm)
{
    __atomic_store_n(&vm->paused, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_PAUSE | REQUEST_RESCHEDULE);
    host_call_others(host_nothing, NULL); /* an NMI ends guests that a kick does not */
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        while (state_of(vm->vcpu[i]) == VCPU_RUNNING)
            host_relax();
}

void sched_resume(struct vm *vm)
{
    __atomic_store_n(&vm->paused, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_PAUSE);
    interrupt_device_time(vm);
}

void sched_set_weight(struct vcpu *v, uint32_t weight)
{
    unsigned cpu;
    struct cpu_sched *c = lock_home(v, &cpu);
    runq_set_weight(&c->queue, &v->run, weight);
    lock_release(&c->lock);
}

void sched_set_pin(struct vcpu *v, const uint64_t allowed[CPU_WORDS])
{
    for (unsigned w = 0; w < CPU_WORDS; w++)
        __atomic_store_n(&v->cpus_allowed[w], allowed[w], __ATOMIC_RELAXED);
    unsigned cpu;
    struct cpu_sched *c = lock_home(v, &cpu);
    note_wanted(c, v);
    lock_release(&c->lock);
    sched_notify(v, REQUEST_RESCHEDULE);
}

/* --- start --- */

void sched_start(struct vcpu *v, bool runs)
{
    int to = least_loaded(v);
    unsigned cpu = to < 0 ? 0 : (unsigned)to; /* vm_start() has looked: it is allowed somewhere */
    struct cpu_sched *c = &cpus[cpu];
    lock_take(&c->lock);
    v->cpu = cpu;
    v->timer.cpu = cpu;
    set_state(v, runs ? VCPU_QUEUED : VCPU_BLOCKED);
    /* Who asked while it was OFF (the operator, for its VM's end) has not woken it. */
    if (!runs && __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST)) {
        set_state(v, VCPU_QUEUED);
        runs = true;
    }
    if (runs)
        join(c, cpu, v);
    lock_release(&c->lock);
}
