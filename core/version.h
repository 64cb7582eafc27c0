/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of the hypervisor, as it is printed.
 */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define PLINTH_VERSION "0.1"

#endif
