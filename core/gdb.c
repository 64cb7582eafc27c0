/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's remote serial protocol, the stub's side: one packet at a time, each answered at once, but
 * for those that let the guest run: these are answered when it has stopped. The line is no more
 * trusted than a guest, and may lose bytes: every packet is acknowledged. Have open: gdb's manual,
 * "Remote Protocol", chapters "Packets", "General Query Packets", "Stop Reply Packets".
 */
#include "core/gdb.h"

#include "core/commands.h"
#include "core/console.h"
#include "core/debug.h"
#include "core/gdb_packet.h"
#include "core/gdb_regs.h"
#include "core/gdb_target.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/vm.h"

#define SIGNAL_INT  "02"
#define SIGNAL_TRAP "05"
#define ERROR       "E01"
#define ENDED       "W00"
#define MEMORY_MAX  (GDB_PACKET_MAX / 2)
#define ALL         (-1)

static struct gdb_rx rx;
static struct gdb_tx tx;
static char selected[CONFIG_NAME_MAX]; /* the VM that the next session gets; "": none was named */
static bool session;             /* a gdb is there */
static bool begun;               /* it has got its VM; there is no second one for it */
static bool wide;                /* it was told of 64-bit registers */
static bool runs;                /* it waits for a stop */
static unsigned general;         /* the vCPU that g, m and the like mean */
static int step_thread;          /* of the last Hc; ALL */
static char xml[GDB_XML_MAX];
static uint8_t memory[MEMORY_MAX];

/* --- answers --- */

static void send(void)
{
    gdb_tx_end(&tx);
    host_debug_write(tx.data, tx.size);
}

static void answer(const char *text)
{
    gdb_tx_begin(&tx);
    gdb_tx_text(&tx, text);
    send();
}

static struct vcpu *vcpu_at(unsigned i)
{
    struct vm *vm = debug_vm();
    return vm && i < vm->vcpu_count ? vm->vcpu[i] : NULL;
}

/* "T05thread:1;swbreak:;" */
static void say_stop(void)
{
    static const char *const reasons[] = {
        [DEBUG_STEPPED] = "", [DEBUG_BREAKPOINT] = "swbreak:;", [DEBUG_HARDWARE] = "hwbreak:;",
        [DEBUG_WATCH_WRITE] = "watch:", [DEBUG_WATCH_ACCESS] = "awatch:",
    };
    enum debug_stop why;
    struct vcpu *v = debug_stopper(&why);
    if (v)
        general = v->index;
    gdb_tx_begin(&tx);
    gdb_tx_text(&tx, v ? "T" SIGNAL_TRAP "thread:" : "T" SIGNAL_INT "thread:");
    gdb_tx_number(&tx, general + 1);
    gdb_tx_char(&tx, ';');
    if (v)
        gdb_tx_text(&tx, reasons[why]);
    if (v && (why == DEBUG_WATCH_WRITE || why == DEBUG_WATCH_ACCESS)) {
        gdb_tx_number(&tx, v->debug.address);
        gdb_tx_char(&tx, ';');
    }
    send();
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
    wide = backend->code_bits(v) == 64 || (backend->get_reg(v, VREG_EFER) >> 10 & 1);
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
    general = 0;
    step_thread = ALL;
    debug_inspect(vm->vcpu[0], look_width, NULL);
    gdb_target_xml(wide, xml, sizeof(xml));
    log_info("gdb: stops vm %s", vm->name);
    return true;
}

