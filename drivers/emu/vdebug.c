/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debug ports. PURE, sans-I/O; see the header. Accesses of any other size than a port takes are
 * ignored and read all ones.
 */
#include "drivers/emu/vdebug.h"

#include "core/lib/string.h"

void vdebug_init(struct vdebug *d)
{
    memset(d, 0, sizeof(*d));
}

static void vdebug_reset(void *dev)
{
    vdebug_init(dev);
}

static void post_access(void *dev, struct io_access *a)
{
    struct vdebug *d = dev;
    if (a->size != 1 || a->offset != 0)
        return;
    if (a->write)
        d->post = (uint8_t)a->value;
    else
        a->value = d->post;
}

static void console_access(void *dev, struct io_access *a)
{
    struct vdebug *d = dev;
    if (a->size != 1 || a->offset != 0)
        return;
    if (!a->write)
        a->value = VDEBUG_CONSOLE_PORT; /* how software finds out that the port is there */
    else if (d->console_count < VDEBUG_CONSOLE_BYTES)
        d->console[d->console_count++] = (char)a->value;
    else
        d->console_lost++;
}

static void exit_access(void *dev, struct io_access *a)
{
    struct vdebug *d = dev;
    if (!a->write || a->size > 4 || a->offset != 0 || d->exit_requested)
        return;
    d->exit_requested = true;
    d->exit_status = (uint32_t)a->value;
}

size_t vdebug_take(struct vdebug *d, char *buf, size_t n)
{
    if (n > d->console_count)
        n = d->console_count;
    if (n == 0)
        return 0;
    memcpy(buf, d->console, n);
    memmove(d->console, d->console + n, d->console_count - n);
    d->console_count = (uint8_t)(d->console_count - n);
    return n;
}

const struct device_ops vdebug_post_ops = {.reset = vdebug_reset, .access = post_access};
const struct device_ops vdebug_console_ops = {.reset = vdebug_reset, .access = console_access};
const struct device_ops vdebug_exit_ops = {.reset = vdebug_reset, .access = exit_access};
