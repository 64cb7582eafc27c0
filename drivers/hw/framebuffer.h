/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text console on whatever the boot loader left on the screen: EGA text memory or a linear RGB
 * framebuffer. PURE: the caller maps the memory (write-combining for a linear one) and hands the
 * pointer in; everything is plain stores to it, never a load, and never outside pitch * height.
 * No volatile is needed: the pointer comes from outside, so the compiler must assume that the bytes
 * are looked at. Have open: Multiboot2 "Framebuffer info"; "VGA text mode".
 */
#ifndef DRIVERS_HW_FRAMEBUFFER_H
#define DRIVERS_HW_FRAMEBUFFER_H

#include "core/lib/bits.h"

/* The largest text a framebuffer is used for; a larger screen keeps a margin. */
#define FRAMEBUFFER_COLUMNS 160
#define FRAMEBUFFER_ROWS    64

enum framebuffer_type {
    FRAMEBUFFER_RGB = 1,  /* numbered as Multiboot2 numbers them */
    FRAMEBUFFER_TEXT = 2,
};

/* Where a colour lies in a pixel: bits position .. position + size - 1. */
struct framebuffer_colour {
    uint8_t position, size;
};

struct framebuffer_info {
    uint64_t address;      /* host-physical; for the caller's mapping, not used here */
    uint32_t pitch;        /* bytes from one line to the next; text: of one row of characters */
    uint32_t width, height; /* pixels; text: characters */
    uint8_t bpp;           /* 16, 24 or 32; text: ignored */
    uint8_t type;          /* enum framebuffer_type; others are refused */
    struct framebuffer_colour red, green, blue; /* RGB only */
};

/* Bytes of video memory that will be written: what the caller has to map. 0 if the sizes overflow
 * 32 bits and the framebuffer is no use. */
uint64_t framebuffer_size(const struct framebuffer_info *info);

struct framebuffer {
    struct framebuffer_info info;
    uint8_t *mem;
    uint32_t columns, rows;      /* of text */
    uint32_t column, row;        /* of the next character */
    uint32_t left, top;          /* margin, pixels */
    uint32_t ink, paper;         /* pixel values */
    uint8_t pixel_bytes;
    uint8_t escape;              /* inside an escape sequence; enum in framebuffer.c */
    uint8_t parameter_count;     /* numbers begun in it */
    uint32_t parameter[2];       /* its first two */
    uint32_t first;              /* row of text[] that is at the top of the screen */
    uint32_t rows_left;          /* of the drawing that is under way; 0: none */
    char text[FRAMEBUFFER_ROWS][FRAMEBUFFER_COLUMNS]; /* what should be on the screen */
    char shown[FRAMEBUFFER_ROWS][FRAMEBUFFER_COLUMNS]; /* what is: 0 = not known */
};

/* Clears the screen. False, and nothing is written ever, if the type, depth, pitch or size is not
 * one this driver handles; the other functions then do nothing. */
bool framebuffer_init(struct framebuffer *fb, const struct framebuffer_info *info, void *mem);

/* Text at the cursor, in memory only: \n \r \t \b move it, lines wrap, the last line scrolls. Of
 * ECMA-48's sequences those that the console uses work: cursor up, down, forward, back, position,
 * erase to the end of line or screen. Other sequences and control characters are dropped, bytes
 * above 126 show as a box. */
void framebuffer_put(struct framebuffer *fb, const char *text, size_t len);
/* Brings it on the screen, at most so many characters at a time: a large screen has megabytes.
 * False: the next call goes on with the rest. Another CPU may put text at the same time; what is
 * missed then is drawn the next time. */
bool framebuffer_draw(struct framebuffer *fb, unsigned cells);

#endif
