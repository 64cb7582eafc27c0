/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the image parsers: what the files of one kind each share. Only core/image*.c include it.
 */
#ifndef CORE_IMAGE_PARSE_H
#define CORE_IMAGE_PARSE_H

#include "core/image.h"
#include "core/lib/bytes.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define IMAGE_TOP BIT(40) /* no guest has more than 1 TiB */

/* The file, and where to say why it is refused. */
struct image_input {
    const uint8_t *data;
    size_t len;
    char *why;
    size_t why_size;
};

/* Says why and returns false, so that a check is one line. */
#define refuse(in, ...) (fmt_print((in)->why, (in)->why_size, __VA_ARGS__), false)

/* Each: is the file of this kind; parse it, into a cleared *out. False after saying why. */
bool image_is_bzimage(const struct image_input *in);
bool image_parse_bzimage(const struct image_input *in, struct image *out);
bool image_is_elf(const struct image_input *in);
bool image_parse_elf(const struct image_input *in, struct image *out);

struct mb1_header {
    size_t at; /* file offset */
    uint32_t flags;
};

/* False: there is none. */
bool image_find_mb1(const struct image_input *in, struct mb1_header *h);
/* Does the header say itself where the file goes? */
bool image_mb1_has_addresses(const struct mb1_header *h);
/* With the header's addresses if it has them, else with the segments and the entry that are in *out
 * already. */
bool image_parse_mb1(const struct image_input *in, const struct mb1_header *h, struct image *out);
/* For a message: what looks like a Multiboot1 header in a file that has none; else "". */
#define IMAGE_MISS_SIZE 64
const char *image_mb1_miss(const struct image_input *in, char text[IMAGE_MISS_SIZE]);

/* Can a CPU in 32-bit mode start at entry: do bytes of the file lie there? */
bool image_entry_is_loaded(const struct image *image, uint64_t entry);

#endif
