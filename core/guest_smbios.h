/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SMBIOS tables a guest finds: who made this machine, and when. PURE: fills the caller's
 * buffer, which the caller copies to guest memory. Linux asks them whether PCI's configuration
 * ports work on a machine without PCI devices (from a BIOS of 2001 on it takes them to), and its
 * first lines name what it runs on. Have open: DMTF DSP0134, "Accessing SMBIOS information" and
 * "Structure definitions".
 */
#ifndef CORE_GUEST_SMBIOS_H
#define CORE_GUEST_SMBIOS_H

#include "core/lib/bits.h"

#define GUEST_SMBIOS_AT   0xf0000u /* guest-physical; the entry point is looked for from here on */
#define GUEST_SMBIOS_ROOM 512      /* bytes that suffice for texts of 64 bytes */

/* Texts of 1 to 64 printable ASCII characters. */
struct guest_smbios_config {
    const char *vendor, *product, *version;
    const char *date; /* of the version, MM/DD/YYYY */
};

/* Builds the tables in buf[size], which will lie at GUEST_SMBIOS_AT. Returns the bytes used, or 0:
 * size is not enough, or a text is empty or too long. */
MUST_CHECK size_t guest_smbios_build(uint8_t *buf, size_t size,
                                     const struct guest_smbios_config *c);

#endif
