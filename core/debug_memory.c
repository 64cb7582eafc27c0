/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's memory and registers in a debugger's hands, wherever its vCPUs are: by linear address
 * as a vCPU sees it, however protected, or by guest-physical address. Only RAM answers.
 */
#include "core/debug_parts.h"

#include "core/host.h"
#include "core/sched.h"
#include "core/vm.h"

struct inspection {
    void (*fn)(struct vcpu *v, void *arg);
    void *arg;
};

static void with_memory(struct vcpu *v, void *arg)
{
    struct inspection *i = arg;
    hpa_t before = host_current_space();
    host_load_space(v->vm->space.root);
    i->fn(v, i->arg);
    host_load_space(before);
}

void debug_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
    struct inspection i = {fn, arg};
    sched_inspect(v, with_memory, &i);
}

bool debug_locate(struct vcpu *v, const struct debug_transfer *t, gpa_t *gpa, size_t *n)
{
    struct guest_paging paging;
    struct walk_info info;
    uint64_t at = t->at + t->done;
    *n = (size_t)min_u64(t->n - t->done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
    *gpa = GPA(at);
    if (t->physical)
        return true;
    vcpu_paging(v, &paging);
    if (guest_walk(&paging, &v->vm->mem, GVA(at), WALK_PEEK, &info) != WALK_OK)
        return false;
    *gpa = info.gpa;
    return true;
}

void debug_transfer(struct vcpu *v, void *arg)
{
    struct debug_transfer *t = arg;
    struct vm *vm = v->vm;
    gpa_t gpa;
    for (size_t n; t->done < t->n; t->done += n) {
        if (!debug_locate(v, t, &gpa, &n))
            return;
        if (t->from && t->raw && !guest_write(&vm->mem, gpa, t->from + t->done, n))
            return;
        if (t->from && !t->raw && !debug_write_around(vm, gpa.v, t->from + t->done, n))
            return;
        if (t->to && !guest_read(&vm->mem, gpa, t->to + t->done, n))
            return;
        if (t->to)
            debug_mask_breaks(vm, gpa.v, t->to + t->done, n);
    }
}

size_t debug_read(struct vcpu *v, uint64_t gva, void *buf, size_t n)
{
    struct debug_transfer t = {.at = gva, .to = buf, .n = n};
    debug_inspect(v, debug_transfer, &t);
    return t.done;
}

size_t debug_write(struct vcpu *v, uint64_t gva, const void *buf, size_t n)
{
    struct debug_transfer t = {.at = gva, .from = buf, .n = n};
    debug_inspect(v, debug_transfer, &t);
    return t.done;
}

size_t debug_read_physical(struct vcpu *v, uint64_t gpa, void *buf, size_t n)
{
    struct debug_transfer t = {.at = gpa, .to = buf, .n = n, .physical = true};
    debug_inspect(v, debug_transfer, &t);
    return t.done;
}

void debug_find(struct vcpu *v, void *arg)
{
    struct debug_place *p = arg;
    struct debug_transfer t = {.at = p->gva, .n = 1};
    gpa_t gpa;
    size_t n;
    uint8_t byte;
    p->good = debug_locate(v, &t, &gpa, &n) && guest_read(&v->vm->mem, gpa, &byte, 1);
    p->gpa = p->good ? gpa.v : 0;
}
