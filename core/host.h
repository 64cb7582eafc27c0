/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What core needs from the machine, resolved at link time: arch/x86/host.c, boot/platform.c and
 * boot/panic.c implement it; a host-side test brings a fake. No policy, no VM knowledge beyond
 * opaque pointers.
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "core/lib/bits.h"
#include "mm/types.h"

struct exception_frame;
struct cpuid_regs;

/* --- time: arch/x86/host.c --- */
/* TSC ticks, never going back on one CPU. */
uint64_t host_now(void);
uint64_t host_tsc_khz(void);
/* Conversions that neither overflow nor drift within centuries. */
uint64_t host_tsc_to_ns(uint64_t ticks);
uint64_t host_ns_to_tsc(uint64_t ns);
/* Nanoseconds since the hypervisor started. */
uint64_t host_uptime_ns(void);
/* Seconds since 1970, UTC, by the machine's own clock: boot/platform.c. */
int64_t host_wall_clock(void);

/* --- this CPU: arch/x86/host.c --- */
/* Halts until an interrupt or until the TSC reaches deadline (UINT64_MAX: none). */
void host_idle(uint64_t deadline);
/* Arms (0: disarms) the timer whose interrupt ends a time slice, at a TSC deadline. */
void host_set_slice_timer(uint64_t deadline);
/* Loads the address space with this root, if it is not loaded already. */
void host_load_space(hpa_t root);
hpa_t host_current_space(void);
void host_flush_tlb(void);
/* Fills n bytes (a multiple of 8) with zeroes by the fastest means. */
void host_zero(void *p, size_t n);
/* As the CPU really answers. */
void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);
/* The vCPU whose FPU, debug and MSR state this CPU holds; NULL: nobody's. */
void *host_current_vcpu(void);
void host_set_current_vcpu(void *vcpu);

/* --- FPU state: arch/x86/fpu.c --- */
/* Bytes of a save area (aligned to 64), at most 4096 * 4. */
size_t host_fpu_size(void);
/* The XCR0 bits which a guest may set; 0 without XSAVE. */
uint64_t host_fpu_mask(void);
/* True if the compacted format of XSAVEC and XSAVES keeps state: tried out, at boot only. */
bool host_fpu_compacts(void);
/* An area as after reset. */
void host_fpu_reset(void *area);
void host_fpu_save(void *area);
/* Loads area and then the guest's XCR0. */
void host_fpu_load(const void *area, uint64_t xcr0);
/* The running vCPU's guest has written XCR0. */
void host_fpu_set_xcr0(uint64_t xcr0);
/* XMM register n, 0 to 15, of the running vCPU's guest. Setting leaves what is above bit 127. */
void host_fpu_get_xmm(unsigned n, uint8_t value[16]);
void host_fpu_set_xmm(unsigned n, const uint8_t value[16]);

/* --- consoles: boot/platform.c --- */
/* Text to every console there is; waits for room if it must. */
void host_console_write(const char *text, size_t len);
/* Characters that can be written without waiting. */
size_t host_console_room(void);
/* Moves what the line takes now; call often. */
void host_console_poll(void);
/* TSC at which host_console_poll() must be called again though nothing interrupts; UINT64_MAX. */
uint64_t host_console_deadline(void);
/* The next character typed, or -1. */
int host_console_read(void);

/* --- power: boot/platform.c --- */
NORETURN void host_poweroff(void);
NORETURN void host_reboot(void);

/* --- the end: boot/panic.c --- */
/* An exception in root mode that nothing survives. */
NORETURN void host_exception(const struct exception_frame *f, uint64_t cr2);
/* Prints what is known about the machine's state behind a panic's message, then stops. */
NORETURN void host_panic_end(void);

#endif
