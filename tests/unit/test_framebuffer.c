/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of drivers/hw/framebuffer.c: text reaches video memory where it should, in every depth, and
 * never outside it. The memory is allocated to the byte, so ASan sees a write beyond.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/hw/framebuffer.h"

static struct framebuffer fb;

static void say(const char *text)
{
    framebuffer_put(&fb, text, strlen(text));
    assert_true(framebuffer_draw(&fb, UINT32_MAX));
}

static struct framebuffer_info rgb(uint32_t width, uint32_t height, uint8_t bpp, uint32_t slack)
{
    return (struct framebuffer_info){
        .pitch = width * bpp / 8 + slack,
        .width = width,
        .height = height,
        .bpp = bpp,
        .type = FRAMEBUFFER_RGB,
        .red = {bpp == 16 ? 11 : 16, bpp == 16 ? 5 : 8},
        .green = {bpp == 16 ? 5 : 8, bpp == 16 ? 6 : 8},
        .blue = {0, bpp == 16 ? 5 : 8},
    };
}

static void text_mode_holds_characters(void **state)
{
    struct framebuffer_info info = {
        .pitch = 160, .width = 80, .height = 25, .type = FRAMEBUFFER_TEXT};
    uint8_t *mem = calloc(1, (size_t)framebuffer_size(&info));
    (void)state;
    assert_int_equal(framebuffer_size(&info), 80 * 25 * 2);
    assert_true(framebuffer_init(&fb, &info, mem));
    say("ab\ncd\b!");
    assert_int_equal(mem[0], 'a');
    assert_int_equal(mem[2], 'b');
    assert_int_equal(mem[160], 'c');
    assert_int_equal(mem[162], '!');
    assert_int_not_equal(mem[1], 0); /* an attribute that can be seen */
    free(mem);
}

static void text_mode_wraps_and_scrolls(void **state)
{
    struct framebuffer_info info = {
        .pitch = 20, .width = 10, .height = 3, .type = FRAMEBUFFER_TEXT};
    uint8_t *mem = calloc(1, (size_t)framebuffer_size(&info));
    (void)state;
    assert_true(framebuffer_init(&fb, &info, mem));
    say("0123456789X");
    assert_int_equal(mem[20], 'X');
    say("\nthree\nfour");
    assert_int_equal(mem[0], 'X'); /* the first line has left */
    assert_int_equal(mem[20], 't');
    assert_int_equal(mem[40], 'f');
    assert_int_equal(mem[48], ' ');
    free(mem);
}

static void sequences_move_and_erase(void **state)
{
    struct framebuffer_info info = {
        .pitch = 20, .width = 10, .height = 3, .type = FRAMEBUFFER_TEXT};
    uint8_t *mem = calloc(1, (size_t)framebuffer_size(&info));
    (void)state;
    assert_true(framebuffer_init(&fb, &info, mem));
    say("plinth> x\r\x1b[Kline\nplinth> ");
    assert_int_equal(mem[0], 'l');
    assert_int_equal(mem[8], ' ');
    assert_int_equal(mem[20], 'p');
    say("\x1b[2;3H!\x1b[A^\x1b[99C>\x1b[99D<\x1b[B_");
    assert_int_equal(mem[20 + 4], '!');
    assert_int_equal(mem[6], '^');
    assert_int_equal(mem[18], '>');
    assert_int_equal(mem[0], '<');
    assert_int_equal(mem[20 + 2], '_');
    say("\x1b[H\x1b[J");
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(mem[2 * i], ' ');
    /* Those without effect, too long ones, cut ones. */
    say("\x1b" "7\x1b[?25h\x1b[1;2;3;4m\x1b[99999999999999999999;;;9H\x1b[\n\x1b[999999;999999Hz");
    assert_int_equal(mem[58], 'z');
    say("\x1b[H\x1b\x1b[Ka");
    assert_int_equal(mem[0], 'a');
    free(mem);
}

static unsigned lit(const uint8_t *mem, size_t n, const uint8_t *paper, unsigned bytes)
{
    unsigned count = 0;
    for (size_t i = 0; i + bytes <= n; i += bytes)
        count += memcmp(mem + i, paper, bytes) != 0;
    return count;
}

