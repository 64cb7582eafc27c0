# SPDX-License-Identifier: BSD-2-Clause
"""What `trace dump` printed, out of a log of the serial line: as Chrome's trace events (Perfetto
reads them) and as a text summary; trace_svg.py has the pictures.

The format of the lines is in docs/tracing.md. Other output may stand between them; a line that was
damaged on its way is counted and left out.
"""
import base64
import binascii
import json
import re
import zlib
from collections import defaultdict

from plinthlib.base import Failure, say

CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x09\x0b-\x1f]")
LINE = re.compile(r"trace: (?:begin|name|end|\d+) .*")
NOBODY = 0xffff
(IN, OUT, WAKE, STEAL, IDLE, BUSY, EXIT, PORT, MSR, PAGE, HYPERCALL, INJECT, TIMER) = range(1, 14)
DETAILS = (PORT, MSR, PAGE, HYPERCALL)
TICKS_MAX = 0xffffff


class Record:
    """One record; time in microseconds since the first one."""
    __slots__ = ("cpu", "number", "tsc", "kind", "vm", "vcpu", "value", "time")

    def __init__(self, cpu, number, tsc, kind, vm, vcpu, value):
        self.cpu, self.number, self.tsc, self.kind = cpu, number, tsc, kind
        self.vm, self.vcpu, self.value, self.time = vm, vcpu, value, 0.0


def _number(data, at):
    """Seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def decode(data, cpu, first):
    """The records of one line's bytes."""
    records, at, number = [], 0, first
    tsc = vm = vcpu = 0
    while at < len(data):
        head = data[at]
        folded, at = _number(data, at + 1)
        tsc = (tsc + (folded >> 1 ^ -(folded & 1))) & 0xffffffffffffffff
        if not head & 0x80:
            vcpu = data[at]
            vm, at = _number(data, at + 1)
        value, at = _number(data, at)
        records.append(Record(cpu, number, tsc, head & 0x7f, vm, vcpu, value))
        number += 1
    return records


class Trace:
    """The last dump that a log holds."""

    def __init__(self):
        self.version, self.cpus, self.khz = "?", 0, 0
        self.names = defaultdict(dict)  # what: {number: name}
        self.records = []
        self.damaged = 0
        self.ended = False

    def who(self, record):
        name = self.names["vm"].get(record.vm, f"vm{record.vm}")
        return f"{name}/{record.vcpu}"

    def name(self, what, number):
        return self.names[what].get(number, f"{what} {number}")

    def _begin(self, words):
        self.__init__()
        fields = dict(zip(words[1::2], words[2::2]))
        self.version = fields.get("plinth", "?")
        self.cpus, self.khz = int(fields["cpus"]), int(fields["khz"])

    def _data(self, line):
        body, _, checksum = line.rpartition(" ")
        if checksum != f"{zlib.crc32(body.encode()):08x}":
            raise ValueError
        _, cpu, first, data = body.split(" ")
        self.records += decode(base64.b64decode(data, validate=True), int(cpu), int(first))

    def add(self, line):
        words = line.split(" ")
        try:
            if words[1] == "begin":
                self._begin(words[2:])
            elif words[1] == "name":
                self.names[words[2]][int(words[3])] = " ".join(words[4:])
            elif words[1] == "end":
                self.ended = True
            else:
                self._data(line)
        except (ValueError, IndexError, KeyError, binascii.Error):
            self.damaged += 1

    def finish(self):
        self.records.sort(key=lambda r: (r.tsc, r.cpu, r.number))
        start = self.records[0].tsc
        for r in self.records:
            r.time = (r.tsc - start) * 1000 / self.khz
        self.length = self.records[-1].time


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return parse(f.read(), path)


def parse(text, path):
    """The trace in a log that has been read from `path`."""
    trace = Trace()
    for line in re.split(r"\r*\n", text):
        found = LINE.search(CONTROL.sub("", line))
        if found:
            trace.add(found.group(0))
    if not trace.khz or not trace.records:
        raise Failure(f"{path}: no trace in it: type `trace start`, later `trace dump`, and keep "
                      "what the serial line says (tools/plinth run --log)")
    if trace.damaged or not trace.ended:
        say(f"{path}: {trace.damaged} damaged lines left out"
            + ("" if trace.ended else "; the dump's end is missing"))
    trace.finish()
    return trace


