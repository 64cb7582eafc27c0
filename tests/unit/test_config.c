/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/config.c: what the language accepts, and for each rule the error with its line. Texts are
 * parsed from heap buffers without a terminator.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/lib/string.h"

static struct config c;
static struct config_errors e;

static void parse_n(const char *text, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, text, n);
    config_parse(copy, n, &c, &e);
    free(copy);
}

static void parse(const char *text)
{
    parse_n(text, strlen(text));
}

static const char *text(struct config_text t)
{
    return config_text(&c, t);
}

/* Exactly one error, on that line, with that text in it. */
static void assert_error(const char *config, uint32_t line, const char *part)
{
    parse(config);
    if (e.count != 1 || e.list[0].line != line || !strstr(e.list[0].text, part))
        fail_msg("%s\ngave %u errors, the first: %u: %s\nwanted %u: %s", config, e.count,
                 e.list[0].line, e.list[0].text, line, part);
}

static void assert_good(const char *config)
{
    parse(config);
    if (e.count)
        fail_msg("%s\ngave %u: %s", config, e.list[0].line, e.list[0].text);
}

static void test_empty_file_has_defaults(void **state)
{
    (void)state;
    parse_n("", 0);
    assert_int_equal(e.count, 0);
    assert_int_equal(c.vm_count, 0);
    assert_int_equal(c.slice_ns, 10000000);
    assert_int_equal(c.poweroff, CONFIG_POWEROFF_NEVER);
    assert_good("\n\n# only a comment\n   \t\n#");
}

static void test_full_file(void **state)
{
    (void)state;
    assert_good("\xef\xbb\xbf# demo\r\n"
                "[plinth] # once\r\n"
                "slice = 500us\r\n"
                "  poweroff=when-idle # in the end\r\n"
                "\r\n"
                "[vm web.1]\r\n"
                "kernel = vmlinuz\r\n"
                "initrd = \"my initrd\"\r\n"
                "cmdline = console=ttyS0 a=\"b c\" x#y # comment\r\n"
                "memory = 1G\r\n"
                "autostart = off\r\n"
                "[ vm   B-2_x ]\r\n"
                "kernel=\"k#1 \\\"q\\\" \\\\\" # c\r\n"
                "cmdline = \"\"");
    assert_int_equal(c.slice_ns, 500000);
    assert_int_equal(c.poweroff, CONFIG_POWEROFF_WHEN_IDLE);
    assert_int_equal(c.plinth_line, 2);
    assert_int_equal(c.vm_count, 2);
    const struct config_vm *web = config_find_vm(&c, "web.1"), *b = config_find_vm(&c, "B-2_x");
    assert_ptr_equal(web, &c.vms[0]);
    assert_ptr_equal(b, &c.vms[1]);
    assert_null(config_find_vm(&c, "web"));
    assert_true(web->valid && b->valid);
    assert_string_equal(text(web->kernel), "vmlinuz");
    assert_string_equal(text(web->initrd), "my initrd");
    assert_string_equal(text(web->cmdline), "console=ttyS0 a=\"b c\" x#y");
    assert_int_equal(web->memory, UINT64_C(1) << 30);
    assert_int_equal(web->autostart, 0);
    assert_string_equal(text(b->kernel), "k#1 \"q\" \\");
    assert_string_equal(text(b->cmdline), "");
    assert_string_equal(text(b->initrd), "");
    assert_int_equal(b->memory, 32 << 20);
    assert_int_equal(b->autostart, 1);
    assert_int_equal(config_vm_key_line(web, "kernel"), 7);
    assert_int_equal(config_vm_key_line(web, "autostart"), 11);
    assert_int_equal(config_vm_key_line(b, "memory"), 12);
    assert_int_equal(config_vm_key_line(b, "nonsense"), 12);
}

#define VM "[vm a]\nkernel = k\n"

