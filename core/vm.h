/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine. The record lives as long as its place in the table: definition, and what
 * became of its last run; RAM, tables and vCPUs exist only from start to end. A VM is found by
 * name or slot, never kept by address beyond a scheduler pass.
 */
#ifndef CORE_VM_H
#define CORE_VM_H

#include "core/bus.h"
#include "core/cap.h"
#include "core/config.h"
#include "core/footprint.h"
#include "core/keys.h"
#include "core/lib/lock.h"
#include "core/lib/ring.h"
#include "core/lines.h"
#include "core/vcpu.h"
#include "drivers/emu/vdebug.h"
#include "drivers/emu/vfwcfg.h"
#include "drivers/emu/vioapic.h"
#include "drivers/emu/vkbc.h"
#include "drivers/emu/vpci.h"
#include "drivers/emu/vpic.h"
#include "drivers/emu/vpit.h"
#include "drivers/emu/vpm.h"
#include "drivers/emu/vreset.h"
#include "drivers/emu/vrtc.h"
#include "drivers/emu/vtestdev.h"
#include "drivers/emu/vuart.h"
#include "mm/guest_mem.h"
#include "mm/space.h"

#define VM_MAX        CONFIG_VMS
#define VM_VCPUS      64 /* vCPUs a VM can have */
#define VM_END_TEXT   160
/* Guest RAM lies below this and, the rest of it, from 4 GiB on; device memory is between. */
#define VM_LOW_RAM    GIB(3)
#define VM_HIGH_RAM   GIB(4)

enum vm_state {
    VM_DEFINED,  /* not started yet */
    VM_STARTING, /* its memory is being scrubbed, then loaded */
    VM_RUNNING,
    VM_ENDING,   /* its memory is being scrubbed */
    VM_KEPT,     /* has ended; its memory stays for inspection */
    VM_ENDED,    /* holds nothing but its record */
};

/* What becomes of a VM once it has ended. */
enum vm_then {
    THEN_CONFIG,  /* what on_reboot and its like say */
    THEN_STOP,    /* the rest is the operator's wish: nothing */
    THEN_START,
    THEN_DESTROY, /* its record goes, too */
};

enum stop_reason {
    STOP_NONE,
    STOP_EXIT,         /* the guest asked for it, with a status */
    STOP_RESET,        /* the guest reset its machine */
    STOP_POWEROFF,     /* the guest switched its machine off */
    STOP_HALTED,       /* halted with interrupts off: nothing could wake it */
    STOP_OPERATOR,
    STOP_LOAD,         /* it never ran: image or memory */
    STOP_TRIPLE_FAULT, /* from here on: worth a report of its registers */
    STOP_ENTRY_FAILED,
    STOP_UNSUPPORTED,  /* it did what Plinth does not support */
    STOP_MACHINE_CHECK,
};

/* A port of which one kind of access is nothing but a load or a store of a device's word: exit_io()
 * does that itself, without the VM's lock. One word, so nobody sees half of it. */
struct port_cell {
    uint64_t key; /* IO_KEY() of that access; 0: none */
    void *at;
};

#define PORT_CELLS 16

static inline unsigned port_cell_index(uint16_t port)
{
    return (port ^ port >> 4) % PORT_CELLS;
}

struct vm {
    char name[CONFIG_NAME_MAX];
    uint32_t slot;
    uint8_t state;       /* enum vm_state */
    uint8_t stop_reason; /* enum stop_reason */
    bool attached;       /* its console is the operator's terminal */
    bool watched;        /* a program has its console, too: core/control.c */
    uint32_t status;     /* STOP_EXIT: 0 is well */
    char end_text[VM_END_TEXT];
    uint32_t record_pages; /* of this structure and the texts behind it */
    const char *kernel, *initrd, *cmdline, *modules; /* behind this structure */
    uint64_t memory;     /* bytes */
    uint64_t scrollback_bytes; /* 0 or a power of two */
    uint32_t cpus;       /* vCPUs wanted */
    uint8_t on_reboot, on_poweroff, on_crash; /* enum config_action */
    bool autostart;
    uint32_t weight;     /* of each vCPU */
    char pin[CONFIG_PIN_MAX + 1]; /* core/pin.h */
    uint32_t restarts;   /* since Plinth started */
    uint32_t short_lives; /* of those, the last ones in a row that did not last */

    struct vcpu *vcpu[VM_VCPUS];
    unsigned vcpu_count;
    struct guest_mem mem;
    struct space space;        /* the hypervisor's view: its window is this VM's RAM */
    struct radix gpa_tables;   /* EPT */
    struct lock code_lock;     /* gpa_tables, once the VM runs: core/code_pages.c and the backend */
    void *arch;                /* the backend's part */
    uint64_t tsc_offset;       /* guest TSC = TSC + this; atomic */
    uint64_t start_tsc;        /* TSC at 0 of the VM's clock */
    int64_t wall_clock_base;   /* seconds since 1970 at 0 of the VM's clock */
    uint64_t pvclock_wall;     /* as the guest wrote it */
    uint64_t mtrr_fixed[11], mtrr_variable[16], mtrr_default;
    uint64_t scrub_at;         /* bytes of RAM scrubbed so far */
    uint64_t load_at;          /* bytes of kernel, initrd and modules loaded so far */
    struct footprint footprint;

