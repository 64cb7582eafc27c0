/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that there are: the configuration, kernels, initrds. Those that came with the
 * hypervisor as boot modules stay for its life, those of core/store.h until they are dropped.
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
/* Takes it out of the table. Who does that knows that nobody uses it. */
void modules_remove(const char *name);
/* NULL: no module of that name. */
const struct module *modules_find(const char *name);
unsigned modules_count(void);
const struct module *modules_at(unsigned i);

#endif
