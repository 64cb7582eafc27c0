/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What accesses to a guest's devices bring about, and the passing of time: interrupt lines follow,
 * timers are set anew, console bytes move on, the VM ends.
 */
#include "core/machine_parts.h"

#include "core/host.h"
#include "core/interrupt.h"

/* --- lines and time --- */

static void update_pit(struct vm *vm)
{
    /* A low pulse nobody saw must not be missed by edge-triggered inputs. */
    if (vpit_take_edge(&vm->pit))
        interrupt_set_irq(vm, IRQ_PIT, false);
    interrupt_set_irq(vm, IRQ_PIT, vpit_ops.irq(&vm->pit));
}

static void update_test_lines(struct vm *vm)
{
    /* Other devices share these lines: one that did not change is left as they have it. */
    uint32_t changed = vm->testdev.lines ^ vm->testdev.seen;
    vm->testdev.seen = vm->testdev.lines;
    for (unsigned n = 0; n < VTESTDEV_LINES; n++) {
        bool level = vm->testdev.lines & BIT(n);
        if (!(changed & BIT(n)))
            continue;
        if (n < VPIC_LINES)
            interrupt_set_irq(vm, n, level);
        else
            interrupt_set_pin(vm, n, level);
    }
}

/* In poll mode the next read of an 8259 is an acknowledge. */
static void take_pic_cells(struct vm *vm)
{
    vm->cells[port_cell_index(VPIC_MASTER_PORT + 1)].key = 0;
    vm->cells[port_cell_index(VPIC_SLAVE_PORT + 1)].key = 0;
}

/* A read of an 8259 changes nothing but in poll mode, where it is an acknowledge. */
static void update_pic(struct vm *vm)
{
    bool polled = vpic_polled(&vm->pic);
    if (unlikely(polled != vm->pic_polled)) {
        vm->pic_polled = polled;
        uint8_t reads = polled ? TAG_LINES : 0;
        bus_tag(&vm->ports, VPIC_MASTER_PORT, reads | TAG_PIT, TAG_INPUTS);
        bus_tag(&vm->ports, VPIC_SLAVE_PORT, reads, TAG_LINES);
        if (polled)
            take_pic_cells(vm);
        else
            machine_set_cells(vm);
    }
    interrupt_update(vm);
}

/* A device has been accessed or its time has passed: its line, or the controllers' own state. */
static void update_lines(struct vm *vm, const void *dev)
{
    if (dev == &vm->pic)
        update_pic(vm);
    else if (dev == &vm->ioapic)
        interrupt_update(vm);
    else if (dev == &vm->uart)
        interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    else if (dev == &vm->uart2)
        interrupt_set_irq(vm, IRQ_COM2, vuart_ops.irq(&vm->uart2));
    else if (dev == &vm->pit)
        update_pit(vm);
    else if (dev == &vm->rtc)
        interrupt_set_irq(vm, VRTC_IRQ, vrtc_ops.irq(&vm->rtc));
    else if (dev == &vm->pm)
        interrupt_set_irq(vm, IRQ_SCI, vpm_ops.irq(&vm->pm));
    else if (dev == &vm->kbc)
        interrupt_set_irq(vm, IRQ_KBC, vkbc_data_ops.irq(&vm->kbc));
    else if (dev == &vm->testdev)
        update_test_lines(vm);
}

bool machine_press_power_button(struct vm *vm)
{
    lock_take(&vm->lock);
    bool listens = vpm_listens_to_power_button(&vm->pm);
    if (listens) {
        vpm_press_power_button(&vm->pm);
        update_lines(vm, &vm->pm);
    }
    lock_release(&vm->lock);
    return listens;
}

uint64_t machine_deadline(const struct vm *vm)
{
    uint64_t others = min_u64(vrtc_ops.deadline(&vm->rtc), vpm_ops.deadline(&vm->pm));
    /* Nobody waits for a PIT that is masked, as most guests leave it: its edges count when somebody
     * looks or unmasks, and until then cost nothing. */
    return vm->pit_heard ? min_u64(vpit_ops.deadline(&vm->pit), others) : others;
}

void machine_advance(struct vm *vm, uint64_t now)
{
    uint64_t ns = vm_clock_ns(vm, now);
    if (machine_deadline(vm) > ns)
        return;
    vpit_ops.advance(&vm->pit, ns);
    vrtc_ops.advance(&vm->rtc, ns);
    vpm_ops.advance(&vm->pm, ns);
    /* That this comes late shall not cost a tick: a rise counts although OUT may be low again. */
    if (vpit_take_edge(&vm->pit)) {
        interrupt_set_irq(vm, IRQ_PIT, false);
        interrupt_set_irq(vm, IRQ_PIT, true);
    }
    update_lines(vm, &vm->rtc);
    update_lines(vm, &vm->pm);
}

