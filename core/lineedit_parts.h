/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the two files of the line editor; nobody else includes this. Positions are bytes.
 */
#ifndef CORE_LINEEDIT_PARTS_H
#define CORE_LINEEDIT_PARTS_H

#include "core/lineedit.h"

/* lineedit.c: drawing and changing. */
size_t lineedit_after(const struct lineedit *e, size_t at);
size_t lineedit_before(const struct lineedit *e, size_t at);
void lineedit_put(struct lineedit *e, const char *text, size_t len);
void lineedit_redraw(struct lineedit *e);
void lineedit_bell(struct lineedit *e);
void lineedit_insert(struct lineedit *e, const char *text, size_t len);
/* keep: Ctrl-Y brings it back. */
void lineedit_cut(struct lineedit *e, size_t from, size_t to, bool keep);
void lineedit_set(struct lineedit *e, const char *text, size_t len);
void lineedit_move(struct lineedit *e, size_t to);

/* lineedit_keys.c: what keys mean. */
enum lineedit_result lineedit_control(struct lineedit *e, char c, bool tabbed);
/* The last byte of ESC [ or ESC O; e->parameter has the numbers. */
enum lineedit_result lineedit_sequence(struct lineedit *e, char c);
/* ESC and this. */
enum lineedit_result lineedit_meta(struct lineedit *e, char c);
/* A printable key while Ctrl-R searches. */
void lineedit_search_key(struct lineedit *e, char c);

#endif
