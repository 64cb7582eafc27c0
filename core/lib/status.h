/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The result of anything that can fall short of the machine or of memory (blueprint: error class
 * 3). Guest mistakes are never reported this way: those raise an exception or stop the VM.
 */
#ifndef CORE_LIB_STATUS_H
#define CORE_LIB_STATUS_H

enum pl_status {
    PL_OK = 0,
    PL_NO_MEMORY,   /* a pool or a fixed table is exhausted */
    PL_INVALID,     /* an argument or some input breaks a rule; the caller has said which */
    PL_NOT_FOUND,   /* a name, table or device that is not there */
    PL_UNSUPPORTED, /* the machine cannot do it */
    PL_BUSY,        /* in a state that does not allow it now */
};

#endif
