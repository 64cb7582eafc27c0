/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk through a guest's page tables. PURE. The paging modes differ in numbers only, so a mode
 * is a row of a table: how many levels, how wide the entries, where the index bits are. The walk
 * goes down first, collecting permissions and remembering every entry it used; if the access is
 * allowed it then sets accessed and dirty flags in these, each by a compare-and-exchange against
 * the value the decision was made on, so that a change by another vCPU is neither lost nor missed:
 * the walk starts again. Have open: SDM, "Paging", in particular "Determination of Access Rights"
 * and the tables of page-structure entries.
 */
#include "mm/guest_walk.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define PTE_P        BIT(0)
#define PTE_RW       BIT(1)
#define PTE_US       BIT(2)
#define PTE_A        BIT(5)
#define PTE_D        BIT(6)
#define PTE_PS       BIT(7)
#define PTE_NX       BIT(63)
#define PTE_ADDRESS  BITS(51, 12)
/* PAE's page directory pointers have neither permissions nor flags, and reserve more. */
#define PDPTE_RSVD   (BITS(63, 52) | BITS(8, 5) | BITS(2, 1))

#define LEVELS_MAX   5
#define WALK_RETRIES 16

enum mode { MODE_NONE, MODE_32BIT, MODE_PAE, MODE_4LEVEL, MODE_5LEVEL };

static const struct {
    uint8_t levels, entry_size, index_bits;
} modes[] = {
    [MODE_NONE] = {0, 0, 0},
    [MODE_32BIT] = {2, 4, 10},
    [MODE_PAE] = {3, 8, 9},
    [MODE_4LEVEL] = {4, 8, 9},
    [MODE_5LEVEL] = {5, 8, 9},
};

static enum mode mode_of(const struct guest_paging *p)
{
    if (!(p->cr0 & CR0_PG))
        return MODE_NONE;
    if (!(p->cr4 & CR4_PAE))
        return MODE_32BIT;
    if (!(p->efer & EFER_LMA))
        return MODE_PAE;
    return p->cr4 & CR4_LA57 ? MODE_5LEVEL : MODE_4LEVEL;
}

struct step {
    gpa_t at;        /* of the entry */
    uint64_t entry;  /* as it was read */
    uint8_t size;    /* bytes; 0: an entry without flags */
};

struct walk {
    const struct guest_paging *p;
    struct guest_mem *gm;
    enum mode mode;
    uint64_t va;
    unsigned access;
    struct step step[LEVELS_MAX];
    unsigned steps;
    bool writable, user, no_exec; /* combined over all levels */
    uint64_t leaf, page_size;
};

/* --- reserved bits -------------------------------------------------------------------------- */

static unsigned page_shift(const struct walk *w, unsigned level)
{
    return PAGE_SHIFT + modes[w->mode].index_bits * level;
}

/* Does this entry of a table at `level` (0: page table) map a page? */
static bool maps_page(const struct walk *w, uint64_t entry, unsigned level)
{
    if (level == 0)
        return true;
    if (!(entry & PTE_PS))
        return false;
    switch (w->mode) {
    case MODE_32BIT:
        return (w->p->cr4 & CR4_PSE) != 0;
    case MODE_PAE:
        return level == 1;
    default:
        return level == 1 || (level == 2 && w->p->has_1g);
    }
}

/* 4M pages put address bits 39:32 in bits 20:13, as far as the guest has that many; the bits above
 * those up to 21 are reserved. */
static uint64_t reserved_32bit(const struct walk *w, bool large)
{
    unsigned width = w->p->maxphyaddr < 40 ? w->p->maxphyaddr : 40;
    return large ? BIT(22) - BIT(width - 19) : 0;
}

static uint64_t reserved_bits(const struct walk *w, uint64_t entry, unsigned level)
{
    bool large = level > 0 && maps_page(w, entry, level);
    if (w->mode == MODE_32BIT)
        return reserved_32bit(w, large);
    uint64_t above = PTE_ADDRESS & ~(BIT(w->p->maxphyaddr) - 1);
    if (w->mode == MODE_PAE && level == 2)
        return above | PDPTE_RSVD;
    uint64_t bits = above | (w->p->efer & EFER_NXE ? 0 : PTE_NX);
    if (w->mode == MODE_PAE)
        bits |= BITS(62, 52);
    if (large)
        bits |= (BIT(page_shift(w, level)) - 1) & BITS(51, 13);
    else if (level >= 2)
        bits |= PTE_PS; /* where no page of that size exists */
    return bits;
}

static uint64_t page_base(const struct walk *w, uint64_t entry, unsigned level)
{
    uint64_t offset_mask = BIT(page_shift(w, level)) - 1;
    if (w->mode == MODE_32BIT) {
        uint64_t base = entry & 0xffffffff & ~offset_mask & PTE_ADDRESS;
        return level > 0 ? base | (entry & BITS(20, 13)) << 19 : base;
    }
    return entry & PTE_ADDRESS & ~offset_mask;
}

