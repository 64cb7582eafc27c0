/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The password's state. A hash takes thousands of iterations, so it is made in pieces between other
 * work.
 */
#include "core/access.h"

#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/password.h"

#define STEP        32 /* iterations between two looks at everything else */
#define WAIT_LONGEST 60 /* seconds */

static struct {
    bool wanted, locked;        /* a password is configured; it is asked for now */
    bool asked;                 /* to be locked */
    bool trying;
    struct password stored;
    struct pbkdf2 work;
    unsigned wrong;             /* in a row */
    uint64_t next_try;          /* TSC */
    uint64_t idle;              /* TSC ticks without a key; 0: any number */
} access;

bool access_set(const char *stored, uint64_t idle)
{
    access.wanted = password_parse(stored, &access.stored);
    access.idle = idle;
    return access.wanted;
}

bool access_locked(void)
{
    return access.locked;
}

void access_lock(void)
{
    access.asked = false;
    access.locked = true;
}

bool access_ask_lock(void)
{
    access.asked = access.wanted && !access.locked;
    return access.wanted;
}

bool access_lock_asked(void)
{
    return access.asked;
}

uint64_t access_lock_at(uint64_t typed_at)
{
    return access.wanted && !access.locked && access.idle ? typed_at + access.idle : UINT64_MAX;
}

void access_try(const char *typed)
{
    pbkdf2_begin(&access.work, typed, strlen(typed), access.stored.salt, access.stored.salt_len,
                 access.stored.iterations);
    access.trying = true;
}

bool access_trying(void)
{
    return access.trying;
}

static void judge(void)
{
    if (password_matches(&access.stored, &access.work)) {
        log_info("console: unlocked%s", access.wrong ? " after wrong passwords" : "");
        access.wrong = 0;
        access.locked = false;
        return;
    }
    uint64_t seconds = access.wrong < 6 ? 1u << access.wrong : WAIT_LONGEST;
    access.next_try = host_now() + host_ns_to_tsc(seconds * UINT64_C(1000000000));
    log_warn("console: wrong password, %u in a row", ++access.wrong);
}

bool access_poll(void)
{
    if (!access.trying || !pbkdf2_step(&access.work, STEP))
        return false;
    access.trying = false;
    judge();
    return true;
}

uint64_t access_next_try(void)
{
    return access.locked ? access.next_try : 0;
}
