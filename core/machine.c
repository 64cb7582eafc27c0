/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC that a guest finds: its ports and memory regions, who answers them, and on which line a
 * device interrupts.
 *
 *   0x20 0xA0 0x4D0        8259 pair (vpic.c)            0x60 0x64     keyboard controller (vkbc.c)
 *   0x40-0x43 0x61         8254 and speaker (vpit.c)     0x70 0x71     RTC and CMOS (vrtc.c)
 *   0x80 0xE9 0xF4         debug ports (vdebug.c)        0x92 0xCF9    resets (vreset.c)
 *   0x2F8 0x3F8            COM2, COM1 (vuart.c)          0xCF8-0xCFF   PCI configuration (vpci.c)
 *   0x600-0x60B            ACPI (vpm.c)                  0xFEC00000    IOAPIC (vioapic.c)
 *   with devices = +testdev: 0xE0, 0x510, 0x2000, 0xFF000000 (vtestdev.c, vfwcfg.c)
 *
 * Local APICs are per vCPU and so not on a bus: mmio.c and msr_exit.c reach them.
 */
#include "core/machine.h"

#include "core/console.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "mm/pool.h"

#define COM1        MACHINE_COM1
#define COM2        0x2f8
#define PM_BASE     0x600
#define IRQ_PIT     0
#define IRQ_KBC     1
#define IRQ_COM2    3
#define IRQ_COM1    4
#define IRQ_SCI     9
#define IOAPIC_ID   0

/* What an access to a region may have consequences for; the tags of the buses' regions. */
#define TAG_LINES  BIT(0) /* interrupt lines */
#define TAG_TIME   BIT(1) /* its time has to come to now before, its timer is set anew after */
#define TAG_AFTER  BIT(2) /* console bytes, or the VM's end */
#define TAG_READS  BIT(3) /* not only writes have them */
#define TAG_MASKS  BIT(4) /* who hears the PIT; an unheard one has its time made up for before */
#define TAG_TIMED  (TAG_LINES | TAG_TIME | TAG_READS)

struct place {
    uint64_t base;
    uint32_t size;
    uint8_t width, tag;
    const struct device_ops *ops;
    void *dev;
};

static enum pl_status place_all(struct bus *bus, const struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum pl_status s = bus_add(bus, places[i].base, places[i].size, places[i].width,
                                   places[i].ops, places[i].dev);
        if (s != PL_OK)
            return s;
        uint8_t tag = places[i].tag;
        uint8_t reads = tag & (TAG_READS | TAG_TIME) ? tag : tag & TAG_MASKS;
        bus_tag(bus, places[i].base, reads, tag);
    }
    return PL_OK;
}

static enum pl_status place_test_device(struct vm *vm)
{
    vm->testdev_memory = pool_alloc_pages(VTESTDEV_MEMORY_BYTES / PAGE_SIZE, NULL);
    if (!vm->testdev_memory)
        return PL_NO_MEMORY;
    vtestdev_init(&vm->testdev, vm->testdev_memory);
    vfwcfg_init(&vm->fwcfg, (uint16_t)vm->vcpu_count);
    const struct place ports[] = {
        {VTESTDEV_LINES_PORT, VTESTDEV_LINES, 1, TAG_LINES, &vtestdev_lines_ops, &vm->testdev},
        {VTESTDEV_LATCH_PORT, VTESTDEV_LATCH_PORTS, 4, 0, &vtestdev_latch_ops, &vm->testdev},
        {VFWCFG_PORT, VFWCFG_PORTS, VFWCFG_WIDTH, 0, &vfwcfg_ops, &vm->fwcfg},
    };
    const struct place memory[] = {
        {VTESTDEV_MEMORY, VTESTDEV_MEMORY_BYTES, 8, 0, &vtestdev_memory_ops, &vm->testdev},
    };
    enum pl_status s = place_all(&vm->ports, ports, ARRAY_LEN(ports));
    return s != PL_OK ? s : place_all(&vm->memory_bus, memory, ARRAY_LEN(memory));
}

