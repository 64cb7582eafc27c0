#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/plinthlib/trace.py: what it reads, and that what it writes is in the documented formats."""
import base64
import json
import os
import sys
import tempfile
import unittest
import xml.dom.minidom
import zlib

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "tools")]

from chrome_trace import missing, overlaps, violations  # noqa: E402
from plinthlib import trace, trace_svg  # noqa: E402
from plinthlib.base import Failure  # noqa: E402

HEAD = ["trace: begin 1 plinth 0.1 cpus 2 khz 50000 now 9 uptime 9", "trace: name vm 0 debian",
        "trace: name exit 4 I/O", "trace: name why 0 slice over", "trace: name why 3 halted"]


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(records):
    """(tsc, kind, vm, vcpu, value), as core/trace_ring.c does it."""
    out, last, same = b"", 0, (0, 0)
    for tsc, kind, vm, vcpu, value in records:
        delta = tsc - last
        folded = delta << 1 if delta >= 0 else (-delta << 1) - 1
        known = (vm, vcpu) == same
        out += bytes([kind | (0x80 if known else 0)]) + number(folded)
        out += b"" if known else bytes([vcpu]) + number(vm)
        out += number(value)
        last, same = tsc, (vm, vcpu)
    return out


def line(cpu, first, records):
    body = f"trace: {cpu} {first} {base64.b64encode(encode(records)).decode()}"
    return f"{body} {zlib.crc32(body.encode()):08x}"


CPU0 = [(1000, trace.IN, 0, 0, 50), (2000, trace.EXIT, 0, 0, 4 | 400 << 8),
        (2000, trace.PORT, 0, 0, 0x3f8 | 1 << 16), (2500, trace.INJECT, 0, 0, 0x30),
        (6000, trace.OUT, 0, 0, 3), (6100, trace.IDLE, trace.NOBODY, 0, 0),
        (9000, trace.BUSY, trace.NOBODY, 0, 0)]
CPU1 = [(1500, trace.STEAL, 0, 1, 0), (1600, trace.IN, 0, 1, 0), (8900, trace.OUT, 0, 1, 0),
        (8950, trace.WAKE, 0, 0, 0)]


def text_of(extra=(), end=True):
    lines = HEAD + [line(0, 7, CPU0), "[debian] something else", line(1, 0, CPU1), *extra]
    return "\r\n".join(lines + (["trace: end 2"] if end else [])) + "\r\n"


def read(text):
    with tempfile.NamedTemporaryFile("w", suffix=".log") as f:
        f.write(text)
        f.flush()
        return trace.read(f.name)


class Reading(unittest.TestCase):
    def test_lines_between_others_are_found(self):
        self.assertEqual(len(read(text_of()).records), len(CPU0) + len(CPU1))

    def test_records_are_in_order_of_time(self):
        times = [r.tsc for r in read(text_of()).records]
        self.assertEqual(times, sorted(times))

    def test_a_damaged_line_is_counted_and_left_out(self):
        good = line(0, 90, CPU0)
        for bad in (good[:-1], good.replace("0 90", "0 91"), good[:20] + good[21:]):
            found = read(text_of([bad]))
            self.assertEqual((found.damaged, len(found.records)), (1, len(CPU0) + len(CPU1)))

    def test_the_last_dump_counts(self):
        self.assertEqual(len(read(text_of() + text_of()).records), len(CPU0) + len(CPU1))

    def test_a_log_without_a_trace_is_a_mistake_not_a_traceback(self):
        with self.assertRaises(Failure):
            read("plinth: nothing here\n")

    def test_an_exit_knows_its_port(self):
        (only,) = trace.exits(read(text_of()))
        self.assertEqual((only.name(), only.ticks), ("I/O 0x3f8 out", 400))

    def test_spans_say_why_a_vcpu_left(self):
        runs = [(s.cpu, s.why, round(s.end - s.begin)) for s in trace.spans(read(text_of()))
                if s.who]
        self.assertEqual(runs, [(0, "halted", 100), (1, "slice over", 146)])


class Writing(unittest.TestCase):
    def setUp(self):
        self.trace = read(text_of())
        self.document = json.loads(trace.chrome(self.trace))

    def test_the_json_is_a_chrome_trace(self):
        self.assertEqual(list(violations(self.document)), [])

    def test_the_check_itself_finds_faults(self):
        for spoil in ({"ph": "Q"}, {"ts": -1}, {"dur": "long"}, {"tid": 99}):
            events = json.loads(trace.chrome(self.trace))["traceEvents"]
            next(e for e in events if e["ph"] == "X").update(spoil)
            self.assertTrue(list(violations({"displayTimeUnit": "ns", "traceEvents": events})))

    def test_every_cpu_and_vcpu_has_a_track(self):
        self.assertEqual(missing(self.document, ["CPU 0", "CPU 1", "debian/0", "debian/1"]), [])
        self.assertEqual(missing(self.document, ["CPU 2", "debian/0"]), ["CPU 2"])

    def test_slices_of_a_track_nest(self):
        self.assertFalse(overlaps(self.document))

    def test_a_run_is_on_its_cpus_track_and_on_its_vcpus(self):
        runs = [(e["pid"], e["tid"], e["ts"], e["dur"], e["args"]["why_it_left"])
                for e in self.document["traceEvents"] if e.get("cat") == "run"]
        self.assertIn((trace.CPUS_PID, 0, 0.0, 100.0, "halted"), runs)
        self.assertIn((trace.VM_PID, 0, 0.0, 100.0, "halted"), runs)

    def test_the_summary_adds_up(self):
        text = trace.summary(self.trace)
        self.assertRegex(text, r"CPU 0 +guests +62\.5 %")
        self.assertRegex(text, r"debian/0 +I/O 0x3f8 out +1 +400 +400 +400")

    def test_the_svg_is_xml(self):
        root = xml.dom.minidom.parseString(trace_svg.svg(self.trace)).documentElement
        self.assertEqual(root.tagName, "svg")
        self.assertEqual(len(root.getElementsByTagName("title")), 5)

    def test_bars_too_narrow_to_be_seen_are_one(self):
        turns = [(i * 100, kind, 0, 0, 0) for i in range(2000)
                 for kind in ((trace.IN,) if i % 2 == 0 else (trace.OUT,))]
        text = "\n".join(HEAD + [line(0, i, turns[i:i + 50]) for i in range(0, 2000, 50)]
                         + [line(1, 0, [(500000, trace.IN, 0, 1, 0), (900000, trace.OUT, 0, 1, 0)])]
                         + ["trace: end 41"])
        picture = trace_svg.svg(read(text))
        self.assertIn("debian/0: 0.0 to 3998.0 us, 1000 turns, 50 %", picture)
        self.assertIn("debian/1: 10000.0 to 18000.0 us on CPU 1, left: slice over", picture)
        self.assertEqual(picture.count("<title>"), 4)

    def test_the_page_has_both(self):
        page = trace_svg.page(self.trace)
        self.assertIn("<svg", page)
        self.assertIn("vCPUs", page)

    def test_unknown_endings_are_refused(self):
        with self.assertRaises(Failure):
            trace_svg.convert("/dev/null", ["x.pdf"])


if __name__ == "__main__":
    unittest.main()
