/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * realmode: a boot sector, 16-bit code at 0:7C00 with nothing underneath but ports. Prints through
 * the UART, tries string I/O in its 16-bit and 32-bit forms and a few facts of real mode, and ends
 * through port 0xF4 with the number of the check that failed, or 0. Everything fits one sector.
 */
#define UART 0x3f8
#define EXIT 0xf4
#define LATCH 0x80

    .code16
    .text
    .globl _start
_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    ljmp $0, $1f                    /* CS:IP may be 07C0:0000 on some firmware */
1:  movw $greeting, %si
    call print

    /* 1: segment arithmetic: 0050:7700 is the byte at 0000:7C00 */
    incb check
    movw $0x50, %ax
    movw %ax, %fs
    movb _start, %al
    cmpb %fs:0x7700, %al
    jne failed

    /* 2: an offset wraps at 64 KiB: 1000:FFFF + 1 comes back to 1000:0000 */
    incb check
    movw $0x1000, %ax
    movw %ax, %es
    movb $0x5a, %es:0
    movw $0xffff, %di
    movb $0xa5, %al
    stosb                           /* DI becomes 0, not 10000h */
    testw %di, %di
    jnz failed
    cmpb $0x5a, %es:0
    jne failed

    /* 3: CPUID works here, and knows at least leaf 1 */
    incb check
    xorl %eax, %eax
    cpuid
    testl %eax, %eax
    jz failed

    /* 4: OUTS and INS with a count in CX; DI moves up by as many bytes */
    incb check
    movw $message, %si
    movw $message_end - message, %cx
    movw $UART, %dx
2:  call wait
    outsb
    loop 2b
    cmpw $message_end, %si
    jne failed
    movw $0x1000, %ax
    movw %ax, %es
    movw $0x100, %di
    movw $4, %cx
    movw $UART + 7, %dx             /* the scratch register: reads back what was written */
    movb $0x3c, %al
    outb %al, %dx
    rep insb
    cmpw $0x104, %di
    jne failed
    cmpl $0x3c3c3c3c, %es:0x100
    jne failed

    /* 5: the same downwards, with 32-bit address size, and a count of 0 that does nothing */
    incb check
    std
    movl $0x103, %edi
    movl $2, %ecx
    movb $0xc3, %al
    outb %al, %dx
    .byte 0x67                      /* address size 32 */
    rep insb
    cmpl $0xc3c33c3c, %es:0x100
    jne failed
    cld
    .byte 0x67                      /* ECX is 0 */
    rep insb
    cmpl $0x101, %edi
    jne failed

    /* 6: REP OUTS to a port that does not mind: the count ends at 0, SI is past the words */
    incb check
    movw $_start, %si
    movw $16, %cx
    movw $LATCH, %dx
    rep outsb
    jcxz 3f
    jmp failed
3:  cmpw $_start + 16, %si
    jne failed

    /* 7: an exception without error code reaches the vector at 0:0018 (#UD) */
    incb check
    movw $undefined, 0x18
    movw $0, 0x1a
    ud2
back:
    movw $good, %si
    call print
    movb $0, check
failed:
    movb check, %al
    testb %al, %al
    jz 4f
    addb $'0', %al
    movb %al, bad_number
    movw $bad, %si
    call print
4:  movb check, %al
    outb %al, $EXIT
    movw $0x8900, %dx               /* bare Bochs ends by this */
    movw $shutdown, %si
    movw $8, %cx
    rep outsb
    hlt
    jmp 4b

undefined: /* the frame holds IP, CS, FLAGS; the saved IP points at the ud2 */
    popw %ax
    popw %cx
    popw %cx
    cmpw $back - 2, %ax
    je back
    jmp failed

/* Waits until the UART takes a byte; AL is lost. */
wait:
    pushw %dx
    movw $UART + 5, %dx
5:  inb %dx, %al
    testb $0x20, %al
    jz 5b
    popw %dx
    ret

/* Prints the terminated text at SI. */
print:
    movw $UART, %dx
6:  call wait
    lodsb
    testb %al, %al
    jz 7f
    outb %al, %dx
    jmp 6b
7:  ret

check:
    .byte 0
greeting:
    .asciz "realmode: through the UART\r\n"
message:
    .ascii "realmode: through OUTS\r\n"
message_end:
good:
    .asciz "realmode: 7 checks, 0 failed\r\n"
bad:
    .ascii "realmode: check "
bad_number:
    .asciz "? FAILED\r\n"
shutdown:
    .ascii "Shutdown"

    .org 510
    .word 0xaa55
