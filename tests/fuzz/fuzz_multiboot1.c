/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot1, both ways: any bytes as a kernel, and any arguments for the information structure. A
 * structure that is built is read again as a kernel would read it and must say what was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "core/image.h"
#include "core/multiboot1.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define ROOM     16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p;
    size_t n;
};

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t v = 0;
    size_t n = bytes < in->n ? bytes : in->n;
    memcpy(&v, in->p, n);
    in->p += n;
    in->n -= n;
    return v;
}

static void check_kernel(const uint8_t *data, size_t size)
{
    struct image img;
    char why[200];
    if (!image_parse(data, size, &img, why, sizeof(why)) || img.kind != IMAGE_MULTIBOOT1)
        return;
    bool found = false;
    for (size_t at = 0; at + 12 <= size && at + 12 <= 8192; at += 4) {
        uint32_t w[3];
        memcpy(w, data + at, 12);
        found |= w[0] == 0x1badb002 && w[0] + w[1] + w[2] == 0 && !(w[1] & 0xfff8);
    }
    CHECK(found && img.entry <= UINT32_MAX && img.segment_count >= 1);
    found = false;
    for (uint32_t i = 0; i < img.segment_count; i++) {
        const struct image_segment *s = &img.segments[i];
        CHECK(s->offset <= size && s->filesz <= size - s->offset && s->filesz <= s->memsz);
        found |= img.entry >= s->paddr && img.entry - s->paddr < s->filesz;
    }
    CHECK(found);
}

static uint32_t get32(const uint8_t *buf, size_t used, uint64_t at)
{
    uint32_t v;
    CHECK(at <= used && used - at >= 4);
    memcpy(&v, buf + at, 4);
    return v;
}

static void check_text(const uint8_t *buf, size_t used, uint64_t at, const char *text, size_t len)
{
    CHECK(at < used && len < used - at);
    CHECK((len == 0 || memcmp(buf + at, text, len) == 0) && buf[at + len] == '\0');
}

static void check_info(const uint8_t *buf, size_t used, uint64_t gpa,
                       const struct multiboot1_args *a)
{
    uint32_t flags = get32(buf, used, 0);
    CHECK(!(flags & ~0x24du) && (flags & 0x205) == 0x205);
    CHECK(!(flags & 8) == !a->module_count && !(flags & 0x40) == !a->e820_count);
    CHECK(get32(buf, used, 4) <= 640);
    check_text(buf, used, get32(buf, used, 64) - gpa, "Plinth", 6);
    uint64_t line = get32(buf, used, 16) - gpa;
    size_t name = strlen(a->name), text = strlen(a->cmdline);
    check_text(buf, used, line + name + (name && text), a->cmdline, text);
    CHECK(memcmp(buf + line, a->name, name) == 0);
    CHECK(get32(buf, used, 20) == a->module_count);
    for (uint32_t i = 0; i < a->module_count; i++) {
        const struct multiboot1_module *m = &a->modules[i];
        uint64_t row = get32(buf, used, 24) - gpa + i * 16;
        CHECK(get32(buf, used, row) == m->start);
        CHECK(get32(buf, used, row + 4) == m->start + m->size);
        check_text(buf, used, get32(buf, used, row + 8) - gpa, m->text, m->text_len);
    }
    CHECK(get32(buf, used, 44) == a->e820_count * 24);
    for (uint32_t i = 0; i < a->e820_count; i++) {
        uint64_t row = get32(buf, used, 48) - gpa + i * 24;
        CHECK(get32(buf, used, row) == 20 && used - row >= 24);
        CHECK(memcmp(buf + row + 4, &a->e820[i], 16) == 0);
    }
}

static void build_info(struct input in)
{
    struct multiboot1_module modules[MULTIBOOT1_MODULES_MAX];
    struct e820_range ranges[E820_MAX];
    char name[32] = "", text[64] = "";
    size_t size = take(&in, 2) % ROOM;
    uint64_t gpa = take(&in, 5);
    struct multiboot1_args args = {name, text, modules, (uint32_t)take(&in, 1) % 8, ranges,
                                   (uint32_t)take(&in, 1) % 16};
    size_t name_len = take(&in, 1) % sizeof(name), text_len = take(&in, 1) % sizeof(text);
    memset(name, 'n', name_len);
    memset(text, 't', text_len);
    for (uint32_t i = 0; i < args.module_count; i++) {
        uint64_t start = take(&in, 5), len = take(&in, 8);
        modules[i] = (struct multiboot1_module){start, len, "0123456789", take(&in, 1) % 11};
    }
    for (uint32_t i = 0; i < args.e820_count; i++) {
        uint64_t base = take(&in, 8), len = take(&in, 8);
        ranges[i] = (struct e820_range){base, len, (enum e820_type)(1 + take(&in, 1) % 4)};
    }
    uint8_t *buf = malloc(size ? size : 1);
    size_t used = multiboot1_build_info(buf, size, gpa, &args);
    CHECK(used <= size);
    if (used)
        check_info(buf, used, gpa, &args);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_kernel(data, size);
    build_info((struct input){data, size});
    return 0;
}
