/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * echo: says what is typed at its serial port, a line at a time, each byte as a number behind it;
 * "bye" ends it. Have open: the data sheet of the 16550.
 */
#include "core/lib/string.h"
#include "guests/lib/guest.h"

#define COM1     0x3f8
#define LSR      (COM1 + 5)
#define LSR_DATA 0x01
#define FCR      (COM1 + 2)
#define LOOK_NS  UINT64_C(2000000) /* how often it looks for a byte */

static char next_byte(void)
{
    while (!(in8(LSR) & LSR_DATA))
        plinth_YIELD((uint64_t)plinth_TIME() + LOOK_NS);
    return (char)in8(COM1);
}

int guest_main(const char *cmdline)
{
    char line[80];
    (void)cmdline;
    out8(FCR, 0x01); /* its FIFO */
    guest_print("echo: say something\n");
    for (;;) {
        size_t n = 0;
        for (char c; (c = next_byte()) != '\r';)
            if (n < sizeof(line) - 1)
                line[n++] = c;
        line[n] = '\0';
        guest_print("echo: '%s'", line);
        for (size_t i = 0; i < n; i++)
            guest_print(" %02x", (unsigned char)line[i]);
        guest_print("\n");
        if (str_eq(line, "bye"))
            return 0;
    }
}
