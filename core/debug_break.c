/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's breakpoints and watchpoints: INT3 in the guest's memory, and DR0 to DR3. Both tables
 * are written only while all vCPUs are parked, so that exits read them without a lock. SDM: "Debug
 * Registers", "INT n/INTO/INT3".
 */
#include "core/debug_parts.h"

#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/lib/string.h"
#include "core/vm.h"

#define BREAKS_MAX 64
#define INT3       0xcc

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

static struct software_break breaks[BREAKS_MAX];
static struct hardware_break registers[4];

/* The debugger sees, and changes, what stood there before its INT3. */
void debug_mask_breaks(struct vm *vm, uint64_t gpa, uint8_t *bytes, size_t n)
{
    for (unsigned i = 0; i < BREAKS_MAX && vm == debug_vm(); i++)
        if (breaks[i].used && breaks[i].gpa - gpa < n)
            bytes[breaks[i].gpa - gpa] = breaks[i].original;
}

bool debug_write_around(struct vm *vm, uint64_t gpa, const uint8_t *bytes, size_t n)
{
    if (!guest_write(&vm->mem, GPA(gpa), bytes, n))
        return false;
    for (unsigned i = 0; i < BREAKS_MAX && vm == debug_vm(); i++) {
        uint8_t int3 = INT3;
        if (!breaks[i].used || breaks[i].gpa - gpa >= n)
            continue;
        breaks[i].original = bytes[breaks[i].gpa - gpa];
        if (!guest_write(&vm->mem, GPA(breaks[i].gpa), &int3, 1))
            return false;
    }
    return true;
}

static bool set_software(struct vcpu *v, uint64_t gva)
{
    struct debug_place p = {.gva = gva};
    struct software_break *b = NULL;
    uint8_t int3 = INT3, original;
    debug_inspect(v, debug_find, &p);
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
    struct debug_transfer t = {.at = p.gpa, .from = &int3, .n = 1, .physical = true, .raw = true};
    debug_inspect(v, debug_transfer, &t);
    *b = (struct software_break){true, original, gva, p.gpa};
    return t.done == 1;
}

/* The page may be mapped elsewhere by now: what was patched is in physical memory. */
static void clear_software(struct vcpu *v, struct software_break *b)
{
    struct debug_transfer t = {.at = b->gpa, .from = &b->original, .n = 1, .physical = true,
                               .raw = true};
    debug_inspect(v, debug_transfer, &t);
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
    for (unsigned i = 0; i < debug_vm()->vcpu_count; i++)
        debug_inspect(debug_vm()->vcpu[i], load_registers, NULL);
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
    for (unsigned i = 0; i < debug_vm()->vcpu_count; i++)
        debug_inspect(debug_vm()->vcpu[i], guest_uses, &used);
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
    if (!debug_vm() || v->vm != debug_vm())
        return false;
    return kind == BREAK_SOFTWARE ? set_software(v, gva) : set_hardware(kind, gva, size);
}

void debug_clear_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size)
{
    (void)size;
    if (!debug_vm() || v->vm != debug_vm())
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

void debug_break_remove_all(struct vm *vm)
{
    for (unsigned i = 0; i < BREAKS_MAX; i++)
        if (breaks[i].used)
            clear_software(vm->vcpu[0], &breaks[i]);
    bool any = false;
    for (unsigned i = 0; i < 4; i++) {
        any |= registers[i].kind != BREAK_SOFTWARE;
        registers[i].kind = BREAK_SOFTWARE;
    }
    if (any)
        load_registers_everywhere();
}

void debug_break_forget(void)
{
    memset(breaks, 0, sizeof(breaks));
    memset(registers, 0, sizeof(registers));
}

/* What the vCPU has met is an INT3 of ours, or was until a moment ago. */
bool debug_break_is_ours(struct vcpu *v, uint64_t gva, bool *stale)
{
    uint8_t byte = INT3;
    struct debug_place p = {.gva = gva};
    debug_find(v, &p);
    *stale = p.good && guest_read(&v->vm->mem, GPA(p.gpa), &byte, 1) && byte != INT3;
    if (*stale)
        return true;
    for (unsigned i = 0; i < BREAKS_MAX && p.good; i++)
        if (breaks[i].used && breaks[i].gpa == p.gpa)
            return true;
    return false;
}

enum debug_break debug_break_register(unsigned i, uint64_t *gva)
{
    *gva = registers[i].gva;
    return (enum debug_break)registers[i].kind;
}
