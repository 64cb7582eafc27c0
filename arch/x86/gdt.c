/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments of the hypervisor: a flat 64-bit code segment, a data segment and one TSS per CPU whose
 * interrupt stacks serve NMI, #DF and #MC. SDM: "Protected-Mode Memory Management", "Task
 * Management". VM exits leave GDTR's limit at FFFFh, which is harmless: nothing is loaded from
 * beyond these entries, and the page behind struct cpu is not code.
 */
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"

#define DESC_CODE64 UINT64_C(0x00af9b000000ffff)
#define DESC_DATA   UINT64_C(0x00cf93000000ffff)
#define DESC_TSS    UINT64_C(0x0000890000000000)

struct cpu boot_cpu;
struct cpu *cpu_table[CPU_MAX] = {&boot_cpu};

static void load_segments(void)
{
    __asm__ volatile("push %0\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %1, %%ds\n\t"
                     "mov %1, %%es\n\t"
                     "mov %1, %%ss\n\t"
                     "mov %2, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     :
                     : "i"(SEL_CODE), "r"(SEL_DATA), "r"(SEL_NULL)
                     : "rax", "memory");
}

void cpu_set_stacks(struct cpu *c, uint64_t stack_top, const uint64_t ist[IST_COUNT])
{
    c->stack_top = stack_top;
    for (int i = 0; i < IST_COUNT; i++)
        c->tss.ist[i] = ist[i];
}

void cpu_init(struct cpu *c, uint32_t index)
{
    uint64_t tss = (uint64_t)&c->tss, limit = sizeof(c->tss) - 1;
    c->self = c;
    c->index = index;
    c->tss.io_map_base = sizeof(c->tss);
    c->gdt[SEL_CODE / 8] = DESC_CODE64;
    c->gdt[SEL_DATA / 8] = DESC_DATA;
    c->gdt[SEL_TSS / 8] = DESC_TSS | (limit & 0xffff) | (tss & 0xffffff) << 16 |
                          (tss >> 24 & 0xff) << 56;
    c->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    struct table_register gdtr = {sizeof(c->gdt) - 1, (uint64_t)c->gdt};
    lgdt(&gdtr);
    load_segments();
    wrmsr(MSR_IA32_GS_BASE, (uint64_t)c);
    ltr(SEL_TSS);
    exception_load_idt();
}
