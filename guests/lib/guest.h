/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bundled guest builds on: instructions, output, hypercalls, the command line, and running a
 * piece of code to see which exception it raises. A guest writes guest_main() and nothing else. The
 * same ELF also runs bare (QEMU -kernel): guest_on_plinth() tells. How to: guests/README.md.
 */
#ifndef GUESTS_LIB_GUEST_H
#define GUESTS_LIB_GUEST_H

#include <stdarg.h>

#include "arch/x86/cpuid.h"
#include "core/abi/plinth.h"
#include "core/lib/bits.h"

/* --- written by the guest ------------------------------------------------------------------- */

/* Called in 64-bit mode, interrupts off, addresses 0 to 4 GiB mapped one to one, user access open.
 * The result becomes the VM's exit status. */
int guest_main(const char *cmdline);

/* --- output --------------------------------------------------------------------------------- */

/* To the UART, formatted as core/lib/fmt.h says. */
void guest_print(const char *format, ...) PRINTF_LIKE(1, 2);
void guest_vprint(const char *format, va_list args);
void guest_write(const char *text, size_t len);

/* Ends the VM. Bare: through port 0xF4 (isa-debug-exit), then Bochs' shutdown port, then HLT. */
NORETURN void guest_exit(uint32_t status);

/* --- command line --------------------------------------------------------------------------- */

/* True if word stands on the command line, alone. */
bool guest_option(const char *cmdline, const char *word);
/* The number after "key=", or otherwise. */
uint64_t guest_option_number(const char *cmdline, const char *key, uint64_t otherwise);
/* True if "key=value" stands there. */
bool guest_option_is(const char *cmdline, const char *key, const char *value);

/* --- the machine ---------------------------------------------------------------------------- */

bool guest_on_plinth(void);
/* True if the hypervisor's first CPUID leaf names it with these 12 bytes. */
bool guest_hypervisor_is(const char *signature);
/* TSC ticks a millisecond; bare: a guess, 1 GHz. */
uint64_t guest_tsc_khz(void);
/* Reads TIME and the TSC at the same moment, as far as a guest that may be preempted between the
 * two can tell: the closest of a few tries. Bare, *ns is made from the TSC. */
void guest_read_clocks(uint64_t *ns, uint64_t *tsc);
/* TSC ticks as nanoseconds, without overflow. */
uint64_t guest_ticks_to_ns(uint64_t ticks);
/* One past the RAM that starts at address 0x100000, from the start info's memory map. */
uint64_t guest_ram_end(void);
/* Installs a table of 512 4 KiB entries for the 2 MiB at va (aligned, below 4 GiB). */
void guest_map_table(uint64_t va, uint64_t *table);
/* From now on the first GiB, where the guest is, is the supervisor's alone; user mode reaches the
 * same memory GUEST_USER_ALIAS bytes further up, where page tables can forbid it things. */
#define GUEST_USER_ALIAS UINT64_C(0x80000000)
void guest_map_apart(void);

/* --- hypercalls: plinth_VERSION() and so on, one stub for each row of hypercalls.def --------- */

static inline int64_t plinth_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    uint64_t result;
    __asm__ volatile("vmcall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "memory");
    return (int64_t)result;
}

#define PLINTH_PARAMS_0 void
#define PLINTH_PARAMS_1 uint64_t a
#define PLINTH_PARAMS_2 uint64_t a, uint64_t b
#define PLINTH_PARAMS_3 uint64_t a, uint64_t b, uint64_t c
#define PLINTH_PARAMS_4 uint64_t a, uint64_t b, uint64_t c, uint64_t d
#define PLINTH_PASS_0   0, 0, 0, 0
#define PLINTH_PASS_1   a, 0, 0, 0
#define PLINTH_PASS_2   a, b, 0, 0
#define PLINTH_PASS_3   a, b, c, 0
#define PLINTH_PASS_4   a, b, c, d
#define HYPERCALL(number, name, args, text)                  \
    static inline int64_t plinth_##name(PLINTH_PARAMS_##args) \
    {                                                        \
        return plinth_call(number, PLINTH_PASS_##args);      \
    }
#include "core/abi/hypercalls.def"
#undef HYPERCALL

/* --- running code to see what happens -------------------------------------------------------- */

#define GUEST_NO_EXCEPTION 0xffffffffu

/* Selectors of the guest's GDT. */
#define GUEST_CODE64    0x08
#define GUEST_DATA      0x10
#define GUEST_USER_DATA 0x1b
#define GUEST_USER_CODE 0x23
#define GUEST_CODE32    0x28

/* In: the general registers (all but RSP). Out: the same, RFLAGS, and what exception there was; the
 * first 16 words have the order start.S knows. */
struct guest_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags;
    uint32_t vector;     /* GUEST_NO_EXCEPTION if the code returned */
    uint64_t error;      /* 0 where the exception has no error code */
    uint64_t rip;        /* bytes from the start of the code, as the exception pushed it */
    uint64_t cs;         /* its selector */
    uint64_t cr2, dr6;   /* as the handler found them */
};

void guest_run_code(const void *code, struct guest_regs *regs);

/* Runs assembly text (%% before register names) with *regs. It may change any register, raise an
 * exception, or drop to user mode and raise one there; RSP must be back where it was at the end. */
#define GUEST_RUN(regs, text)                                                                   \
    do {                                                                                        \
        const void *code_;                                                                      \
        __asm__ volatile("lea 771f(%%rip), %0\n\tjmp 772f\n771:\n\t" text "\n\tret\n772:"       \
                         : "=r"(code_) : : "memory");                                           \
        guest_run_code(code_, (regs));                                                          \
    } while (0)

/* --- instructions ---------------------------------------------------------------------------- */

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    /* Fenced on both sides, so that what is measured stays inside. */
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#define GUEST_CONTROL_REGISTER(name)                                 \
    static inline uint64_t read_##name(void)                         \
    {                                                                \
        uint64_t value;                                              \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value));       \
        return value;                                                \
    }                                                                \
    static inline void write_##name(uint64_t value)                  \
    {                                                                \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
    }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(cr8)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)

static inline void pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

#endif
