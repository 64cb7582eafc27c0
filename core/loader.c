/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading guests. What a kernel file is and what it wants is image.c's and linux_boot.c's; here the
 * pieces are placed and copied through guest_mem. Guest-physical layout below 1 MiB:
 *
 *   0x1000  GDT of the 64-bit start      0x8000   boot_params (bzImage)
 *   0x2000  page tables of that start    0x10000  PVH start info with all it points to
 *           (6 pages)                    0x20000  command line (bzImage)
 *   0xe0000 ACPI tables                  0xf0000 SMBIOS tables
 */
#include "core/loader.h"

#include "core/guest_acpi.h"
#include "core/guest_smbios.h"
#include "core/image.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "core/linux_boot.h"
#include "core/modules.h"
#include "core/multiboot1.h"
#include "core/version.h"
#include "dsdt_aml.h"
#include "mm/pool.h"

#define GDT_AT         0x1000
#define TABLES_AT      0x2000
#define BOOT_PARAMS_AT 0x8000
#define START_INFO_AT  0x10000
#define START_INFO_MAX 0x4000
#define CMDLINE_AT     0x20000
#define ACPI_AT        0xe0000
#define FLAT_STACK     0x7c00
#define LOW_RAM_END    0x9fc00 /* EBDA and ROMs, as on any PC */
#define HIGH_RAM_START 0x100000

/* Bytes of files that one call copies: the boot CPU has VMs to run as well. */
#define PIECE          KIB(64)

#define PTE_P_RW       3u
#define PTE_LARGE      0x80u

/* What the loading steps hand on. */
struct load {
    struct vm *vm;
    const struct module *kernel, *initrd;
    struct image image;
    uint64_t initrd_at, rsdp;
    struct multiboot1_module modules[CONFIG_MODULES];
    uint32_t module_count;
    /* Of the bytes of all files, one behind the other: those that this call copies; those seen. */
    uint64_t from, to, passed;
    struct e820_range e820[4];
    unsigned e820_count;
    char *why;
    size_t why_size;
};

static bool fail(struct load *l, const char *format, ...) PRINTF_LIKE(2, 3);

static bool fail(struct load *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fmt_vprint(l->why, l->why_size, format, args);
    va_end(args);
    return false;
}

static bool open_images(struct load *l)
{
    char reason[160];
    const struct vm *vm = l->vm;
    l->kernel = modules_find(vm->kernel);
    if (!l->kernel)
        return fail(l, "kernel %s: there is no such boot module", vm->kernel);
    if (!image_parse(l->kernel->data, l->kernel->len, &l->image, reason, sizeof(reason)))
        return fail(l, "kernel %s: %s", vm->kernel, reason);
    if (vm->initrd[0]) {
        l->initrd = modules_find(vm->initrd);
        if (!l->initrd)
            return fail(l, "initrd %s: there is no such boot module", vm->initrd);
        if (l->image.kind == IMAGE_FLAT || l->image.kind == IMAGE_MULTIBOOT1)
            return fail(l, "initrd %s: a %s image takes none (Multiboot1: use modules)",
                        vm->initrd, image_kind_name(l->image.kind));
    }
    uint64_t need = image_min_memory(&l->image);
    if (need > vm->memory)
        return fail(l, "memory %lu KiB: kernel %s needs at least %lu KiB", vm->memory / 1024,
                    vm->kernel, (need + 1023) / 1024);
    return true;
}

static bool place_initrd(struct load *l)
{
    if (!l->initrd || !l->initrd->len)
        return true;
    uint64_t low = min_u64(l->vm->memory, VM_LOW_RAM);
    if (!linux_place_initrd(&l->image, l->initrd->len, low, &l->initrd_at))
        return fail(l, "memory %lu KiB: no room for initrd %s of %lu KiB", l->vm->memory / 1024,
                    l->vm->initrd, (l->initrd->len + 1023) / 1024);
    return true;
}

