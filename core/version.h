/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of the hypervisor, as it is printed and as guests' SMBIOS tables give it.
 */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define PLINTH_VERSION "0.1"
#define PLINTH_DATE    "11/21/2026" /* month/day/year, of that version */

#endif
