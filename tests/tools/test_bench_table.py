#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The tables of tests/bench: figures read from a guest's lines, a peer's own figures in place of the
reference's and what is left of those marked, ratios of loops, regressions."""
import contextlib
import io
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests/bench")]

import chart  # noqa: E402
import peers as others  # noqa: E402
import table  # noqa: E402
from plinthlib.base import Failure  # noqa: E402

PEERS = {
    "columns": {"none": "bare", "kvm_off": "KVM off", "nova": "NOVA"},
    "row": [
        {"name": "cpuid", "text": "CPUID", "none": 3, "kvm_off": 1125, "nova": 581, "at_most": 120},
        {"name": "late", "text": "expiry to handler", "value": "median", "kvm_off": 900,
         "at_most": 250, "without_apicv": 300},
        {"name": "compute-8m", "text": "a loop", "none": 8000000},
    ],
}
OURS = {"cpuid": {"min": 114, "median": 115}, "late": {"min": 200, "median": 290},
        "compute-8m": {"min": 8016000, "median": 8020000}}


def figures(**rows):
    return {name.replace("_", "-"): {"min": n, "median": n + 1} for name, n in rows.items()}


def printed(function, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        result = function(*arguments)
    return out.getvalue(), result


def cells(text, name):
    line = next(line for line in text.splitlines() if line.startswith(name))
    return line[table.NAME:].split()


class Reading(unittest.TestCase):
    LINES = ["plinth: start: 1577350 ticks from entry to the first guest instruction, without 9",
             "....[bench] bench: cpuid min 114 median 115 mean 116 max 2000",
             "[bench] bench: empty min 7 median 8", "bench: ticks-1k had 1623 ticks",
             "[bench] bench: done"]

    def test_rows(self):
        rows = table.read_rows(self.LINES)
        self.assertEqual(rows["cpuid"], {"min": 114, "median": 115, "mean": 116, "max": 2000})
        self.assertEqual(rows["empty"], {"min": 7, "median": 8})
        self.assertEqual(rows["boot-to-guest"]["min"], 1577350)
        self.assertEqual(len(rows), 3)

    def test_a_guest_that_stopped_is_no_result(self):
        with self.assertRaises(Failure):
            table.read_rows(self.LINES[:-1])


class Merging(unittest.TestCase):
    def test_measured_replaces_reference(self):
        merged = table.with_measured(PEERS, {"kvm_off": figures(cpuid=970)})
        cpuid, late, _ = merged["row"]
        self.assertEqual((cpuid["kvm_off"], cpuid["reference"]), (970, []))
        self.assertEqual((late["kvm_off"], late["reference"]), (900, ["kvm_off"]))
        self.assertEqual(PEERS["row"][0]["kvm_off"], 1125)

    def test_the_figure_that_counts(self):
        merged = table.with_measured(PEERS, {"kvm_off": figures(late=2180)})
        self.assertEqual(merged["row"][1]["kvm_off"], 2181)

    def test_columns_nobody_measured_are_not_marked(self):
        merged = table.with_measured(PEERS, {"kvm_off": figures(cpuid=970)})
        text, _ = printed(table.print_main, merged, OURS, True)
        self.assertEqual(cells(text, "CPUID"), ["114", "120", "3", "970", "581"])
        self.assertEqual(cells(text, "expiry"), ["290", "250!", "-", "900*", "-"])


class Printing(unittest.TestCase):
    def test_limits(self):
        _, over = printed(table.print_main, PEERS, OURS, True)
        self.assertEqual(over, 1)
        _, over = printed(table.print_main, PEERS, OURS, False)
        self.assertEqual(over, 0)

    def test_rows_of_ours_that_no_peer_has(self):
        text, _ = printed(table.print_main, PEERS, OURS | figures(new=5), True)
        self.assertEqual(cells(text, "new"), ["5", "-", "-", "-", "-"])

    def test_loops_are_ratios(self):
        merged = table.with_measured(PEERS, {"kvm_off": figures(compute_8m=8800000)})
        text, _ = printed(table.print_loops, merged, OURS)
        self.assertEqual(cells(text, "a loop"), ["1.0020", "1.1000", "-"])

    def test_no_loops_without_bare(self):
        rows = [{k: v for k, v in row.items() if k != "none"} for row in PEERS["row"]]
        text, _ = printed(table.print_loops, PEERS | {"row": rows}, OURS)
        self.assertEqual(text, "")

    def test_here_and_reference(self):
        text, _ = printed(table.print_reference, PEERS, {"kvm_off": figures(cpuid=970, other=1)})
        self.assertEqual(cells(text, "CPUID"), ["970/", "1125"])
        self.assertNotIn("expiry", text)

    def test_numbers(self):
        self.assertEqual([table.number(n) for n in (None, 0, 999999, 1000000, 6700000000)],
                         ["-", "0", "999999", "1.000 M", "6.700 G"])

    def test_chart_shows_the_measured_figure(self):
        merged = table.with_measured(PEERS, {"kvm_off": figures(cpuid=970)})
        drawn = chart.draw(merged, OURS, "title")
        self.assertIn(">970<", drawn)
        self.assertNotIn(">1125<", drawn)


class Comparing(unittest.TestCase):
    def test_a_regression_is_three_in_a_hundred(self):
        old = figures(cpuid=1000, late=1000)
        self.assertEqual(table.compare(PEERS, old, figures(cpuid=1033, late=1000)), [])
        self.assertEqual(table.compare(PEERS, old, figures(cpuid=1034, late=1034)),
                         [("cpuid", 1000, 1034), ("late", 1001, 1035)])

    def test_new_and_cheaper_rows_are_none(self):
        self.assertEqual(table.compare(PEERS, figures(cpuid=1000), figures(cpuid=1, new=9)), [])


class Starting(unittest.TestCase):
    def test_the_initrd_runs_the_vmm_as_told(self):
        files = others.kvm_files(["/a/kvm.ko"], ["1", "2 physical=1"], lambda path: b"")
        init = dict((name, data) for name, _, data, _ in files)["init"].decode()
        self.assertIn("insmod /kvm.ko\n", init)
        self.assertIn("/bin/vmm /bench.elf 1 && /bin/vmm /bench.elf 2 physical=1\n", init)


if __name__ == "__main__":
    unittest.main()
