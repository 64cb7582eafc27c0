/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the control channel are to each other; for core/control*.c alone. The session
 * is control.c's. Boot CPU, no locks held, where nothing else is said.
 */
#ifndef CORE_CONTROL_PARTS_H
#define CORE_CONTROL_PARTS_H

#include "core/frame.h"
#include "core/lib/lock.h"

#define CONTROL_PIECE 512 /* bytes of answers and of what is printed: a frame each */

/* --- control_line.c: out. Each takes its lock. --- */
void control_send(uint8_t type, uint8_t seq, uint16_t channel, const void *payload, size_t len);
/* The answer to a request that makes no sense. */
void control_send_error(const struct frame *f, const char *why);
/* A byte, 0 for good, then text. */
void control_send_result(uint8_t type, const struct frame *f, uint16_t channel, bool good,
                         const char *text);
/* Sends what is collected: at once, or if the line has little else to do. */
void control_flush(void);
void control_flush_idle(void);
/* A program is there: what is printed has to leave room for answers. */
void control_open_line(bool on);
/* It wants what is printed. */
void control_want_log(bool on);

/* --- requests; each answers by itself --- */
/* u32 id, not 0, and the line. The same id again is not run again. */
void control_on_command(const struct frame *f);
/* u8 what, then the VM's name. Answer: its channel, u8 0 for done, text. */
void control_on_subscribe(const struct frame *f);
/* Bytes for the VM's console. Answer: u16, how many its serial port has taken; the program sends
 * the rest under a new sequence number. */
void control_on_input(const struct frame *f);
/* u32 size, u32 CRC-32 of all of it, name. Answer: u8 0 for go on, text. */
void control_on_push(const struct frame *f);
/* u32 offset, bytes. Answer: u8 enum store_state, u32 the offset that is wanted next, text. */
void control_on_data(const struct frame *f);

/* --- control_command.c --- */
/* A command that goes on says more. */
void control_command_poll(void);
/* The machine ends: the command that does it is answered. */
void control_command_end(void);
/* The session is over: nobody wants the rest. */
void control_command_drop(void);

/* --- control_console.c --- */
void control_console_close(void);
/* Tells the program when the VM has ended, or is not what it was. */
void control_console_check(void);

#endif
