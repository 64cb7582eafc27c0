/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recognises guest kernels by content; image_linux.c, image_elf.c and image_mb1.c check what they
 * say of themselves. PURE. Every offset that leaves these files lies inside the image that was
 * parsed; every guest-physical range is below IMAGE_TOP, so that sums of a few of them cannot wrap.
 */
#include "core/image.h"

#include "core/image_parse.h"

#define WANTED           "a kernel is a bzImage, an ELF file with a PVH note or a Multiboot1 " \
                         "header, or a flat image"

/* --- flat ---------------------------------------------------------------------------------- */

static bool is_flat(const struct image_input *in)
{
    return in->len >= 512 && in->data[510] == 0x55 && in->data[511] == 0xaa;
}

static bool parse_flat(const struct image_input *in, struct image *out)
{
    if (in->len > IMAGE_FLAT_END - IMAGE_FLAT_LOAD)
        return refuse(in, "a flat boot image of %zu bytes; %u fit (a whole disk image?)", in->len,
                      (unsigned)(IMAGE_FLAT_END - IMAGE_FLAT_LOAD));
    out->segments[0] = (struct image_segment){0, in->len, IMAGE_FLAT_LOAD, in->len};
    out->segment_count = 1;
    out->entry = IMAGE_FLAT_LOAD;
    out->kind = IMAGE_FLAT;
    return true;
}

/* --- all kinds ----------------------------------------------------------------------------- */

/* What is mistaken for a kernel most often. */
static const struct {
    const char *magic;
    uint8_t len;
    const char *text;
} strangers[] = {
    {"\x1f\x8b", 2, "gzip-compressed: gunzip it first"},
    {"\xfd" "7zXZ", 5, "xz-compressed: unxz it first"},
    {"\x28\xb5\x2f\xfd", 4, "zstd-compressed: unzstd it first"},
    {"BZh", 3, "bzip2-compressed: bunzip2 it first"},
    {"\x04\x22\x4d\x18", 4, "lz4-compressed: unlz4 it first"},
    {"\x02\x21\x4c\x18", 4, "lz4-compressed: unlz4 it first"},
    {"070701", 6, "a cpio archive: is that the initrd?"},
    {"!<arch>", 7, "an ar archive: unpack the package first"},
    {"MZ", 2, "a PE (EFI) program without a Linux boot header"},
};

static bool refuse_unknown(const struct image_input *in)
{
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
        if (in->len >= strangers[i].len &&
            memcmp(in->data, strangers[i].magic, strangers[i].len) == 0)
            return refuse(in, "%s; " WANTED, strangers[i].text);
    if (in->len < 4)
        return refuse(in, "%s; " WANTED, in->len ? "too short for a kernel" : "an empty file");
    return refuse(in, "of no known kind (starts with bytes %02x %02x %02x %02x); " WANTED,
                  in->data[0], in->data[1], in->data[2], in->data[3]);
}

bool image_parse(const uint8_t *data, size_t len, struct image *out, char *why, size_t why_size)
{
    struct image_input in = {data, len, why, why_size};
    struct mb1_header mb1 = {0, 0};
    bool ok;
    if (why_size)
        why[0] = '\0';
    memset(out, 0, sizeof(*out));
    /* A bzImage is also a PE file and has a boot sector's signature: it must be asked first. */
    if (image_is_bzimage(&in))
        ok = image_parse_bzimage(&in, out);
    else if (image_is_elf(&in))
        ok = image_parse_elf(&in, out);
    else if (image_find_mb1(&in, &mb1) && image_mb1_has_addresses(&mb1))
        ok = image_parse_mb1(&in, &mb1, out);
    else if (is_flat(&in))
        ok = parse_flat(&in, out);
    else
        ok = refuse_unknown(&in);
    if (!ok)
        memset(out, 0, sizeof(*out));
    return ok;
}

const char *image_kind_name(enum image_kind kind)
{
    static const char *const names[] = {"unknown", "bzImage", "PVH ELF", "flat",
                                        "Multiboot1"};
    return (unsigned)kind < ARRAY_LEN(names) ? names[kind] : names[0];
}

bool image_used_range(const struct image *image, uint32_t i, uint64_t *start, uint64_t *len)
{
    if (i < image->segment_count) {
        *start = image->segments[i].paddr;
        *len = image->segments[i].memsz;
        return true;
    }
    if (i > image->segment_count || image->kind != IMAGE_BZIMAGE)
        return false;
    *start = image->bz.runtime_start;
    *len = image->bz.init_size;
    return true;
}

bool image_overlaps(const struct image *image, uint64_t start, uint64_t len)
{
    uint64_t from, n;
    for (uint32_t i = 0; image_used_range(image, i, &from, &n); i++)
        if (len && n && (start >= from ? start - from < n : from - start < len))
            return true;
    return false;
}

bool image_entry_is_loaded(const struct image *out, uint64_t entry)
{
    for (uint32_t i = 0; i < out->segment_count; i++)
        if (entry >= out->segments[i].paddr &&
            entry - out->segments[i].paddr < out->segments[i].filesz)
            return entry <= UINT32_MAX;
    return false;
}

uint64_t image_min_memory(const struct image *image)
{
    uint64_t from, n, top = 0;
    for (uint32_t i = 0; image_used_range(image, i, &from, &n); i++)
        top = max_u64(top, from + n);
    return ALIGN_UP(top, 4096);
}