static void test_console_keys(void **state)
{
    (void)state;
    static const char hash[] =
        "pbkdf2-sha256:1:00:55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
    char file[256];
    snprintf(file, sizeof(file), "[plinth]\npassword = %s\nlock_after = 90\n" VM
             "scrollback = 64K\n[vm b]\nkernel = k\nscrollback = 0\n", hash);
    assert_good(file);
    assert_string_equal(text(c.password), hash);
    assert_int_equal(c.lock_after, 90);
    assert_int_equal(c.vms[0].scrollback, 65536);
    assert_int_equal(c.vms[1].scrollback, 0);
    assert_good(VM);
    assert_string_equal(text(c.password), "");
    assert_int_equal(c.lock_after, 600);
    assert_int_equal(c.vms[0].scrollback, 4096);
    parse("[plinth]\npassword = secret\nlock_after = 86401\n" VM "scrollback = 2M\n");
    assert_int_equal(e.count, 3);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *value;
        uint64_t bytes;
    } good[] = {
        {"64K", 65536},        {"64k", 65536},          {"64KiB", 65536},
        {"64KB", 65536},       {"65536", 65536},        {"16M", 16 << 20},
        {"16mB", 16 << 20},    {"3G", UINT64_C(3) << 30}, {"1024GiB", UINT64_C(1) << 40},
        {"69632", 69632},      {"68K", 68 << 10},       {"0064K", 65536},
    };
    static const struct {
        const char *value, *rule;
    } bad[] = {
        {"60K", "64K to 1024G"},      {"0", "64K to 1024G"},
        {"1025G", "64K to 1024G"},    {"65537", "multiple of 4K"},
        {"66K", "multiple of 4K"},    {"1T", "not a size"},
        {"1.5G", "not a size"},       {"-1M", "not a size"},
        {"M", "not a size"},          {"16 M", "not a size"},
        {"16MM", "not a size"},       {"16Mi", "not a size"},
        {"0x10000", "not a size"},    {"99999999999999999999", "not a size"},
        {"18446744073709551615G", "64K to 1024G"}, {"\"\"", "not a size"},
        {"17179869184G", "64K to 1024G"}, /* 2^64 */
    };
    char config[128];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        fmt_print(config, sizeof(config), VM "memory = %s\n", good[i].value);
        assert_good(config);
        assert_int_equal(c.vms[0].memory, good[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fmt_print(config, sizeof(config), VM "memory = %s\n", bad[i].value);
        assert_error(config, 3, bad[i].rule);
        assert_false(c.vms[0].valid);
        assert_int_equal(c.vms[0].memory, 32 << 20);
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *value;
        uint64_t ns;
    } good[] = {{"100us", 100000}, {"100000ns", 100000}, {"5ms", 5000000}, {"1s", 1000000000}};
    static const char *const bad[] = {"99us", "1001ms", "2s", "10", "ms", "1.5ms", "10 ms", "1h",
                                      "99999999999999999999s", "18446744073709551615s"};
    char config[128];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        fmt_print(config, sizeof(config), "[plinth]\nslice = %s\n", good[i].value);
        assert_good(config);
        assert_int_equal(c.slice_ns, good[i].ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fmt_print(config, sizeof(config), "[plinth]\nslice = %s\n", bad[i]);
        assert_error(config, 2, bad[i]);
        assert_int_equal(c.slice_ns, 10000000);
    }
}

static void test_booleans(void **state)
{
    static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};
    char config[128];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fmt_print(config, sizeof(config), VM "autostart = %s\n", yes[i]);
        assert_good(config);
        assert_int_equal(c.vms[0].autostart, 1);
        fmt_print(config, sizeof(config), VM "autostart = %s\n", no[i]);
        assert_good(config);
        assert_int_equal(c.vms[0].autostart, 0);
    }
    assert_error(VM "autostart = Yes", 3, "did you mean yes?");
    assert_error(VM "autostart = 1", 3, "must be one of yes, no");
}

static void test_cpus(void **state)
{
    static const char *const bad[] = {"0", "65", "-1", "4x", "two", "0x4", "1.0", "4 4", "\"\"",
                                      "99999999999999999999", "4294967297"};
    char config[128];
    (void)state;
    assert_good(VM);
    assert_int_equal(c.vms[0].cpus, 1);
    for (unsigned n = 1; n <= CONFIG_CPUS; n++) {
        fmt_print(config, sizeof(config), VM "cpus = %u\n", n);
        assert_good(config);
        assert_int_equal(c.vms[0].cpus, n);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fmt_print(config, sizeof(config), VM "cpus = %s\n", bad[i]);
        assert_error(config, 3, "whole number from 1 to 64");
        assert_false(c.vms[0].valid);
        assert_int_equal(c.vms[0].cpus, 1);
    }
}

/* The entries of VM a's modules, each as <path|text>. */
static const char *modules(const char *config)
{
    static char all[4096];
    struct config_module m;
    size_t at = 0;
    assert_good(config);
    all[0] = '\0';
    for (const char *list = text(c.vms[0].modules); config_next_module(&list, &m);)
        at += fmt_print(all + at, sizeof(all) - at, "<%.*s|%.*s>", (int)m.path_len, m.text,
                        (int)m.text_len, m.text);
    return all;
}

