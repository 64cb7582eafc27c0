#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is a file a Chrome trace, as Perfetto and chrome://tracing read it? A small schema of our own,
after the format's description in words ("Trace Event Format"): metadata, complete and instant
events, with the fields each must have; and the tracks that are named.

    chrome_trace.py FILE [TRACK...]     exit status 1 and what is wrong, or how much is in it
"""
import json
import sys

NUMBER = (int, float)
FIELDS = {      # phase: {field: type}
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
    "X": {"name": str, "cat": str, "pid": int, "tid": int, "ts": NUMBER, "dur": NUMBER,
          "args": dict},
    "i": {"name": str, "cat": str, "pid": int, "tid": int, "ts": NUMBER, "s": str, "args": dict},
}


def violations(document):
    """What is wrong with a Chrome trace, in words."""
    if not isinstance(document.get("traceEvents"), list):
        yield "no traceEvents"
        return
    if document.get("displayTimeUnit") not in ("ms", "ns"):
        yield "displayTimeUnit"
    named = {(e["pid"], e["tid"]) for e in document["traceEvents"]
             if e.get("name") == "thread_name"}
    for event in document["traceEvents"]:
        fields = FIELDS.get(event.get("ph"))
        if fields is None:
            yield f"phase of {event}"
            continue
        for field, kind in fields.items():
            if not isinstance(event.get(field), kind) or isinstance(event.get(field), bool):
                yield f"{field} of {event}"
        if set(event) != set(fields) | {"ph"}:
            yield f"fields of {event}"
        times = [event.get(k, 0) for k in ("ts", "dur")]
        if not all(isinstance(x, NUMBER) and x >= 0 for x in times):
            yield f"time of {event}"
        if event["ph"] == "i" and event.get("s") not in ("t", "p", "g"):
            yield f"scope of {event}"
        if event["ph"] != "M" and (event["pid"], event["tid"]) not in named:
            yield f"track of {event} has no name"


def missing(document, tracks):
    """Those of the tracks (names of threads) that there is no event on."""
    events = document["traceEvents"]
    used = {(e["pid"], e["tid"]) for e in events if e["ph"] != "M"}
    names = {e["args"]["name"] for e in events
             if e["name"] == "thread_name" and (e["pid"], e["tid"]) in used}
    return [t for t in tracks if t not in names]


def overlaps(document):
    """Slices of one track must nest or follow each other."""
    tracks = {}
    for e in document["traceEvents"]:
        if e["ph"] == "X":
            tracks.setdefault((e["pid"], e["tid"]), []).append((e["ts"], -e["dur"]))
    for rows in tracks.values():
        ends = []
        for begin, minus in sorted(rows):
            while ends and ends[-1] <= begin + 0.001:
                ends.pop()
            if ends and begin - minus > ends[-1] + 0.001:
                return True
            ends.append(begin - minus)
    return False


def main(path, tracks):
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    faults = list(violations(document))
    if not faults:
        faults += ["slices of a track overlap"] if overlaps(document) else []
        faults += [f"nothing is on a track '{t}'" for t in missing(document, tracks)]
    for fault in faults[:20]:
        print(fault)
    kinds = [e.get("cat", "names") for e in document.get("traceEvents", [])]
    print(f"{path}: {'no ' if faults else ''}Chrome trace: "
          + ", ".join(f"{kinds.count(k)} {k}" for k in sorted(set(kinds))))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
