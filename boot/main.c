/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot order, on one page: boot_main() on the boot page tables, then boot_rest() in the
 * hypervisor's own address space and on its own stack. This file picks the backend.
 */
#include "arch/x86/barrier.h"
#include "arch/x86/exception.h"
#include "arch/x86/fpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "arch/x86/vmx/vmx.h"
#include "boot/consoles.h"
#include "boot/cpus.h"
#include "boot/multiboot2.h"
#include "boot/panic.h"
#include "boot/platform.h"
#include "core/backend.h"
#include "core/boot_facts.h"
#include "core/commands.h"
#include "core/config.h"
#include "core/console.h"
#include "core/footprint.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/modules.h"
#include "core/panic.h"
#include "core/pools.h"
#include "core/power.h"
#include "core/sched.h"
#include "core/version.h"
#include "core/vm.h"
#include "mm/memmap.h"
#include "mm/pool.h"
#include "mm/space.h"

#define LOW_RESERVED MIB(1)
/* Below where an EBDA may be, whatever the memory map says. */
#define TRAMPOLINE_BELOW 0x90000
#define MIN_MEMORY   MIB(16)
/* The boot page tables reach this far; GRUB puts its information and the modules below. */
#define BOOT_MAPPED  GIB(4)

extern const char image_boot_start[], image_text_start[], image_text_end[], image_rodata_start[],
    image_rodata_end[], image_data_start[], image_data_end[], image_symbols_start[], image_end[];

NORETURN void boot_main(uint32_t magic, uint64_t information, uint64_t entry_tsc);

static struct boot_info info;
static hpa_t trampoline; /* 0: there is no page for it */
static struct memmap map;
static struct config config;
static struct config_errors errors;

/* What cannot be survived this early: the message, and nothing else ever. */
static NORETURN void stop(const char *why)
{
    log_error("stopped: %s", why);
    for (;;) {
        host_console_poll();
        cli();
        if (host_console_room() == SIZE_MAX)
            hlt();
    }
}

static void read_boot_info(uint32_t magic, uint64_t information)
{
    const char *why = "";
    uint64_t room = information < BOOT_MAPPED ? BOOT_MAPPED - information : 0;
    enum pl_status s = mb2_parse(magic, (const void *)information, room, &info, &why);
    consoles_open(info.cmdline);
    uint64_t screen_end = info.framebuffer.addr +
                          (uint64_t)info.framebuffer.pitch * (info.framebuffer.height + 1);
    if (info.framebuffer.present && screen_end > info.framebuffer.addr && screen_end <= BOOT_MAPPED)
        consoles_open_screen(&info.framebuffer, (void *)info.framebuffer.addr);
    log_info("Plinth %s, a microhypervisor", PLINTH_VERSION);
    if (s != PL_OK)
        stop(why);
    log_info("loaded by %s%s, command line '%s'", info.loader[0] ? info.loader : "(unknown)",
             info.efi_system_table ? " (UEFI)" : "", info.cmdline);
}

static uint64_t image_size(void)
{
    return (uint64_t)image_end - IMAGE_BASE - (uint64_t)image_boot_start;
}

static void make_memory_map(void)
{
    static struct memmap_entry entries[BOOT_MEMORY_RANGES];
    static struct extent reserved[BOOT_MODULES + 2];
    unsigned n = 0;
    for (unsigned i = 0; i < info.memory_count; i++)
        entries[i] = (struct memmap_entry){info.memory[i].base, info.memory[i].length,
                                           info.memory[i].type};
    reserved[n++] = (struct extent){HPA(0), PAGE_SIZE}; /* for now; see below */
    reserved[n++] = (struct extent){HPA((uint64_t)image_boot_start),
                                    image_size()};
    for (unsigned i = 0; i < info.module_count; i++)
        reserved[n++] = (struct extent){HPA(info.modules[i].start),
                                        info.modules[i].end - info.modules[i].start};
    /* Other CPUs start in a page below 640 KiB; nothing else is ever put below 1 MiB. */
    memmap_build(&map, entries, info.memory_count, reserved, n);
    if (memmap_carve(&map, PAGE_SIZE, PAGE_SIZE, TRAMPOLINE_BELOW, &trampoline) != PL_OK)
        trampoline = HPA(0);
    reserved[0].size = LOW_RESERVED;
    memmap_build(&map, entries, info.memory_count, reserved, n);
    log_info("memory: %lu MiB usable in %u ranges%s", map.total >> 20, map.count,
             info.memory_from_efi ? " (EFI memory map)" : "");
    if (map.dropped || info.memory_dropped)
        log_warn("memory: %lu MiB in too many small ranges are not used", map.dropped >> 20);
    if (map.total < MIN_MEMORY)
        stop("too little memory: Plinth needs 16 MiB");
    if (pool_init(&map) != PL_OK)
        stop("no room for the hypervisor pool below 4 GiB");
}

