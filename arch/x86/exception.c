/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDT and what happens to an exception in root mode: a fix-up if the instruction has one, a
 * count if it was an NMI, else panic: guests never cause an exception here. SDM: "Interrupt and
 * Exception Handling".
 */
#include "arch/x86/exception.h"

#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/host.h"

extern const char exception_stubs[]; /* 256 stubs, STUB_SIZE each */

struct fixup {
    uint64_t at, resume;
};
extern const struct fixup fixup_table_start[], fixup_table_end[];

struct idt_entry {
    uint64_t low, high;
};
static struct idt_entry idt[256];
static interrupt_fn *interrupt_handler;
static nmi_fn *nmi_handler;

#define STUB_SIZE      9
#define GATE_INTERRUPT (UINT64_C(0x8e) << 40)

void exception_init(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(idt); i++) {
        uint64_t stub = (uint64_t)exception_stubs + i * STUB_SIZE;
        uint64_t ist = i == VECTOR_NMI ? IST_NMI : i == VECTOR_DF ? IST_DF
                       : i == VECTOR_MC ? IST_MC : 0;
        idt[i].low = (stub & 0xffff) | (uint64_t)SEL_CODE << 16 | ist << 32 | GATE_INTERRUPT |
                     (stub >> 16 & 0xffff) << 48;
        idt[i].high = stub >> 32;
    }
}

void exception_load_idt(void)
{
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};
    lidt(&idtr);
}

uint64_t exception_idt_base(void)
{
    return (uint64_t)idt;
}

void exception_set_interrupt_handler(interrupt_fn *fn)
{
    interrupt_handler = fn;
}

void exception_set_nmi_handler(nmi_fn *fn)
{
    nmi_handler = fn;
}

void interrupt_deliver(uint8_t vector)
{
    this_cpu()->interrupts += vector != LAPIC_VECTOR_TIMER;
    if (interrupt_handler)
        interrupt_handler(vector);
}

static bool fix_up(struct exception_frame *f)
{
    for (const struct fixup *x = fixup_table_start; x < fixup_table_end; x++) {
        if (x->at == f->rip) {
            f->rip = x->resume;
            return true;
        }
    }
    return false;
}

void exception_handle(struct exception_frame *f)
{
    if (f->vector >= 32) {
        interrupt_deliver(f->vector);
        return;
    }
    if (f->vector == VECTOR_NMI) {
        this_cpu()->nmi_count++;
        if (nmi_handler)
            nmi_handler(f);
        return;
    }
    if ((f->vector == VECTOR_GP || f->vector == VECTOR_UD) && fix_up(f))
        return;
    host_exception(f, read_cr2());
}

/* Each wrapper returns true on the straight path; the fix-up resumes at a label which clears it. */
#define FIXUP(at, resume) \
    ".pushsection .fixup_table, \"a\"\n\t.quad " at ", " resume "\n\t.popsection\n\t"

bool rdmsr_safe(uint32_t msr, uint64_t *v)
{
    uint32_t lo = 0, hi = 0, ok = 1;
    __asm__ volatile("1: rdmsr\n\t"
                     "jmp 3f\n"
                     "2: xor %0, %0\n"
                     "3:\n\t" FIXUP("1b", "2b")
                     : "+r"(ok), "+a"(lo), "+d"(hi)
                     : "c"(msr));
    *v = (uint64_t)hi << 32 | lo;
    return ok;
}

bool wrmsr_safe(uint32_t msr, uint64_t v)
{
    uint32_t ok = 1;
    __asm__ volatile("1: wrmsr\n\t"
                     "jmp 3f\n"
                     "2: xor %0, %0\n"
                     "3:\n\t" FIXUP("1b", "2b")
                     : "+r"(ok)
                     : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
                     : "memory");
    return ok;
}

bool xsetbv_safe(uint32_t index, uint64_t v)
{
    uint32_t ok = 1;
    __asm__ volatile("1: xsetbv\n\t"
                     "jmp 3f\n"
                     "2: xor %0, %0\n"
                     "3:\n\t" FIXUP("1b", "2b")
                     : "+r"(ok)
                     : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
                     : "memory");
    return ok;
}

bool xrstor_safe(const void *area, uint64_t mask)
{
    uint32_t ok = 1;
    __asm__ volatile("1: xrstor64 (%1)\n\t"
                     "jmp 3f\n"
                     "2: xor %0, %0\n"
                     "3:\n\t" FIXUP("1b", "2b")
                     : "+r"(ok)
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
    return ok;
}
