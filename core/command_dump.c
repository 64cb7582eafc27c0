/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `dump NAME`: all there is to say of a VM, or, with --core, its registers and memory as lines that
 * `tools/plinth core` makes an ELF core file of. A job: pages go out as the line takes them, while
 * other VMs run. Format: docs/debugging.md.
 */
#include "core/backend.h"
#include "core/commands.h"
#include "core/core_text.h"
#include "core/debug.h"
#include "core/gdb_regs.h"
#include "core/host.h"
#include "core/job.h"
#include "core/lib/crc32.h"
#include "core/lib/string.h"
#include "core/report.h"
#include "core/vm.h"
#include "mm/guest_trace.h"

#define LIMIT       MIB(64)
#define STACK_PAGES 4  /* from where RSP points upwards */
#define CHOSEN_MAX  32 /* pages: RIP's and the stack's, and the tables that lead there */
/* A step looks at empty pages for so long: interrupts are off meanwhile, and from 1.4 ms on lines
 * at 115200 baud would lose bytes. */
#define LOOK_NS     700000

static char name[CONFIG_NAME_MAX]; /* of the VM whose dump is under way */
static uint64_t life;     /* its started_ns: another life has other memory */
static uint64_t next;     /* byte of RAM */
static unsigned vcpu_next;
static bool stacks;       /* only what the vCPUs have at hand */
static struct {
    unsigned n, done;
    uint64_t gpa[CHOSEN_MAX];
} chosen;                 /* of the vCPU that has been said last */
static uint64_t lines;
static uint8_t page[PAGE_SIZE];
static uint8_t coded[CORE_RLE_MAX(PAGE_SIZE)];
static char text[CORE_BASE64_MAX(CORE_RLE_MAX(PAGE_SIZE)) + 64];
static struct gdb_tx tx;

/* One line: "core WORDS CRC"; the checksum is of "core WORDS". */
static void say(fmt_sink_fn *sink, void *ctx, size_t n)
{
    lines++;
    sink(ctx, text, n);
    fmt_write(sink, ctx, " %08x\n", crc32(0, text, n));
}

static uint64_t ram_at(uint64_t n)
{
    return n < VM_LOW_RAM ? n : VM_HIGH_RAM + (n - VM_LOW_RAM);
}

static bool empty(void)
{
    uint64_t word, any = 0;
    for (size_t i = 0; i < sizeof(page) && !any; i += sizeof(word)) {
        memcpy(&word, page + i, sizeof(word));
        any |= word;
    }
    return !any;
}

static void say_page(fmt_sink_fn *sink, void *ctx, uint64_t gpa)
{
    size_t n = fmt_print(text, sizeof(text), "core page %lx ", gpa);
    size_t size = core_rle(page, sizeof(page), coded);
    n += core_base64(coded, size, text + n);
    say(sink, ctx, n);
}

static bool read_page(struct vm *vm, uint64_t gpa)
{
    return debug_read_physical(vm->vcpu[0], gpa, page, sizeof(page)) == sizeof(page);
}

static void choose(uint64_t gpa)
{
    gpa &= ~(uint64_t)(PAGE_SIZE - 1);
    for (unsigned i = 0; i < chosen.n; i++)
        if (chosen.gpa[i] == gpa)
            return;
    if (chosen.n < CHOSEN_MAX)
        chosen.gpa[chosen.n++] = gpa;
}

static void choose_linear(struct vcpu *v, uint64_t gva)
{
    struct guest_paging paging;
    struct guest_trace t;
    vcpu_paging(v, &paging);
    guest_trace(&paging, &v->vm->mem, GVA(gva), &t);
    for (unsigned i = 0; i < t.n; i++)
        if (t.level[i].read)
            choose(t.level[i].gpa);
    if (t.mapped)
        choose(t.gpa);
}