class Span:
    """A vCPU on a CPU, or an idle CPU (who is None)."""

    def __init__(self, cpu, begin, end, record, why, waited):
        self.cpu, self.begin, self.end, self.why, self.waited = cpu, begin, end, why, waited
        self.who = record if record.vm != NOBODY else None


def spans(trace):
    """Who was where. What began before the trace or goes on behind it is cut at its ends."""
    done, open_ = [], {}
    for r in trace.records:
        if r.kind in (IN, IDLE):
            open_[r.cpu] = r
        elif r.kind in (OUT, BUSY):
            begin = open_.pop(r.cpu, None)
            why = trace.name("why", r.value) if r.kind == OUT else ""
            waited = begin.value * 1000 / trace.khz if begin and r.kind == OUT else 0.0
            if begin is None and any(s.cpu == r.cpu for s in done[-64:]):
                continue        # its beginning was overwritten or damaged
            done.append(Span(r.cpu, begin.time if begin else 0.0, r.time, r, why, waited))
    for cpu, begin in open_.items():
        done.append(Span(cpu, begin.time, trace.length, begin, "the trace ends", 0.0))
    return sorted(done, key=lambda s: (s.begin, s.cpu))


class Exit:
    def __init__(self, trace, record):
        self.record, self.kind = record, trace.name("exit", record.value & 0xff)
        self.ticks = record.value >> 8
        self.end = record.time
        self.begin = max(0.0, record.time - self.ticks * 1000 / trace.khz)
        self.about = ""

    def name(self):
        return f"{self.kind} {self.about}".strip()


def about(record):
    value = record.value
    if record.kind == PORT:
        return f"{value & 0xffff:#x} {'in' if value >> 24 else 'out'}"
    if record.kind == PAGE:
        return f"{value << 12:#x}"
    return f"{value:#x}"


def exits(trace):
    """Each with what it was about: the record behind it on the same CPU."""
    found, last = [], {}
    for r in trace.records:
        if r.kind == EXIT:
            last[r.cpu] = Exit(trace, r)
            found.append(last[r.cpu])
        elif r.kind in DETAILS and r.cpu in last:
            if last[r.cpu].record.number + 1 == r.number:
                last[r.cpu].about = about(r)
    return found


# --- Chrome's trace events ---------------------------------------------------------------------

CPUS_PID = 1
VM_PID = 100        # and the slot


def _meta(what, pid, tid, name):
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _tracks(trace):
    yield _meta("process_name", CPUS_PID, 0, "Physical CPUs")
    for cpu in range(trace.cpus):
        yield _meta("thread_name", CPUS_PID, cpu, f"CPU {cpu}")
    for vm, vcpu in sorted({(r.vm, r.vcpu) for r in trace.records if r.vm != NOBODY}):
        name = trace.names["vm"].get(vm, f"vm{vm}")
        if vcpu == 0 or (vm, 0) not in {(r.vm, r.vcpu) for r in trace.records}:
            yield _meta("process_name", VM_PID + vm, 0, f"VM {name}")
        yield _meta("thread_name", VM_PID + vm, vcpu, f"{name}/{vcpu}")


def _slice(name, category, pid, tid, begin, end, args):
    return {"ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid,
            "ts": round(begin, 3), "dur": round(max(end - begin, 0.0), 3), "args": args}


def _instant(trace, r):
    names = {WAKE: "wake", STEAL: "stolen", INJECT: "inject", TIMER: "timer"}
    args = {WAKE: {"on_cpu": r.value}, STEAL: {"from_cpu": r.value},
            INJECT: {"vector": r.value & 0xff, "type": r.value >> 8},
            TIMER: {"whose": "devices" if r.value else "vCPU"}}[r.kind]
    label = f"inject {r.value & 0xff}" if r.kind == INJECT else names[r.kind]
    return {"ph": "i", "s": "t", "name": label, "cat": names[r.kind], "pid": VM_PID + r.vm,
            "tid": r.vcpu, "ts": round(r.time, 3), "args": {"cpu": r.cpu, **args}}


def events(trace):
    yield from _tracks(trace)
    for s in spans(trace):
        if s.who is None:
            yield _slice("idle", "idle", CPUS_PID, s.cpu, s.begin, s.end, {})
            continue
        args = {"why_it_left": s.why, "waited_us": round(s.waited, 3)}
        who = trace.who(s.who)
        yield _slice(who, "run", CPUS_PID, s.cpu, s.begin, s.end, args)
        yield _slice(f"on CPU {s.cpu}", "run", VM_PID + s.who.vm, s.who.vcpu, s.begin, s.end, args)
    for e in exits(trace):
        r = e.record
        yield _slice(e.name(), "exit", VM_PID + r.vm, r.vcpu, e.begin, e.end,
                     {"ticks": e.ticks, "cpu": r.cpu})
    for r in trace.records:
        if r.kind in (WAKE, STEAL, INJECT, TIMER) and r.vm != NOBODY:
            yield _instant(trace, r)


def chrome(trace):
    rows = ",\n".join(json.dumps(e, separators=(",", ":")) for e in events(trace))
    other = json.dumps({"plinth": trace.version, "tsc_khz": trace.khz, "damaged": trace.damaged})
    return f'{{"displayTimeUnit":"ns","otherData":{other},"traceEvents":[\n{rows}\n]}}\n'


# --- text --------------------------------------------------------------------------------------

def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def _cpu_rows(trace, all_spans):
    for cpu in range(trace.cpus):
        mine = [s for s in all_spans if s.cpu == cpu]
        ran = sum(s.end - s.begin for s in mine if s.who)
        idle = sum(s.end - s.begin for s in mine if not s.who)
        yield (f"  CPU {cpu:<3} guests {percent(ran, trace.length):5.1f} %   idle "
               f"{percent(idle, trace.length):5.1f} %   {sum(1 for s in mine if s.who)} turns")


def _vcpu_rows(trace, all_spans):
    turns = defaultdict(list)
    for s in all_spans:
        if s.who:
            turns[trace.who(s.who)].append(s)
    for who in sorted(turns):
        mine = turns[who]
        ran, waits = sum(s.end - s.begin for s in mine), [s.waited for s in mine]
        whys = defaultdict(int)
        for s in mine:
            whys[s.why] += 1
        left = ", ".join(f"{why} {n}" for why, n in sorted(whys.items(), key=lambda x: -x[1]))
        yield (f"  {who:20} {percent(ran, trace.length):6.1f} % of a CPU in {len(mine):5} turns, "
               f"waited {sum(waits) / len(waits):8.1f} us on average, {max(waits):8.1f} at most")
        yield f"  {'':20}   left because: {left}"


def _exit_rows(trace):
    rows = defaultdict(list)
    for e in exits(trace):
        rows[trace.who(e.record), e.name()].append(e.ticks)
    for (who, name), ticks in sorted(rows.items(), key=lambda x: -sum(x[1]))[:40]:
        yield (f"  {who:20} {name:24} {len(ticks):7} {min(ticks):8} {sum(ticks) // len(ticks):8} "
               f"{max(ticks):8}")


def summary(trace):
    all_spans = spans(trace)
    rows = [f"Plinth {trace.version}: {len(trace.records)} records, {trace.cpus} CPUs, "
            f"{trace.length / 1000:.3f} ms at {trace.khz} kHz, {trace.damaged} lines damaged",
            "", "CPUs"]
    rows += _cpu_rows(trace, all_spans)
    rows += ["", "vCPUs"]
    rows += _vcpu_rows(trace, all_spans)
    exit_rows = list(_exit_rows(trace))
    if exit_rows:
        rows += ["", f"  {'exits':20} {'':24} {'count':>7} {'min':>8} {'mean':>8} {'max':>8}  ticks"]
        rows += exit_rows
    return "\n".join(rows) + "\n"
