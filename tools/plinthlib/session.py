# SPDX-License-Identifier: BSD-2-Clause
"""One run of a machine: starts the engine, joins its serial port to the terminal, ends it.

The engine is put into a session of its own, is killed with its children however this program
ends, and dies with it even after SIGKILL (PR_SET_PDEATHSIG). What the run was worth is read from
the serial output: the hypervisor's last line, `plinth: end: N ended well, M failed`, or a line
that starts with `plinth: panic:`. Control sequences are stripped for matching only.
"""
import ctypes
import errno
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
import tty

from plinthlib import frame, relay
from plinthlib.base import OK, PANIC, TIMEOUT, VM_FAILED, say

CONTROL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
                     rb"|[\x00-\x08\x0b-\x1a\x1c-\x1f]")
END = re.compile(rb"^plinth: end: (\d+) ended well, (\d+) failed\s*$")
LINE_MAX = 8192
GRACE = 10.0        # seconds of silence after the last line, or in a panic report: it will not go
CTRL_C = b"\x03"
REBOOT = b"plinth: operator: reboot"
ALIVE = b"Plinth: alive"      # the first line of every start
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(Exception):
    """A signal asks us to end; args[0] is its number."""


class Verdict:
    """Reads lines as they come and remembers what the run was worth."""

    def __init__(self):
        self.panic = False
        self.failed = None      # VMs that failed, once the end line is there
        self.reboots = False    # firmware and boot loader take as long as they like
        self._partial = b""

    def feed(self, data):
        lines = re.split(rb"[\r\n]+", self._partial + data)
        self._partial = lines.pop()[-LINE_MAX:]
        for line in lines:
            self._line(line)

    def close(self):
        self._line(self._partial)
        self._partial = b""

    def _line(self, line):
        line = CONTROL.sub(b"", line)
        found = END.match(line)
        if found:
            self.failed = int(found.group(2))
        elif line == REBOOT:
            self.reboots = True
        elif line == ALIVE:
            # The end was a reboot's: this is the machine's next life.
            self.failed, self.reboots = None, False
        elif line.startswith(b"plinth: panic:"):
            self.panic = True

    def over(self):
        return self.panic or (self.failed is not None and not self.reboots)

    def status(self):
        """None: the output does not say."""
        if self.panic:
            return PANIC
        if self.failed is None:
            return None
        return VM_FAILED if self.failed else OK


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Session:
    """The engine's process and our end of its serial port."""

    def __init__(self, log_path, copy_path):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.tty = os.ttyname(self.slave)
        self.verdict = Verdict()
        self.process = None
        self.log_path = log_path
        self.copy = open(copy_path, "wb")
        self.pending = b""      # typed, and not yet taken by the serial port
        self.relay = self.control = self.control_slave = self.control_tty = None
        self.splitter = None    # on a line that a program shares

    def serve(self, path, apart):
        """Lets programs in at a socket: to a second serial line, or to this one."""
        if not apart:
            self.splitter = frame.Splitter()
            self.relay = relay.Relay(path, lambda data: self._put(self.master, data))
            return
        self.control, self.control_slave = os.openpty()
        tty.setraw(self.control_slave)
        os.set_blocking(self.control, False)
        self.control_tty = os.ttyname(self.control_slave)
        self.relay = relay.Relay(path, lambda data: self._put(self.control, data))

    def start(self, command, serial_on_stdio):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=self.slave if serial_on_stdio else subprocess.DEVNULL,
                stdout=self.slave if serial_on_stdio else log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent)

    def read(self):
        """Moves what the machine has said to stdout. False: nothing was there."""
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EIO):
                return False
            raise
        if self.splitter:
            self.relay.give(data)
        text = self._text(data)
        self.verdict.feed(text)
        self.copy.write(text)
        self.copy.flush()
        view = memoryview(text)
        while view:
            view = view[os.write(1, view):]
        return bool(data)

    def _text(self, data):
        """What is for people: while a program has the line, what is printed comes in frames."""
        if not self.splitter:
            return data
        text = b""
        for part in self.splitter.feed(data):
            if isinstance(part, bytes):
                text += part
            elif part and part.type == "l":
                text += part.payload.replace(b"\n", b"\r\n")
        return text

    @staticmethod
    def _put(fd, data):
        try:
            return os.write(fd, data)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            return 0

    def write(self):
        self.pending = self.pending[self._put(self.master, self.pending[:256]):]

    def read_control(self):
        """Moves what the machine has said to the program. False: nothing was there."""
        try:
            data = os.read(self.control, 65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise
            return False
        self.relay.give(data)
        return bool(data)

    def sources(self):
        """(file descriptors to wait for, those that would be written to)"""
        inputs, outputs = [self.master], [self.master] if self.pending else []
        if self.relay:
            inputs += self.relay.readers() + ([self.control] if self.control else [])
            if self.relay.wants_write():
                outputs.append(self.control or self.master)
        return inputs, outputs

    def serve_ready(self, ready, writable):
        if not self.relay:
            return
        if self.control in ready:
            self.read_control()
        for source in self.relay.readers():
            if source in ready:
                self.relay.ready(source)
        if (self.control or self.master) in writable:
            self.relay.flush()

    def kill(self):
        if self.process and self.process.poll() is None:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, sign)
                    self.process.wait(2)
                    break
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            self.process.wait()

    def close(self):
        self.kill()
        if self.relay:
            self.relay.close()
        for fd in (self.master, self.slave, self.control, self.control_slave):
            if fd is not None:
                os.close(fd)
        self.copy.close()


