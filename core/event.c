/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules for events. PURE; see the header. Have open: SDM, "Interrupt and Exception Handling", the
 * tables "Exceptions and Interrupts", "Interrupt and Exception Classes" and "Conditions for
 * Generating a Double Fault".
 */
#include "core/event.h"

#include "arch/x86/regs.h"

#define INFO_TYPE_SHIFT 8
#define INFO_TYPE_MASK  7
#define INFO_ERROR_CODE BIT(11)
#define INFO_VALID      BIT(31)

static const uint32_t pushes_error_code =
    BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
    BIT(VECTOR_PF) | BIT(VECTOR_AC) | BIT(VECTOR_CP);

static const uint32_t contributory =
    BIT(VECTOR_DE) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
    BIT(VECTOR_CP);

static const uint32_t page_faults = BIT(VECTOR_PF) | BIT(VECTOR_VE);

static bool in_set(uint32_t set, uint8_t vector)
{
    return vector < 32 && (set & BIT(vector));
}

bool event_has_error_code(uint8_t vector, bool protected_mode)
{
    return protected_mode && in_set(pushes_error_code, vector);
}

struct event event_exception(uint8_t vector, uint32_t error_code, bool protected_mode)
{
    bool has_error = event_has_error_code(vector, protected_mode);
    return (struct event){.type = EVENT_HW_EXCEPTION, .vector = vector, .has_error = has_error,
                          .error_code = has_error ? error_code : 0};
}

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

/* Everything but a hardware exception is benign: interrupts, NMIs and software's own. */
static enum class class_of(const struct event *e)
{
    if (e->type != EVENT_HW_EXCEPTION)
        return BENIGN;
    if (e->vector == VECTOR_DF)
        return DOUBLE_FAULT;
    if (in_set(contributory, e->vector))
        return CONTRIBUTORY;
    return in_set(page_faults, e->vector) ? PAGE_FAULT : BENIGN;
}

enum event_merge event_merge(const struct event *first, const struct event *second,
                             struct event *out)
{
    static const uint8_t table[4][4] = {
        /* second:       BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT */
        [BENIGN] = {EVENT_MERGE_SECOND, EVENT_MERGE_SECOND, EVENT_MERGE_SECOND,
                    EVENT_MERGE_SECOND},
        [CONTRIBUTORY] = {EVENT_MERGE_SECOND, EVENT_MERGE_DOUBLE_FAULT, EVENT_MERGE_SECOND,
                          EVENT_MERGE_SECOND},
        [PAGE_FAULT] = {EVENT_MERGE_SECOND, EVENT_MERGE_DOUBLE_FAULT, EVENT_MERGE_DOUBLE_FAULT,
                        EVENT_MERGE_SECOND},
        [DOUBLE_FAULT] = {EVENT_MERGE_SECOND, EVENT_MERGE_TRIPLE_FAULT, EVENT_MERGE_TRIPLE_FAULT,
                          EVENT_MERGE_TRIPLE_FAULT},
    };
    enum event_merge m = (enum event_merge)table[class_of(first)][class_of(second)];
    if (m == EVENT_MERGE_SECOND)
        *out = *second;
    else if (m == EVENT_MERGE_DOUBLE_FAULT)
        *out = event_exception(VECTOR_DF, 0, true);
    return m;
}

uint32_t event_to_vmx(const struct event *e)
{
    return (uint32_t)(INFO_VALID | (e->has_error ? INFO_ERROR_CODE : 0) |
                      (uint32_t)(e->type & INFO_TYPE_MASK) << INFO_TYPE_SHIFT | e->vector);
}

bool event_from_vmx(uint32_t info, uint32_t error_code, uint32_t insn_length, struct event *out)
{
    unsigned type = (info >> INFO_TYPE_SHIFT) & INFO_TYPE_MASK;
    if (!(info & INFO_VALID) || type == 1 || type == 7)
        return false;
    bool software = type == EVENT_SW_INT || type == EVENT_PRIV_SW_EXC || type == EVENT_SW_EXC;
    bool has_error = (info & INFO_ERROR_CODE) != 0;
    *out = (struct event){
        .type = (uint8_t)type,
        .vector = (uint8_t)info,
        .has_error = has_error,
        .error_code = has_error ? error_code : 0,
        .insn_length = software ? (uint8_t)insn_length : 0,
    };
    return true;
}

/* What is left of an interrupted delivery and a new exception. */
static void choose_exception(const struct event_state *s, struct event_choice *out)
{
    if (!s->exception_valid) {
        out->source = EVENT_FROM_REINJECT;
        out->event = s->reinject;
        return;
    }
    out->source = EVENT_FROM_EXCEPTION;
    out->event = s->exception;
    if (s->reinject_valid &&
        event_merge(&s->reinject, &s->exception, &out->event) == EVENT_MERGE_TRIPLE_FAULT)
        out->source = EVENT_SHUTDOWN;
}

void event_next(const struct event_state *s, struct event_choice *out)
{
    bool shadow = s->sti_shadow || s->mov_ss_shadow;
    *out = (struct event_choice){.source = EVENT_NONE};
    if (s->reinject_valid || s->exception_valid) {
        choose_exception(s, out);
    } else if (s->nmi_pending && !s->nmi_blocked && !shadow) {
        out->source = EVENT_FROM_NMI;
        out->event = (struct event){.type = EVENT_NMI, .vector = VECTOR_NMI};
    } else if (s->interrupt_pending && s->interrupts_enabled && !shadow) {
        out->source = EVENT_FROM_INTERRUPT;
        out->event = (struct event){.type = EVENT_EXTINT, .vector = s->interrupt_vector};
    }
    if (out->source == EVENT_SHUTDOWN)
        return;
    out->nmi_window = s->nmi_pending && out->source != EVENT_FROM_NMI;
    out->interrupt_window = s->interrupt_pending && out->source != EVENT_FROM_INTERRUPT;
}