/* --- going down ----------------------------------------------------------------------------- */

static enum walk_result fault(const struct walk *w, uint32_t cause, struct walk_info *out)
{
    uint32_t code = cause;
    code |= w->access & WALK_WRITE ? PF_WRITE : 0;
    code |= w->access & WALK_USER ? PF_USER : 0;
    bool tells_fetch = (w->p->cr4 & CR4_SMEP) ||
                       ((w->p->cr4 & CR4_PAE) && (w->p->efer & EFER_NXE));
    code |= (w->access & WALK_EXEC) && tells_fetch ? PF_FETCH : 0;
    out->error_code = code;
    return WALK_FAULT;
}

static bool load_entry(struct walk *w, gpa_t at, unsigned size, uint64_t *entry)
{
    uint32_t narrow;
    if (size == 8)
        return guest_load64(w->gm, at, entry);
    if (!guest_load32(w->gm, at, &narrow))
        return false;
    *entry = narrow;
    return true;
}

static gpa_t top_table(const struct walk *w)
{
    switch (w->mode) {
    case MODE_32BIT:
        return GPA(w->p->cr3 & BITS(31, 12));
    case MODE_PAE:
        return GPA(w->p->cr3 & BITS(31, 5));
    default:
        return GPA(w->p->cr3 & PTE_ADDRESS & (BIT(w->p->maxphyaddr) - 1));
    }
}

/* Reads the entry for va in the table at `level`; *pdpte tells that it is one of PAE's four. */
static enum walk_result read_entry(struct walk *w, gpa_t table, unsigned level, uint64_t *entry,
                                   struct walk_info *out)
{
    unsigned size = modes[w->mode].entry_size;
    uint64_t index = w->va >> page_shift(w, level) & (BIT(modes[w->mode].index_bits) - 1);
    bool pdpte = w->mode == MODE_PAE && level == 2;
    if (pdpte)
        index &= 3;
    struct step s = {GPA(table.v + index * size), 0, pdpte ? 0 : (uint8_t)size};
    if (pdpte && w->p->pdpte_valid) {
        s.entry = w->p->pdpte[index];
    } else if (!load_entry(w, s.at, size, &s.entry)) {
        out->gpa = s.at;
        return WALK_NO_MEMORY;
    }
    w->step[w->steps++] = s;
    *entry = s.entry;
    if (!(s.entry & PTE_P))
        return fault(w, 0, out);
    if (s.entry & reserved_bits(w, s.entry, level))
        return fault(w, PF_PRESENT | PF_RSVD, out);
    if (!pdpte) {
        w->writable &= (s.entry & PTE_RW) != 0;
        w->user &= (s.entry & PTE_US) != 0;
        w->no_exec |= (s.entry & PTE_NX) != 0;
    }
    return WALK_OK;
}

static enum walk_result go_down(struct walk *w, struct walk_info *out)
{
    gpa_t table = top_table(w);
    w->steps = 0;
    w->writable = w->user = true;
    w->no_exec = false;
    for (unsigned level = modes[w->mode].levels - 1u;; level--) {
        uint64_t entry;
        enum walk_result r = read_entry(w, table, level, &entry, out);
        if (r != WALK_OK)
            return r;
        if (maps_page(w, entry, level)) {
            w->page_size = BIT(page_shift(w, level));
            w->leaf = page_base(w, entry, level);
            return WALK_OK;
        }
        table = GPA(entry & (w->mode == MODE_32BIT ? BITS(31, 12) : PTE_ADDRESS));
    }
}

/* --- rights --------------------------------------------------------------------------------- */

static bool allowed_supervisor(const struct walk *w)
{
    const struct guest_paging *p = w->p;
    if (w->access & WALK_EXEC)
        return !w->no_exec && !(w->user && (p->cr4 & CR4_SMEP));
    if (w->user && (p->cr4 & CR4_SMAP) && ((w->access & WALK_IMPLICIT) || !p->ac))
        return false;
    return !(w->access & WALK_WRITE) || w->writable || !(p->cr0 & CR0_WP);
}

static bool allowed(const struct walk *w)
{
    if (!(w->access & WALK_USER))
        return allowed_supervisor(w);
    if (!w->user)
        return false;
    if (w->access & WALK_EXEC)
        return !w->no_exec;
    return !(w->access & WALK_WRITE) || w->writable;
}

