/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One VM in a debugger's hands. Its vCPUs are parked by the scheduler: each has `hold`, looked at
 * before every turn, and blocks until it is let go. The table of breakpoints is written only while
 * all are parked, so that exits read it without a lock. SDM: "Debug Registers", "INT n/INTO/INT3".
 */
#include "core/debug.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/sched.h"
#include "core/vm.h"

#define BREAKS_MAX 64
#define INT3       0xcc
#define PUSHF      0x9c
#define OPERAND_SIZE 0x66 /* prefix */
#define PATIENCE_NS UINT64_C(100000000)

struct software_break {
    bool used;
    uint8_t original; /* the byte in whose place INT3 stands */
    uint64_t gva, gpa;
};

struct hardware_break {
    uint8_t kind; /* enum debug_break; BREAK_SOFTWARE: free */
    uint8_t size; /* 1, 2, 4 or 8 */
    uint64_t gva;
};

static struct vm *taken;
static struct software_break breaks[BREAKS_MAX];
static struct hardware_break registers[4];

/* --- guest memory ----------------------------------------------------------------------------- */

struct inspection {
    void (*fn)(struct vcpu *v, void *arg);
    void *arg;
};

static void with_memory(struct vcpu *v, void *arg)
{
    struct inspection *i = arg;
    hpa_t before = host_current_space();
    host_load_space(v->vm->space.root);
    i->fn(v, i->arg);
    host_load_space(before);
}

void debug_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
    struct inspection i = {fn, arg};
    sched_inspect(v, with_memory, &i);
}

struct transfer {
    uint64_t at;
    uint8_t *to;         /* reads */
    const uint8_t *from; /* writes */
    size_t n, done;
    bool physical;
    bool raw;            /* the INT3 bytes themselves */
};