static void choose_pages(struct vcpu *v)
{
    struct segment cs, ss;
    bool flat = backend->code_bits(v) == 64;
    backend->get_segment(v, SEG_CS, &cs);
    backend->get_segment(v, SEG_SS, &ss);
    choose_linear(v, backend->get_reg(v, VREG_RIP) + (flat ? 0 : cs.base));
    for (unsigned i = 0; i < STACK_PAGES; i++)
        choose_linear(v, backend->get_reg(v, VREG_RSP) + (flat ? 0 : ss.base) + i * PAGE_SIZE);
}

/* At one moment, so that the pages are those of these registers. */
static void look_at_vcpu(struct vcpu *v, void *arg)
{
    gdb_regs_read(v, arg);
    if (stacks)
        choose_pages(v);
}

static void say_vcpu(fmt_sink_fn *sink, void *ctx, struct vcpu *v)
{
    struct gdb_regs_call regs = {.wide = true, .tx = &tx};
    chosen.n = chosen.done = 0;
    gdb_tx_begin(&tx);
    debug_inspect(v, look_at_vcpu, &regs);
    size_t n = fmt_print(text, sizeof(text), "core regs %u ", v->index);
    memcpy(text + n, tx.data + 1, tx.size - 1);
    say(sink, ctx, n + tx.size - 1);
}

/* The VM by that name, if it is in the life that the dump is of. NULL: it is not. */
static struct vm *dumped(void)
{
    struct vm *vm = vm_find(name);
    bool same = vm && vm->started_ns == life;
    return same && (vm->state == VM_RUNNING || vm->state == VM_KEPT) ? vm : NULL;
}

static uint64_t step(fmt_sink_fn *sink, void *ctx)
{
    struct vm *vm = dumped();
    if (!vm) {
        fmt_write(sink, ctx, "the VM has ended meanwhile: this dump is not whole\n");
        return JOB_DONE;
    }
    if (chosen.done < chosen.n) {
        uint64_t gpa = chosen.gpa[chosen.done++];
        if (read_page(vm, gpa))
            say_page(sink, ctx, gpa);
        return 0;
    }
    if (vcpu_next < vm->vcpu_count) {
        say_vcpu(sink, ctx, vm->vcpu[vcpu_next++]);
        return 0;
    }
    uint64_t until = host_now() + host_ns_to_tsc(LOOK_NS);
    while (!stacks && next < vm->memory && host_now() < until) {
        uint64_t gpa = ram_at(next);
        next += PAGE_SIZE;
        if (!read_page(vm, gpa) || empty())
            continue;
        say_page(sink, ctx, gpa);
        return 0;
    }
    if (!stacks && next < vm->memory)
        return 0;
    say(sink, ctx, fmt_print(text, sizeof(text), "core end %lu", lines + 1));
    return JOB_DONE;
}

static void dump_core(const struct call *c, const struct vm *vm)
{
    bool few = call_option(c, "--stacks");
    if (vm->memory > LIMIT && !few && !call_option(c, "--all")) {
        REFUSE(c, "%lu MiB would take long over this line: dump %s --core --stacks is short, "
               "--core --all does it\n", vm->memory >> 20, vm->name);
        return;
    }
    if (!job_may_start(c, step))
        return;
    str_copy(name, sizeof(name), vm->name);
    life = vm->started_ns;
    next = vcpu_next = 0;
    stacks = few;
    chosen.n = chosen.done = 0;
    lines = 0;
    say(c->sink, c->ctx, fmt_print(text, sizeof(text), "core begin %s %lx %u%s", vm->name,
                                   vm->memory, vm->vcpu_count, stacks ? " part" : ""));
    job_start(c, step, NULL, false);
}

static void show_state(struct vcpu *v, void *arg)
{
    const struct call *c = arg;
    report_registers(v, c->sink, c->ctx);
    report_trail(v, c->sink, c->ctx);
    backend->dump(v, c->sink, c->ctx);
}

void command_dump(const struct call *c)
{
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_KEPT) {
        REFUSE(c, "vm %s is %s: it has no state to dump\n", vm->name, vm_state_name(vm));
        return;
    }
    if (call_option(c, "--core")) {
        dump_core(c, vm);
        return;
    }
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        SAY(c, "  vCPU %u\n", i);
        debug_inspect(vm->vcpu[i], show_state, (void *)c);
    }
}