static void test_modules(void **state)
{
    static char config[8192];
    (void)state;
    assert_string_equal(modules(VM), "");
    assert_string_equal(modules(VM "modules = \"\"\n"), "");
    assert_string_equal(modules(VM "modules = a\n"), "<a|a>");
    assert_string_equal(modules(VM "modules = a,b\n"), "<a|a><b|b>");
    assert_string_equal(modules(VM "modules = a x=1  y , b/c.img # two\n"),
                        "<a|a x=1  y><b/c.img|b/c.img>");
    assert_string_equal(modules(VM "modules = \"a#1\tx,\tb \\\"q\\\",\"\n"),
                        "<a#1|a#1\tx><b|b \"q\">");
    assert_error(VM "modules = ,\n", 3, "entry 1 has no path");
    assert_error(VM "modules = a,,b\n", 3, "entry 2 has no path");
    assert_error(VM "modules = \"a, \"\n", 3, "entry 2 has no path");
    assert_false(c.vms[0].valid);
    assert_string_equal(text(c.vms[0].modules), "");
    for (size_t n = CONFIG_MODULES; n <= CONFIG_MODULES + 1; n++) {
        size_t at = fmt_print(config, sizeof(config), VM "modules = ");
        for (size_t i = 0; i < n; i++)
            at += fmt_print(config + at, sizeof(config) - at, "%sm%zu", i ? ", " : "", i);
        if (n == CONFIG_MODULES)
            assert_good(config);
        else
            assert_error(config, 3, "17 entries, more than 16");
    }
    for (size_t n = CONFIG_PATH_MAX; n <= CONFIG_PATH_MAX + 1; n++) {
        size_t at = fmt_print(config, sizeof(config), VM "modules = a, ");
        memset(config + at, 'p', n);
        fmt_print(config + at + n, sizeof(config) - at - n, " args\n");
        if (n == CONFIG_PATH_MAX)
            assert_good(config);
        else
            assert_error(config, 3, "at most 255 bytes, this one 256");
    }
    size_t at = fmt_print(config, sizeof(config), VM "modules = a ");
    memset(config + at, 'x', 2046);
    config[at + 2046] = '\0';
    assert_error(config, 3, "must have 0 to 2047 bytes, has 2048");
}

static void test_devices(void **state)
{
    static const struct {
        const char *value;
        uint64_t flags;
    } good[] = {{"\"\"", 0}, {"+testdev", CONFIG_DEVICE_TESTDEV}, {"-testdev", 0},
                {"+testdev -testdev", 0}, {"-testdev\t +testdev", CONFIG_DEVICE_TESTDEV},
                {"\"  +testdev  \"", CONFIG_DEVICE_TESTDEV}};
    char config[128];
    (void)state;
    assert_good(VM);
    assert_int_equal(c.vms[0].devices, 0);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        fmt_print(config, sizeof(config), VM "devices = %s\n", good[i].value);
        assert_good(config);
        assert_int_equal(c.vms[0].devices, good[i].flags);
    }
    assert_error(VM "devices = testdev\n", 3, "write +testdev or -testdev");
    assert_error(VM "devices = +testdv\n", 3, "no such device; did you mean +testdev?");
    assert_error(VM "devices = +zebra\n", 3, "no such device; must be out of +testdev");
    assert_error(VM "devices = +\n", 3, "no such device");
    assert_error(VM "devices = +testdev,+testdev\n", 3, "no such device");
    assert_error(VM "devices = +testdev x\n", 3, "devices = x: no such device");
    assert_false(c.vms[0].valid);
    assert_int_equal(c.vms[0].devices, 0);
}

