# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of a trace, and which kind of file its name asks for."""
import html
import os

from plinthlib import trace as traces
from plinthlib.base import Failure

COLOURS = ("#4878a8", "#d0803c", "#5a9e5a", "#b85450", "#8a6fb0", "#8c6d5a", "#c97ba8", "#6f8f8f",
           "#b0a03c", "#45a5b5")
IDLE_COLOUR = "#e4e4e4"
LEFT, WIDTH, ROW, TOP = 130, 1000, 24, 46


def _rect(x, y, width, height, colour, title):
    return (f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0.3):.1f}" height="{height}" '
            f'fill="{colour}"><title>{html.escape(title)}</title></rect>')


def _text(x, y, text, more=""):
    return f'<text x="{x}" y="{y}"{more}>{html.escape(text)}</text>'


def _axis(trace, height):
    for i in range(11):
        x = LEFT + WIDTH * i / 10
        yield f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{height}" stroke="#ccc"/>'
        yield _text(x, TOP - 10, f"{trace.length * i / 10000:.2f}", ' text-anchor="middle"')
    yield _text(LEFT + WIDTH + 26, TOP - 10, "ms")


class _Bar:
    """Spans of one vCPU on one row; those that are too narrow to be seen share a bar."""

    def __init__(self, span):
        self.begin, self.end, self.ran, self.turns = span.begin, span.end, 0.0, 0
        self.cpu, self.why = span.cpu, span.why
        self.add(span)

    def add(self, span):
        self.end = max(self.end, span.end)
        self.ran += span.end - span.begin
        self.turns += 1

    def title(self, who):
        text = f"{who or 'idle'}: {self.begin:.1f} to {self.end:.1f} us"
        if self.turns > 1:
            return f"{text}, {self.turns} turns, {traces.percent(self.ran, self.end - self.begin):.0f} %"
        return f"{text} on CPU {self.cpu}" + (f", left: {self.why}" if who else "")


def _bars(rows, pixel):
    """rows: (row, who, span) in order of time. (row, who, bar): narrower than a pixel, and less than
    one behind the last of the same vCPU on that row, is part of that one's bar."""
    last, found = {}, []
    for row, who, span in rows:
        bar = last.get((row, who))
        narrow = bar and min(span.end - span.begin, bar.end - bar.begin) < pixel
        if narrow and span.begin - bar.end < pixel:
            bar.add(span)
            continue
        last[row, who] = bar = _Bar(span)
        found.append((row, who, bar))
    return found


def _marks(trace, line, scale):
    """A tick for each exit, one for all that fall on the same pixel."""
    seen = {(trace.who(e.record), round(e.end * scale)) for e in traces.exits(trace)}
    for who, y in line.items():
        ticks = "".join(f"M{LEFT + at} {y + ROW - 9}v7" for name, at in sorted(seen) if name == who)
        if ticks:
            yield f'<path d="{ticks}" stroke="black" stroke-width=".5"/>'


def svg(trace):
    all_spans, scale = traces.spans(trace), WIDTH / max(trace.length, 0.001)
    vcpus = sorted({trace.who(s.who) for s in all_spans if s.who})
    colour = {who: COLOURS[i % len(COLOURS)] for i, who in enumerate(vcpus)}
    line = {who: TOP + ROW * (trace.cpus + 1 + i) for i, who in enumerate(vcpus)}
    height = TOP + ROW * (trace.cpus + 1 + len(vcpus)) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{LEFT + WIDTH + 60}" height="{height}" fill="white"/>',
           _text(8, 16, f"Plinth {trace.version}: who ran where, and when its exits came")]
    out += _axis(trace, height - 10)
    for cpu in range(trace.cpus):
        out.append(_text(8, TOP + ROW * cpu + 15, f"CPU {cpu}"))
    for who in vcpus:
        out.append(_text(8, line[who] + 15, who))
    rows = []
    for s in sorted(all_spans, key=lambda s: s.begin):
        who = trace.who(s.who) if s.who else None
        rows += [(TOP + ROW * s.cpu, who, s)] + ([(line[who], who, s)] if who else [])
    # Idle times first: who ran in between is drawn over them.
    for y, who, bar in sorted(_bars(rows, 1 / scale), key=lambda r: r[1] is not None):
        out.append(_rect(LEFT + bar.begin * scale, y, (bar.end - bar.begin) * scale, ROW - 4,
                         colour[who] if who else IDLE_COLOUR, bar.title(who)))
    out += _marks(trace, line, scale)
    return "\n".join(out) + "\n</svg>\n"


def page(trace):
    return ('<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Plinth trace</title>\n'
            f"{svg(trace)}<pre>\n{html.escape(traces.summary(trace))}</pre>\n</html>\n")


WRITERS = {".json": traces.chrome, ".txt": traces.summary, ".svg": svg, ".html": page}


def knows(path):
    return os.path.splitext(path)[1] in WRITERS


def write(trace, path):
    with open(path, "w", encoding="utf-8") as f:
        f.write(WRITERS[os.path.splitext(path)[1]](trace))


def convert(log, output):
    """Writes each of output (by its ending), or the text summary to stdout."""
    for path in output:
        if not knows(path):
            raise Failure(f"{path}: the name has to end in " + ", ".join(WRITERS), 2)
    try:
        trace = traces.read(log)
        for path in output:
            write(trace, path)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", 2) from None
    if not output:
        print(traces.summary(trace), end="")
