/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `devices NAME`: the state of every emulated device of a VM, in words or as JSON by the same
 * lines. Copies under the VM's lock; a local APIC belongs to its vCPU and is read as it is at some
 * moment. Changes nothing. JSON: docs/json.md.
 */
#include "core/commands.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/lib/json.h"
#include "core/lib/string.h"
#include "core/vm.h"

/* One device after the other, one fact after the other; words or JSON. */
struct view {
    const struct call *c;
    struct json j;
    bool first; /* fact of this device */
};

static void begin(struct view *o, const char *device, const char *where)
{
    o->first = true;
    if (o->c->json) {
        json_object(&o->j, NULL);
        json_text(&o->j, "device", device);
        json_text(&o->j, "where", where);
    } else {
        SAY(o->c, "  %-10s %-12s ", device, where);
    }
}

static void end(struct view *o)
{
    if (o->c->json)
        json_object_end(&o->j);
    else
        SAY(o->c, "\n");
}

static void comma(struct view *o)
{
    if (!o->first)
        SAY(o->c, ", ");
    o->first = false;
}

static void hex(struct view *o, const char *key, const char *words, uint64_t value)
{
    if (o->c->json) {
        json_hex(&o->j, key, value);
        return;
    }
    comma(o);
    SAY(o->c, "%s %#lx", words, value);
}

static void number(struct view *o, const char *key, const char *words, uint64_t value)
{
    if (o->c->json) {
        json_u64(&o->j, key, value);
        return;
    }
    comma(o);
    SAY(o->c, "%s %lu", words, value);
}

static void yes(struct view *o, const char *key, const char *if_true, const char *if_false,
                bool value)
{
    if (o->c->json) {
        json_bool(&o->j, key, value);
        return;
    }
    comma(o);
    SAY(o->c, "%s", value ? if_true : if_false);
}

/* -1: none. */
static void vector(struct view *o, const char *key, const char *none, const char *words, int v)
{
    if (o->c->json) {
        json_i64(&o->j, key, v);
        return;
    }
    comma(o);
    if (v < 0)
        SAY(o->c, "%s", none);
    else
        SAY(o->c, "%s %d", words, v);
}

static void text(struct view *o, const char *key, const char *words, const char *value)
{
    if (o->c->json) {
        json_text(&o->j, key, value);
        return;
    }
    comma(o);
    SAY(o->c, "%s %s", words, value);
}

static void show_uart(struct view *o, const char *where, const struct vuart *u)
{
    begin(o, "uart", where);
    number(o, "tx_waiting", "bytes to send", u->tx.count);
    number(o, "rx_waiting", "received", u->rx.count);
    number(o, "tx_lost", "lost", u->tx_lost);
    hex(o, "ier", "interrupts enabled", u->ier);
    hex(o, "mcr", "modem control", u->mcr);
    yes(o, "irq", "asks for an interrupt", "quiet", vuart_ops.irq(u));
    end(o);
}

static void show_pic(struct view *o, const char *name, const char *where,
                     const struct vpic_chip *p)
{
    begin(o, name, where);
    hex(o, "base", "vectors from", p->base);
    hex(o, "imr", "masked", p->imr);
    hex(o, "irr", "requested", (p->edges | (p->lines & p->elcr)));
    hex(o, "isr", "in service", p->isr);
    hex(o, "lines", "lines", p->lines);
    end(o);
}

static void show_ioapic(struct view *o, const struct vioapic *a)
{
    unsigned open = 0, waiting = 0;
    for (unsigned i = 0; i < VIOAPIC_PINS; i++) {
        open += !(a->entry[i] & BIT(16));
        waiting += (a->entry[i] & BIT(14)) != 0;
    }
    begin(o, "ioapic", "0xfec00000");
    number(o, "pins_open", "pins that are not masked", open);
    number(o, "await_eoi", "await their end", waiting);
    hex(o, "lines", "lines", a->lines);
    end(o);
    for (unsigned i = 0; i < VIOAPIC_PINS; i++) {
        char pin[16];
        if (a->entry[i] & BIT(16))
            continue;
        fmt_print(pin, sizeof(pin), "pin %u", i);
        begin(o, "ioapic", pin);
        number(o, "vector", "vector", a->entry[i] & 0xff);
        yes(o, "level", "level", "edge", a->entry[i] & BIT(15));
        number(o, "destination", "to APIC", a->entry[i] >> 56);
        yes(o, "remote_irr", "awaits its end", "free", a->entry[i] & BIT(14));
        end(o);
    }
}

static void show_pit(struct view *o, const struct vpit *p)
{
    for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
        char where[24];
        fmt_print(where, sizeof(where), "channel %u", i);
        begin(o, "pit", where);
        yes(o, "running", "counts", "stands still", p->channel[i].running);
        number(o, "mode", "mode", p->channel[i].control >> 1 & 7);
        number(o, "count", "from", p->channel[i].count);
        yes(o, "gate", "gate open", "gate closed", p->channel[i].gate);
        end(o);
    }
}