static void set_cell(struct vm *vm, uint16_t port, unsigned size, bool out, void *at)
{
    vm->cells[port_cell_index(port)] = (struct port_cell){IO_KEY(port, size, out), at};
}

/* What running systems access again and again: the 8259s' masks, the POST port, by which many wait
 * a microsecond, and the PCI address that is read back. */
static void set_cells(struct vm *vm)
{
    set_cell(vm, VPIC_MASTER_PORT + 1, 1, false, &vm->pic.chip[0].imr);
    set_cell(vm, VPIC_SLAVE_PORT + 1, 1, false, &vm->pic.chip[1].imr);
    set_cell(vm, VDEBUG_POST_PORT, 1, true, &vm->debug.post);
    set_cell(vm, VPCI_PORT, 4, false, &vm->pci.address);
}

enum pl_status machine_init(struct vm *vm)
{
    const struct place ports[] = {
        {VPIC_MASTER_PORT, VPIC_PORTS, 1, TAG_LINES | TAG_MASKS, &vpic_master_ops,
         &vm->pic},
        {VPIC_SLAVE_PORT, VPIC_PORTS, 1, TAG_LINES, &vpic_slave_ops, &vm->pic},
        {VPIC_ELCR_PORT, VPIC_PORTS, 1, TAG_LINES, &vpic_elcr_ops, &vm->pic},
        {VPIT_PORT, VPIT_PORTS, 1, TAG_TIMED, &vpit_ops, &vm->pit},
        {VPIT_SPEAKER_PORT, 1, 1, TAG_TIMED, &vpit_speaker_ops, &vm->pit},
        {VKBC_DATA_PORT, 1, 1, TAG_LINES | TAG_READS | TAG_AFTER, &vkbc_data_ops, &vm->kbc},
        {VKBC_COMMAND_PORT, 1, 1, TAG_LINES | TAG_READS | TAG_AFTER, &vkbc_command_ops, &vm->kbc},
        {VRTC_PORT, VRTC_PORTS, 1, TAG_TIMED, &vrtc_ops, &vm->rtc},
        {VDEBUG_POST_PORT, 1, 1, 0, &vdebug_post_ops, &vm->debug},
        {VDEBUG_CONSOLE_PORT, 1, 1, TAG_AFTER, &vdebug_console_ops, &vm->debug},
        {VDEBUG_EXIT_PORT, VDEBUG_EXIT_PORTS, 4, TAG_AFTER, &vdebug_exit_ops, &vm->debug},
        {VRESET_FAST_A20_PORT, 1, 1, TAG_AFTER, &vreset_fast_a20_ops, &vm->reset},
        {VPCI_PORT, VPCI_PORTS, 4, TAG_AFTER, &vpci_ops, &vm->pci},
        {COM1, VUART_PORTS, 1, TAG_LINES | TAG_READS | TAG_AFTER, &vuart_ops, &vm->uart},
        {COM2, VUART_PORTS, 1, TAG_LINES | TAG_READS | TAG_AFTER, &vuart_ops, &vm->uart2},
        {PM_BASE, VPM_PORTS, 4, TAG_TIMED | TAG_AFTER, &vpm_ops, &vm->pm},
    };
    const struct place memory[] = {
        {VIOAPIC_BASE, VIOAPIC_BYTES, 4, TAG_LINES | TAG_MASKS, &vioapic_ops, &vm->ioapic},
    };
    bus_init(&vm->ports);
    bus_init(&vm->memory_bus);
    vpic_init(&vm->pic);
    vioapic_init(&vm->ioapic, IOAPIC_ID);
    vpit_init(&vm->pit, 0);
    vpm_init(&vm->pm, true, 0);
    vkbc_init(&vm->kbc);
    vpci_init(&vm->pci, &vreset_control_ops, &vm->reset);
    vuart_init(&vm->uart);
    vuart_init(&vm->uart2);
    vdebug_init(&vm->debug);
    vreset_init(&vm->reset);
    lines_init(&vm->line);
    /* As a firmware leaves them: everything write-back. */
    memset(vm->mtrr_variable, 0, sizeof(vm->mtrr_variable));
    memset(vm->mtrr_fixed, 6, sizeof(vm->mtrr_fixed));
    vm->mtrr_default = 0xc06;
    vm->pvclock_wall = 0;
    vm->pic_intr = vm->pic_rose = vm->pic_polled = vm->io_after = vm->pit_heard = false;
    vm->irq_levels = 0;
    vm->device_pause = 0;
    vm->apic_turn = 0;
    memset(vm->cells, 0, sizeof(vm->cells));
    set_cells(vm);
    enum pl_status s = place_all(&vm->ports, ports, ARRAY_LEN(ports));
    if (s == PL_OK)
        s = place_all(&vm->memory_bus, memory, ARRAY_LEN(memory));
    if (s == PL_OK && vm->want_testdev)
        s = place_test_device(vm);
    if (s == PL_OK && vm->scrollback_bytes) {
        /* Without memory for it the VM does without. */
        char *buffer = pool_alloc_pages(vm->scrollback_bytes / PAGE_SIZE, NULL);
        ring_init(&vm->scrollback, buffer, vm->scrollback_bytes);
    }
    return s;
}

