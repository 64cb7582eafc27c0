/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recognises guest kernels by content and checks their headers. PURE. Every offset that leaves this
 * file lies inside the image that was parsed; every guest-physical range is below IMAGE_TOP, so
 * that sums of a few of them cannot wrap. Have open: Linux "The Linux/x86 Boot Protocol", "The
 * Real-Mode Kernel Header"; "ELF-64 Object File Format"; Xen "x86/HVM direct boot ABI"; "Multiboot
 * Specification version 0.6.96".
 */
#include "core/image.h"

#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define IMAGE_TOP        BIT(40) /* no guest has more than 1 TiB */
#define WANTED           "a kernel is a bzImage, an ELF file with a PVH note or a Multiboot1 " \
                         "header, or a flat image"

/* Setup header of a bzImage: offsets in the file. */
#define BZ_SETUP_SECTS   0x1f1u
#define BZ_SYSSIZE       0x1f4u /* 16-byte units */
#define BZ_BOOT_FLAG     0x1feu
#define BZ_JUMP_LENGTH   0x201u /* the header ends this many bytes behind 0x202 */
#define BZ_MAGIC         0x202u
#define BZ_VERSION       0x206u
#define BZ_LOADFLAGS     0x211u
#define BZ_CODE32_START  0x214u
#define BZ_INITRD_MAX    0x22cu
#define BZ_ALIGNMENT     0x230u
#define BZ_RELOCATABLE   0x234u
#define BZ_XLOADFLAGS    0x236u
#define BZ_CMDLINE_SIZE  0x238u
#define BZ_PREF_ADDRESS  0x258u
#define BZ_INIT_SIZE     0x260u
#define BZ_HEADER_MIN    0x264u /* with init_size */
#define BZ_HEADER_MAX    0x290u /* boot_params has no room for more */
#define BZ_LOADED_HIGH   BIT(0)
#define BZ_XLF_KERNEL_64 BIT(0)
#define BZ_ENTRY_64      0x200u /* bytes from the start of the protected-mode part */
#define BZ_LOAD_MIN      UINT64_C(0x100000)
#define BZ_ALIGNMENT_MAX UINT32_C(0x40000000)

#define ELF_HEADERS_MAX  64u /* program headers: more is no kernel */
#define ELF_NOTES_MAX    65536u
#define PT_LOAD          1u
#define PT_NOTE          4u
#define EM_386           3u
#define EM_X86_64        62u
#define XEN_PHYS32_ENTRY 18u

#define MB1_MAGIC        0x1badb002u
#define MB1_SEARCH       8192u   /* the header lies in these first bytes of the file */
#define MB1_UNKNOWN      0xfff8u /* of bits 15:0, which a loader must know; here 2:0, as others */
#define MB1_ADDRESSES    BIT(16) /* the header says itself where the file goes */

struct input {
    const uint8_t *data;
    size_t len;
    char *why;
    size_t why_size;
};

struct elf {
    bool wide; /* ELF64 */
    uint64_t entry, phoff;
    uint32_t phnum, phentsize;
};

