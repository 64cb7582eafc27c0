/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging: out of IA-32e mode, through a list of tries, and back. Every try ends in an exception,
 * from either privilege level. Have open: SDM, "Initializing IA-32e Mode", "Switching Out of IA-32e
 * Mode Operation".
 */
#include "guests/paging/legacy.h"

#include "core/lib/string.h"
#include "guests/lib/legacy.h"

#define STACK 4096

_Static_assert(sizeof(struct legacy_try) == 80, "the code below counts on it");
_Static_assert(offsetof(struct legacy_try, leaf) == 32, "the code below counts on it");
_Static_assert(offsetof(struct legacy_try, vector) == 56, "the code below counts on it");

extern uint64_t guest_gdt[];
extern const char legacy_stubs[];
void legacy_enter(void);
uint32_t legacy_next, legacy_left, legacy_cr3; /* used by the code below */
uint64_t legacy_gdt[8] = {
    0, UINT64_C(0x00af9b000000ffff), UINT64_C(0x00cf93000000ffff), /* 08 code, 64-bit; 10 data */
    UINT64_C(0x00cff3000000ffff), UINT64_C(0x00cffb000000ffff),    /* 18 user data; 20 user code */
    UINT64_C(0x00cf9b000000ffff),                                  /* 28 code */
};
uint64_t legacy_idt[32];
uint32_t legacy_tss[26];
uint8_t legacy_stack[STACK] __attribute__((aligned(16)));

/* What a segment register holds in 64-bit mode does not matter but for SS, CS. */
__asm__(
    ".text\n"
    ".globl legacy_enter\n"
    "legacy_enter:\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, legacy_saved_rsp\n"
    "    sidt legacy_saved_idt\n"
    "    mov %cr3, %rax\n mov %eax, legacy_saved_cr3\n"
    "    mov %cr4, %rax\n mov %eax, legacy_saved_cr4\n"
    "    mov %cr0, %rax\n mov %eax, legacy_saved_cr0\n"
    "    lgdt legacy_gdt_pointer\n"
    "    push $0x28\n lea 1f(%rip), %rax\n push %rax\n lretq\n"
    ".code32\n"
    "1:  mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    "    mov $legacy_stack + 4096, %esp\n"
    "    mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
    "    mov $0xc0000080, %ecx\n rdmsr\n and $~0x100, %eax\n wrmsr\n"
    "    lidt legacy_idt_pointer\n"
    "    mov $0x30, %eax\n ltr %ax\n"
    "    mov legacy_cr3, %eax\n mov %eax, %cr3\n"
    "legacy_loop:\n"
    "    mov legacy_next, %ebx\n"
    "    decl legacy_left\n js legacy_leave\n"
    /* The entries: leaf, then upper. */
    "    mov 32(%ebx), %edx\n mov 36(%ebx), %eax\n mov %eax, (%edx)\n"
    "    cmpl $0, 28(%ebx)\n je 2f\n"
    "    mov 40(%ebx), %eax\n mov %eax, 4(%edx)\n"
    "2:  mov 44(%ebx), %edx\n mov 48(%ebx), %eax\n mov %eax, (%edx)\n"
    "    cmpl $0, 28(%ebx)\n je 3f\n"
    "    mov 52(%ebx), %eax\n mov %eax, 4(%edx)\n"
    /* CR4 before paging is on for the first time; then whatever the last try left is flushed. */
    "3:  mov %cr4, %eax\n cmp 24(%ebx), %eax\n je 4f\n"
    "    mov 24(%ebx), %eax\n mov %eax, %cr4\n"
    "4:  mov %cr0, %eax\n cmp 20(%ebx), %eax\n je 5f\n"
    "    mov 20(%ebx), %eax\n mov %eax, %cr0\n"
    "5:  mov %cr3, %eax\n mov %eax, %cr3\n"
    "    mov 4(%ebx), %edi\n mov 8(%ebx), %esi\n"
    "    cmpl $0, 16(%ebx)\n jne 6f\n"
    "    pushl 12(%ebx)\n pushl $0x28\n pushl (%ebx)\n"
    "    mov $0x11, %eax\n iret\n"
    "6:  mov $0x1b, %eax\n mov %eax, %ds\n mov %eax, %es\n"
    "    pushl $0x1b\n pushl $0\n pushl %ss:12(%ebx)\n pushl $0x23\n pushl %ss:(%ebx)\n"
    "    mov $0x11, %eax\n iret\n"
    /* From an exception: vector, error code, EIP, CS, EFLAGS are on the stack. */
    "legacy_caught:\n"
    "    mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n"
    "    mov legacy_next, %ebx\n"
    "    popl 56(%ebx)\n popl 60(%ebx)\n popl 64(%ebx)\n"
    "    mov %cr2, %eax\n mov %eax, 68(%ebx)\n"
    "    mov 32(%ebx), %edx\n mov (%edx), %eax\n mov %eax, 72(%ebx)\n"
    "    mov 44(%ebx), %edx\n mov (%edx), %eax\n mov %eax, 76(%ebx)\n"
    "    mov $legacy_stack + 4096, %esp\n"
    "    pushl $2\n popfl\n"
    "    addl $80, legacy_next\n"
    "    jmp legacy_loop\n"
    "legacy_leave:\n"
    "    mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
    "    mov legacy_saved_cr4, %eax\n mov %eax, %cr4\n"
    "    mov legacy_saved_cr3, %eax\n mov %eax, %cr3\n"
    "    mov $0xc0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n"
    "    mov legacy_saved_cr0, %eax\n mov %eax, %cr0\n"
    "    ljmp $8, $7f\n"
    ".code64\n"
    "7:  lidt legacy_saved_idt\n"
    "    mov legacy_saved_rsp, %rsp\n"
    "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "    ret\n"
    ".data\n.balign 8\n"
    "legacy_gdt_pointer: .word 63\n .quad legacy_gdt\n"
    "legacy_idt_pointer: .word 255\n .quad legacy_idt\n"
    ".bss\n.balign 16\n"
    "legacy_saved_rsp: .skip 8\n"
    "legacy_saved_cr0: .skip 4\n"
    "legacy_saved_cr3: .skip 4\n"
    "legacy_saved_cr4: .skip 4\n"
    "legacy_saved_idt: .skip 16\n"
    ".text\n");

