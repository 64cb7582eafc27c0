/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a vCPU goes to sleep and is woken, as docs/scheduler.md has it: one vCPU, two CPUs that may
 * run it, wakers that run elsewhere. A CPU's plain stores wait in a buffer until a fence or until
 * they please, as on x86. Shown: no request is left unseen, the vCPU is never queued twice, and
 * never run by one CPU before the other let go of it.
 *
 * Each of these, defined, leaves out something that the protocol cannot do without, and the model
 * must then fail: NO_FENCE_AT_SLEEP, NO_FENCE_AT_START, NO_FENCE_AT_IDLE, NO_RECHECK, NO_CAS,
 * NO_KICK, LATE_RELEASE.
 */
#define CPUS   2
#define WAKERS 2
#define ROUNDS 2

#define RUNNABLE 0 /* on a queue, or on its way there */
#define RUNNING  1
#define BLOCKED  2

byte state = RUNNABLE;
bool requests;     /* one bit stands for all */
byte running_on;
byte holder;       /* 1 + the CPU that has its registers; 0: all is in memory */
byte queue[CPUS];
bool idle[CPUS];
bool kick[CPUS];   /* an interrupt that is pending */

/* The store buffers: state and idle are all that is stored without a lock. */
bool state_waits[CPUS], idle_waits[CPUS];
byte state_new[CPUS];

inline store_state(c, value)
{
    atomic { !state_waits[c] -> state_new[c] = value; state_waits[c] = true }
}

inline fence(c)
{
    !state_waits[c] && !idle_waits[c]
}

proctype buffer(byte c)
{
end:
    do
    :: atomic { state_waits[c] -> state = state_new[c]; state_waits[c] = false }
    :: atomic { idle_waits[c] -> idle[c] = true; idle_waits[c] = false }
    od
}

/* The lock of the queue is a fence too. */
inline enqueue(c)
{
    atomic { queue[c]++; assert(queue[0] + queue[1] == 1) }
}

proctype cpu(byte c)
{
    bool won;
pick:
    fence(c);
    if
    :: atomic { queue[c] > 0 -> queue[c]-- }; goto start
    :: atomic { queue[1 - c] > 0 -> queue[1 - c]-- }; goto start /* stolen */
    :: queue[c] == 0
    fi;

    /* Nobody to run: the same dance as a vCPU's sleep, with the queue as the request. */
    idle_waits[c] = true;
#ifndef NO_FENCE_AT_IDLE
    fence(c);
#endif
    if
    :: queue[c] > 0
    :: queue[c] == 0 ->
end_idle:
        atomic { kick[c] -> kick[c] = false } /* STI; HLT */
    fi;
    fence(c);
    idle[c] = false;
    goto pick;

start:
    atomic { assert(holder == 0); holder = c + 1; running_on = c }
    store_state(c, RUNNING);
#ifndef NO_FENCE_AT_START
    fence(c);
#endif
look:
    requests = false; /* taken and carried out */
    if
    :: goto sleep
    :: goto preempted
    :: skip
    fi;
    /* In the guest. Interrupts were off since the look, so a kick since then ends it at once. */
end_guest:
    atomic { kick[c] -> kick[c] = false };
    goto look;

preempted:
    holder = 0;
    store_state(c, RUNNABLE);
    fence(c);
    enqueue(c);
    goto pick;

sleep:
#ifndef LATE_RELEASE
    holder = 0;
#endif
    store_state(c, BLOCKED);
#ifndef NO_FENCE_AT_SLEEP
    fence(c);
#endif
#ifdef LATE_RELEASE
    holder = 0;
#endif
#ifndef NO_RECHECK
    if
    :: requests ->
        fence(c); /* compare-and-swap */
#ifndef NO_CAS
        atomic { won = state == BLOCKED; if :: won -> state = RUNNABLE :: else fi };
#else
        atomic { won = true; state = RUNNABLE };
#endif
        if
        :: won -> enqueue(c)
        :: else /* a waker was faster and has queued it */
        fi
    :: !requests
    fi;
#endif
    goto pick;
}

proctype waker()
{
    byte rounds, seen, where;
    bool won;
    do
    :: rounds < ROUNDS ->
        rounds++;
        requests = true; /* locked: a fence */
        seen = state;
        if
        :: seen == BLOCKED ->
            atomic { won = state == BLOCKED; if :: won -> state = RUNNABLE :: else fi };
            if
            :: won ->
                if
                :: where = 0
                :: where = 1
                fi;
                enqueue(where);
                if
                :: idle[where] -> kick[where] = true
                :: !idle[where]
                fi
            :: else /* it was woken by another, and will look at requests when it starts */
            fi
        :: seen == RUNNING ->
#ifndef NO_KICK
            where = running_on;
            kick[where] = true
#else
            skip
#endif
        :: seen == RUNNABLE /* it will look when it starts */
        fi
    :: rounds == ROUNDS -> break
    od
}

/* When nothing moves any more: nothing asked for, nobody waiting. */
proctype judge()
{
    timeout ->
        assert(!requests);
        assert(queue[0] + queue[1] == 0);
        assert(state != RUNNABLE)
}

init
{
    byte i;
    atomic {
        queue[0] = 1;
        i = 0;
        do
        :: i < CPUS -> run cpu(i); run buffer(i); i++
        :: i == CPUS -> break
        od;
        i = 0;
        do
        :: i < WAKERS -> run waker(); i++
        :: i == WAKERS -> break
        od;
        run judge()
    }
}
