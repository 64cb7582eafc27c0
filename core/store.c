/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in pages of the guest pool: contiguous hypervisor memory is scarce, a guest's is not, and
 * a table makes any pages adjoin. Written once, then read only.
 */
#include "core/store.h"

#include "core/host.h"
#include "core/lib/crc32.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/modules.h"
#include "core/panic.h"
#include "core/pools.h"
#include "core/vm.h"
#include "mm/pool.h"
#include "mm/space.h"

static struct store_file files[STORE_FILES];

static struct {
    struct store_file *file; /* NULL: none comes in */
    uint64_t next;           /* bytes that are here */
    uint32_t crc;            /* of these */
    bool whole;              /* the last one that came is complete: file is NULL */
} incoming;

/* --- memory --- */

static void flush(void *arg)
{
    (void)arg;
    host_flush_tlb();
}

static void flush_everywhere(void)
{
    host_flush_tlb();
    host_call_others(flush, NULL);
}

static void give_block(hpa_t at, uint64_t size)
{
    if (!page_free_block(&guest_pool, at, size))
        panic("store: page %#lx was not allocated", at.v);
}

/* What is taken for files is no leak: core/pools.h. */
struct balance {
    uint64_t hypervisor, guest;
};

static struct balance balance(void)
{
    return (struct balance){page_alloc_free(&hypervisor_pool), page_alloc_free(&guest_pool)};
}

static void settle(struct balance before)
{
    struct balance now = balance();
    pools_moved((int64_t)(before.hypervisor - now.hypervisor), (int64_t)(before.guest - now.guest));
}

static void give_memory(struct store_file *f)
{
    struct balance before = balance();
    static struct {
        hpa_t at;
        uint64_t size;
    } block[64];
    while (f->mapped) {
        /* Some blocks at a time, from the end: none may be used again before every CPU has
         * forgotten where it was. */
        unsigned n = 0;
        for (; n < ARRAY_LEN(block) && f->mapped; n++) {
            struct space_leaf leaf = space_store_leaf(f->base + f->mapped - 1);
            block[n].at = leaf.at;
            block[n].size = leaf.size;
            f->mapped -= leaf.size;
            space_unmap_store(f->base + f->mapped, leaf.size);
        }
        flush_everywhere();
        while (n--)
            give_block(block[n].at, block[n].size);
    }
    settle(before);
    f->name[0] = '\0';
    f->whole = false;
}

static bool take_memory(struct store_file *f)
{
    struct balance before = balance();
    uint64_t wanted = ALIGN_UP(f->size, PAGE_SIZE), size;
    hpa_t at;
    bool ok = true;
    while (ok && f->mapped < wanted) {
        uint64_t here = f->base + f->mapped;
        ok = page_alloc_block(&guest_pool, IS_ALIGNED(here, PAGE_SIZE_2M) ? wanted - f->mapped : 0,
                              &at, &size);
        if (ok && space_map_store(f->base + f->mapped, at, size) != PL_OK) {
            give_block(at, size);
            ok = false;
        }
        f->mapped += ok ? size : 0;
    }
    settle(before);
    return ok;
}

/* --- files --- */

static bool good_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._+-/";
    for (const char *p = name; *p; p++)
        if (!strchr(letters, *p))
            return false;
    return *name != '\0';
}

static struct store_file *free_place(void)
{
    for (unsigned i = 0; i < STORE_FILES; i++)
        if (!files[i].name[0])
            return &files[i];
    return NULL;
}

/* A place of its own among the addresses for each: no file is near another's end. */
static uint64_t place_base(const struct store_file *f)
{
    return STORE_BASE + GIB(8) * (uint64_t)(f - files) + PAGE_SIZE_2M;
}

const char *store_begin(const char *name, uint64_t size, uint32_t crc)
{
    store_abort();
    incoming.whole = false;
    if (strlen(name) >= STORE_NAME_MAX || !good_name(name))
        return "that is no name for a file: letters, digits and . _ + - / only";
    if (modules_find(name))
        return "there is a file of that name: push it under another, or 'store drop' that one";
    if (!size)
        return "the file is empty";
    if (size > page_alloc_free(&guest_pool) * PAGE_SIZE)
        return "there is no memory for it: what guests don't use is less";
    struct store_file *f = free_place();
    if (!f)
        return "the store is full; 'store list' shows what is in it, 'store drop' makes room";
    *f = (struct store_file){.base = place_base(f), .size = size, .crc = crc};
    str_copy(f->name, sizeof(f->name), name);
    if (!take_memory(f)) {
        give_memory(f);
        return "there is no memory for it";
    }
    incoming.file = f;
    incoming.next = 0;
    incoming.crc = 0;
    return NULL;
}

static enum store_state finish(const char **why)
{
    struct store_file *f = incoming.file;
    if (incoming.crc != f->crc) {
        *why = "the checksum is wrong";
    } else if (space_protect_store(f->base, f->mapped) != PL_OK) {
        *why = "no memory for tables";
    } else if (!modules_add(f->name, (const uint8_t *)f->base, f->size)) {
        *why = "the table of modules is full";
    } else {
        flush_everywhere();
        f->whole = true;
        incoming.file = NULL;
        incoming.whole = true;
        log_info("store: %s, %lu bytes, CRC-32 %08x", f->name, f->size, f->crc);
        return STORE_DONE;
    }
    store_abort();
    return STORE_FAILED;
}

enum store_state store_write(uint64_t offset, const uint8_t *bytes, size_t n, uint64_t *next,
                             const char **why)
{
    struct store_file *f = incoming.file;
    *next = incoming.next;
    if (!f && incoming.whole)
        return STORE_DONE; /* said again: the program missed our answer */
    if (!f) {
        *why = "no file is coming in";
        return STORE_FAILED;
    }
    if (offset != incoming.next)
        return STORE_GOING;
    if (n > f->size - offset) {
        *why = "more bytes than were announced";
        store_abort();
        return STORE_FAILED;
    }
    memcpy((uint8_t *)f->base + offset, bytes, n);
    incoming.crc = crc32(incoming.crc, bytes, n);
    incoming.next += n;
    *next = incoming.next;
    return incoming.next == f->size ? finish(why) : STORE_GOING;
}

void store_abort(void)
{
    if (incoming.file)
        give_memory(incoming.file);
    incoming.file = NULL;
}

/* name as a whole word of list, whose words stand between blanks, ';' or ','. */
static bool mentions(const char *list, const char *name)
{
    size_t n = strlen(name), word;
    for (; list && *list; list += word + (list[word] != '\0')) {
        for (word = 0; list[word] && !strchr(" \t;,", list[word]);)
            word++;
        if (word == n && memcmp(list, name, n) == 0)
            return true;
    }
    return false;
}

const char *store_drop(const char *name)
{
    struct store_file *f = NULL;
    for (unsigned i = 0; i < STORE_FILES; i++)
        if (files[i].whole && str_eq(files[i].name, name))
            f = &files[i];
    if (!f && modules_find(name))
        return "that file came with the hypervisor and stays";
    if (!f)
        return "there is no such file in the store";
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        if (mentions(vm->kernel, name) || mentions(vm->initrd, name) ||
            mentions(vm->modules, name))
            return "a VM is defined with it: destroy that first";
    }
    modules_remove(name);
    give_memory(f);
    return NULL;
}

const struct store_file *store_at(unsigned i)
{
    return i < STORE_FILES && files[i].whole ? &files[i] : NULL;
}
