/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot1 information structure. PURE. Everything it points to is 32 bits wide, so what ends
 * above 4 GiB cannot be handed over; the memory map's entries are 64 bits wide. Have open:
 * "Multiboot Specification version 0.6.96", "Boot information format".
 */
#include "core/multiboot1.h"

#include "core/lib/string.h"

#define INFO_SIZE     116u /* up to the framebuffer's fields, which stay 0 */
#define MODULE_SIZE   16u
#define RANGE_SIZE    24u /* with its own size, which does not count itself */
#define LOWER_MAX     640u  /* KiB */
#define UPPER_START   UINT64_C(0x100000)

/* Bits of flags: which fields count. */
#define HAS_MEMORY    BIT(0)
#define HAS_CMDLINE   BIT(2)
#define HAS_MODULES   BIT(3)
#define HAS_MAP       BIT(6)
#define HAS_NAME      BIT(9)

static const char loader_name[] = "Plinth";

/* Offsets from the start of the structure. */
struct layout {
    size_t modules, map, strings, end;
};

static void put32(uint8_t *p, uint64_t v)
{
    uint32_t low = (uint32_t)v;
    memcpy(p, &low, sizeof(low));
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

static size_t length_of(const char *s)
{
    return s ? strlen(s) : 0;
}

/* Adds n to *sum; false if that is more than limit. */
static bool add(size_t *sum, size_t n, size_t limit)
{
    if (*sum > limit || n > limit - *sum)
        return false;
    *sum += n;
    return true;
}

static bool make_layout(const struct multiboot1_args *a, size_t size, struct layout *l)
{
    if (a->module_count > MULTIBOOT1_MODULES_MAX || a->e820_count > E820_MAX)
        return false;
    l->modules = INFO_SIZE;
    l->map = l->modules + a->module_count * MODULE_SIZE;
    l->strings = l->end = l->map + a->e820_count * RANGE_SIZE;
    /* Name, space and command line with their end; then the loader's name. */
    size_t name = length_of(a->name), text = length_of(a->cmdline);
    bool fits = add(&l->end, name, size) && add(&l->end, text, size) &&
                add(&l->end, name && text ? 2 : 1, size) &&
                add(&l->end, sizeof(loader_name), size);
    for (uint32_t i = 0; fits && i < a->module_count; i++)
        fits = add(&l->end, a->modules[i].text_len, size) && add(&l->end, 1, size);
    return fits;
}

/* Copies text with its end to buf + *at and steps over it. */
static void put_text(uint8_t *buf, size_t *at, const char *text, size_t len)
{
    memcpy(buf + *at, text, len);
    buf[*at + len] = '\0';
    *at += len + 1;
}

static void put_cmdline(uint8_t *buf, size_t *at, const struct multiboot1_args *a)
{
    size_t name = length_of(a->name), text = length_of(a->cmdline);
    if (name)
        memcpy(buf + *at, a->name, name);
    *at += name;
    if (name && text)
        buf[(*at)++] = ' ';
    put_text(buf, at, text ? a->cmdline : "", text);
}

/* Bytes of RAM from start on without a gap. */
static uint64_t ram_from(const struct multiboot1_args *a, uint64_t start)
{
    uint64_t end = start;
    for (uint32_t i = 0; i < a->e820_count; i++) {
        const struct e820_range *r = &a->e820[i];
        if (r->type == E820_RAM && end >= r->base && end - r->base < r->length)
            end = r->base + r->length;
    }
    return end - start;
}

static void put_modules(uint8_t *buf, size_t *at, uint64_t gpa, const struct multiboot1_args *a,
                        uint8_t *row)
{
    for (uint32_t i = 0; i < a->module_count; i++, row += MODULE_SIZE) {
        const struct multiboot1_module *m = &a->modules[i];
        put32(row, m->start);
        put32(row + 4, m->start + m->size);
        put32(row + 8, gpa + *at);
        put_text(buf, at, m->text_len ? m->text : "", m->text_len);
    }
}

static void put_map(uint8_t *row, const struct multiboot1_args *a)
{
    for (uint32_t i = 0; i < a->e820_count; i++, row += RANGE_SIZE) {
        put32(row, RANGE_SIZE - 4);
        put64(row + 4, a->e820[i].base);
        put64(row + 12, a->e820[i].length);
        put32(row + 20, a->e820[i].type);
    }
}

static bool below_4g(uint64_t start, uint64_t size)
{
    return start <= UINT32_MAX && size <= UINT32_MAX - start;
}

size_t multiboot1_build_info(uint8_t *buf, size_t size, uint64_t gpa,
                             const struct multiboot1_args *a)
{
    struct layout l;
    if (!make_layout(a, size, &l) || !IS_ALIGNED(gpa, 4) || !below_4g(gpa, l.end))
        return 0;
    for (uint32_t i = 0; i < a->module_count; i++)
        if (!below_4g(a->modules[i].start, a->modules[i].size))
            return 0;
    memset(buf, 0, l.end);
    put32(buf, HAS_MEMORY | HAS_CMDLINE | (a->module_count ? HAS_MODULES : 0) |
                   (a->e820_count ? HAS_MAP : 0) | HAS_NAME);
    put32(buf + 4, min_u64(ram_from(a, 0) / 1024, LOWER_MAX));
    put32(buf + 8, min_u64(ram_from(a, UPPER_START) / 1024, UINT32_MAX));
    size_t at = l.strings;
    put32(buf + 16, gpa + at);
    put_cmdline(buf, &at, a);
    if (a->module_count) {
        put32(buf + 20, a->module_count);
        put32(buf + 24, gpa + l.modules);
        put_modules(buf, &at, gpa, a, buf + l.modules);
    }
    if (a->e820_count) {
        put32(buf + 44, a->e820_count * RANGE_SIZE);
        put32(buf + 48, gpa + l.map);
        put_map(buf + l.map, a);
    }
    put32(buf + 64, gpa + at);
    put_text(buf, &at, loader_name, sizeof(loader_name) - 1);
    return l.end;
}