struct program_header {
    uint32_t type;
    uint64_t offset, filesz, vaddr, paddr, memsz, align;
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Is [offset, offset + n) inside len bytes? */
static bool within(uint64_t offset, uint64_t n, uint64_t len)
{
    return offset <= len && n <= len - offset;
}

/* Says why and returns false, so that a check is one line. */
#define refuse(in, ...) (fmt_print((in)->why, (in)->why_size, __VA_ARGS__), false)

/* --- Linux bzImage ------------------------------------------------------------------------- */

static bool is_bzimage(const struct input *in)
{
    return in->len >= BZ_VERSION + 2 && memcmp(in->data + BZ_MAGIC, "HdrS", 4) == 0 &&
           get16(in->data + BZ_BOOT_FLAG) == 0xaa55;
}

static void read_setup_header(const uint8_t *d, struct image_bzimage *bz)
{
    bz->setup_size = ((d[BZ_SETUP_SECTS] ? d[BZ_SETUP_SECTS] : 4u) + 1u) * 512u;
    bz->loadflags = d[BZ_LOADFLAGS];
    bz->relocatable = d[BZ_RELOCATABLE] != 0;
    bz->xloadflags = get16(d + BZ_XLOADFLAGS);
    bz->code32_start = get32(d + BZ_CODE32_START);
    bz->alignment = get32(d + BZ_ALIGNMENT);
    bz->cmdline_size = get32(d + BZ_CMDLINE_SIZE);
    bz->initrd_addr_max = get32(d + BZ_INITRD_MAX);
    bz->pref_address = get64(d + BZ_PREF_ADDRESS);
    bz->init_size = get32(d + BZ_INIT_SIZE);
}

static bool check_setup_header(const struct input *in, const struct image_bzimage *bz,
                               uint64_t body)
{
    if (!(bz->loadflags & BZ_LOADED_HIGH))
        return refuse(in, "a Linux zImage, which loads low; build a bzImage");
    if (!(bz->xloadflags & BZ_XLF_KERNEL_64))
        return refuse(in, "a Linux bzImage without a 64-bit entry (XLF_KERNEL_64): 32 bits?");
    if (body == 0)
        return refuse(in, "a Linux bzImage whose header says that it has no kernel (syssize 0)");
    if (!within(bz->setup_size, body, (uint64_t)in->len + 15))
        return refuse(in, "a truncated Linux bzImage: its header says %llu bytes, the file has %zu",
                      (unsigned long long)(bz->setup_size + body), in->len);
    if (body <= BZ_ENTRY_64)
        return refuse(in, "a Linux bzImage that ends before its 64-bit entry");
    if (bz->alignment == 0 || (bz->alignment & (bz->alignment - 1)) ||
        bz->alignment > BZ_ALIGNMENT_MAX)
        return refuse(in, "a Linux bzImage with a bad kernel_alignment (0x%x)", bz->alignment);
    if (bz->pref_address >= IMAGE_TOP)
        return refuse(in, "a Linux bzImage with a wild pref_address (0x%llx)",
                      (unsigned long long)bz->pref_address);
    return true;
}

static bool parse_bzimage(const struct input *in, struct image *out)
{
    const uint8_t *d = in->data;
    struct image_bzimage *bz = &out->bz;
    bz->version = get16(d + BZ_VERSION);
    if (bz->version < 0x020c)
        return refuse(in, "a Linux kernel with boot protocol %u.%02u; 2.12 or newer is needed",
                      bz->version >> 8, bz->version & 0xffu);
    bz->header_end = BZ_MAGIC + d[BZ_JUMP_LENGTH];
    if (bz->header_end < BZ_HEADER_MIN || bz->header_end > BZ_HEADER_MAX)
        return refuse(in, "a Linux bzImage whose setup header has a bad length (ends at 0x%x)",
                      bz->header_end);
    if (in->len < BZ_HEADER_MAX)
        return refuse(in, "a truncated Linux bzImage: %zu bytes do not hold its header", in->len);
    read_setup_header(d, bz);
    uint64_t body = (uint64_t)get32(d + BZ_SYSSIZE) * 16;
    if (!check_setup_header(in, bz, body))
        return false;
    /* syssize is rounded up to 16 bytes; the file need not be. */
    body = min_u64(body, in->len - bz->setup_size);

    uint64_t load = bz->relocatable ? bz->pref_address : bz->code32_start;
    load = max_u64(load, BZ_LOAD_MIN);
    if (bz->relocatable)
        load = ALIGN_UP(load, bz->alignment);
    bz->runtime_start = bz->relocatable ? load : bz->pref_address;
    out->entry = load + BZ_ENTRY_64;
    out->segments[0] = (struct image_segment){bz->setup_size, body, load, body};
    out->segment_count = 1;
    out->kind = IMAGE_BZIMAGE;
    return true;
}

/* --- Multiboot1 ---------------------------------------------------------------------------- */

struct mb1_header {
    size_t at; /* file offset */
    uint32_t flags;
};

static bool find_mb1_header(const struct input *in, struct mb1_header *h)
{
    size_t end = in->len < MB1_SEARCH ? in->len : MB1_SEARCH;
    for (size_t at = 0; within(at, 12, end); at += 4) {
        const uint8_t *p = in->data + at;
        if (get32(p) == MB1_MAGIC && MB1_MAGIC + get32(p + 4) + get32(p + 8) == 0) {
            *h = (struct mb1_header){at, get32(p + 4)};
            return true;
        }
    }
    return false;
}

#define MISS_SIZE 64

/* For a message: what looks like a Multiboot1 header in a file that has none; else "". */
static const char *say_mb1_miss(const struct input *in, char text[MISS_SIZE])
{
    text[0] = '\0';
    for (size_t at = 0; within(at, 12, in->len); at += 4) {
        const uint8_t *p = in->data + at;
        if (get32(p) != MB1_MAGIC)
            continue;
        bool sum = MB1_MAGIC + get32(p + 4) + get32(p + 8) == 0;
        bool near = within(at, 12, MB1_SEARCH);
        if (near == sum) /* far away, magic without checksum is a number like any other */
            continue;
        fmt_print(text, MISS_SIZE, " (that at 0x%zx %s)", at,
                  near ? "has a wrong checksum" : "is not in the first 8 KiB");
        break;
    }
    return text;
}

static bool check_mb1_flags(const struct input *in, const struct mb1_header *h)
{
    if (h->flags & MB1_UNKNOWN)
        return refuse(in, "a Multiboot1 kernel that asks for unknown features (flags 0x%x)",
                      h->flags);
    return true;
}

/* The one segment that the header's address fields describe. */
static bool parse_mb1_addresses(const struct input *in, const struct mb1_header *h,
                                struct image *out)
{
    const uint8_t *p = in->data + h->at;
    if (!within(h->at, 32, in->len))
        return refuse(in, "a Multiboot1 kernel that is cut off inside its header");
    uint32_t header = get32(p + 12), load = get32(p + 16), load_end = get32(p + 20);
    uint32_t bss_end = get32(p + 24);
    out->entry = get32(p + 28);
    if (load > header || header - load > h->at)
        return refuse(in, "a Multiboot1 kernel whose load_addr 0x%x and header_addr 0x%x do not "
                      "fit its header at 0x%zx", load, header, h->at);
    uint64_t offset = h->at - (header - load);
    uint64_t filesz = load_end ? (uint64_t)load_end - load : in->len - offset;
    if (load_end && load_end <= load)
        return refuse(in, "a Multiboot1 kernel whose load_end_addr 0x%x is not above its load_addr",
                      load_end);
    if (!within(offset, filesz, in->len))
        return refuse(in, "a truncated Multiboot1 kernel: its header says %llu bytes, there are "
                      "%llu", (unsigned long long)filesz, (unsigned long long)(in->len - offset));
    uint64_t memsz = bss_end ? (uint64_t)bss_end - load : filesz;
    if (bss_end && (bss_end < load || memsz < filesz))
        return refuse(in, "a Multiboot1 kernel whose bss_end_addr 0x%x is below what is loaded",
                      bss_end);
    out->segments[0] = (struct image_segment){offset, filesz, load, memsz};
    out->segment_count = 1;
    return true;
}

static bool entry_is_loaded(const struct image *out, uint64_t entry)
{
    for (uint32_t i = 0; i < out->segment_count; i++)
        if (entry >= out->segments[i].paddr &&
            entry - out->segments[i].paddr < out->segments[i].filesz)
            return entry <= UINT32_MAX;
    return false;
}

static bool finish_mb1(const struct input *in, struct image *out)
{
    if (!entry_is_loaded(out, out->entry))
        return refuse(in, "a Multiboot1 kernel whose entry 0x%llx lies in nothing that is loaded",
                      (unsigned long long)out->entry);
    out->kind = IMAGE_MULTIBOOT1;
    return true;
}

/* --- ELF with a PVH note or a Multiboot1 header -------------------------------------------- */

static bool is_elf(const struct input *in)
{
    return in->len >= 4 && memcmp(in->data, "\177ELF", 4) == 0;
}

static bool read_elf_header(const struct input *in, struct elf *e)
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

static struct program_header read_program_header(const struct input *in, const struct elf *e,
                                                 uint32_t i)
{
    const uint8_t *p = in->data + e->phoff + (uint64_t)i * e->phentsize;
    if (e->wide)
        return (struct program_header){get32(p),      get64(p + 8),  get64(p + 32), get64(p + 16),
                                       get64(p + 24), get64(p + 40), get64(p + 48)};
    return (struct program_header){get32(p),      get32(p + 4),  get32(p + 16), get32(p + 8),
                                   get32(p + 12), get32(p + 20), get32(p + 28)};
}

static bool add_segment(const struct input *in, struct image *out, uint32_t i,
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
static uint64_t physical_entry(const struct input *in, const struct elf *e)
{
    for (uint32_t i = 0; i < e->phnum; i++) {
        struct program_header h = read_program_header(in, e, i);
        if (h.type == PT_LOAD && e->entry >= h.vaddr && e->entry - h.vaddr < h.filesz)
            return h.paddr + (e->entry - h.vaddr);
    }
    return e->entry;
}

static bool parse_mb1_elf(const struct input *in, const struct elf *e, const struct mb1_header *h,
                          struct image *out)
{
    if (!check_mb1_flags(in, h))
        return false;
    /* The address fields come before the ELF headers, says the specification. */
    if (h->flags & MB1_ADDRESSES) {
        if (!parse_mb1_addresses(in, h, out))
            return false;
    } else {
        out->entry = physical_entry(in, e);
    }
    return finish_mb1(in, out);
}

static bool parse_elf(const struct input *in, struct image *out)
{
    struct elf e;
    struct mb1_header mb1;
    char miss[MISS_SIZE];
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
    if (found && entry_is_loaded(out, out->entry)) {
        out->kind = IMAGE_PVH_ELF;
        return true;
    }
    if (find_mb1_header(in, &mb1))
        return parse_mb1_elf(in, &e, &mb1, out);
    if (found)
        return refuse(in, "an ELF file whose PVH entry 0x%llx lies in none of its segments",
                      (unsigned long long)out->entry);
    return refuse(in, "an ELF file without a PVH note (Xen note 18) or a Multiboot1 header%s; "
                  "Linux needs CONFIG_PVH=y", say_mb1_miss(in, miss));
}

/* --- flat ---------------------------------------------------------------------------------- */

static bool is_flat(const struct input *in)
{
    return in->len >= 512 && in->data[510] == 0x55 && in->data[511] == 0xaa;
}

static bool parse_flat(const struct input *in, struct image *out)
{
    if (in->len > IMAGE_FLAT_END - IMAGE_FLAT_LOAD)
        return refuse(in, "a flat boot image of %zu bytes; %u fit (a whole disk image?)", in->len,
                      (unsigned)(IMAGE_FLAT_END - IMAGE_FLAT_LOAD));
    out->segments[0] = (struct image_segment){0, in->len, IMAGE_FLAT_LOAD, in->len};
    out->segment_count = 1;
    out->entry = IMAGE_FLAT_LOAD;
    out->kind = IMAGE_FLAT;
    return true;
}

/* --- all kinds ----------------------------------------------------------------------------- */

/* What is mistaken for a kernel most often. */
static const struct {
    const char *magic;
    uint8_t len;
    const char *text;
} strangers[] = {
    {"\x1f\x8b", 2, "gzip-compressed: gunzip it first"},
    {"\xfd" "7zXZ", 5, "xz-compressed: unxz it first"},
    {"\x28\xb5\x2f\xfd", 4, "zstd-compressed: unzstd it first"},
    {"BZh", 3, "bzip2-compressed: bunzip2 it first"},
    {"\x04\x22\x4d\x18", 4, "lz4-compressed: unlz4 it first"},
    {"\x02\x21\x4c\x18", 4, "lz4-compressed: unlz4 it first"},
    {"070701", 6, "a cpio archive: is that the initrd?"},
    {"!<arch>", 7, "an ar archive: unpack the package first"},
    {"MZ", 2, "a PE (EFI) program without a Linux boot header"},
};

static bool refuse_unknown(const struct input *in)
{
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
        if (in->len >= strangers[i].len &&
            memcmp(in->data, strangers[i].magic, strangers[i].len) == 0)
            return refuse(in, "%s; " WANTED, strangers[i].text);
    if (in->len < 4)
        return refuse(in, "%s; " WANTED, in->len ? "too short for a kernel" : "an empty file");
    return refuse(in, "of no known kind (starts with bytes %02x %02x %02x %02x); " WANTED,
                  in->data[0], in->data[1], in->data[2], in->data[3]);
}

static bool parse_mb1_raw(const struct input *in, const struct mb1_header *h, struct image *out)
{
    return check_mb1_flags(in, h) && parse_mb1_addresses(in, h, out) && finish_mb1(in, out);
}

bool image_parse(const uint8_t *data, size_t len, struct image *out, char *why, size_t why_size)
{
    struct input in = {data, len, why, why_size};
    struct mb1_header mb1 = {0, 0};
    bool ok;
    if (why_size)
        why[0] = '\0';
    memset(out, 0, sizeof(*out));
    /* A bzImage is also a PE file and has a boot sector's signature: it must be asked first. */
    if (is_bzimage(&in))
        ok = parse_bzimage(&in, out);
    else if (is_elf(&in))
        ok = parse_elf(&in, out);
    else if (find_mb1_header(&in, &mb1) && (mb1.flags & MB1_ADDRESSES))
        ok = parse_mb1_raw(&in, &mb1, out);
    else if (is_flat(&in))
        ok = parse_flat(&in, out);
    else
        ok = refuse_unknown(&in);
    if (!ok)
        memset(out, 0, sizeof(*out));
    return ok;
}

const char *image_kind_name(enum image_kind kind)
{
    static const char *const names[] = {"unknown", "bzImage", "PVH ELF", "flat",
                                        "Multiboot1"};
    return (unsigned)kind < ARRAY_LEN(names) ? names[kind] : names[0];
}

bool image_used_range(const struct image *image, uint32_t i, uint64_t *start, uint64_t *len)
{
    if (i < image->segment_count) {
        *start = image->segments[i].paddr;
        *len = image->segments[i].memsz;
        return true;
    }
    if (i > image->segment_count || image->kind != IMAGE_BZIMAGE)
        return false;
    *start = image->bz.runtime_start;
    *len = image->bz.init_size;
    return true;
}

bool image_overlaps(const struct image *image, uint64_t start, uint64_t len)
{
    uint64_t from, n;
    for (uint32_t i = 0; image_used_range(image, i, &from, &n); i++)
        if (len && n && (start >= from ? start - from < n : from - start < len))
            return true;
    return false;
}

uint64_t image_min_memory(const struct image *image)
{
    uint64_t from, n, top = 0;
    for (uint32_t i = 0; image_used_range(image, i, &from, &n); i++)
        top = max_u64(top, from + n);
    return ALIGN_UP(top, 4096);
}
