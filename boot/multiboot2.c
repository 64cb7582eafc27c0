/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot2 information block, tag by tag, into struct boot_info. PURE. Trusts no length in
 * the block: a tag is cut out and bounded once (next_tag) and its reader sees only those bytes.
 * Must not follow any address it finds. Have open: Multiboot2 Specification, "Boot information
 * format"; UEFI Specification, "GetMemoryMap" for the types and attributes of tag 17.
 */
#include "boot/multiboot2.h"

#include "core/lib/bytes.h"
#include "core/lib/string.h"

enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI64_SYSTEM_TABLE = 12,
    TAG_RSDP_ACPI1 = 14,
    TAG_RSDP_ACPI2 = 15,
    TAG_EFI_MEMORY_MAP = 17,
    TAG_EFI_BOOT_SERVICES = 18,
    TAG_LOAD_BASE = 21,
};

#define HEADER_SIZE     8u  /* of the block, and of every tag */
#define MODULE_STRING   16u /* offset of the string in a module tag */
#define MAP_ENTRIES     16u /* offset of the first entry in both kinds of memory map */
#define MAP_ENTRY_MIN   20u /* base, length, type; the reserved word may be left out */
#define EFI_DESC_MIN    40u
#define EFI_PAGES_MAX   (UINT64_MAX >> 12)

struct tag {
    uint32_t type;
    const uint8_t *bytes; /* the whole tag with its header */
    size_t size;          /* at least HEADER_SIZE, all of it inside the block */
};