    struct cap cap;
    /* Of its current run. */
    uint8_t then;              /* enum vm_then */
    uint32_t paused;           /* sched_pause(); atomic */
    uint64_t owed;             /* TSC ticks its devices' time took; its next turn pays; atomic */
    uint32_t alive;            /* vCPUs that are not off; atomic */
    uint32_t hopeless;         /* vCPUs that only another vCPU could wake; atomic */
    struct vcpu *stopper;      /* who ended it; NULL: no vCPU did */

    struct lock lock;          /* all from here to line, pvclock_wall, the unlisted MSRs */
    struct sched_timer timer;  /* when the devices' time is due */
    struct bus ports, memory_bus;
    struct vuart uart, uart2;
    struct vdebug debug;
    struct vreset reset;
    struct vkbc kbc;
    struct vpic pic;
    struct vioapic ioapic;
    struct vpit pit;
    struct vrtc rtc;
    struct vpm pm;
    struct vpci pci;
    struct vfwcfg fwcfg;
    struct vtestdev testdev;
    uint32_t tsc_moves;        /* under way: guest_time_hold() */
    bool want_testdev;         /* devices = +testdev */
    void *testdev_memory;      /* NULL: no test device */
    struct port_cell cells[PORT_CELLS]; /* machine.c's, by port_cell_index() */
    bool pic_intr;             /* the 8259s' output */
    bool pic_polled;           /* as vpic_polled() said last */
    uint64_t device_pause;     /* host TSC before which their timer does not go off again */
    bool pit_heard;            /* not masked everywhere: its deadline counts */
    bool pic_rose;             /* it has risen since LINT0 was looked at */
    bool io_after;             /* a device may have something for machine_after_io() */
    uint16_t irq_levels;       /* as interrupt_set_irq() was told last */
    unsigned apic_turn;        /* of lowest-priority arbitration */
    struct line_assembler line;
    struct ring scrollback;    /* what it has printed last; no buffer: nothing is kept */

    uint64_t started_ns, ended_ns;
    uint64_t ran;              /* TSC ticks, of all vCPUs of the last run */
    uint64_t exits;            /* of the last run */
    uint64_t unlisted_msrs;    /* accesses to MSRs without a row */
    uint32_t logged_msr[8];    /* such numbers that have been logged */
    unsigned logged_msrs;
    char last_console_byte;
    bool console_used;
    struct keys keys;          /* typed by `vm key`, not taken yet; the boot CPU's */
};

/* Makes a record from a section of the configuration. NULL: the table or memory is full. */
struct vm *vm_define(const struct config *config, const struct config_vm *definition);
/* Takes memory and tables, and leaves the rest to vm_work(). On failure the VM is VM_ENDED. */
void vm_start(struct vm *vm);
/* One bounded piece of the work that VM_STARTING and VM_ENDING stand for. True: there was some. */
bool vm_work(void);
/* From an exit of its own, or the boot CPU: this VM is to end. Always OUTCOME_STOP. */
enum outcome vm_stop(struct vm *vm, enum stop_reason reason, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same because the guest asked for it; by: what it used. The status of the first one counts. */
enum outcome vm_exit(struct vm *vm, uint32_t status, const char *by);
/* The scheduler: one of vm's vCPUs is off for good. After the last one the boot CPU takes the VM
 * down, in vm_work(). */
void vm_vcpu_off(struct vm *vm);

struct vm *vm_find(const char *name);
/* Takes what vm has and then its record, which is gone at the return or, when vm has to end first,
 * some time later. Boot CPU, outside vm_work(). */
void vm_destroy(struct vm *vm);
/* The record of a VM that holds nothing else. */
void vm_forget(struct vm *vm);
/* vm is VM_KEPT, or has not run yet: gives its memory back. */
void vm_let_go(struct vm *vm);
/* Whether each vCPU has one of this machine's CPUs by this pin; if not, why. */
bool vm_pin_fits(const struct vm *vm, const char *pin, char *why, size_t size);
/* Pages that all records together take. */
uint64_t vm_record_pages(void);
/* For i in 0 .. vm_count() - 1. */
struct vm *vm_at(unsigned i);
unsigned vm_count(void);
/* True while some VM holds or wants resources. */
bool vm_any_alive(void);
bool vm_ended_well(const struct vm *vm);
const char *vm_state_name(const struct vm *vm);
const char *stop_reason_name(enum stop_reason reason);

#endif
