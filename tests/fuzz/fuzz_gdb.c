/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole gdb stub behind a hostile line: the input is the packets' contents, one a line, framed
 * here so that checksums are no obstacle; a line "~" lets the VM stand still, "!" ends it. Every
 * answer has a whole frame, vCPUs and lengths that the stub hands on are in bounds.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gdb.c"
#include "core/gdb_query.c"
#include "core/gdb_run.c"
#include "core/gdb_state.c"

#define CHECK(x) ((x) ? (void)0 : abort())
#define VCPUS    3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- a VM that is only looked at --- */

static struct vcpu vcpus[VCPUS];
static struct vm guest;
static bool held, stopped;
static const uint8_t *line_at, *line_end; /* bytes on their way to the stub */

struct vm *debug_vm(void) { return held ? &guest : NULL; }
bool debug_stopped(void) { return held && stopped; }
void debug_stop_all(void) { }
void debug_go(void) { stopped = false; }
void debug_detach(void) { held = false; }
void debug_break_remove_all(struct vm *vm) { CHECK(held && stopped && vm == &guest); }

bool debug_attach(struct vm *vm)
{
    CHECK(!held && vm == &guest);
    return held = true;
}

static void check_vcpu(const struct vcpu *v)
{
    CHECK(held && v >= vcpus && v < vcpus + VCPUS);
}

struct vcpu *debug_stopper(enum debug_stop *why)
{
    *why = DEBUG_WATCH_WRITE;
    return &vcpus[1];
}

void debug_release(struct vcpu *v, bool step)
{
    (void)step;
    check_vcpu(v);
}

void debug_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
    check_vcpu(v);
    fn(v, arg);
}

size_t debug_read(struct vcpu *v, uint64_t gva, void *buf, size_t n)
{
    check_vcpu(v);
    memset(buf, '#', n);
    return gva ? n : 0;
}

size_t debug_write(struct vcpu *v, uint64_t gva, const void *buf, size_t n)
{
    uint8_t sum = 0;
    check_vcpu(v);
    for (size_t i = 0; i < n; i++) /* all of it can be read */
        sum = (uint8_t)(sum + ((const volatile uint8_t *)buf)[i]);
    return gva && sum ? n : 0;
}

bool debug_set_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size)
{
    check_vcpu(v);
    CHECK(kind <= BREAK_ACCESS);
    return gva && size;
}

void debug_clear_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size)
{
    debug_set_break(v, kind, gva, size);
}

/* The registers' digits as many as there are; writing takes what is there. */
void gdb_regs_read(struct vcpu *v, void *arg)
{
    struct gdb_regs_call *c = arg;
    struct gdb_reg r;
    uint8_t bytes[GDB_REG_MAX_BYTES] = {0};
    check_vcpu(v);
    for (unsigned i = c->one ? c->n : 0; gdb_target_reg(c->wide, i, &r); i++) {
        gdb_tx_bytes(c->tx, bytes, r.bytes);
        if (c->one)
            return;
    }
}

void gdb_regs_write(struct vcpu *v, void *arg)
{
    struct gdb_regs_call *c = arg;
    uint8_t byte;
    check_vcpu(v);
    while (gdb_bytes(&c->at, &byte, 1))
        ;
    c->failed = *c->at;
}

/* --- what else the stub knows --- */

static unsigned code_bits(struct vcpu *v)
{
    check_vcpu(v);
    return 64;
}

static const struct backend fake = {.code_bits = code_bits};
const struct backend *backend = &fake;

unsigned vm_count(void) { return 1; }
struct vm *vm_at(unsigned i) { CHECK(i == 0); return &guest; }
struct vm *vm_find(const char *name) { return str_eq(name, "guest") ? &guest : NULL; }
bool console_locked(void) { return false; }
void host_debug_poll(void) { }
void log_info(const char *format, ...) { (void)format; }
void log_warn(const char *format, ...) { (void)format; }

enum outcome vm_stop(struct vm *vm, enum stop_reason why, const char *format, ...)
{
    (void)why;
    (void)format;
    CHECK(vm == &guest);
    held = false;
    return OUTCOME_STOP;
}

enum command_status command_run(char *line, fmt_sink_fn *sink, void *ctx)
{
    CHECK(strlen(line) < COMMAND_LINE_MAX);
    for (unsigned i = 0; i < 40; i++)
        sink(ctx, "fifty bytes of an answer that nobody asked for...\n", 50);
    return COMMAND_DONE;
}

/* Every other command finds no memory for its answer. */
static bool pool_used, pool_empty;

void *pool_alloc_pages(unsigned n, hpa_t *at)
{
    (void)at;
    CHECK(!pool_used);
    pool_empty = !pool_empty;
    pool_used = !pool_empty;
    return pool_used ? malloc(n * PAGE_SIZE) : NULL;
}

void pool_free_pages(void *first, unsigned n)
{
    (void)n;
    CHECK(pool_used);
    pool_used = false;
    free(first);
}

/* The line takes a packet, and then nothing for a while. */
size_t host_debug_room(void)
{
    static unsigned looks;
    return ++looks % 3 ? 0 : 16384;
}

int host_debug_read(void) { return line_at < line_end ? *line_at++ : -1; }

/* "+", "-", or a packet with the checksum that it says. */
void host_debug_write(const char *bytes, size_t len)
{
    uint8_t sum = 0;
    if (len == 1)
        return;
    CHECK(len >= 4 && len <= GDB_PACKET_MAX + 4 && bytes[0] == '$' && bytes[len - 3] == '#');
    for (size_t i = 1; i < len - 3; i++)
        sum = (uint8_t)(sum + (uint8_t)bytes[i]);
    CHECK(gdb_digit(bytes[len - 2]) == sum >> 4 && gdb_digit(bytes[len - 1]) == (sum & 15));
}

static void say(const uint8_t *text, size_t n)
{
    static uint8_t out[2 * GDB_PACKET_MAX];
    uint8_t sum = 0;
    n = n > GDB_PACKET_MAX ? GDB_PACKET_MAX : n;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + text[i]);
    out[0] = '$';
    memcpy(out + 1, text, n);
    snprintf((char *)out + 1 + n, 4, "#%02x", sum);
    line_at = out;
    line_end = out + n + 4;
    gdb_poll();
    while (said.buf)
        gdb_poll();
    CHECK(!pool_used);
    line_at = line_end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    for (unsigned i = 0; i < VCPUS; i++) {
        vcpus[i] = (struct vcpu){.vm = &guest, .index = i};
        guest.vcpu[i] = &vcpus[i];
    }
    guest.vcpu_count = VCPUS;
    guest.state = VM_RUNNING;
    memset(&rx, 0, sizeof(rx));
    memset(&gdb, 0, sizeof(gdb));
    held = session = begun = inherits = waiting = false;
    stopped = true;
    say((const uint8_t *)"qSupported", 10);
    while (data < end) {
        const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
        stop = stop ? stop : end;
        if (stop - data == 1 && *data == '~')
            stopped = true;
        else if (stop - data == 1 && *data == '!')
            held = false;
        else
            say(data, (size_t)(stop - data));
        CHECK(gdb.general < VCPUS && gdb.step_thread < VCPUS);
        gdb_poll();
        data = stop + 1;
    }
    return 0;
}
