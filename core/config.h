/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text configuration: [plinth] and one [vm NAME] per guest. PURE: text (hostile input) in,
 * struct config and *all* errors with line numbers out; the hypervisor and tools/config_check run
 * the same code. Opens no files, knows nothing of VMs. A new key is a field here and one row in
 * config.c. The language is written up in docs/config.md.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "core/lib/bits.h"
#include "core/lib/fmt.h"

#define CONFIG_VMS        512
#define CONFIG_NAME_MAX   32 /* bytes, with the terminator */
#define CONFIG_POOL       65536
#define CONFIG_LINE_MAX   4095
#define CONFIG_ERRORS     32
#define CONFIG_ERROR_TEXT 240
#define CONFIG_KEYS_MAX   32 /* keys of one section */
#define CONFIG_CPUS       64 /* vCPUs of one VM */
#define CONFIG_MODULES    16 /* modules of one VM */
#define CONFIG_PATH_MAX   255 /* bytes of a file's path */
#define CONFIG_PIN_MAX    255 /* bytes of pin */

/* Where a text stands in struct config's pool; 0 is the empty text. */
struct config_text {
    uint32_t at;
};

enum config_poweroff {
    CONFIG_POWEROFF_NEVER,
    CONFIG_POWEROFF_WHEN_IDLE, /* when the last VM has ended */
};

/* What becomes of a VM that has ended. */
enum config_action {
    CONFIG_STOP,    /* it stays ended; its memory goes back */
    CONFIG_RESTART, /* it starts anew, in scrubbed memory, with devices as after power-on */
    CONFIG_KEEP,    /* it stays ended; its memory stays for inspection */
};

/* Devices that a VM has only if its configuration says so; bits of config_vm.devices. */
#define CONFIG_DEVICE_TESTDEV BIT(0)

struct config_vm {
    char name[CONFIG_NAME_MAX];
    bool valid;    /* no error stands in this section: the VM may be created */
    uint32_t line; /* of the section header, from 1 */

    struct config_text kernel;
    struct config_text initrd; /* empty: none */
    struct config_text cmdline;
    uint64_t memory;    /* bytes, a multiple of 4 KiB */
    uint64_t scrollback; /* bytes, rounded up to a power of two */
    uint32_t autostart; /* 0 or 1 */
    uint32_t cpus;      /* vCPUs, 1 to CONFIG_CPUS */
    struct config_text modules; /* read with config_next_module(); empty: none */
    uint64_t devices;   /* CONFIG_DEVICE_ bits */
    uint32_t on_reboot, on_poweroff, on_crash; /* enum config_action */
    uint32_t weight;    /* of each vCPU against those of other VMs: RUNQ_WEIGHT_ */
    uint32_t cap;       /* percent of one CPU, all vCPUs together; 0: no cap */
    struct config_text pin; /* read with pin_allowed(); empty: any CPU */

    uint32_t key_line[CONFIG_KEYS_MAX]; /* by row; use config_vm_key_line() */
};

struct config {
    uint64_t slice_ns;
    uint32_t poweroff; /* enum config_poweroff */
    struct config_text attach; /* a VM's name; empty: none */
    struct config_text password; /* as core/password.h has it; empty: none */
    uint32_t lock_after; /* seconds; 0: never */
    uint32_t plinth_line; /* of [plinth]; 0: the file has none */
    uint32_t key_line[CONFIG_KEYS_MAX];

    struct config_vm vms[CONFIG_VMS]; /* in the file's order */
    uint32_t vm_count;

    char pool[CONFIG_POOL];
    uint32_t pool_used; /* bytes */
};

struct config_error {
    uint32_t line; /* from 1 */
    char text[CONFIG_ERROR_TEXT];
};

struct config_errors {
    uint32_t count; /* kept in list[] */
    uint32_t more;  /* found but not kept */
    struct config_error list[CONFIG_ERRORS];
};

/* Parses len bytes. Everything without a value in the text gets its default. An error inside a VM's
 * section clears that VM's valid; one in [plinth] leaves the default. A section that cannot become
 * a VM (bad or second name, no room) is checked all the same and left out. Errors come in the order
 * of their lines, except that a missing key is reported at the section's header. */
void config_parse(const char *text, size_t len, struct config *out, struct config_errors *errors);

/* The text a struct config_text stands for; "" for an empty one. Lives as long as *config. */
const char *config_text(const struct config *config, struct config_text text);

/* One entry of a VM's modules; points into the text it was read from, nothing is terminated. */
struct config_module {
    const char *text; /* path, and behind a space the arguments, as the guest will see them */
    size_t text_len, path_len; /* bytes; the path is the start of the text */
};

/* Takes the next entry off *list, which starts as config_text() of a VM's modules and is moved on;
 * false after the last one. */
bool config_next_module(const char **list, struct config_module *out);

/* "stop", "restart", "keep". */
const char *config_action_name(uint32_t action);

/* The line where key stands in the VM's section, or the section's own line if it was left out. */
uint32_t config_vm_key_line(const struct config_vm *vm, const char *key);

/* The VM of that name, or NULL. */
const struct config_vm *config_find_vm(const struct config *config, const char *name);

/* Prints every section and key with its values, default and help. */
void config_describe(fmt_sink_fn *sink, void *ctx);
/* The name of key i of [vm NAME], from 0 on; NULL: no more. */
const char *config_vm_key(unsigned i);

#endif
