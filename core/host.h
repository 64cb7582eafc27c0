/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What core needs from the machine, resolved at link time: arch/x86/host.c, boot/platform.c,
 * boot/consoles.c and boot/panic.c implement it; a host-side test brings a fake. No policy, no VM
 * knowledge beyond opaque pointers.
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "core/lib/bits.h"
#include "mm/types.h"

/* By design; what a machine has is host_cpu_count(). */
#define CPU_MAX 256

struct exception_frame;
struct cpuid_regs;

/* --- time: arch/x86/host.c --- */
/* TSC ticks, never going back on one CPU. */
uint64_t host_now(void);
uint64_t host_tsc_khz(void);
/* Conversions that neither overflow nor drift within centuries. */
uint64_t host_tsc_to_ns(uint64_t ticks);
uint64_t host_ns_to_tsc(uint64_t ns);
/* Nanoseconds from TSC value tsc, which is past, until now. */
uint64_t host_ns_since(uint64_t tsc);
/* Nanoseconds since the hypervisor started. */
uint64_t host_uptime_ns(void);
/* Seconds since 1970, UTC, by the machine's own clock: boot/platform.c. */
int64_t host_wall_clock(void);
/* The same, read off the machine's battery clock now: slow, and 0 when it makes no sense. */
int64_t host_battery_clock(void);

/* --- this CPU: arch/x86/host.c --- */
/* Halts until an interrupt or until the TSC reaches deadline (UINT64_MAX: none). */
void host_idle(uint64_t deadline);
/* Physical interrupts that this CPU has taken, but for its own timer's. */
uint64_t host_interrupts(void);
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
/* What runs next on this CPU belongs to `domain` (a VM's slot + 1): when it was another's, what it
 * left in caches, buffers and predictors goes, as far as this CPU needs it. 0: the hypervisor has
 * worked on some VM's memory; whoever runs next is another. */
void host_enter_domain(uint32_t domain);

/* --- the CPUs: arch/x86/smp.c --- */
/* This CPU's index: dense, 0 to host_cpu_count() - 1; 0 is the boot CPU. */
unsigned host_cpu_index(void);
/* CPUs that are online. Grows while boot starts them, is the same ever after. */
unsigned host_cpu_count(void);
/* The local APIC's ID of an online CPU, for people. */
uint32_t host_cpu_apic_id(unsigned cpu);
/* The CPUs that could not be started, counted by i from 0: why, or NULL beyond the last. */
const char *host_cpu_left_out(unsigned i, uint32_t *apic_id);
/* TSC ticks that `cpu` was ahead of the boot CPU when it started, and the half round trip within
 * which that was known; what was corrected is not in it. */
int64_t host_cpu_tsc_skew(unsigned cpu, uint64_t *uncertainty);
/* The vCPU whose state `cpu` holds right now, or NULL; may be gone before the caller looks at it,
 * unless he has a lock that keeps it. */
void *host_cpu_vcpu(unsigned cpu);
/* TSC ticks that `cpu` has spent in host_idle() since it came online. */
uint64_t host_cpu_idle(unsigned cpu);
/* Makes `cpu` look around soon: it leaves its guest or its HLT, or does not enter them: an
 * interrupt stays pending while the target runs in root mode, and its next VM entry or HLT ends at
 * once. So: write what is to be seen (a request bit, a queue), then kick. Everything written before
 * is visible to the target when the kick ends its guest or HLT. Never waits, may be called with
 * locks held, from interrupt handlers and for this CPU itself. Kicks may merge.
 * Under Bochs a guest that runs with IF clear does not exit for it: the end of its slice does. */
void host_kick(unsigned cpu);
typedef void host_call_fn(void *arg);
/* Runs fn(arg) on every other online CPU, all at once, or on one of them (this one, too), and
 * returns when all are through; what they wrote is visible then. On the target it runs in the
 * interrupt handler, so between two instructions of root code that are inside an interrupt window
 * or behind a VM exit, never in a critical section; it must be short, must not wait or call other
 * CPUs, and may take locks (nobody is interrupted while he holds one).
 * The caller holds no lock and is not in such a function. While it waits it serves what others call
 * here: two CPUs that call each other do not deadlock, and fn may therefore run on this CPU inside
 * its own call. A target that does not answer within 200 us gets an NMI, which ends its
 * guest even under Bochs with IF clear. */
