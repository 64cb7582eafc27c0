/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot_params, hvm_start_info and the places of things in a fresh guest. PURE. Writes only to the
 * caller's buffers; the caller has placed and will copy them. Have open: Linux "The Linux/x86 Boot
 * Protocol" and "Zero Page"; Xen "arch-x86/hvm/start_info.h".
 */
#include "core/linux_boot.h"

#include "core/lib/string.h"

/* Offsets in boot_params; the setup header has the same offsets there as in the file. */
#define BP_ACPI_RSDP        0x070u
#define BP_EXT_RAMDISK      0x0c0u
#define BP_EXT_RAMDISK_SIZE 0x0c4u
#define BP_EXT_CMDLINE      0x0c8u
#define BP_E820_ENTRIES     0x1e8u
#define BP_SETUP_HEADER     0x1f1u
#define BP_VID_MODE         0x1fau
#define BP_TYPE_OF_LOADER   0x210u
#define BP_LOADFLAGS        0x211u
#define BP_CODE32_START     0x214u
#define BP_RAMDISK          0x218u
#define BP_RAMDISK_SIZE     0x21cu
#define BP_HEAP_END         0x224u
#define BP_CMDLINE          0x228u
#define BP_SETUP_DATA       0x250u
#define BP_E820_TABLE       0x2d0u
#define E820_ENTRY          20u

#define LOADED_HIGH         0x01u
#define CAN_USE_HEAP        0x80u
#define VID_MODE_NORMAL     0xffffu
#define LOADER_UNDEFINED    0xffu

#define PVH_MAGIC           0x336ec578u
#define PVH_INFO_SIZE       56u
#define PVH_MODULE_SIZE     32u
#define PVH_RANGE_SIZE      24u

#define INITRD_FLOOR        UINT64_C(0x100000)
#define INITRD_LIMIT        UINT64_C(0xc0000000)
#define PAGE                UINT64_C(4096)

