/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between Plinth and its guests; both compile this file. Text in docs/abi.md.
 * A hypercall is VMCALL from ring 0 with the number in RAX and arguments in RDI, RSI,
 * RDX and R10. The result comes back in RAX: values below PLINTH_ERROR_BASE are successes. Outside
 * 64-bit mode only the low 32 bits of every register count and the result is cut to 32 bits.
 * Registers other than RAX are unchanged.
 */
#ifndef CORE_ABI_PLINTH_H
#define CORE_ABI_PLINTH_H

#include <stdint.h>

#define PLINTH_ABI_VERSION     1u

/* CPUID leaf 0x40000000: highest hypervisor leaf in EAX, "PlinthPlinth" in EBX, ECX, EDX. */
#define PLINTH_CPUID_BASE      0x40000000u
#define PLINTH_SIGNATURE       "PlinthPlinth"
/* Leaf 0x40000001: EAX = PLINTH_ABI_VERSION, EBX = feature bits (as in VERSION's bits 63:32). */
#define PLINTH_CPUID_ABI       0x40000001u
/* Leaf 0x40000010: EAX = TSC frequency in kHz, EBX = APIC timer frequency in kHz (0: none). */
#define PLINTH_CPUID_FREQUENCY 0x40000010u

/* Feature bits. */
#define PLINTH_FEATURE_SLEEP   0x1u /* YIELD takes a time to sleep until */

enum plinth_hypercall {
#define HYPERCALL(number, name, args, text) PLINTH_##name = (number),
#include "core/abi/hypercalls.def"
#undef HYPERCALL
};

/* Errors, as RAX returns them: negative numbers. */
#define PLINTH_ERROR_BASE      UINT64_C(0xfffffffffffff000)
#define PLINTH_ENOSYS          (-1) /* no such hypercall */
#define PLINTH_EPERM           (-2) /* not from ring 0 */
#define PLINTH_EINVAL          (-3) /* an argument breaks a rule of docs/abi.md */
#define PLINTH_EFAULT          (-4) /* an address range that is not all guest RAM */

/* CONSOLE_WRITE takes at most this many bytes a call. */
#define PLINTH_CONSOLE_MAX     1024u

/* Ports every guest has. */
#define PLINTH_PORT_DEBUG      0xe9 /* a byte written appears on the VM's console */
#define PLINTH_PORT_EXIT       0xf4 /* a write ends the VM with that status; 0 means well */
#define PLINTH_PORT_UART       0x3f8

#endif