static void end(void)
{
    struct vm *vm = debug_vm();
    if (vm)
        log_info("gdb: leaves vm %s, which goes on", vm->name);
    debug_detach();
    runs = session = begun = false;
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

/* --- registers --- */

static void packet_registers(void)
{
    struct vcpu *v = vcpu_at(general);
    gdb_tx_begin(&tx);
    struct gdb_regs_call c = {.wide = wide, .tx = &tx};
    debug_inspect(v, gdb_regs_read, &c);
    send();
}

static void packet_set_registers(const char *at)
{
    struct gdb_regs_call c = {.wide = wide, .at = at};
    debug_inspect(vcpu_at(general), gdb_regs_write, &c);
    answer(c.failed ? ERROR : "OK");
}

static void packet_register(const char *at)
{
    uint64_t n;
    struct gdb_reg r;
    if (!gdb_number(&at, &n) || n > UINT32_MAX || !gdb_target_reg(wide, (unsigned)n, &r)) {
        answer(ERROR);
        return;
    }
    gdb_tx_begin(&tx);
    struct gdb_regs_call c = {.wide = wide, .tx = &tx, .one = true, .n = (unsigned)n};
    debug_inspect(vcpu_at(general), gdb_regs_read, &c);
    send();
}

static void packet_set_register(const char *at)
{
    uint64_t n;
    if (!gdb_number_then(&at, &n, '=') || n > UINT32_MAX) {
        answer(ERROR);
        return;
    }
    struct gdb_regs_call c = {.wide = wide, .at = at, .one = true, .n = (unsigned)n};
    debug_inspect(vcpu_at(general), gdb_regs_write, &c);
    answer(c.failed ? ERROR : "OK");
}

/* --- memory --- */

static void packet_read(const char *at)
{
    uint64_t address, n;
    if (!gdb_number_then(&at, &address, ',') || !gdb_number(&at, &n)) {
        answer(ERROR);
        return;
    }
    size_t got = debug_read(vcpu_at(general), address, memory, min_u64(n, MEMORY_MAX));
    if (n && !got) {
        answer(ERROR);
        return;
    }
    gdb_tx_begin(&tx);
    gdb_tx_bytes(&tx, memory, got);
    send();
}

/* M: hexadecimal; X: binary with escapes. */
static void packet_write(char *data, size_t size, bool binary)
{
    const char *at = data;
    uint64_t address, n;
    bool good = gdb_number_then(&at, &address, ',') && gdb_number_then(&at, &n, ':') &&
                n <= MEMORY_MAX;
    if (good && binary) {
        size_t left = gdb_unescape(data + (at - data), size - (size_t)(at - data));
        good = left == n;
        if (good)
            memcpy(memory, at, n);
    } else if (good) {
        good = gdb_bytes(&at, memory, n);
    }
    good = good && debug_write(vcpu_at(general), address, memory, n) == n;
    answer(good ? "OK" : ERROR);
}

/* Z and z: "kind,address,size". */
static void packet_break(const char *at, bool set)
{
    uint64_t kind, address, size;
    if (!gdb_number_then(&at, &kind, ',') || !gdb_number_then(&at, &address, ',') ||
        !gdb_number(&at, &size)) {
        answer(ERROR);
        return;
    }
    if (kind > BREAK_ACCESS) {
        answer("");
        return;
    }
    struct vcpu *v = vcpu_at(general);
    if (!set)
        debug_clear_break(v, (enum debug_break)kind, address, (unsigned)size);
    bool good = !set || debug_set_break(v, (enum debug_break)kind, address, (unsigned)size);
    answer(good ? "OK" : ERROR);
}

/* --- running --- */

/* A thread number, "-1" or "0" (any) at *at. False: nonsense. */
static bool thread(const char **at, int *out)
{
    uint64_t n;
    if (str_starts(*at, "-1")) {
        *at += 2;
        *out = ALL;
        return true;
    }
    if (!gdb_number(at, &n) || n > VM_VCPUS)
        return false;
    *out = n ? (int)n - 1 : ALL;
    return true;
}

static void let_go(void)
{
    debug_go();
    runs = true;
}

/* c and s, of the thread that Hc named. A step leaves all others where they are. */
static void packet_go(bool step)
{
    struct vm *vm = debug_vm();
    unsigned who = step_thread == ALL ? general : (unsigned)step_thread;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (!step || i == who)
            debug_release(vm->vcpu[i], step);
    let_go();
}

/* vCont;ACTION[:THREAD];...: the first that fits a thread counts; none: it stays. */
static void packet_vcont(const char *text)
{
    struct vm *vm = debug_vm();
    char action[VM_VCPUS] = "";
    const char *at = text;
    while (*at == ';') {
        char a = at[1];
        uint64_t ignored;
        int who = ALL;
        at += a ? 2 : 1;
        bool good = a == 'c' || a == 's' ||
                    ((a == 'C' || a == 'S') && gdb_number(&at, &ignored));
        if (good && *at == ':') {
            at++;
            good = thread(&at, &who);
        }
        if (!good || (*at && *at != ';')) {
            answer(ERROR);
            return;
        }
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            if (!action[i] && (who == ALL || (unsigned)who == i))
                action[i] = (char)(a | 0x20);
    }
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (action[i])
            debug_release(vm->vcpu[i], action[i] == 's');
    let_go();
}

/* --- queries --- */

static void packet_xml(const char *at)
{
    uint64_t offset, n;
    size_t size = strlen(xml);
    if (!gdb_number_then(&at, &offset, ',') || !gdb_number(&at, &n) || offset > size) {
        answer(ERROR);
        return;
    }
    n = min_u64(n, MEMORY_MAX);
    gdb_tx_begin(&tx);
    gdb_tx_char(&tx, offset + n < size ? 'm' : 'l');
    for (; n && offset < size; n--)
        if (!gdb_tx_binary(&tx, (uint8_t)xml[offset++]))
            break;
    send();
}

static void packet_threads(void)
{
    struct vm *vm = debug_vm();
    gdb_tx_begin(&tx);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        gdb_tx_char(&tx, i ? ',' : 'm');
        gdb_tx_number(&tx, i + 1);
    }
    send();
}

