#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The symbols of a kernel out of its own table: every layout that is known, addresses in front of
and behind the base, long names, and tables that are damaged or not there."""
import os
import random
import struct
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from plinthlib import kallsyms  # noqa: E402
from plinthlib.base import Failure  # noqa: E402

BASE = 0xffffffff81000000
# As a kernel's: printable bytes are themselves, the others stand for something longer.
TOKENS = [bytes([b]) if 32 < b < 127 else b"_tok%d" % b for b in range(256)]


def symbols(count):
    """Per-CPU ones at 0 and up first, then the kernel's; one name is longer than 127 bytes."""
    out = [(i * 16, "A", f"percpu_{i}") for i in range(20)]
    out += [(BASE + i * 0x20, "tTdD"[i % 4], f"name_{i}") for i in range(count - 21)]
    return out + [(BASE + count * 0x20, "T", "long_" * 40)]


def aligned(data):
    return data + bytes(-len(data) % 8)


def tables(rows, newer=False, order=False, negative=True):
    names, markers = bytearray(), []
    for i, (_, letter, name) in enumerate(rows):
        if i % 256 == 0:
            markers.append(len(names))
        text = (letter + name).encode()
        n = len(text)
        names += (bytes([n]) if n < 128 else bytes([n & 0x7f | 0x80, n >> 7])) + text
    offsets = [a if a < BASE and negative else BASE - 1 - a if negative else a - BASE
               for a, _, _ in rows]
    starts, table = [], b""
    for token in TOKENS:
        starts.append(len(table))
        table += token + b"\0"
    where = aligned(struct.pack(f"<{len(rows)}i", *offsets)) + struct.pack("<Q", BASE)
    what = aligned(struct.pack("<I", len(rows))) + aligned(bytes(names)) \
        + aligned(struct.pack(f"<{len(markers)}I", *markers))
    dice = random.Random(1)
    sequence = aligned(b"".join(dice.randrange(len(rows)).to_bytes(3, "big") for _ in rows))
    how = aligned(table) + aligned(struct.pack("<256H", *starts))
    if newer:
        return what + how + where + sequence
    return where + what + (sequence if order else b"") + how


def elf(rodata):
    """One section .rodata at BASE, and the section of names."""
    strings = b"\0.rodata\0.shstrtab\0"
    at = 64 + len(rodata)
    headers = [(0,) * 10, (1, 1, 2, BASE, 64, len(rodata), 0, 0, 8, 0),
               (9, 3, 0, 0, at, len(strings), 0, 0, 1, 0)]
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, BASE, 0, at + len(strings), 0, 64, 56, 0, 64, 3, 2)
    return head + rodata + strings + b"".join(kallsyms.SECTION.pack(*h) for h in headers)


def noise(n):
    return random.Random(2).randbytes(n // 8 * 8)


class Tables(unittest.TestCase):
    def good(self, rows, **how):
        self.assertEqual(kallsyms.read(noise(4096) + bytes(8) + tables(rows, **how) + noise(4096)),
                         rows)

    def test_to_6_0(self):
        self.good(symbols(2000))

    def test_with_an_order(self):
        self.good(symbols(3000), order=True)

    def test_from_6_4(self):
        self.good(symbols(2000), newer=True)

    def test_offsets_that_are_all_positive(self):
        self.good([s for s in symbols(2000) if s[0] >= BASE], negative=False)

    def test_a_number_that_fills_the_last_group(self):
        self.good(symbols(1024))

    def test_damaged(self):
        whole = tables(symbols(1500))
        for at in (len(whole) // 2, len(whole) - 300, len(whole) - 700):
            with self.assertRaises(Failure):
                kallsyms.read(whole[:at] + bytes(64) + whole[at + 64:])

    def test_cut_anywhere(self):
        whole = tables(symbols(600))
        for at in range(0, len(whole), 997):
            with self.assertRaises(Failure):
                kallsyms.read(whole[:at])

    def test_none(self):
        for data in (b"", kallsyms.DIGITS, noise(1 << 16), bytes(300) + kallsyms.DIGITS + noise(999)):
            with self.assertRaises(Failure):
                kallsyms.read(data)


class Elf(unittest.TestCase):
    def test_symbols_are_in_their_section(self):
        rows = symbols(600)
        out, count = kallsyms.add(elf(tables(rows)))
        self.assertEqual(count, 600)
        at, = struct.unpack_from("<Q", out, 40)
        number, = struct.unpack_from("<H", out, 60)
        sections = [kallsyms.SECTION.unpack_from(out, at + 64 * i) for i in range(number)]
        symtab, strtab = sections[-2:]
        self.assertEqual((symtab[1], strtab[1], symtab[6]), (2, 3, number - 1))
        found = {}
        for i in range(symtab[5] // 24):
            name, info, _, home, value, _ = kallsyms.SYMBOL.unpack_from(out, symtab[4] + 24 * i)
            text = out[strtab[4] + name:out.index(b"\0", strtab[4] + name)].decode()
            found[text] = (value, home, info)
            self.assertEqual(info >> 4, int(i >= symtab[7]))    # local ones come first
        self.assertEqual(found["name_1"], (BASE + 0x20, 1, 0x12))
        self.assertEqual(found["name_2"], (BASE + 0x40, 1, 0x01))
        self.assertEqual(found["percpu_3"][:2], (48, 0xfff1))
        self.assertEqual(len(found), 601)

    def test_no_elf(self):
        good = elf(tables(symbols(600)))
        for data in (b"", b"\x7fELF\1\1" + good[6:], good[:60] + b"\0\0\0\0" + good[64:],
                     good[:-8], good[:32]):
            with self.assertRaises(Failure):
                kallsyms.add(data)


if __name__ == "__main__":
    unittest.main()
