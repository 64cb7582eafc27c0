/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated local APIC, xAPIC and x2APIC. PURE, sans-I/O: what a write causes outside waits in a
 * record that the owner takes after each call. The registers live in a page of the owner's, laid
 * out as the manual does, so that it can be the hardware's virtual-APIC page; all else is plain
 * data. Not for two CPUs at once: what others send reaches it through its own vCPU.
 * Time is the guest's TSC in every call and never goes back: an earlier one counts as the last one,
 * but see vlapic_tsc_moved(). The timer's input clock has the TSC's rate, thus CPUID leaf 40000010H
 * says the same kHz in EAX and EBX.
 * Have open: SDM, "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef DRIVERS_EMU_VLAPIC_H
#define DRIVERS_EMU_VLAPIC_H

#include "arch/x86/msr.h"
#include "core/apic_route.h"
#include "core/io.h"
#include "drivers/emu/vlapic_timer.h"

#define VLAPIC_SIZE         0x1000 /* of the register page and of its memory region */
#define VLAPIC_DEFAULT_BASE 0xfee00000u

/* Registers by their offset in the page; the x2APIC MSR is 800H + offset / 16. */
enum vlapic_register {
    VLAPIC_ID = 0x020,
    VLAPIC_VERSION = 0x030,
    VLAPIC_TPR = 0x080,
    VLAPIC_APR = 0x090,
    VLAPIC_PPR = 0x0a0,
    VLAPIC_EOI = 0x0b0,
    VLAPIC_RRD = 0x0c0,
    VLAPIC_LDR = 0x0d0,
    VLAPIC_DFR = 0x0e0,
    VLAPIC_SVR = 0x0f0,
    VLAPIC_ISR = 0x100, /* eight registers of 32 vectors each, 16 bytes apart; TMR, IRR too */
    VLAPIC_TMR = 0x180,
    VLAPIC_IRR = 0x200,
    VLAPIC_ESR = 0x280,
    VLAPIC_ICR = 0x300, /* 64 bits here in x2APIC mode */
    VLAPIC_ICR_HIGH = 0x310,
    VLAPIC_LVT_TIMER = 0x320,
    VLAPIC_LVT_THERMAL = 0x330,
    VLAPIC_LVT_PERF = 0x340,
    VLAPIC_LVT_LINT0 = 0x350,
    VLAPIC_LVT_LINT1 = 0x360,
    VLAPIC_LVT_ERROR = 0x370,
    VLAPIC_INITIAL_COUNT = 0x380,
    VLAPIC_CURRENT_COUNT = 0x390, /* never up to date in the page */
    VLAPIC_DIVIDE = 0x3e0,
    VLAPIC_SELF_IPI = 0x3f0, /* x2APIC mode only */
};

/* What happened since the owner last took the record; at most one IPI per call into the model. */
struct vlapic_effects {
    union {
        struct {
            bool ipi;           /* message goes out; never one that is for this APIC by TO_SELF */
            bool eoi_broadcast; /* a level-triggered interrupt has ended: tell the IOAPICs */
            bool nmi;           /* this vCPU gets an NMI: LINT1, an LVT entry or a self-IPI */
            bool init;          /* the same for INIT, from an LVT entry */
            bool timer_changed; /* vlapic_deadline() has to be asked again */
            bool state_changed; /* vlapic_pending() has to be asked again */
            bool reach_changed; /* it may accept messages that it did not: target, enabled */
            bool base_changed;  /* IA32_APIC_BASE: mode or address of the memory region */
        };
        uint64_t any;           /* 0: none of them */
    };
#define VLAPIC_STATE_CHANGED (UINT64_C(1) << 8 * 5) /* any, when state_changed is the only one */
    uint8_t eoi_vector;         /* eoi_broadcast: whose end */
    struct apic_message message;
};

_Static_assert(offsetof(struct vlapic_effects, state_changed) == 5, "VLAPIC_STATE_CHANGED");

