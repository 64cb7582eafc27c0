/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver of the physical IOAPICs. Data sheet: Intel 82093AA.
 */
#include "drivers/hw/ioapic.h"

#include "arch/x86/insn.h"

#define IOAPICS          8
#define REG_SELECT       0x00
#define REG_WINDOW       0x10
#define INDEX_VERSION    0x01
#define INDEX_PIN(n)     (0x10 + 2 * (n))
#define PIN_MASKED       BIT(16)
#define PIN_LEVEL        BIT(15)
#define PIN_ACTIVE_LOW   BIT(13)

static struct {
    volatile char *registers;
    uint32_t gsi_base, pins;
} ioapics[IOAPICS];
static unsigned count;

static uint32_t ioapic_read(volatile char *r, uint32_t index)
{
    mmio_write32(r + REG_SELECT, index);
    return mmio_read32(r + REG_WINDOW);
}

static void ioapic_write(volatile char *r, uint32_t index, uint32_t v)
{
    mmio_write32(r + REG_SELECT, index);
    mmio_write32(r + REG_WINDOW, v);
}

void ioapic_add(void *registers, uint32_t gsi_base)
{
    if (count == IOAPICS)
        return;
    volatile char *r = registers;
    uint32_t pins = (ioapic_read(r, INDEX_VERSION) >> 16 & 0xff) + 1;
    for (uint32_t i = 0; i < pins; i++) {
        ioapic_write(r, INDEX_PIN(i), (uint32_t)PIN_MASKED);
        ioapic_write(r, INDEX_PIN(i) + 1, 0);
    }
    ioapics[count].registers = r;
    ioapics[count].gsi_base = gsi_base;
    ioapics[count++].pins = pins;
}

bool ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level, bool active_low)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t pin = gsi - ioapics[i].gsi_base;
        if (gsi < ioapics[i].gsi_base || pin >= ioapics[i].pins)
            continue;
        uint64_t low = vector | (level ? PIN_LEVEL : 0) | (active_low ? PIN_ACTIVE_LOW : 0);
        ioapic_write(ioapics[i].registers, INDEX_PIN(pin) + 1, apic_id << 24);
        ioapic_write(ioapics[i].registers, INDEX_PIN(pin), (uint32_t)low);
        return true;
    }
    return false;
}