def _loop(session, read_stdin, is_tty, timeout):
    """Returns how the run ended: 'gone', 'over', 'timeout' or 'ctrl-c'."""
    start = time.monotonic()
    spoke = start
    while True:
        now = time.monotonic()
        if timeout and now - start > timeout:
            return "timeout"
        sources, sinks = session.sources()
        ready, writable, _ = select.select(sources + ([0] if read_stdin else []), sinks, [], 0.1)
        if session.master in ready and session.read():
            spoke = time.monotonic()
        # A person may want to look around after a panic; a script does not.
        elif session.verdict.over() and (not is_tty or not session.verdict.panic) \
                and now - spoke > GRACE:
            return "over"
        session.serve_ready(ready, writable)
        if session.master in writable and session.pending:
            session.write()
        if 0 in ready:
            typed = os.read(0, 4096)
            if is_tty and CTRL_C in typed:
                return "ctrl-c"
            read_stdin = bool(typed)
            session.pending += typed
        if session.process.poll() is not None:
            while session.read():
                pass
            while session.control is not None and session.read_control():
                pass        # such as the answer to `poweroff`
            return "gone"


def _make_raw():
    """Raw, but with newlines still translated on output: not all lines bring a CR. What was typed
    ahead is kept."""
    tty.setraw(0, termios.TCSANOW)
    mode = termios.tcgetattr(0)
    mode[1] |= termios.OPOST | termios.ONLCR
    termios.tcsetattr(0, termios.TCSANOW, mode)


def _on_signals(action):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def _nothing(*_):
    """For signals that come too late. Not SIG_IGN: Python complains when one has come already."""


def _interrupt(number, _frame):
    _on_signals(_nothing)       # another would interrupt what the first has begun
    raise Interrupted(number)


def _explain(session, name):
    say(f"{name} ended without the hypervisor's last line; its own last words:")
    try:
        with open(session.log_path, "rb") as f:
            lines = f.read()[-20000:].decode(errors="replace").split("\n")
    except OSError:
        lines = []
    for line in [l for l in lines if l.strip()][-6:]:
        print(f"    {line}", file=sys.stderr)
    say(f"logs are in {os.path.dirname(session.log_path)}")


def run(session, command, name, headless, timeout, serial_on_stdio):
    """Runs the engine to its end and returns the exit status of the tool."""
    is_tty = not headless and os.isatty(0)
    saved = termios.tcgetattr(0) if is_tty else None
    try:
        _on_signals(_interrupt)
        session.start(command, serial_on_stdio)
        if is_tty:
            _make_raw()
        how = _loop(session, not headless, is_tty, timeout)
        _on_signals(_nothing)   # here, where one that has just come is still caught
    except Interrupted as stop:
        how = 128 + stop.args[0]
    except BrokenPipeError:
        how = 128 + signal.SIGPIPE
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    finally:
        _on_signals(_nothing)
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        session.kill()
        session.verdict.close()
    return _status(session, how, name, timeout)


def _status(session, how, name, timeout):
    status = session.verdict.status()
    if how == "timeout":
        say(f"no end within {timeout:g} s: {name} was killed")
        return PANIC if status == PANIC else TIMEOUT
    if isinstance(how, int):
        say(f"interrupted: {name} was ended")
        return how
    if how == "ctrl-c":
        print(file=sys.stderr)
        say(f"Ctrl-C: {name} was ended")
        return OK if status is None else status
    if how == "over":
        say(f"{name} was still running {GRACE:g} s after its last words and was killed")
    if status is None:
        _explain(session, name)
        return PANIC
    return status
