/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration parser on any text. Every value it lets through obeys its key's rule, every
 * error has a line of the text, and a text without errors, written anew from what was parsed, gives
 * the same configuration again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cap.h"
#include "core/config.h"
#include "core/pin.h"
#include "core/runqueue.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config first, second;
static struct config_errors errors;

struct writer {
    char text[600000];
    size_t used;
};

static struct writer out;

static void append(void *ctx, const char *s, size_t n)
{
    struct writer *w = ctx;
    CHECK(n <= sizeof(w->text) - w->used);
    memcpy(w->text + w->used, s, n);
    w->used += n;
}

static const char *check_text(const struct config *c, struct config_text t, size_t max)
{
    CHECK(t.at < c->pool_used);
    const char *s = config_text(c, t);
    CHECK(memchr(s, 0, c->pool_used - t.at) != NULL && strlen(s) <= max);
    return s;
}

static void check_errors(const uint8_t *data, size_t size)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    CHECK(errors.count <= CONFIG_ERRORS && (errors.more == 0 || errors.count == CONFIG_ERRORS));
    for (uint32_t i = 0; i < errors.count; i++) {
        CHECK(errors.list[i].line >= 1 && errors.list[i].line <= lines);
        CHECK(i == 0 || errors.list[i - 1].line <= errors.list[i].line);
        CHECK(memchr(errors.list[i].text, 0, CONFIG_ERROR_TEXT) != NULL);
        CHECK(errors.list[i].text[0] != '\0');
    }
}

/* Whatever is let through leaves every vCPU a CPU. */
static void check_pin(const char *pin)
{
    const char *why = NULL;
    CHECK(pin_check(pin, &why));
    for (unsigned i = 0; i < CONFIG_CPUS; i++) {
        uint64_t cpus[PIN_WORDS], any = 0;
        pin_allowed(pin, i, cpus);
        for (unsigned w = 0; w < PIN_WORDS; w++)
            any |= cpus[w];
        CHECK(any != 0);
    }
}

static void check_modules(const char *list)
{
    const char *start = list, *end = list + strlen(list);
    struct config_module m;
    unsigned count = 0;
    for (; config_next_module(&list, &m); count++) {
        CHECK(m.text >= start && m.text + m.text_len <= end && list <= end);
        CHECK(m.path_len >= 1 && m.path_len <= m.text_len && m.path_len <= CONFIG_PATH_MAX);
        CHECK(!memchr(m.text, ',', m.text_len) && !memchr(m.text, ' ', m.path_len));
    }
    CHECK(count <= CONFIG_MODULES && list == end);
}

static void check_config(const struct config *c)
{
    CHECK(c->pool_used >= 1 && c->pool_used <= CONFIG_POOL && c->vm_count <= CONFIG_VMS);
    CHECK(c->slice_ns >= 100000 && c->slice_ns <= 1000000000);
    CHECK(c->poweroff <= CONFIG_POWEROFF_WHEN_IDLE);
    for (uint32_t i = 0; i < c->vm_count; i++) {
        const struct config_vm *vm = &c->vms[i];
        CHECK(memchr(vm->name, 0, sizeof(vm->name)) != NULL && vm->name[0] != '\0');
        CHECK(config_find_vm(c, vm->name) == vm); /* no second one of that name */
        const char *kernel = check_text(c, vm->kernel, 255);
        check_text(c, vm->initrd, 255);
        check_text(c, vm->cmdline, 2047);
        CHECK(vm->memory >= 65536 && vm->memory <= BIT(40) && vm->memory % 4096 == 0);
        CHECK(vm->autostart <= 1 && vm->line >= 1);
        check_modules(check_text(c, vm->modules, 2047));
        CHECK(vm->cpus >= 1 && vm->cpus <= CONFIG_CPUS);
        CHECK((vm->devices & ~CONFIG_DEVICE_TESTDEV) == 0);
        CHECK(vm->on_reboot <= CONFIG_KEEP && vm->on_poweroff <= CONFIG_KEEP &&
              vm->on_crash <= CONFIG_KEEP);
        CHECK(vm->weight >= RUNQ_WEIGHT_MIN && vm->weight <= RUNQ_WEIGHT_MAX);
        CHECK(vm->cap <= CAP_PERCENT_MAX);
        check_pin(check_text(c, vm->pin, CONFIG_PIN_MAX));
        CHECK(vm->valid ? kernel[0] != '\0' : errors.count > 0);
    }
}

