/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest images: any bytes are recognised and placed. What image_parse() accepts must be loadable
 * without a further check, and the boot protocol builders must accept it and stay in their buffers.
 * The last eight bytes of the input double as sizes for the placement functions.
 */
#include <stdlib.h>
#include <string.h>

#include "core/image.h"
#include "core/linux_boot.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const struct image *img, size_t size)
{
    uint64_t need = image_min_memory(img), from, len;
    bool entry_loaded = false;
    CHECK(img->segment_count >= 1 && img->segment_count <= IMAGE_SEGMENTS);
    for (uint32_t i = 0; i < img->segment_count; i++) {
        const struct image_segment *s = &img->segments[i];
        CHECK(s->offset <= size && s->filesz <= size - s->offset);
        CHECK(s->filesz <= s->memsz && s->memsz > 0);
        CHECK(s->paddr < BIT(42) && s->memsz <= BIT(42) && s->paddr + s->memsz <= need);
        CHECK(image_overlaps(img, s->paddr, 1));
        entry_loaded |= img->entry >= s->paddr && img->entry - s->paddr < s->memsz;
        for (uint32_t j = 0; j < i; j++)
            CHECK(img->segments[j].paddr >= s->paddr + s->memsz ||
                  s->paddr >= img->segments[j].paddr + img->segments[j].memsz);
    }
    CHECK(entry_loaded && need % 4096 == 0);
    CHECK(!image_overlaps(img, need, BIT(40)));
    for (uint32_t i = 0; image_used_range(img, i, &from, &len); i++)
        CHECK(from + len <= need);
}

static void check_place(const struct image *img, uint64_t size, uint64_t ram)
{
    uint64_t at;
    if (boot_place_high(img, size, 0x1000, ram, &at))
        CHECK(at >= 0x1000 && at % 4096 == 0 && at + size <= ram &&
              !image_overlaps(img, at, size));
    if (boot_place_low(img, size, 0x1000, ram, &at)) {
        CHECK(at >= 0x1000 && at % 4096 == 0 && at + size <= ram);
        CHECK(!image_overlaps(img, at, size));
        CHECK(boot_place_high(img, size, 0x1000, ram, &at)); /* where one finds, both do */
    }
    if (linux_place_initrd(img, size, ram, &at))
        CHECK(at >= 0x100000 && at + size <= 0xc0000000 && !image_overlaps(img, at, size));
}

static void check_protocols(const uint8_t *data, size_t size, const struct image *img)
{
    static const struct e820_range map[] = {{0, 0x9f000, E820_RAM}, {0x100000, 1, E820_RAM}};
    const struct linux_boot_args args = {.cmdline = 0x20000, .text = "", .initrd = 0x5000000,
                                         .initrd_size = size, .e820 = map, .e820_count = 2};
    uint8_t *page = malloc(BOOT_PARAMS_SIZE);
    const char *why;
    bool ok = linux_fill_boot_params(data, size, img, &args, page, &why);
    CHECK(ok == (img->kind == IMAGE_BZIMAGE) && ok == (why == NULL));
    if (ok) {
        CHECK(memcmp(page + 0x202, "HdrS", 4) == 0 && page[0x210] == 0xff && page[0x1e8] == 2);
        for (size_t i = img->bz.header_end; i < 0x2d0; i++)
            CHECK(page[i] == 0);
    }
    size_t n = pvh_build_start_info(page, size % BOOT_PARAMS_SIZE, 0x6000, &args);
    CHECK(n <= size % BOOT_PARAMS_SIZE);
    free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image img;
    char why[160];
    uint32_t sizes[2] = {0};
    bool ok = image_parse(data, size, &img, why, sizeof(why));
    CHECK(memchr(why, 0, sizeof(why)) != NULL);
    CHECK(ok == (why[0] == '\0') && ok == (img.kind != IMAGE_UNKNOWN));
    if (!ok)
        return 0;
    if (size >= 8)
        memcpy(sizes, data + size - 8, 8);
    check_segments(&img, size);
    check_place(&img, sizes[0], sizes[1]);
    check_place(&img, sizes[0] & 0xffffff, (uint64_t)sizes[1] << 4);
    check_protocols(data, size, &img);
    return 0;
}