/* From here on: our own tables, W^X, with the protections that this CPU has. */
static void enter_own_space(void)
{
    const struct image_part parts[] = {
        {(uint64_t)image_text_start, (uint64_t)image_text_end, RADIX_RX},
        {(uint64_t)image_rodata_start, (uint64_t)image_rodata_end, RADIX_READ},
        {(uint64_t)image_data_start, (uint64_t)image_data_end, RADIX_RW},
        {(uint64_t)image_symbols_start, (uint64_t)image_end, RADIX_READ},
    };
    if (space_init(parts, ARRAY_LEN(parts)) != PL_OK)
        stop("no memory for the hypervisor's page tables");
    if (cpuid(1, 0).edx & CPUID_1_EDX_PAT)
        wrmsr(MSR_IA32_PAT, RADIX_HOST_PAT);
    uint64_t cr4 = read_cr4() | CR4_PGE | CR4_MCE;
    if (cpuid(0, 0).eax >= 7) {
        struct cpuid_regs r = cpuid(7, 0);
        cr4 |= (r.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) |
               (r.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0) |
               (r.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0);
    }
    write_cr4(cr4);
    consoles_close_screen();
    host_load_space(base_space.root);
    pool_set_view(POOL_BASE);
}

static void make_stacks(void)
{
    uint64_t ist[IST_COUNT], top = space_map_stack(CPU_STACK_PAGES);
    for (unsigned i = 0; i < IST_COUNT; i++) {
        ist[i] = space_map_stack(IST_STACK_PAGES);
        if (!ist[i] || !top)
            stop("no memory for stacks");
    }
    cpu_set_stacks(&boot_cpu, top, ist);
}

static void print_caps_row(void *ctx, const struct vmx_caps_row *row)
{
    const struct {
        fmt_sink_fn *sink;
        void *ctx;
    } *to = ctx;
    const char *need = row->need == NEED_REQUIRED ? "need" : "want";
    fmt_write(to->sink, to->ctx, "  %-30s %-4s  %-4s  %s\n", row->name, row->have ? "yes" : "NO",
              need, row->why);
}

static void print_caps(fmt_sink_fn *sink, void *ctx)
{
    struct {
        fmt_sink_fn *sink;
        void *ctx;
    } to = {sink, ctx};
    fmt_write(sink, ctx, "  %-30s %-4s  %-4s  %s\n", "FEATURE", "HAVE", "", "WHAT FOR");
    vmx_caps_for_each(&vmx_raw, print_caps_row, &to);
    fmt_write(sink, ctx, "  %-30s %-10s  %s\n", "MITIGATION", "STATE", "AGAINST");
    for (unsigned i = 0; i < REMEDY_COUNT; i++) {
        const struct remedy_row *r = barrier_row((enum remedy)i);
        fmt_write(sink, ctx, "  %-30s %-10s  %s\n", r->name, remedy_state_name(r->state),
                  r->against);
    }
}

/* The required ones by name, and what to do about the first: the others hang on it. */
struct missing {
    char names[200];
    size_t used;
    const char *advice;
};

static void note_missing(void *ctx, const struct vmx_caps_row *row)
{
    struct missing *m = ctx;
    if (row->have || row->need != NEED_REQUIRED)
        return;
    if (!m->advice)
        m->advice = row->advice;
    if (m->used + strlen(row->name) + 8 < sizeof(m->names))
        m->used += fmt_print(m->names + m->used, sizeof(m->names) - m->used, "%s%s",
                             m->used ? ", " : "", row->name);
    else if (!strchr(m->names, '+'))
        m->used += fmt_print(m->names + m->used, sizeof(m->names) - m->used, " + more");
}

static void choose_mitigations(void)
{
    char value[16] = "on";
    boot_option(info.cmdline, "mitigations", value, sizeof(value));
    bool off = str_eq(value, "off");
    if (!off && !str_eq(value, "on"))
        log_warn("mitigations=%s: neither on nor off; they are on", value);
    barrier_init(off);
    if (off)
        log_warn("mitigations=off: VMs can spy on each other where the CPU lets them");
}

static void choose_backend(void)
{
    char without[256] = "";
    choose_mitigations();
    boot_option(info.cmdline, "without", without, sizeof(without));
    backend = vmx_init(without);
    command_set_caps(print_caps);
    if (backend) {
        log_info("%s: ready%s", backend->name,
                 backend->has_slice_timer ? "" : " (no preemption timer: slices by the host's)");
        guest_cpu_init();
        return;
    }
    struct missing missing = {.used = 0};
    log_error("this machine cannot run VMs; have/want/need:");
    print_caps(log_sink, NULL);
    vmx_caps_for_each(&vmx_raw, note_missing, &missing);
    log_error("missing: %s", missing.used ? missing.names : "nothing, but VMXON failed");
    if (missing.advice)
        log_error("what to do: %s", missing.advice);
    log_info("the console works all the same: try help");
}

