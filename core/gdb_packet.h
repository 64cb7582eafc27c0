/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's remote serial protocol as bytes: what comes in is cut into packets, what goes out is framed
 * with its checksum; numbers and bytes in hexadecimal. PURE: knows no command and no line. Whatever
 * comes over the line is taken for hostile. Have open: gdb's manual, "Remote Protocol".
 */
#ifndef CORE_GDB_PACKET_H
#define CORE_GDB_PACKET_H

#include "core/lib/bits.h"

#define GDB_PACKET_MAX 4096 /* bytes of a packet's contents, either way */

enum gdb_event {
    GDB_NONE,   /* more bytes are needed */
    GDB_PACKET, /* a packet is in rx->data: rx->size bytes, and a NUL behind them */
    GDB_BROKEN, /* a packet whose checksum is wrong or that was too long: ask for it again */
    GDB_ACK,
    GDB_NAK,    /* gdb wants the last packet once more */
    GDB_BREAK,  /* Ctrl-C: stop the target */
};

struct gdb_rx {
    uint8_t state;    /* what the next byte is; 0 at first */
    uint8_t sum;      /* of the contents so far */
    uint8_t sent_sum; /* as the packet says it */
    bool too_long;
    size_t size;
    char data[GDB_PACKET_MAX + 1];
};

/* Takes the next byte of the line. The packet stays until the next call. */
enum gdb_event gdb_rx_byte(struct gdb_rx *rx, uint8_t byte);

/* An answer: filled between begin and end, then data[0..size) goes over the line. What doesn't fit
 * is dropped and makes overflow true. */
struct gdb_tx {
    size_t size;
    bool overflow;
    char data[GDB_PACKET_MAX + 4]; /* '$', contents, '#', two digits */
};

void gdb_tx_begin(struct gdb_tx *tx);
void gdb_tx_end(struct gdb_tx *tx);
/* How many more bytes of contents fit. */
size_t gdb_tx_room(const struct gdb_tx *tx);
void gdb_tx_char(struct gdb_tx *tx, char c);
void gdb_tx_text(struct gdb_tx *tx, const char *text);
/* n bytes, two digits each, in the order of memory. */
void gdb_tx_bytes(struct gdb_tx *tx, const void *bytes, size_t n);
/* A number without leading zeroes. */
void gdb_tx_number(struct gdb_tx *tx, uint64_t n);
/* One byte of binary contents ('}' escapes what has a meaning of its own). False: no room. */
bool gdb_tx_binary(struct gdb_tx *tx, uint8_t byte);

/* The value of a hexadecimal digit, or -1. */
int gdb_digit(char c);
/* Reads a hexadecimal number at *at and moves *at behind it. False: no digit there, or more than 64
 * bits. */
bool gdb_number(const char **at, uint64_t *n);
/* The same, and then the character that must follow. */
bool gdb_number_then(const char **at, uint64_t *n, char then);
/* Reads n bytes of two digits each and moves *at behind them. False: they are not all there. */
bool gdb_bytes(const char **at, void *bytes, size_t n);
/* Undoes the '}' escapes of n bytes in place; how many are left. */
size_t gdb_unescape(char *data, size_t n);

#endif
