/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables from hostile firmware. Byte 0 of the input: bit 0 asks for right checksums (or no
 * input would get past them). Then 36 bytes of RSDP; the rest is all physical memory there is,
 * from address 0x1000 on.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/hw/acpi_tables.h"

#define CHECK(x)  ((x) ? (void)0 : abort())
#define BASE      0x1000u
#define RSDP_SIZE 36u
#define MAPS_MAX  2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    const uint8_t *data;
    size_t size;
    bool fix;
    uint8_t *maps[MAPS_MAX];
    size_t count, bytes;
};

static void fix_sum(uint8_t *p, size_t n, size_t at)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    p[at] = (uint8_t)(p[at] - sum);
}

/* Exact copies, so that ASan sees a read beyond what was asked for. */
static const void *map(void *ctx, uint64_t hpa, size_t len)
{
    struct memory *m = ctx;
    if (hpa < BASE || hpa - BASE > m->size || len > m->size - (hpa - BASE))
        return NULL;
    if (m->count == MAPS_MAX || m->bytes > (4u << 20) || len == 0)
        return NULL;
    uint8_t *copy = malloc(len);
    memcpy(copy, m->data + (hpa - BASE), len);
    if (m->fix && len >= 36)
        fix_sum(copy, len, 9);
    m->maps[m->count++] = copy;
    m->bytes += len;
    return copy;
}

static void check(const struct acpi_info *info)
{
    CHECK(info->table_count <= ACPI_TABLES && info->cpu_count <= ACPI_CPUS);
    CHECK(info->ioapic_count <= ACPI_IOAPICS && info->override_count <= ACPI_OVERRIDES);
    CHECK(info->nmi_count <= ACPI_NMIS && info->warning_count <= ACPI_WARNINGS);
    for (uint32_t i = 0; i < info->warning_count; i++)
        CHECK(memchr(info->warnings[i], 0, ACPI_WARNING_TEXT) && info->warnings[i][0]);
    for (uint32_t i = 0; i < info->table_count; i++)
        CHECK(strlen(info->tables[i].signature) == 4 && info->tables[i].length >= 36);
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        CHECK(info->cpus[i].enabled != info->cpus[i].online_capable);
        CHECK(info->cpus[i].apic_id != (info->cpus[i].x2apic ? UINT32_MAX : 0xff));
        for (uint32_t j = 0; j < i; j++)
            CHECK(info->cpus[i].apic_id != info->cpus[j].apic_id);
    }
    CHECK(info->s5_typ_a <= 7 && info->s5_typ_b <= 7);
    CHECK(info->has_s5 || (info->s5_typ_a == 0 && info->s5_typ_b == 0));
    CHECK(info->has_fadt || (!info->has_reset && !info->pm1a_control.address));
    CHECK(!info->has_reset || info->reset_reg.address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_info info;
    static struct memory m;
    uint8_t rsdp[RSDP_SIZE];
    if (size < 1 + RSDP_SIZE)
        return 0;
    memcpy(rsdp, data + 1, RSDP_SIZE);
    m = (struct memory){.data = data + 1 + RSDP_SIZE, .size = size - 1 - RSDP_SIZE,
                        .fix = data[0] & 1};
    if (m.fix) {
        fix_sum(rsdp, 20, 8);
        fix_sum(rsdp, 36, 32);
    }
    enum pl_status st = acpi_parse(rsdp, data[0] & 2 ? 20 : RSDP_SIZE, map, &m, &info);
    CHECK(st == PL_OK || st == PL_NOT_FOUND);
    CHECK(st == PL_OK || (info.table_count == 0 && info.warning_count > 0));
    check(&info);
    while (m.count)
        free(m.maps[--m.count]);
    return 0;
}
