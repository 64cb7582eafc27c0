/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four kinds of address, as distinct types, so that the compiler refuses to mix them:
 * gva_t guest-virtual (linear), gpa_t guest-physical, hpa_t host-physical; host-virtual addresses
 * are plain pointers.
 */
#ifndef MM_TYPES_H
#define MM_TYPES_H

#include "core/lib/bits.h"

typedef struct {
    uint64_t v;
} gva_t;

typedef struct {
    uint64_t v;
} gpa_t;

typedef struct {
    uint64_t v;
} hpa_t;

#define GVA(x)        ((gva_t){(x)})
#define GPA(x)        ((gpa_t){(x)})
#define HPA(x)        ((hpa_t){(x)})

#define PAGE_SHIFT    12
#define PAGE_SIZE     UINT64_C(0x1000)
#define PAGE_SIZE_2M  UINT64_C(0x200000)
#define PAGE_SIZE_1G  UINT64_C(0x40000000)
#define PAGE_MASK     (~(PAGE_SIZE - 1))
#define KIB(n)        ((uint64_t)(n) << 10)
#define MIB(n)        ((uint64_t)(n) << 20)
#define GIB(n)        ((uint64_t)(n) << 30)

#endif
