/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC. PURE, sans-I/O. Messages leave at once, so Delivery Status never shows one waiting,
 * and there is no bus to arbitrate for. Only fixed and lowest-priority interrupts can be level
 * triggered: the data sheet has SMI, NMI, INIT and ExtINT as edges whatever the entry says.
 * Have open: Intel's data sheet "82093AA I/O Advanced Programmable Interrupt Controller", "I/O
 * Redirection Table Registers".
 */
#include "drivers/emu/vioapic.h"

#include "core/apic_route.h"
#include "core/lib/string.h"

#define OFFSET_SELECT    0x00
#define OFFSET_WINDOW    0x10
#define OFFSET_EOI       0x40 /* since version 20h */

#define REG_ID           0x00
#define REG_VERSION      0x01
#define REG_ARBITRATION  0x02
#define REG_ENTRIES      0x10

#define VERSION          (UINT32_C(0x20) | (VIOAPIC_PINS - 1) << 16)
#define ID_SHIFT         24
#define ID_MASK          0x0f

#define RTE_MODE_SHIFT   8
#define RTE_LOGICAL      BIT(11)
#define RTE_REMOTE_IRR   BIT(14)
#define RTE_LEVEL        BIT(15)
#define RTE_MASK         BIT(16)
#define RTE_DEST_SHIFT   56
/* Vector, Delivery Mode, Destination Mode, INTPOL, Trigger Mode, Interrupt Mask; Destination. */
#define RTE_WRITABLE     (BITS(11, 0) | BIT(13) | RTE_LEVEL | RTE_MASK | BITS(63, 56))

static unsigned mode_of(uint64_t entry)
{
    return entry >> RTE_MODE_SHIFT & 7;
}

/* Two of the eight delivery modes are reserved: such an entry sends nothing. */
static bool is_live(uint64_t entry)
{
    return !(entry & RTE_MASK) && mode_of(entry) != 3 && mode_of(entry) != APIC_MODE_SIPI;
}

static bool is_level(uint64_t entry)
{
    return (entry & RTE_LEVEL) && mode_of(entry) <= APIC_MODE_LOWEST;
}

/* --- pins ----------------------------------------------------------------------------------- */

static bool wants_delivery(const struct vioapic *p, unsigned pin)
{
    uint64_t entry = p->entry[pin];
    if (!is_live(entry))
        return false;
    if (is_level(entry))
        return (p->lines & ~p->refused & BIT(pin)) && !(entry & RTE_REMOTE_IRR);
    return (p->edges & BIT(pin)) != 0;
}

void vioapic_set_line(struct vioapic *p, unsigned pin, bool level)
{
    if (pin >= VIOAPIC_PINS)
        return;
    uint32_t bit = (uint32_t)BIT(pin);
    bool rises = level && !(p->lines & bit);
    p->lines = level ? p->lines | bit : p->lines & ~bit;
    if (rises && !is_level(p->entry[pin]) && is_live(p->entry[pin]))
        p->edges |= bit;
}

bool vioapic_hears(const struct vioapic *p, unsigned pin)
{
    return pin < VIOAPIC_PINS && is_live(p->entry[pin]);
}

bool vioapic_take(struct vioapic *p, struct apic_message *out)
{
    for (uint32_t waiting = p->lines | p->edges; waiting; waiting &= waiting - 1) {
        unsigned pin = (unsigned)__builtin_ctz(waiting);
        if (!wants_delivery(p, pin))
            continue;
        uint64_t entry = p->entry[pin];
        memset(out, 0, sizeof(*out));
        out->vector = (uint8_t)entry;
        out->mode = (uint8_t)mode_of(entry);
        out->logical = (entry & RTE_LOGICAL) != 0;
        out->level_assert = true;
        out->level_trigger = is_level(entry);
        out->destination = (uint32_t)(entry >> RTE_DEST_SHIFT);
        if (is_level(entry))
            p->entry[pin] |= RTE_REMOTE_IRR;
        p->edges &= ~(uint32_t)BIT(pin);
        p->taken = (uint8_t)pin;
        return true;
    }
    return false;
}