bool loader_check(const struct vm *vm, char *why, size_t size)
{
    struct load l = {.vm = (struct vm *)(uintptr_t)vm, .why = why, .why_size = size};
    return open_images(&l) && place_initrd(&l);
}

static bool put(struct load *l, uint64_t at, const void *data, size_t len)
{
    if (guest_write(&l->vm->mem, GPA(at), data, len))
        return true;
    return fail(l, "memory %lu KiB: %lu bytes do not fit at %#lx", l->vm->memory / 1024, len, at);
}

/* Of a file's bytes those that it is the turn of. */
static bool put_file(struct load *l, uint64_t at, const uint8_t *data, size_t len)
{
    uint64_t begin = max_u64(l->from, l->passed), end = min_u64(l->to, l->passed + len);
    uint64_t skip = begin - l->passed;
    l->passed += len;
    return begin >= end || put(l, at + skip, data + skip, end - begin);
}

static bool put_segments(struct load *l)
{
    for (unsigned i = 0; i < l->image.segment_count; i++) {
        const struct image_segment *s = &l->image.segments[i];
        /* The rest up to memsz is zero already: RAM is scrubbed before it is loaded. */
        if (s->memsz > s->filesz && !guest_mem_contains(&l->vm->mem, GPA(s->paddr), s->memsz))
            return fail(l, "memory %lu KiB: the kernel's segment at %#lx (%lu bytes) is outside",
                        l->vm->memory / 1024, s->paddr, s->memsz);
        if (!put_file(l, s->paddr, l->kernel->data + s->offset, s->filesz))
            return false;
    }
    return true;
}

static bool put_initrd(struct load *l)
{
    return !l->initrd || put_file(l, l->initrd_at, l->initrd->data, l->initrd->len);
}

/* The configuration's modules, each on pages of its own behind the kernel, lowest first. */
static bool put_modules(struct load *l)
{
    const char *rest = l->vm->modules;
    struct config_module m;
    char path[CONFIG_PATH_MAX + 1];
    uint64_t floor = HIGH_RAM_START, limit = min_u64(l->vm->memory, VM_LOW_RAM);
    for (; config_next_module(&rest, &m); l->module_count++) {
        fmt_print(path, sizeof(path), "%.*s", (int)m.path_len, m.text);
        const struct module *file = modules_find(path);
        if (!file)
            return fail(l, "module %s: there is no such boot module", path);
        if (l->module_count == CONFIG_MODULES)
            return fail(l, "modules: more than %u", CONFIG_MODULES);
        struct multiboot1_module *to = &l->modules[l->module_count];
        *to = (struct multiboot1_module){0, file->len, m.text, m.text_len};
        if (!boot_place_low(&l->image, file->len ? file->len : 1, floor, limit, &to->start))
            return fail(l, "memory %lu KiB: no room for module %s", l->vm->memory / 1024, path);
        if (!put_file(l, to->start, file->data, file->len))
            return false;
        floor = ALIGN_UP(to->start + file->len, PAGE_SIZE);
    }
    return true;
}

static void add_e820(struct load *l, uint64_t base, uint64_t end, enum e820_type type)
{
    if (end > base)
        l->e820[l->e820_count++] = (struct e820_range){base, end - base, type};
}

static void make_e820(struct load *l)
{
    uint64_t memory = l->vm->memory, low = min_u64(memory, VM_LOW_RAM);
    add_e820(l, 0, min_u64(low, LOW_RAM_END), E820_RAM);
    add_e820(l, LOW_RAM_END, HIGH_RAM_START, E820_RESERVED);
    add_e820(l, HIGH_RAM_START, low, E820_RAM);
    add_e820(l, VM_HIGH_RAM, VM_HIGH_RAM + (memory - low), E820_RAM);
}

static struct linux_boot_args boot_args(const struct load *l)
{
    return (struct linux_boot_args){
        .cmdline = CMDLINE_AT,
        .text = l->vm->cmdline,
        .initrd = l->initrd_at,
        .initrd_size = l->initrd ? l->initrd->len : 0,
        .rsdp = l->rsdp,
        .e820 = l->e820,
        .e820_count = l->e820_count,
    };
}

