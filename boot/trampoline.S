/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a started CPU begins: in real mode, at the start of a page below 640 KiB into which
 * arch/x86/smp.c has copied trampoline_start to trampoline_end. It passes only if the gate is open
 * and its own APIC ID is the one that is waited for, else it halts here for good, in memory that is
 * used for nothing else: a CPU that comes late does no harm. Then protected mode, long mode on the
 * boot page tables, and smp_entry in the image's own text. SDM: "Multiple-Processor Management",
 * "Processor Management and Initialization".
 */
#include "arch/x86/seg.h"
#include "boot/long_mode.h"

#define HERE(symbol) (symbol - trampoline_start)

    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .globl trampoline_start, trampoline_parameters, trampoline_end
    .code16
trampoline_start:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    /* ESI = where this page is. Every CPU computes and stores the same addresses. */
    movzwl %ax, %esi
    shl $4, %esi
    lea HERE(gdt)(%esi), %eax
    mov %eax, HERE(gdtr) + 2
    lea HERE(protected)(%esi), %eax
    mov %eax, HERE(far_protected)
    lea HERE(long_mode)(%esi), %eax
    mov %eax, HERE(far_long)
    lgdtl HERE(gdtr)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl *HERE(far_protected)

    .code32
protected:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss

    /* Our APIC ID: 8 bits in leaf 1, all 32 in leaf 0Bh, which only CPUs with big IDs must have. */
    mov $1, %eax
    cpuid
    shr $24, %ebx
    mov %ebx, %edx
    cmpl $256, HERE(wanted)(%esi)
    jb 1f
    mov $0xb, %eax
    xor %ecx, %ecx
    cpuid
1:  cmp HERE(wanted)(%esi), %edx
    jne park
    mov $1, %eax                    /* open */
    mov $2, %ecx                    /* taken */
    lock cmpxchg %ecx, HERE(gate)(%esi)
    jne park

    mov HERE(boot_tables)(%esi), %eax
    enter_long_mode
    ljmp *HERE(far_long)(%esi)

park:
    cli
    hlt
    jmp park

    .code64
long_mode:
    mov HERE(cpu)(%rsi), %rdi
    mov HERE(stack)(%rsi), %rdx
    mov HERE(root)(%rsi), %rcx
    movabs $smp_entry, %rax
    jmp *%rax

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* 8: 32-bit code, for the first step */
    .quad 0x00cf93000000ffff        /* SEL_DATA */
    .quad 0x00af9b000000ffff        /* 18h: 64-bit code */
gdtr:
    .word gdtr - gdt - 1
    .long 0
    .balign 8
far_protected:
    .long 0
    .word 8
    .balign 8
far_long:
    .long 0
    .word 0x18

    /* struct trampoline of arch/x86/smp.c. */
    .balign 8
trampoline_parameters:
gate:
    .long 0
wanted:
    .long 0
boot_tables:
    .quad 0
root:
    .quad 0
stack:
    .quad 0
cpu:
    .quad 0
trampoline_end:

    /* On the boot page tables, which map the image where it is at home. RDI = struct cpu, RCX = its
     * page-table root, RDX = its stack. The root has the image, but not the page we came from. */
    .section .text.smp_entry, "ax", @progbits
smp_entry:
    mov %rcx, %cr3
    mov %rdx, %rsp
    xor %ebp, %ebp
    call smp_main
1:  cli
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