/* Copies text which may lack its terminator. True if nothing was cut. */
static bool copy_text(char *dst, size_t size, const uint8_t *src, size_t len)
{
    const uint8_t *end = memchr(src, 0, len);
    return str_copy_n(dst, size, (const char *)src, end ? (size_t)(end - src) : len);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_memory(struct boot_info *out, uint64_t base, uint64_t length,
                       enum boot_memory_type type)
{
    if (length == 0)
        return;
    if (out->memory_count == BOOT_MEMORY_RANGES || base + length < base) {
        out->memory_dropped++;
        return;
    }
    out->memory[out->memory_count++] = (struct boot_memory){base, length, type};
}

static const char *read_module(struct boot_info *out, const struct tag *t)
{
    if (t->size < MODULE_STRING)
        return "a module tag is too short";
    uint32_t start = get32(t->bytes + 8), end = get32(t->bytes + 12);
    if (out->module_count == BOOT_MODULES || end < start) {
        out->modules_dropped++;
        return NULL;
    }
    struct boot_module *m = &out->modules[out->module_count++];
    m->start = start;
    m->end = end;
    copy_text(m->string, sizeof(m->string), t->bytes + MODULE_STRING, t->size - MODULE_STRING);
    const char *s = m->string;
    while (is_space(*s))
        s++;
    size_t n = 0;
    for (; s[n] && !is_space(s[n]); n++)
        m->name[n] = s[n];
    m->name[n] = '\0';
    return NULL;
}

static const char *read_memory_map(struct boot_info *out, const struct tag *t)
{
    if (t->size < MAP_ENTRIES)
        return "the memory map tag is too short";
    uint32_t step = get32(t->bytes + 8);
    if (step < MAP_ENTRY_MIN)
        return "the memory map's entries are too short";
    for (size_t at = MAP_ENTRIES; t->size - at >= step; at += step) {
        const uint8_t *e = t->bytes + at;
        uint32_t type = get32(e + 16);
        if (type < BOOT_MEMORY_AVAILABLE || type > BOOT_MEMORY_BAD)
            type = BOOT_MEMORY_RESERVED;
        add_memory(out, get64(e), get64(e + 8), (enum boot_memory_type)type);
    }
    return NULL;
}

/* Boot services memory is ours once they have ended; with them alive it is the firmware's. */
static enum boot_memory_type efi_type(uint32_t type, bool boot_services)
{
    switch (type) {
    case 1: /* loader code and data: this image, the modules; the caller keeps those out */
    case 2:
    case 7: /* conventional */
        return BOOT_MEMORY_AVAILABLE;
    case 3: /* boot services code and data */
    case 4:
        return boot_services ? BOOT_MEMORY_RESERVED : BOOT_MEMORY_AVAILABLE;
    case 8:
        return BOOT_MEMORY_BAD;
    case 9:
        return BOOT_MEMORY_ACPI;
    case 10:
        return BOOT_MEMORY_NVS;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static const char *read_efi_map(struct boot_info *out, const struct tag *t)
{
    if (t->size < MAP_ENTRIES)
        return "the EFI memory map tag is too short";
    uint32_t step = get32(t->bytes + 8), version = get32(t->bytes + 12);
    if (step < EFI_DESC_MIN)
        return "the EFI memory map's descriptors are too short";
    if (version != 1)
        return "the EFI memory map has a version other than 1";
    for (size_t at = MAP_ENTRIES; t->size - at >= step; at += step) {
        const uint8_t *e = t->bytes + at;
        uint64_t pages = get64(e + 24);
        if (pages > EFI_PAGES_MAX) {
            out->memory_dropped++;
            continue;
        }
        add_memory(out, get64(e + 8), pages << 12, efi_type(get32(e), out->efi_boot_services));
    }
    return NULL;
}

static const char *read_framebuffer(struct boot_info *out, const struct tag *t)
{
    struct boot_framebuffer *fb = &out->framebuffer;
    if (t->size < 31)
        return "the framebuffer tag is too short";
    if (fb->present)
        return NULL;
    const uint8_t *p = t->bytes;
    fb->addr = get64(p + 8);
    fb->pitch = get32(p + 16);
    fb->width = get32(p + 20);
    fb->height = get32(p + 24);
    fb->bpp = p[28];
    fb->type = p[29];
    if (fb->type == BOOT_FB_RGB) {
        if (t->size < 38)
            return "the framebuffer tag has no colour layout";
        fb->red_pos = p[32];
        fb->red_size = p[33];
        fb->green_pos = p[34];
        fb->green_size = p[35];
        fb->blue_pos = p[36];
        fb->blue_size = p[37];
    }
    fb->present = true;
    return NULL;
}

static void read_rsdp(struct boot_info *out, const struct tag *t)
{
    bool acpi2 = t->type == TAG_RSDP_ACPI2;
    if (out->rsdp_length && (out->rsdp_from_acpi2 || !acpi2))
        return;
    size_t n = t->size - HEADER_SIZE;
    if (n == 0)
        return;
    if (n > BOOT_RSDP_MAX)
        n = BOOT_RSDP_MAX;
    memset(out->rsdp, 0, sizeof(out->rsdp));
    memcpy(out->rsdp, t->bytes + HEADER_SIZE, n);
    out->rsdp_length = (uint32_t)n;
    out->rsdp_from_acpi2 = acpi2;
}

static const char *read_tag(struct boot_info *out, const struct tag *t)
{
    const uint8_t *body = t->bytes + HEADER_SIZE;
    size_t len = t->size - HEADER_SIZE;
    switch (t->type) {
    case TAG_CMDLINE:
        if (!out->cmdline[0])
            out->cmdline_cut = !copy_text(out->cmdline, sizeof(out->cmdline), body, len);
        return NULL;
    case TAG_LOADER:
        if (!out->loader[0])
            copy_text(out->loader, sizeof(out->loader), body, len);
        return NULL;
    case TAG_MODULE:
        return read_module(out, t);
    case TAG_MEMORY_MAP:
        return read_memory_map(out, t);
    case TAG_FRAMEBUFFER:
        return read_framebuffer(out, t);
    case TAG_RSDP_ACPI1:
    case TAG_RSDP_ACPI2:
        read_rsdp(out, t);
        return NULL;
    case TAG_EFI64_SYSTEM_TABLE:
        if (len < 8)
            return "the EFI system table tag is too short";
        if (!out->efi_system_table)
            out->efi_system_table = get64(body);
        return NULL;
    case TAG_EFI_BOOT_SERVICES:
        out->efi_boot_services = true;
        return NULL;
    case TAG_LOAD_BASE:
        if (len < 4)
            return "the load base tag is too short";
        if (!out->load_base_present)
            out->load_base = get32(body);
        out->load_base_present = true;
        return NULL;
    default: /* among them TAG_EFI_MEMORY_MAP, which mb2_parse() reads when it knows the rest */
        return NULL;
    }
}

/* Cuts the tag at *at out of block[size] and steps *at to the next. NULL, or what is wrong. */
static const char *next_tag(const uint8_t *block, size_t size, size_t *at, struct tag *t)
{
    if (*at > size || size - *at < HEADER_SIZE)
        return "the information block has no end tag";
    t->bytes = block + *at;
    t->type = get32(t->bytes);
    t->size = get32(t->bytes + 4);
    if (t->size < HEADER_SIZE)
        return "a tag is shorter than its header";
    if (t->size > size - *at)
        return "a tag runs past the end of the information block";
    *at += ALIGN_UP(t->size, 8);
    return NULL;
}

enum pl_status mb2_parse(uint32_t magic, const void *info, size_t max_len, struct boot_info *out,
                         const char **why)
{
    const uint8_t *block = info;
    struct tag efi_map = {0};
    bool has_map = false;

    memset(out, 0, sizeof(*out));
    *why = NULL;
    if (magic != MB2_MAGIC)
        *why = "not started by a Multiboot2 boot loader (wrong magic in EAX)";
    else if (max_len < HEADER_SIZE)
        *why = "no room for a Multiboot2 information block";
    if (*why)
        return PL_INVALID;
    size_t size = get32(block);
    out->info_size = (uint32_t)size;
    if (size < 2 * HEADER_SIZE)
        *why = "the information block is too short";
    else if (size > max_len)
        *why = "the information block is longer than the memory it may use";

    for (size_t at = HEADER_SIZE; !*why;) {
        struct tag t;
        *why = next_tag(block, size, &at, &t);
        if (*why || t.type == TAG_END)
            break;
        has_map |= t.type == TAG_MEMORY_MAP;
        if (t.type == TAG_EFI_MEMORY_MAP && !efi_map.bytes)
            efi_map = t;
        *why = read_tag(out, &t);
    }
    if (!*why && !has_map && efi_map.bytes) {
        *why = read_efi_map(out, &efi_map);
        out->memory_from_efi = !*why;
    }
    return *why ? PL_INVALID : PL_OK;
}

/* The length of the word at s: up to white space outside double quotes. */
static size_t word_length(const char *s)
{
    bool quoted = false;
    size_t n = 0;
    for (; s[n] && (quoted || !is_space(s[n])); n++)
        if (s[n] == '"')
            quoted = !quoted;
    return n;
}

bool boot_option(const char *cmdline, const char *key, char *value, size_t size)
{
    size_t klen = strlen(key), len = 0;
    const char *found = NULL;
    if (klen == 0)
        return false;
    for (const char *s = cmdline; *s;) {
        size_t n = word_length(s);
        if (n >= klen && strncmp(s, key, klen) == 0 && (n == klen || s[klen] == '=')) {
            found = s + klen + (n > klen);
            len = n - klen - (n > klen);
        }
        s += n ? n : 1;
    }
    if (!found)
        return false;
    if (len >= 2 && found[0] == '"' && found[len - 1] == '"') {
        found++;
        len -= 2;
    }
    if (size) {
        if (len > size - 1)
            len = size - 1;
        memcpy(value, found, len);
        value[len] = '\0';
    }
    return true;
}