/* The ACPI tables, in what the memory map calls reserved. */
static bool put_acpi(struct load *l)
{
    struct guest_acpi_config config = {
        .cpus = l->vm->vcpu_count,
        .power_button = true,
        .dsdt = dsdt_aml,
        .dsdt_len = sizeof(dsdt_aml),
    };
    uint8_t *buf = pool_alloc_pages(GUEST_ACPI_ROOM / PAGE_SIZE, NULL);
    if (!buf)
        return fail(l, "no hypervisor memory for the ACPI tables");
    size_t used = guest_acpi_build(buf, GUEST_ACPI_ROOM, ACPI_AT, &config, &l->rsdp);
    bool ok = used ? put(l, ACPI_AT, buf, used) : fail(l, "the ACPI tables do not fit");
    pool_free_pages(buf, GUEST_ACPI_ROOM / PAGE_SIZE);
    return ok;
}

static bool put_smbios(struct load *l)
{
    static const struct guest_smbios_config config = {
        .vendor = "Plinth",
        .product = "Virtual Machine",
        .version = PLINTH_VERSION,
        .date = PLINTH_DATE,
    };
    uint8_t buf[GUEST_SMBIOS_ROOM];
    size_t used = guest_smbios_build(buf, sizeof(buf), &config);
    return used ? put(l, GUEST_SMBIOS_AT, buf, used) : fail(l, "the SMBIOS tables do not fit");
}

/* The first 4 GiB one to one in 2 MiB pages, as the 64-bit boot protocol asks, and a GDT. */
static bool put_long_mode_tables(struct load *l, struct vcpu_start *start)
{
    static const uint64_t gdt[] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};
    uint64_t page[512];
    memset(page, 0, sizeof(page));
    page[0] = (TABLES_AT + PAGE_SIZE) | PTE_P_RW;
    if (!put(l, TABLES_AT, page, sizeof(page)))
        return false;
    for (unsigned i = 0; i < 4; i++)
        page[i] = (TABLES_AT + (2 + i) * PAGE_SIZE) | PTE_P_RW;
    if (!put(l, TABLES_AT + PAGE_SIZE, page, sizeof(page)))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 512; j++)
            page[j] = (i * UINT64_C(512) + j) * PAGE_SIZE_2M | PTE_P_RW | PTE_LARGE;
        if (!put(l, TABLES_AT + (2 + i) * PAGE_SIZE, page, sizeof(page)))
            return false;
    }
    start->cr3 = TABLES_AT;
    start->gdt_base = GDT_AT;
    start->gdt_limit = sizeof(gdt) - 1;
    return put(l, GDT_AT, gdt, sizeof(gdt));
}

static bool load_bzimage(struct load *l, struct vcpu_start *start)
{
    uint8_t page[BOOT_PARAMS_SIZE];
    const char *reason;
    struct linux_boot_args args = boot_args(l);
    if (!linux_fill_boot_params(l->kernel->data, l->kernel->len, &l->image, &args, page, &reason))
        return fail(l, "kernel %s: %s", l->vm->kernel, reason);
    if (!put(l, BOOT_PARAMS_AT, page, sizeof(page)) ||
        !put(l, CMDLINE_AT, l->vm->cmdline, strlen(l->vm->cmdline) + 1) ||
        !put_long_mode_tables(l, start))
        return false;
    start->mode = START_LONG;
    start->gpr[GPR_RSI] = BOOT_PARAMS_AT;
    return true;
}

