/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a start-up IPI to C: the trampoline, which is copied to the page that the IPI names, saves
 * the registers as it finds them; then long mode. And the stubs of interrupts. Have open: SDM,
 * "Multiple-Processor Initialization", "Interrupt Procedures".
 */
#define SELECTOR_CODE   0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x28
#define STACK_SIZE      8192
#define CPU_MAX         8

/* Addresses within the copy: CS points at its start. */
#define AT(symbol) %cs:(symbol - smp_trampoline)

    .section .text.smp, "ax", @progbits
    .code16
    .globl smp_trampoline
smp_trampoline:
    movl %eax, AT(smp_report + 0)
    movl %ecx, AT(smp_report + 4)
    movl %edx, AT(smp_report + 8)
    movl %ebx, AT(smp_report + 12)
    movl %esp, AT(smp_report + 16)
    movl %ebp, AT(smp_report + 20)
    movl %esi, AT(smp_report + 24)
    movl %edi, AT(smp_report + 28)
    movw %cs, AT(smp_report + 52)
    movw %ss, AT(smp_report + 54)
    movw %ds, AT(smp_report + 56)
    movw %es, AT(smp_report + 58)
    movw %fs, AT(smp_report + 60)
    movw %gs, AT(smp_report + 62)
    movl %cr0, %eax
    movl %eax, AT(smp_report + 32)
    movl %cr2, %eax
    movl %eax, AT(smp_report + 36)
    movl %cr3, %eax
    movl %eax, AT(smp_report + 40)
    movl %cr4, %eax
    movl %eax, AT(smp_report + 44)
    movl %dr6, %eax
    movl %eax, AT(smp_report + 76)
    movl %dr7, %eax
    movl %eax, AT(smp_report + 80)
    sgdtl AT(smp_report + 64)
    sidtl AT(smp_report + 70)
    movw %cs, %ax
    movw %ax, %ss
    movw $0x1000, %sp               /* the end of this page */
    pushfl
    popl %eax
    movl %eax, AT(smp_report + 48)
    cli
    xorl %ebp, %ebp
    movw %cs, %bp
    shll $4, %ebp                   /* where this copy is */
    lgdtl AT(smp_gdt_pointer)
    movl %cr0, %eax
    andl $~0x60000000, %eax         /* caches on */
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE32, $smp_entry32
    .balign 4
smp_gdt_pointer:
    .word 63
    .long guest_gdt
    .balign 4
    .globl smp_report
smp_report: /* struct cpu_start */
    .skip 84
    .globl smp_trampoline_end
smp_trampoline_end:

    .code32
smp_entry32:
    movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $1f, %edi
    jmp start_paging
1:  ljmp $SELECTOR_CODE, $smp_entry64

    .code64
smp_entry64:
    movl $1, %eax
    cpuid
    shrl $24, %ebx                  /* initial APIC ID */
    movl %ebx, %edi
    movl %ebp, %esi
    leal 1(%rbx), %esp
    imull $STACK_SIZE, %esp, %esp
    addq $smp_stacks, %rsp
    xorl %ebp, %ebp
    call smp_main

/* --- interrupts: the vector above what the CPU pushed, then the registers that C may change --- */

    .text
    .balign 16
    .globl irq_stubs
irq_stubs:
    .set vector, 32
    .rept 224
    .balign 16
    pushq $vector
    jmp irq_common
    .set vector, vector + 1
    .endr
    .balign 16
    .globl irq_nmi_stub
irq_nmi_stub:
    pushq $2
    jmp irq_common

irq_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    movq 72(%rsp), %rdi
    leaq 80(%rsp), %rsi
    subq $8, %rsp
    cld
    call irq_dispatch
    addq $8, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $8, %rsp
    iretq

    .bss
    .balign 16
smp_stacks:
    .skip CPU_MAX * STACK_SIZE
