/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: what its files share.
 */
#ifndef GUESTS_POLICY_POLICY_H
#define GUESTS_POLICY_POLICY_H

#include "guests/lib/test.h"

#define UD 6
#define GP 13
#define NONE GUEST_NO_EXCEPTION

void policy_msrs(void);  /* msr.c */
void policy_xsave(void); /* xsave.c */

#endif