/* Where the byte at t's place is, and how many follow in its page. */
static bool locate(struct vcpu *v, const struct transfer *t, gpa_t *gpa, size_t *n)
{
    struct guest_paging paging;
    struct walk_info info;
    uint64_t at = t->at + t->done;
    *n = (size_t)min_u64(t->n - t->done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
    *gpa = GPA(at);
    if (t->physical)
        return true;
    vcpu_paging(v, &paging);
    if (guest_walk(&paging, &v->vm->mem, GVA(at), WALK_PEEK, &info) != WALK_OK)
        return false;
    *gpa = info.gpa;
    return true;
}

/* The debugger sees, and changes, what stood there before its INT3. */
static void mask_breaks(struct vm *vm, uint64_t gpa, uint8_t *bytes, size_t n)
{
    for (unsigned i = 0; i < BREAKS_MAX && vm == taken; i++)
        if (breaks[i].used && breaks[i].gpa - gpa < n)
            bytes[breaks[i].gpa - gpa] = breaks[i].original;
}

static bool write_around(struct vm *vm, uint64_t gpa, const uint8_t *bytes, size_t n)
{
    if (!guest_write(&vm->mem, GPA(gpa), bytes, n))
        return false;
    for (unsigned i = 0; i < BREAKS_MAX && vm == taken; i++) {
        uint8_t int3 = INT3;
        if (!breaks[i].used || breaks[i].gpa - gpa >= n)
            continue;
        breaks[i].original = bytes[breaks[i].gpa - gpa];
        if (!guest_write(&vm->mem, GPA(breaks[i].gpa), &int3, 1))
            return false;
    }
    return true;
}

static void transfer(struct vcpu *v, void *arg)
{
    struct transfer *t = arg;
    struct vm *vm = v->vm;
    gpa_t gpa;
    for (size_t n; t->done < t->n; t->done += n) {
        if (!locate(v, t, &gpa, &n))
            return;
        if (t->from && t->raw && !guest_write(&vm->mem, gpa, t->from + t->done, n))
            return;
        if (t->from && !t->raw && !write_around(vm, gpa.v, t->from + t->done, n))
            return;
        if (t->to && !guest_read(&vm->mem, gpa, t->to + t->done, n))
            return;
        if (t->to)
            mask_breaks(vm, gpa.v, t->to + t->done, n);
    }
}

size_t debug_read(struct vcpu *v, uint64_t gva, void *buf, size_t n)
{
    struct transfer t = {.at = gva, .to = buf, .n = n};
    debug_inspect(v, transfer, &t);
    return t.done;
}

size_t debug_write(struct vcpu *v, uint64_t gva, const void *buf, size_t n)
{
    struct transfer t = {.at = gva, .from = buf, .n = n};
    debug_inspect(v, transfer, &t);
    return t.done;
}

size_t debug_read_physical(struct vcpu *v, uint64_t gpa, void *buf, size_t n)
{
    struct transfer t = {.at = gpa, .to = buf, .n = n, .physical = true};
    debug_inspect(v, transfer, &t);
    return t.done;
}

/* --- breakpoints ------------------------------------------------------------------------------ */

struct place {
    uint64_t gva, gpa;
    bool good;
};

static void find(struct vcpu *v, void *arg)
{
    struct place *p = arg;
    struct transfer t = {.at = p->gva, .n = 1};
    gpa_t gpa;
    size_t n;
    uint8_t byte;
    p->good = locate(v, &t, &gpa, &n) && guest_read(&v->vm->mem, gpa, &byte, 1);
    p->gpa = p->good ? gpa.v : 0;
}

static bool set_software(struct vcpu *v, uint64_t gva)
{
    struct place p = {.gva = gva};
    struct software_break *b = NULL;
    uint8_t int3 = INT3, original;
    debug_inspect(v, find, &p);
    if (!p.good)
        return false;
    for (unsigned i = BREAKS_MAX; i-- > 0;) {
        if (breaks[i].used && breaks[i].gpa == p.gpa)
            return true;
        if (!breaks[i].used)
            b = &breaks[i];
    }
    if (!b || debug_read_physical(v, p.gpa, &original, 1) != 1)
        return false;
    struct transfer t = {.at = p.gpa, .from = &int3, .n = 1, .physical = true, .raw = true};
    debug_inspect(v, transfer, &t);
    *b = (struct software_break){true, original, gva, p.gpa};
    return t.done == 1;
}

/* The page may be mapped elsewhere by now: what was patched is in physical memory. */
static void clear_software(struct vcpu *v, struct software_break *b)
{
    struct transfer t = {.at = b->gpa, .from = &b->original, .n = 1, .physical = true,
                         .raw = true};
    debug_inspect(v, transfer, &t);
    b->used = false;
}

/* DR7's type and length of a breakpoint: R/W 0 execute, 1 write, 3 access; LEN 0, 1, 3, 2 for 1, 2,
 * 4, 8 bytes. */
static uint64_t dr7_for(unsigned i, const struct hardware_break *b)
{
    uint64_t type = b->kind == BREAK_HARDWARE ? 0 : b->kind == BREAK_WRITE ? 1 : 3;
    uint64_t len = b->size == 8 ? 2 : b->size - 1u;
    return BIT(2 * i + 1) | (type | len << 2) << (16 + 4 * i);
}

static void load_registers(struct vcpu *v, void *arg)
{
    uint64_t dr7 = 0;
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        v->debug.dr[i] = registers[i].gva;
        if (registers[i].kind != BREAK_SOFTWARE)
            dr7 |= dr7_for(i, &registers[i]);
    }
    backend->set_debug(v, true, dr7);
}

static void load_registers_everywhere(void)
{
    for (unsigned i = 0; i < taken->vcpu_count; i++)
        debug_inspect(taken->vcpu[i], load_registers, NULL);
}

static void guest_uses(struct vcpu *v, void *arg)
{
    bool *used = arg;
    if (!v->debug.dr7 && (backend->get_reg(v, VREG_DR7) & DR7_ENABLES))
        *used = true;
}

static bool set_hardware(enum debug_break kind, uint64_t gva, unsigned size)
{
    bool used = false;
    if (kind == BREAK_HARDWARE)
        size = 1;
    if ((size != 1 && size != 2 && size != 4 && size != 8) || !IS_ALIGNED(gva, (uint64_t)size))
        return false;
    for (unsigned i = 0; i < taken->vcpu_count; i++)
        debug_inspect(taken->vcpu[i], guest_uses, &used);
    for (unsigned i = 0; i < 4 && !used; i++) {
        if (registers[i].kind != BREAK_SOFTWARE)
            continue;
        registers[i] = (struct hardware_break){(uint8_t)kind, (uint8_t)size, gva};
        load_registers_everywhere();
        return true;
    }
    return false;
}

bool debug_set_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size)
{
    if (!debug_vm() || v->vm != taken)
        return false;
    return kind == BREAK_SOFTWARE ? set_software(v, gva) : set_hardware(kind, gva, size);
}

