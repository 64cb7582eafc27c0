/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads RSDP, XSDT or RSDT, MADT and FADT. PURE; \_S5_ is acpi_s5.c's. Firmware is hostile input: a
 * table is used only when its length is sane, all of it could be mapped and its checksum is right;
 * every loop steps by at least one byte through a bounded table. What is wrong becomes a warning,
 * never a failure of the tables that are right. Have open: ACPI Specification, "ACPI System
 * Description Tables".
 */
#include "drivers/hw/acpi_s5.h"

#include "core/lib/bytes.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define HEADER_SIZE      36u
#define TABLE_MAX        (UINT32_C(8) << 20) /* bytes; the largest DSDTs have a few hundred KB */
#define ROOT_ENTRIES_MAX 256u
#define MADT_ENTRIES     44u
#define FADT_MIN         116u /* ACPI 1.0's size: up to the flags */

struct walk {
    acpi_map_fn *map;
    void *ctx;
    struct acpi_info *out;
};

static PRINTF_LIKE(2, 3) void warn(struct acpi_info *out, const char *format, ...)
{
    if (out->warning_count == ACPI_WARNINGS) {
        out->warnings_dropped++;
        return;
    }
    va_list args;
    va_start(args, format);
    fmt_vprint(out->warnings[out->warning_count++], ACPI_WARNING_TEXT, format, args);
    va_end(args);
}

static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

static void copy_signature(char text[5], const uint8_t *p)
{
    for (int i = 0; i < 4; i++)
        text[i] = p[i] > 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    text[4] = '\0';
}

/* The whole table at hpa, checked; p is NULL after a warning. */
static struct bytes open_table(struct walk *w, uint64_t hpa, char signature[5])
{
    static const struct bytes none = {NULL, 0};
    const uint8_t *p = hpa ? w->map(w->ctx, hpa, HEADER_SIZE) : NULL;
    if (!p) {
        warn(w->out, "a table at 0x%llx cannot be read", (unsigned long long)hpa);
        return none;
    }
    uint32_t len = get32(p + 4);
    copy_signature(signature, p);
    if (len < HEADER_SIZE || len > TABLE_MAX) {
        warn(w->out, "%s: bad length %u", signature, len);
        return none;
    }
    p = w->map(w->ctx, hpa, len);
    if (!p) {
        warn(w->out, "%s: its %u bytes at 0x%llx cannot be read", signature, len,
             (unsigned long long)hpa);
        return none;
    }
    if (!sums_to_zero(p, len)) {
        warn(w->out, "%s: wrong checksum, not used", signature);
        return none;
    }
    return (struct bytes){p, len};
}

/* --- MADT ---------------------------------------------------------------------------------- */

static struct acpi_cpu *find_cpu(struct acpi_info *out, uint32_t id)
{
    for (uint32_t i = 0; i < out->cpu_count; i++)
        if (out->cpus[i].apic_id == id)
            return &out->cpus[i];
    return NULL;
}

/* Room for an enabled CPU in a full table: that of one which is not there yet. */
static struct acpi_cpu *replaceable_cpu(struct acpi_info *out)
{
    for (uint32_t i = 0; i < out->cpu_count; i++)
        if (!out->cpus[i].enabled)
            return &out->cpus[i];
    return NULL;
}

static void add_cpu(struct acpi_info *out, uint32_t id, uint32_t uid, uint32_t flags, bool x2apic)
{
    bool enabled = flags & BIT(0), capable = !enabled && (flags & BIT(1));
    /* All ones is the broadcast ID. */
    if ((!enabled && !capable) || id == (x2apic ? UINT32_MAX : 0xff))
        return;
    struct acpi_cpu *cpu = find_cpu(out, id);
    if (cpu && (cpu->enabled || !enabled)) {
        warn(out, "MADT: APIC ID %u is there twice", id);
        return;
    }
    if (!cpu && out->cpu_count < ACPI_CPUS)
        cpu = &out->cpus[out->cpu_count++];
    else if (!cpu) {
        cpu = enabled ? replaceable_cpu(out) : NULL;
        out->cpus_dropped++;
    }
    if (cpu)
        *cpu = (struct acpi_cpu){id, uid, x2apic, enabled, capable};
}

static void add_ioapic(struct acpi_info *out, const uint8_t *e)
{
    if (out->ioapic_count == ACPI_IOAPICS)
        warn(out, "MADT: more than %d IOAPICs, IOAPIC %u left out", ACPI_IOAPICS, e[2]);
    else
        out->ioapics[out->ioapic_count++] =
            (struct acpi_ioapic){e[2], get32(e + 4), get32(e + 8)};
}

