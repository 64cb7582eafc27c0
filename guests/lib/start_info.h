/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a PVH loader hands over, as far as guests look at it. Have open: Xen
 * "arch-x86/hvm/start_info.h".
 */
#ifndef GUESTS_LIB_START_INFO_H
#define GUESTS_LIB_START_INFO_H

#include "core/lib/bits.h"

#define START_INFO_MAGIC 0x336ec578u

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
    uint64_t memmap_paddr;   /* version 1 and later, as what follows */
    uint32_t memmap_entries, reserved;
};

struct start_memory {
    uint64_t addr, size;
    uint32_t type;           /* 1 is RAM */
    uint32_t reserved;
};

/* The loader's start info, or NULL if its magic is wrong. */
const struct start_info *guest_start_info_get(void);
/* The command line, "" if there is none. */
const char *guest_cmdline(void);

#endif
