/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between two VMs that run on one CPU after each other: the remedies of flaws.h. The
 * barrier itself is host_enter_domain() of core/host.h.
 */
#ifndef ARCH_X86_BARRIER_H
#define ARCH_X86_BARRIER_H

#include "arch/x86/flaws.h"

/* Reads this CPU and decides; once, at boot, before the backend starts. off: mitigations=off. */
void barrier_init(bool off);
const struct remedy_row *barrier_row(enum remedy r);
static inline bool barrier_on(enum remedy r)
{
    return barrier_row(r)->state == REMEDY_ON;
}

#endif
