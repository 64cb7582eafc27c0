/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where GRUB jumps: the Multiboot2 header, a check for long mode and NX with a message on every
 * console there is, boot page tables (first 4 GiB one to one, the image KERNEL_BASE higher), long
 * mode, and the call of boot_main(magic, info, TSC of the first moment). Position-dependent: linked
 * and loaded at 2 MiB. Multiboot2 specification: "I386 machine state".
 */
#include "arch/x86/seg.h"
#include "boot/long_mode.h"

#define MB2_HEADER_MAGIC 0xe85250d6

    .section .multiboot2, "a", @progbits
    .balign 8
header:
    .long MB2_HEADER_MAGIC, 0, header_end - header, -(MB2_HEADER_MAGIC + (header_end - header))
    /* information request (optional): memory map, framebuffer, ACPI RSDPs, EFI memory map */
    .balign 8
    .word 1, 1
    .long 8 + 7 * 4
    .long 1, 3, 6, 8, 14, 15, 17
    /* consoles (optional): EGA text will do, so that a BIOS machine stays in text mode */
    .balign 8
    .word 4, 1
    .long 12, 2
    /* framebuffer (optional): for UEFI machines, which have no text mode. An indexed mode makes
     * GRUB 2.06 overrun its own heap with the palette, so a true-colour one is asked for. */
    .balign 8
    .word 5, 1
    .long 20, 1024, 768, 32
    /* modules page-aligned */
    .balign 8
    .word 6, 0
    .long 8
    /* end */
    .balign 8
    .word 0, 0
    .long 8
header_end:

    .section .boot.text, "ax", @progbits
    .code32
    .globl boot_entry
boot_entry:
    cli
    cld
    mov $boot_stack_top, %esp
    mov %eax, %ebp                  /* magic */
    mov %ebx, %edi                  /* information */
    rdtsc
    mov %eax, entry_tsc
    mov %edx, entry_tsc + 4
    /* First sign of life, before any check: one line on each console. COM1 at 115200 8N1: GRUB may
     * never have programmed it. */
    mov $0x3fb, %dx
    mov $0x83, %al
    outb %al, %dx
    mov $0x3f9, %dx
    xor %eax, %eax
    outb %al, %dx
    dec %edx
    inc %eax
    outb %al, %dx
    mov $0x3fb, %dx
    mov $0x03, %al
    outb %al, %dx
    mov $text_alive, %esi
    call early_print

    /* Long mode and NX, or a message. */
    mov $0x80000000, %eax
    cpuid
    mov $text_no_long_mode, %esi
    cmp $0x80000001, %eax
    jb early_stop
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc early_stop
    mov $text_no_nx, %esi
    bt $20, %edx
    jnc early_stop

    /* 4 GiB of 2 MiB pages, reached one to one and, the first GiB of them, at KERNEL_BASE. */
    mov $boot_pd, %ebx
    mov $0x83, %eax
    xor %ecx, %ecx
1:  mov %eax, (%ebx, %ecx, 8)
    movl $0, 4(%ebx, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jb 1b
    mov $boot_pdpt, %ebx
    lea boot_pd + 3, %eax
    xor %ecx, %ecx
2:  mov %eax, (%ebx, %ecx, 8)
    add $0x1000, %eax
    inc %ecx
    cmp $4, %ecx
    jb 2b
    movl $boot_pd + 3, boot_pdpt_high + 510 * 8
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_pdpt_high + 3, boot_pml4 + 511 * 8

    mov $boot_pml4, %eax
    enter_long_mode
    lgdt boot_gdtr
    ljmp $SEL_CODE, $3f
    .code64
3:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %edi, %esi                  /* second argument: information */
    mov %ebp, %edi                  /* first: magic */
    mov entry_tsc, %rdx             /* third */
    movabs $boot_stack_high_top, %rsp
    xor %ebp, %ebp
    movabs $boot_main, %rax
    call *%rax
4:  hlt
    jmp 4b

    /* ESI = text: COM1 at whatever speed it has, port E9h, VGA text memory (bottom line). */
    .code32
early_print:
    pusha
    mov $0xb8000 + 24 * 160, %edi
1:  lodsb
    test %al, %al
    jz 3f
    outb %al, $0xe9
    mov %eax, %ebx
    mov $0x10000, %ecx
    mov $0x3fd, %dx
2:  inb %dx, %al
    test $0x20, %al
    loopz 2b
    mov $0x3f8, %dx
    mov %ebx, %eax
    outb %al, %dx
    cmp $10, %al
    je 1b
    mov %al, (%edi)
    movb $0x07, 1(%edi)
    add $2, %edi
    jmp 1b
3:  popa
    ret

early_stop:
    call early_print
5:  hlt
    jmp 5b

    .section .boot.data, "aw", @progbits
    .balign 8
entry_tsc:
    .quad 0
text_alive:
    .asciz "Plinth: alive\r\n"
text_no_long_mode:
    .asciz "Plinth: stopped: this CPU has no 64-bit mode (long mode): an x86-64 CPU is needed\r\n"
text_no_nx:
    .asciz "Plinth: stopped: no NX bit; if the CPU has one, enable Execute Disable in set-up\r\n"
    .balign 16
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdtr:
    .word . - boot_gdt - 1
    .long boot_gdt
    .long 0
    .balign 4096
    .globl boot_pml4                /* started CPUs use it for their first steps, too */
boot_pml4:
    .fill 4096, 1, 0
boot_pdpt:
    .fill 4096, 1, 0
boot_pdpt_high:
    .fill 4096, 1, 0
boot_pd:
    .fill 4 * 4096, 1, 0
boot_stack:
    .fill 1024, 1, 0
boot_stack_top:

    .section .bss, "aw", @nobits
    .balign 16
    .fill 16384, 1, 0
    .globl boot_stack_high_top
boot_stack_high_top:

    .section .note.GNU-stack, "", @progbits