void debug_clear_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size)
{
    (void)size;
    if (!debug_vm() || v->vm != taken)
        return;
    for (unsigned i = 0; i < BREAKS_MAX && kind == BREAK_SOFTWARE; i++)
        if (breaks[i].used && breaks[i].gva == gva)
            clear_software(v, &breaks[i]);
    for (unsigned i = 0; i < 4 && kind != BREAK_SOFTWARE; i++) {
        if (registers[i].kind != kind || registers[i].gva != gva)
            continue;
        registers[i].kind = BREAK_SOFTWARE;
        load_registers_everywhere();
    }
}

/* --- stop and go ------------------------------------------------------------------------------ */

static void hold(struct vcpu *v)
{
    __atomic_store_n(&v->debug.hold, true, __ATOMIC_SEQ_CST);
}

/* Any CPU. */
static void hold_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        hold(vm->vcpu[i]);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_RESCHEDULE);
}

/* Clearing REQUEST_GO comes first: who lets v go clears hold, then sets it. */
bool debug_held(struct vcpu *v)
{
    if (likely(!v->debug.attached))
        return false;
    __atomic_fetch_and(&v->requests, (uint32_t)~REQUEST_GO, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&v->debug.hold, __ATOMIC_SEQ_CST);
}

void debug_stop_all(void)
{
    if (debug_vm())
        hold_all(taken);
}

/* A vCPU that is RUNNING may have looked at hold before it was set; one that is not will look. */
bool debug_stopped(void)
{
    struct vm *vm = debug_vm();
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        if (!__atomic_load_n(&v->debug.hold, __ATOMIC_SEQ_CST) ||
            __atomic_load_n(&v->state, __ATOMIC_SEQ_CST) == VCPU_RUNNING)
            return false;
    }
    return vm != NULL;
}

struct vcpu *debug_stopper(enum debug_stop *why)
{
    for (unsigned i = 0; i < taken->vcpu_count; i++) {
        struct vcpu *v = taken->vcpu[i];
        *why = (enum debug_stop)__atomic_load_n(&v->debug.stop, __ATOMIC_SEQ_CST);
        if (*why != DEBUG_RUNS)
            return v;
    }
    return NULL;
}

void debug_release(struct vcpu *v, bool step)
{
    v->debug.step = step ? STEP_WANTED : STEP_NONE;
    __atomic_store_n(&v->debug.hold, false, __ATOMIC_SEQ_CST);
}

void debug_go(void)
{
    struct vm *vm = debug_vm();
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        __atomic_store_n(&v->debug.stop, DEBUG_RUNS, __ATOMIC_SEQ_CST);
        if (v->debug.hold)
            v->debug.step = STEP_NONE;
    }
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++)
        if (!vm->vcpu[i]->debug.hold)
            sched_notify(vm->vcpu[i], (uint32_t)REQUEST_GO);
}

/* --- taking a VM ------------------------------------------------------------------------------ */

static void forget(void)
{
    memset(breaks, 0, sizeof(breaks));
    memset(registers, 0, sizeof(registers));
    taken = NULL;
}

struct vm *debug_vm(void)
{
    return taken;
}

void debug_vm_ended(const struct vm *vm)
{
    if (taken == vm)
        forget();
}

static void attach_vcpu(struct vcpu *v, void *arg)
{
    const bool *on = arg;
    if (!*on)
        v->debug.step = STEP_NONE;
    backend->set_debug(v, *on, 0);
    v->debug.attached = *on;
}

bool debug_attach(struct vm *vm)
{
    bool on = true;
    if (debug_vm() || vm->state != VM_RUNNING)
        return false;
    taken = vm;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_inspect(vm->vcpu[i], attach_vcpu, &on);
    hold_all(vm);
    return true;
}

void debug_detach(void)
{
    struct vm *vm = debug_vm();
    bool on = false;
    if (!vm)
        return;
    /* This CPU is in no vCPU's turn, so those that run are elsewhere and stop without its help. */
    uint64_t until = host_now() + host_ns_to_tsc(PATIENCE_NS);
    for (debug_stop_all(); !debug_stopped() && host_now() < until;)
        host_relax();
    for (unsigned i = 0; i < BREAKS_MAX; i++)
        if (breaks[i].used)
            clear_software(vm->vcpu[0], &breaks[i]);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_release(vm->vcpu[i], false);
    debug_go();
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_inspect(vm->vcpu[i], attach_vcpu, &on);
    forget();
}

/* --- on a vCPU's CPU -------------------------------------------------------------------------- */

void debug_stop(struct vcpu *v, enum debug_stop why)
{
    v->debug.step = STEP_NONE;
    __atomic_store_n(&v->debug.stop, (uint8_t)why, __ATOMIC_SEQ_CST);
    hold_all(v->vm);
    vcpu_request(v, REQUEST_RESCHEDULE);
    host_kick(0); /* that is where the debugger looks */
}

static uint64_t linear(struct vcpu *v, enum seg_name name, uint64_t offset)
{
    struct segment s;
    backend->get_segment(v, name, &s);
    return backend->code_bits(v) == 64 ? offset : (uint32_t)(s.base + offset);
}

bool debug_at_pushf(struct vcpu *v)
{
    uint8_t code[2] = {0};
    struct transfer t = {.at = linear(v, SEG_CS, backend->get_reg(v, VREG_RIP)), .to = code,
                         .n = sizeof(code)};
    transfer(v, &t);
    return code[0] == PUSHF || (code[0] == OPERAND_SIZE && code[1] == PUSHF);
}

void debug_clean_pushf(struct vcpu *v)
{
    uint8_t byte;
    uint64_t at = linear(v, SEG_SS, backend->get_reg(v, VREG_RSP)) + 1;
    struct transfer get = {.at = at, .to = &byte, .n = 1}, put = {.at = at, .from = &byte, .n = 1};
    transfer(v, &get);
    byte &= (uint8_t)~(RFLAGS_TF >> 8);
    if (get.done)
        transfer(v, &put);
}

/* What the vCPU has met is an INT3 of ours, or was until a moment ago. */
static bool is_ours(struct vcpu *v, bool *stale)
{
    uint8_t byte = INT3;
    struct place p = {.gva = linear(v, SEG_CS, backend->get_reg(v, VREG_RIP))};
    find(v, &p);
    *stale = p.good && guest_read(&v->vm->mem, GPA(p.gpa), &byte, 1) && byte != INT3;
    if (*stale)
        return true;
    for (unsigned i = 0; i < BREAKS_MAX && p.good; i++)
        if (breaks[i].used && breaks[i].gpa == p.gpa)
            return true;
    return false;
}

static void stop_at_register(struct vcpu *v)
{
    unsigned i = (unsigned)__builtin_ctz(v->debug.hits);
    enum debug_break kind = (enum debug_break)registers[i].kind;
    v->debug.address = registers[i].gva;
    debug_stop(v, kind == BREAK_HARDWARE ? DEBUG_HARDWARE
                  : kind == BREAK_WRITE  ? DEBUG_WATCH_WRITE
                                         : DEBUG_WATCH_ACCESS);
}

bool debug_exception(struct vcpu *v, const struct event *e)
{
    if (e->vector == VECTOR_DB && v->debug.hits) {
        stop_at_register(v);
        v->debug.hits = 0;
        return true;
    }
    if (e->vector == VECTOR_DB && v->debug.stepped)
        debug_stop(v, DEBUG_STEPPED);
    if (e->vector == VECTOR_DB)
        return v->debug.stepped || v->debug.stray;
    bool stale;
    if (e->vector != VECTOR_BP || e->type != EVENT_SW_EXC || !is_ours(v, &stale))
        return false;
    if (!stale)
        debug_stop(v, DEBUG_BREAKPOINT);
    return true;
}

enum outcome debug_mov_dr(struct vcpu *v, struct vm_exit *x)
{
    unsigned n = x->dr.dr;
    x->slow_step = true; /* a register that C preserves may be written */
    if ((n == 4 || n == 5) && (backend->get_reg(v, VREG_CR4) & CR4_DE))
        return vcpu_raise(v, UD());
    uint64_t *dr = n < 4 ? &v->dr[n] : n & 1 ? &v->debug.guest_dr7 : &v->dr6;
    if (x->dr.read) {
        vcpu_set_gpr(v, x->dr.gpr, *dr);
        return OUTCOME_ADVANCE;
    }
    uint64_t value = vcpu_gpr(v, x->dr.gpr);
    if (n >= 4 && value >> 32)
        return vcpu_raise(v, GP(0));
    if (n == 4 || n == 6)
        value = (value & DR6_WRITABLE) | (DR6_RESET & ~DR6_WRITABLE);
    else if (n >= 4)
        value = (value & ~DR7_RESERVED0) | DR7_FIXED1;
    *dr = value;
    v->dr_used = true;
    return OUTCOME_ADVANCE;
}
