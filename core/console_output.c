/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others write to the operator's line: whole lines above the prompt, an attached guest's bytes
 * as they come. Any CPU. Whoever is inside a guest's exit must not wait here: what finds no room is
 * in the log only, and guests are made to wait before they print.
 */
#include "core/access.h"
#include "core/answer.h"
#include "core/console_parts.h"
#include "core/control.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"

/* What one exit adds at most: a hypercall's text as empty lines, with their prefixes. It is room
 * for what guests on many CPUs print at once, too. What finds none all the same is in the log
 * only. */
#define ROOM_NEEDED 45056
/* While the operator types, guests may fill no more than the first 2 KiB of the 64 KiB in front of
 * the line: that is how long an echo waits behind them. */
#define ROOM_TYPING 63488
#define TYPING_NS   UINT64_C(2000000000)

static uint64_t skipped; /* lines of guests since the last one that was shown; log's lock */
static uint64_t lost;    /* bytes of the attached VM; its lock */

/* A guest's line while the operator does not want to see them, or nobody may see them. */
static bool unwanted(const char *text, size_t len)
{
    if (access_locked())
        return len < 8 || memcmp(text, "plinth: ", 8) != 0;
    return !console.terminal.lines && len && text[0] == '[';
}

/* Each LF becomes two bytes. */
static bool fits(size_t len)
{
    return host_console_room() >= 2 * len + HOST_ROOM_KEPT;
}

/* A guest's lines for which the line has no room now, or that would come into the midst of a long
 * one: of JSON, of a core. Its CPU has interrupts off and locks: it must not wait. */
static bool must_skip(const char *text, size_t len)
{
    if (!len || text[0] != '[' || (fits(len) && !answer_in_line()))
        return false;
    for (size_t i = 0; i < len; i++)
        skipped += text[i] == '\n';
    return true;
}

static void say_skipped(void)
{
    if (!skipped || !fits(0))
        return;
    fmt_write(console_write, NULL, "(%lu lines of guests are in the log only)\n", skipped);
    skipped = 0;
}

void console_output(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    control_log(text, len);
    if (console.mode == CONSOLE_LOG && host_cpu_index() != 0)
        host_kick(0);
    if (console.mode == CONSOLE_LOG || console.mode == CONSOLE_GUEST || unwanted(text, len) ||
        must_skip(text, len))
        return; /* it is in the log */
    bool again = console.edit.shown, paused = answer_paused();
    lineedit_hide(&console.edit);
    answer_hide();
    say_skipped();
    host_console_write(text, len);
    if (!len || text[len - 1] != '\n')
        return;
    if (again)
        lineedit_show(&console.edit);
    if (paused)
        answer_show();
}

bool console_has_room(void)
{
    uint64_t at = __atomic_load_n(&console.typed_at, __ATOMIC_RELAXED);
    bool typing = at && host_now() - at < host_ns_to_tsc(TYPING_NS) &&
                  console.mode != CONSOLE_GUEST;
    return host_console_room() > (typing ? ROOM_TYPING : ROOM_NEEDED) && control_has_room();
}

uint64_t console_lost(void)
{
    return __atomic_load_n(&lost, __ATOMIC_RELAXED);
}

void console_vm_raw(struct vm *vm, const char *text, size_t len)
{
    if (vm->scrollback.buf)
        ring_push(&vm->scrollback, text, len);
    if (vm->attached && fits(len))
        host_console_write(text, len);
    else if (vm->attached)
        lost += len;
    control_vm_raw(vm, text, len);
}
