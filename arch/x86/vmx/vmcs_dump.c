/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMCS as text, for reports on a VM that failed, and the names of VM-instruction errors. Reads
 * only fields which the CPU has. SDM: "VM-Instruction Error Numbers".
 */
#include "arch/x86/insn.h"
#include "arch/x86/vmx/entry_check.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/lib/string.h"

static const struct {
    const char *name;
    uint32_t encoding;
    uint8_t width;
} fields[] = {
#define VMCS_FIELD(name, encoding, width, access) {#name, encoding, width},
#include "arch/x86/vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

static const char *const errors[] = {
    [1] = "VMCALL in VMX root operation",
    [2] = "VMCLEAR with an invalid physical address",
    [3] = "VMCLEAR with the VMXON pointer",
    [4] = "VMLAUNCH with a VMCS that is not clear",
    [5] = "VMRESUME with a VMCS that is not launched",
    [6] = "VMRESUME after VMXOFF",
    [7] = "invalid control fields",
    [8] = "invalid host-state fields",
    [9] = "VMPTRLD with an invalid physical address",
    [10] = "VMPTRLD with the VMXON pointer",
    [11] = "VMPTRLD with a wrong VMCS revision",
    [12] = "VMREAD or VMWRITE of a field that does not exist",
    [13] = "VMWRITE to a read-only field",
    [15] = "VMXON in VMX root operation",
    [16] = "invalid executive-VMCS pointer",
    [17] = "executive VMCS not launched",
    [18] = "executive-VMCS pointer is not the VMXON pointer",
    [19] = "VMCALL with a VMCS that is not clear",
    [20] = "VMCALL with invalid exit controls",
    [22] = "VMCALL with a wrong MSEG revision",
    [23] = "VMXOFF under the dual-monitor treatment",
    [24] = "VMCALL with invalid SMM-monitor features",
    [25] = "invalid control fields in the executive VMCS",
    [26] = "entry with events blocked by MOV SS",
    [28] = "invalid operand to INVEPT or INVVPID",
};

const char *vmx_instruction_error(unsigned number)
{
    return number < ARRAY_LEN(errors) && errors[number] ? errors[number] : "unknown";
}

struct report {
    fmt_sink_fn *sink;
    void *ctx;
};

static void print_rule(void *ctx, const char *field, const char *rule)
{
    struct report *r = ctx;
    fmt_write(r->sink, r->ctx, "  rule broken: %s: %s\n", field, rule);
}

void vmx_dump(struct vcpu *v, fmt_sink_fn *sink, void *ctx)
{
    static struct vmcs_image image; /* too large for the stack; one CPU reports at a time */
    struct report r = {sink, ctx};
    bool exists[ARRAY_LEN(fields)];
    (void)v;
    memset(&image, 0, sizeof(image));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        exists[i] = vmcs_read_checked(fields[i].encoding, &image.value[i]);
    image.cr0_fixed0 = vmx_raw.cr0_fixed0;
    image.cr0_fixed1 = vmx_raw.cr0_fixed1;
    image.cr4_fixed0 = vmx_raw.cr4_fixed0;
    image.cr4_fixed1 = vmx_raw.cr4_fixed1;
    image.maxphyaddr = cpuid(0x80000008, 0).eax & 0xff;
    entry_check(&image, print_rule, &r);
    unsigned column = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!exists[i] || !image.value[i])
            continue;
        fmt_write(sink, ctx, "  %-32s %-18lx%s", fields[i].name, image.value[i],
                  ++column % 2 ? "" : "\n");
    }
    fmt_write(sink, ctx, "%s  (fields that are 0 are left out)\n", column % 2 ? "\n" : "");
}
