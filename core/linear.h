/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's linear addresses, used on behalf of one of its instructions: segments, page tables,
 * then RAM or whatever device is there. Exceptions are raised here; who calls ends with the outcome
 * it finds. Have open: SDM, "Protection", "Paging", "Order of Priority of Exceptions".
 */
#ifndef CORE_LINEAR_H
#define CORE_LINEAR_H

#include "core/vcpu.h"

/* Bytes of the largest access: enough for a TSS, less than a page. */
#define LINEAR_MAX 128

struct linear {
    struct vcpu *v;
    struct guest_paging paging;
    unsigned access;      /* WALK_USER or 0: whose access it is */
    unsigned bits;        /* of the code: 16, 32 or 64 */
    uint8_t breakpoints;  /* the caller's: those that accesses so far have met */
    bool untyped;         /* real-address or virtual-8086 mode: segments have limits only */
    enum outcome outcome; /* after a function here gave false: what the exit handler returns */
};

/* For the instruction that v is at. */
void linear_init(struct linear *l, struct vcpu *v);

/* Raises an exception, notes the outcome, and is always false. */
bool linear_raise(struct linear *l, struct event e);

/* The functions below give true, or false with the reason noted. 1 <= size <= LINEAR_MAX. */

/* Checks size bytes at offset against segment name, and alignment where it counts; gives their
 * linear address. */
bool linear_address(struct linear *l, enum seg_name name, uint64_t offset, unsigned size,
                    bool write, uint64_t *linear);
/* Whether size bytes can be read, or written; sets accessed and dirty flags as that would. */
bool linear_probe(struct linear *l, uint64_t linear, unsigned size, bool write);
/* RAM is copied; a device sees one access of that size, or one for each side of a page's end. All
 * pages are translated before the first byte moves. */
bool linear_read(struct linear *l, uint64_t linear, void *buf, unsigned size);
bool linear_write(struct linear *l, uint64_t linear, const void *buf, unsigned size);

/* An access of 1, 2, 4 or 8 bytes to guest-physical addresses that are no RAM: v's local APIC or
 * whatever is on the bus; for the value see machine.h. */
void linear_access_device(struct vcpu *v, gpa_t gpa, struct io_access *a);

#endif
