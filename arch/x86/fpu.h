/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FPU set-up of this CPU; saving and loading guest state is declared in core/host.h.
 */
#ifndef ARCH_X86_FPU_H
#define ARCH_X86_FPU_H

/* Switches on FXSAVE or XSAVE with every component that Plinth knows: on the boot CPU, ... */
void fpu_init(void);
/* ... and on one that shows the same CPUID bits. */
void fpu_init_cpu(void);

#endif
