/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may give orders: the console's password, the wait after a wrong one, the lock of a console
 * where nobody types. What the terminal looks like meanwhile is console_lock.c's. Boot CPU only,
 * but for access_locked().
 */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include "core/lib/bits.h"

/* The stored form of a password (core/password.h). True: there is one, to be asked for from now on,
 * and again after idle ticks without a key (0: never). */
bool access_set(const char *stored, uint64_t idle);
/* Nobody may give orders. Any CPU. */
bool access_locked(void);
/* From now on nobody may. */
void access_lock(void);
/* Somebody wants it locked, as soon as that can be. False: there is no password. */
bool access_ask_lock(void);
bool access_lock_asked(void);
/* TSC at which it has to be locked when the last key was typed at typed_at; UINT64_MAX: not. */
uint64_t access_lock_at(uint64_t typed_at);

/* A password has been typed, which is looked at in pieces: access_poll() until it says that that is
 * over (true). Then access_locked() has the answer. */
void access_try(const char *typed);
bool access_trying(void);
bool access_poll(void);
/* TSC at which the next key counts: after a wrong password 1 s, 2 s, and so on to a minute. */
uint64_t access_next_try(void);

#endif
