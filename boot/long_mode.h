/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The step to long mode that the boot CPU (entry.S) and the others (trampoline.S) take alike; for
 * assembly alone. SDM: "Initializing IA-32e Mode".
 */
#ifndef BOOT_LONG_MODE_H
#define BOOT_LONG_MODE_H

#ifdef __ASSEMBLY__
/* From 32-bit code that stands on addresses mapped one to one; physical address of the PML4 in EAX.
 * Behind it: a far jump to 64-bit code. Changes EAX, ECX, EDX. */
    .macro enter_long_mode
    mov %eax, %cr3
    mov $0x20, %eax                 /* PAE, and nothing of the firmware's (LA57, CET) */
    mov %eax, %cr4
    mov $0xc0000080, %ecx           /* IA32_EFER */
    rdmsr
    or $0x900, %eax                 /* LME, NXE */
    wrmsr
    mov %cr0, %eax
    or $0x80010021, %eax            /* PG, WP, NE, PE */
    and $0x9fffffff, %eax           /* caches on: CD and NW clear */
    mov %eax, %cr0
    .endm
#endif

#endif
