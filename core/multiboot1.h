/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Multiboot1 kernel finds in memory when it starts: the information structure with all that
 * it points to. PURE: fills the caller's buffer; the caller has placed the modules. core/image.h
 * recognises such kernels. The kernel starts in 32-bit protected mode, paging off, A20 on,
 * flat segments, EAX = MULTIBOOT1_BOOT_MAGIC, EBX = the structure's address. Have open: "Multiboot
 * Specification version 0.6.96".
 */
#ifndef CORE_MULTIBOOT1_H
#define CORE_MULTIBOOT1_H

#include "core/lib/bits.h"
#include "core/linux_boot.h"

#define MULTIBOOT1_BOOT_MAGIC  0x2badb002u /* in EAX */
#define MULTIBOOT1_MODULES_MAX 64

struct multiboot1_module {
    uint64_t start, size; /* guest-physical address (4 KiB aligned), bytes */
    const char *text;     /* its string: path and arguments, not terminated */
    size_t text_len;      /* bytes */
};

struct multiboot1_args {
    const char *name;    /* the kernel's file: first word of the command line; NULL: not there */
    const char *cmdline; /* what follows; NULL: nothing */
    const struct multiboot1_module *modules;
    uint32_t module_count;
    const struct e820_range *e820; /* in the order of addresses */
    uint32_t e820_count;
};

/* Builds the structure at the start of buf[size], which will lie at guest-physical gpa (4-byte
 * aligned), with what it points to behind. Returns the bytes used. 0: size is not enough, something
 * ends above 4 GiB, more than MULTIBOOT1_MODULES_MAX modules or E820_MAX ranges. */
MUST_CHECK size_t multiboot1_build_info(uint8_t *buf, size_t size, uint64_t gpa,
                                        const struct multiboot1_args *args);

#endif