static void add_modules(void)
{
    for (unsigned i = 0; i < info.module_count; i++) {
        const struct boot_module *m = &info.modules[i];
        const void *data = space_map_module(HPA(m->start), m->end - m->start);
        if (!data || !modules_add(m->name, data, m->end - m->start))
            log_error("module %s: no room for it", m->name);
    }
    if (info.modules_dropped)
        log_error("%u boot modules beyond the first %u are ignored", info.modules_dropped,
                  BOOT_MODULES);
}

static void read_config(void)
{
    const struct module *m = modules_find("config");
    if (!m) {
        log_error("no boot module named 'config': there are no VMs to start");
        config_parse("", 0, &config, &errors);
        return;
    }
    config_parse((const char *)m->data, m->len, &config, &errors);
    for (unsigned i = 0; i < errors.count; i++)
        log_error("config:%u: %s", errors.list[i].line, errors.list[i].text);
    if (errors.more)
        log_error("config: %u more errors", errors.more);
}

static void attach_console(void)
{
    const char *name = config_text(&config, config.attach);
    struct vm *vm = vm_find(name);
    if (!*name)
        return;
    if (!vm || vm->state != VM_STARTING) {
        log_error("attach = %s: no such VM is starting", name);
        return;
    }
    log_info("attached to %s; %s leaves it", name, CONSOLE_ESCAPE_NAME);
    console_attach(vm);
}

static void define_vms(void)
{
    for (unsigned i = 0; i < config.vm_count; i++) {
        const struct config_vm *c = &config.vms[i];
        if (!c->valid) {
            log_error("vm %s: not defined: its section of the configuration has errors", c->name);
            power_count_failure();
        } else if (!backend && !c->autostart) {
            continue;
        } else if (!backend) {
            log_error("vm %s: not started: this machine cannot run VMs", c->name);
            power_count_failure();
        } else if (!vm_define(&config, c)) {
            log_error("vm %s: not defined: no memory", c->name);
            power_count_failure();
        }
    }
    pools_mark();
    for (unsigned i = 0, at = 0; i < config.vm_count && backend; i++) {
        if (!config.vms[i].valid)
            continue;
        struct vm *vm = vm_at(at++);
        if (vm && config.vms[i].autostart)
            vm_start(vm);
    }
    attach_console();
}

static bool stop_when_idle(void)
{
    char option[16];
    if (boot_option(info.cmdline, "poweroff", option, sizeof(option)))
        return str_eq(option, "when-idle");
    return config.poweroff == CONFIG_POWEROFF_WHEN_IDLE;
}

static void keep_facts(void)
{
    const struct boot_facts facts = {info.loader[0] ? info.loader : "(unknown)", info.cmdline,
                                     info.efi_system_table != 0, map.total};
    boot_facts_set(&facts);
}

static NORETURN void boot_rest(void)
{
    keep_facts();
    boot_step_done("until then");
    consoles_open_screen(&info.framebuffer, NULL);    /* the screen again, at its own address */
    platform_acpi(&info);                             /* tables: timers, IOAPICs, power */
    tsc_init(platform_pm_timer_port());               /* how fast time passes */
    log_info("TSC: %lu kHz (%s)", tsc_khz(), tsc_source());
    boot_step_done("ACPI tables, the TSC's rate");
    platform_clock();                                 /* what time it is */
    platform_interrupts(info.cmdline);                /* local APIC, IOAPICs, the UART's line */
    boot_step_done("clock and interrupts");
    fpu_init();                                       /* guests' FPU state can be switched */
    choose_backend();                                 /* VMX on, or say what is missing */
    boot_step_done("VMX");
    cpus_start(info.cmdline, trampoline);             /* all the others */
    boot_step_done("the other CPUs");
    add_modules();                                    /* kernels, initrds, the configuration */
    read_config();
    boot_step_done("modules and configuration");
    sched_init(config.slice_ns);
    console_init();                                   /* from now on the operator may type */
    console_set_password(config_text(&config, config.password),
                         config.lock_after * UINT64_C(1000000000));
    define_vms();                                     /* and start those with autostart */
    if (errors.count && config.vm_count == 0)
        power_count_failure();
    boot_step_done("VMs defined");
    cpus_release();                                   /* the others may run VMs, too */
    sched_run(stop_when_idle());
}

void boot_main(uint32_t magic, uint64_t information, uint64_t entry_tsc)
{
    footprint_set_boot(entry_tsc, image_size(),
                       (uint64_t)image_text_end - (uint64_t)image_text_start);
    exception_init();
    panic_init();
    cpu_init(&boot_cpu, 0);                           /* GDT, TSS, IDT: faults are reported */
    read_boot_info(magic, information);               /* consoles, then what GRUB said */
    make_memory_map();                                /* the two pools */
    enter_own_space();                                /* W^X; the boot page tables are gone */
    make_stacks();                                    /* with guard pages below each */
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%1"
                     :
                     : "r"(boot_cpu.stack_top), "r"(boot_rest)
                     : "memory");
    __builtin_unreachable();
}
