/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gdb asks about the target: its registers' names, its threads; and `monitor`, Plinth's own
 * commands. Have open: gdb's manual, "Remote Protocol", "General Query Packets".
 */
#include "core/gdb_parts.h"

#include "core/commands.h"
#include "core/console.h"
#include "core/debug.h"
#include "core/host.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"
#include "core/vm.h"
#include "mm/pool.h"

#define PIECE_MAX (GDB_PACKET_MAX / 2) /* of the description, in one answer */

static void packet_xml(const char *at)
{
    uint64_t offset, n;
    size_t size = strlen(gdb.xml);
    if (!gdb_number_then(&at, &offset, ',') || !gdb_number(&at, &n) || offset > size) {
        gdb_answer(GDB_ERROR);
        return;
    }
    n = min_u64(n, PIECE_MAX);
    gdb_tx_begin(&gdb.tx);
    gdb_tx_char(&gdb.tx, offset + n < size ? 'm' : 'l');
    for (; n && offset < size; n--)
        if (!gdb_tx_binary(&gdb.tx, (uint8_t)gdb.xml[offset++]))
            break;
    gdb_send();
}

static void packet_threads(void)
{
    struct vm *vm = debug_vm();
    gdb_tx_begin(&gdb.tx);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        gdb_tx_char(&gdb.tx, i ? ',' : 'm');
        gdb_tx_number(&gdb.tx, i + 1);
    }
    gdb_send();
}

static void packet_thread_info(const char *at)
{
    char text[96];
    int who;
    struct vcpu *v = gdb_thread(&at, &who) && who != GDB_ALL ? gdb_vcpu((unsigned)who) : NULL;
    if (!v) {
        gdb_answer(GDB_ERROR);
        return;
    }
    size_t n = fmt_print(text, sizeof(text), "vm %s, vCPU %u%s", v->vm->name, v->index,
                         v->waits_for_startup ? ", waits for its start-up IPI"
                         : v->halted          ? ", halted"
                                              : "");
    gdb_tx_begin(&gdb.tx);
    gdb_tx_bytes(&gdb.tx, text, min_u64(n, sizeof(text) - 1));
    gdb_send();
}

static void packet_current(void)
{
    gdb_tx_begin(&gdb.tx);
    gdb_tx_text(&gdb.tx, "QC");
    gdb_tx_number(&gdb.tx, gdb.general + 1);
    gdb_send();
}

/* --- monitor --- */

/* What a command of the console says is kept here and goes out in pieces, as the line takes them:
 * "O" and the text in hexadecimal. 64 KiB of it take 11 seconds at 115200 baud. */
#define SAID_PAGES 16
#define SAID_PIECE 1024
static char spare[SAID_PIECE]; /* when there is no memory: then it waits for the line */
static struct ring said;       /* buf NULL: no command's answer is on its way */

static void say_piece(void)
{
    char text[SAID_PIECE];
    size_t n = 0;
    while (n < sizeof(text) && ring_get(&said, &text[n]))
        n++;
    gdb_tx_begin(&gdb.tx);
    gdb_tx_char(&gdb.tx, 'O');
    gdb_tx_bytes(&gdb.tx, text, n);
    gdb_send();
}

static void monitor_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        while (!ring_put(&said, text[i]))
            say_piece();
}

static void open_said(void)
{
    char *pages = pool_alloc_pages(SAID_PAGES, NULL);
    ring_init(&said, pages ? pages : spare, pages ? SAID_PAGES * PAGE_SIZE : sizeof(spare));
}

static void close_said(void)
{
    if (said.buf != spare)
        pool_free_pages(said.buf, SAID_PAGES);
    said.buf = NULL;
}

/* False: that was no line. */
static bool run_monitor(const char *at)
{
    static char line[COMMAND_LINE_MAX];
    size_t n = strlen(at) / 2;
    if (n >= sizeof(line) || !gdb_bytes(&at, line, n))
        return false;
    line[n] = '\0';
    open_said();
    if (console_locked())
        fmt_write(monitor_sink, NULL, "the console is locked: its password comes first\n");
    else
        command_run(line, monitor_sink, NULL);
    return true;
}

bool gdb_packet_monitor(const char *at)
{
    if (!said.buf && !run_monitor(at)) {
        gdb_answer(GDB_ERROR);
        return true;
    }
    for (; ring_used(&said); say_piece())
        if (host_debug_room() < 4 * SAID_PIECE)
            return false;
    close_said();
    gdb_answer("OK");
    return true;
}

void gdb_packet_query(char *p)
{
    if (str_starts(p, "qSupported"))
        gdb_answer("PacketSize=1000;qXfer:features:read+;swbreak+;hwbreak+;vContSupported+");
    else if (str_starts(p, "qXfer:features:read:target.xml:"))
        packet_xml(p + 31);
    else if (str_eq(p, "qAttached"))
        gdb_answer("1");
    else if (str_eq(p, "qfThreadInfo"))
        packet_threads();
    else if (str_eq(p, "qsThreadInfo"))
        gdb_answer("l");
    else if (str_starts(p, "qThreadExtraInfo,"))
        packet_thread_info(p + 17);
    else if (str_eq(p, "qC"))
        packet_current();
    else
        gdb_answer("");
}
