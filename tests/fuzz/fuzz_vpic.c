/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair under any sequence of lines, accesses and acknowledges: what is asked for follows
 * from the ranks of the inputs, an acknowledge serves exactly that, and a spurious one nothing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "drivers/emu/vpic.h"

static struct vpic p;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static unsigned requests(const struct vpic_chip *c)
{
    unsigned irr = (c->edges & ~c->elcr) | (c->lines & c->elcr);
    return c->next_icw ? 0 : irr & ~c->imr & 0xffu;
}

/* The member of a set with the best rank; the rank is 8 if the set is empty. */
static unsigned best(const struct vpic_chip *c, unsigned set, unsigned *input)
{
    unsigned least = 8;
    for (unsigned i = 0; i < 8; i++) {
        unsigned rank = (i - c->lowest - 1u) & 7;
        if ((set >> i & 1) && rank < least) {
            least = rank;
            *input = i;
        }
    }
    return least;
}

static int expected(unsigned n)
{
    const struct vpic_chip *c = &p.chip[n];
    unsigned input = 0, other = 0;
    unsigned asked = best(c, requests(c), &input);
    unsigned served = best(c, c->special_mask ? c->isr & ~c->imr & 0xffu : c->isr, &other);
    bool again = n == 0 && (c->icw4 & 0x10) && input == 2 && asked == served && asked < 8;
    return asked < served || again ? (int)input : -1;
}

static void acknowledge(void)
{
    struct vpic before = p;
    int master = expected(0), slave = expected(1);
    int vector = vpic_acknowledge(&p);
    check(vector >= 0 && vector <= 255);
    if (master < 0) {
        check(vector == (before.chip[0].base | 7) && memcmp(&before, &p, sizeof(p)) == 0);
        return;
    }
    bool cascaded = master == 2 && !(before.chip[0].icw1 & 0x02);
    unsigned n = cascaded ? 1 : 0;
    int input = cascaded ? slave : master;
    check(vector == (before.chip[n].base | (input < 0 ? 7 : input)));
    for (unsigned i = 0; i < 2; i++) {
        int served = i == 0 ? master : cascaded ? slave : -1;
        unsigned added = served < 0 || (before.chip[i].icw4 & 2) ? 0 : 1u << served;
        check(p.chip[i].isr == (before.chip[i].isr | added));
        check(p.chip[i].imr == before.chip[i].imr && p.chip[i].base == before.chip[i].base);
    }
    if (input >= 0 && !(before.chip[n].elcr >> input & 1) && !(n == 0 && input == 2))
        check(!(p.chip[n].edges >> input & 1));
}

static void access(const uint8_t *op)
{
    static const struct device_ops *const ops[3] = {&vpic_master_ops, &vpic_slave_ops,
                                                    &vpic_elcr_ops};
    struct io_access a = {.offset = op[1] & 1, .size = 1, .write = op[0] & 1,
                          .value = op[0] & 1 ? op[2] : 0xff};
    unsigned n = (op[1] >> 1) % 3;
    const struct vpic_chip before = p.chip[n % 2];
    int request = expected(n % 2);
    ops[n]->access(&p, &a);
    if (a.write)
        return;
    check(a.value <= 0xff);
    if (n == 2)
        check(a.value == p.chip[a.offset].elcr);
    else if (before.poll)
        check(a.value == (request < 0 ? 0u : 0x80u | (unsigned)request) && !p.chip[n].poll);
    else if (a.offset)
        check(a.value == before.imr);
}

static void wild_access(const uint8_t *op)
{
    struct vpic before = p;
    struct io_access a = {.offset = 2 + ((uint64_t)op[1] << (op[2] % 56)), .size = 1,
                          .write = op[0] & 1, .value = op[2]};
    if (op[1] & 1)
        a = (struct io_access){.offset = op[1] >> 7, .size = (uint8_t)(2 << (op[1] >> 5 & 3)),
                               .write = op[0] & 1, .value = op[2]};
    vpic_master_ops.access(&p, &a);
    vpic_slave_ops.access(&p, &a);
    vpic_elcr_ops.access(&p, &a);
    check(memcmp(&before, &p, sizeof(p)) == 0 && a.value == op[2]);
}

static void check_state(void)
{
    for (unsigned n = 0; n < 2; n++) {
        const struct vpic_chip *c = &p.chip[n];
        check((c->edges & ~c->lines) == 0 && c->lowest < 8 && (c->base & 7) == 0);
        check(c->next_icw == 0 || (c->next_icw >= 2 && c->next_icw <= 4));
    }
    check((p.chip[0].elcr & 0x07) == 0 && (p.chip[1].elcr & 0x21) == 0);
    check((p.chip[0].lines >> 2 & 1) == (expected(1) >= 0));
    check(vpic_output(&p) == (expected(0) >= 0));
    check(vpic_master_ops.irq(&p) == vpic_output(&p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vpic_master_ops.reset(&p);
    for (size_t at = 0; at + 3 <= size; at += 3) {
        const uint8_t *op = data + at;
        switch (op[0] >> 1 & 7) {
        case 4:
        case 5:
            vpic_set_line(&p, op[1] & 31, op[0] & 1);
            break;
        case 6:
            acknowledge();
            break;
        case 7:
            wild_access(op);
            break;
        default:
            access(op);
            break;
        }
        check_state();
    }
    return 0;
}