struct vlapic {
    uint8_t *page;         /* VLAPIC_SIZE bytes, the owner's */
    uint32_t id;           /* x2APIC ID; an xAPIC has its low 8 bits */
    bool bsp;
    bool x2apic_supported; /* the owner's, as in CPUID; true after init */
    uint8_t maxphyaddr;    /* the owner's, bits; 36 after init */
    uint8_t lint_level;    /* bit n: level of pin LINTn */
    uint8_t esr_pending;   /* errors since ESR was last written */
    bool lint0_remote_irr; /* a level-triggered interrupt of LINT0 awaits its EOI */
    /* Bit n: word n of IRR, ISR or TMR may have bits set; one that is clear has none. Hardware that
     * ends interrupts by itself only clears bits; one that delivers them moves them from IRR to
     * ISR: who lets it adds irr_words to isr_words. Who writes the page from outside sets all. */
    uint8_t irr_words, isr_words, tmr_words;
    uint32_t svr, lvt_timer; /* these registers before hardware has written them */
    uint64_t apic_base;    /* IA32_APIC_BASE */
    uint64_t now;          /* guest TSC of the last call that gave one */
    struct vlapic_timer timer;
    struct vlapic_effects effects;
};

/* Memory region of VLAPIC_SIZE bytes. access() takes its time from the last vlapic_advance(). */
extern const struct device_ops vlapic_ops;

/* A new APIC in its power-on state. page is cleared; it and v stay the owner's. */
void vlapic_init(struct vlapic *v, uint8_t *page, uint32_t id, bool bsp);
/* Power-on: all but page, id, bsp, the owner's fields and the levels of the pins. */
void vlapic_reset(struct vlapic *v);
/* INIT: keeps IA32_APIC_BASE as well, thus the mode. */
void vlapic_init_reset(struct vlapic *v);

/* Virtual wire mode, as firmware leaves the BSP of a PC: software-enabled, the 8259's interrupts
 * come in by LINT0 and NMIs by LINT1. After a reset nothing would. */
void vlapic_set_virtual_wire(struct vlapic *v);

/* Moves the effects since the last time to *out and clears the record. */
void vlapic_take_effects(struct vlapic *v, struct vlapic_effects *out);

/* Modes by IA32_APIC_BASE and the software enable bit of SVR. */
bool vlapic_software_enabled(const struct vlapic *v);
static inline bool vlapic_hardware_enabled(const struct vlapic *v)
{
    return (v->apic_base & APIC_BASE_ENABLE) != 0;
}

static inline bool vlapic_x2apic(const struct vlapic *v)
{
    return (v->apic_base & APIC_BASE_X2APIC) != 0;
}

