# SPDX-License-Identifier: BSD-2-Clause
"""A session with a running machine over frames: docs/console.md, "For programs", says what the
messages are. What gets lost on the line is asked for again; what cannot be done twice is not.
"""
import binascii
import fcntl
import os
import random
import select
import socket
import stat
import struct
import termios
import time
import tty

from plinthlib import frame
from plinthlib.base import Failure

NO_ANSWER = 4           # exit status: no connection, or nobody answers
FIRST_WAIT = 1.0        # seconds for an answer; doubled each time, up to
LONGEST_WAIT = 8.0
SHOWN_AGAIN = 3         # how often a long answer is asked for that arrives damaged
DATA = 512              # bytes of a file in a frame; fewer where frames get lost
DATA_LEAST = 32


def _open_serial(path, baud):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Failure(f"{path}: another program has this line, which is for one at a time",
                      NO_ANSWER) from None
    if os.isatty(fd):
        tty.setraw(fd)
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise Failure(f"--baud {baud}: no such rate", 2)
        mode = termios.tcgetattr(fd)
        mode[4] = mode[5] = speed
        mode[2] |= termios.CLOCAL
        termios.tcsetattr(fd, termios.TCSANOW, mode)
    return fd


def open_line(to, baud):
    """A file descriptor of a device, a UNIX socket, or HOST:PORT."""
    try:
        if os.path.exists(to) and not stat.S_ISSOCK(os.stat(to).st_mode):
            return _open_serial(to, baud)
        if os.path.exists(to) or ":" not in to:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.connect(to)
        else:
            host, _, port = to.rpartition(":")
            line = socket.create_connection((host or "localhost", int(port)), 10)
        line.setblocking(False)
        return line.detach()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Failure(f"no connection to {to}: {why}", NO_ANSWER) from None


