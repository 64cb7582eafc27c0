# SPDX-License-Identifier: BSD-2-Clause
"""Figures of the bench: read from the guest's lines, compared, and printed as tables.

A figure of a peer is measured here (build/bench.json, figures.json) or, where that was not done,
the reference's (peers.toml), which is marked. Starts nothing: tests/tools/test_bench_table.py.
"""
import re

from plinthlib.base import Failure

LINE = re.compile(r"bench: (\S+) min (\d+) median (\d+)(?: mean (\d+) max (\d+))?$")
START = re.compile(r"start: (\d+) ticks from entry to the first guest instruction")
# A guest is through when it says so or, where that is lost in the UART, has printed its last row.
LAST = re.compile(r"bench: (done|uart-byte min|ipi-halted-1 min)")
TOLERANCE, SLACK = 0.03, 3      # instructions: a change of one or two is no regression
LOOPS = ("compute-8m", "memory-8m", "ticks-1k", "ticks-4k", "switches")
NAME = 49                       # columns of a row's text


def once(value):
    return {"min": value, "median": value}


def read_rows(lines):
    """{row: {min, median, mean, max}} of what a guest printed."""
    rows = {}
    for line in lines:
        start = START.search(line)
        if start:
            rows["boot-to-guest"] = once(int(start.group(1)))
        found = LINE.search(line)
        if found:
            values = (int(v) for v in found.groups()[1:] if v is not None)
            rows[found.group(1)] = dict(zip(("min", "median", "mean", "max"), values))
    if not any(LAST.search(line) for line in lines):
        raise Failure("bench: the guest did not finish:\n  " + "\n  ".join(lines[-4:]))
    return rows


def value(row, figures):
    """The figure that counts for a row of peers.toml, or None."""
    return figures[row.get("value", "min")] if figures else None


def with_measured(peers, measured):
    """peers, with what was measured here in place of reference figures. measured: {column: rows}.
    row["reference"] names the columns, among those measured, that still show the reference's."""
    rows = []
    for row in peers["row"]:
        here = {column: value(row, figures.get(row["name"]))
                for column, figures in measured.items()}
        new = row | {column: v for column, v in here.items() if v is not None}
        new["reference"] = [c for c, v in here.items() if v is None and c in row]
        rows.append(new)
    return peers | {"row": rows}


def limit_of(row, apicv):
    return row.get("at_most") if apicv else row.get("without_apicv", row.get("at_most"))


def number(n):
    if n is None:
        return "-"
    if n >= 10**9:
        return f"{n / 1e9:.3f} G"
    return f"{n / 1e6:.3f} M" if n >= 1000000 else str(n)


def _cell(row, column):
    mark = "*" if column in row.get("reference", ()) else " "
    return f"{number(row.get(column)):>8}{mark}"


def print_main(peers, rows, apicv):
    """Our figure, the limit, then the peers. Returns how many rows are above their limit."""
    columns = peers["columns"]
    known = {row["name"]: row for row in peers["row"]}
    print(f"{'operation':{NAME}} {'Plinth':>8} {'at most':>8}  "
          + " ".join(f"{title:>8} " for title in columns.values()).rstrip())
    over = 0
    for name in list(known) + [n for n in rows if n not in known]:
        row = known.get(name, {"text": name})
        ours, limit = value(row, rows.get(name)), limit_of(row, apicv)
        bad = ours is not None and limit is not None and ours > limit
        over += bad
        print((f"{row['text'][:NAME]:{NAME}} {number(ours):>8} {number(limit):>8}"
               f"{'!' if bad else ' '} "
               + " ".join(_cell(row, column) for column in columns)).rstrip())
    if any(row.get("reference") for row in known.values()):
        print("* not measured here: a figure of the reference in tests/bench/peers.toml")
    return over


def print_loops(peers, rows):
    """What is left of a CPU: a loop's instructions over what the same loop takes bare."""
    columns = {key: title for key, title in peers["columns"].items() if key != "none"}
    table = []
    for row in peers["row"]:
        bare, ours = row.get("none"), value(row, rows.get(row["name"]))
        if row["name"] in LOOPS and bare and ours:
            cells = [ours] + [row.get(key) for key in columns]
            table.append(f"{row['text'][:NAME]:{NAME}} "
                         + " ".join(f"{v / bare:>8.4f}" if v else f"{'-':>8}" for v in cells))
    if table:
        print(f"\n{'loops, times what they take bare':{NAME}} {'Plinth':>8} "
              + " ".join(f"{title:>8}" for title in columns.values()))
        print("\n".join(line.rstrip() for line in table))


def print_reference(peers, measured):
    """What was measured here beside the reference's figure, for the peers that have both."""
    columns = [c for c in measured if measured[c]]
    print(f"\n{'measured here / reference':{NAME}} "
          + " ".join(f"{peers['columns'][c]:>17}" for c in columns))
    for row in peers["row"]:
        here = {c: value(row, measured[c].get(row["name"])) for c in columns}
        if any(v is not None and c in row for c, v in here.items()):
            print(f"{row['text'][:NAME]:{NAME}} "
                  + " ".join(f"{number(here[c]):>8}/{number(row.get(c)):>8}" for c in columns))


def print_vmcs(peers, rows):
    texts = {row["name"]: row["text"] for row in peers["row"]}
    print(f"\n{'VMCS accesses':{NAME}} {'reads':>8} {'writes':>8}")
    for name, row in rows.items():
        if row.get("reads"):
            print(f"{texts.get(name, name)[:NAME]:{NAME}} {row['reads']:>8} {row['writes']:>8}")


def compare(peers, old, new):
    """Rows that became dearer: [(name, was, is)]."""
    value_of = {row["name"]: row.get("value", "min") for row in peers["row"]}
    worse = []
    for name, row in new.items():
        key = value_of.get(name, "min")
        was = old.get(name, {}).get(key)
        if was is not None and row[key] > was * (1 + TOLERANCE) + SLACK:
            worse.append((name, was, row[key]))
    return worse
