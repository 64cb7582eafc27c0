/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT: the pointer and the flushes. The tables themselves are mm/radix.c's with the radix_ept
 * format. SDM: "The Extended Page Table Mechanism (EPT)".
 */
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/vm.h"

#define EPTP_WB          6
#define EPTP_WALK_LENGTH (3 << 3) /* levels minus one */

uint64_t vmx_eptp(hpa_t root)
{
    /* Accessed and dirty flags stay off: nobody reads them yet, and setting them costs writes. */
    return root.v | EPTP_WALK_LENGTH | EPTP_WB;
}

void vmx_flush_vm(const struct vm *vm)
{
    const struct vmx_vm *xv = vm->arch;
    if (vmx_caps.invept_single)
        vmx_invept(INVEPT_SINGLE_CONTEXT, xv->eptp);
    else
        vmx_invept(INVEPT_ALL_CONTEXTS, 0);
}
