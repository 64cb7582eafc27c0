/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The message of a panic; what the machine has to add comes from host_panic_end().
 */
#include "core/panic.h"

#include "core/host.h"
#include "core/lib/fmt.h"
#include "core/log.h"
#include "core/report.h"
#include "core/vm.h"

void panic(const char *format, ...)
{
    va_list args;
    if (!host_panic_begin())
        host_panic_end();
    log_set_output(NULL);
    fmt_write(log_sink, NULL, "\nplinth: panic: ");
    va_start(args, format);
    fmt_vwrite(log_sink, NULL, format, args);
    va_end(args);
    fmt_write(log_sink, NULL, "\n");
    const struct vcpu *v = host_current_vcpu();
    if (v) {
        fmt_write(log_sink, NULL, "  vm %s, vCPU %u\n", v->vm->name, v->index);
        report_trail(v, log_sink, NULL);
    }
    host_panic_end();
}
