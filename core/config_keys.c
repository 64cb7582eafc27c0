/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All keys of the configuration, one row each: what a row says is what the parser does and what
 * config_describe() prints. PURE.
 */
#include "core/cap.h"
#include "core/config_parse.h"
#include "core/runqueue.h"

#define CMDLINE_MAX 2047

static const struct choice booleans[] = {{"yes", 1},   {"no", 0}, {"true", 1}, {"false", 0},
                                         {"on", 1},    {"off", 0}, {NULL, 0}};
static const struct choice poweroffs[] = {
    {"never", CONFIG_POWEROFF_NEVER}, {"when-idle", CONFIG_POWEROFF_WHEN_IDLE}, {NULL, 0}};
static const struct choice devices[] = {{"testdev", CONFIG_DEVICE_TESTDEV}, {NULL, 0}};
const struct choice config_actions[] = {
    {"restart", CONFIG_RESTART}, {"stop", CONFIG_STOP}, {"keep", CONFIG_KEEP}, {NULL, 0}};
#define ACTIONS "restart, stop, keep"

#define PLINTH(member) offsetof(struct config, member)
#define VM(member)     offsetof(struct config_vm, member)

const struct key config_keys[] = {
    {SECTION_PLINTH, "slice", config_value_time, PLINTH(slice_ns), 100000, 1000000000, NULL, "10ms",
     "TIME, 100us to 1s", "how long a guest runs before another one gets the CPU"},
    {SECTION_PLINTH, "poweroff", config_value_choice, PLINTH(poweroff), 0, 0, poweroffs, "never",
     "never, when-idle", "when-idle ends the machine after the last VM has ended"},
    {SECTION_PLINTH, "attach", config_value_text, PLINTH(attach), 0, CONFIG_NAME_MAX - 1, NULL, "",
     "NAME", "the VM whose console the terminal is at the start"},
    {SECTION_PLINTH, "password", config_value_password, PLINTH(password), 0, 200, NULL, "",
     "pbkdf2-sha256:...", "the console asks for this password; `tools/plinth password` makes it"},
    {SECTION_PLINTH, "lock_after", config_value_count, PLINTH(lock_after), 0, 86400, NULL, "600",
     "SECONDS, 0 to 86400", "nobody has typed for so long: the console asks again; 0: never"},

    {SECTION_VM, "kernel", config_value_text, VM(kernel), 1, CONFIG_PATH_MAX, NULL, NULL,
     "FILE", "what the VM starts: a Linux bzImage, an ELF with a PVH note, a Multiboot1 or a flat "
     "image"},
    {SECTION_VM, "initrd", config_value_text, VM(initrd), 0, CONFIG_PATH_MAX, NULL, "",
     "FILE", "given to the kernel as its initial RAM disk (PVH, Multiboot1: as module 0)"},
    {SECTION_VM, "cmdline", config_value_text, VM(cmdline), 0, CMDLINE_MAX, NULL, "",
     "TEXT, up to 2047 bytes", "the kernel's command line"},
    {SECTION_VM, "memory", config_value_memory, VM(memory), UINT64_C(65536), BIT(40), NULL, "32M",
     "SIZE, 64K to 1024G, a multiple of 4K", "the VM's RAM"},
    {SECTION_VM, "autostart", config_value_choice, VM(autostart), 0, 0, booleans, "yes",
     "yes, no, true, false, on, off", "start the VM when the machine starts"},
    {SECTION_VM, "cpus", config_value_count, VM(cpus), 1, CONFIG_CPUS, NULL, "1",
     "NUMBER, 1 to 64", "the VM's virtual CPUs"},
    {SECTION_VM, "weight", config_value_count, VM(weight), RUNQ_WEIGHT_MIN, RUNQ_WEIGHT_MAX, NULL,
     "100", "NUMBER, 10 to 1000", "how much time each of the VM's vCPUs gets, against others'"},
    {SECTION_VM, "cap", config_value_count, VM(cap), 0, CAP_PERCENT_MAX, NULL, "0",
     "NUMBER, 0 to 25600", "at most so many percent of one CPU, all vCPUs together; 0: no cap"},
    {SECTION_VM, "pin", config_value_pin, VM(pin), 0, CONFIG_PIN_MAX, NULL, "",
     "[VCPU:]CPU[-CPU][,...] ...", "the CPUs that the VM, or one vCPU, may run on"},
    {SECTION_VM, "modules", config_value_modules, VM(modules), 0, CMDLINE_MAX, NULL, "",
     "FILE [ARGUMENTS], ...", "boot modules of a Multiboot1 kernel"},
    {SECTION_VM, "devices", config_value_switches, VM(devices), 0, 0, devices, "",
     "+testdev, -testdev", "devices beyond the usual ones"},
    {SECTION_VM, "scrollback", config_value_memory, VM(scrollback), 0, BIT(20), NULL, "4K",
     "SIZE, 0 to 1M, a multiple of 4K", "what `attach` shows of the past; rounded up to a power of "
     "two"},
    {SECTION_VM, "on_reboot", config_value_choice, VM(on_reboot), 0, 0, config_actions, "restart",
     ACTIONS, "what becomes of the VM when it resets itself"},
    {SECTION_VM, "on_poweroff", config_value_choice, VM(on_poweroff), 0, 0, config_actions, "stop",
     ACTIONS, "what becomes of the VM when it switches itself off"},
    {SECTION_VM, "on_crash", config_value_choice, VM(on_crash), 0, 0, config_actions, "stop",
     ACTIONS, "what becomes of the VM when it ends badly"},
};
const size_t config_key_count = ARRAY_LEN(config_keys);
_Static_assert(ARRAY_LEN(config_keys) <= CONFIG_KEYS_MAX,
               "struct config has a line number per key");

void config_describe(fmt_sink_fn *sink, void *ctx)
{
    static const char *const headers[] = {"[plinth]", "[vm NAME]"};
    for (enum section s = SECTION_PLINTH; s <= SECTION_VM; s++) {
        fmt_write(sink, ctx, "%s%s\n", s ? "\n" : "", headers[s]);
        for (const struct key *k = config_keys; k < config_keys + config_key_count; k++) {
            if (k->section != s)
                continue;
            fmt_write(sink, ctx, "  %-11s %s\n              %s; ", k->name, k->help, k->values);
            if (!k->fallback)
                fmt_write(sink, ctx, "required\n");
            else
                fmt_write(sink, ctx, "default %s\n", *k->fallback ? k->fallback : "none");
        }
    }
}

const char *config_vm_key(unsigned i)
{
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++)
        if (k->section == SECTION_VM && i-- == 0)
            return k->name;
    return NULL;
}