static void add_override(struct acpi_info *out, const uint8_t *e)
{
    if (e[2] != 0) /* 0 is the ISA bus, and nothing else is defined */
        warn(out, "MADT: an interrupt source override for bus %u", e[2]);
    else if (out->override_count == ACPI_OVERRIDES)
        warn(out, "MADT: more than %d interrupt source overrides", ACPI_OVERRIDES);
    else
        out->overrides[out->override_count++] =
            (struct acpi_override){e[3], get32(e + 4), get16(e + 8)};
}

static void add_nmi(struct acpi_info *out, const uint8_t *e)
{
    if (out->nmi_count == ACPI_NMIS)
        warn(out, "MADT: more than %d NMI sources", ACPI_NMIS);
    else
        out->nmis[out->nmi_count++] = (struct acpi_nmi_source){get32(e + 4), get16(e + 2)};
}

static void read_madt_entry(struct acpi_info *out, const uint8_t *e)
{
    switch (e[0]) {
    case 0:
        add_cpu(out, e[3], e[2], get32(e + 4), false);
        break;
    case 1:
        add_ioapic(out, e);
        break;
    case 2:
        add_override(out, e);
        break;
    case 3:
        add_nmi(out, e);
        break;
    case 5:
        out->lapic_address = get64(e + 4);
        break;
    case 9:
        add_cpu(out, get32(e + 4), get32(e + 12), get32(e + 8), true);
        break;
    default: /* local NMIs, SAPICs, other architectures' interrupt controllers */
        break;
    }
}

static void read_madt(struct acpi_info *out, struct bytes t)
{
    static const uint8_t shortest[] = {8, 12, 10, 8, 2, 12, 2, 2, 2, 16};
    if (out->has_madt || t.n < MADT_ENTRIES) {
        warn(out, out->has_madt ? "a second MADT" : "MADT: too short");
        return;
    }
    out->has_madt = true;
    out->lapic_address = get32(t.p + 36);
    out->pcat_compat = get32(t.p + 40) & BIT(0);
    for (size_t at = MADT_ENTRIES; t.n - at >= 2;) {
        const uint8_t *e = t.p + at;
        size_t least = e[0] < ARRAY_LEN(shortest) ? shortest[e[0]] : 2;
        if (e[1] < 2 || e[1] > t.n - at) {
            warn(out, "MADT: an entry of type %u has length %u; the rest is not used", e[0], e[1]);
            return;
        }
        if (e[1] < least)
            warn(out, "MADT: an entry of type %u is too short (%u)", e[0], e[1]);
        else
            read_madt_entry(out, e);
        at += e[1];
    }
}

/* --- FADT ---------------------------------------------------------------------------------- */

static struct acpi_gas get_gas(const uint8_t *p)
{
    return (struct acpi_gas){p[0], p[1], p[2], p[3], get64(p + 4)};
}

/* A register block that has a 32-bit port field and, in longer tables, an extended address. The
 * extended one counts when it is there, as the specification has it. */
static struct acpi_gas get_block(struct acpi_info *out, struct bytes t, const char *name,
                                 size_t port_at, size_t extended_at, uint8_t len)
{
    uint32_t port = get32(t.p + port_at);
    struct acpi_gas g = {.space = 1, .bit_width = (uint8_t)(len * 8u), .address = port};
    if (t.n < extended_at + 12)
        return g;
    struct acpi_gas x = get_gas(t.p + extended_at);
    if (!x.address)
        return g;
    if (port && (x.space != 1 || x.address != port))
        warn(out, "FADT: %s is 0x%x, but 0x%llx in its extended field", name, port,
             (unsigned long long)x.address);
    return x;
}

static void read_reset(struct acpi_info *out, struct bytes t, uint32_t flags)
{
    if (t.n < 129 || !(flags & BIT(10)))
        return;
    out->reset_reg = get_gas(t.p + 116);
    out->reset_value = t.p[128];
    out->has_reset = out->reset_reg.address && out->reset_reg.space <= 2;
    if (!out->has_reset)
        warn(out, "FADT: the reset register is nowhere");
}

static void read_fadt(struct acpi_info *out, struct bytes t)
{
    if (out->has_fadt || t.n < FADT_MIN) {
        warn(out, out->has_fadt ? "a second FADT" : "FADT: too short");
        return;
    }
    const uint8_t *p = t.p;
    uint32_t flags = get32(p + 112);
    out->has_fadt = true;
    out->hw_reduced = flags & BIT(20);
    out->dsdt_address = get32(p + 40);
    if (t.n >= 148 && get64(p + 140))
        out->dsdt_address = get64(p + 140);
    out->sci_irq = get16(p + 46);
    out->smi_cmd = get32(p + 48);
    out->acpi_enable = p[52];
    out->pm1_event_len = p[88];
    out->pm1a_event = get_block(out, t, "PM1a_EVT_BLK", 56, 148, p[88]);
    out->pm1b_event = get_block(out, t, "PM1b_EVT_BLK", 60, 160, p[88]);
    out->pm1a_control = get_block(out, t, "PM1a_CNT_BLK", 64, 172, p[89]);
    out->pm1b_control = get_block(out, t, "PM1b_CNT_BLK", 68, 184, p[89]);
    out->pm_timer = get_block(out, t, "PM_TMR_BLK", 76, 208, p[91]);
    out->pm_timer_32bit = flags & BIT(8);
    /* ACPI 1.0 had no such field; its machines have the PC's legacy devices. */
    out->iapc_boot_arch = p[8] >= 2 ? get16(p + 109) : 3;
    read_reset(out, t, flags);
}

