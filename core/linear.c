/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From segment and offset to bytes in RAM or in a device. A page is RAM as a whole or not at all,
 * and so is the local APIC's, so accesses are taken apart where a page ends and nowhere else.
 * Nothing here decides what an instruction does. SDM: "Protection", "Paging", "Order of Priority of
 * Exceptions".
 */
#include "core/linear.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/lib/string.h"
#include "core/machine.h"
#include "core/vm.h"

#define PARTS_MAX 2 /* LINEAR_MAX bytes lie in two pages at most */

/* What an access is in physical memory. */
struct part {
    gpa_t gpa;
    unsigned size;
};

void linear_init(struct linear *l, struct vcpu *v)
{
    l->v = v;
    l->access = backend->cpl(v) == 3 ? WALK_USER : 0;
    l->bits = backend->code_bits(v);
    l->outcome = OUTCOME_RETRY;
    l->breakpoints = 0;
    vcpu_paging(v, &l->paging);
    l->untyped = !(l->paging.cr0 & CR0_PE) || (backend->get_reg(v, VREG_RFLAGS) & RFLAGS_VM);
}

static bool refuse(struct linear *l, enum outcome outcome)
{
    l->outcome = outcome;
    return false;
}

bool linear_raise(struct linear *l, struct event e)
{
    return refuse(l, vcpu_raise(l->v, e));
}

/* --- segments ------------------------------------------------------------------------------- */

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* Limits and types. Expand-down segments reach from above the limit to the top. */
static bool segment_allows(const struct linear *l, const struct segment *s, uint64_t offset,
                           unsigned size, bool write)
{
    uint64_t last = offset + size - 1;
    bool code = s->access & 8, readwrite = s->access & 2;
    if (s->access & AR_UNUSABLE)
        return false;
    if (l->untyped)
        return last <= s->limit;
    if (write ? code || !readwrite : code && !readwrite)
        return false;
    if (!code && (s->access & 4))
        return offset > s->limit && last <= (s->access & AR_DB ? UINT32_MAX : 0xffff);
    return last <= s->limit;
}

static bool misaligned(const struct linear *l, uint64_t linear, unsigned size)
{
    return (l->access & WALK_USER) && l->paging.ac && (l->paging.cr0 & CR0_AM) && size <= 8 &&
           !IS_ALIGNED(linear, size);
}

bool linear_address(struct linear *l, enum seg_name name, uint64_t offset, unsigned size,
                    bool write, uint64_t *linear)
{
    struct segment s = {0};
    bool good;
    if (l->bits == 64) {
        if (name == SEG_FS || name == SEG_GS)
            backend->get_segment(l->v, name, &s);
        *linear = offset + s.base;
        good = is_canonical(*linear) && is_canonical(*linear + size - 1);
    } else {
        backend->get_segment(l->v, name, &s);
        *linear = (uint32_t)(offset + s.base);
        good = segment_allows(l, &s, offset, size, write);
    }
    if (!good)
        return linear_raise(l, EXCEPTION_ERR(name == SEG_SS ? VECTOR_SS : VECTOR_GP, 0));
    if (misaligned(l, *linear, size))
        return linear_raise(l, EXCEPTION_ERR(VECTOR_AC, 0));
    return true;
}

/* --- pages ---------------------------------------------------------------------------------- */

/* What a failed walk means for the guest. */
static bool walk_failed(struct linear *l, enum walk_result result, const struct walk_info *info)
{
    switch (result) {
    case WALK_FAULT:
        return refuse(l, vcpu_raise_page_fault(l->v, info->gva.v, info->error_code));
    case WALK_NONCANONICAL:
        return linear_raise(l, GP(0));
    case WALK_RETRY:
        return refuse(l, OUTCOME_RETRY);
    default:
        return refuse(l, vm_stop(l->v->vm, STOP_UNSUPPORTED,
                                 "it ran wild: no RAM at %#lx, where its page tables point",
                                 info->gpa.v));
    }
}

/* Where size bytes at linear are. The number of parts, or 0 with the reason noted. */
static unsigned translate(struct linear *l, uint64_t linear, unsigned size, unsigned access,
                          struct part part[PARTS_MAX])
{
    struct walk_info info;
    unsigned n = 0;
    for (unsigned done = 0; done < size; done += part[n++].size) {
        uint64_t at = linear + done;
        if (l->bits != 64)
            at = (uint32_t)at;
        enum walk_result r = guest_walk(&l->paging, &l->v->vm->mem, GVA(at), access | l->access,
                                        &info);
        if (r != WALK_OK) {
            walk_failed(l, r, &info);
            return 0;
        }
        part[n].gpa = info.gpa;
        part[n].size = (unsigned)min_u64(size - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
    }
    return n;
}

bool linear_probe(struct linear *l, uint64_t linear, unsigned size, bool write)
{
    struct part part[PARTS_MAX];
    return translate(l, linear, size, write ? WALK_WRITE : 0, part) > 0;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static NOINLINE void access_apic(struct vcpu *v, uint64_t offset, struct io_access *a)
{
    a->offset = offset;
    vlapic_advance(&v->apic, vcpu_guest_tsc(v, host_now()));
    vlapic_ops.access(&v->apic, a);
    if (v->apic.effects.any)
        interrupt_apic_effects(v);
}

void linear_access_device(struct vcpu *v, gpa_t gpa, struct io_access *a)
{
    uint64_t base;
    if (vlapic_mmio_base(&v->apic, &base) && gpa.v - base < VLAPIC_SIZE)
        access_apic(v, gpa.v - base, a);
    else
        machine_memory(v->vm, gpa, a);
}

/* Buses know 1, 2, 4 and 8 bytes; other numbers occur at the end of a page. */
static unsigned bus_size(unsigned left)
{
    unsigned size = 8;
    while (size > left)
        size /= 2;
    return size;
}

static void read_part(struct vcpu *v, const struct part *p, uint8_t *to)
{
    if (guest_read(&v->vm->mem, p->gpa, to, p->size))
        return;
    for (unsigned done = 0, size; done < p->size; done += size) {
        size = bus_size(p->size - done);
        struct io_access a = {.size = (uint8_t)size, .value = UINT64_MAX};
        linear_access_device(v, GPA(p->gpa.v + done), &a);
        memcpy(to + done, &a.value, size);
    }
}

static void write_part(struct vcpu *v, const struct part *p, const uint8_t *from)
{
    if (guest_write(&v->vm->mem, p->gpa, from, p->size))
        return;
    for (unsigned done = 0, size; done < p->size; done += size) {
        size = bus_size(p->size - done);
        struct io_access a = {.size = (uint8_t)size, .write = true};
        memcpy(&a.value, from + done, size); /* above it are zeroes */
        linear_access_device(v, GPA(p->gpa.v + done), &a);
    }
}

bool linear_read(struct linear *l, uint64_t linear, void *buf, unsigned size)
{
    struct part part[PARTS_MAX];
    unsigned n = translate(l, linear, size, 0, part);
    uint8_t *to = buf;
    for (unsigned i = 0; i < n; to += part[i++].size)
        read_part(l->v, &part[i], to);
    return n > 0;
}

bool linear_write(struct linear *l, uint64_t linear, const void *buf, unsigned size)
{
    struct part part[PARTS_MAX];
    unsigned n = translate(l, linear, size, WALK_WRITE, part);
    const uint8_t *from = buf;
    for (unsigned i = 0; i < n; from += part[i++].size)
        write_part(l->v, &part[i], from);
    return n > 0;
}
