/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From CR3 down, one entry after the other. PURE. Formats: 32-bit (with 4M pages where CR4.PSE
 * says so), PAE, and 4-level.
 */
#include "mm/guest_trace.h"

#include "arch/x86/cr.h"

#define ENTRY_P     BIT(0)
#define ENTRY_PS    BIT(7)
#define EFER_ACTIVE BIT(10) /* LMA */

static const char *const names[GUEST_TRACE_LEVELS] = {"PTE", "PDE", "PDPTE", "PML4E"};

struct shape {
    unsigned levels, entry_size, bits; /* bits: of the address, by level */
};

/* A page of that level if the entry says so: PTEs always are. */
static bool is_page(const struct guest_paging *p, const struct shape *s, unsigned left,
                    uint64_t entry)
{
    if (left == 0)
        return true;
    if (left == 3 || !(entry & ENTRY_PS))
        return false;
    if (s->entry_size == 4)
        return p->cr4 & CR4_PSE;
    return left == 1 || s->levels == 4; /* PAE's PDPTE has no pages */
}

static void finish(struct guest_trace *out, const struct shape *s, uint64_t entry, uint64_t gva,
                   unsigned shift)
{
    uint64_t size = BIT(shift), mask = s->entry_size == 4 ? BITS(31, 12) : BITS(51, 12);
    uint64_t base = entry & mask & ~(size - 1);
    if (s->entry_size == 4 && shift == 22)
        base |= (entry >> 13 & 0xff) << 32; /* PSE-36 */
    out->mapped = true;
    out->page_size = size;
    out->gpa = base | (gva & (size - 1));
}

void guest_trace(const struct guest_paging *p, const struct guest_mem *gm, gva_t gva,
                 struct guest_trace *out)
{
    struct shape s = {4, 8, 9};
    uint64_t at = gva.v, table = p->cr3 & BITS(51, 12);
    *out = (struct guest_trace){.n = 0};
    if (!(p->efer & EFER_ACTIVE))
        at = (uint32_t)at;
    if (!(p->cr0 & CR0_PG)) {
        out->mapped = true;
        out->gpa = at;
        return;
    }
    if (!(p->cr4 & CR4_PAE)) {
        s = (struct shape){2, 4, 10};
        table = p->cr3 & BITS(31, 12);
    } else if (!(p->efer & EFER_ACTIVE)) {
        s = (struct shape){3, 8, 9};
        table = p->cr3 & BITS(31, 5);
    }
    for (unsigned left = s.levels; left-- > 0;) {
        unsigned shift = 12 + s.bits * left;
        uint64_t index = at >> shift & (BIT(s.bits) - 1), entry = 0;
        unsigned n = out->n++;
        out->level[n].name = names[left];
        out->level[n].gpa = table + index * s.entry_size;
        out->level[n].read = guest_read(gm, GPA(out->level[n].gpa), &entry, s.entry_size);
        out->level[n].entry = entry;
        if (!out->level[n].read || !(entry & ENTRY_P))
            return;
        if (is_page(p, &s, left, entry)) {
            finish(out, &s, entry, at, shift);
            return;
        }
        table = entry & (s.entry_size == 4 ? BITS(31, 12) : BITS(51, 12));
    }
}
