/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking into one VM: registers, memory, page tables, the VMCS. All read, at one moment, wherever
 * the vCPU is; a VM that runs goes on at once, so what is shown is of the past. Reading memory here
 * never touches a device: only RAM answers.
 */
#include "core/backend.h"
#include "core/commands.h"
#include "core/debug.h"
#include "core/gdb.h"
#include "core/host.h"
#include "core/insn_length.h"
#include "core/lib/string.h"
#include "core/report.h"
#include "core/vm.h"
#include "mm/guest_trace.h"

#define SHOWN_MAX    1024 /* bytes that x shows at most */
#define LISTED       10   /* instructions */

/* The vCPU of VM c->argv[0] that argument i names (0 when there is none), or NULL after an error.
 * Also of one that has ended and is kept. */
static struct vcpu *call_vcpu(const struct call *c, unsigned i)
{
    struct vm *vm = call_vm(c, 0);
    const char *word = i < c->argc ? c->argv[i] : call_option(c, "--vcpu");
    uint64_t n = 0;
    if (!vm)
        return NULL;
    if (!vm->vcpu_count || (vm->state != VM_RUNNING && vm->state != VM_KEPT)) {
        REFUSE(c, "vm %s is %s: it has no vCPUs to look at\n", vm->name, vm_state_name(vm));
        return NULL;
    }
    if (word && (!call_number(word, &n) || n >= vm->vcpu_count)) {
        REFUSE(c, "vm %s has vCPUs 0 to %u, not '%s'\n", vm->name, vm->vcpu_count - 1, word);
        return NULL;
    }
    return vm->vcpu[n];
}

static void show_registers(struct vcpu *v, void *arg)
{
    const struct call *c = arg;
    report_registers(v, c->sink, c->ctx);
}

void command_regs(const struct call *c)
{
    struct vcpu *v = call_vcpu(c, 1);
    if (v)
        debug_inspect(v, show_registers, (void *)c);
}

static void show_vmcs(struct vcpu *v, void *arg)
{
    const struct call *c = arg;
    backend->dump(v, c->sink, c->ctx);
}

void command_vmcs(const struct call *c)
{
    struct vcpu *v = call_vcpu(c, 1);
    if (v)
        debug_inspect(v, show_vmcs, (void *)c);
}

/* --- addresses --- */

struct place {
    uint64_t rip, rsp; /* linear */
    unsigned bits;     /* of the code */
};

static void find_place(struct vcpu *v, void *arg)
{
    struct place *p = arg;
    struct segment cs, ss;
    backend->get_segment(v, SEG_CS, &cs);
    backend->get_segment(v, SEG_SS, &ss);
    p->bits = backend->code_bits(v);
    p->rip = backend->get_reg(v, VREG_RIP) + (p->bits == 64 ? 0 : cs.base);
    p->rsp = backend->get_reg(v, VREG_RSP) + (p->bits == 64 ? 0 : ss.base);
}

/* A number, "rip" or "rsp". False after an error. */
static bool call_address(const struct call *c, struct vcpu *v, const char *word, uint64_t *out)
{
    struct place p;
    debug_inspect(v, find_place, &p);
    if (str_eq(word, "rip"))
        *out = p.rip;
    else if (str_eq(word, "rsp"))
        *out = p.rsp;
    else if (!call_number(word, out)) {
        REFUSE(c, "'%s' is no address: a number, rip or rsp\n", word);
        return false;
    }
    return true;
}

/* --- memory --- */

/* "16q": how many of which size. */
static bool read_format(const char *word, unsigned *count, unsigned *size)
{
    static const char letters[] = "bwdq";
    uint64_t n = 0;
    const char *at = word;
    *count = 64;
    *size = 1;
    for (; *at >= '0' && *at <= '9' && n <= SHOWN_MAX; at++)
        n = n * 10 + (unsigned)(*at - '0');
    bool counted = at != word;
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (*at && (!letter || at[1]))
        return false;
    if (letter)
        *size = 1u << (letter - letters);
    *count = counted ? (unsigned)n : 64 / *size;
    return *count && *count * *size <= SHOWN_MAX;
}

static void show_row(const struct call *c, uint64_t at, const uint8_t *bytes, size_t n,
                     unsigned size)
{
    char text[17] = "";
    SAY(c, "  %016lx ", at);
    for (size_t i = 0; i < 16; i += size) {
        uint64_t value = 0;
        if (i + size <= n) {
            memcpy(&value, bytes + i, size);
            SAY(c, " %0*lx", (int)size * 2, value);
        } else {
            SAY(c, " %*s", (int)size * 2, "");
        }
    }
    for (size_t i = 0; i < n; i++)
        text[i] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    SAY(c, "  %s\n", text);
}

static void show_memory(const struct call *c, bool physical)
{
    static uint8_t bytes[SHOWN_MAX];
    struct vcpu *v = call_vcpu(c, COMMAND_WORDS);
    uint64_t at;
    unsigned count, size;
    if (!v || !call_address(c, v, c->argv[1], &at))
        return;
    if (!read_format(c->argc > 2 ? c->argv[2] : "", &count, &size)) {
        REFUSE(c, "'%s': a number of up to %u bytes and b, w, d or q, such as 16q\n", c->argv[2],
               SHOWN_MAX);
        return;
    }
    size_t n = count * size;
    size_t got = physical ? debug_read_physical(v, at, bytes, n) : debug_read(v, at, bytes, n);
    for (size_t i = 0; i < got; i += 16)
        show_row(c, at + i, bytes + i, min_u64(got - i, 16), size);
    if (got < n)
        REFUSE(c, "%s at %#lx\n", physical ? "no RAM" : "not mapped, or no RAM there,", at + got);
}

