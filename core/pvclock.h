/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual clock that Linux knows from KVM: two small structures in guest memory which say
 * how to make nanoseconds of the TSC. PURE. Have open: Linux "Documentation/virt/kvm/x86/msr.rst".
 */
#ifndef CORE_PVCLOCK_H
#define CORE_PVCLOCK_H

#include "core/lib/bits.h"

#define PVCLOCK_MSR_WALL   0x4b564d00u
#define PVCLOCK_MSR_SYSTEM 0x4b564d01u
#define PVCLOCK_ENABLE     BIT(0)

/* CPUID leaf 40000100h: "KVMKVMKVM"; 40000101h EAX: what is offered. */
#define PVCLOCK_CPUID_BASE     0x40000100u
#define PVCLOCK_CPUID_FEATURES (BIT(1) | BIT(3) | BIT(24)) /* no I/O delay, clock, stable TSC */

struct pvclock_wall {
    uint32_t version, seconds, nanoseconds;
};

struct pvclock_system {
    uint32_t version; /* even: not being changed */
    uint32_t pad0;
    uint64_t tsc;     /* guest TSC at which ... */
    uint64_t ns;      /* ... the VM's clock showed this */
    uint32_t mul;     /* ns = ((tsc - this.tsc) shifted by shift) * mul / 2^32 */
    int8_t shift;     /* to the left; negative: to the right */
    uint8_t flags;    /* bit 0: the TSCs of all vCPUs agree */
    uint8_t pad[2];
};

/* The pair (tsc, ns) is one moment; version counts up by 2 with every writing. */
void pvclock_fill(struct pvclock_system *s, uint32_t version, uint64_t tsc, uint64_t ns,
                  uint64_t tsc_khz);
/* What a guest computes from it. */
uint64_t pvclock_read(const struct pvclock_system *s, uint64_t tsc);

#endif