static void show_rtc(struct view *o, const struct vrtc *r)
{
    begin(o, "rtc", "0x70");
    hex(o, "a", "A", r->ram[10]);
    hex(o, "b", "B", r->ram[11]);
    hex(o, "c", "C", r->ram[12]);
    yes(o, "irq", "asks for an interrupt", "quiet", vrtc_ops.irq(r));
    end(o);
}

static void show_pm(struct view *o, const struct vpm *p)
{
    begin(o, "acpi-pm", "");
    hex(o, "status", "status", p->status);
    hex(o, "enable", "enabled", p->enable);
    hex(o, "control", "control", p->control);
    yes(o, "s5", "asked to power off", "on", p->s5_requested);
    end(o);
}

/* The devices at one moment; the console may have to wait while they are shown. */
struct copy {
    struct vuart uart, uart2;
    struct vpic pic;
    struct vioapic ioapic;
    struct vpit pit;
    struct vrtc rtc;
    struct vpm pm;
    struct vkbc kbc;
    struct vreset reset;
    struct vpci pci;
    struct vdebug debug;
    struct vfwcfg fwcfg;
    bool testdev;
};

static void take_copy(struct vm *vm, struct copy *d)
{
    lock_take(&vm->lock);
    *d = (struct copy){.uart = vm->uart, .uart2 = vm->uart2, .pic = vm->pic,
                       .ioapic = vm->ioapic, .pit = vm->pit, .rtc = vm->rtc, .pm = vm->pm,
                       .kbc = vm->kbc, .reset = vm->reset, .pci = vm->pci, .debug = vm->debug,
                       .fwcfg = vm->fwcfg, .testdev = vm->testdev_memory != NULL};
    lock_release(&vm->lock);
}

static void show_small(struct view *o, const struct copy *vm)
{
    begin(o, "keyboard", "0x60");
    hex(o, "command", "command byte", vm->kbc.ram[0]);
    yes(o, "a20", "A20 on", "A20 off", vm->kbc.a20);
    end(o);
    begin(o, "reset", "0xcf9");
    hex(o, "control", "control", vm->reset.control);
    yes(o, "requested", "asked for", "not asked for", vm->reset.reset_requested);
    end(o);
    begin(o, "pci", "0xcf8");
    hex(o, "address", "address", vm->pci.address);
    end(o);
    begin(o, "debug", "0x80");
    hex(o, "post", "POST code", vm->debug.post);
    number(o, "console_lost", "console bytes lost", vm->debug.console_lost);
    end(o);
    begin(o, "fw_cfg", "0x510");
    hex(o, "key", "item", vm->fwcfg.key);
    end(o);
    if (!vm->testdev)
        return;
    begin(o, "testdev", "");
    end(o);
}

static void show_apic(struct view *o, const struct vcpu *v)
{
    static const char *const modes[] = {"one-shot", "periodic", "TSC deadline", "reserved"};
    char where[16];
    const struct vlapic *a = &v->apic;
    int irr = vlapic_highest_irr(a), isr = vlapic_highest_isr(a);
    uint64_t due = vlapic_deadline(a);
    fmt_print(where, sizeof(where), "vCPU %u", v->index);
    begin(o, "apic", where);
    text(o, "mode", "mode", vlapic_x2apic(a)             ? "x2APIC"
                            : vlapic_hardware_enabled(a) ? "xAPIC"
                                                         : "off");
    yes(o, "enabled", "enabled", "disabled by software", vlapic_software_enabled(a));
    hex(o, "tpr", "task priority", vlapic_tpr(a));
    vector(o, "requested", "nothing requested", "requested", irr);
    vector(o, "in_service", "nothing in service", "in service", isr);
    text(o, "timer", "timer", modes[a->timer.mode & 3]);
    yes(o, "timer_armed", "armed", "not armed", due != VLAPIC_NEVER);
    end(o);
}

static void show_all(struct view *o, struct vm *vm)
{
    static struct copy d; /* big; the boot CPU alone is here */
    take_copy(vm, &d);
    show_uart(o, "COM1", &d.uart);
    show_uart(o, "COM2", &d.uart2);
    show_pic(o, "pic", "master", &d.pic.chip[0]);
    show_pic(o, "pic", "slave", &d.pic.chip[1]);
    show_ioapic(o, &d.ioapic);
    show_pit(o, &d.pit);
    show_rtc(o, &d.rtc);
    show_pm(o, &d.pm);
    show_small(o, &d);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        show_apic(o, vm->vcpu[i]);
}

void command_devices(const struct call *c)
{
    struct view o = {.c = c};
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_KEPT) {
        REFUSE(c, "vm %s is %s: it has no devices\n", vm->name, vm_state_name(vm));
        return;
    }
    if (!c->json) {
        show_all(&o, vm);
        return;
    }
    json_begin(&o.j, c->sink, c->ctx);
    json_text(&o.j, "vm", vm->name);
    json_array(&o.j, "devices");
    show_all(&o, vm);
    json_array_end(&o.j);
    json_finish(&o.j);
}
