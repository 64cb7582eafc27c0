/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A task switch on any tables, with any registers, and memory that may be refused: accesses stay
 * inside what was asked for, the registers are whole in the old task or in the new one, and what
 * comes out is a state that VM entry takes.
 * Input: 16 bytes of request, then the memory, from its start.
 */
#include <stdint.h>
#include <stdlib.h>

#include "arch/x86/seg.h"
#include "core/lib/string.h"
#include "core/task_switch.h"

#define HEAD   16
#define MEMORY 2048

static uint8_t memory[MEMORY];
static unsigned calls, refuse_at, written;
static bool refused, in_new;

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* The model's memory repeats through the address space. */
static bool reach(unsigned n)
{
    check(!refused && n > 0 && n <= 0x68);
    return !(refused = ++calls == refuse_at);
}

static bool op_read(void *p, uint32_t linear, void *buf, unsigned n)
{
    uint8_t *to = buf;
    (void)p;
    if (!reach(n))
        return false;
    for (unsigned i = 0; i < n; i++)
        to[i] = memory[(linear + i) % MEMORY];
    return true;
}

static bool op_probe(void *p, uint32_t linear, unsigned n)
{
    (void)p;
    (void)linear;
    check(written == 0); /* all probes come first */
    return reach(n);
}

static bool op_write(void *p, uint32_t linear, const void *buf, unsigned n, bool user)
{
    const uint8_t *from = buf;
    (void)p;
    check(n <= 40 && (!user || n <= 4));
    if (!reach(n))
        return false;
    for (unsigned i = 0; i < n; i++)
        memory[(linear + i) % MEMORY] = from[i];
    written++;
    return true;
}

static bool op_load_cr3(void *p, uint32_t cr3)
{
    (void)p;
    check(!in_new && written > 0);
    in_new = true;
    return (cr3 & 0xfff) != 0xbad;
}

static const struct task_switch_ops ops = {op_read, op_probe, op_write, op_load_cr3};

static void check_segments(const struct task_registers *r)
{
    uint32_t cs = r->seg[SEG_CS].access, ss = r->seg[SEG_SS].access;
    const struct segment *tr = &r->seg[SEG_TR];
    check((tr->access & 0xff & ~8u) == (0x83 | (tr->access & 0x60)) && tr->limit >= 0x2b);
    if (r->eflags & 1u << 17) {
        for (unsigned i = 0; i < 6; i++)
            check(r->seg[i].access == 0xf3 && r->seg[i].limit == 0xffff &&
                  r->seg[i].base == (uint32_t)r->seg[i].selector << 4);
        return;
    }
    check(!(cs & AR_UNUSABLE) && (cs & AR_P) && (cs & AR_S) && (cs & 9) == 9);
    if (cs & 4)
        check(AR_DPL(cs) <= AR_DPL(ss));
    else
        check(AR_DPL(cs) == AR_DPL(ss));
    for (unsigned i = 0; i < 6; i++) {
        uint32_t access = r->seg[i].access;
        if (!(access & AR_UNUSABLE))
            check((access & AR_P) && (access & AR_S) && (access & AR_ACCESSED) &&
                  !(access & AR_RESERVED));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct task_registers regs, before;
    struct task_switch_outcome out;
    struct task_request req;
    uint8_t start[MEMORY];
    if (size < HEAD)
        return 0;
    memset(memory, 0, sizeof(memory));
    memcpy(memory, data + HEAD, size - HEAD < MEMORY ? size - HEAD : MEMORY);
    memcpy(start, memory, sizeof(start));
    memset(&regs, 0x11, sizeof(regs));
    memset(&req, 0, sizeof(req));
    calls = written = 0;
    refused = in_new = false;
    refuse_at = data[0];
    req.source = (enum task_switch_source)(data[1] & 3);
    req.selector = (uint16_t)(data[2] | data[3] << 8);
    req.check_dpl = data[1] & 4;
    req.cpl = data[1] >> 6;
    req.insn_length = data[4] & 15;
    req.event.type = data[5] & 7;
    req.event.vector = data[6];
    req.event.has_error = data[5] & 8;
    req.event.error_code = data[7];
    req.gdt_base = data[8];
    req.gdt_limit = data[9] | data[10] << 8;
    regs.cr0 = data[1] & 8 ? 0x80000001 : 1;
    regs.seg[SEG_TR] = (struct segment){.base = 4u * data[11], .limit = 0x30u + (data[12] & 0x7f),
                                        .access = data[12] & 0x80 ? 0x8b : 0x83,
                                        .selector = (uint16_t)(data[13] & 0xf8)};
    before = regs;
    enum task_switch_result r = task_switch(&req, &ops, NULL, &regs, &out);
    if (r == TASK_SWITCH_FAULT) {
        check(memcmp(&before, &regs, sizeof(regs)) == 0 && !in_new);
        check(refused || memcmp(start, memory, sizeof(start)) == 0);
    } else {
        check(regs.seg[SEG_TR].selector == req.selector && (regs.cr0 & 8));
        check((regs.eflags & 0xffc0802a) == 2 && (regs.dr7 & 0x155) == 0);
        check_segments(&regs);
    }
    if (r == TASK_SWITCH_DONE)
        check(!refused && regs.eip <= regs.seg[SEG_CS].limit);
    else
        check(out.refused == refused && !out.debug_trap);
    if (r != TASK_SWITCH_DONE && !refused)
        check(out.fault.has_error && out.fault.vector >= 10 && out.fault.vector <= 13 &&
              !(out.fault.error_code & 0xffff0002));
    return 0;
}
