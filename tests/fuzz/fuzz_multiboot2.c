/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot2 parser on any bytes: whatever it returns, what it has filled in must be bounded,
 * terminated and free of wrapping ranges. The input is the information block.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/multiboot2.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s, size_t room)
{
    CHECK(memchr(s, 0, room) != NULL);
}

static void check_options(const char *cmdline)
{
    static const char *const keys[] = {"console", "a", "log"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char value[16];
        memset(value, 'Z', sizeof(value));
        if (boot_option(cmdline, keys[i], value, sizeof(value))) {
            check_text(value, sizeof(value));
            CHECK(strstr(cmdline, keys[i]) != NULL);
        } else {
            CHECK(value[0] == 'Z' && value[15] == 'Z');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    const char *why;
    enum pl_status st = mb2_parse(MB2_MAGIC, data, size, &info, &why);
    CHECK(st == PL_OK ? why == NULL : st == PL_INVALID && why != NULL);
    check_text(info.cmdline, sizeof(info.cmdline));
    check_text(info.loader, sizeof(info.loader));
    CHECK(info.module_count <= BOOT_MODULES && info.memory_count <= BOOT_MEMORY_RANGES);
    for (uint32_t i = 0; i < info.module_count; i++) {
        check_text(info.modules[i].name, BOOT_STRING_MAX);
        check_text(info.modules[i].string, BOOT_STRING_MAX);
        CHECK(info.modules[i].start <= info.modules[i].end);
        CHECK(strstr(info.modules[i].string, info.modules[i].name) != NULL);
    }
    for (uint32_t i = 0; i < info.memory_count; i++) {
        const struct boot_memory *m = &info.memory[i];
        CHECK(m->length > 0 && m->base + m->length >= m->base);
        CHECK(m->type >= BOOT_MEMORY_AVAILABLE && m->type <= BOOT_MEMORY_BAD);
    }
    CHECK(info.rsdp_length <= BOOT_RSDP_MAX);
    if (st == PL_OK)
        CHECK(info.info_size <= size);
    check_options(info.cmdline);
    return 0;
}
