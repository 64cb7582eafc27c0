/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config-check: the hypervisor's own configuration parser and image recogniser, run on the host.
 * Reads the files that a configuration names and reports everything that is wrong as FILE:LINE:
 * lines. tools/plinth calls it and takes the parsed configuration as JSON. Decides nothing that the
 * parsers have not decided. docs/config.md describes the language.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config.h"
#include "core/image.h"

enum { EXIT_GOOD = 0, EXIT_USAGE = 1, EXIT_BAD_CONFIG = 2 };

struct check {
    const char *file;
    const struct config *config;
    unsigned errors;
    enum image_kind kinds[CONFIG_VMS];
    bool bad[CONFIG_VMS]; /* a file it names is wrong */
};

static void to_stdout(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    fwrite(text, 1, len, stdout);
}

/* The whole file, with *len; NULL with errno set. An empty file gives one byte of memory. */
static uint8_t *read_file(const char *path, size_t *len)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(f);
        errno = EISDIR;
        return NULL;
    }
    size_t room = 65536, used = 0, n;
    uint8_t *data = malloc(room);
    while (data && (n = fread(data + used, 1, room - used, f)) > 0) {
        used += n;
        if (used == room) {
            uint8_t *more = realloc(data, room *= 2);
            if (!more)
                free(data);
            data = more;
        }
    }
    int error = !data ? ENOMEM : ferror(f) ? errno : 0;
    fclose(f);
    if (error) {
        free(data);
        errno = error;
        return NULL;
    }
    *len = used;
    return data;
}

/* Reads a file that the configuration names, relative to the configuration's folder. */
static uint8_t *read_named(const struct check *c, const char *name, size_t *len)
{
    const char *slash = strrchr(c->file, '/');
    size_t folder = name[0] == '/' || !slash ? 0 : (size_t)(slash - c->file) + 1;
    char *path = malloc(folder + strlen(name) + 1);
    if (!path)
        return NULL;
    memcpy(path, c->file, folder);
    strcpy(path + folder, name);
    uint8_t *data = read_file(path, len);
    int error = errno;
    free(path);
    errno = error;
    return data;
}

static PRINTF_LIKE(4, 5) void complain(struct check *c, const struct config_vm *vm, const char *key,
                                       const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%u: [vm %s] %s ", c->file, config_vm_key_line(vm, key), vm->name, key);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    c->errors++;
    c->bad[vm - c->config->vms] = true;
}

/* The size of the initrd, 0 if there is none or it cannot be read. */
static uint64_t check_initrd(struct check *c, const struct config_vm *vm)
{
    const char *name = config_text(c->config, vm->initrd);
    size_t len = 0;
    if (!*name)
        return 0;
    uint8_t *data = read_named(c, name, &len);
    if (!data)
        complain(c, vm, "initrd", "%s: %s", name, strerror(errno));
    else if (len == 0)
        complain(c, vm, "initrd", "%s: an empty file", name);
    free(data);
    return len;
}

/* The size of all modules together, each from a page of its own. */
static uint64_t check_modules(struct check *c, const struct config_vm *vm)
{
    const char *list = config_text(c->config, vm->modules);
    struct config_module m;
    uint64_t total = 0;
    while (config_next_module(&list, &m)) {
        char name[CONFIG_PATH_MAX + 1];
        size_t len = 0;
        memcpy(name, m.text, m.path_len); /* at most CONFIG_PATH_MAX, says the parser */
        name[m.path_len] = '\0';
        uint8_t *data = read_named(c, name, &len);
        if (!data)
            complain(c, vm, "modules", "%s: %s", name, strerror(errno));
        free(data);
        total += ((uint64_t)len + 4095) & ~UINT64_C(4095);
    }
    return total;
}

/* What the kernel's kind leaves without a meaning. */
static void check_kind(struct check *c, const struct config_vm *vm, enum image_kind kind)
{
    if (kind == IMAGE_FLAT && *config_text(c->config, vm->initrd))
        complain(c, vm, "initrd", "has no meaning for a flat image");
    if (kind != IMAGE_MULTIBOOT1 && *config_text(c->config, vm->modules))
        complain(c, vm, "modules", "have a meaning only for a Multiboot1 kernel; %s is a %s",
                 config_text(c->config, vm->kernel), image_kind_name(kind));
}

static void check_vm(struct check *c, const struct config_vm *vm)
{
    const char *name = config_text(c->config, vm->kernel);
    const char *cmdline = config_text(c->config, vm->cmdline);
    struct image image;
    char why[256];
    size_t len;
    uint64_t extra = check_initrd(c, vm) + check_modules(c, vm);
    if (!*name)
        return; /* reported by the parser */
    uint8_t *data = read_named(c, name, &len);
    if (!data) {
        complain(c, vm, "kernel", "%s: %s", name, strerror(errno));
        return;
    }
    if (!image_parse(data, len, &image, why, sizeof(why))) {
        complain(c, vm, "kernel", "%s: %s", name, why);
        free(data);
        return;
    }
    free(data);
    c->kinds[vm - c->config->vms] = image.kind;
    uint64_t need = image_min_memory(&image) + extra;
    if (vm->memory && need > vm->memory)
        complain(c, vm, "memory", "%llu: too small; %s %s at least %llu bytes (%lluM)",
                 (unsigned long long)vm->memory, name, extra ? "and its files need" : "needs",
                 (unsigned long long)need, (unsigned long long)((need + 0xfffff) >> 20));
    if (image.kind == IMAGE_BZIMAGE && strlen(cmdline) > image.bz.cmdline_size)
        complain(c, vm, "cmdline", "is longer than the %u bytes that %s takes",
                 image.bz.cmdline_size, name);
    check_kind(c, vm, image.kind);
}

