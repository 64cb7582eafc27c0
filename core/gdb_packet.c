/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of gdb's remote serial protocol: "$contents#xx", where xx is the sum of the contents'
 * bytes. PURE. Contents are kept as they came: what is escaped in them depends on the packet, and
 * is undone by who knows it.
 */
#include "core/gdb_packet.h"

#include "core/lib/string.h"

enum { BETWEEN, CONTENTS, FIRST_DIGIT, SECOND_DIGIT };

static const char digits[] = "0123456789abcdef";

int gdb_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* --- coming in --- */

static enum gdb_event between(struct gdb_rx *rx, uint8_t byte)
{
    switch (byte) {
    case '$':
        rx->state = CONTENTS;
        rx->size = 0;
        rx->sum = 0;
        rx->too_long = false;
        return GDB_NONE;
    case '+':
        return GDB_ACK;
    case '-':
        return GDB_NAK;
    case 0x03:
        return GDB_BREAK;
    default:
        return GDB_NONE; /* noise of the line */
    }
}

static enum gdb_event contents(struct gdb_rx *rx, uint8_t byte)
{
    if (byte == '#') {
        rx->state = FIRST_DIGIT;
        return GDB_NONE;
    }
    if (byte == '$')
        return between(rx, byte); /* the end of the last one was lost */
    rx->sum = (uint8_t)(rx->sum + byte);
    if (rx->size < GDB_PACKET_MAX)
        rx->data[rx->size++] = (char)byte;
    else
        rx->too_long = true;
    return GDB_NONE;
}

enum gdb_event gdb_rx_byte(struct gdb_rx *rx, uint8_t byte)
{
    int digit = gdb_digit((char)byte);
    switch (rx->state) {
    case CONTENTS:
        return contents(rx, byte);
    case FIRST_DIGIT:
        rx->state = digit < 0 ? BETWEEN : SECOND_DIGIT;
        if (digit < 0)
            return GDB_BROKEN;
        rx->sent_sum = (uint8_t)(digit << 4);
        return GDB_NONE;
    case SECOND_DIGIT:
        rx->state = BETWEEN;
        if (digit < 0 || rx->too_long || (rx->sent_sum | digit) != rx->sum)
            return GDB_BROKEN;
        rx->data[rx->size] = '\0';
        return GDB_PACKET;
    default:
        return between(rx, byte);
    }
}

bool gdb_number(const char **at, uint64_t *n)
{
    const char *s = *at;
    *n = 0;
    for (int digit; (digit = gdb_digit(*s)) >= 0; s++) {
        if (*n >> 60)
            return false;
        *n = *n << 4 | (unsigned)digit;
    }
    bool any = s != *at;
    *at = s;
    return any;
}

bool gdb_number_then(const char **at, uint64_t *n, char then)
{
    return gdb_number(at, n) && *(*at)++ == then;
}

bool gdb_bytes(const char **at, void *bytes, size_t n)
{
    uint8_t *to = bytes;
    const char *s = *at;
    for (size_t i = 0; i < n; i++, s += 2) {
        int high = gdb_digit(s[0]);
        int low = high < 0 ? -1 : gdb_digit(s[1]);
        if (low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    *at = s;
    return true;
}

size_t gdb_unescape(char *data, size_t n)
{
    size_t to = 0;
    for (size_t from = 0; from < n; from++) {
        if (data[from] == '}' && from + 1 < n)
            data[to++] = (char)(data[++from] ^ 0x20);
        else
            data[to++] = data[from];
    }
    return to;
}

/* --- going out --- */

void gdb_tx_begin(struct gdb_tx *tx)
{
    tx->data[0] = '$';
    tx->size = 1;
    tx->overflow = false;
}

size_t gdb_tx_room(const struct gdb_tx *tx)
{
    return GDB_PACKET_MAX + 1 - tx->size;
}

void gdb_tx_char(struct gdb_tx *tx, char c)
{
    if (gdb_tx_room(tx) == 0)
        tx->overflow = true;
    else
        tx->data[tx->size++] = c;
}

void gdb_tx_text(struct gdb_tx *tx, const char *text)
{
    while (*text)
        gdb_tx_char(tx, *text++);
}

void gdb_tx_bytes(struct gdb_tx *tx, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < n; i++) {
        gdb_tx_char(tx, digits[from[i] >> 4]);
        gdb_tx_char(tx, digits[from[i] & 15]);
    }
}

void gdb_tx_number(struct gdb_tx *tx, uint64_t n)
{
    unsigned shift = 60;
    while (shift && !(n >> shift))
        shift -= 4;
    for (; shift; shift -= 4)
        gdb_tx_char(tx, digits[n >> shift & 15]);
    gdb_tx_char(tx, digits[n & 15]);
}

bool gdb_tx_binary(struct gdb_tx *tx, uint8_t byte)
{
    bool escape = byte == '#' || byte == '$' || byte == '}' || byte == '*';
    if (gdb_tx_room(tx) < (escape ? 2u : 1u))
        return false;
    if (escape)
        gdb_tx_char(tx, '}');
    gdb_tx_char(tx, (char)(escape ? byte ^ 0x20 : byte));
    return true;
}

void gdb_tx_end(struct gdb_tx *tx)
{
    uint8_t sum = 0;
    for (size_t i = 1; i < tx->size; i++)
        sum = (uint8_t)(sum + (uint8_t)tx->data[i]);
    tx->data[tx->size++] = '#';
    tx->data[tx->size++] = digits[sum >> 4];
    tx->data[tx->size++] = digits[sum & 15];
}
