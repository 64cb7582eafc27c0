/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the gdb stub are to each other; for core/gdb*.c alone. Boot CPU, no locks held.
 * Each gdb_packet_*() takes a packet's text behind its letter or name, which is hostile, and
 * answers; but for "query" they need a VM that stands still (debug_stopped()).
 */
#ifndef CORE_GDB_PARTS_H
#define CORE_GDB_PARTS_H

#include "core/gdb_packet.h"
#include "core/gdb_target.h"

struct vcpu;

#define GDB_ERROR "E01"
#define GDB_ALL   (-1) /* threads */

struct gdb_stub {
    struct gdb_tx tx;   /* the last answer: gdb may want it again */
    bool wide;          /* gdb was told of 64-bit registers */
    bool runs;          /* it waits for a stop */
    unsigned general;   /* the vCPU that g, m and the like mean */
    int step_thread;    /* of the last Hc; GDB_ALL */
    char xml[GDB_XML_MAX];
};
extern struct gdb_stub gdb;

/* --- gdb.c --- */
/* What has been put into gdb.tx. */
void gdb_send(void);
void gdb_answer(const char *text);
/* vCPU i of the VM in gdb's hands, or NULL. */
struct vcpu *gdb_vcpu(unsigned i);

/* --- gdb_state.c --- */
void gdb_packet_registers(void);
void gdb_packet_set_registers(const char *at);
void gdb_packet_register(const char *at);
void gdb_packet_set_register(const char *at);
void gdb_packet_read(const char *at);
/* M: hexadecimal; X: binary with escapes. */
void gdb_packet_write(char *data, size_t size, bool binary);
/* Z and z: "kind,address,size". */
void gdb_packet_break(const char *at, bool set);

/* --- gdb_run.c --- */
/* A thread number, "-1" or "0" (any) at *at, as a vCPU's index or GDB_ALL. False: nonsense. */
bool gdb_thread(const char **at, int *out);
/* "T05thread:1;swbreak:;" */
void gdb_say_stop(void);
/* c and s, of the thread that Hc named. A step leaves all others where they are. */
void gdb_packet_go(bool step);
/* vCont;ACTION[:THREAD];...: the first that fits a thread counts; none: it stays. */
void gdb_packet_vcont(const char *text);
void gdb_packet_thread(const char *at);
void gdb_packet_alive(const char *at);

/* --- gdb_query.c --- */
void gdb_packet_query(char *p);
/* "monitor LINE" in gdb: the line is a command of Plinth's console. False: its answer is not out
 * yet; call again with the same packet. */
bool gdb_packet_monitor(const char *at);

#endif
