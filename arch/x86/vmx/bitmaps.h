/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware's I/O and MSR bitmaps, derived from core's policy rows. PURE. SDM: "VM-Execution
 * Control Fields", "I/O-Bitmap Addresses" and "MSR-Bitmap Address".
 */
#ifndef ARCH_X86_VMX_BITMAPS_H
#define ARCH_X86_VMX_BITMAPS_H

#include "core/msr.h"

/* Fills a page (4096 bytes): an MSR exits unless its row lets the hardware do it. */
void vmx_build_msr_bitmap(uint8_t *page, const struct msr_features *features);
/* Opens what the CPU virtualises in x2APIC mode: reads of registers that the page keeps current,
 * writes of TPR, EOI and SELF IPI. */
void vmx_open_x2apic(uint8_t *page);
/* Opens IA32_SPEC_CTRL, for vCPUs that have given it a value. */
void vmx_open_spec_ctrl(uint8_t *page);
/* Fills two pages: every port exits; nothing is passed through. */
void vmx_build_io_bitmaps(uint8_t *page_a, uint8_t *page_b);
/* What the bitmap says: true if RDMSR (WRMSR) of that number exits. */
bool vmx_msr_bitmap_exits(const uint8_t *page, uint32_t msr, bool write);

#endif
