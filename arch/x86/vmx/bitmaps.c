/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O and MSR bitmaps from policy. PURE. SDM: "VM-Execution Control Fields".
 */
#include "arch/x86/vmx/bitmaps.h"

#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define LOW_LAST   0x1fffu
#define HIGH_FIRST 0xc0000000u
#define HIGH_LAST  0xc0001fffu
#define WRITE_HALF 2048
#define HIGH_PART  1024

/* Byte offset of an MSR's read bit, or -1: MSRs outside both ranges always exit. */
static int locate(uint32_t msr)
{
    if (msr <= LOW_LAST)
        return (int)(msr / 8);
    if (msr >= HIGH_FIRST && msr <= HIGH_LAST)
        return (int)(HIGH_PART + (msr - HIGH_FIRST) / 8);
    return -1;
}

void vmx_build_msr_bitmap(uint8_t *page, const struct msr_features *features)
{
    memset(page, 0xff, 4096);
    for (size_t i = 0; i < msr_row_count; i++) {
        const struct msr_row *row = &msr_rows[i];
        if (!msr_row_offered(row, features))
            continue;
        for (uint32_t msr = row->first; msr <= row->last; msr++) {
            int at = locate(msr);
            if (at < 0)
                continue;
            uint8_t bit = (uint8_t)BIT(msr % 8);
            if (row->read == MSR_HARDWARE)
                page[at] &= (uint8_t)~bit;
            if (row->write == MSR_HARDWARE)
                page[at + WRITE_HALF] &= (uint8_t)~bit;
        }
    }
}

static void open(uint8_t *page, uint32_t msr, bool write)
{
    page[locate(msr) + (write ? WRITE_HALF : 0)] &= (uint8_t)~BIT(msr % 8);
}

void vmx_open_x2apic(uint8_t *page)
{
    /* ID, version; TPR; PPR; LDR; SVR; ISR, TMR, IRR, ESR; LVTs but CMCI; initial count; divide. */
    static const struct {
        uint16_t first, last;
    } reads[] = {{0x802, 0x803}, {0x808, 0x808}, {0x80a, 0x80a}, {0x80d, 0x80d}, {0x80f, 0x828},
                 {0x832, 0x838}, {0x83e, 0x83e}};
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        for (uint32_t msr = reads[i].first; msr <= reads[i].last; msr++)
            open(page, msr, false);
    open(page, 0x808, true);
    open(page, 0x80b, true);
    /* Not SELF_IPI: what it requests would be RVI's, see apicv.c. */
}

void vmx_open_spec_ctrl(uint8_t *page)
{
    open(page, MSR_IA32_SPEC_CTRL, false);
    open(page, MSR_IA32_SPEC_CTRL, true);
}

bool vmx_msr_bitmap_exits(const uint8_t *page, uint32_t msr, bool write)
{
    int at = locate(msr);
    return at < 0 || (page[at + (write ? WRITE_HALF : 0)] & BIT(msr % 8));
}

void vmx_build_io_bitmaps(uint8_t *page_a, uint8_t *page_b)
{
    memset(page_a, 0xff, 4096);
    memset(page_b, 0xff, 4096);
}