static void test_actions(void **state)
{
    static const uint32_t values[] = {CONFIG_STOP, CONFIG_RESTART, CONFIG_KEEP};
    static const char *const names[] = {"stop", "restart", "keep"};
    char config[128];
    (void)state;
    assert_good(VM);
    assert_int_equal(c.vms[0].on_reboot, CONFIG_RESTART);
    assert_int_equal(c.vms[0].on_poweroff, CONFIG_STOP);
    assert_int_equal(c.vms[0].on_crash, CONFIG_STOP);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(config_action_name(values[i]), names[i]);
        fmt_print(config, sizeof(config), VM "on_reboot = %s\non_poweroff = %s\non_crash = %s\n",
                  names[i], names[(i + 1) % 3], names[(i + 2) % 3]);
        assert_good(config);
        assert_int_equal(c.vms[0].on_reboot, values[i]);
        assert_int_equal(c.vms[0].on_poweroff, values[(i + 1) % 3]);
        assert_int_equal(c.vms[0].on_crash, values[(i + 2) % 3]);
    }
    assert_string_equal(config_action_name(3), "?");
    assert_error(VM "on_crash = reboot\n", 3, "must be one of restart, stop, keep");
    assert_error(VM "on_reboot = restrat\n", 3, "did you mean restart?");
    assert_error(VM "on_panic = stop\n", 3, "on_panic: no such key");
    assert_error(VM "on-crash = stop\n", 3, "did you mean on_crash?");
    assert_int_equal(config_vm_key_line(&c.vms[0], "on_crash"), 1);
}

static void test_shares(void **state)
{
    (void)state;
    assert_good(VM);
    assert_int_equal(c.vms[0].weight, 100);
    assert_int_equal(c.vms[0].cap, 0);
    assert_string_equal(text(c.vms[0].pin), "");
    assert_good(VM "weight = 1000\ncap = 25600\npin = 0:1 1:2-3,7\n");
    assert_int_equal(c.vms[0].weight, 1000);
    assert_int_equal(c.vms[0].cap, 25600);
    assert_string_equal(text(c.vms[0].pin), "0:1 1:2-3,7");
    assert_error(VM "weight = 9\n", 3, "whole number from 10 to 1000");
    assert_error(VM "weight = 1001\n", 3, "whole number from 10 to 1000");
    assert_error(VM "weight = 50%\n", 3, "whole number");
    assert_error(VM "cap = 25601\n", 3, "whole number from 0 to 25600");
    assert_error(VM "cap = -1\n", 3, "whole number");
    assert_error(VM "pin = 256\n", 3, "number from 0 to 255");
    assert_error(VM "pin = 3-2\n", 3, "FIRST-LAST");
    assert_error(VM "wieght = 10\n", 3, "did you mean weight?");
}

static void test_unknown_words_get_a_guess(void **state)
{
    (void)state;
    assert_error("[plinth]\nslce = 10ms\n", 2, "did you mean slice?");
    assert_error("[plinth]\npower = never\n", 2, "did you mean poweroff?");
    assert_error("[plinth]\npoweroff = when_idle\n", 2, "did you mean when-idle?");
    assert_error(VM "Memory = 1G\n", 3, "did you mean memory?");
    assert_error(VM "mem = 1G\n", 3, "did you mean memory?");
    assert_error(VM "slice = 10ms\n", 3, "belongs in [plinth]");
    assert_error("[plinth]\nkernel = k\n", 2, "belongs in a [vm NAME]");
    assert_error(VM "zebra = 1\n", 3, "zebra: no such key in [vm NAME]");
    assert_null(strstr(e.list[0].text, "did you mean"));
    assert_error("[Plinth]\n", 1, "did you mean [plinth]?");
    assert_error("[mv x]\n", 1, "no such section");
    assert_error("[VM x]\n", 1, "did you mean [vm NAME]?");
    assert_error("[web]\n", 1, "did you mean [vm web]?");
}

static void test_section_errors(void **state)
{
    (void)state;
    assert_error("[vm a\nkernel = k\n", 1, "ends with ]");
    assert_error("[]\nx = y\n", 1, "no such section");
    assert_error("[vm]\n", 1, "needs a name");
    assert_error("[vm 1a]\nkernel = k\n", 1, "starts with a letter");
    assert_error("[vm a b]\nkernel = k\n", 1, "a name has 1 to 31");
    assert_error("[vm a/b]\nkernel = k\n", 1, "a name has 1 to 31");
    assert_int_equal(c.vm_count, 0);
    assert_error("[vm a] kernel = k\nkernel = k", 1, "nothing but a comment");
    assert_false(c.vms[0].valid);
    assert_error("[plinth]\n[plinth]\n", 2, "stands on line 1 already");
    assert_good("[vm a2345678901234567890123456789_1]\nkernel = k");
    assert_error("[vm a2345678901234567890123456789_12]\nkernel = k", 1, "a name has 1 to 31");
}