__asm__(
    ".code32\n"
    ".balign 16\n"
    ".globl legacy_ops\n"
    "legacy_ops:\n"
    "    mov (%edi), %eax\n ud2\n .balign 16\n"
    "    mov %eax, (%edi)\n ud2\n .balign 16\n"
    "    lock addl %eax, (%edi)\n ud2\n .balign 16\n"
    "    movsb\n ud2\n .balign 16\n"
    "    movsb\n ud2\n .balign 16\n"
    LEGACY_STUBS("legacy_caught")
    ".code64\n");

void legacy_run(struct legacy_try *tries, unsigned count, uint32_t cr3)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {8 * 8 - 1, (uint64_t)guest_gdt};
    uint64_t tss = (uint64_t)legacy_tss;
    for (unsigned v = 0; v < 32; v++) {
        uint64_t to = (uint64_t)legacy_stubs + 16 * v;
        legacy_idt[v] = (to & 0xffff) | UINT64_C(0x28) << 16 | UINT64_C(0x8e) << 40
                      | (to & 0xffff0000) << 32;
    }
    memset(legacy_tss, 0, sizeof(legacy_tss));
    legacy_tss[1] = (uint32_t)(uintptr_t)legacy_stack + STACK;
    legacy_tss[2] = GUEST_DATA;
    legacy_tss[25] = sizeof(legacy_tss) << 16;
    legacy_gdt[6] = (sizeof(legacy_tss) - 1) | (tss & 0xffffff) << 16 | UINT64_C(0x89) << 40
                  | (tss >> 24 & 0xff) << 56;
    legacy_next = (uint32_t)(uintptr_t)tries;
    legacy_left = count;
    legacy_cr3 = cr3;
    legacy_enter();
    guest_gdt[6] &= ~BIT(41); /* the 64-bit TSS is busy, which LTR does not like */
    __asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(pointer), "r"(0x30) : "memory");
}
