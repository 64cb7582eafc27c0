#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""plinthlib.core: from the lines of a dump to an ELF core file."""
import base64
import binascii
import os
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../tools"))

from plinthlib import core  # noqa: E402
from plinthlib.base import Failure  # noqa: E402

PAGE = core.PAGE


def line(words):
    text = b"core " + words.encode()
    return text + b" %08x\r\n" % binascii.crc32(text)


def registers(**values):
    """The hexadecimal of a 64-bit g packet."""
    data = b"".join(struct.pack("<Q", values.get(n, 0)) for n in core.GPRS)
    data += b"".join(struct.pack("<I", values.get(n, 0)) for n in core.AFTER_GPRS)
    data += bytes(core.FS_BASE - len(data))
    data += b"".join(struct.pack("<Q", values.get(n, 0)) for n in core.SYSTEM)
    return data.hex()


def page_line(gpa, data):
    coded = b"".join(bytes([127]) + data[i:i + 128] for i in range(0, PAGE, 128))
    return line(f"page {gpa:x} {base64.b64encode(coded).decode()}")


def a_dump(pages, **values):
    lines = [line("begin little 10000 1"), line("regs 0 " + registers(**values))]
    lines += [page_line(gpa, data) for gpa, data in pages.items()]
    return lines + [line(f"end {len(lines) + 1}")]


def entries(*pairs):
    table = bytearray(PAGE)
    for index, value in pairs:
        struct.pack_into("<Q", table, index * 8, value)
    return bytes(table)


LONG = {"cr0": 0x80000001, "cr3": 0x1000, "cr4": 0x20, "efer": 0x500}
TABLES = {0x1000: entries((511, 0x2003)), 0x2000: entries((510, 0x3003)),
          0x3000: entries((0, 0x4003)), 0x4000: entries((1, 0x5003), (2, 0x6003), (3, 0x8003)),
          0x5000: bytes(range(256)) * 16}


class Reading(unittest.TestCase):
    def test_noise_between_lines_does_not_matter(self):
        lines = a_dump(TABLES, rip=0x1234, **LONG)
        log = b"plinth> dump little --core\r\n" + b"[other] hello\r\n".join(lines)
        dump = core.read(log)
        self.assertEqual((dump.name, dump.memory, dump.vcpus), ("little", 0x10000, 1))
        self.assertEqual(dump.regs[0]["rip"], 0x1234)
        self.assertEqual(dump.regs[0]["cr3"], 0x1000)
        self.assertEqual(dump.pages[0x5000], TABLES[0x5000])

    def test_a_damaged_line_is_refused(self):
        lines = a_dump(TABLES, **LONG)
        lines[3] = lines[3].replace(b"core page", b"core  page", 1)
        with self.assertRaisesRegex(Failure, "damaged|missing"):
            core.read(b"".join(lines))

    def test_a_missing_line_is_refused(self):
        for i in range(1, 7):
            lines = a_dump(TABLES, **LONG)
            del lines[i]
            with self.assertRaisesRegex(Failure, "missing"):
                core.read(b"".join(lines))
        with self.assertRaisesRegex(Failure, "its end is missing"):
            core.read(b"".join(a_dump(TABLES, **LONG)[:-1]))

    def test_the_wanted_vm(self):
        log = b"".join(a_dump(TABLES, **LONG))
        self.assertEqual(core.read(log, "little").name, "little")
        with self.assertRaisesRegex(Failure, "no whole dump of big"):
            core.read(log, "big")

    def test_runs(self):
        self.assertEqual(core.unpack_runs(bytes([2, 1, 2, 3, 128, 9, 255, 0])),
                         bytes([1, 2, 3, 9, 9]) + bytes(129))


class Parts(unittest.TestCase):
    """A dump of a few pages: what is not in it is not taken for empty."""
    def test_only_what_is_there(self):
        lines = a_dump(TABLES, **LONG)
        lines[0] = line("begin little 10000 1 part")
        dump = core.read(b"".join(lines))
        self.assertIsNone(dump.page(0x6000))
        self.assertEqual(core.merged(dump), [[0xffffffff80001000, 0x5000, PAGE]])
        self.assertEqual(core.ram(dump), [(gpa, PAGE) for gpa in sorted(TABLES)])

    def test_a_large_page_of_which_one_piece_is_known(self):
        tables = dict(TABLES) | {0x3000: entries((0, 0x4003), (1, 0x83))}
        lines = a_dump(tables, **LONG)
        lines[0] = line("begin little 10000 1 part")
        found = core.merged(core.read(b"".join(lines)))
        self.assertIn([0xffffffff80201000, 0x1000, 5 * PAGE], found)    # to 5fffh, and no more


class Writing(unittest.TestCase):
    def setUp(self):
        self.path = tempfile.mktemp(suffix=".core")

    def tearDown(self):
        os.unlink(self.path)

    def write(self, dump):
        core.write(dump, self.path)
        with open(self.path, "rb") as f:
            return f.read()

    def test_linear_and_physical_ranges(self):
        dump = core.read(b"".join(a_dump(TABLES, rip=0xffffffff80001000, **LONG)))
        # 5000h and 6000h run on; 8000h begins anew.
        self.assertEqual(core.merged(dump), [[0xffffffff80001000, 0x5000, 0x2000],
                                             [0xffffffff80003000, 0x8000, 0x1000]])
        elf = self.write(dump)
        self.assertEqual(elf[:5], b"\x7fELF\x02")
        count = struct.unpack_from("<H", elf, 56)[0]
        programs = [struct.unpack_from("<IIQQQQQQ", elf, 64 + 56 * i) for i in range(count)]
        self.assertEqual([p[0] for p in programs], [4, 1, 1, 1])
        self.assertEqual(programs[1][3:6], (0xffffffff80001000, 0x5000, 0x2000))
        at = programs[1][2]
        self.assertEqual(elf[at:at + PAGE], TABLES[0x5000])
        self.assertEqual(elf[at + PAGE:at + 2 * PAGE], bytes(PAGE))
        self.assertEqual(programs[3][3:6], (0, 0, 0x10000))     # all RAM by physical address
        note = elf[programs[0][2]:]
        self.assertEqual(struct.unpack_from("<III", note), (5, 336, 1))
        self.assertEqual(struct.unpack_from("<Q", note, 20 + 112 + 16 * 8)[0], 0xffffffff80001000)

    def test_a_32_bit_guest(self):
        tables = {0x1000: struct.pack("<I", 0x2003) + bytes(PAGE - 4),
                  0x2000: struct.pack("<II", 0, 0x3003) + bytes(PAGE - 8)}
        dump = core.read(b"".join(a_dump(tables, cr0=0x80000001, cr3=0x1000, rip=0x1004)))
        self.assertEqual(core.merged(dump), [[0x1000, 0x3000, 0x1000]])
        elf = self.write(dump)
        self.assertEqual(elf[:5], b"\x7fELF\x01")
        note_at = struct.unpack_from("<I", elf, 52 + 4)[0]
        self.assertEqual(struct.unpack_from("<III", elf, note_at), (5, 144, 1))
        self.assertEqual(struct.unpack_from("<I", elf, note_at + 20 + 72 + 12 * 4)[0], 0x1004)

    def test_tables_that_point_nowhere(self):
        tables = {0x1000: entries((0, 0xffff000000003), (1, 0x1003), (2, 0x2003))}
        dump = core.read(b"".join(a_dump(tables, **LONG)))
        self.write(dump)


if __name__ == "__main__":
    unittest.main()
