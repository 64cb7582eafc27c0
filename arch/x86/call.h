/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving end of host_kick() and host_call_on(), which core/host.h declares.
 */
#ifndef ARCH_X86_CALL_H
#define ARCH_X86_CALL_H

/* Runs what other CPUs want of this one; interrupts are off. For the handler of
 * LAPIC_VECTOR_KICK. */
void cpu_serve_calls(void);

#endif
