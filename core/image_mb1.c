/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot1 headers, in files of any format. PURE. Have open: "Multiboot Specification version
 * 0.6.96".
 */
#include "core/image_parse.h"

#define MB1_MAGIC        0x1badb002u
#define MB1_SEARCH       8192u   /* the header lies in these first bytes of the file */
#define MB1_UNKNOWN      0xfff8u /* of bits 15:0, which a loader must know; here 2:0, as others */
#define MB1_ADDRESSES    BIT(16) /* the header says itself where the file goes */

bool image_find_mb1(const struct image_input *in, struct mb1_header *h)
{
    size_t end = in->len < MB1_SEARCH ? in->len : MB1_SEARCH;
    for (size_t at = 0; within(at, 12, end); at += 4) {
        const uint8_t *p = in->data + at;
        if (get32(p) == MB1_MAGIC && MB1_MAGIC + get32(p + 4) + get32(p + 8) == 0) {
            *h = (struct mb1_header){at, get32(p + 4)};
            return true;
        }
    }
    return false;
}

const char *image_mb1_miss(const struct image_input *in, char text[IMAGE_MISS_SIZE])
{
    text[0] = '\0';
    for (size_t at = 0; within(at, 12, in->len); at += 4) {
        const uint8_t *p = in->data + at;
        if (get32(p) != MB1_MAGIC)
            continue;
        bool sum = MB1_MAGIC + get32(p + 4) + get32(p + 8) == 0;
        bool near = within(at, 12, MB1_SEARCH);
        if (near == sum) /* far away, magic without checksum is a number like any other */
            continue;
        fmt_print(text, IMAGE_MISS_SIZE, " (that at 0x%zx %s)", at,
                  near ? "has a wrong checksum" : "is not in the first 8 KiB");
        break;
    }
    return text;
}

static bool check_mb1_flags(const struct image_input *in, const struct mb1_header *h)
{
    if (h->flags & MB1_UNKNOWN)
        return refuse(in, "a Multiboot1 kernel that asks for unknown features (flags 0x%x)",
                      h->flags);
    return true;
}

/* The one segment that the header's address fields describe. */
static bool parse_mb1_addresses(const struct image_input *in, const struct mb1_header *h,
                                struct image *out)
{
    const uint8_t *p = in->data + h->at;
    if (!within(h->at, 32, in->len))
        return refuse(in, "a Multiboot1 kernel that is cut off inside its header");
    uint32_t header = get32(p + 12), load = get32(p + 16), load_end = get32(p + 20);
    uint32_t bss_end = get32(p + 24);
    out->entry = get32(p + 28);
    if (load > header || header - load > h->at)
        return refuse(in, "a Multiboot1 kernel whose load_addr 0x%x and header_addr 0x%x do not "
                      "fit its header at 0x%zx", load, header, h->at);
    uint64_t offset = h->at - (header - load);
    uint64_t filesz = load_end ? (uint64_t)load_end - load : in->len - offset;
    if (load_end && load_end <= load)
        return refuse(in, "a Multiboot1 kernel whose load_end_addr 0x%x is not above its load_addr",
                      load_end);
    if (!within(offset, filesz, in->len))
        return refuse(in, "a truncated Multiboot1 kernel: its header says %llu bytes, there are "
                      "%llu", (unsigned long long)filesz, (unsigned long long)(in->len - offset));
    uint64_t memsz = bss_end ? (uint64_t)bss_end - load : filesz;
    if (bss_end && (bss_end < load || memsz < filesz))
        return refuse(in, "a Multiboot1 kernel whose bss_end_addr 0x%x is below what is loaded",
                      bss_end);
    out->segments[0] = (struct image_segment){offset, filesz, load, memsz};
    out->segment_count = 1;
    return true;
}

static bool finish_mb1(const struct image_input *in, struct image *out)
{
    if (!image_entry_is_loaded(out, out->entry))
        return refuse(in, "a Multiboot1 kernel whose entry 0x%llx lies in nothing that is loaded",
                      (unsigned long long)out->entry);
    out->kind = IMAGE_MULTIBOOT1;
    return true;
}

bool image_mb1_has_addresses(const struct mb1_header *h)
{
    return h->flags & MB1_ADDRESSES;
}

bool image_parse_mb1(const struct image_input *in, const struct mb1_header *h, struct image *out)
{
    /* The address fields come before the ELF headers, says the specification. */
    return check_mb1_flags(in, h) &&
           (!image_mb1_has_addresses(h) || parse_mb1_addresses(in, h, out)) && finish_mb1(in, out);
}
