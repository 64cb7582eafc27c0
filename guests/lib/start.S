/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the PVH entry to C: page tables, long mode, stack; the exception stubs; and guest_enter(),
 * which runs a piece of code with chosen registers. Everything that C can do is in cpu.c. Have
 * open: Xen "x86/HVM direct boot ABI"; SDM "Initializing IA-32e Mode".
 */
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define BOOT_STACK    0x8000

/* The note by which a PVH loader finds the 32-bit entry: name "Xen", type 18 (PHYS32_ENTRY). */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long _start

    .section .text.start, "ax", @progbits
    .code32
    .globl _start
_start: /* protected mode, paging off, flat segments, EBX = hvm_start_info; no stack is promised */
    cli
    cld
    movl %ebx, guest_start_info
    movl $boot_stack_top, %esp

    /* Addresses 0 to 4 GiB one to one, in 2 MiB pages open to user mode (exits goes there). */
    movl $boot_pdpt + 7, boot_pml4
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $12, %eax
    leal boot_pd + 7(%eax), %eax
    movl %eax, boot_pdpt(, %ecx, 8)
    incl %ecx
    cmpl $4, %ecx
    jb 1b
    xorl %ecx, %ecx
2:  movl %ecx, %eax
    shll $21, %eax
    orl $0x87, %eax
    movl %eax, boot_pd(, %ecx, 8)
    incl %ecx
    cmpl $2048, %ecx
    jb 2b

    movl $1f, %edi
    jmp start_paging
1:  lgdt boot_gdt_pointer
    ljmp $SELECTOR_CODE, $start64

/* Every CPU's way into IA-32e mode; no stack is needed. Goes on at EDI, changes EAX, ECX, EDX. */
    .globl start_paging
start_paging:
    movl %cr4, %eax
    orl $0x20, %eax                 /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* IA32_EFER: LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000022, %eax           /* PG, NE, MP */
    movl %eax, %cr0
    jmp *%edi

    .code64
start64:
    movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $boot_stack_top, %esp
    xorl %ebp, %ebp
    call guest_start
1:  hlt
    jmp 1b

/*
 * Exceptions. Each stub leaves vector and error code above the registers of struct guest_frame; the
 * CPU pushes an error code for some vectors only, the stubs of the others push 0.
 */
    .text
    .balign 16
    .globl exception_stubs
exception_stubs: /* 16 bytes each */
    .set vector, 0
    .rept 32
    .balign 16
    .if (1 << vector) & 0x60227d00 /* 8, 10 to 14, 17, 21, 29, 30 */
    .else
    pushq $0
    .endif
    pushq $vector
    jmp exception_common
    .set vector, vector + 1
    .endr

exception_common:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rbp
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rbx
    pushq %rax
    movq %rsp, %rdi
    cld
    call guest_exception            /* RSP is 16-byte aligned: 22 words below an aligned frame */
    addq $17 * 8, %rsp              /* it changed RIP, CS, RFLAGS, RSP, SS only; the rest is gone */
    iretq

/*
 * void guest_enter(const void *code, struct guest_regs *regs): loads the general registers from
 * *regs (first 15 words, in the order RAX RBX RCX RDX RSI RDI RBP R8 ... R15), calls code, stores
 * them back with RFLAGS as word 15. If an exception comes, guest_exception() has stored them and
 * execution goes on at guest_unwind with RSP as it was.
 */
    .globl guest_enter
guest_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rsi
    movq %rsp, guest_enter_rsp
    movq %rdi, guest_enter_code
    movq %rsi, %rax
    movq 8(%rax), %rbx
    movq 16(%rax), %rcx
    movq 24(%rax), %rdx
    movq 32(%rax), %rsi
    movq 40(%rax), %rdi
    movq 48(%rax), %rbp
    movq 56(%rax), %r8
    movq 64(%rax), %r9
    movq 72(%rax), %r10
    movq 80(%rax), %r11
    movq 88(%rax), %r12
    movq 96(%rax), %r13
    movq 104(%rax), %r14
    movq 112(%rax), %r15
    movq (%rax), %rax
    call *guest_enter_code
    pushfq
    pushq %rax
    movq 16(%rsp), %rax             /* regs */
    movq %rbx, 8(%rax)
    movq %rcx, 16(%rax)
    movq %rdx, 24(%rax)
    movq %rsi, 32(%rax)
    movq %rdi, 40(%rax)
    movq %rbp, 48(%rax)
    movq %r8, 56(%rax)
    movq %r9, 64(%rax)
    movq %r10, 72(%rax)
    movq %r11, 80(%rax)
    movq %r12, 88(%rax)
    movq %r13, 96(%rax)
    movq %r14, 104(%rax)
    movq %r15, 112(%rax)
    popq (%rax)
    popq 120(%rax)
    .globl guest_unwind
guest_unwind:
    popq %rsi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    pushq $2                        /* whatever the code did to DF, TF, AC or IF ends here */
    popfq
    ret

    .data
    .balign 16
    .globl guest_gdt
guest_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 08 code, 64-bit */
    .quad 0x00cf93000000ffff        /* 10 data */
    .quad 0x00cff3000000ffff        /* 18 user data */
    .quad 0x00affb000000ffff        /* 20 user code, 64-bit */
    .quad 0x00cf9b000000ffff        /* 28 code, 32-bit */
    .quad 0, 0                      /* 30 TSS, filled in by cpu.c */
boot_gdt_pointer:
    .word boot_gdt_pointer - guest_gdt - 1
    .long guest_gdt
    .globl guest_start_info
guest_start_info:
    .long 0

    .bss
    .balign 4096
    .globl boot_pml4
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
    .globl boot_pd
boot_pd:
    .skip 4 * 4096
boot_stack:
    .skip BOOT_STACK
boot_stack_top:
    .globl guest_enter_rsp
guest_enter_rsp:
    .skip 8
guest_enter_code:
    .skip 8
