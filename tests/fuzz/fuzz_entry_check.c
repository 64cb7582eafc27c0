/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/vmx/entry_check.c on images with random fields. Whatever the image: no crash, the count
 * is the number of calls, every call has a field and a rule, the image is not changed, and fields
 * that no rule is about change no verdict. The valid images stay valid. Input: a starting image (1
 * byte), the address width (1), then changes of 9 bytes: a field and its value.
 */
#include <stdlib.h>

#include "tests/unit/entry_images.h"

#define CHANGE_BYTES 9

#define CHECK(x) ((x) ? (void)0 : abort())

struct verdict {
    unsigned calls;
    uint64_t hash;
};

static void note(void *ctx, const char *field, const char *rule)
{
    struct verdict *r = ctx;
    CHECK(field && *field && rule && *rule);
    r->calls++;
    for (const char *c = rule; *c; c++)
        r->hash = (r->hash ^ (uint8_t)*c) * 31;
    for (const char *c = field; *c; c++)
        r->hash = (r->hash ^ (uint8_t)*c) * 31;
}

static struct verdict judge(const struct vmcs_image *v)
{
    struct verdict r = {0};
    unsigned broken = entry_check(v, note, &r);
    CHECK(broken == r.calls);
    return r;
}

/* Fields that no rule reads, whatever they hold. */
static void change_benign(struct vmcs_image *v, uint64_t value)
{
    V(TSC_OFFSET) = value;
    V(EXCEPTION_BITMAP) = value;
    V(GUEST_RSP) = value;
    V(HOST_RSP) = value;
    V(EXIT_REASON) = value;
    V(EXIT_QUALIFICATION) = value;
    V(CR0_READ_SHADOW) = value;
    V(CR4_GUEST_HOST_MASK) = value;
    V(GUEST_IA32_SYSENTER_CS) = value;
    V(PREEMPTION_TIMER_VALUE) = value;
}

static void start_image(struct vmcs_image *v, uint8_t which)
{
    static void (*const start[])(struct vmcs_image *) = {
        image_real, image_protected, image_pae, image_vm86, image_long, image_compatibility};
    if (which < ARRAY_LEN(start)) {
        start[which](v);
        CHECK(judge(v).calls == 0);
    } else {
        memset(v, which, sizeof(*v));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vmcs_image v, copy;
    if (size < 2)
        return 0;
    start_image(&v, data[0]);
    v.maxphyaddr = data[1] % 65;
    for (size_t at = 2; at + CHANGE_BYTES <= size; at += CHANGE_BYTES)
        memcpy(&v.value[data[at] % VMCS_INDEX_COUNT], data + at + 1, 8);
    copy = v;
    struct verdict first = judge(&v), again;
    CHECK(memcmp(&v, &copy, sizeof(v)) == 0);
    change_benign(&v, first.hash * UINT64_C(0x9e3779b97f4a7c15) + size);
    again = judge(&v);
    CHECK(again.calls == first.calls && again.hash == first.hash);
    return 0;
}