static void test_key_errors(void **state)
{
    (void)state;
    assert_error("kernel = k\n", 1, "outside a section");
    assert_error(VM "nonsense\n", 3, "expected key = value");
    assert_error(VM "= value\n", 3, "expected key = value");
    assert_error(VM "initrd =\n", 3, "has no value");
    assert_error(VM "initrd = # none\n", 3, "has no value");
    assert_error(VM "kernel = again\n", 3, "stands on line 2 already");
    assert_string_equal(text(c.vms[0].kernel), "k");
    assert_error("[vm a]\nmemory = 1G\n", 1, "kernel is missing");
    assert_error("[vm a]\nkernel = \"\"\n", 2, "must have 1 to 255 bytes");
    assert_error(VM "initrd = \"x\n", 3, "closing quote is missing");
    assert_error(VM "initrd = \"x\\\n", 3, "backslash");
    assert_error(VM "initrd = \"x\\n\"\n", 3, "backslash");
    assert_error(VM "initrd = \"x\" y\n", 3, "follow the closing quote");
    assert_error(VM "initrd = \"x\"#y\n", 3, "follow the closing quote");
}

static void test_bytes_that_are_no_text(void **state)
{
    static const char nul[] = VM "initrd = a\0b\n";
    (void)state;
    parse_n(nul, sizeof(nul) - 1);
    assert_int_equal(e.count, 1);
    assert_int_equal(e.list[0].line, 3);
    assert_non_null(strstr(e.list[0].text, "NUL"));
    assert_false(c.vms[0].valid);
    assert_error(VM "initrd = \x1b[2J\n", 3, "column 10: control character 0x1b");
    assert_error(VM "initrd = a\rb\n", 3, "control character 0x0d");
    assert_error(VM "initrd = \x7f\n", 3, "control character 0x7f");
    assert_error(VM "initrd = \xff\n", 3, "byte 0xff is not UTF-8");
    assert_error(VM "initrd = \xc0\x80\n", 3, "not UTF-8");
    assert_error(VM "initrd = \xe0\x80\x80\n", 3, "not UTF-8");
    assert_error(VM "initrd = \xed\xa0\x80\n", 3, "not UTF-8");
    assert_error(VM "initrd = \xf4\x90\x80\x80\n", 3, "not UTF-8");
    assert_error(VM "initrd = \xe2\x82", 3, "not UTF-8");
    assert_good(VM "initrd = \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\n");
}

static void test_lengths(void **state)
{
    static char config[8192];
    (void)state;
    for (size_t n = 254; n <= 256; n++) {
        size_t at = fmt_print(config, sizeof(config), "[vm a]\nkernel = ");
        memset(config + at, 'k', n);
        config[at + n] = '\0';
        if (n <= 255)
            assert_good(config);
        else
            assert_error(config, 2, "must have 1 to 255 bytes, has 256");
    }
    for (size_t n = 2047; n <= 2048; n++) {
        size_t at = fmt_print(config, sizeof(config), VM "cmdline = ");
        memset(config + at, 'c', n);
        config[at + n] = '\0';
        if (n <= 2047)
            assert_good(config);
        else
            assert_error(config, 3, "2047");
    }
    for (size_t n = CONFIG_LINE_MAX; n <= CONFIG_LINE_MAX + 1; n++) {
        memset(config, '#', n);
        config[n] = '\0';
        if (n == CONFIG_LINE_MAX)
            assert_good(config);
        else
            assert_error(config, 1, "more than 4095");
    }
}

static void test_errors_stay_in_their_section(void **state)
{
    (void)state;
    parse("[plinth]\nslice = never\n[vm a]\nkernel = a\n[vm b]\nkernel = b\nmemory = 1\n"
          "[vm c]\nkernel = c\n[vm a]\nkernel = d\nmemory = 7\n[vm d\nkernel = e\n[vm f]\n"
          "kernel = f\n");
    assert_int_equal(e.count, 5);
    assert_int_equal(c.vm_count, 4);
    assert_true(c.vms[0].valid);
    assert_string_equal(text(c.vms[0].kernel), "a");
    assert_int_equal(c.vms[0].memory, 32 << 20);
    assert_false(c.vms[1].valid);
    assert_true(c.vms[2].valid);
    assert_true(c.vms[3].valid);
    assert_string_equal(c.vms[3].name, "f");
    assert_string_equal(text(c.vms[3].kernel), "f");
    static const uint32_t lines[] = {2, 7, 10, 12, 13};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(e.list[i].line, lines[i]);
}

static void test_errors_are_sorted_by_line(void **state)
{
    (void)state;
    parse("[vm a]\nmemory = x\ninitrd =\n[vm b]\n");
    assert_int_equal(e.count, 4);
    assert_int_equal(e.list[0].line, 1);
    assert_int_equal(e.list[1].line, 2);
    assert_int_equal(e.list[2].line, 3);
    assert_int_equal(e.list[3].line, 4);
}