void command_x(const struct call *c)
{
    show_memory(c, false);
}

void command_xp(const struct call *c)
{
    show_memory(c, true);
}

/* --- instructions --- */

void command_disas(const struct call *c)
{
    uint8_t code[LISTED * 15];
    struct vcpu *v = call_vcpu(c, COMMAND_WORDS);
    struct place p;
    uint64_t at;
    if (!v || !call_address(c, v, c->argc > 1 ? c->argv[1] : "rip", &at))
        return;
    debug_inspect(v, find_place, &p);
    size_t got = debug_read(v, at, code, sizeof(code)), done = 0;
    SAY(c, "  %u-bit code\n", p.bits);
    for (unsigned i = 0; i < LISTED && done < got; i++) {
        unsigned n = insn_length(code + done, got - done, p.bits);
        SAY(c, "%s %016lx ", at + done == p.rip ? "=>" : "  ", at + done);
        for (unsigned k = 0; k < (n ? n : 1); k++)
            SAY(c, " %02x", code[done + k]);
        SAY(c, "%s\n", n ? "" : "  no instruction");
        done += n ? n : 1;
    }
    if (!got)
        REFUSE(c, "not mapped, or no RAM there, at %#lx\n", at);
}

/* --- page tables --- */

struct walk {
    uint64_t gva;
    struct guest_trace trace;
    struct radix_leaf leaf;
    bool backed;
};

static void do_walk(struct vcpu *v, void *arg)
{
    struct walk *w = arg;
    struct guest_paging paging;
    vcpu_paging(v, &paging);
    guest_trace(&paging, &v->vm->mem, GVA(w->gva), &w->trace);
    /* What is no RAM may have a translation all the same: the local APIC's page. */
    w->backed = w->trace.mapped && guest_mem_contains(&v->vm->mem, GPA(w->trace.gpa), 1) &&
                radix_lookup(&v->vm->gpa_tables, w->trace.gpa, &w->leaf);
}

static void show_entry(const struct call *c, const char *name, uint64_t at, uint64_t e)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } flags[] = {{BIT(0), "P"},  {BIT(1), "W"},  {BIT(2), "U"}, {BIT(3), "PWT"}, {BIT(4), "PCD"},
                 {BIT(5), "A"},  {BIT(6), "D"},  {BIT(7), "PS/PAT"}, {BIT(8), "G"},
                 {BIT(63), "XD"}};
    SAY(c, "  %-6s at %#lx: %016lx ", name, at, e);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (e & flags[i].bit)
            SAY(c, " %s", flags[i].name);
    SAY(c, "%s\n", e & 1 ? "" : " not present");
}

void command_walk(const struct call *c)
{
    static const char *const types[RADIX_TYPES] = {"WB", "UC", "WC", "WT", "WP"};
    struct vcpu *v = call_vcpu(c, COMMAND_WORDS);
    struct walk w = {.backed = false};
    if (!v || !call_address(c, v, c->argv[1], &w.gva))
        return;
    debug_inspect(v, do_walk, &w);
    const struct guest_trace *t = &w.trace;
    if (!t->n)
        SAY(c, "  paging is off: linear is physical\n");
    for (unsigned i = 0; i < t->n; i++) {
        if (t->level[i].read)
            show_entry(c, t->level[i].name, t->level[i].gpa, t->level[i].entry);
        else
            SAY(c, "  %-6s at %#lx: no RAM there\n", t->level[i].name, t->level[i].gpa);
    }
    if (!t->mapped)
        REFUSE(c, "%#lx is not mapped\n", w.gva);
    else if (!w.backed)
        SAY(c, "  guest-physical %#lx: not in the second-level tables: a device's, or nobody's\n",
            t->gpa);
    else
        SAY(c, "  guest-physical %#lx%s\n  EPT    page of %lu KiB at %#lx: %s%s%s %s\n", t->gpa,
            t->n ? "" : " (the same)", w.leaf.page_size / 1024, w.leaf.phys.v,
            w.leaf.perms & RADIX_READ ? "r" : "-", w.leaf.perms & RADIX_WRITE ? "w" : "-",
            w.leaf.perms & RADIX_EXEC ? "x" : "-", types[w.leaf.type]);
}

/* --- gdb --- */

void command_gdb(const struct call *c)
{
    const struct vm *held = debug_vm(), *next = gdb_selected();
    if (!host_debug_present()) {
        REFUSE(c, "there is no line for gdb: gdb=com2 on the hypervisor's command line\n");
        return;
    }
    if (c->argc && str_eq(c->argv[0], "off")) {
        gdb_select(NULL);
        SAY(c, "no VM is in gdb's hands\n");
        return;
    }
    struct vm *vm = c->argc ? call_vm(c, 0) : NULL;
    if (c->argc && !vm)
        return;
    if (vm) {
        gdb_select(vm);
        SAY(c, "the next gdb gets %s\n", vm->name);
        return;
    }
    SAY(c, "  in gdb's hands: %s; the next one gets %s\n", held ? held->name : "no VM",
        next ? next->name : "the first VM that runs");
}
