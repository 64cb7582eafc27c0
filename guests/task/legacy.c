/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: out of IA-32e mode and back, and all code that runs in between. Tasks keep away from the
 * stack before they have recorded what they found. Have open: SDM "Switching out of IA-32e Mode",
 * "Task Management".
 */
#include "guests/lib/legacy.h"
#include "guests/task/task.h"

struct legacy legacy;
uint64_t legacy_gdt[GDT_COUNT] __attribute__((aligned(8)));
uint64_t legacy_idt[IDT_COUNT] __attribute__((aligned(8)));
struct tss32 tss_main, tss_b;
struct record record_main, record_b;
struct fault_record record_fault;

_Static_assert(sizeof(struct tss32) == 104, "the architecture's size");
_Static_assert(sizeof(struct tss16) == 44, "the architecture's size");
_Static_assert(offsetof(struct tss32, eip) == 0x20, "b_entry adds to it");
_Static_assert(offsetof(struct record, count) == 92, "the code below counts on it");
_Static_assert(SEL_CODE == 0x28 && SEL_FLAT == 0x10 && SEL_MAIN == 0x40 && SEL_B == 0x48 &&
               SEL_GATE == 0x50 && SEL_TEST == 0x60 && GATE_INT == 0x40, "the same below");

extern uint64_t guest_gdt[];
void legacy_enter(void);

/* Modes: 64-bit, then 32-bit without paging, then as struct legacy says, and the same way back. */
__asm__(
    ".text\n"
    ".globl legacy_enter\n"
    "legacy_enter:\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, saved_rsp\n"
    "    sidt saved_idt\n"
    "    mov %cr3, %rax\n mov %eax, saved_cr3\n"
    "    mov %cr4, %rax\n mov %eax, saved_cr4\n"
    "    lgdt gdt_pointer\n"
    "    push $0x28\n lea 1f(%rip), %rax\n push %rax\n lretq\n"
    ".code32\n"
    "1:  mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    "    xor %eax, %eax\n mov %eax, %fs\n mov %eax, %gs\n"
    "    mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
    "    mov $0xc0000080, %ecx\n rdmsr\n and $~0x100, %eax\n wrmsr\n"
    "    lidt idt_pointer\n"
    "    mov legacy+8, %eax\n mov %eax, %cr4\n"
    "    mov legacy+4, %eax\n mov %eax, %cr3\n"
    "    test %eax, %eax\n jz 2f\n"
    "    mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
    "2:  mov $0x40, %eax\n ltr %ax\n"
    "    mov $main_stack_top, %esp\n"
    "    call *legacy\n"
    "legacy_leave:\n"
    "    mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    "    mov $main_stack_top, %esp\n"
    "    clts\n"
    "    pushl $2\n popfl\n"
    "    xor %eax, %eax\n lldt %ax\n mov %eax, %fs\n mov %eax, %gs\n"
    "    andb $~2, legacy_gdt+0x45\n" /* IA-32e mode is not entered with a 16-bit TSS */
    "    mov $0x40, %eax\n ltr %ax\n"
    "    mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
    "    mov saved_cr4, %eax\n mov %eax, %cr4\n"
    "    mov saved_cr3, %eax\n mov %eax, %cr3\n"
    "    mov $0xc0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n"
    "    mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
    "    ljmp $8, $3f\n"
    ".code64\n"
    "3:  lidt saved_idt\n"
    "    mov saved_rsp, %rsp\n"
    "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "    ret\n"
    ".data\n"
    ".balign 8\n"
    "gdt_pointer: .word 16 * 8 - 1\n .quad legacy_gdt\n"
    "idt_pointer: .word 0x41 * 8 - 1\n .quad legacy_idt\n"
    ".bss\n"
    ".balign 16\n"
    ".skip 4096\n"
    "main_stack_top:\n"
    ".skip 4096\n"
    ".globl legacy_b_stack_top\n"
    "legacy_b_stack_top: .skip 16\n"
    "saved_rsp: .skip 8\n"
    "saved_cr3: .skip 4\n"
    "saved_cr4: .skip 4\n"
    "saved_idt: .skip 16\n"
    ".text\n");

