/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header and the entry of a 32-bit Multiboot1 kernel. The header stands first in the file's
 * text and has its address fields filled in although its flags do not ask for them to be read:
 * tests/system/multiboot.toml sets the flag and gets a kernel that is loaded by them. Have open:
 * "Multiboot Specification version 0.6.96".
 */
#define MAGIC 0x1badb002
#define FLAGS 3                         /* modules on pages; memory information */

    .section .text.head, "ax", @progbits
    .balign 4
header:
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)
    .long header, header, kernel_file_end, kernel_end, _start

    .globl _start
_start:
    /* What the specification promises is looked at before anything changes it. */
    movl $stack_top, %esp
    pushl %ebx
    pushl %eax
    pushfl
    movl %cr0, %ecx
    pushl %ecx
    movl %cs, %ecx
    pushl %ecx
    movl %ds, %ecx
    pushl %ecx
    movl %ss, %ecx
    pushl %ecx
    movl %esp, %eax
    cld
    pushl %eax
    call kernel_main
1:  cli
    hlt
    jmp 1b

    .bss
    .balign 16
    .skip 8192
stack_top:
