# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: make a boot image, run it in Bochs, collect its serial lines.

Bochs without synchronisation executes one instruction a TSC tick, so figures repeat to the digit.
"""
import os
import re
import select
import subprocess
import sys
import time
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tools"))

from plinthlib import config, engines, image, session  # noqa: E402
from plinthlib.base import BUILD, Failure, parse_size  # noqa: E402

FOLDER = os.path.join(BUILD, "bench")
CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def folder(name):
    path = os.path.join(FOLDER, name)
    os.makedirs(path, exist_ok=True)
    return path


def plinth_image(name, text, cmdline="", hypervisor=None):
    """A boot image of Plinth with the configuration `text`; its path. hypervisor: another build."""
    where = folder(name)
    path = os.path.join(where, "plinth.cfg")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    disk = os.path.join(where, "image.iso")
    image.make(path, config.files_named(path), disk, cmdline, hypervisor=hypervisor)
    return disk


def _collect(machine, until, timeout, operator):
    """Lines until one matches, or the machine ends, or time is up. (lines, how it ended)"""
    lines, rest, deadline = [], b"", time.monotonic() + timeout
    while time.monotonic() < deadline:
        over = machine.process.poll() is not None
        ready, _, _ = select.select([machine.master], [], [], 0 if over else 0.2)
        data = b""
        if ready:
            try:
                data = os.read(machine.master, 65536)
            except OSError:
                pass
        if over and not data:
            return lines, "ended"
        machine.copy.write(data)
        *whole, rest = (rest + data).replace(b"\r", b"").split(b"\n")
        for line in whole:
            lines.append(CONTROL.sub(b"", line).decode(errors="replace"))
            typed = operator(lines[-1]) if operator else None
            if typed:
                os.write(machine.master, typed.encode() + b"\r")
            if until and re.search(until, lines[-1]):
                return lines, "found"
    return lines, "timeout"


def boot(name, disk, until, timeout, cpu=None, cores=1, memory="256M",
         operator=None):
    """Runs the image; the lines it printed. A Failure when `until` never came. operator(line) is
    what to type after a line, or None."""
    engines.need("bochs", False)
    where = folder(name)
    options = types.SimpleNamespace(memory=parse_size(memory), cpu=cpu, cores=cores,
                                    strict_msrs=False, gdb_line=None)
    log = os.path.join(where, "serial.log")
    machine = session.Session(os.path.join(where, "bochs.out"), log)
    try:
        machine.start(engines.bochs_command(where, disk, machine.tty, None, options), False)
        lines, how = _collect(machine, until, timeout, operator)
    finally:
        machine.close()
    if how != "found":
        tail = "\n  ".join(lines[-6:])
        raise Failure(f"{name}: '{until}' did not come ({how}), see {log}; last lines:\n  {tail}")
    return lines


def need_build(*paths):
    for path in paths:
        if not os.path.exists(path):
            subprocess.run(["make", "-s", "-C", ROOT, "all"], check=True)
            return
