/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets of C structures for assembly: compiled to assembly text, from which the Makefile makes
 * build/include/asm_offsets.h. Never linked.
 */
#include "arch/x86/percpu.h"
#include "core/vcpu.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %c0\"" : : "i"(value))

void asm_offsets(void);
void asm_offsets(void)
{
    DEFINE(VCPU_HOST_RSP, offsetof(struct vcpu, host_rsp));
    DEFINE(VCPU_GPR_RAX, offsetof(struct vcpu, gpr[GPR_RAX]));
    DEFINE(VCPU_GPR_RCX, offsetof(struct vcpu, gpr[GPR_RCX]));
    DEFINE(VCPU_GPR_RDX, offsetof(struct vcpu, gpr[GPR_RDX]));
    DEFINE(VCPU_GPR_RBX, offsetof(struct vcpu, gpr[GPR_RBX]));
    DEFINE(VCPU_GPR_RBP, offsetof(struct vcpu, gpr[GPR_RBP]));
    DEFINE(VCPU_GPR_RSI, offsetof(struct vcpu, gpr[GPR_RSI]));
    DEFINE(VCPU_GPR_RDI, offsetof(struct vcpu, gpr[GPR_RDI]));
    DEFINE(VCPU_GPR_R8, offsetof(struct vcpu, gpr[GPR_R8]));
    DEFINE(VCPU_GPR_R9, offsetof(struct vcpu, gpr[GPR_R9]));
    DEFINE(VCPU_GPR_R10, offsetof(struct vcpu, gpr[GPR_R10]));
    DEFINE(VCPU_GPR_R11, offsetof(struct vcpu, gpr[GPR_R11]));
    DEFINE(VCPU_GPR_R12, offsetof(struct vcpu, gpr[GPR_R12]));
    DEFINE(VCPU_GPR_R13, offsetof(struct vcpu, gpr[GPR_R13]));
    DEFINE(VCPU_GPR_R14, offsetof(struct vcpu, gpr[GPR_R14]));
    DEFINE(VCPU_GPR_R15, offsetof(struct vcpu, gpr[GPR_R15]));
}
