/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire form of trace records: whatever a line holds, reading stays inside it; records that any
 * bytes stand for come back the same after writing; a line that was written is read.
 */
#include <stdlib.h>

#include "core/lib/string.h"
#include "core/trace_ring.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_records(const uint8_t *data, size_t size)
{
    struct trace_codec from = {0}, to = {0}, again = {0};
    struct trace_record r, same;
    uint8_t out[TRACE_ENCODED_MAX];
    for (size_t n; (n = trace_decode(&from, data, size, &r)); data += n, size -= n) {
        check(n <= size);
        size_t m = trace_encode(&to, &r, out);
        check(m <= sizeof(out));
        check(trace_decode(&again, out, m, &same) == m);
        check(memcmp(&r, &same, sizeof(r)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[TRACE_LINE_BYTES];
    char line[TRACE_LINE_MAX];
    unsigned cpu;
    uint64_t first;
    int n = trace_line_read((const char *)data, size, &cpu, &first, bytes);
    check(n >= -1 && n <= TRACE_LINE_BYTES);
    check_records(data, size);
    size_t most = min_u64(size, TRACE_LINE_BYTES);
    size_t len = trace_line_write(line, (unsigned)(size & 0xff), size, data, most);
    check(trace_line_read(line, len, &cpu, &first, bytes) == (int)most);
    check(first == size && (!most || memcmp(bytes, data, most) == 0));
    return 0;
}
