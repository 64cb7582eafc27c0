/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's packets about threads and what they do: which one is meant, go, step, and why the VM has
 * stopped. Have open: gdb's manual, "Remote Protocol", "Packets", "Stop Reply Packets".
 */
#include "core/gdb_parts.h"

#include "core/debug.h"
#include "core/lib/string.h"
#include "core/vm.h"

#define SIGNAL_INT  "02"
#define SIGNAL_TRAP "05"

/* "T05thread:1;swbreak:;" */
void gdb_say_stop(void)
{
    static const char *const reasons[] = {
        [DEBUG_STEPPED] = "", [DEBUG_BREAKPOINT] = "swbreak:;", [DEBUG_HARDWARE] = "hwbreak:;",
        [DEBUG_WATCH_WRITE] = "watch:", [DEBUG_WATCH_ACCESS] = "awatch:",
    };
    enum debug_stop why;
    struct vcpu *v = debug_stopper(&why);
    if (v)
        gdb.general = v->index;
    gdb_tx_begin(&gdb.tx);
    gdb_tx_text(&gdb.tx, v ? "T" SIGNAL_TRAP "thread:" : "T" SIGNAL_INT "thread:");
    gdb_tx_number(&gdb.tx, gdb.general + 1);
    gdb_tx_char(&gdb.tx, ';');
    if (v)
        gdb_tx_text(&gdb.tx, reasons[why]);
    if (v && (why == DEBUG_WATCH_WRITE || why == DEBUG_WATCH_ACCESS)) {
        gdb_tx_number(&gdb.tx, v->debug.address);
        gdb_tx_char(&gdb.tx, ';');
    }
    gdb_send();
}

bool gdb_thread(const char **at, int *out)
{
    uint64_t n;
    if (str_starts(*at, "-1")) {
        *at += 2;
        *out = GDB_ALL;
        return true;
    }
    if (!gdb_number(at, &n) || n > VM_VCPUS)
        return false;
    *out = n ? (int)n - 1 : GDB_ALL;
    return true;
}

static void let_go(void)
{
    debug_go();
    gdb.runs = true;
}

void gdb_packet_go(bool step)
{
    struct vm *vm = debug_vm();
    unsigned who = gdb.step_thread == GDB_ALL ? gdb.general : (unsigned)gdb.step_thread;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (!step || i == who)
            debug_release(vm->vcpu[i], step);
    let_go();
}

void gdb_packet_vcont(const char *text)
{
    struct vm *vm = debug_vm();
    char action[VM_VCPUS] = "";
    const char *at = text;
    while (*at == ';') {
        char a = at[1];
        uint64_t ignored;
        int who = GDB_ALL;
        at += a ? 2 : 1;
        bool good = a == 'c' || a == 's' ||
                    ((a == 'C' || a == 'S') && gdb_number(&at, &ignored));
        if (good && *at == ':') {
            at++;
            good = gdb_thread(&at, &who);
        }
        if (!good || (*at && *at != ';')) {
            gdb_answer(GDB_ERROR);
            return;
        }
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            if (!action[i] && (who == GDB_ALL || (unsigned)who == i))
                action[i] = (char)(a | 0x20);
    }
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (action[i])
            debug_release(vm->vcpu[i], action[i] == 's');
    let_go();
}

void gdb_packet_thread(const char *at)
{
    char kind = *at++;
    int who;
    if ((kind != 'g' && kind != 'c') || !gdb_thread(&at, &who) ||
        (who != GDB_ALL && !gdb_vcpu((unsigned)who))) {
        gdb_answer(GDB_ERROR);
        return;
    }
    if (kind == 'c')
        gdb.step_thread = who;
    else if (who != GDB_ALL)
        gdb.general = (unsigned)who;
    gdb_answer("OK");
}

void gdb_packet_alive(const char *at)
{
    int who;
    bool alive = gdb_thread(&at, &who) && who != GDB_ALL && gdb_vcpu((unsigned)who);
    gdb_answer(alive ? "OK" : GDB_ERROR);
}
