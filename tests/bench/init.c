/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first process of the Linux whose start tests/bench/boot-ratio measures: reads the TSC with
 * its first instruction, tells what the kernel's first instruction left in the environment (t0),
 * how long the CPU was idle, and switches the machine off. Freestanding, static; no library.
 */
#include <stddef.h>
#include <stdint.h>

#define SYS_READ    0
#define SYS_WRITE   1
#define SYS_OPEN    2
#define SYS_NANOSLEEP 35
#define SYS_MOUNT   165
#define SYS_REBOOT  169
#define MAGIC1      0xfee1dead
#define MAGIC2      0x28121969
#define POWER_OFF   0x4321fedc

void init(uint64_t tsc, char **stack);

/* The kernel leaves argc, argv, NULL, envp, NULL at RSP. */
__asm__(".globl _start\n"
        "_start: rdtsc\n\t"
        "shl $32, %rdx\n\t"
        "lea (%rax,%rdx), %rdi\n\t"
        "mov %rsp, %rsi\n\t"
        "and $-16, %rsp\n\t"
        "call init\n\t"
        "hlt");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static void say(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    call(SYS_WRITE, 1, (long)text, (long)n, 0, 0);
}

static void say_hex(uint64_t x)
{
    char text[17];
    for (int i = 15; i >= 0; i--, x >>= 4)
        text[i] = "0123456789abcdef"[x & 15];
    text[16] = 0;
    say(text);
}

static void say_file(const char *path)
{
    char text[256];
    long fd = call(SYS_OPEN, (long)path, 0, 0, 0, 0);
    long n = fd < 0 ? fd : call(SYS_READ, fd, (long)text, sizeof(text) - 1, 0, 0);
    text[n > 0 ? n : 0] = 0;
    say(text);
}

void init(uint64_t tsc, char **stack)
{
    static const int64_t seconds[2] = {2, 0};
    char **word = stack + 1;
    call(SYS_MOUNT, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
    say("\nboot-ratio: uptime ");
    say_file("/proc/uptime");
    while (*word) /* argv */
        word++;
    for (word++; *word; word++)
        if ((*word)[0] == 't' && (*word)[1] == '0' && (*word)[2] == '=') {
            say("boot-ratio: ");
            say(*word);
            say(" t1=");
            say_hex(tsc);
            say("\n");
        }
    call(SYS_NANOSLEEP, (long)seconds, 0, 0, 0, 0); /* the UART has not sent it all yet */
    call(SYS_REBOOT, (long)MAGIC1, MAGIC2, POWER_OFF, 0, 0);
    for (;;)
        ;
}
