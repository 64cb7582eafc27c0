/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImages: the setup header, checked. PURE. Have open: Linux "The Linux/x86 Boot Protocol",
 * "The Real-Mode Kernel Header".
 */
#include "core/image_parse.h"

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

bool image_is_bzimage(const struct image_input *in)
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

static bool check_setup_header(const struct image_input *in, const struct image_bzimage *bz,
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

bool image_parse_bzimage(const struct image_input *in, struct image *out)
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
