/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual clock that Linux knows from KVM: two small structures in guest memory which say
 * how to make nanoseconds of the TSC, and a third which says how long a vCPU waited. PURE. Have
 * open: Linux "Documentation/virt/kvm/x86/msr.rst".
 */
#ifndef CORE_PVCLOCK_H
#define CORE_PVCLOCK_H

#include "core/lib/bits.h"

#define PVCLOCK_MSR_WALL   0x4b564d00u
#define PVCLOCK_MSR_SYSTEM 0x4b564d01u
#define PVCLOCK_MSR_STEAL  0x4b564d03u
#define PVCLOCK_ENABLE     BIT(0)
#define PVCLOCK_WALL_RESERVED   BITS(1, 0) /* the structures of the clock are 4-byte aligned */
#define PVCLOCK_SYSTEM_RESERVED BIT(1)
#define PVCLOCK_STEAL_RESERVED BITS(5, 1) /* of the steal MSR: the structure is 64-byte aligned */

/* CPUID leaf 40000100h: "KVMKVMKVM"; 40000101h EAX: what is offered. */
#define PVCLOCK_CPUID_BASE     0x40000100u
#define PVCLOCK_CPUID_FEATURES \
    (BIT(1) | BIT(3) | BIT(5) | BIT(24)) /* no I/O delay, clock, steal time, stable TSC */

struct pvclock_wall {
    uint32_t version, seconds, nanoseconds;
};

struct pvclock_system {
    uint32_t version; /* odd: being changed */
    uint32_t pad0;
    uint64_t tsc;     /* guest TSC at which ... */
    uint64_t ns;      /* ... the VM's clock showed this */
    uint32_t mul;     /* ns = ((tsc - this.tsc) shifted by shift) * mul / 2^32 */
    int8_t shift;     /* to the left; negative: to the right */
    uint8_t flags;    /* bit 0: the TSCs of all vCPUs agree */
    uint8_t pad[2];
};

struct pvclock_steal {
    uint64_t steal;    /* ns for which the vCPU could have run and did not */
    uint32_t version;  /* odd: being changed */
    uint32_t flags;    /* 0 */
    uint8_t preempted; /* 1: off its CPU although it could run */
    uint8_t pad[47];
};

/* The pair (tsc, ns) is one moment. */
void pvclock_fill(struct pvclock_system *s, uint32_t version, uint64_t tsc, uint64_t ns,
                  uint64_t tsc_khz);
/* What a guest computes from it. */
uint64_t pvclock_read(const struct pvclock_system *s, uint64_t tsc);

#endif