void host_call_others(host_call_fn *fn, void *arg);
void host_call_on(unsigned cpu, host_call_fn *fn, void *arg);
/* For calls that only wait until their targets have left their guests and all that is critical. */
static inline void host_nothing(void *arg)
{
    (void)arg;
}
/* Serves pending calls, with interrupts closed; no lock is held. */
void host_serve(void);
/* For loops that wait for another CPU while holding no lock: PAUSE, and serves pending calls. */
void host_relax(void);
/* Lets interrupts in that wait. For exit handlers: no lock is held. */
void host_let_in(void);

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

/* --- consoles: boot/consoles.c --- */
/* Text to every console there is; waits for room if it must. */
void host_console_write(const char *text, size_t len);
/* Characters that can be written without waiting: a promise to nobody, other CPUs write, too. Three
 * write without being asked (a guest's lines, an attached guest's bytes, frames: each one CPU at a
 * time) and each leaves HOST_ROOM_KEPT, more than the other two add meanwhile: so none of them ever
 * waits for the line. Plinth's own words may use it up. */
#define HOST_ROOM_KEPT 8192
size_t host_console_room(void);
/* Moves what the line takes now; call often. */
void host_console_poll(void);
/* The same without the screen, with any locks held: for what takes longer than the 1.4 ms in which
 * as many bytes come as a UART holds. */
void host_console_look(void);
/* TSC at which host_console_poll() must be called again though nothing interrupts; UINT64_MAX. */
uint64_t host_console_deadline(void);
/* The next character typed, or -1. */
int host_console_read(void);
/* The next character typed at the machine's own keyboard, or -1: never part of a frame. */
int host_keyboard_read(void);
/* How the console's line and its other end ask each other to pause. */
enum host_flow { HOST_FLOW_NONE, HOST_FLOW_RTS, HOST_FLOW_XON };
void host_console_flow(enum host_flow flow);
/* Characters typed that were lost because nobody fetched them in time. */
uint64_t host_console_lost(void);
/* True: some line has been served so late, at least once, that bytes may have been lost. */
bool host_lines_late(void);

/* --- the debugger's line, if there is one: boot/consoles.c; boot CPU only --- */
void host_debug_poll(void);
/* The next byte received, or -1. */
int host_debug_read(void);
/* Waits for room if it must. */
void host_debug_write(const char *bytes, size_t len);
/* Bytes that can be written without waiting. */
size_t host_debug_room(void);
/* False: there is none (gdb= on the command line). */
bool host_debug_present(void);

/* --- the programs' line, which carries frames: boot/consoles.c --- */
/* True: it is a line of its own; false: it is the console's. */
bool host_control_is_apart(void);
/* Bytes as they are; waits for room if it must. */
void host_control_write(const char *bytes, size_t len);
size_t host_control_room(void);
/* The next byte of a line of its own, or -1. */
int host_control_read(void);
/* While on, host_console_write() leaves the console's line out: frames have it. A panic's report
 * goes there all the same. */
void host_console_frames_only(bool on);

/* --- power: boot/platform.c --- */
NORETURN void host_poweroff(void);
NORETURN void host_reboot(void);

/* --- the end: boot/panic.c --- */
/* An exception in root mode that nothing survives. */
NORETURN void host_exception(const struct exception_frame *f, uint64_t cr2);
/* Before a panic prints anything: stops all other CPUs and breaks all locks, so that there is one
 * report. Does not return when another CPU panics already. False: this one does, and failed. */
bool host_panic_begin(void);
/* Prints what is known about the machine's state behind a panic's message, then stops. */
NORETURN void host_panic_end(void);

#endif
