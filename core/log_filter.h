/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which lines of the log somebody wants to see, by what a line says of itself. PURE. That a line
 * begins as it does is core/log.c's and core/lines.c's doing: a guest cannot forge it.
 */
#ifndef CORE_LOG_FILTER_H
#define CORE_LOG_FILTER_H

#include "core/lib/bits.h"

enum log_level {
    LOG_ALL,   /* guests' lines, too */
    LOG_INFO,  /* Plinth's own */
    LOG_WARN,  /* "plinth: warning: " */
    LOG_ERROR, /* "plinth: error: ", "plinth: panic: " */
};

struct log_filter {
    enum log_level level; /* at least */
    const char *vm;       /* what this VM prints, and what Plinth says of it; NULL: any */
};

bool log_filter_passes(const struct log_filter *f, const char *line, size_t len);
/* all, info, warn, error. False: no such level. */
bool log_level_parse(const char *text, enum log_level *level);

#endif
