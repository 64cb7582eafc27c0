#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A person at a terminal of his own, with `tools/plinth ctl`: each of its live verbs in a real
pseudo-terminal, against a machine that runs the guests echo and counter.

    ctl_terminal.py SOCKET      a line for what was seen; exit status 1 at what was not
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "tools", "plinth")
PATIENCE = 60 * float(os.environ.get("PLINTH_PATIENCE", 1))


class Wrong(Exception):
    pass


class Terminal:
    """A shell's part: a terminal with a mode, and a program in it."""

    def __init__(self, where, *words):
        self.master, self.slave = os.openpty()
        self.resize(25, 80)
        self.mode = termios.tcgetattr(self.slave)
        self.words, self.text, self.at = " ".join(words), "", 0
        self.process = subprocess.Popen(
            [TOOL, "ctl", "--to", where, *words], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, preexec_fn=self._take)

    def _take(self):
        """It is its session's terminal, so that Ctrl-C and a new size are signals."""
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def is_raw(self):
        """No key is a signal, none is held back until the line's end."""
        return not termios.tcgetattr(self.slave)[3] & (termios.ISIG | termios.ICANON)

    def _read(self, until):
        """False: nothing came until then, or for a second."""
        ready = select.select([self.master], [], [], min(1, max(0, until - time.monotonic())))[0]
        if ready:
            self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        return bool(ready)

    def wait(self, regex):
        until = time.monotonic() + PATIENCE
        while True:
            found = re.compile(regex, re.M).search(self.text, self.at)
            if found:
                self.at = found.end()
                return found
            ended = self.process.poll()
            if self._read(until if ended is None else 0):
                continue
            if ended is not None:
                raise Wrong(f"{self.words}: ends with {ended} and does not show {regex!r}: "
                            f"{self.text[self.at:]!r}")
            if time.monotonic() >= until:
                raise Wrong(f"{self.words}: does not show {regex!r}: {self.text[self.at:]!r}")

    def skip(self):
        """What has come until now is not looked at."""
        while self._read(0):
            pass
        self.at = len(self.text)

    def end(self, status):
        """It ends so, and leaves the terminal as it was."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < until:
            self._read(min(until, time.monotonic() + 0.1))
        if self.process.poll() != status:
            raise Wrong(f"{self.words}: exit status {self.process.poll()}, not {status}: "
                        f"{self.text[self.at:]!r}")
        if termios.tcgetattr(self.slave) != self.mode:
            raise Wrong(f"{self.words}: leaves the terminal in another mode")
        os.close(self.master)
        os.close(self.slave)


def attach(where):
    t = Terminal(where, "attach", "echo")
    t.wait("attached to echo; Ctrl-] leaves it")
    if not t.is_raw():
        raise Wrong("attach: says that keys go to the guest while they are still the terminal's")
    # What a terminal would keep for itself goes to the guest: Ctrl-C, Ctrl-Z, Ctrl-D, an arrow.
    t.type(b"ab\x03\x1a\x04\x1b[A\r")
    t.wait(r"^echo: '.*' 61 62 03 1a 04 1b 5b 41\r?$")
    t.resize(10, 40)
    t.type(b"after a new size\r")
    t.wait(r"^echo: 'after a new size' ")
    t.type(b"x" * 300 + b"\r")      # more than its serial port holds
    t.wait(r"^echo: 'x{79}' ")
    t.type(b"last words\r\x1d")     # one read() may have both: the machine's console shows them
    t.end(0)


def attach_signals(where):
    """What ends it from outside leaves the terminal as it was, too."""
    t = Terminal(where, "attach", "counter")
    t.wait(r"counter: tick \d+")
    t.process.send_signal(signal.SIGINT)
    t.end(130)
    t = Terminal(where, "attach", "counter")
    t.wait(r"counter: tick \d+")
    t.process.terminate()
    t.end(143)


def attach_until_the_end(where):
    t = Terminal(where, "attach", "echo")
    t.wait("Ctrl-] leaves it")
    t.type(b"bye\r")
    t.wait("echo has ended: ended well|echo has ended: exit by hypercall")
    t.end(0)


def top(where):
    t = Terminal(where, "top", "--every", "0.2")
    t.wait(r"\x1b\[H.*\x1b\[K\r\n")
    t.wait(r"counter")
    t.resize(4, 60)     # three rows and the cursor's
    t.skip()
    for _ in range(2):  # the first may have been begun before
        picture = t.wait(r"\x1b\[H((?:(?!\x1b\[H)[\s\S])*)\x1b\[J").group(1)
    if picture.count("\n") > 3:
        raise Wrong(f"top: {picture!r} in a terminal of four rows")
    t.type(b"\x03")
    t.end(0)


def watch(where):
    t = Terminal(where, "watch")
    t.wait(r"^\[counter\] counter: tick \d+\r?$")
    t.resize(50, 132)
    t.wait(r"^\[counter\] counter: tick \d+\r?$")
    t.type(b"\x03")
    t.end(0)


def two_at_once(where):
    t = Terminal(where, "top", "--every", "0.2")
    t.wait("counter")
    second = Terminal(where, "vm", "list")
    second.wait("another program has this line, which is for one at a time")
    second.end(4)
    t.wait(r"\x1b\[H")
    t.wait("counter")
    t.type(b"\x03")
    t.end(0)
    third = Terminal(where, "vm", "list")
    third.wait(r"counter +running")
    third.end(0)


def main():
    where = sys.argv[1]
    try:
        for part in (attach, attach_signals, top, watch, two_at_once, attach_until_the_end):
            part(where)
            print(f"{part.__name__}: fine", flush=True)
    except Wrong as wrong:
        print(wrong)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
