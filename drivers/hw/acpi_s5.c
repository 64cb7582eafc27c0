/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the \_S5_ package in the bytes of a DSDT or SSDT. PURE. Firmware is hostile input: nothing
 * is read beyond the table. Have open: ACPI Specification, "ACPI Machine Language (AML)
 * Specification".
 */
#include "drivers/hw/acpi_s5.h"

#include "core/lib/string.h"

/* Encodings that the package is made of. */
#define AML_ZERO         0x00
#define AML_ONE          0x01
#define AML_NAME         0x08
#define AML_BYTE         0x0a
#define AML_WORD         0x0b
#define AML_DWORD        0x0c
#define AML_PACKAGE      0x12
#define AML_ROOT         0x5c /* the prefix '\' */
#define SLP_TYP_MAX      7u   /* three bits of PM1 control */

/* An AML integer at *at; steps over it. */
static bool take_integer(struct bytes aml, size_t *at, uint32_t *v)
{
    size_t left = aml.n - *at;
    const uint8_t *p = aml.p + *at;
    size_t size;
    if (left == 0)
        return false;
    switch (p[0]) {
    case AML_ZERO:
    case AML_ONE:
        *v = p[0];
        size = 1;
        break;
    case AML_BYTE:
        size = 2;
        break;
    case AML_WORD:
        size = 3;
        break;
    case AML_DWORD:
        size = 5;
        break;
    default:
        return false;
    }
    if (left < size)
        return false;
    if (size > 1)
        *v = size == 2 ? p[1] : size == 3 ? get16(p + 1) : get32(p + 1);
    *at += size;
    return true;
}

/* Reads Package (n) {SLP_TYPa, SLP_TYPb, ...} at `at`. */
static bool read_s5_package(struct bytes aml, size_t at, uint8_t *typ_a, uint8_t *typ_b)
{
    uint32_t a, b = 0;
    if (aml.n - at < 3 || aml.p[at] != AML_PACKAGE)
        return false;
    at += 2 + (aml.p[at + 1] >> 6); /* PkgLength has up to three more bytes */
    if (at >= aml.n)
        return false;
    uint8_t elements = aml.p[at++];
    if (elements == 0 || !take_integer(aml, &at, &a))
        return false;
    if (elements == 1) /* some firmware packs both values into one word */
        b = a >> 8 & 0xff, a &= 0xff;
    else if (!take_integer(aml, &at, &b))
        return false;
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX)
        return false;
    *typ_a = (uint8_t)a;
    *typ_b = (uint8_t)b;
    return true;
}

/* Without an AML interpreter the package is found by the bytes of its Name operator. The scan may
 * meet the same bytes inside a string; what follows has to look like the package too. */
bool acpi_find_s5(struct bytes aml, uint8_t *typ_a, uint8_t *typ_b)
{
    for (size_t i = 1; i + 4 <= aml.n; i++) {
        if (memcmp(aml.p + i, "_S5_", 4) != 0)
            continue;
        bool named = aml.p[i - 1] == AML_NAME ||
                     (i >= 2 && aml.p[i - 1] == AML_ROOT && aml.p[i - 2] == AML_NAME);
        if (named && read_s5_package(aml, i + 4, typ_a, typ_b))
            return true;
    }
    return false;
}
