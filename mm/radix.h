/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One walker for all page tables whose tables are 4K pages of 512 64-bit entries: the hypervisor's
 * own, EPT, and what comes later. PURE: the bits of a format are constant data, table pages come
 * from the caller's ops. It never invalidates TLBs: that is the caller's duty after every
 * radix_unmap(), and before pages that ops->free() was given are used for anything else.
 * It takes no lock. Have open: SDM, "Paging" and "VMX Support for Address Translation".
 */
#ifndef MM_RADIX_H
#define MM_RADIX_H

#include "core/lib/bits.h"
#include "core/lib/status.h"
#include "mm/types.h"

#define RADIX_ENTRIES    512u
#define RADIX_LEVELS_MAX 5

/* Permissions, abstract. A format refuses combinations which it cannot express. */
#define RADIX_READ       BIT(0)
#define RADIX_WRITE      BIT(1)
#define RADIX_EXEC       BIT(2)
#define RADIX_USER       BIT(3) /* host tables: user-mode page */
#define RADIX_PERMS      4

#define RADIX_RW         (RADIX_READ | RADIX_WRITE)
#define RADIX_RX         (RADIX_READ | RADIX_EXEC)
#define RADIX_RWX        (RADIX_READ | RADIX_WRITE | RADIX_EXEC)

/* Memory types. */
enum radix_type { RADIX_WB, RADIX_UC, RADIX_WC, RADIX_WT, RADIX_WP, RADIX_TYPES };

/* The IA32_PAT value that radix_host's type bits count on. Where it has not been loaded, the
 * processor's reset value makes WC UC- and WP WT: slower, but as safe. */
#define RADIX_HOST_PAT UINT64_C(0x0001050600070406)

struct radix_format {
    const char *name;
    unsigned levels;        /* of tables */
    bool sign_extended;     /* virtual addresses are canonical; else below 2^(12 + 9 * levels) */
    uint64_t present;       /* an entry is present if any of these bits is set */
    uint64_t large;         /* set in a 2M or 1G leaf */
    uint64_t address;       /* mask of the physical address in an entry */
    uint64_t table;         /* bits of an entry that points to a table */
    uint64_t leaf;          /* bits of every leaf */
    uint64_t required;      /* permissions every mapping must have */
    struct {
        uint64_t set, clear; /* bits set when granted; when not. Both 0: not in the format */
    } perm[RADIX_PERMS];    /* by number of RADIX_* bit */
    uint64_t type_mask[2];  /* [0] for 4K leaves, [1] for large ones */
    uint64_t type[2][RADIX_TYPES];
};

/* x86-64 4-level paging, with types through RADIX_HOST_PAT. Accessed and dirty are set from the
 * start, so that the processor need not write tables. */
extern const struct radix_format radix_host;
/* EPT with 4 levels; accessed and dirty flags are left 0, the guest's PAT counts. */
extern const struct radix_format radix_ept;

/* Where table pages come from. */
struct radix_ops {
    /* One 4K page, contents don't matter. */
    bool (*alloc)(void *ctx, hpa_t *page);
    /* A table page that is linked nowhere any more; TLBs may still know it. */
    void (*free)(void *ctx, hpa_t page);
    /* Where a table page can be read and written; never NULL. */
    void *(*ptr)(void *ctx, hpa_t page);
};

/* One tree. Plain data: copying it names the same tree. */
struct radix {
    const struct radix_format *format;
    const struct radix_ops *ops;
    void *ctx;
    hpa_t root;
};

struct radix_leaf {
    hpa_t phys;             /* of the address looked up, offset included */
    uint64_t perms;         /* RADIX_* */
    enum radix_type type;
    uint64_t page_size;     /* bytes: 4K, 2M or 1G */
};

/* Makes a tree with an empty root. PL_NO_MEMORY. */
MUST_CHECK enum pl_status radix_create(struct radix *r, const struct radix_format *format,
                                       const struct radix_ops *ops, void *ctx);

/* Maps [virt, virt + size) to [phys, phys + size), all multiples of 4K, size > 0, with pages as
 * large as alignment and max_page (PAGE_SIZE, PAGE_SIZE_2M or PAGE_SIZE_1G) allow. PL_INVALID: an
 * argument breaks these rules, the format lacks a permission, or some of it is mapped already;
 * PL_NO_MEMORY: ops->alloc() failed. On failure the tree maps what it mapped before. */
MUST_CHECK enum pl_status radix_map(const struct radix *r, uint64_t virt, hpa_t phys,
                                    uint64_t size, uint64_t perms, enum radix_type type,
                                    uint64_t max_page);

/* Removes what is mapped in [virt, virt + size), holes don't matter; large pages on its edges are
 * split, tables that become empty are freed. PL_NO_MEMORY: a split found no page, every translation
 * is as before; PL_INVALID: virt or size break radix_map()'s rules. */
MUST_CHECK enum pl_status radix_unmap(const struct radix *r, uint64_t virt, uint64_t size);

/* Changes permissions of all that is mapped in the range, splitting as radix_unmap() does; same
 * errors, and PL_INVALID for permissions that the format lacks. */
MUST_CHECK enum pl_status radix_protect(const struct radix *r, uint64_t virt, uint64_t size,
                                        uint64_t perms);

/* False: virt is not mapped. */
MUST_CHECK bool radix_lookup(const struct radix *r, uint64_t virt, struct radix_leaf *out);

/* Makes the root's entries [from, to) the same as src's: both trees then share those tables, which
 * stay src's (never radix_free() them through r). r's entries there must be empty, and src's all
 * filled if mappings made later in src shall be seen too. */
void radix_share(const struct radix *r, const struct radix *src, unsigned from, unsigned to);

/* Frees all tables below the root's entries [from, to) and clears these; the pages mapped by leaves
 * are not touched. The root itself stays. */
void radix_free(const struct radix *r, unsigned from, unsigned to);

/* The index in the root of the entry that virt belongs to. */
static inline unsigned radix_root_index(const struct radix_format *format, uint64_t virt)
{
    return (unsigned)(virt >> (PAGE_SHIFT + 9 * (format->levels - 1))) & (RADIX_ENTRIES - 1);
}

#endif