static void look_for_s5(struct acpi_info *out, struct bytes table)
{
    struct bytes aml = {table.p + HEADER_SIZE, table.n - HEADER_SIZE};
    if (!out->has_s5)
        out->has_s5 = acpi_find_s5(aml, &out->s5_typ_a, &out->s5_typ_b);
}

/* --- the walk ------------------------------------------------------------------------------ */

static void read_table(struct walk *w, uint64_t hpa)
{
    struct acpi_info *out = w->out;
    char signature[5];
    struct bytes t = open_table(w, hpa, signature);
    if (!t.p)
        return;
    if (out->table_count < ACPI_TABLES) {
        struct acpi_table *entry = &out->tables[out->table_count++];
        memcpy(entry->signature, signature, sizeof(entry->signature));
        entry->address = hpa;
        entry->length = (uint32_t)t.n;
    }
    if (str_eq(signature, "APIC"))
        read_madt(out, t);
    else if (str_eq(signature, "FACP"))
        read_fadt(out, t);
    else if (str_eq(signature, "SSDT"))
        look_for_s5(out, t);
}

static bool walk_root(struct walk *w, uint64_t hpa, const char *wanted)
{
    char signature[5];
    struct bytes t = open_table(w, hpa, signature);
    if (!t.p)
        return false;
    if (!str_eq(signature, wanted)) {
        warn(w->out, "there is a table %s where the %s should be", signature, wanted);
        return false;
    }
    size_t step = str_eq(wanted, "XSDT") ? 8 : 4, count = (t.n - HEADER_SIZE) / step;
    if (count > ROOT_ENTRIES_MAX) {
        warn(w->out, "%s: %zu tables, only %u are looked at", wanted, count, ROOT_ENTRIES_MAX);
        count = ROOT_ENTRIES_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *e = t.p + HEADER_SIZE + i * step;
        uint64_t table = step == 8 ? get64(e) : get32(e);
        if (table) /* some firmware leaves holes */
            read_table(w, table);
    }
    return true;
}

/* The addresses of the root tables, 0 for one that is not there. */
static bool read_rsdp(struct acpi_info *out, const uint8_t *p, size_t n, uint64_t *rsdt,
                      uint64_t *xsdt)
{
    *rsdt = *xsdt = 0;
    if (n < 20 || memcmp(p, "RSD PTR ", 8) != 0 || !sums_to_zero(p, 20)) {
        warn(out, n == 0 ? "no RSDP" : "RSDP: wrong signature or checksum");
        return false;
    }
    out->revision = p[15];
    *rsdt = get32(p + 16);
    if (p[15] < 2)
        return true;
    uint32_t len = n >= 36 ? get32(p + 20) : 0;
    if (len < 36 || len > n || !sums_to_zero(p, len))
        warn(out, "RSDP: its extended part is wrong, the RSDT is used");
    else
        *xsdt = get64(p + 24);
    return true;
}

enum pl_status acpi_parse(const uint8_t *rsdp, size_t rsdp_len, acpi_map_fn *map, void *ctx,
                          struct acpi_info *out)
{
    struct walk w = {map, ctx, out};
    uint64_t rsdt, xsdt;
    memset(out, 0, sizeof(*out));
    if (!read_rsdp(out, rsdp, rsdp_len, &rsdt, &xsdt))
        return PL_NOT_FOUND;
    out->used_xsdt = xsdt && walk_root(&w, xsdt, "XSDT");
    if (!out->used_xsdt && !(rsdt && walk_root(&w, rsdt, "RSDT"))) {
        warn(out, "neither XSDT nor RSDT can be used");
        return PL_NOT_FOUND;
    }
    if (out->has_fadt && out->dsdt_address) {
        char signature[5];
        struct bytes t = open_table(&w, out->dsdt_address, signature);
        if (t.p && str_eq(signature, "DSDT"))
            look_for_s5(out, t);
    }
    if (out->cpus_dropped)
        warn(out, "MADT: %u CPUs beyond the first %u are not used", out->cpus_dropped, ACPI_CPUS);
    if (!out->has_madt)
        warn(out, "no MADT: only the boot CPU is known");
    if (!out->has_fadt)
        warn(out, "no FADT: no power-off by ACPI");
    else if (!out->has_s5 && !out->hw_reduced)
        warn(out, "no \\_S5_ package: no power-off by ACPI");
    return PL_OK;
}