static void packet_thread_info(const char *at)
{
    char text[96];
    int who;
    struct vcpu *v = thread(&at, &who) && who != ALL ? vcpu_at((unsigned)who) : NULL;
    if (!v) {
        answer(ERROR);
        return;
    }
    size_t n = fmt_print(text, sizeof(text), "vm %s, vCPU %u%s", v->vm->name, v->index,
                         v->waits_for_startup ? ", waits for its start-up IPI"
                         : v->halted          ? ", halted"
                                              : "");
    gdb_tx_begin(&tx);
    gdb_tx_bytes(&tx, text, min_u64(n, sizeof(text) - 1));
    send();
}

static void packet_current(void)
{
    gdb_tx_begin(&tx);
    gdb_tx_text(&tx, "QC");
    gdb_tx_number(&tx, general + 1);
    send();
}

/* What a command of the console says goes out in pieces: "O" and the text in hexadecimal. */
struct monitor {
    char text[1024];
    size_t used;
};

static void flush_monitor(struct monitor *m)
{
    if (!m->used)
        return;
    gdb_tx_begin(&tx);
    gdb_tx_char(&tx, 'O');
    gdb_tx_bytes(&tx, m->text, m->used);
    send();
    m->used = 0;
}

static void monitor_sink(void *ctx, const char *text, size_t len)
{
    struct monitor *m = ctx;
    for (size_t i = 0; i < len; i++) {
        m->text[m->used++] = text[i];
        if (m->used == sizeof(m->text))
            flush_monitor(m);
    }
}

/* "monitor LINE" in gdb: the line is a command of Plinth's console. */
static void packet_monitor(const char *at)
{
    static char line[COMMAND_LINE_MAX];
    struct monitor m = {.used = 0};
    size_t n = strlen(at) / 2;
    if (n >= sizeof(line) || !gdb_bytes(&at, line, n)) {
        answer(ERROR);
        return;
    }
    line[n] = '\0';
    if (console_locked())
        fmt_write(monitor_sink, &m, "the console is locked: its password comes first\n");
    else
        command_run(line, monitor_sink, &m);
    flush_monitor(&m);
    answer("OK");
}

static void packet_query(char *p)
{
    if (str_starts(p, "qSupported"))
        answer("PacketSize=1000;qXfer:features:read+;swbreak+;hwbreak+;vContSupported+");
    else if (str_starts(p, "qXfer:features:read:target.xml:"))
        packet_xml(p + 31);
    else if (str_eq(p, "qAttached"))
        answer("1");
    else if (str_eq(p, "qfThreadInfo"))
        packet_threads();
    else if (str_eq(p, "qsThreadInfo"))
        answer("l");
    else if (str_starts(p, "qThreadExtraInfo,"))
        packet_thread_info(p + 17);
    else if (str_eq(p, "qC"))
        packet_current();
    else
        answer("");
}

