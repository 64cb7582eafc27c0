# SPDX-License-Identifier: BSD-2-Clause
"""The bench's figures as an SVG: bars on a logarithmic scale, a group an operation."""
import math
from xml.sax.saxutils import escape

LABELS, AREA, RIGHT, TOP = 330, 560, 70, 64
BAR, GAP = 9, 10
DECADES = (1, 5)                # 10 to 100000 instructions
# (column of peers.toml, None: ours; title; colour)
SERIES = ((None, "Plinth", "#c0392b"), ("floor", "floor", "#b0b0b0"), ("nova", "NOVA", "#7d9d5b"),
          ("xen", "Xen", "#d9a441"), ("kvm_off", "KVM, mitigations off", "#4a7ba6"),
          ("kvm_def", "KVM, default", "#24476b"))


def chosen(peers, rows):
    """Rows worth a bar: an exit on Plinth and a figure of a peer."""
    for row in peers["row"]:
        ours = rows.get(row["name"])
        value = ours and ours[row.get("value", "min")]
        if value and 50 < value < 10**DECADES[1] and ("kvm_off" in row or "xen" in row) \
                and row["name"] not in ("text", "image", "taken", "vm-own"):
            yield row, value


def width(value):
    low, high = DECADES
    share = (math.log10(max(value, 10**low)) - low) / (high - low)
    return round(AREA * min(max(share, 0.004), 1), 1)


def _legend():
    x, out = LABELS, []
    for _, title, colour in SERIES:
        out.append(f'<rect x="{x}" y="30" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{x + 14}" y="39">{escape(title)}</text>')
        x += 34 + 6.6 * len(title)
    return out


def _grid(bottom):
    out = []
    for decade in range(DECADES[0], DECADES[1] + 1):
        x = LABELS + width(10**decade)
        out.append(f'<path d="M{x} {TOP - 6}V{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x}" y="{TOP - 10}" text-anchor="middle" fill="#777">'
                   f'{10**decade}</text>')
    return out


def _group(row, ours, y):
    values = [(ours if key is None else row.get(key), colour) for key, _, colour in SERIES]
    values = [(v, colour) for v, colour in values if v and v >= 10]
    middle = y + len(values) * BAR / 2 + 4
    out = [f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">{escape(row["text"])}</text>']
    for value, colour in values:
        out.append(f'<rect x="{LABELS}" y="{y}" width="{width(value)}" height="{BAR - 1}" '
                   f'fill="{colour}"/>')
        out.append(f'<text x="{LABELS + width(value) + 4}" y="{y + BAR - 1.5}" font-size="9" '
                   f'fill="#555">{value}</text>')
        y += BAR
    return out, y + GAP


def draw(peers, rows, title):
    body, y = [], TOP
    for row, ours in chosen(peers, rows):
        group, y = _group(row, ours, y)
        body += group
    size = f'width="{LABELS + AREA + RIGHT}" height="{y + 10}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
         'font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
         f'<text x="12" y="18" font-size="14">{escape(title)}</text>', *_legend(), *_grid(y),
         *body, "</svg>", ""])