/* --- accesses --- */

/* An access that shows or changes what the PIT's line has done. */
static NOINLINE void catch_up_pit(struct vm *vm)
{
    if (vm->pit_heard || !vm->pit.channel[0].running)
        return;
    if (vpit_ops.advance(&vm->pit, vm_clock_now(vm)))
        update_pit(vm);
}

/* Before an access that depends on time. Returns what of the access' tag comes of that. */
static inline unsigned come_to_now(struct vm *vm, const struct bus_region *r, unsigned tag)
{
    if (tag & TAG_TIME)
        return r->ops->advance(r->dev, vm_clock_now(vm)) ? TAG_LINES : 0;
    catch_up_pit(vm);
    return 0;
}

static void follow_masks(struct vm *vm)
{
    bool heard = interrupt_hears(vm, IRQ_PIT);
    if (heard == vm->pit_heard)
        return;
    vm->pit_heard = heard;
    interrupt_rearm_devices(vm);
}

/* What follows from an access to dev, by its tag. */
static NOINLINE void follow_up(struct vm *vm, const void *dev, unsigned tag)
{
    if (tag & TAG_LINES)
        update_lines(vm, dev);
    if (tag & TAG_TIMER)
        interrupt_rearm_devices(vm);
    if (tag & TAG_MASKS)
        follow_masks(vm);
    if (tag & TAG_AFTER)
        vm->io_after = true;
}

static NOINLINE void access_with_consequences(struct vm *vm, const struct bus_region *r,
                                              struct io_access *a, unsigned tag)
{
    if (tag & TAG_BEFORE)
        tag |= come_to_now(vm, r, tag);
    r->ops->access(r->dev, a);
    if (tag & ~(unsigned)TAG_BEFORE)
        follow_up(vm, r->dev, tag);
}

/* One that r takes as a whole; a->offset is set. */
static inline void access_region(struct vm *vm, const struct bus_region *r, struct io_access *a)
{
    unsigned tag = r->tag[a->write];
    if (tag)
        access_with_consequences(vm, r, a, tag);
    else
        r->ops->access(r->dev, a);
}

/* Where a hint was wrong, or nobody is, or several accesses come of one: then the region at the
 * address stands for all. */
static NOINLINE void access_oddly(struct vm *vm, struct bus *bus, uint64_t address,
                                  struct io_access *a)
{
    const struct bus_region *r = bus_search(bus, address);
    if (!r)
        return;
    a->offset = address - r->base;
    if (a->size <= r->max_width && a->size <= r->size - a->offset) {
        access_region(vm, r, a);
        return;
    }
    if (r->tag[1] & TAG_BEFORE)
        (void)come_to_now(vm, r, r->tag[1]);
    (void)bus_access(bus, address, a);
    follow_up(vm, r->dev, r->tag[1] | TAG_AFTER);
}

/* r: by bus_hinted() or bus_find(). */
static inline void access_bus(struct vm *vm, struct bus *bus, const struct bus_region *r,
                              uint64_t address, struct io_access *a)
{
    __asm__("" : "+r"(r)); /* computed once */
    if (!bus_takes(r, address, a->size)) {
        access_oddly(vm, bus, address, a);
        return;
    }
    a->offset = address - r->base;
    access_region(vm, r, a);
}

void machine_port_locked(struct vm *vm, uint16_t port, struct io_access *a)
{
    access_bus(vm, &vm->ports, bus_hinted(&vm->ports, port), port, a);
}

void machine_port(struct vm *vm, uint16_t port, struct io_access *a)
{
    lock_take(&vm->lock);
    machine_port_locked(vm, port, a);
    lock_release(&vm->lock);
}

void machine_memory(struct vm *vm, gpa_t at, struct io_access *a)
{
    /* While a VM runs no region comes or goes. */
    const struct bus_region *r = bus_find(&vm->memory_bus, at.v);
    if (!r)
        return;
    lock_take(&vm->lock);
    access_bus(vm, &vm->memory_bus, r, at.v, a);
    lock_release(&vm->lock);
}

enum outcome machine_finish_io(struct vm *vm)
{
    lock_take(&vm->lock);
    vm->io_after = false;
    machine_drain_locked(vm);
    lock_release(&vm->lock);
    if (unlikely(vm->debug.exit_requested)) {
        return vm_exit(vm, vm->debug.exit_status, "port 0xf4");
    }
    if (unlikely(vm->reset.reset_requested || vm->kbc.reset_requested))
        return vm_stop(vm, STOP_RESET, "the guest reset its machine");
    if (unlikely(vm->pm.s5_requested))
        return vm_stop(vm, STOP_POWEROFF, "the guest switched its machine off");
    return OUTCOME_ADVANCE;
}
