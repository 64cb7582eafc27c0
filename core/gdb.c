/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stub that a gdb talks to: the session, and which packet is whose. One packet at a time, each
 * answered at once, but for those that let the guest run: these are answered when it has stopped.
 * The line is no more trusted than a guest, and may lose bytes: every packet is acknowledged. What
 * packets do: gdb_state.c, gdb_run.c, gdb_query.c. Have open: gdb's manual, "Remote Protocol".
 */
#include "core/gdb.h"

#include "core/backend.h"
#include "core/console.h"
#include "core/debug.h"
#include "core/gdb_parts.h"
#include "core/gdb_target.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/vm.h"

#define ENDED "W00"

struct gdb_stub gdb;

static struct gdb_rx rx;
static char selected[CONFIG_NAME_MAX]; /* the VM that the next session gets; "": none was named */
static bool session;             /* a gdb is there */
static bool begun;               /* it has got its VM; there is no second one for it */
static bool inherits;            /* from a gdb that did not detach: its breakpoints are there */

/* --- answers --- */

void gdb_send(void)
{
    gdb_tx_end(&gdb.tx);
    host_debug_write(gdb.tx.data, gdb.tx.size);
}

void gdb_answer(const char *text)
{
    gdb_tx_begin(&gdb.tx);
    gdb_tx_text(&gdb.tx, text);
    gdb_send();
}

struct vcpu *gdb_vcpu(unsigned i)
{
    struct vm *vm = debug_vm();
    return vm && i < vm->vcpu_count ? vm->vcpu[i] : NULL;
}

/* --- the session --- */

bool gdb_has_session(void)
{
    return session;
}

static struct vm *first_running(void)
{
    for (unsigned i = 0; i < vm_count(); i++)
        if (vm_at(i)->state == VM_RUNNING)
            return vm_at(i);
    return NULL;
}

static void look_width(struct vcpu *v, void *arg)
{
    (void)arg;
    gdb.wide = backend->code_bits(v) == 64 || (backend->get_reg(v, VREG_EFER) >> 10 & 1);
}

/* gdb is there: its VM stops, as it expects of a stub. When that VM is gone, its registers are
 * nobody else's; and the console's password is no matter of which line one comes over. */
static bool begin(void)
{
    struct vm *vm = debug_vm();
    if (vm || !session || begun || console_locked())
        return vm;
    vm = gdb_selected();
    if (!vm || vm->state != VM_RUNNING)
        vm = first_running();
    if (!vm || !debug_attach(vm))
        return false;
    begun = true;
    gdb.general = 0;
    gdb.step_thread = GDB_ALL;
    debug_inspect(vm->vcpu[0], look_width, NULL);
    gdb_target_xml(gdb.wide, gdb.xml, sizeof(gdb.xml));
    log_info("gdb: stops vm %s", vm->name);
    return true;
}

static void end(void)
{
    struct vm *vm = debug_vm();
    if (vm)
        log_info("gdb: leaves vm %s, which goes on", vm->name);
    debug_detach();
    gdb.runs = session = begun = false;
}

void gdb_select(const struct vm *vm)
{
    end();
    str_copy(selected, sizeof(selected), vm ? vm->name : "");
}

struct vm *gdb_selected(void)
{
    return vm_find(selected);
}

/* --- packets --- */

static void kill_vm(void)
{
    struct vm *vm = debug_vm();
    end();
    if (vm)
        vm_stop(vm, STOP_OPERATOR, "killed by gdb");
}

/* Those that need a VM that stands still. */
static void packet_stopped(char *p, size_t size)
{
    switch (*p) {
    case '?':
        gdb_say_stop();
        break;
    case 'g':
        gdb_packet_registers();
        break;
    case 'G':
        gdb_packet_set_registers(p + 1);
        break;
    case 'p':
        gdb_packet_register(p + 1);
        break;
    case 'P':
        gdb_packet_set_register(p + 1);
        break;
    case 'm':
        gdb_packet_read(p + 1);
        break;
    case 'M':
    case 'X':
        gdb_packet_write(p + 1, size - 1, *p == 'X');
        break;
    case 'Z':
    case 'z':
        gdb_packet_break(p + 1, *p == 'Z');
        break;
    case 'c':
    case 'C':
        gdb_packet_go(false);
        break;
    case 's':
    case 'S':
        gdb_packet_go(true);
        break;
    case 'H':
        gdb_packet_thread(p + 1);
        break;
    case 'T':
        gdb_packet_alive(p + 1);
        break;
    case 'q':
        gdb_packet_query(p);
        break;
    default:
        if (str_eq(p, "vCont?"))
            gdb_answer("vCont;c;C;s;S");
        else if (str_starts(p, "vCont;"))
            gdb_packet_vcont(p + 5);
        else
            gdb_answer("");
    }
}

/* A gdb says hello: one that comes anew finds the VM that the one before it had. */
static void packet_hello(char *p)
{
    session = true;
    begun = inherits = debug_vm() != NULL;
    if (console_locked() && !begun)
        log_warn("gdb: refused: the console is locked");
    gdb_packet_query(p);
}

/* There is no VM: to what asks how it fares, or lets it go on, gdb wants to hear that it ended. */
static void packet_without_vm(const char *p)
{
    bool fares = (*p && strchr("?cCsS", *p)) || str_starts(p, "vCont;");
    gdb_answer(fares ? ENDED : GDB_ERROR);
}

/* False: it has to wait, until the VM stands still or the line takes more. */
static bool packet(char *p, size_t size)
{
    if (str_starts(p, "qSupported")) {
        packet_hello(p);
    } else if (str_starts(p, "vMustReplyEmpty")) {
        gdb_answer("");
    } else if (str_starts(p, "qRcmd,")) {
        return gdb_packet_monitor(p + 6);
    } else if (*p == 'D') {
        end();
        gdb_answer("OK");
    } else if (*p == 'k') {
        kill_vm();
    } else if (str_starts(p, "vKill")) {
        kill_vm();
        gdb_answer("OK");
    } else if (!begin()) {
        packet_without_vm(p);
    } else if (!debug_stopped()) {
        return false;
    } else {
        if (inherits)
            debug_break_remove_all(debug_vm());
        inherits = false;
        packet_stopped(p, size);
    }
    return true;
}

/* --- the line --- */

static bool waiting; /* the packet in rx is to be looked at again */

static void take(enum gdb_event e)
{
    if (e == GDB_PACKET || e == GDB_BROKEN)
        host_debug_write(e == GDB_PACKET ? "+" : "-", 1);
    if (e == GDB_NAK && gdb.tx.size)
        host_debug_write(gdb.tx.data, gdb.tx.size);
    if (e == GDB_BREAK)
        debug_stop_all();
    if (e == GDB_PACKET && gdb.runs)
        debug_stop_all(); /* gdb has been started anew while the guest ran */
    if (e == GDB_PACKET)
        waiting = !packet(rx.data, rx.size);
}

void gdb_poll(void)
{
    int c;
    host_debug_poll();
    if (gdb.runs && !debug_vm()) {
        gdb.runs = false;
        gdb_answer(ENDED);
    } else if (gdb.runs && debug_stopped()) {
        gdb.runs = false;
        gdb_say_stop();
    }
    if (waiting)
        waiting = !packet(rx.data, rx.size);
    while (!waiting && (c = host_debug_read()) >= 0)
        take(gdb_rx_byte(&rx, (uint8_t)c));
}
