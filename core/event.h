/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that a vCPU is to receive: exceptions, interrupts, NMIs; how two exceptions combine, which
 * event goes first, and the word in which VMX (and, bit for bit but for the types, SVM) describes
 * one. PURE: state in, decision out. Delivery itself is the backend's. Have open: SDM, "Interrupt
 * and Exception Handling" and "VM-Entry Controls for Event Injection".
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/lib/bits.h"

enum event_type {
    EVENT_EXTINT = 0,
    EVENT_NMI = 2,
    EVENT_HW_EXCEPTION = 3,
    EVENT_SW_INT = 4,      /* INT n */
    EVENT_PRIV_SW_EXC = 5, /* INT1 */
    EVENT_SW_EXC = 6,      /* INT3, INTO */
};

struct event {
    uint8_t type;        /* enum event_type */
    uint8_t vector;
    bool has_error;
    uint8_t insn_length; /* bytes, for the three software kinds: what RIP is stepped by */
    uint32_t error_code;
};

/* True if this exception pushes an error code in protected mode; in real mode none does. */
bool event_has_error_code(uint8_t vector, bool protected_mode);

/* A hardware exception as it is in that mode: error_code is dropped where there is none. */
struct event event_exception(uint8_t vector, uint32_t error_code, bool protected_mode);

enum event_merge {
    EVENT_MERGE_SECOND,       /* *out is second; first is over (its instruction runs again) */
    EVENT_MERGE_DOUBLE_FAULT, /* *out is #DF with error code 0 */
    EVENT_MERGE_TRIPLE_FAULT, /* shutdown; *out is untouched */
};

/* What becomes of an exception (second) raised while first was being delivered. #DF is returned in
 * its protected-mode form. */
enum event_merge event_merge(const struct event *first, const struct event *second,
                             struct event *out);

/* VMX's interruption-information word: vector 7:0, type 10:8, error code valid 11, valid 31. */
uint32_t event_to_vmx(const struct event *e);
/* From an information word with its error code and instruction length. False: bit 31 is clear or
 * the type is none of enum event_type; *out is untouched then. */
bool event_from_vmx(uint32_t info, uint32_t error_code, uint32_t insn_length, struct event *out);

/* All that decides what a vCPU receives next. */
struct event_state {
    bool reinject_valid;   /* an exit interrupted the delivery of reinject */
    bool exception_valid;  /* exception has been raised by an instruction */
    bool nmi_pending;
    bool nmi_blocked;      /* from an NMI to its IRET */
    bool interrupt_pending;
    uint8_t interrupt_vector;
    bool interrupts_enabled; /* RFLAGS.IF */
    bool sti_shadow;       /* the instruction after STI */
    bool mov_ss_shadow;    /* the instruction after MOV SS or POP SS */
    struct event reinject, exception;
};

/* Where the chosen event comes from: what the caller has to mark as taken. */
enum event_source {
    EVENT_NONE,
    EVENT_FROM_REINJECT,
    EVENT_FROM_EXCEPTION, /* reinject is over too: it was merged or replaced */
    EVENT_FROM_NMI,
    EVENT_FROM_INTERRUPT,
    EVENT_SHUTDOWN,       /* triple fault: nothing to inject */
};

struct event_choice {
    enum event_source source;
    struct event event;    /* unless EVENT_NONE or EVENT_SHUTDOWN */
    bool nmi_window;       /* an NMI stays pending: exit when it can be taken */
    bool interrupt_window; /* an interrupt stays pending: the same */
};

/* Picks the event to inject at the next entry. Order: interrupted delivery, exception, NMI,
 * interrupt. An STI shadow holds off NMIs too: some processors refuse such an entry. */
void event_next(const struct event_state *s, struct event_choice *out);

#endif
