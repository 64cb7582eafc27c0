/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC that a guest finds: its ports and memory regions, and who answers them. What an access
 * brings about is machine_io.c's, where console bytes go machine_console.c's.
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
#include "core/machine_parts.h"

#include "core/host.h"
#include "core/lib/string.h"
#include "mm/pool.h"

#define COM1      MACHINE_COM1
#define COM2      0x2f8
#define PM_BASE   0x600
#define IOAPIC_ID 0

struct place {
    uint64_t base;
    uint32_t size;
    uint8_t width;
    uint8_t reads, writes; /* tags */
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
        bus_tag(bus, places[i].base, places[i].reads, places[i].writes);
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
        {VTESTDEV_LINES_PORT, VTESTDEV_LINES, 1, 0, TAG_LINES, &vtestdev_lines_ops, &vm->testdev},
        {VTESTDEV_LATCH_PORT, VTESTDEV_LATCH_PORTS, 4, 0, 0, &vtestdev_latch_ops, &vm->testdev},
        {VFWCFG_PORT, VFWCFG_PORTS, VFWCFG_WIDTH, 0, 0, &vfwcfg_ops, &vm->fwcfg},
    };
    const struct place memory[] = {
        {VTESTDEV_MEMORY, VTESTDEV_MEMORY_BYTES, 8, 0, 0, &vtestdev_memory_ops, &vm->testdev},
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
void machine_set_cells(struct vm *vm)
{
    set_cell(vm, VPIC_MASTER_PORT + 1, 1, false, &vm->pic.chip[0].imr);
    set_cell(vm, VPIC_SLAVE_PORT + 1, 1, false, &vm->pic.chip[1].imr);
    set_cell(vm, VDEBUG_POST_PORT, 1, true, &vm->debug.post);
    set_cell(vm, VPCI_PORT, 4, false, &vm->pci.address);
}

enum pl_status machine_init(struct vm *vm)
{
    const struct place ports[] = {
        {VPIC_MASTER_PORT, VPIC_PORTS, 1, TAG_PIT, TAG_INPUTS, &vpic_master_ops, &vm->pic},
        {VPIC_SLAVE_PORT, VPIC_PORTS, 1, 0, TAG_LINES, &vpic_slave_ops, &vm->pic},
        {VPIC_ELCR_PORT, VPIC_PORTS, 1, 0, TAG_LINES, &vpic_elcr_ops, &vm->pic},
        {VPIT_PORT, VPIT_PORTS, 1, TAG_TIME, TAG_TIMED, &vpit_ops, &vm->pit},
        {VPIT_SPEAKER_PORT, 1, 1, TAG_TIME, TAG_TIMED, &vpit_speaker_ops, &vm->pit},
        {VKBC_DATA_PORT, 1, 1, TAG_LINES, TAG_LINES | TAG_AFTER, &vkbc_data_ops, &vm->kbc},
        {VKBC_COMMAND_PORT, 1, 1, TAG_LINES, TAG_LINES | TAG_AFTER, &vkbc_command_ops, &vm->kbc},
        /* Reading the clock's flags clears them. */
        {VRTC_PORT, VRTC_PORTS, 1, TAG_TIMED, TAG_TIMED, &vrtc_ops, &vm->rtc},
        {VDEBUG_POST_PORT, 1, 1, 0, 0, &vdebug_post_ops, &vm->debug},
        {VDEBUG_CONSOLE_PORT, 1, 1, 0, TAG_AFTER, &vdebug_console_ops, &vm->debug},
        {VDEBUG_EXIT_PORT, VDEBUG_EXIT_PORTS, 4, 0, TAG_AFTER, &vdebug_exit_ops, &vm->debug},
        {VRESET_FAST_A20_PORT, 1, 1, 0, TAG_AFTER, &vreset_fast_a20_ops, &vm->reset},
        {VPCI_PORT, VPCI_PORTS, 4, 0, TAG_AFTER, &vpci_ops, &vm->pci},
        {COM1, VUART_PORTS, 1, TAG_LINES, TAG_LINES | TAG_AFTER, &vuart_ops, &vm->uart},
        {COM2, VUART_PORTS, 1, TAG_LINES, TAG_LINES | TAG_AFTER, &vuart_ops, &vm->uart2},
        {PM_BASE, VPM_PORTS, 4, TAG_TIME, TAG_TIMED | TAG_AFTER, &vpm_ops, &vm->pm},
    };
    const struct place memory[] = {
        {VIOAPIC_BASE, VIOAPIC_BYTES, 4, 0, TAG_INPUTS, &vioapic_ops, &vm->ioapic},
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
    machine_set_cells(vm);
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
