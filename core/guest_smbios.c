/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a guest's SMBIOS tables: entry point, BIOS, system, end. PURE. No structure claims
 * hardware that other tables describe (processors and memory are ACPI's and E820's). Writes only to
 * the caller's buffer, and only where it has asked for room. Have open: DMTF DSP0134, "Structure
 * standards" and "Structure definitions".
 */
#include "core/guest_smbios.h"

#include "core/lib/string.h"

#define ENTRY_LEN        31u
#define ENTRY_FIRST_PART 16u /* what the first checksum is over; the second is over the rest */
#define TABLE_OFFSET     32u

#define TYPE_BIOS        0u
#define TYPE_SYSTEM      1u
#define TYPE_END         127u
#define BIOS_LEN         24u
#define SYSTEM_LEN       27u
#define END_LEN          4u
#define TEXT_MAX         64u

#define BIOS_NO_FEATURES 0x08u /* characteristics are not listed */
#define BIOS_ACPI        0x01u /* first extension byte */
#define BIOS_VM          0x10u /* second: this is a virtual machine */
#define UNKNOWN_RELEASE  0xffu
#define WAKE_POWER       6u

struct writer {
    uint8_t *buf;
    size_t size, used;
    unsigned structures, largest; /* so far; bytes with its texts */
    bool overflow;
};

/* Room for n zeroed bytes, or NULL. */
static uint8_t *take(struct writer *w, size_t n)
{
    if (w->overflow || w->size - w->used < n) {
        w->overflow = true;
        return NULL;
    }
    uint8_t *p = w->buf + w->used;
    memset(p, 0, n);
    w->used += n;
    return p;
}

/* A structure: its formatted part with the header filled in. Handles count from 0. */
static uint8_t *open_structure(struct writer *w, uint8_t type, uint8_t len)
{
    uint8_t *p = take(w, len);
    if (p) {
        p[0] = type;
        p[1] = len;
        p[2] = (uint8_t)w->structures;
    }
    w->structures++;
    return p;
}

/* The texts that its fields count from 1, and the two zero bytes at the end. */
static void close_structure(struct writer *w, size_t start, const char *const *texts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(texts[i]);
        if (len == 0 || len > TEXT_MAX)
            w->overflow = true;
        uint8_t *p = w->overflow ? NULL : take(w, len + 1);
        if (p)
            memcpy(p, texts[i], len);
    }
    (void)take(w, n ? 1 : 2);
    if (w->used - start > w->largest)
        w->largest = (unsigned)(w->used - start);
}

static void put_bios(struct writer *w, const struct guest_smbios_config *c)
{
    const char *const texts[] = {c->vendor, c->version, c->date};
    size_t start = w->used;
    uint8_t *p = open_structure(w, TYPE_BIOS, BIOS_LEN);
    if (p) {
        p[4] = 1;
        p[5] = 2;
        p[6] = 0x00; /* its segment: F000h */
        p[7] = 0xf0;
        p[8] = 3;
        p[10] = BIOS_NO_FEATURES;
        p[18] = BIOS_ACPI;
        p[19] = BIOS_VM;
        memset(p + 20, UNKNOWN_RELEASE, 4);
    }
    close_structure(w, start, texts, ARRAY_LEN(texts));
}

static void put_system(struct writer *w, const struct guest_smbios_config *c)
{
    const char *const texts[] = {c->vendor, c->product, c->version};
    size_t start = w->used;
    uint8_t *p = open_structure(w, TYPE_SYSTEM, SYSTEM_LEN);
    if (p) {
        p[4] = 1;
        p[5] = 2;
        p[6] = 3;
        /* No serial number; a UUID of zeros says that there is none. */
        p[24] = WAKE_POWER;
    }
    close_structure(w, start, texts, ARRAY_LEN(texts));
}

/* The byte that makes p[n] sum to zero, given that it is zero now. */
static uint8_t checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum - *p++);
    return sum;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* The entry point of 32 bits, revision 2.8: the one that everybody reads. */
static void put_entry(const struct writer *w)
{
    uint8_t *p = w->buf;
    memset(p, 0, TABLE_OFFSET);
    memcpy(p, "_SM_", 4);
    p[5] = ENTRY_LEN;
    p[6] = 2;
    p[7] = 8;
    put16(p + 8, w->largest);
    memcpy(p + 16, "_DMI_", 5);
    put16(p + 22, (uint32_t)w->used - TABLE_OFFSET);
    put16(p + 24, (GUEST_SMBIOS_AT + TABLE_OFFSET) & 0xffff);
    put16(p + 26, (GUEST_SMBIOS_AT + TABLE_OFFSET) >> 16);
    put16(p + 28, w->structures);
    p[30] = 0x28;
    p[21] = checksum(p + ENTRY_FIRST_PART, ENTRY_LEN - ENTRY_FIRST_PART);
    p[4] = checksum(p, ENTRY_LEN);
}

size_t guest_smbios_build(uint8_t *buf, size_t size, const struct guest_smbios_config *c)
{
    struct writer w = {.buf = buf, .size = size};
    (void)take(&w, TABLE_OFFSET);
    put_bios(&w, c);
    put_system(&w, c);
    size_t start = w.used;
    (void)open_structure(&w, TYPE_END, END_LEN);
    close_structure(&w, start, NULL, 0);
    if (w.overflow)
        return 0;
    put_entry(&w);
    return w.used;
}
