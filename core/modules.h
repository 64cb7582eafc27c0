/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that came with the hypervisor as boot modules: the configuration, kernels, initrds.
 * Read-only memory that stays for the hypervisor's life.
 */
#ifndef CORE_MODULES_H
#define CORE_MODULES_H

#include "core/lib/bits.h"

struct module {
    const char *name; /* the first word of its line in GRUB's menu */
    const uint8_t *data;
    size_t len;
};

/* name must live on. False: the table is full. */
bool modules_add(const char *name, const void *data, size_t len);
/* NULL: no module of that name. */
const struct module *modules_find(const char *name);
unsigned modules_count(void);
const struct module *modules_at(unsigned i);

#endif
