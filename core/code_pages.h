/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs with the iTLB multihit flaw must not meet an executable large page that a guest can change
 * under them: there, a guest's large pages cannot be executed until the first try, which makes
 * small ones of them.
 */
#ifndef CORE_CODE_PAGES_H
#define CORE_CODE_PAGES_H

#include "core/exit.h"
#include "mm/types.h"

struct vm;

/* RADIX_* for `size` bytes of a VM's RAM, mapped at once. */
uint64_t code_pages_perms(uint64_t size);
/* v has tried to execute at gpa. OUTCOME_RETRY: it may now; OUTCOME_ADVANCE: that is not RAM, and
 * none of this file's business; OUTCOME_STOP: no memory for a table. */
enum outcome code_pages_split(struct vcpu *v, gpa_t gpa);

#endif
