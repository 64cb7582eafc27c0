/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * multiboot: a 32-bit kernel that knows nothing of Plinth. It prints what a Multiboot1 loader has
 * handed it, with a checksum of each module, checks what the specification promises of the CPU and
 * of the structure, and exits by port F4h with the number of things that are wrong. Must not use
 * guests/lib, which is 64-bit code. Have open: "Multiboot Specification version 0.6.96".
 */
#include <stdarg.h>
#include <stdint.h>

#include "core/lib/fmt.h"

#define BOOT_MAGIC  0x2badb002u
#define UART        0x3f8
#define EXIT_PORT   0xf4
#define HAS_MEMORY  0x001u
#define HAS_CMDLINE 0x004u
#define HAS_MODULES 0x008u
#define HAS_MAP     0x040u
#define HAS_NAME    0x200u
#define CR0_PE      0x1u
#define CR0_PG      0x80000000u
#define RFLAGS_IF   0x200u
#define RAM         1u
#define MIB         0x100000u

/* As head.S pushes it: the last one first. */
struct entry_state {
    uint32_t ss, ds, cs, cr0, eflags, magic, info;
};

struct info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
    uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr, config_table, boot_loader_name;
};

struct module {
    uint32_t start, end, string, reserved;
};

struct range {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

extern const char kernel_end[];
void kernel_main(const struct entry_state *s);

static unsigned wrong;
/* Zero unless the loader left the .bss dirty; larger than a page, so that a short memsz shows. */
static uint32_t zeroes[3000];
static uint32_t initialised[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void PRINTF_LIKE(1, 2) print(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    fmt_vprint(line, sizeof(line), format, args);
    va_end(args);
    for (const char *c = line; *c; c++) {
        while (!(in8(UART + 5) & 0x20))
            ;
        out8(UART, (uint8_t)*c);
    }
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    wrong++;
    print("multiboot: WRONG: %s\n", what);
}

static const void *at(uint32_t address)
{
    return (const void *)(uintptr_t)address;
}

static void check_cpu(const struct entry_state *s)
{
    check(s->magic == BOOT_MAGIC, "magic in EAX");
    check((s->cr0 & (CR0_PE | CR0_PG)) == CR0_PE, "protected mode without paging");
    check(!(s->eflags & RFLAGS_IF), "interrupts off");
    check((s->cs & 3) == 0 && s->ds == s->ss, "selectors");
    /* With A20 masked, these two would be the same byte. */
    volatile uint8_t *low = (uint8_t *)(uintptr_t)0x5000, *high = (uint8_t *)(uintptr_t)0x105000;
    *low = 0x12;
    *high = 0x34;
    check(*low == 0x12 && *high == 0x34, "A20");
    uint32_t sum = 0;
    for (unsigned i = 0; i < sizeof(zeroes) / sizeof(zeroes[0]); i++)
        sum |= ((volatile uint32_t *)zeroes)[i];
    check(sum == 0, ".bss is zero");
    for (unsigned i = 0; i < 4; i++)
        check(((volatile uint32_t *)initialised)[i] == (i + 1) * 0x11111111u, ".data");
}

static void show_map(const struct info *i)
{
    uint64_t upper = 0;
    check(i->flags & HAS_MAP, "a memory map");
    for (uint32_t p = i->mmap_addr; p < i->mmap_addr + i->mmap_length;) {
        const struct range *r = at(p);
        print("multiboot: map %#llx + %#llx type %u\n", (unsigned long long)r->base,
              (unsigned long long)r->length, r->type);
        if (r->type == RAM && r->base == MIB)
            upper = r->length;
        p += r->size + 4;
    }
    check((i->flags & HAS_MEMORY) && upper / 1024 == i->mem_upper, "mem_upper is the map's");
}

/* FNV-1a, 32 bits. */
static uint32_t checksum(const uint8_t *p, uint32_t len)
{
    uint32_t sum = 0x811c9dc5u;
    for (uint32_t n = 0; n < len; n++)
        sum = (sum ^ p[n]) * 0x01000193u;
    return sum;
}

static void show_modules(const struct info *i)
{
    const struct module *m = at(i->mods_addr);
    uint32_t count = i->flags & HAS_MODULES ? i->mods_count : 0;
    uint32_t floor = (uint32_t)(uintptr_t)kernel_end;
    for (uint32_t n = 0; n < count; n++) {
        print("multiboot: module %u: '%s', %u bytes, sum %08x\n", n,
              (const char *)at(m[n].string), m[n].end - m[n].start,
              checksum(at(m[n].start), m[n].end - m[n].start));
        check(!(m[n].start & 0xfff), "module on a page of its own");
        check(m[n].end >= m[n].start && m[n].end <= MIB + i->mem_upper * 1024, "module in RAM");
        /* In this order, as Plinth documents it, which also keeps them apart. */
        check(m[n].start >= floor || m[n].end <= 0x200000, "module away from kernel and others");
        if (m[n].start >= floor)
            floor = m[n].end;
    }
    print("multiboot: %u modules\n", count);
}

void kernel_main(const struct entry_state *s)
{
    const struct info *i = at(s->info);
    print("multiboot: magic %08x\n", s->magic);
    check_cpu(s);
    if (s->magic == BOOT_MAGIC) {
        check(i->flags & HAS_CMDLINE, "a command line");
        check(i->flags & HAS_NAME, "the loader's name");
        print("multiboot: loader '%s', command line '%s'\n",
              (const char *)at(i->boot_loader_name), (const char *)at(i->cmdline));
        print("multiboot: memory %u + %u KiB\n", i->mem_lower, i->mem_upper);
        show_map(i);
        show_modules(i);
    }
    print("multiboot: %u wrong\n", wrong);
    __asm__ volatile("outl %0, %1" : : "a"(wrong), "Nd"((uint16_t)EXIT_PORT));
}