class Link:
    """on_log(bytes), on_output(channel, bytes) and on_gone(channel, text) are called for what comes
    by itself, whenever it comes."""

    def __init__(self, fd, patience):
        self.fd = fd
        self.patience = patience    # seconds without any answer, then it is given up
        self.splitter = frame.Splitter()
        self.queue = []
        self.window, self.version = 1024, ""
        self.lost = 0               # frames of what comes by itself that did not arrive
        self._next = None           # the sequence number of the next of those
        self._seq = random.randrange(256)
        self.on_log = self.on_output = self.on_gone = lambda *_: None

    # --- bytes and frames ---

    def send(self, kind, payload=b"", seq=0, channel=0):
        data = frame.encode(kind, payload, seq, channel)
        while data:
            try:
                data = data[os.write(self.fd, data):]
            except BlockingIOError:
                if not select.select([], [self.fd], [], self.patience)[1]:
                    raise Failure("the line takes nothing", NO_ANSWER) from None
            except OSError as error:
                self._read()    # it may have said why
                for f in self.queue:
                    self._refuse(f)
                raise Failure(f"the line is gone: {error.strerror}", NO_ANSWER) from None

    @staticmethod
    def _refuse(f):
        """By who has the line, not by Plinth."""
        if f.type == "x" and f.channel == frame.NOT_PLINTH:
            raise Failure(f.payload.decode("latin-1"), NO_ANSWER)

    def receive(self, seconds, also=()):
        """(what came next: a Frame, None after `seconds` or for `also`; the others that are ready)

        A damaged frame is a Frame of type '?'."""
        until = time.monotonic() + seconds
        while not self.queue:
            left = max(0, until - time.monotonic())
            ready = select.select([self.fd, *also], [], [], left)[0]
            others = [f for f in ready if f != self.fd]
            if self.fd in ready:
                self._read()
            if others or not ready or (left == 0 and not self.queue):
                return (self.queue.pop(0) if self.queue else None), others
        return self.queue.pop(0), []

    def _read(self):
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise Failure("the line is gone: the machine has ended", NO_ANSWER)
        for part in self.splitter.feed(data):
            if part is None:
                self.queue.append(frame.Frame("?", 0, 0, b""))
            elif isinstance(part, frame.Frame) and not self._by_itself(part):
                self.queue.append(part)

    def _by_itself(self, f):
        if f.type in "lo":
            if self._next is not None:
                self.lost += f.seq - self._next & 0xff
            self._next = f.seq + 1 & 0xff
        if f.type == "l":
            self.on_log(f.payload)
        elif f.type == "o":
            self.on_output(f.channel, f.payload)
        elif f.type == "z":
            self.on_gone(f.channel, f.payload.decode("latin-1"))
        return f.type in "loz"

    def ask(self, kind, payload, answers, channel=0):
        """Sends until one of the answers comes, with the same sequence number; returns it."""
        self._seq = self._seq + 1 & 0xff
        wait, until = FIRST_WAIT, time.monotonic() + self.patience
        while time.monotonic() < until:
            self.send(kind, payload, self._seq, channel)
            again = time.monotonic() + wait
            while time.monotonic() < again:
                got, _ = self.receive(max(0, again - time.monotonic()))
                if got is None or got.type in "n?":
                    break
                if got.type in answers and got.seq == self._seq:
                    return got
                self._refuse(got)
                if got.type == "x" and got.seq == self._seq:
                    raise Failure(got.payload.decode("latin-1"))
            wait = min(2 * wait, LONGEST_WAIT)
        raise Failure(f"nobody answers within {self.patience:g} s: is Plinth at the other end, and "
                      "is this the line that programs may use?", NO_ANSWER)

    # --- requests ---

    def hello(self):
        nonce = os.urandom(4)
        try:
            os.write(self.fd, b"\n")    # ends what somebody before us may have begun
        except OSError:
            pass
        while True:
            answer = self.ask("H", nonce, "h").payload
            if answer[:4] == nonce:
                break
        _, self.window, _ = struct.unpack("<HII", answer[4:14])
        self.version = answer[14:].decode("latin-1")

    def bye(self):
        try:
            self.send("B")
        except Failure:
            pass

    def command(self, line, sink):
        """Runs a line of the console's commands; sink(bytes) gets the answer once it is known to
        be whole, or as it comes for one that is long. Returns its status."""
        for _ in range(SHOWN_AGAIN):
            status, text = self._command_once(line)
            if text is not None:
                sink(text)
                return status
        raise Failure("the answer arrives damaged time and again", NO_ANSWER)

    def _command_once(self, line):
        number = random.randrange(1, 1 << 32)
        request = struct.pack("<I", number) + line.encode("latin-1", "replace")
        wait, pieces, silent_since = FIRST_WAIT, [], time.monotonic()
        self.send("C", request)
        while True:
            got, _ = self.receive(wait)
            if got is None:
                if time.monotonic() - silent_since > self.patience:
                    raise Failure(f"no answer within {self.patience:g} s", NO_ANSWER)
                wait = min(2 * wait, LONGEST_WAIT)
                self.send("C", request)
                continue
            silent_since = time.monotonic()
            if got.type == "x":
                raise Failure(got.payload.decode("latin-1"))
            if got.type == "n":
                self.send("C", request)
            if got.type not in "ae" or got.payload[:4] != request[:4]:
                continue
            if got.type == "a":
                pieces.append(got)
                continue
            _, status, before, total, crc = struct.unpack("<IBBII", got.payload)
            text = _joined(pieces)
            if len(text) == total and binascii.crc32(text) == crc:
                return status, text
            if before:      # too long to be kept: only what shows something is
                return status, None
            pieces = []
            self.send("C", request)

    def subscribe(self, log=False, console=""):
        """Returns the channel of that console."""
        what = (1 if log else 0) | (2 if console else 0)
        got = self.ask("S", bytes([what]) + console.encode("latin-1", "replace"), "s")
        if got.payload[0]:
            raise Failure(got.payload[1:].decode("latin-1"))
        return got.channel

    def type(self, channel, data):
        """Gives a console at most 64 bytes; returns how many it took."""
        return struct.unpack("<H", self.ask("I", data[:64], "i", channel).payload)[0]

    def push(self, name, data, progress=lambda done: None):
        got = self.ask("P", struct.pack("<II", len(data), binascii.crc32(data)) + name.encode(), "p")
        if got.payload[0]:
            raise Failure(got.payload[1:].decode("latin-1"))
        self._push_data(name, data, progress)

    def _push_data(self, name, data, progress):
        """Frames are on their way as many as the other side has room for. They are begun again
        where it wants them as soon as it says that one is missing, or after a long silence; its
        complaints about those that were behind are no news."""
        at = sent = stale = 0
        size, flight = DATA, []     # of frames; of those that are on their way
        moved, wait = time.monotonic(), FIRST_WAIT
        while True:
            while sent < len(data) and self._fits(flight, size):
                self.send("D", struct.pack("<I", sent) + data[sent:sent + size])
                flight.append(size)
                sent = min(len(data), sent + size)
            got, _ = self.receive(wait)
            wanted = at
            if got and got.type == "x":
                raise Failure(got.payload.decode("latin-1"))
            if got and got.type == "d":
                state, wanted = struct.unpack("<BI", got.payload[:5])
                if state == 2:
                    raise Failure(f"{name}: {got.payload[5:].decode('latin-1')}")
                progress(wanted)
                if state == 1:
                    return
            now = time.monotonic()
            if got and got.type in "nd?" and flight:
                flight.pop(0)
            if wanted > at:
                wait = min(LONGEST_WAIT, max(FIRST_WAIT, 4 * (now - moved)))
                at, sent, moved, stale = wanted, max(sent, wanted), now, 0
                size = min(DATA, size + size // 8)
                continue
            if now - moved > self.patience:
                raise Failure("the transfer is stuck", NO_ANSWER)
            if got and (stale or got.type not in "nd?"):
                stale -= bool(stale)
                continue
            if got is None:
                wait, flight = min(2 * wait, LONGEST_WAIT), []
            stale, sent = len(flight), at
            size = max(DATA_LEAST, size // 2)

    def _fits(self, flight, size):
        """Is there room at the other end for one more? For one there is."""
        return not flight or self.window > \
            sum(frame.wire_size(4 + n) for n in flight) + frame.wire_size(4 + size)


def _joined(frames):
    """The text of an answer; a piece that came twice counts once."""
    seen, pieces = None, []
    for f in frames:
        if f.seq != seen:
            pieces.append(f.payload[4:])
        seen = f.seq
    return b"".join(pieces)
