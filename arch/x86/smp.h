/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the other CPUs.
 */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "core/lib/bits.h"

#endif
