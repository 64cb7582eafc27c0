# SPDX-License-Identifier: BSD-2-Clause
"""`tools/plinth ctl`: what a program, or a person at another terminal, asks of a running machine.

Whatever is no verb of ours is a line for Plinth's own commands (`ctl help` lists those).
"""
import argparse
import contextlib
import os
import re
import signal
import sys
import termios
import time
import tty

from plinthlib import core as cores, link, trace as traces, trace_svg
from plinthlib.base import Failure, say

REFUSED, USAGE = 1, 2
ESCAPE = b"\x1d"        # Ctrl-]
ENDS = signal.SIGTERM, signal.SIGHUP
TYPE_AGAIN = 0.05       # seconds until a guest that took nothing is asked again
EPILOG = """\
commands:
  attach NAME [--until REGEX]    a VM's console; Ctrl-] leaves it
  watch [--for SEC] [--until REGEX]   what is printed, as it comes
  top [--once] [--every SEC]     who uses the machine, refreshed
  push KIND FILE [NAME]          a kernel or an initrd into the store ('store list' shows it)
  trace -o FILE                  what 'trace dump' answers; .json, .svg, .html, .txt: made of it
  core NAME -o FILE [--all|--stacks]  a VM's state as an ELF core, for gdb
  anything else                  a command of the console, such as: vm list --json

exit status: 0 done, 1 refused, 2 wrong use, 4 no connection or no answer
"""


def add_parser(verbs):
    p = verbs.add_parser("ctl", help="ask something of a running machine", epilog=EPILOG,
                         formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--to", metavar="WHERE", default=os.environ.get("PLINTH_CONTROL"),
                   help="a serial device, a UNIX socket (of 'plinth run --control'), or HOST:PORT; "
                   "default: $PLINTH_CONTROL")
    p.add_argument("--baud", type=int, default=115200, metavar="N", help="of a serial device")
    p.add_argument("--timeout", type=float, default=30, metavar="SEC",
                   help="how long to wait for any answer; default 30")
    p.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND...")
    p.set_defaults(call=run)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Failure(f"{self.prog}: {message}; {self.format_usage().strip()}", USAGE)


def _options(verb, words, *rows):
    parser = _Parser(prog=f"ctl {verb}", add_help=False)
    for names, how in rows:
        parser.add_argument(*names, **how)
    return parser.parse_args(words)


def _regex(text):
    try:
        return re.compile(text.encode(), re.M)
    except re.error as error:
        raise Failure(f"--until {text}: {error}", USAGE) from None