/* Registers, then the rest through EAX, which is put back. */
__asm__(
    ".macro record at\n"
    "    mov %eax, \\at\n mov %ecx, \\at+4\n mov %edx, \\at+8\n mov %ebx, \\at+12\n"
    "    mov %esp, \\at+16\n mov %ebp, \\at+20\n mov %esi, \\at+24\n mov %edi, \\at+28\n"
    "    mov %es, %eax\n mov %eax, \\at+32\n mov %cs, %eax\n mov %eax, \\at+36\n"
    "    mov %ss, %eax\n mov %eax, \\at+40\n mov %ds, %eax\n mov %eax, \\at+44\n"
    "    mov %fs, %eax\n mov %eax, \\at+48\n mov %gs, %eax\n mov %eax, \\at+52\n"
    "    popl \\at+84\n pushl \\at+84\n" /* by SP or ESP, as SS says */
    "    pushfl\n popl \\at+56\n"
    "    xor %eax, %eax\n str %ax\n mov %eax, \\at+60\n"
    "    xor %eax, %eax\n sldt %ax\n mov %eax, \\at+64\n"
    "    mov %cr0, %eax\n mov %eax, \\at+68\n"
    "    mov %cr3, %eax\n mov %eax, \\at+72\n"
    "    movzbl legacy_gdt+0x45, %eax\n mov %eax, \\at+76\n"
    "    movzbl legacy_gdt+0x4d, %eax\n mov %eax, \\at+80\n"
    "    mov legacy+20, %eax\n mov (%eax), %eax\n mov %eax, \\at+88\n"
    "    incl \\at+92\n"
    "    mov \\at, %eax\n"
    ".endm\n"
    ".code32\n"
    ".globl legacy_code_base\n"
    "legacy_code_base:\n"
    ".globl b_entry\n"
    "b_entry:\n"
    "    record record_b\n"
    "    mov legacy+12, %eax\n add %eax, tss_main+0x20\n"
    "    mov legacy+16, %eax\n add %eax, %esp\n"
    "    mov $0xb0b0b0b0, %eax\n"
    "    iret\n"
    "    jmp b_entry\n" /* the next switch to B goes on here */
    ".globl b_jumps_back\n"
    "b_jumps_back:\n"
    "    record record_b\n"
    "    ljmp $0x40, $0\n"
    "    jmp b_jumps_back\n"
    ".globl b_iret_not_busy\n"
    "b_iret_not_busy:\n"
    "    record record_b\n"
    "    andb $~2, legacy_gdt+0x45\n"
    "    iret\n"
    ".code64\n");

/* What main does, with known registers and in a known state afterwards. */
#define MAIN_PIECE(name, text)                                                                  \
    __asm__(".code32\n.globl " #name "\n.globl " #name "_after\n" #name ":\n"                   \
            "    mov $0xa0a0a0a0, %eax\n mov $0xa1a1a1a1, %ecx\n mov $0xa2a2a2a2, %edx\n"       \
            "    mov $0xa3a3a3a3, %ebx\n mov $0xa5a5a5a5, %ebp\n mov $0xa6a6a6a6, %esi\n"       \
            "    mov $0xa7a7a7a7, %edi\n" text "\n" #name "_after:\n"                           \
            "    record record_main\n    ret\n.code64\n")

MAIN_PIECE(p_call, "pushl $0x8d7\n popfl\n lcall $0x48, $0x1234");
MAIN_PIECE(p_call_twice, "lcall $0x48, $0\n lcall $0x48, $0");
MAIN_PIECE(p_call_sti, "sti\n lcall $0x48, $0");
MAIN_PIECE(p_jmp, "ljmp $0x48, $0");
MAIN_PIECE(p_call_gate, "lcall $0x50, $0");
MAIN_PIECE(p_int, "int $0x40");
MAIN_PIECE(p_bad_selector, "mov $0xfff8, %eax\n 1: mov %eax, %fs"); /* two bytes */
MAIN_PIECE(p_ud, "ud2");
MAIN_PIECE(p_int3, "int3");
MAIN_PIECE(p_call_test, "lcall $0x60, $0");

/* Exceptions that are not a task gate's: noted, and main is given up. */
__asm__(
    ".code32\n"
    ".balign 16\n"
    LEGACY_STUBS("1f")
    "1:  mov $0x10, %eax\n mov %eax, %ds\n"
    "    incl record_fault\n"
    "    popl record_fault+4\n popl record_fault+8\n popl record_fault+12\n"
    "    popl record_fault+16\n popl record_fault+20\n"
    "    xor %eax, %eax\n str %ax\n mov %eax, record_fault+24\n"
    "    mov %dr6, %eax\n mov %eax, record_fault+28\n"
    "    jmp legacy_leave\n"
    ".globl legacy_fault_task\n"
    "legacy_fault_task:\n" /* entered by the task gate of #TS */
    "    incl record_fault\n"
    "    movl $10, record_fault+4\n popl record_fault+8\n"
    "    xor %eax, %eax\n str %ax\n mov %eax, record_fault+24\n"
    "    jmp legacy_leave\n"
    ".code64\n");

void legacy_run(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {8 * 8 - 1, (uint64_t)guest_gdt};
    legacy_enter();
    guest_gdt[6] &= ~BIT(41); /* the 64-bit TSS is busy, which LTR does not like */
    __asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(pointer), "r"(0x30) : "memory");
}
