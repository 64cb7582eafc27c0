/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a guest finds itself: on Plinth or bare, how fast the TSC runs, how much RAM there is, what
 * stands on the command line, and how to end. Have open: docs/abi.md.
 */
#include "guests/lib/guest.h"
#include "guests/lib/start_info.h"

#include "core/lib/string.h"

extern uint32_t guest_start_info; /* start.S: physical address as the loader gave it */

const struct start_info *guest_start_info_get(void)
{
    const struct start_info *info = (const void *)(uintptr_t)guest_start_info;
    return info && info->magic == START_INFO_MAGIC ? info : NULL;
}

const char *guest_cmdline(void)
{
    const struct start_info *info = guest_start_info_get();
    return info && info->cmdline_paddr ? (const char *)(uintptr_t)info->cmdline_paddr : "";
}

uint64_t guest_ram_end(void)
{
    const struct start_info *info = guest_start_info_get();
    if (!info || info->version < 1)
        return 0;
    const struct start_memory *map = (const void *)(uintptr_t)info->memmap_paddr;
    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        uint64_t end = map[i].addr + map[i].size;
        if (map[i].type == 1 && map[i].addr <= 0x100000 && end > 0x100000)
            return end;
    }
    return 0;
}

bool guest_hypervisor_is(const char *signature)
{
    struct cpuid_regs r = cpuid(1, 0);
    char name[12];
    if (!(r.ecx & CPUID_1_ECX_HYPERVISOR))
        return false;
    r = cpuid(PLINTH_CPUID_BASE, 0);
    memcpy(name, &r.ebx, 4);
    memcpy(name + 4, &r.ecx, 4);
    memcpy(name + 8, &r.edx, 4);
    return memcmp(name, signature, 12) == 0;
}

bool guest_on_plinth(void)
{
    return guest_hypervisor_is(PLINTH_SIGNATURE);
}

uint64_t guest_tsc_khz(void)
{
    uint32_t khz = guest_on_plinth() ? cpuid(PLINTH_CPUID_FREQUENCY, 0).eax : 0;
    return khz ? khz : 1000000;
}

/* A split multiplication, so that days of ticks do not overflow. */
uint64_t guest_ticks_to_ns(uint64_t ticks)
{
    uint64_t khz = guest_tsc_khz();
    return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

void guest_read_clocks(uint64_t *ns, uint64_t *tsc)
{
    uint64_t closest = ~UINT64_C(0);
    bool plinth = guest_on_plinth();

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = rdtsc(), time = plinth ? (uint64_t)plinth_TIME() : 0, after = rdtsc();
        if (after - before < closest) {
            closest = after - before;
            *ns = plinth ? time : guest_ticks_to_ns(after);
            *tsc = after;
        }
    }
}

/* The text after key and '=' (or key itself without '='), or NULL; *len is the length of the rest
 * of the word. */
static const char *find_word(const char *cmdline, const char *key, size_t *len)
{
    size_t n = strlen(key);
    while (*cmdline) {
        while (*cmdline == ' ')
            cmdline++;
        size_t word = 0;
        while (cmdline[word] && cmdline[word] != ' ')
            word++;
        if (word >= n && memcmp(cmdline, key, n) == 0 && (word == n || cmdline[n] == '=')) {
            *len = word == n ? 0 : word - n - 1;
            return cmdline + (word == n ? n : n + 1);
        }
        cmdline += word;
    }
    return NULL;
}

bool guest_option(const char *cmdline, const char *word)
{
    size_t len;
    return find_word(cmdline, word, &len) != NULL;
}

uint64_t guest_option_number(const char *cmdline, const char *key, uint64_t otherwise)
{
    size_t len;
    const char *text = find_word(cmdline, key, &len);
    uint64_t n = 0;
    if (!text || len == 0)
        return otherwise;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return otherwise;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    return n;
}

bool guest_option_is(const char *cmdline, const char *key, const char *value)
{
    size_t len;
    const char *text = find_word(cmdline, key, &len);
    return text && len == strlen(value) && memcmp(text, value, len) == 0;
}

void guest_exit(uint32_t status)
{
    if (guest_on_plinth())
        plinth_EXIT(status);
    out32(PLINTH_PORT_EXIT, status);
    for (const char *s = "Shutdown"; *s; s++)
        out8(0x8900, (uint8_t)*s);
    for (;;)
        __asm__ volatile("cli\n\thlt");
}
