/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF executables with a PVH note or a Multiboot1 header. PURE. Have open: "ELF-64 Object File
 * Format"; Xen "x86/HVM direct boot ABI".
 */
#include "core/image_parse.h"

#define ELF_HEADERS_MAX  64u /* program headers: more is no kernel */
#define ELF_NOTES_MAX    65536u
#define PT_LOAD          1u
#define PT_NOTE          4u
#define EM_386           3u
#define EM_X86_64        62u
#define XEN_PHYS32_ENTRY 18u

struct elf {
    bool wide; /* ELF64 */
    uint64_t entry, phoff;
    uint32_t phnum, phentsize;
};

struct program_header {
    uint32_t type;
    uint64_t offset, filesz, vaddr, paddr, memsz, align;
};

bool image_is_elf(const struct image_input *in)
{
    return in->len >= 4 && memcmp(in->data, "\177ELF", 4) == 0;
}

static bool read_elf_header(const struct image_input *in, struct elf *e)
{
    const uint8_t *d = in->data;
    if (in->len < 20)
        return refuse(in, "a truncated ELF file (%zu bytes)", in->len);
    if ((d[4] != 1 && d[4] != 2) || d[5] != 1)
        return refuse(in, "an ELF file that is not 32 or 64 bits, little-endian");
    e->wide = d[4] == 2;
    if (in->len < (e->wide ? 64u : 52u))
        return refuse(in, "a truncated ELF file (%zu bytes)", in->len);
    uint16_t type = get16(d + 16), machine = get16(d + 18);
    if (machine != EM_386 && machine != EM_X86_64)
        return refuse(in, "an ELF file for another machine (%u); x86 is needed", machine);
    if (type != 2)
        return refuse(in, "an ELF file of type %u; a kernel is an executable (type 2)", type);
    e->entry = e->wide ? get64(d + 24) : get32(d + 24);
    e->phoff = e->wide ? get64(d + 32) : get32(d + 28);
    e->phentsize = get16(d + (e->wide ? 54 : 42));
    e->phnum = get16(d + (e->wide ? 56 : 44));
    if (e->phnum == 0)
        return refuse(in, "an ELF file without program headers: an object file?");
    if (e->phnum > ELF_HEADERS_MAX)
        return refuse(in, "an ELF file with %u program headers, more than %u", e->phnum,
                      ELF_HEADERS_MAX);
    if (e->phentsize < (e->wide ? 56u : 32u))
        return refuse(in, "an ELF file with program headers of %u bytes", e->phentsize);
    if (!within(e->phoff, (uint64_t)e->phnum * e->phentsize, in->len))
        return refuse(in, "a truncated ELF file: its program headers lie beyond the end");
    return true;
}

static struct program_header read_program_header(const struct image_input *in, const struct elf *e,
                                                 uint32_t i)
{
    const uint8_t *p = in->data + e->phoff + (uint64_t)i * e->phentsize;
    if (e->wide)
        return (struct program_header){get32(p),      get64(p + 8),  get64(p + 32), get64(p + 16),
                                       get64(p + 24), get64(p + 40), get64(p + 48)};
    return (struct program_header){get32(p),      get32(p + 4),  get32(p + 16), get32(p + 8),
                                   get32(p + 12), get32(p + 20), get32(p + 28)};
}

static bool add_segment(const struct image_input *in, struct image *out, uint32_t i,
                        const struct program_header *h)
{
    if (h->memsz < h->filesz)
        return refuse(in, "ELF program header %u: p_memsz is smaller than p_filesz", i);
    if (!within(h->offset, h->filesz, in->len))
        return refuse(in, "a truncated ELF file: segment %u lies beyond the end", i);
    if (h->memsz == 0)
        return true;
    if (!within(h->paddr, h->memsz, IMAGE_TOP))
        return refuse(in, "ELF program header %u: wild p_paddr 0x%llx or p_memsz 0x%llx", i,
                      (unsigned long long)h->paddr, (unsigned long long)h->memsz);
    if (image_overlaps(out, h->paddr, h->memsz))
        return refuse(in, "ELF program header %u: overlaps an earlier segment", i);
    if (out->segment_count == IMAGE_SEGMENTS)
        return refuse(in, "an ELF file with more than %d segments to load", IMAGE_SEGMENTS);
    out->segments[out->segment_count++] =
        (struct image_segment){h->offset, h->filesz, h->paddr, h->memsz};
    return true;
}

/* Looks through the notes n[len] for Xen's PHYS32_ENTRY. Notes that run out of bounds end the
 * search: what follows them cannot be told from data. */
static bool find_pvh_note(const uint8_t *n, size_t len, uint64_t align, uint64_t *entry)
{
    uint64_t pad = align == 8 ? 8 : 4;
    for (size_t at = 0; within(at, 12, len);) {
        uint64_t name_size = get32(n + at), desc_size = get32(n + at + 4);
        uint64_t name = at + 12, desc = ALIGN_UP(name + name_size, pad);
        if (!within(name, name_size, len) || !within(desc, desc_size, len))
            return false;
        if (get32(n + at + 8) == XEN_PHYS32_ENTRY && name_size == 4 &&
            memcmp(n + name, "Xen", 4) == 0 && (desc_size == 4 || desc_size == 8)) {
            *entry = desc_size == 8 ? get64(n + desc) : get32(n + desc);
            return true;
        }
        at = (size_t)ALIGN_UP(desc + desc_size, pad);
    }
    return false;
}

/* e_entry ought to be physical; what lies in a segment's virtual range is taken for virtual, as
 * other loaders do. */
static uint64_t physical_entry(const struct image_input *in, const struct elf *e)
{
    for (uint32_t i = 0; i < e->phnum; i++) {
        struct program_header h = read_program_header(in, e, i);
        if (h.type == PT_LOAD && e->entry >= h.vaddr && e->entry - h.vaddr < h.filesz)
            return h.paddr + (e->entry - h.vaddr);
    }
    return e->entry;
}

bool image_parse_elf(const struct image_input *in, struct image *out)
{
    struct elf e;
    struct mb1_header mb1;
    char miss[IMAGE_MISS_SIZE];
    bool found = false;
    if (!read_elf_header(in, &e))
        return false;
    for (uint32_t i = 0; i < e.phnum; i++) {
        struct program_header h = read_program_header(in, &e, i);
        if (h.type == PT_LOAD && !add_segment(in, out, i, &h))
            return false;
        if (h.type == PT_NOTE && !found && within(h.offset, h.filesz, in->len))
            found = find_pvh_note(in->data + h.offset, min_u64(h.filesz, ELF_NOTES_MAX), h.align,
                                  &out->entry);
    }
    if (out->segment_count == 0)
        return refuse(in, "an ELF file with nothing to load");
    if (found && image_entry_is_loaded(out, out->entry)) {
        out->kind = IMAGE_PVH_ELF;
        return true;
    }
    if (image_find_mb1(in, &mb1)) {
        out->entry = physical_entry(in, &e);
        return image_parse_mb1(in, &mb1, out);
    }
    if (found)
        return refuse(in, "an ELF file whose PVH entry 0x%llx lies in none of its segments",
                      (unsigned long long)out->entry);
    return refuse(in, "an ELF file without a PVH note (Xen note 18) or a Multiboot1 header%s; "
                  "Linux needs CONFIG_PVH=y", image_mb1_miss(in, miss));
}