/* The guest-physical address of the region; false if there is none (disabled, x2APIC mode). */
static inline bool vlapic_mmio_base(const struct vlapic *v, uint64_t *base)
{
    *base = v->apic_base & ~UINT64_C(0xfff);
    return (v->apic_base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE;
}

/* A register of the xAPIC by its offset (a multiple of 16 below VLAPIC_SIZE); for the memory
 * region, which answers only in xAPIC mode. Reserved ones read 0 and are an error in ESR. */
uint32_t vlapic_read(struct vlapic *v, unsigned offset, uint64_t now);
void vlapic_write(struct vlapic *v, unsigned offset, uint32_t value, uint64_t now);
/* The hardware has written that register of the page (APIC-write exit) and left the rest to us. */
void vlapic_written(struct vlapic *v, unsigned offset, uint64_t now);

/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 800H-8FFH. False: #GP; *value and v are unchanged then. */
MUST_CHECK bool vlapic_msr_read(struct vlapic *v, uint32_t msr, uint64_t now, uint64_t *value);
MUST_CHECK bool vlapic_msr_write(struct vlapic *v, uint32_t msr, uint64_t value, uint64_t now);

/* The common case of a write to the x2APIC's ICR: the vCPU sends itself a fixed interrupt. True: it
 * waits in IRR, and no effect was recorded. False: nothing has been done, and vlapic_msr_write()
 * has to. */
bool vlapic_self_ipi(struct vlapic *v, uint64_t icr);
/* The same and vlapic_take() in one, when nothing else waits and its priority lets it through: it
 * is in service then, and the vCPU takes it. */
bool vlapic_serve_self_ipi(struct vlapic *v, uint64_t icr);
/* A fixed (or lowest-priority) interrupt arrives. False: refused, since the APIC is disabled or the
 * vector is below 16 (an error in ESR). NMI, INIT, SIPI and ExtINT messages are the vCPU's. */
bool vlapic_accept(struct vlapic *v, uint8_t vector, bool level_trigger);
/* The vector that the vCPU is to take now, or -1: the highest in IRR, if PPR lets it through. */
int vlapic_pending(const struct vlapic *v);
/* The vCPU takes it: IRR to ISR. The spurious vector, and no change, if there is none. */
uint8_t vlapic_ack(struct vlapic *v);
/* The same; -1, and no change, when there is none. */
int vlapic_take(struct vlapic *v);
/* The page's words have been written from outside: a state that is restored, or a test. */
void vlapic_page_changed(struct vlapic *v);
/* End of interrupt, as by a write to EOI; nothing if none is in service. */
void vlapic_eoi(struct vlapic *v);
/* The same after virtual-interrupt delivery has done it for that vector (EOI-induced exit). */
void vlapic_eoi_done(struct vlapic *v, uint8_t vector);
/* Highest vector requested and in service, or -1: RVI and SVI of virtual-interrupt delivery. */
int vlapic_highest_irr(const struct vlapic *v);
int vlapic_highest_isr(const struct vlapic *v);

/* Task priority; as CR8, bits 7:4 of it. PPR is what lowest-priority arbitration compares. */
uint8_t vlapic_tpr(const struct vlapic *v);
void vlapic_set_tpr(struct vlapic *v, uint8_t tpr);
uint8_t vlapic_cr8(const struct vlapic *v);
void vlapic_set_cr8(struct vlapic *v, uint8_t cr8);
uint8_t vlapic_ppr(const struct vlapic *v);

/* When vlapic_advance() is to be called next, guest TSC; VLAPIC_NEVER if masked or stopped. */
uint64_t vlapic_deadline(const struct vlapic *v);
/* Time has come to now; delivers the timer's interrupt if it is due: once. */
void vlapic_advance(struct vlapic *v, uint64_t now);
/* vlapic_advance() and vlapic_take() in one, for the common case: the timer is one that fires once,
 * it is due, a fixed interrupt comes of it, nothing else waits and its priority lets it through.
 * The vector, and the timer is off; -1: it was not that case, and nothing has been done. */
int vlapic_fire(struct vlapic *v, uint64_t now);
/* The common case of a write to IA32_TSC_DEADLINE: the timer is in that mode, not masked, nothing
 * is due and the deadline is ahead. True: it is set, and vlapic_deadline() says the same. False: it
 * was not that case, nothing has been done, and vlapic_msr_write() has to. */
bool vlapic_arm_deadline(struct vlapic *v, uint64_t deadline, uint64_t now);
/* The same for a write to the initial count of an x2APIC: not periodic, not masked, not 0. */
bool vlapic_start_timer(struct vlapic *v, uint64_t count, uint64_t now);
/* The guest's TSC is now delta more than it was (modulo 2^64). */
void vlapic_tsc_moved(struct vlapic *v, uint64_t delta);

/* True if the 8259's interrupt goes to the vCPU: LINT0 is ExtINT and unmasked, or there is no APIC
 * in between. */
bool vlapic_lint0_extint(const struct vlapic *v);
/* Pin LINT0 or LINT1 (0, 1; the 8259's output and NMI on a PC) is asserted or not, whatever the
 * polarity. ExtINT is not delivered by this. */
void vlapic_set_lint(struct vlapic *v, unsigned pin, bool level);
/* The thermal sensor or the performance counters (VLAPIC_LVT_THERMAL, _PERF) want an interrupt. */
void vlapic_raise(struct vlapic *v, enum vlapic_register lvt);

/* What apic_matches() wants to know. False: disabled in IA32_APIC_BASE, hears nothing. */
bool vlapic_target(const struct vlapic *v, struct apic_target *out);

#endif