static void write_text(const char *key, const char *s)
{
    fmt_write(append, &out, "%s = \"", key);
    for (; *s; s++)
        fmt_write(append, &out, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
    fmt_write(append, &out, "\"\n");
}

static void write_config(const struct config *c)
{
    out.used = 0;
    fmt_write(append, &out, "[plinth]\nslice = %lluns\npoweroff = %s\n",
              (unsigned long long)c->slice_ns, c->poweroff ? "when-idle" : "never");
    for (uint32_t i = 0; i < c->vm_count; i++) {
        const struct config_vm *vm = &c->vms[i];
        fmt_write(append, &out, "[vm %s]\nmemory = %llu\nautostart = %s\n", vm->name,
                  (unsigned long long)vm->memory, vm->autostart ? "on" : "off");
        fmt_write(append, &out, "cpus = %u\ndevices = %ctestdev\non_reboot = %s\n", vm->cpus,
                  vm->devices ? '+' : '-', config_action_name(vm->on_reboot));
        fmt_write(append, &out, "on_poweroff = %s\non_crash = %s\n",
                  config_action_name(vm->on_poweroff), config_action_name(vm->on_crash));
        fmt_write(append, &out, "weight = %u\ncap = %u\n", vm->weight, vm->cap);
        write_text("pin", config_text(c, vm->pin));
        write_text("modules", config_text(c, vm->modules));
        write_text("kernel", config_text(c, vm->kernel));
        write_text("initrd", config_text(c, vm->initrd));
        write_text("cmdline", config_text(c, vm->cmdline));
    }
}

static void check_same_text(struct config_text a, struct config_text b)
{
    CHECK(strcmp(config_text(&first, a), config_text(&second, b)) == 0);
}

/* Quotes and escapes may make a line too long: those texts are left out. */
static bool lines_fit(void)
{
    for (size_t at = 0; at < out.used;) {
        const char *end = memchr(out.text + at, '\n', out.used - at);
        if ((size_t)(end - (out.text + at)) > CONFIG_LINE_MAX)
            return false;
        at = (size_t)(end - out.text) + 1;
    }
    return true;
}

static void check_round_trip(void)
{
    write_config(&first);
    if (!lines_fit())
        return;
    config_parse(out.text, out.used, &second, &errors);
    CHECK(errors.count == 0);
    CHECK(second.slice_ns == first.slice_ns && second.poweroff == first.poweroff);
    CHECK(second.vm_count == first.vm_count);
    for (uint32_t i = 0; i < first.vm_count; i++) {
        const struct config_vm *a = &first.vms[i], *b = &second.vms[i];
        CHECK(strcmp(a->name, b->name) == 0 && a->valid && b->valid);
        CHECK(a->memory == b->memory && a->autostart == b->autostart);
        CHECK(a->cpus == b->cpus && a->devices == b->devices && a->on_reboot == b->on_reboot);
        CHECK(a->on_poweroff == b->on_poweroff && a->on_crash == b->on_crash);
        CHECK(a->weight == b->weight && a->cap == b->cap);
        check_same_text(a->pin, b->pin);
        check_same_text(a->modules, b->modules);
        check_same_text(a->kernel, b->kernel);
        check_same_text(a->initrd, b->initrd);
        check_same_text(a->cmdline, b->cmdline);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config_parse((const char *)data, size, &first, &errors);
    check_errors(data, size);
    check_config(&first);
    if (errors.count == 0)
        check_round_trip();
    return 0;
}