void vioapic_refused(struct vioapic *p)
{
    if (!is_level(p->entry[p->taken]))
        return;
    p->entry[p->taken] &= ~RTE_REMOTE_IRR;
    p->refused |= (uint32_t)BIT(p->taken);
}

void vioapic_retry(struct vioapic *p)
{
    p->refused = 0;
}

void vioapic_eoi(struct vioapic *p, uint8_t vector)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        if ((uint8_t)p->entry[pin] == vector && is_level(p->entry[pin]))
            p->entry[pin] &= ~RTE_REMOTE_IRR;
}

/* --- registers ------------------------------------------------------------------------------ */

static void write_entry(struct vioapic *p, unsigned pin, bool upper, uint32_t value)
{
    uint64_t old = p->entry[pin];
    uint64_t entry = upper ? (uint32_t)old | (uint64_t)value << 32 : (old & BITS(63, 32)) | value;
    entry &= RTE_WRITABLE;
    if (is_level(entry)) /* kept by the hardware; an entry that is no longer level has none */
        entry |= old & RTE_REMOTE_IRR;
    if (is_level(entry) || !is_live(entry))
        p->edges &= ~(uint32_t)BIT(pin);
    p->entry[pin] = entry;
}

static void write_window(struct vioapic *p, uint32_t value)
{
    if (p->select == REG_ID)
        p->id = value >> ID_SHIFT & ID_MASK;
    else if (p->select >= REG_ENTRIES && p->select < REG_ENTRIES + 2 * VIOAPIC_PINS)
        write_entry(p, (p->select - REG_ENTRIES) / 2u, p->select & 1, value);
}

static uint32_t read_window(const struct vioapic *p)
{
    if (p->select == REG_ID || p->select == REG_ARBITRATION)
        return (uint32_t)p->id << ID_SHIFT;
    if (p->select == REG_VERSION)
        return VERSION;
    if (p->select < REG_ENTRIES || p->select >= REG_ENTRIES + 2 * VIOAPIC_PINS)
        return 0;
    uint64_t entry = p->entry[(p->select - REG_ENTRIES) / 2u];
    return (uint32_t)(p->select & 1 ? entry >> 32 : entry);
}

static uint32_t read_dword(const struct vioapic *p, uint64_t offset)
{
    if (offset == OFFSET_SELECT)
        return p->select;
    return offset == OFFSET_WINDOW ? read_window(p) : 0;
}

static void write_dword(struct vioapic *p, uint64_t offset, uint32_t value)
{
    if (offset == OFFSET_SELECT)
        p->select = (uint8_t)value;
    else if (offset == OFFSET_WINDOW)
        write_window(p, value);
    else if (offset == OFFSET_EOI)
        vioapic_eoi(p, (uint8_t)value);
}

static void vioapic_access(void *dev, struct io_access *a)
{
    struct vioapic *p = dev;
    unsigned within = a->offset & 3;
    if (a->offset >= VIOAPIC_BYTES || a->size > 4u - within)
        return;
    if (!a->write) {
        a->value = read_dword(p, a->offset - within) >> (8 * within);
    } else if (a->size == 4 || (a->offset == OFFSET_SELECT && a->size == 1)) {
        /* The registers are 32 bits wide; IOREGSEL has but one byte that counts. */
        write_dword(p, a->offset, (uint32_t)a->value);
    }
}

void vioapic_init(struct vioapic *p, uint8_t id)
{
    memset(p, 0, sizeof(*p));
    p->id = id & ID_MASK;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        p->entry[pin] = RTE_MASK;
}

static void vioapic_reset(void *dev)
{
    struct vioapic *p = dev;
    uint32_t lines = p->lines; /* what drives the pins is not reset with the chip */
    vioapic_init(p, 0);
    p->lines = lines;
}

const struct device_ops vioapic_ops = {.reset = vioapic_reset, .access = vioapic_access};
