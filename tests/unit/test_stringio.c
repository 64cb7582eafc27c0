/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS: register arithmetic of every address size, direction, faults, chunks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "core/stringio.h"

/* Memory of 256 bytes at linear BASE; the offset's upper bits are noted, not used. */
#define BASE    0x10000
#define NOWHERE UINT64_C(0x5555555555555555)

static struct {
    uint8_t mem[256];
    uint64_t last_offset;
    uint64_t fault_at;   /* offset whose access faults in linear() */
    bool refuse_probe, refuse_read;
    unsigned probes, ins, outs;
    uint32_t out[64], next_in;
} m;

static bool on_linear(void *ctx, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
    (void)size, (void)write;
    assert_ptr_equal(ctx, &m);
    if (offset == m.fault_at)
        return false;
    m.last_offset = offset;
    *linear = BASE + (offset & 0xff);
    return true;
}

static bool on_probe(void *ctx, uint64_t linear, unsigned size)
{
    (void)ctx;
    assert_in_range(linear, BASE, BASE + 256 - size);
    m.probes++;
    return !m.refuse_probe;
}

static bool on_read(void *ctx, uint64_t linear, void *buf, unsigned size)
{
    (void)ctx;
    if (m.refuse_read)
        return false;
    memcpy(buf, m.mem + (linear - BASE), size);
    return true;
}

static bool on_write(void *ctx, uint64_t linear, const void *buf, unsigned size)
{
    (void)ctx;
    assert_int_equal(m.probes, m.ins); /* the port was read only after the probe */
    memcpy(m.mem + (linear - BASE), buf, size);
    return true;
}

static uint32_t on_in(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)size;
    assert_int_equal(port, 0x1f0);
    m.ins++;
    return m.next_in += 0x01020304;
}

static void on_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    (void)ctx, (void)size;
    assert_int_equal(port, 0x1f0);
    m.out[m.outs++ % 64] = value;
}

static const struct stringio_ops ops = {on_linear, on_probe, on_read, on_write, on_in, on_out};

static int setup(void **state)
{
    (void)state;
    memset(&m, 0, sizeof(m));
    m.fault_at = NOWHERE;
    for (unsigned i = 0; i < 256; i++)
        m.mem[i] = (uint8_t)i;
    return 0;
}

static struct stringio make(bool in, unsigned size, unsigned asize, bool rep)
{
    return (struct stringio){.port = 0x1f0, .size = (uint8_t)size, .in = in, .rep = rep,
                             .address_size = (uint8_t)asize, .rcx = 4, .index = 0x10};
}

static void once(void **state)
{
    (void)state;
    struct stringio s = make(false, 4, 8, false);
    s.rcx = 0; /* no REP: the count is nobody's business */
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.outs, 1);
    assert_int_equal(m.out[0], 0x13121110);
    assert_int_equal(s.index, 0x14);
    assert_int_equal(s.rcx, 0);
    s = make(true, 2, 8, false);
    s.backward = true;
    assert_int_equal(stringio_run(&s, &ops, &m, 1), STRINGIO_DONE);
    assert_int_equal(s.index, 0x0e);
    assert_int_equal(m.mem[0x10], 0x04);
    assert_int_equal(m.mem[0x11], 0x03);
    assert_int_equal(m.mem[0x12], 0x12); /* only two bytes */
}

static void repeated(void **state)
{
    (void)state;
    struct stringio s = make(false, 1, 8, true);
    assert_int_equal(stringio_run(&s, &ops, &m, 3), STRINGIO_MORE);
    assert_int_equal(s.rcx, 1);
    assert_int_equal(s.index, 0x13);
    assert_int_equal(stringio_run(&s, &ops, &m, 3), STRINGIO_DONE);
    assert_int_equal(m.outs, 4);
    assert_int_equal(m.out[3], 0x13);
    assert_int_equal(s.rcx, 0);
    assert_int_equal(stringio_run(&s, &ops, &m, 3), STRINGIO_DONE); /* count 0: nothing */
    assert_int_equal(m.outs, 4);
    s = make(false, 2, 8, true);
    s.backward = true;
    assert_int_equal(stringio_run(&s, &ops, &m, 4), STRINGIO_DONE); /* exactly the limit */
    assert_int_equal(m.out[4], 0x1110);
    assert_int_equal(m.out[7], 0x0b0a);
    assert_int_equal(s.index, 0x08);
}

static void address_sizes(void **state)
{
    (void)state;
    struct stringio s = make(false, 1, 2, true);
    s.rcx = UINT64_C(0x1234567800020000) | 2;
    s.index = UINT64_C(0xabcdef010000ffff);
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.outs, 2);
    assert_int_equal(m.last_offset, 0); /* wrapped within 64K */
    assert_int_equal(s.rcx, UINT64_C(0x1234567800020000));
    assert_int_equal(s.index, UINT64_C(0xabcdef0100000001));

    s = make(false, 1, 4, true);
    s.rcx = UINT64_C(0x1234567800000002);
    s.index = UINT64_C(0xabcdef01ffffffff);
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.outs, 4);
    assert_int_equal(m.last_offset, 0);
    assert_int_equal(s.rcx, 0);
    assert_int_equal(s.index, 1);

    s = make(false, 1, 4, true);
    s.rcx = UINT64_C(0x1234567800000000); /* zero in the low 32 bits: nothing happens */
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.outs, 4);
    assert_int_equal(s.rcx, UINT64_C(0x1234567800000000));

    s = make(false, 1, 8, true);
    s.rcx = UINT64_MAX;
    s.index = UINT64_MAX;
    assert_int_equal(stringio_run(&s, &ops, &m, 2), STRINGIO_MORE);
    assert_int_equal(s.index, 1);
    assert_int_equal(s.rcx, UINT64_MAX - 2);

    s = make(false, 4, 2, true);
    s.backward = true;
    s.index = 2;
    s.rcx = 2;
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.last_offset, 0xfffe);
    assert_int_equal(s.index, 0xfffa);
}

static void faults(void **state)
{
    (void)state;
    struct stringio s = make(false, 1, 8, true);
    m.fault_at = 0x12;
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_FAULT);
    assert_int_equal(s.rcx, 2); /* as after two iterations */
    assert_int_equal(s.index, 0x12);
    assert_int_equal(m.outs, 2);
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_FAULT);
    assert_int_equal(m.outs, 2);
    m.fault_at = NOWHERE; /* the guest's handler mapped it */
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_DONE);
    assert_int_equal(m.outs, 4);

    s = make(true, 1, 8, true);
    m.refuse_probe = true;
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_FAULT);
    assert_int_equal(m.ins, 0); /* no byte was taken from the device */
    assert_int_equal(s.rcx, 4);
    m.refuse_read = true;
    s = make(false, 1, 8, false);
    assert_int_equal(stringio_run(&s, &ops, &m, 64), STRINGIO_FAULT);
    assert_int_equal(m.outs, 4); /* memory comes before the port */
    assert_int_equal(s.index, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(once, setup),
        cmocka_unit_test_setup(repeated, setup),
        cmocka_unit_test_setup(address_sizes, setup),
        cmocka_unit_test_setup(faults, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
