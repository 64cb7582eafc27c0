/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader said, as copies. PURE: the parser reads a Multiboot2 information block
 * (hostile input) and fills struct boot_info, which holds no pointer into the block, so the block's
 * memory can be given away afterwards. Never touches modules or tables, only their addresses. Have
 * open: Multiboot2 Specification, "Boot information format"; UEFI Specification, "GetMemoryMap".
 */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include "core/lib/bits.h"
#include "core/lib/status.h"

#define MB2_MAGIC          0x36d76289u /* EAX at entry */

#define BOOT_CMDLINE_MAX   1024 /* bytes, with the terminator */
#define BOOT_STRING_MAX    256  /* bytes of a module's string, with the terminator */
#define BOOT_MODULES       64
#define BOOT_MEMORY_RANGES 256
#define BOOT_RSDP_MAX      64 /* bytes */

/* The numbers of the Multiboot2 memory map; unknown ones are passed on as BOOT_MEMORY_RESERVED. */
enum boot_memory_type {
    BOOT_MEMORY_AVAILABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3, /* tables: ordinary RAM once they have been read */
    BOOT_MEMORY_NVS = 4,
    BOOT_MEMORY_BAD = 5,
};

struct boot_memory {
    uint64_t base;   /* host-physical, any alignment */
    uint64_t length; /* bytes, never 0; base + length does not wrap */
    enum boot_memory_type type;
};

struct boot_module {
    uint64_t start, end; /* host-physical, [start, end) */
    char name[BOOT_STRING_MAX];   /* first word of string */
    char string[BOOT_STRING_MAX]; /* as GRUB's module2 line had it after the file name */
};

enum boot_fb_type {
    BOOT_FB_INDEXED = 0,
    BOOT_FB_RGB = 1,
    BOOT_FB_TEXT = 2, /* EGA text: width and height are characters */
};

struct boot_framebuffer {
    bool present;
    uint64_t addr;                       /* host-physical */
    uint32_t pitch, width, height;       /* bytes a line, pixels, pixels */
    uint8_t bpp;                         /* bits a pixel */
    uint8_t type;                        /* enum boot_fb_type, or a number we don't know */
    uint8_t red_pos, red_size;           /* bits; only for BOOT_FB_RGB */
    uint8_t green_pos, green_size;
    uint8_t blue_pos, blue_size;
};

struct boot_info {
    uint32_t info_size; /* bytes of the whole information block */

    char cmdline[BOOT_CMDLINE_MAX];
    bool cmdline_cut; /* it was longer */
    char loader[64];

    struct boot_module modules[BOOT_MODULES];
    uint32_t module_count;
    uint32_t modules_dropped; /* there was no room, or end was below start */

    struct boot_memory memory[BOOT_MEMORY_RANGES]; /* in the loader's order, may overlap */
    uint32_t memory_count;
    uint32_t memory_dropped;   /* there was no room, or base + length wraps */
    bool memory_from_efi;      /* no Multiboot2 map (tag 6): made from the EFI map (tag 17) */

    uint8_t rsdp[BOOT_RSDP_MAX]; /* unchecked copy */
    uint32_t rsdp_length;        /* bytes; 0: the loader gave none */
    bool rsdp_from_acpi2;        /* tag 15, not 14 */

    struct boot_framebuffer framebuffer;

    uint64_t efi_system_table; /* host-physical; 0: none (BIOS) */
    bool efi_boot_services;    /* tag 18: the firmware is still running */
    bool load_base_present;
    uint32_t load_base;        /* host-physical address the image was loaded at */
};

/* Parses the block at info, of which at most max_len bytes may be read. magic is EAX at entry.
 * Unknown tags are skipped, doubled ones: the first counts (modules and memory maps add up).
 * PL_OK, or PL_INVALID with *why pointing to a constant text; *out is valid memory either way but
 * then incomplete. */
MUST_CHECK enum pl_status mb2_parse(uint32_t magic, const void *info, size_t max_len,
                                    struct boot_info *out, const char **why);

/* Looks for the word `key` or `key=value` on a command line of words separated by white space; the
 * last one counts. A value may be in double quotes. Copies the value (empty for a bare key) to
 * value[size], cut if need be; value may be NULL with size 0. False: not there, value untouched. */
bool boot_option(const char *cmdline, const char *key, char *value, size_t size);

#endif
