/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC in hardware, while a guest's is in x2APIC mode and the CPU can: its registers are
 * read, its task priority is written and its interrupts are ended without an exit. In every other
 * mode drivers/emu/vlapic.c does it all. SDM: "APIC Virtualization and Virtual Interrupts".
 *
 * Interrupts go in by event injection, not by RVI, though RVI would spare the interrupt window:
 * Bochs delivers a requested virtual interrupt even with IF clear when a physical one arrives. So
 * RVI is set only for an interrupt that waits for the task priority, where nothing else works; one
 * that waits for a handler to end gets an exit at that handler's EOI.
 */
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/vm.h"

#define SVI_SHIFT 8 /* GUEST_INTERRUPT_STATUS: RVI below, SVI above */

static uint64_t set_word(const struct vcpu *v, unsigned set, unsigned i)
{
    const uint8_t *at = v->apic.page + set + 32 * i;
    return *(const uint32_t *)(const void *)at |
           (uint64_t)*(const uint32_t *)(const void *)(at + 16) << 32;
}

/* Level-triggered interrupts end with an exit, for the IOAPIC's sake; those in service as well when
 * one waits for their end. */
static void update_eoi_exits(struct vcpu *v, bool waits)
{
    static const enum vmcs_field fields[] = {
        VMCS_EOI_EXIT_BITMAP_0, VMCS_EOI_EXIT_BITMAP_1, VMCS_EOI_EXIT_BITMAP_2,
        VMCS_EOI_EXIT_BITMAP_3};
    struct vmx_vcpu *xv = vmx_of(v);
    if (likely(!waits) && likely(!v->apic.tmr_words) && likely(!xv->eoi_exits))
        return;
    xv->eoi_exits = waits || v->apic.tmr_words; /* else the loop takes the last ones out */
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = set_word(v, VLAPIC_TMR, i) | (waits ? set_word(v, VLAPIC_ISR, i) : 0);
        if (word == xv->eoi_exit[i])
            continue;
        xv->eoi_exit[i] = word;
        vmx_vmwrite(fields[i], word);
    }
}

void vmx_apicv_update(struct vcpu *v)
{
    int irr = vlapic_highest_irr(&v->apic), isr = vlapic_highest_isr(&v->apic);
    bool blocked = irr >= 0 && (irr & 0xf0) <= (vlapic_ppr(&v->apic) & 0xf0);
    bool by_handler = blocked && isr >> 4 >= irr >> 4;
    uint16_t status = (uint16_t)((isr < 0 ? 0 : isr) << SVI_SHIFT);
    if (blocked && !by_handler) {
        status |= (uint16_t)irr;
        v->apic.isr_words |= v->apic.irr_words; /* the CPU may move there what waits */
    }
    update_eoi_exits(v, by_handler);
    if (vmcs_get(GUEST_INTERRUPT_STATUS) != status)
        vmcs_set(GUEST_INTERRUPT_STATUS, status);
}

void vmx_apicv_reset(struct vcpu *v)
{
    if (vmx_of(v)->apicv)
        vmx_apicv_update(v);
}

void vmx_apic_mode(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    bool on = vmx_caps.apicv && vlapic_x2apic(&v->apic);
    if (on == xv->apicv)
        return;
    xv->apicv = on;
    vmcs_set(PROC_BASED_CONTROLS2, vmx_caps.word[WORD_PROC2] | (on ? VMX_CTL_APICV : 0));
    vmx_choose_msr_bitmap(xv);
    xv->tpr_threshold = 0;
    vmcs_set(TPR_THRESHOLD, 0);
    vmx_apicv_reset(v);
}
