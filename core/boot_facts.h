/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How this machine was started, for `boot`: said once by boot/main.c, kept by command_boot.c.
 */
#ifndef CORE_BOOT_FACTS_H
#define CORE_BOOT_FACTS_H

#include "core/lib/bits.h"

struct boot_facts {
    const char *loader, *cmdline; /* live on */
    bool efi;
    uint64_t memory;              /* usable bytes */
};

void boot_facts_set(const struct boot_facts *facts);
/* A step of the boot is done: the time until now is its. name lives on. Before time is known, too;
 * steps beyond the room there is are not kept. */
void boot_step_done(const char *name);

#endif