void machine_start_clock(struct vm *vm)
{
    vm->wall_clock_base = host_wall_clock();
    vrtc_init(&vm->rtc, vm->wall_clock_base, 0);
}

void machine_free(struct vm *vm)
{
    if (vm->testdev_memory)
        pool_free_pages(vm->testdev_memory, VTESTDEV_MEMORY_BYTES / PAGE_SIZE);
    vm->testdev_memory = NULL;
    if (vm->scrollback.buf)
        pool_free_pages(vm->scrollback.buf, vm->scrollback_bytes / PAGE_SIZE);
    vm->scrollback.buf = NULL;
}

/* --- console --- */

static void emit_line(void *ctx, const char *line, size_t len)
{
    struct vm *vm = ctx;
    console_vm_line(vm, line, len);
}

static void console_text(struct vm *vm, const char *text, size_t len)
{
    if (!len)
        return;
    vm->console_used = true;
    vm->last_console_byte = text[len - 1];
    console_vm_raw(vm, text, len);
    for (size_t i = 0; i < len; i++)
        lines_put(&vm->line, text[i], emit_line, vm);
}

void machine_console(struct vm *vm, const char *text, size_t len)
{
    lock_take(&vm->lock);
    console_text(vm, text, len);
    lock_release(&vm->lock);
}

void machine_flush(struct vm *vm)
{
    lines_flush(&vm->line, emit_line, vm);
}

size_t machine_input(struct vm *vm, const char *text, size_t len)
{
    lock_take(&vm->lock);
    size_t n = vuart_give(&vm->uart, text, len);
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    lock_release(&vm->lock);
    return n;
}

bool machine_input_break(struct vm *vm)
{
    lock_take(&vm->lock);
    bool done = vuart_break(&vm->uart);
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    lock_release(&vm->lock);
    return done;
}

void machine_uart_changed(struct vm *vm)
{
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    interrupt_set_irq(vm, IRQ_COM2, vuart_ops.irq(&vm->uart2));
}

static void drain(struct vm *vm)
{
    bool sent = false;
    char text[VDEBUG_CONSOLE_BYTES];
    size_t n;
    while ((n = vuart_take(&vm->uart, text, sizeof(text))) > 0) {
        console_text(vm, text, n);
        sent = true;
    }
    while ((n = vdebug_take(&vm->debug, text, sizeof(text))) > 0)
        console_text(vm, text, n);
    /* COM2 has no cable. */
    while (vuart_take(&vm->uart2, text, sizeof(text)) > 0)
        sent = true;
    /* An empty transmitter interrupts: whoever has asked for that may do nothing else for it. */
    if (sent)
        machine_uart_changed(vm);
}

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
        bus_tag(&vm->ports, VPIC_MASTER_PORT, reads | TAG_MASKS, TAG_LINES | TAG_MASKS);
        bus_tag(&vm->ports, VPIC_SLAVE_PORT, reads, TAG_LINES);
        if (polled)
            take_pic_cells(vm);
        else
            set_cells(vm);
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