static void put16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint64_t v)
{
    uint32_t low = (uint32_t)v;
    memcpy(p, &low, sizeof(low));
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void fill_header_fields(const struct image *image, const struct linux_boot_args *args,
                               uint8_t *page)
{
    page[BP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    page[BP_LOADFLAGS] = (uint8_t)((page[BP_LOADFLAGS] | LOADED_HIGH) & ~CAN_USE_HEAP);
    put16(page + BP_VID_MODE, VID_MODE_NORMAL);
    put16(page + BP_HEAP_END, 0);
    put32(page + BP_CODE32_START, image->segments[0].paddr);
    put64(page + BP_SETUP_DATA, 0); /* what the file has there would be followed as a pointer */
    put32(page + BP_CMDLINE, args->cmdline);
    put32(page + BP_EXT_CMDLINE, args->cmdline >> 32);
    uint64_t initrd = args->initrd_size ? args->initrd : 0;
    put32(page + BP_RAMDISK, initrd);
    put32(page + BP_EXT_RAMDISK, initrd >> 32);
    put32(page + BP_RAMDISK_SIZE, args->initrd_size);
    put32(page + BP_EXT_RAMDISK_SIZE, args->initrd_size >> 32);
}

bool linux_fill_boot_params(const uint8_t *data, size_t len, const struct image *image,
                            const struct linux_boot_args *args, uint8_t *page, const char **why)
{
    *why = NULL;
    if (image->kind != IMAGE_BZIMAGE || image->bz.header_end > len ||
        image->bz.header_end < BP_SETUP_DATA + 8 || image->bz.header_end > BP_E820_TABLE)
        *why = "not a Linux bzImage";
    else if (args->e820_count > E820_MAX)
        *why = "more memory ranges than boot_params holds";
    else if (args->text && strlen(args->text) > image->bz.cmdline_size)
        *why = "the command line is longer than this kernel takes";
    if (*why)
        return false;
    memset(page, 0, BOOT_PARAMS_SIZE);
    memcpy(page + BP_SETUP_HEADER, data + BP_SETUP_HEADER, image->bz.header_end - BP_SETUP_HEADER);
    fill_header_fields(image, args, page);
    put64(page + BP_ACPI_RSDP, args->rsdp);
    page[BP_E820_ENTRIES] = (uint8_t)args->e820_count;
    for (uint32_t i = 0; i < args->e820_count; i++) {
        uint8_t *e = page + BP_E820_TABLE + i * E820_ENTRY;
        put64(e, args->e820[i].base);
        put64(e + 8, args->e820[i].length);
        put32(e + 16, args->e820[i].type);
    }
    return true;
}

size_t pvh_build_start_info(uint8_t *buf, size_t size, uint64_t gpa,
                            const struct linux_boot_args *args)
{
    const char *text = args->text ? args->text : "";
    size_t text_size = strlen(text) + 1;
    size_t modules = args->initrd_size ? 1 : 0;
    size_t module_at = PVH_INFO_SIZE;
    size_t map_at = module_at + modules * PVH_MODULE_SIZE;
    size_t room = size < map_at ? 0 : size - map_at;
    if (text_size > room || args->e820_count > (room - text_size) / PVH_RANGE_SIZE)
        return 0;
    size_t text_at = map_at + (size_t)args->e820_count * PVH_RANGE_SIZE;

    memset(buf, 0, text_at);
    put32(buf, PVH_MAGIC);
    put32(buf + 4, 1); /* version */
    put32(buf + 12, modules);
    put64(buf + 16, modules ? gpa + module_at : 0);
    put64(buf + 24, gpa + text_at);
    put64(buf + 32, args->rsdp);
    put64(buf + 40, args->e820_count ? gpa + map_at : 0);
    put32(buf + 48, args->e820_count);
    if (modules) {
        put64(buf + module_at, args->initrd);
        put64(buf + module_at + 8, args->initrd_size);
    }
    for (uint32_t i = 0; i < args->e820_count; i++) {
        uint8_t *e = buf + map_at + i * PVH_RANGE_SIZE;
        put64(e, args->e820[i].base);
        put64(e + 8, args->e820[i].length);
        put32(e + 16, args->e820[i].type);
    }
    memcpy(buf + text_at, text, text_size);
    return text_at + text_size;
}

/* The first range of the kernel that touches [start, start + size). */
static bool find_hit(const struct image *image, uint64_t start, uint64_t size, uint64_t *from,
                     uint64_t *len)
{
    for (uint32_t i = 0; image_used_range(image, i, from, len); i++)
        if (*len && (start >= *from ? start - *from < *len : *from - start < size))
            return true;
    return false;
}

/* Both searches step past one range of the kernel at a time and never come back to it. */
bool boot_place_high(const struct image *image, uint64_t size, uint64_t floor, uint64_t limit,
                     uint64_t *gpa)
{
    uint64_t top = limit, from, len;
    for (;;) {
        if (size == 0 || top < size)
            return false;
        uint64_t start = ALIGN_DOWN(top - size, PAGE);
        if (start < floor)
            return false;
        if (!find_hit(image, start, size, &from, &len)) {
            *gpa = start;
            return true;
        }
        top = from;
    }
}

bool boot_place_low(const struct image *image, uint64_t size, uint64_t floor, uint64_t limit,
                    uint64_t *gpa)
{
    uint64_t start = floor, from, len;
    for (;;) {
        if (size == 0 || start > UINT64_MAX - (PAGE - 1))
            return false;
        start = ALIGN_UP(start, PAGE);
        if (start > limit || size > limit - start)
            return false;
        if (!find_hit(image, start, size, &from, &len)) {
            *gpa = start;
            return true;
        }
        start = from + len;
    }
}

bool linux_place_initrd(const struct image *image, uint64_t size, uint64_t ram_low, uint64_t *gpa)
{
    uint64_t limit = min_u64(ram_low, INITRD_LIMIT);
    if (image->kind == IMAGE_BZIMAGE)
        limit = min_u64(limit, (uint64_t)image->bz.initrd_addr_max + 1);
    return boot_place_high(image, size, INITRD_FLOOR, limit, gpa);
}
