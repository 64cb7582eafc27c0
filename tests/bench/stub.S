/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs before the first 64-bit instruction of a Linux bzImage, with RSI = boot_params: writes the
 * TSC as 16 hexadecimal digits behind "t0=" on the command line, which becomes a variable of init's
 * environment. No stack, no memory but the command line. tests/bench/boot-ratio appends it to the
 * image, followed by the instructions that its jump replaced. Have open: Linux "x86 boot protocol".
 */
    .code64
    .text
    .globl stub
stub:
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov 0x228(%rsi), %ebx       /* hdr.cmd_line_ptr */
    mov $2048, %ecx
1:  cmpl $0x303d3074, (%rbx)    /* "t0=0" */
    je 2f
    inc %rbx
    loop 1b
    jmp 5f
2:  add $3, %rbx
    mov $16, %ecx
3:  rol $4, %rdx
    mov %edx, %eax
    and $15, %eax
    cmp $10, %eax
    jb 4f
    add $0x27, %eax             /* 'a' - '0' - 10 */
4:  add $0x30, %eax
    mov %al, (%rbx)
    inc %rbx
    loop 3b
5:
