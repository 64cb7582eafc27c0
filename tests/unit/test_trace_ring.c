/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace records: the ring keeps the newest and never hands out half a record; the wire form comes
 * back as it went; a damaged line is noticed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/crc32.h"
#include "core/lib/string.h"
#include "core/trace_ring.h"

#define SIZE 8

static struct trace_record buf[SIZE];
static struct trace_ring ring;

static void fill(unsigned n)
{
    trace_ring_init(&ring, buf, SIZE);
    for (unsigned i = 0; i < n; i++) {
        struct trace_record r = {.tsc = i, .kind = TRACE_WAKE};
        trace_ring_put(&ring, &r);
    }
}

static void test_an_empty_ring_has_nothing(void **state)
{
    struct trace_record out[SIZE];
    uint64_t at = 0;
    (void)state;
    fill(0);
    assert_int_equal(trace_ring_read(&ring, &at, out, SIZE), 0);
    assert_int_equal(trace_ring_oldest(&ring), 0);
}

static void test_what_was_put_is_read_in_order(void **state)
{
    struct trace_record out[SIZE];
    uint64_t at = 0;
    (void)state;
    fill(5);
    assert_int_equal(trace_ring_read(&ring, &at, out, 3), 3);
    assert_int_equal(out[2].tsc, 2);
    assert_int_equal(trace_ring_read(&ring, &at, out, 3), 2);
    assert_int_equal(out[1].tsc, 4);
    assert_int_equal(trace_ring_read(&ring, &at, out, 3), 0);
}

static void test_the_oldest_go_first_and_the_one_in_the_making_is_not_read(void **state)
{
    struct trace_record out[SIZE];
    uint64_t at = 0;
    (void)state;
    fill(20);
    assert_int_equal(trace_ring_oldest(&ring), 13); /* 12 is where the next is written */
    assert_int_equal(trace_ring_read(&ring, &at, out, SIZE), 7);
    assert_int_equal(out[0].tsc, 13);
    assert_int_equal(out[6].tsc, 19);
    assert_int_equal(at, 20);
}

static void test_a_position_beyond_the_head_reads_nothing(void **state)
{
    struct trace_record out[SIZE];
    uint64_t at = 1000;
    (void)state;
    fill(3);
    assert_int_equal(trace_ring_read(&ring, &at, out, SIZE), 0);
    assert_int_equal(at, 1000);
}

static void test_an_exit_takes_no_more_ticks_than_its_field_holds(void **state)
{
    (void)state;
    assert_int_equal(TRACE_EXIT_VALUE(3, 5), 3 | 5 << 8);
    assert_int_equal(TRACE_EXIT_VALUE(3, UINT64_MAX), UINT32_C(0xffffff03));
}

static const struct trace_record samples[] = {
    {UINT64_C(123456789012345), TRACE_IN, 3, 12, 77},
    {UINT64_C(123456789012345), TRACE_EXIT, 3, 12, UINT32_MAX},
    {UINT64_C(123456789012999), TRACE_OUT, 3, 12, 0},
    {UINT64_C(123456789012000), TRACE_IDLE, 0, TRACE_NOBODY, 0}, /* before the last */
    {0, TRACE_WAKE, 255, 0, 1},
    {UINT64_MAX, TRACE_WAKE, 255, 0, 1},
    {1, TRACE_TIMER, 0, 0, 0x80},
};

static void test_records_come_back_as_they_went(void **state)
{
    struct trace_codec to = {0}, from = {0};
    uint8_t bytes[ARRAY_LEN(samples) * TRACE_ENCODED_MAX];
    size_t n = 0, at = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        size_t used = trace_encode(&to, &samples[i], bytes + n);
        assert_in_range(used, 3, TRACE_ENCODED_MAX);
        n += used;
    }
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct trace_record r;
        size_t used = trace_decode(&from, bytes + at, n - at, &r);
        assert_int_not_equal(used, 0);
        assert_memory_equal(&r, &samples[i], sizeof(r));
        at += used;
    }
    assert_int_equal(at, n);
}

static void test_a_record_close_to_the_last_is_small(void **state)
{
    struct trace_codec c = {0};
    uint8_t bytes[TRACE_ENCODED_MAX];
    struct trace_record next = samples[0];
    (void)state;
    trace_encode(&c, &samples[0], bytes);
    next.tsc += 1000;
    assert_int_equal(trace_encode(&c, &next, bytes), 4);
}

static void test_no_cut_record_is_taken_for_a_whole_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct trace_codec to = {0};
        uint8_t bytes[TRACE_ENCODED_MAX];
        size_t n = trace_encode(&to, &samples[i], bytes);
        for (size_t cut = 0; cut < n; cut++) {
            struct trace_codec from = {0};
            struct trace_record r;
            assert_int_equal(trace_decode(&from, bytes, cut, &r), 0);
        }
    }
}

static void test_numbers_too_big_are_refused(void **state)
{
    static const uint8_t vm[] = {TRACE_IN, 0, 0, 0xff, 0xff, 4, 0};          /* VM 0x13fff */
    static const uint8_t value[] = {TRACE_IN | 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0x7f};
    static const uint8_t time[] = {TRACE_IN | 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 2, 0};
    struct trace_codec c = {0};
    struct trace_record r;
    (void)state;
    assert_int_equal(trace_decode(&c, vm, sizeof(vm), &r), 0);
    assert_int_equal(trace_decode(&c, value, sizeof(value), &r), 0);
    assert_int_equal(trace_decode(&c, time, sizeof(time), &r), 0);
}

static void test_the_checksum_is_everybody_elses(void **state)
{
    (void)state;
    assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void test_a_line_is_as_documented(void **state)
{
    char line[TRACE_LINE_MAX];
    (void)state;
    size_t n = trace_line_write(line, 3, 1000, (const uint8_t *)"hello", 5);
    assert_int_equal(n, strlen(line));
    assert_string_equal(line, "trace: 3 1000 aGVsbG8= 009be79e");
}

static void test_a_line_of_any_length_comes_back(void **state)
{
    uint8_t in[TRACE_LINE_BYTES], out[TRACE_LINE_BYTES];
    char line[TRACE_LINE_MAX];
    unsigned cpu;
    uint64_t first;
    (void)state;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 37 + 11);
    for (unsigned n = 0; n <= sizeof(in); n++) {
        size_t len = trace_line_write(line, 255, UINT64_MAX, in, n);
        assert_true(len < sizeof(line));
        assert_int_equal(trace_line_read(line, len, &cpu, &first, out), n);
        assert_memory_equal(in, out, n);
        assert_int_equal(cpu, 255);
        assert_true(first == UINT64_MAX);
    }
}

static void test_every_damaged_line_is_refused(void **state)
{
    uint8_t in[30] = {1, 2, 3}, out[TRACE_LINE_BYTES];
    char line[TRACE_LINE_MAX], bad[TRACE_LINE_MAX];
    unsigned cpu;
    uint64_t first;
    (void)state;
    size_t len = trace_line_write(line, 1, 7, in, sizeof(in));
    for (size_t i = 0; i < len; i++) {
        memcpy(bad, line, sizeof(bad));
        bad[i] = bad[i] == 'x' ? 'y' : 'x'; /* changed */
        assert_int_equal(trace_line_read(bad, len, &cpu, &first, out), -1);
        memmove(bad + i, line + i + 1, len - i); /* lost */
        assert_int_equal(trace_line_read(bad, len - 1, &cpu, &first, out), -1);
        assert_int_equal(trace_line_read(line, i, &cpu, &first, out), -1); /* cut */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_ring_has_nothing),
        cmocka_unit_test(test_what_was_put_is_read_in_order),
        cmocka_unit_test(test_the_oldest_go_first_and_the_one_in_the_making_is_not_read),
        cmocka_unit_test(test_a_position_beyond_the_head_reads_nothing),
        cmocka_unit_test(test_an_exit_takes_no_more_ticks_than_its_field_holds),
        cmocka_unit_test(test_records_come_back_as_they_went),
        cmocka_unit_test(test_a_record_close_to_the_last_is_small),
        cmocka_unit_test(test_no_cut_record_is_taken_for_a_whole_one),
        cmocka_unit_test(test_numbers_too_big_are_refused),
        cmocka_unit_test(test_the_checksum_is_everybody_elses),
        cmocka_unit_test(test_a_line_is_as_documented),
        cmocka_unit_test(test_a_line_of_any_length_comes_back),
        cmocka_unit_test(test_every_damaged_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