static bool load_pvh(struct load *l, struct vcpu_start *start)
{
    struct linux_boot_args args = boot_args(l);
    uint8_t *buf = pool_alloc_pages(START_INFO_MAX / PAGE_SIZE, NULL);
    uint64_t at = START_INFO_AT;
    if (!buf)
        return fail(l, "no hypervisor memory for the start info");
    bool ok = false;
    size_t used = 0;
    if (image_overlaps(&l->image, at, START_INFO_MAX) &&
        !boot_place_low(&l->image, START_INFO_MAX, PAGE_SIZE, min_u64(l->vm->memory, LOW_RAM_END),
                        &at))
        fail(l, "kernel %s: it leaves no room below 640 KiB for the start info", l->vm->kernel);
    else if (!(used = pvh_build_start_info(buf, START_INFO_MAX, at, &args)))
        fail(l, "the command line and the memory map do not fit into the start info");
    else
        ok = put(l, at, buf, used);
    pool_free_pages(buf, START_INFO_MAX / PAGE_SIZE);
    start->mode = START_PROTECTED;
    start->gpr[GPR_RBX] = at;
    return ok;
}

static bool load_multiboot1(struct load *l, struct vcpu_start *start)
{
    struct multiboot1_args args = {
        .name = l->vm->kernel,
        .cmdline = l->vm->cmdline,
        .modules = l->modules,
        .module_count = l->module_count,
        .e820 = l->e820,
        .e820_count = l->e820_count,
    };
    uint64_t at = START_INFO_AT;
    if (image_overlaps(&l->image, at, START_INFO_MAX) &&
        !boot_place_low(&l->image, START_INFO_MAX, PAGE_SIZE, min_u64(l->vm->memory, LOW_RAM_END),
                        &at))
        return fail(l, "kernel %s: it leaves no room below 640 KiB for the boot information",
                    l->vm->kernel);
    uint8_t *buf = pool_alloc_pages(START_INFO_MAX / PAGE_SIZE, NULL);
    if (!buf)
        return fail(l, "no hypervisor memory for the boot information");
    size_t used = multiboot1_build_info(buf, START_INFO_MAX, at, &args);
    bool ok = used ? put(l, at, buf, used)
                   : fail(l, "command line and modules do not fit into the boot information");
    pool_free_pages(buf, START_INFO_MAX / PAGE_SIZE);
    start->mode = START_PROTECTED;
    start->gpr[GPR_RAX] = MULTIBOOT1_BOOT_MAGIC;
    start->gpr[GPR_RBX] = at;
    return ok;
}

static bool load_flat(struct load *l, struct vcpu_start *start)
{
    (void)l;
    start->mode = START_REAL;
    start->idt_limit = 0x3ff; /* of real mode's table of vectors, as a BIOS sets it */
    start->rsp = FLAT_STACK;
    start->gpr[GPR_RDX] = 0x80; /* the first hard disk, as a BIOS would say */
    return true;
}

static bool put_start(struct load *l, struct vcpu_start *start)
{
    make_e820(l);
    if (l->vm->memory >= HIGH_RAM_START && (!put_acpi(l) || !put_smbios(l)))
        return false;
    start->rip = l->image.entry;
    switch (l->image.kind) {
    case IMAGE_BZIMAGE:
        return load_bzimage(l, start);
    case IMAGE_PVH_ELF:
        return load_pvh(l, start);
    case IMAGE_MULTIBOOT1:
        return load_multiboot1(l, start);
    default:
        return load_flat(l, start);
    }
}

enum loader_result loader_load(struct vm *vm, struct vcpu_start *start, char *why, size_t size)
{
    struct load l = {.vm = vm, .why = why, .why_size = size, .from = vm->load_at};
    l.to = l.from + PIECE;
    *start = (struct vcpu_start){.mode = START_REAL};
    /* All is placed anew each time, which is little beside the copying. */
    if (!open_images(&l) || !place_initrd(&l) || !put_segments(&l) || !put_initrd(&l) ||
        (l.image.kind == IMAGE_MULTIBOOT1 && !put_modules(&l)))
        return LOADER_FAILED;
    vm->load_at = l.to;
    if (l.passed > l.to)
        return LOADER_MORE;
    return put_start(&l, start) ? LOADER_DONE : LOADER_FAILED;
}
