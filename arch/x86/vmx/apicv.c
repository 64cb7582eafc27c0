/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC in hardware, as far as the CPU can. In x2APIC mode registers are read, the task
 * priority is written and interrupts are ended without an exit. As an xAPIC, at the usual address
 * (apic_page.c), its task priority is written so, on newer CPUs registers are read, and those that
 * are written come as a number and not as an instruction to be decoded. All else is
 * drivers/emu/vlapic.c's. SDM: "APIC Virtualization and Virtual Interrupts".
 *
 * Interrupts go in by event injection, not by RVI, though RVI would spare the interrupt window:
 * Bochs delivers a requested virtual interrupt even with IF clear when a physical one arrives. So
 * RVI is set only for an interrupt that waits for the task priority, where nothing else works; one
 * that waits for a handler to end gets an exit at that handler's EOI. An xAPIC has no virtual-
 * interrupt delivery at all: with it the CPU would serve a self-IPI in ICR by RVI.
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

uint32_t vmx_apic_controls(const struct vcpu *v)
{
    if (vlapic_x2apic(&v->apic))
        return vmx_caps.apicv ? VMX_CTL_APICV : 0;
    return vmx_apic_page_there(v->vm) ? vmx_caps.xapic : 0;
}

void vmx_apic_mode(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    uint64_t base;
    if (!vlapic_mmio_base(&v->apic, &base) || base != VLAPIC_DEFAULT_BASE)
        vmx_apic_page_leave(v->vm);
    uint32_t controls = vmx_caps.word[WORD_PROC2] | vmx_apic_controls(v);
    if (controls == xv->proc_controls2)
        return;
    xv->proc_controls2 = controls;
    xv->apicv = controls & VMX_CTL(VIRTUAL_INTERRUPT_DELIVERY);
    vmcs_set(PROC_BASED_CONTROLS2, controls);
    vmx_choose_msr_bitmap(xv);
    vmx_clear_tpr_threshold(v);
    vcpu_request(v, REQUEST_EVENT); /* for what waits there is another one, or RVI */
    vmx_apicv_reset(v);
}