static void test_many_errors_are_counted(void **state)
{
    static char config[4096];
    size_t at = 0;
    (void)state;
    for (int i = 0; i < 40; i++)
        at += fmt_print(config + at, sizeof(config) - at, "[nonsense %d]\n", i);
    parse(config);
    assert_int_equal(e.count, CONFIG_ERRORS);
    assert_int_equal(e.more, 40 - CONFIG_ERRORS);
    assert_int_equal(e.list[31].line, 32);
}

static void test_many_vms(void **state)
{
    static char config[65536];
    size_t at = 0;
    (void)state;
    for (int i = 0; i < CONFIG_VMS; i++)
        at += fmt_print(config + at, sizeof(config) - at, "[vm v%d]\nkernel = k%d\n", i, i);
    assert_good(config);
    assert_int_equal(c.vm_count, CONFIG_VMS);
    assert_string_equal(text(c.vms[63].kernel), "k63");
    fmt_print(config + at, sizeof(config) - at, "[vm more]\nkernel = k\n");
    assert_error(config, 2 * CONFIG_VMS + 1, "more than 512 VMs");
    assert_int_equal(c.vm_count, CONFIG_VMS);
}

static void test_pool_is_bounded(void **state)
{
    static char config[200000];
    size_t at = 0;
    (void)state;
    for (int i = 0; i < 40; i++) {
        at += fmt_print(config + at, sizeof(config) - at, "[vm v%d]\nkernel = k\ncmdline = ", i);
        memset(config + at, 'c', 2047);
        at += 2047;
        config[at++] = '\n';
    }
    parse_n(config, at);
    assert_true(e.count > 0 && e.count < 20);
    assert_non_null(strstr(e.list[0].text, "need more than 65536 bytes"));
    assert_true(c.vms[0].valid);
    assert_false(c.vms[39].valid);
    assert_true(c.pool_used <= CONFIG_POOL);
}

/* A section that cannot become a VM gives its texts' room back. */
static void test_left_out_sections_cost_no_room(void **state)
{
    static char config[4096];
    (void)state;
    assert_good(VM);
    uint32_t used = c.pool_used;
    fmt_print(config, sizeof(config), VM "[vm a]\nkernel = k2\ncmdline = long text\n");
    parse(config);
    assert_int_equal(e.count, 1);
    assert_int_equal(c.pool_used, used);
    assert_string_equal(text(c.vms[0].cmdline), "");
}

static void test_long_texts_are_cut_in_messages(void **state)
{
    static char config[4096];
    (void)state;
    size_t at = fmt_print(config, sizeof(config), VM "autostart = x");
    for (int i = 0; i < 200; i++)
        at += fmt_print(config + at, sizeof(config) - at, "\xe2\x82\xac");
    assert_error(config, 3, "\xe2\x82\xac...: must be");
    assert_true(strlen(e.list[0].text) < CONFIG_ERROR_TEXT);
}

static void collect(void *ctx, const char *s, size_t n)
{
    char *out = ctx;
    size_t used = strlen(out);
    assert_true(used + n < 4096);
    memcpy(out + used, s, n);
    out[used + n] = '\0';
}

static void test_describe_names_every_key(void **state)
{
    static const char *const words[] = {"[plinth]", "[vm NAME]", "slice",  "poweroff",
                                        "kernel",   "initrd",    "cmdline", "memory",
                                        "autostart", "default 10ms", "required", "cpus",
                                        "modules",  "devices",  "on_reboot", "on_poweroff",
                                        "on_crash", "default restart", "weight", "cap", "pin"};
    static char all[4096];
    (void)state;
    all[0] = '\0';
    config_describe(collect, all);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_non_null(strstr(all, words[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_file_has_defaults),
        cmocka_unit_test(test_full_file),
        cmocka_unit_test(test_console_keys),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_unknown_words_get_a_guess),
        cmocka_unit_test(test_section_errors),
        cmocka_unit_test(test_key_errors),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_errors_stay_in_their_section),
        cmocka_unit_test(test_errors_are_sorted_by_line),
        cmocka_unit_test(test_many_errors_are_counted),
        cmocka_unit_test(test_many_vms),
        cmocka_unit_test(test_pool_is_bounded),
        cmocka_unit_test(test_left_out_sections_cost_no_room),
        cmocka_unit_test(test_long_texts_are_cut_in_messages),
        cmocka_unit_test(test_describe_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