/* Only what changed is drawn: after any write, however it moved, the screen has it all. */
static void the_screen_is_what_was_meant(void **state)
{
    static const char *const pieces[] = {"a", "word", "\n", "\r", "\b", "\t", "\x1b[A", "\x1b[3A",
                                         "\x1b[2B", "\x1b[5C", "\x1b[D", "\x1b[H", "\x1b[4;9H",
                                         "\x1b[J", "\x1b[K", "0123456789012345"};
    struct framebuffer_info info = {
        .pitch = 42, .width = 21, .height = 6, .type = FRAMEBUFFER_TEXT};
    uint8_t *mem = calloc(1, (size_t)framebuffer_size(&info));
    uint32_t random = 1;
    (void)state;
    assert_true(framebuffer_init(&fb, &info, mem));
    for (unsigned i = 0; i < 20000; i++) {
        char text[100] = "";
        for (random = random * 1664525 + 1013904223; (random >> 13 & 3) && strlen(text) < 60;
             random = random * 1664525 + 1013904223)
            strcat(text, pieces[random >> 20 & 15]);
        say(text);
        for (unsigned row = 0; row < info.height; row++)
            for (unsigned column = 0; column < info.width; column++)
                assert_int_equal(mem[row * info.pitch + column * 2],
                                 fb.text[(fb.first + row) % fb.rows][column]);
    }
    free(mem);
}

static void every_depth_draws_inside(void **state)
{
    static const uint8_t depths[] = {16, 24, 32};
    (void)state;
    for (unsigned d = 0; d < ARRAY_LEN(depths); d++) {
        struct framebuffer_info info = rgb(64, 48, depths[d], 0);
        size_t size = (size_t)framebuffer_size(&info);
        uint8_t *mem = malloc(size), paper[4];
        assert_int_equal(size, 64u * 48 * depths[d] / 8);
        assert_true(framebuffer_init(&fb, &info, mem));
        memcpy(paper, mem, depths[d] / 8);
        assert_int_equal(lit(mem, size, paper, depths[d] / 8), 0);
        say("A");
        unsigned one = lit(mem, size, paper, depths[d] / 8);
        assert_true(one > 10 && one < 128);
        for (unsigned i = 0; i < 200; i++)
            say("the quick brown fox\n");
        say("\t\r\b\b\x01\xff");
        free(mem);
    }
}

static void same_text_same_pixels(void **state)
{
    struct framebuffer_info info = rgb(80, 32, 32, 16);
    size_t size = (size_t)framebuffer_size(&info);
    uint8_t *a = calloc(1, size), *b = calloc(1, size);
    (void)state;
    assert_true(framebuffer_init(&fb, &info, a));
    say("x\ny\nz");
    assert_true(framebuffer_init(&fb, &info, b));
    say("y\nz"); /* what scrolling has left */
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

/* Piece by piece it comes to the same, and what was put meanwhile comes with the next drawing. */
static void a_screen_is_drawn_in_pieces(void **state)
{
    struct framebuffer_info info = {
        .pitch = 20, .width = 10, .height = 3, .type = FRAMEBUFFER_TEXT};
    uint8_t *mem = calloc(1, (size_t)framebuffer_size(&info));
    (void)state;
    assert_true(framebuffer_init(&fb, &info, mem));
    framebuffer_put(&fb, "abc\ndefg\nh", 10);
    assert_false(framebuffer_draw(&fb, 4));
    assert_int_equal(mem[4], 'c');
    assert_int_equal(mem[20], 'd');
    assert_int_equal(mem[22], ' ');
    framebuffer_put(&fb, "\x1b[1;1H!", 7);
    assert_false(framebuffer_draw(&fb, 3));
    assert_int_equal(mem[26], 'g');
    assert_true(framebuffer_draw(&fb, 3));
    assert_int_equal(mem[40], 'h');
    assert_int_equal(mem[0], 'a');
    assert_true(framebuffer_draw(&fb, 4));
    assert_int_equal(mem[0], '!');
    free(mem);
}

static void impossible_ones_are_refused(void **state)
{
    uint8_t mem[64] = {0};
    struct framebuffer_info info = rgb(64, 48, 32, 0);
    (void)state;
    info.type = 0;
    assert_false(framebuffer_init(&fb, &info, mem));
    info = rgb(64, 48, 8, 0);
    assert_false(framebuffer_init(&fb, &info, mem));
    info = rgb(64, 48, 32, 0);
    info.pitch = 64; /* narrower than a line */
    assert_false(framebuffer_init(&fb, &info, mem));
    info = rgb(4, 4, 32, 0); /* no room for a character */
    assert_false(framebuffer_init(&fb, &info, mem));
    say("nothing happens");
    for (unsigned i = 0; i < sizeof(mem); i++)
        assert_int_equal(mem[i], 0);
    info = rgb(64, 48, 32, 0);
    info.pitch = UINT32_MAX;
    info.height = UINT32_MAX;
    assert_int_equal(framebuffer_size(&info), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_mode_holds_characters),
        cmocka_unit_test(text_mode_wraps_and_scrolls),
        cmocka_unit_test(sequences_move_and_erase),
        cmocka_unit_test(the_screen_is_what_was_meant),
        cmocka_unit_test(every_depth_draws_inside),
        cmocka_unit_test(same_text_same_pixels),
        cmocka_unit_test(a_screen_is_drawn_in_pieces),
        cmocka_unit_test(impossible_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