static void print_json_bytes(const char *s, size_t n)
{
    putchar('"');
    for (; n--; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\u%04x", (unsigned)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void print_json_text(const char *s)
{
    print_json_bytes(s, strlen(s));
}

static void print_json_modules(const struct check *c, const struct config_vm *vm)
{
    const char *list = config_text(c->config, vm->modules), *comma = "";
    struct config_module m;
    printf(",\"modules\":[");
    for (; config_next_module(&list, &m); comma = ",") {
        printf("%s{\"path\":", comma);
        print_json_bytes(m.text, m.path_len);
        printf(",\"text\":");
        print_json_bytes(m.text, m.text_len);
        putchar('}');
    }
    putchar(']');
}

static void print_json_vm(const struct check *c, const struct config_vm *vm)
{
    size_t i = (size_t)(vm - c->config->vms);
    printf("{\"name\":");
    print_json_text(vm->name);
    printf(",\"kernel\":");
    print_json_text(config_text(c->config, vm->kernel));
    printf(",\"initrd\":");
    print_json_text(config_text(c->config, vm->initrd));
    printf(",\"cmdline\":");
    print_json_text(config_text(c->config, vm->cmdline));
    printf(",\"memory\":%llu,\"autostart\":%s,\"kind\":", (unsigned long long)vm->memory,
           vm->autostart ? "true" : "false");
    print_json_text(image_kind_name(c->kinds[i]));
    print_json_modules(c, vm);
    printf(",\"cpus\":%u,\"devices\":[%s]", vm->cpus,
           vm->devices & CONFIG_DEVICE_TESTDEV ? "\"testdev\"" : "");
    printf(",\"weight\":%u,\"cap\":%u,\"pin\":", vm->weight, vm->cap);
    print_json_text(config_text(c->config, vm->pin));
    printf(",\"on_reboot\":\"%s\",\"on_poweroff\":\"%s\",\"on_crash\":\"%s\"",
           config_action_name(vm->on_reboot), config_action_name(vm->on_poweroff),
           config_action_name(vm->on_crash));
    printf(",\"line\":%u,\"valid\":%s}", vm->line, vm->valid && !c->bad[i] ? "true" : "false");
}

static void print_json(const struct check *c)
{
    const struct config *config = c->config;
    printf("{\"plinth\":{\"poweroff\":\"%s\",\"slice_ns\":%llu},\"vms\":[",
           config->poweroff == CONFIG_POWEROFF_WHEN_IDLE ? "when-idle" : "never",
           (unsigned long long)config->slice_ns);
    for (uint32_t i = 0; i < config->vm_count; i++) {
        if (i)
            putchar(',');
        print_json_vm(c, &config->vms[i]);
    }
    printf("]}\n");
}

static int check_file(const char *file, bool json)
{
    static struct config config;
    static struct config_errors errors;
    struct check c = {.file = file, .config = &config};
    size_t len;
    uint8_t *text = read_file(file, &len);
    if (!text) {
        fprintf(stderr, "%s: %s\n", file, strerror(errno));
        return EXIT_USAGE;
    }
    config_parse((const char *)text, len, &config, &errors);
    free(text);
    for (uint32_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s:%u: %s\n", file, errors.list[i].line, errors.list[i].text);
    if (errors.more)
        fprintf(stderr, "%s: and %u more errors\n", file, errors.more);
    c.errors = errors.count + errors.more;
    for (uint32_t i = 0; i < config.vm_count; i++)
        check_vm(&c, &config.vms[i]);
    if (json)
        print_json(&c);
    return c.errors ? EXIT_BAD_CONFIG : EXIT_GOOD;
}

static int usage(FILE *to, int status)
{
    fprintf(to, "usage: config-check [--json] CONFIG\n"
                "       config-check --keys\n"
                "Checks a Plinth configuration and the files it names.\n"
                "  --json  print the configuration as JSON as well\n"
                "  --keys  print every section and key\n"
                "Exit status: 0 good, 2 configuration wrong, 1 usage or unreadable file.\n");
    return status;
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--keys") == 0 && argc == 2) {
            config_describe(to_stdout, NULL);
            return EXIT_GOOD;
        } else if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout, EXIT_GOOD);
        } else if (argv[i][0] == '-' || file) {
            return usage(stderr, EXIT_USAGE);
        } else {
            file = argv[i];
        }
    }
    if (!file)
        return usage(stderr, EXIT_USAGE);
    int status = check_file(file, json);
    if (fflush(stdout) != 0 || ferror(stdout))
        return EXIT_USAGE;
    return status;
}
