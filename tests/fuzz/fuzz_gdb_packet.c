/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debugger's line, hostile: what is taken for a packet has the checksum it says, fits, and
 * comes back unchanged through our own sender; parsers stay inside.
 */
#include <stdlib.h>
#include <string.h>

#include "core/gdb_packet.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_packet(struct gdb_rx *rx)
{
    static struct gdb_rx again;
    struct gdb_tx tx;
    const char *at = rx->data;
    uint64_t n;
    uint8_t bytes[64];
    enum gdb_event e = GDB_NONE;
    CHECK(rx->size <= GDB_PACKET_MAX && rx->data[rx->size] == '\0');
    gdb_tx_begin(&tx);
    for (size_t i = 0; i < rx->size; i++)
        gdb_tx_char(&tx, rx->data[i]);
    gdb_tx_end(&tx);
    CHECK(!tx.overflow);
    memset(&again, 0, sizeof(again));
    for (size_t i = 0; i < tx.size; i++)
        e = gdb_rx_byte(&again, (uint8_t)tx.data[i]);
    CHECK(e == GDB_PACKET && again.size == rx->size && !memcmp(again.data, rx->data, rx->size));
    while (gdb_number_then(&at, &n, ','))
        CHECK(at <= rx->data + rx->size + 1);
    at = rx->data;
    for (size_t i = 1; i <= sizeof(bytes) && gdb_bytes(&at, bytes, i); i++)
        CHECK(at <= rx->data + rx->size);
    CHECK(gdb_unescape(rx->data, rx->size) <= rx->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gdb_rx rx;
    memset(&rx, 0, sizeof(rx));
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        enum gdb_event e = gdb_rx_byte(&rx, data[i]);
        CHECK(rx.size <= GDB_PACKET_MAX);
        if (e != GDB_PACKET)
            continue;
        sum = 0;
        for (size_t k = 0; k < rx.size; k++)
            sum = (uint8_t)(sum + (uint8_t)rx.data[k]);
        CHECK(gdb_digit((char)data[i - 1]) == sum >> 4 && gdb_digit((char)data[i]) == (sum & 15));
        check_packet(&rx);
    }
    return 0;
}