def _out(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def quoted(words):
    """A line that Plinth cuts into the same words again."""
    for word in words:
        if '"' in word or not all(" " <= c <= "~" for c in word):
            raise Failure(f"{word!r}: quotes and control characters cannot be sent", USAGE)
    return " ".join(f'"{w}"' if " " in w or not w else w for w in words)


def command(line, words):
    return line.command(quoted(words), _out)


# --- consoles ---

class _Seen:
    """Prints what comes and knows when the text that was waited for is there."""

    def __init__(self, until):
        self.until = until
        self.text = b""
        self.found = False

    def __call__(self, data):
        _out(data)
        if self.until:
            self.text = (self.text + data.replace(b"\r", b""))[-65536:]
            self.found = self.found or bool(self.until.search(self.text))


@contextlib.contextmanager
def _raw():
    """stdin without echo and line editing, where it is a terminal."""
    saved = termios.tcgetattr(0) if sys.stdin.isatty() else None
    try:
        if saved:
            tty.setraw(0, termios.TCSADRAIN)    # what was typed ahead is the guest's
        yield
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


def attach(line, words):
    o = _options("attach", words, (["name"], {}), (["--until"], {"type": _regex}))
    seen, ended = _Seen(o.until), []
    line.on_output = lambda channel, data: seen(data)
    line.on_gone = lambda channel, why: ended.append(why)
    channel = line.subscribe(console=o.name)
    with _raw():    # first: who has read this line may type Ctrl-C for the guest
        say(f"attached to {o.name}" + ("; Ctrl-] leaves it\r" if sys.stdin.isatty() else ""))
        _talk(line, channel, lambda: ended or seen.found)
    if ended:
        say(f"{o.name} has ended: {ended[0]}")
    if line.lost:
        say(f"{line.lost} pieces of its output were lost on the line")
    line.subscribe()
    return REFUSED if o.until and not seen.found else 0


def _talk(line, channel, is_over):
    """Until Ctrl-], or is_over(). The end of a file that is typed is no end of the dialogue."""
    typed, sources, again = b"", [0], 0.0
    while not is_over():
        wait = 0.5 if not typed else max(0.0, again - time.monotonic())
        _, ready = line.receive(wait, sources)
        if ready:
            keys = os.read(0, 4096)
            if not keys:
                sources = []
            if ESCAPE in keys and sys.stdin.isatty():
                _last_keys(line, channel, typed + keys[:keys.index(ESCAPE)])
                return
            typed += keys
        if typed and time.monotonic() >= again:
            taken = line.type(channel, typed)
            typed = typed[taken:]
            again = 0.0 if taken else time.monotonic() + TYPE_AGAIN
        if len(typed) > 4096:
            sources = []
        elif not sources and typed and sys.stdin.isatty():
            sources = [0]


def _last_keys(line, channel, typed):
    """What was typed before Ctrl-] and came with it, as much as the guest takes."""
    while typed:
        taken = line.type(channel, typed)
        if not taken:
            return
        typed = typed[taken:]


def watch(line, words):
    o = _options("watch", words, (["--until"], {"type": _regex}),
                 (["--for"], {"type": float, "dest": "seconds", "metavar": "SEC"}))
    seen = _Seen(o.until)
    line.on_log = seen
    line.subscribe(log=True)
    end = time.monotonic() + o.seconds if o.seconds else None
    while not seen.found and (not end or time.monotonic() < end):
        line.receive(min(0.5, max(0, end - time.monotonic())) if end else 0.5)
    if line.lost:
        say(f"{line.lost} pieces were lost on the line")
    return REFUSED if o.until and not seen.found else 0


# --- views and files ---

def top(line, words):
    o = _options("top", words, (["--once"], {"action": "store_true"}),
                 (["--every"], {"type": float, "default": 2.0, "metavar": "SEC"}))
    while True:
        text = []
        status = line.command("top -n 1", text.append)
        if status == USAGE:     # a Plinth without it
            text.clear()
            status = line.command("vm list", text.append)
        if o.once or status or not sys.stdout.isatty():
            _out(text[0])
            if o.once or status:
                return status
        else:
            height = os.get_terminal_size(1).lines - 1
            _out(b"\x1b[H" + b"".join(row + b"\x1b[K\n" for row in text[0].split(b"\n")[:height])
                 + b"\x1b[J")
        line.receive(o.every)


def _read_file(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", USAGE) from None


class _Progress:
    def __init__(self, name, size):
        self.name, self.size = name, size
        self.start = self.said = time.monotonic()

    def __call__(self, done):
        now = time.monotonic()
        if done < self.size and now - self.said < 5:
            return
        self.said = now
        rate = done / max(now - self.start, 0.001)
        say(f"{self.name}: {done >> 10} of {self.size >> 10} KiB, {rate / 1024:.1f} KiB/s")


def push(line, words):
    o = _options("push", words, (["kind"], {"choices": ("kernel", "initrd", "file")}),
                 (["file"], {}), (["name"], {"nargs": "?"}))
    data = _read_file(o.file)
    name = o.name or os.path.basename(o.file)
    if len(data) >= 1 << 32:
        raise Failure(f"{o.file}: longer than 4 GiB", USAGE)
    line.push(name, data, _Progress(name, len(data)))
    return 0


def _to_file(line, text, path, write):
    """What write(answer) makes of it, which is there only when the answer is whole."""
    parts = []
    status = line.command(text, parts.append)
    if status:
        sys.stderr.buffer.write(parts[0])
        return status
    try:
        write(parts[0])
        say(f"{path}: {os.path.getsize(path) >> 10} KiB")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", USAGE) from None
    return 0


def trace(line, words):
    if "-o" not in words:
        return command(line, ["trace", *words])
    o = _options("trace", words, (["-o"], {"dest": "path", "required": True}))

    def write(answer):
        if trace_svg.knows(o.path):
            trace_svg.write(traces.parse(answer.decode("latin-1"), "trace dump"), o.path)
            return
        with open(o.path, "wb") as f:
            f.write(answer)

    return _to_file(line, "trace dump", o.path, write)


def core(line, words):
    o = _options("core", words, (["name"], {}), (["-o"], {"dest": "path", "required": True}),
                 (["--all"], {"action": "store_true"}), (["--stacks"], {"action": "store_true"}))
    wanted = ["--all"] * o.all + ["--stacks"] * o.stacks
    text = quoted(["dump", o.name, "--core", *wanted])
    return _to_file(line, text, o.path, lambda answer: cores.write(cores.read(answer), o.path))


VERBS = {"attach": attach, "watch": watch, "top": top, "push": push, "trace": trace, "core": core}


def _end(number, _frame):
    for other in ENDS:      # one is enough: another would come into what is put back
        signal.signal(other, lambda *_: None)
    sys.exit(128 + number)


def run(options):
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise Failure("ctl: say what; see 'plinth ctl --help'", USAGE)
    if not options.to:
        raise Failure("ctl: where is the machine? --to DEVICE, or $PLINTH_CONTROL", USAGE)
    # Not the end of this program on the spot: a terminal gets its mode back, the line its peace.
    for number in ENDS:
        signal.signal(number, _end)
    line = link.Link(link.open_line(options.to, options.baud), options.timeout)
    try:
        line.hello()
        return VERBS.get(words[0], lambda l, _: command(l, words))(line, words[1:])
    except KeyboardInterrupt:
        return 0 if words[0] in ("top", "watch") else 130
    finally:
        line.bye()
        os.close(line.fd)
