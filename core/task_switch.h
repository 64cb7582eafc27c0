/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches, which a guest's processor always hands to its hypervisor: checks, saving
 * the old task, loading the new one. PURE: memory and CR3 are reached through callbacks, registers
 * are copied in and out. Knows 16- and 32-bit TSSs; IA-32e mode has no task switches, and shadow
 * stacks are offered to no guest. Have open: SDM, "Task Management" and "Treatment of Task
 * Switches".
 */
#ifndef CORE_TASK_SWITCH_H
#define CORE_TASK_SWITCH_H

#include "core/event.h"
#include "core/vcpu.h"

/* As in bits 31:30 of the exit qualification. */
enum task_switch_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct task_registers {
    uint32_t eip, eflags;
    uint32_t gpr[8];      /* in the order of encodings, ESP included */
    uint32_t cr0, cr3, dr7;
    struct segment seg[SEG_COUNT];
};

struct task_request {
    enum task_switch_source source;
    uint16_t selector;    /* of the new TSS */
    bool check_dpl;       /* CALL and JMP that name the TSS itself: its DPL counts. Leave it false
                           * where the processor has looked already or a task gate was used */
    uint8_t cpl;          /* of the old task; for check_dpl */
    uint8_t insn_length;  /* bytes of CALL, JMP or IRET; of events, event.insn_length counts */
    struct event event;   /* TASK_GATE: what is being delivered */
    uint64_t gdt_base;
    uint32_t gdt_limit;
};

/* Callbacks that return bool return false when the access is refused; they have then noted what is
 * to be raised. Accesses are implicit supervisor accesses unless user is set. */
struct task_switch_ops {
    bool (*read)(void *machine, uint32_t linear, void *buf, unsigned n);
    /* True if n bytes can be written at linear. */
    bool (*probe)(void *machine, uint32_t linear, unsigned n);
    bool (*write)(void *machine, uint32_t linear, const void *buf, unsigned n, bool user);
    /* The new task's CR3, when paging is on: from here on it translates. False: PAE's
     * page-directory-pointer entries are not valid; nothing is noted. */
    bool (*load_cr3)(void *machine, uint32_t cr3);
};

enum task_switch_result {
    TASK_SWITCH_DONE,      /* regs are the new task's */
    TASK_SWITCH_FAULT,     /* before the point of no return: regs are untouched; raise the fault
                            * in the old task, or what the callback has noted */
    TASK_SWITCH_NEW_FAULT, /* behind it: regs are the new task's; raise the fault there */
};

struct task_switch_outcome {
    bool refused;       /* faults: a callback has noted it, fault below means nothing */
    struct event fault; /* faults: #TS, #NP, #SS or #GP with its error code */
    bool debug_trap;    /* TASK_SWITCH_DONE: the new TSS has T set: #DB with DR6.BT before its
                         * first instruction */
};

enum task_switch_result task_switch(const struct task_request *req,
                                    const struct task_switch_ops *ops, void *machine,
                                    struct task_registers *regs,
                                    struct task_switch_outcome *out);

#endif
