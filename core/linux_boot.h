/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest kernel finds in memory besides itself: where it may lie, and its bytes. PURE: fills
 * the caller's buffers, which the caller then copies to guest memory. Chooses no memory map and
 * sets no register. Have open: Linux "The Linux/x86 Boot Protocol" and "Zero Page", Xen
 * "arch-x86/hvm/start_info.h".
 */
#ifndef CORE_LINUX_BOOT_H
#define CORE_LINUX_BOOT_H

#include "core/image.h"
#include "core/lib/bits.h"

#define BOOT_PARAMS_SIZE 4096
#define E820_MAX         128 /* entries of boot_params.e820_table */

enum e820_type {
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3,
    E820_NVS = 4,
};

struct e820_range {
    uint64_t base, length; /* guest-physical, bytes */
    enum e820_type type;
};

/* What both protocols hand over; addresses are guest-physical. */
struct linux_boot_args {
    uint64_t cmdline;      /* address of the terminated command line; PVH: ignored */
    const char *text;      /* the command line itself; boot_params: only its length is checked */
    uint64_t initrd;       /* address; ignored when initrd_size is 0 */
    uint64_t initrd_size;  /* bytes */
    uint64_t rsdp;         /* 0: none */
    const struct e820_range *e820;
    uint32_t e820_count;
};

/* Fills page (4096 bytes, contents lost) as the boot_params of the bzImage at data[len], which
 * image_parse() made image of. False with a constant text in *why: not a bzImage, too many E820
 * ranges, a command line longer than the kernel takes. */
MUST_CHECK bool linux_fill_boot_params(const uint8_t *data, size_t len, const struct image *image,
                                       const struct linux_boot_args *args, uint8_t *page,
                                       const char **why);

/* Builds hvm_start_info version 1 in buf[size], with the memory map, the module list (the initrd is
 * module 0) and the command line behind it; buf will lie at guest-physical gpa (8-byte aligned),
 * where hvm_start_info comes first. Returns the bytes used, 0 if size is not enough. */
MUST_CHECK size_t pvh_build_start_info(uint8_t *buf, size_t size, uint64_t gpa,
                                       const struct linux_boot_args *args);

/* The highest 4 KiB aligned address where size bytes end at or below limit, start at or above floor
 * and do not touch the kernel. False: there is none. */
MUST_CHECK bool boot_place_high(const struct image *image, uint64_t size, uint64_t floor,
                                uint64_t limit, uint64_t *gpa);

/* The same, lowest address first. */
MUST_CHECK bool boot_place_low(const struct image *image, uint64_t size, uint64_t floor,
                               uint64_t limit, uint64_t *gpa);

/* Where the initrd goes in a guest whose RAM starts at 0 and has ram_low bytes below 3 GiB (more is
 * cut to that): as high as the kernel allows, not below 1 MiB. */
MUST_CHECK bool linux_place_initrd(const struct image *image, uint64_t size, uint64_t ram_low,
                                   uint64_t *gpa);

#endif
