/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out again. HOST_RSP points behind struct vcpu's gpr[], so that an exit pushes
 * the guest's registers straight to where they belong; then the CPU's own stack comes back.
 * Between the exit and that switch nothing here can fault, and NMI, #DF and #MC bring stacks of
 * their own. SDM: "VM Entries", "VM Exits", and "VMLAUNCH/VMRESUME" for how they fail.
 */
#include "asm_offsets.h"

    .macro load_guest_few base      /* without RBX, RDI and what C functions preserve */
    mov VCPU_GPR_RAX(\base), %rax
    mov VCPU_GPR_RCX(\base), %rcx
    mov VCPU_GPR_RDX(\base), %rdx
    mov VCPU_GPR_RSI(\base), %rsi
    mov VCPU_GPR_R8(\base), %r8
    mov VCPU_GPR_R9(\base), %r9
    mov VCPU_GPR_R10(\base), %r10
    mov VCPU_GPR_R11(\base), %r11
    .endm

    .macro load_guest base          /* without RBX and RDI */
    load_guest_few \base
    mov VCPU_GPR_RBP(\base), %rbp
    mov VCPU_GPR_R12(\base), %r12
    mov VCPU_GPR_R13(\base), %r13
    mov VCPU_GPR_R14(\base), %r14
    mov VCPU_GPR_R15(\base), %r15
    .endm

    .section .text.hot.vmx_enter, "ax", @progbits
    .balign 64
    .globl vmx_enter
    .type vmx_enter, @function
vmx_enter:                          /* RDI = struct vcpu, ESI = launched before */
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp                    /* the stack is 16-byte aligned where exits call C */
    mov %rsp, VCPU_HOST_RSP(%rdi)
    test %esi, %esi                 /* MOV leaves ZF alone */
    load_guest %rdi
    mov VCPU_GPR_RBX(%rdi), %rbx
    mov VCPU_GPR_RDI(%rdi), %rdi
    jz 1f
    vmresume
    jmp vmx_enter_failed
1:  vmlaunch
    jmp vmx_enter_failed

    /* HOST_RIP. RSP = &vcpu->gpr[GPR_COUNT]. */
    .macro exit_entry name, handler
    .balign 64
    .globl \name
\name:
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    sub $8, %rsp                    /* gpr[GPR_RSP]: the guest's is in the VMCS */
    push %rbx
    push %rdx
    push %rcx
    push %rax
    mov %rsp, %rbx                  /* struct vcpu: gpr[] is its first member */
    mov VCPU_HOST_RSP(%rbx), %rsp
    mov %rbx, %rdi
    call \handler
    cmp $1, %eax                    /* VMX_RESUME_FAST */
    jne 2f
    load_guest_few %rbx
    mov VCPU_GPR_RDI(%rbx), %rdi
    mov VCPU_GPR_RBX(%rbx), %rbx
    vmresume
    jmp vmx_enter_failed

2:  test %eax, %eax                 /* VMX_LEAVE */
    jz vmx_enter_left
    load_guest %rbx
    mov VCPU_GPR_RDI(%rbx), %rdi
    mov VCPU_GPR_RBX(%rbx), %rbx
    vmresume
    jmp vmx_enter_failed
    .endm

    exit_entry vmx_exit_entry, vmx_handle_exit

    /* Only when the CPU refuses the instruction. RSP is still the host's, in both cases. */
vmx_enter_failed:
    xor %eax, %eax
    jmp 3f
vmx_enter_left:
    mov $1, %eax
3:  add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

    exit_entry vmx_exit_entry_observed, vmx_handle_exit_observed
    .size vmx_enter, . - vmx_enter

    .section .note.GNU-stack, "", @progbits
