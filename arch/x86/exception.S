/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry stubs for all 256 vectors, 9 bytes apart, and the common path that saves registers into a
 * struct exception_frame. SDM: "Interrupt and Exception Handling".
 */
    .section .text, "ax", @progbits
    .globl exception_stubs
exception_stubs:
    .set vector, 0
    .rept 256
    .set stub, .
    /* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP and 29, 30 push an error code themselves. */
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
        (vector == 21) || (vector == 29) || (vector == 30)
    .else
    push $0
    .endif
    /* As a signed byte the number takes two bytes of code; exception_handle() knows. */
    push $(vector - (vector >> 7 << 8))
    .byte 0xe9 /* JMP rel32, so that each is of one length */
    .long exception_common - . - 4
    .org stub + 9, 0x90
    .set vector, vector + 1
    .endr

    .balign 16
exception_common:
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rbx
    push %rax
    cld
    mov %rsp, %rdi
    call exception_handle
    pop %rax
    pop %rbx
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