static void advance_device(struct vm *vm, const struct bus_region *r)
{
    if (unlikely(r->tag[1] & TAG_MASKS)) {
        if (vm->pit_heard || !vm->pit.channel[0].running)
            return;
        vpit_ops.advance(&vm->pit, vm_clock_ns(vm, host_now()));
        update_pit(vm);
        return;
    }
    if (r->ops->advance)
        r->ops->advance(r->dev, vm_clock_ns(vm, host_now()));
}

static void follow_masks(struct vm *vm)
{
    bool heard = interrupt_hears(vm, IRQ_PIT);
    if (heard == vm->pit_heard)
        return;
    vm->pit_heard = heard;
    interrupt_rearm_devices(vm);
}

/* What follows from an access to r, with its tag for that, for lines, timers and the VM. */
static void follow_up(struct vm *vm, const struct bus_region *r, unsigned tag, bool write)
{
    if (tag & TAG_LINES)
        update_lines(vm, r->dev);
    /* Of what is read only the clock's flags say when it interrupts next. */
    if ((tag & TAG_TIME) && (write || r->dev == &vm->rtc))
        interrupt_rearm_devices(vm);
    if ((tag & TAG_MASKS) && write)
        follow_masks(vm);
    if ((tag & TAG_AFTER) && write)
        vm->io_after = true;
}

/* Several accesses come of one: the region at the address stands for all. */
static COLD void odd_access(struct vm *vm, struct bus *bus, const struct bus_region *r,
                            uint64_t address, struct io_access *a)
{
    if (r->tag[1] & (TAG_TIME | TAG_MASKS))
        advance_device(vm, r);
    (void)bus_access(bus, address, a);
    follow_up(vm, r, r->tag[1], a->write);
    vm->io_after = true;
}

/* Where nobody is, reads are all ones and writes go nowhere. */
static inline void access_nobody(struct io_access *a)
{
    a->value = UINT64_MAX >> (64 - 8 * a->size);
}

static inline void access_region(struct vm *vm, struct bus *bus, const struct bus_region *r,
                                 uint64_t address, struct io_access *a)
{
    if (unlikely(a->size > r->max_width) ||
        unlikely(a->size > r->size - (address - r->base))) {
        odd_access(vm, bus, r, address, a);
        return;
    }
    unsigned tag = r->tag[a->write];
    if (tag & (TAG_TIME | TAG_MASKS))
        advance_device(vm, r);
    bus_access_region(r, address, a);
    if (tag & (a->write ? ~0u : ~(unsigned)TAG_MASKS)) /* of a read nothing comes for masks */
        follow_up(vm, r, tag, a->write);
}

static void access(struct vm *vm, struct bus *bus, uint64_t address, struct io_access *a)
{
    const struct bus_region *r = bus_find(bus, address);
    if (likely(r))
        access_region(vm, bus, r, address, a);
    else
        access_nobody(a);
}

void machine_port_locked(struct vm *vm, uint16_t port, struct io_access *a)
{
    access(vm, &vm->ports, port, a);
}

void machine_port(struct vm *vm, uint16_t port, struct io_access *a)
{
    lock_take(&vm->lock);
    access(vm, &vm->ports, port, a);
    lock_release(&vm->lock);
}

void machine_memory(struct vm *vm, gpa_t at, struct io_access *a)
{
    /* While a VM runs no region comes or goes. */
    const struct bus_region *r = bus_find(&vm->memory_bus, at.v);
    if (!r) {
        access_nobody(a);
        return;
    }
    lock_take(&vm->lock);
    access_region(vm, &vm->memory_bus, r, at.v, a);
    lock_release(&vm->lock);
}

void machine_drain(struct vm *vm)
{
    lock_take(&vm->lock);
    drain(vm);
    lock_release(&vm->lock);
}

enum outcome machine_finish_io(struct vm *vm)
{
    lock_take(&vm->lock);
    vm->io_after = false;
    drain(vm);
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