/* --- packets --- */

static void packet_thread(const char *at)
{
    char kind = *at++;
    int who;
    if ((kind != 'g' && kind != 'c') || !thread(&at, &who) ||
        (who != ALL && !vcpu_at((unsigned)who))) {
        answer(ERROR);
        return;
    }
    if (kind == 'c')
        step_thread = who;
    else if (who != ALL)
        general = (unsigned)who;
    answer("OK");
}

static void packet_alive(const char *at)
{
    int who;
    answer(thread(&at, &who) && who != ALL && vcpu_at((unsigned)who) ? "OK" : ERROR);
}

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
        say_stop();
        break;
    case 'g':
        packet_registers();
        break;
    case 'G':
        packet_set_registers(p + 1);
        break;
    case 'p':
        packet_register(p + 1);
        break;
    case 'P':
        packet_set_register(p + 1);
        break;
    case 'm':
        packet_read(p + 1);
        break;
    case 'M':
    case 'X':
        packet_write(p + 1, size - 1, *p == 'X');
        break;
    case 'Z':
    case 'z':
        packet_break(p + 1, *p == 'Z');
        break;
    case 'c':
    case 'C':
        packet_go(false);
        break;
    case 's':
    case 'S':
        packet_go(true);
        break;
    case 'H':
        packet_thread(p + 1);
        break;
    case 'T':
        packet_alive(p + 1);
        break;
    case 'q':
        packet_query(p);
        break;
    default:
        if (str_eq(p, "vCont?"))
            answer("vCont;c;C;s;S");
        else if (str_starts(p, "vCont;"))
            packet_vcont(p + 5);
        else
            answer("");
    }
}

/* A gdb says hello: one that comes anew finds the VM that the one before it had. */
static void packet_hello(char *p)
{
    session = true;
    begun = debug_vm() != NULL;
    if (console_locked() && !begun)
        log_warn("gdb: refused: the console is locked");
    packet_query(p);
}

/* There is no VM: to what asks how it fares, or lets it go on, gdb wants to hear that it ended. */
static void packet_without_vm(const char *p)
{
    bool fares = (*p && strchr("?cCsS", *p)) || str_starts(p, "vCont;");
    answer(fares ? ENDED : ERROR);
}

/* False: it has to wait until the VM stands still. */
static bool packet(char *p, size_t size)
{
    if (str_starts(p, "qSupported")) {
        packet_hello(p);
    } else if (str_starts(p, "vMustReplyEmpty")) {
        answer("");
    } else if (str_starts(p, "qRcmd,")) {
        packet_monitor(p + 6);
    } else if (*p == 'D') {
        end();
        answer("OK");
    } else if (*p == 'k') {
        kill_vm();
    } else if (str_starts(p, "vKill")) {
        kill_vm();
        answer("OK");
    } else if (!begin()) {
        packet_without_vm(p);
    } else if (!debug_stopped()) {
        return false;
    } else {
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
    if (e == GDB_NAK && tx.size)
        host_debug_write(tx.data, tx.size);
    if (e == GDB_BREAK)
        debug_stop_all();
    if (e == GDB_PACKET && runs)
        debug_stop_all(); /* gdb has been started anew while the guest ran */
    if (e == GDB_PACKET)
        waiting = !packet(rx.data, rx.size);
}

void gdb_poll(void)
{
    int c;
    host_debug_poll();
    if (runs && !debug_vm()) {
        runs = false;
        answer(ENDED);
    } else if (runs && debug_stopped()) {
        runs = false;
        say_stop();
    }
    if (waiting)
        waiting = !packet(rx.data, rx.size);
    while (!waiting && (c = host_debug_read()) >= 0)
        take(gdb_rx_byte(&rx, (uint8_t)c));
}
