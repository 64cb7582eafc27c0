/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest kernel's file is, told by its content alone. PURE: parses headers (hostile input)
 * into struct image, whose offsets and lengths have all been checked against the file, so that a
 * loader can copy without a further look. Copies nothing itself; placement is core/linux_boot.h.
 * Have open: Linux "The Linux/x86 Boot Protocol", "ELF: Object File Format", Xen "x86/HVM direct
 * boot ABI" (PVH), "Multiboot Specification version 0.6.96".
 */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include "core/lib/bits.h"

#define IMAGE_SEGMENTS  16
#define IMAGE_FLAT_LOAD UINT64_C(0x7c00)  /* where a boot sector expects itself */
#define IMAGE_FLAT_END  UINT64_C(0x80000) /* it must end below: EBDA and ROMs above */

enum image_kind {
    IMAGE_UNKNOWN,
    IMAGE_BZIMAGE, /* Linux bzImage, started at its 64-bit entry */
    IMAGE_PVH_ELF, /* ELF32 or ELF64 with a Xen PHYS32_ENTRY note, started in 32-bit mode */
    IMAGE_FLAT,    /* boot sector and what follows, started in real mode at 0:7C00 */
    IMAGE_MULTIBOOT1, /* Multiboot1 header, ELF or raw, started in 32-bit mode */
};

/* One piece to load: filesz bytes at offset of the file go to guest-physical paddr; the rest up to
 * memsz is zero. Pieces never overlap and paddr + memsz never wraps. */
struct image_segment {
    uint64_t offset, filesz;
    uint64_t paddr, memsz;
};

struct image_bzimage {
    uint16_t version;      /* 0x020c: 2.12 */
    uint8_t loadflags;
    bool relocatable;
    uint16_t xloadflags;
    uint32_t setup_size;   /* bytes of boot sector and setup; the protected-mode part follows */
    uint32_t header_end;   /* file offset where the setup header ends; 0x264 .. 0x290 */
    uint32_t code32_start;
    uint32_t alignment;    /* kernel_alignment, a power of two */
    uint32_t cmdline_size; /* longest command line, bytes without the terminator */
    uint32_t initrd_addr_max; /* highest address a byte of the initrd may have */
    uint64_t pref_address;
    uint64_t runtime_start; /* where init_size counts from */
    uint64_t init_size;     /* bytes of RAM needed from there */
};

struct image {
    enum image_kind kind;
    uint64_t entry; /* guest-physical address of the first instruction */
    uint32_t segment_count;
    struct image_segment segments[IMAGE_SEGMENTS]; /* what to load, for every kind */
    struct image_bzimage bz;                       /* only for IMAGE_BZIMAGE */
};

/* "bzImage", "PVH ELF", "flat", "Multiboot1", "unknown". */
const char *image_kind_name(enum image_kind kind);

/* Recognises data[len] and parses its headers. False: *out is IMAGE_UNKNOWN and why says what was
 * seen and what would be accepted, in one line without the file's name. */
bool image_parse(const uint8_t *data, size_t len, struct image *out, char *why, size_t why_size);

/* Bytes of guest RAM, counted from address 0, without which the kernel cannot even be loaded. */
uint64_t image_min_memory(const struct image *image);

/* True if the kernel, loaded and unpacking itself, may use part of [start, start + len). */
bool image_overlaps(const struct image *image, uint64_t start, uint64_t len);

/* The guest-physical ranges behind image_overlaps(), i from 0; false after the last one. */
bool image_used_range(const struct image *image, uint32_t i, uint64_t *start, uint64_t *len);

#endif