/* Sets what is not set yet. WALK_RETRY: an entry is no longer what the decision was based on. */
static enum walk_result set_flags(struct walk *w)
{
    for (unsigned i = 0; i < w->steps; i++) {
        struct step *s = &w->step[i];
        bool dirty = i + 1 == w->steps && (w->access & WALK_WRITE);
        uint64_t want = s->entry | PTE_A | (dirty ? PTE_D : 0);
        if (s->size == 0 || want == s->entry)
            continue;
        enum guest_cmpxchg c =
            s->size == 8 ? guest_cmpxchg64(w->gm, s->at, s->entry, want)
                         : guest_cmpxchg32(w->gm, s->at, (uint32_t)s->entry, (uint32_t)want);
        if (c != GUEST_CMPXCHG_DONE)
            return WALK_RETRY;
        s->entry = want;
        /* One table may serve as several levels: the later steps must know. */
        for (unsigned j = i + 1; j < w->steps; j++)
            if (w->step[j].at.v == s->at.v)
                w->step[j].entry = want;
    }
    return WALK_OK;
}

static bool canonical(uint64_t va, unsigned bits)
{
    uint64_t high = va >> (bits - 1);
    return high == 0 || high == UINT64_MAX >> (bits - 1);
}

static void begin(struct walk *w, const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                  unsigned access)
{
    *w = (struct walk){.p = p, .gm = gm, .mode = mode_of(p), .va = gva.v, .access = access};
    if (!(p->efer & EFER_LMA))
        w->va = (uint32_t)w->va;
}

static enum walk_result walk(struct walk *w, gva_t gva, struct walk_info *out)
{
    *out = (struct walk_info){.gva = gva, .page_size = PAGE_SIZE};
    if (w->mode == MODE_NONE) {
        out->gpa = GPA(w->va);
        return WALK_OK;
    }
    if (w->mode >= MODE_4LEVEL && !canonical(w->va, w->mode == MODE_5LEVEL ? 57 : 48))
        return WALK_NONCANONICAL;
    enum walk_result r = WALK_RETRY;
    for (unsigned i = 0; r == WALK_RETRY && i < WALK_RETRIES; i++) {
        r = go_down(w, out);
        if (r == WALK_OK && !allowed(w))
            r = fault(w, PF_PRESENT, out);
        if (r == WALK_OK && !(w->access & WALK_PEEK))
            r = set_flags(w);
    }
    if (r == WALK_OK) {
        out->gpa = GPA(w->leaf | (w->va & (w->page_size - 1)));
        out->page_size = w->page_size;
    }
    return r;
}

enum walk_result guest_walk(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                            unsigned access, struct walk_info *out)
{
    struct walk w;
    begin(&w, p, gm, gva, access);
    return walk(&w, gva, out);
}

bool guest_walk_prove(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                      unsigned access, struct walk_proof *proof)
{
    struct walk w;
    struct walk_info info;
    begin(&w, p, gm, gva, access);
    if (w.mode != MODE_4LEVEL || walk(&w, gva, &info) != WALK_OK)
        return false;
    proof->page = GPA(info.gpa.v & ~(PAGE_SIZE - 1));
    for (unsigned i = 0; i < WALK_PROOF; i++) {
        const struct step *s = &w.step[i < w.steps ? i : w.steps - 1];
        proof->at[i] = s->at;
        proof->entry[i] = s->entry;
    }
    return true;
}

/* --- copies --------------------------------------------------------------------------------- */

/* Translates the next piece of an access to [gva, gva + n): *step bytes in one page, all RAM. */
static enum walk_result next_piece(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                                   unsigned access, size_t n, size_t *step, struct walk_info *out)
{
    enum walk_result r = guest_walk(p, gm, gva, access, out);
    if (r != WALK_OK)
        return r;
    *step = (size_t)min_u64(n, PAGE_SIZE - (gva.v & (PAGE_SIZE - 1)));
    return guest_mem_contains(gm, out->gpa, *step) ? WALK_OK : WALK_NO_MEMORY;
}

enum walk_result guest_copy_from(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                                 unsigned access, void *dst, size_t n, struct walk_info *out)
{
    uint8_t *to = dst;
    size_t step;
    for (size_t done = 0; done < n; done += step) {
        enum walk_result r =
            next_piece(p, gm, GVA(gva.v + done), access, n - done, &step, out);
        if (r != WALK_OK)
            return r;
        if (!guest_read(gm, out->gpa, to + done, step))
            return WALK_NO_MEMORY;
    }
    return WALK_OK;
}

enum walk_result guest_copy_to(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                               unsigned access, const void *src, size_t n, struct walk_info *out)
{
    const uint8_t *from = src;
    size_t step;
    access |= WALK_WRITE;
    /* Once to see that all of it can be written, once to write. Writing may change the very tables
     * in use, as it may on a processor; so the second round checks all over again. */
    for (unsigned round = 0; round < 2; round++) {
        for (size_t done = 0; done < n; done += step) {
            enum walk_result r =
                next_piece(p, gm, GVA(gva.v + done), access, n - done, &step, out);
            if (r != WALK_OK)
                return r;
            if (round == 1 && !guest_write(gm, out->gpa, from + done, step))
                return WALK_NO_MEMORY;
        }
    }
    return WALK_OK;
}
