/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which flaws a CPU has. A CPU that does not speak for itself in IA32_ARCH_CAPABILITIES has those
 * of its kind. PURE.
 */
#include "arch/x86/flaws.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"

/* Models of family 6 that are not of the Core line: in-order or small cores, Xeon Phi. They have
 * neither L1TF nor the iTLB multihit, and say in IA32_ARCH_CAPABILITIES if they learned to. */
static const uint8_t other_lines[] = {
    0x1c, 0x26, 0x27, 0x35, 0x36,       /* Bonnell, Saltwell */
    0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5d, /* Silvermont, Airmont */
    0x5c, 0x5f, 0x7a,                   /* Goldmont */
    0x86, 0x96, 0x9c,                   /* Tremont */
    0x57, 0x85,                         /* Xeon Phi */
};

static const struct {
    const char *name, *against;
} names[REMEDY_COUNT] = {
    [REMEDY_IBPB] = {"IBPB between VMs", "branch predictors that another VM has trained"},
    [REMEDY_L1D] = {"L1D flush between VMs", "L1TF: reading the L1 data cache across VMs"},
    [REMEDY_VERW] = {"VERW between VMs", "MDS, TAA, RFDS: reading the CPU's buffers"},
    [REMEDY_SMALL_CODE] = {"code in 4K EPT pages only",
                           "iTLB multihit: a guest stops the machine"},
};

static bool core_line(const struct flaws_raw *raw)
{
    uint32_t family = raw->signature >> 8 & 15;
    uint8_t model = (uint8_t)((raw->signature >> 4 & 15) | (raw->signature >> 12 & 0xf0));
    if (!raw->intel || family != 6)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(other_lines); i++)
        if (other_lines[i] == model)
            return false;
    return true;
}

/* Whether the CPU's buffers can be read. MDS_NO speaks of loads and stores; TSX aborts, MMIO and
 * the register file have bits of their own. */
static bool leaks_buffers(const struct flaws_raw *raw)
{
    const uint64_t mmio = ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO;
    uint64_t c = raw->capabilities;
    return !(c & ARCH_CAP_MDS_NO) || ((raw->ebx & CPUID_7_EBX_RTM) && !(c & ARCH_CAP_TAA_NO)) ||
           ((c & ARCH_CAP_FB_CLEAR) && (c & mmio) != mmio) || (c & ARCH_CAP_RFDS_CLEAR);
}

static enum remedy_state judge(bool needed, bool have, bool off)
{
    if (!needed)
        return REMEDY_UNNEEDED;
    if (!have)
        return REMEDY_MISSING;
    return off ? REMEDY_OFF : REMEDY_ON;
}

void flaws_judge(const struct flaws_raw *raw, bool off, struct remedy_row row[REMEDY_COUNT])
{
    uint64_t c = raw->capabilities;
    bool core = core_line(raw);
    for (unsigned i = 0; i < REMEDY_COUNT; i++)
        row[i] = (struct remedy_row){names[i].name, names[i].against, REMEDY_UNNEEDED};
    /* Predictors are shared by all that runs on a core: no bit says that they are not. */
    row[REMEDY_IBPB].state = judge(true, raw->edx & CPUID_7_EDX_SPEC_CTRL, off);
    row[REMEDY_L1D].state =
        judge(core && !(c & ARCH_CAP_RDCL_NO), raw->edx & CPUID_7_EDX_L1D_FLUSH, off);
    row[REMEDY_VERW].state = judge(raw->intel && leaks_buffers(raw),
                                   (raw->edx & CPUID_7_EDX_MD_CLEAR) ||
                                       (c & (ARCH_CAP_FB_CLEAR | ARCH_CAP_RFDS_CLEAR)), off);
    row[REMEDY_SMALL_CODE].state = judge(core && !(c & ARCH_CAP_PSCHANGE_MC_NO), true, off);
}

const char *remedy_state_name(enum remedy_state state)
{
    static const char *const name[] = {
        [REMEDY_UNNEEDED] = "not needed",
        [REMEDY_ON] = "on",
        [REMEDY_OFF] = "OFF",
        [REMEDY_MISSING] = "NO MEANS",
    };
    return name[state];
}
