#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Taking the ELF kernel out of a bzImage: every packer, and images that are cut or damaged."""
import bz2
import gzip
import lzma
import os
import struct
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from plinthlib import vmlinux  # noqa: E402
from plinthlib.base import Failure  # noqa: E402

ELF = b"\x7fELF" + bytes(range(256)) * 64


def lz4_block(literals, copies):
    """One block: the literals, then (distance, length) copies with the length as a token can say
    it (4 to 18), then a last literal."""
    out = bytearray()
    head = literals
    for distance, length in copies:
        extra = []
        token = min(len(head), 15) << 4 | length - 4
        if len(head) >= 15:
            left = len(head) - 15
            extra = [255] * (left // 255) + [left % 255]
        out += bytes([token, *extra]) + head + struct.pack("<H", distance)
        head = b""
    return bytes(out) + b"\x10!"


def lz4_frame(*blocks):
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(b)) + b for b in blocks)


def bzimage(packed, size, setup=4, offset=0x2cc, protocol=0x20f):
    """The least that says where the payload is."""
    image = bytearray((setup + 1) * 512 + offset)
    image[0x1f1] = setup
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    tail = b"" if size is None else struct.pack("<I", size)
    struct.pack_into("<II", image, 0x248, offset, len(packed) + len(tail))
    return bytes(image) + packed + tail + b"what stands behind the payload"


class Packers(unittest.TestCase):
    def good(self, packed, name, elf=ELF):
        self.assertEqual(vmlinux.extract(bzimage(packed, len(elf))), (elf, name))

    def test_gzip(self):
        self.good(gzip.compress(ELF), "gzip")

    def test_xz_with_the_x86_filter(self):
        chain = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2}]
        self.good(lzma.compress(ELF, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=chain), "xz")

    def test_lzma(self):
        self.good(lzma.compress(ELF, lzma.FORMAT_ALONE), "lzma")

    def test_bzip2(self):
        self.good(bz2.compress(ELF), "bzip2")

    def test_not_packed(self):
        self.assertEqual(vmlinux.extract(bzimage(ELF, None)), (ELF, "not packed"))

    def test_lz4_literals_longer_than_a_token_says(self):
        block = lz4_block(ELF[:300], [(300, 18)])
        self.good(lz4_frame(block), "lz4", ELF[:300] + ELF[:18] + b"!")

    def test_lz4_copy_that_overlaps_itself(self):
        block = lz4_block(b"\x7fELFab", [(2, 9), (1, 5)])
        self.good(lz4_frame(block), "lz4", b"\x7fELFab" + b"ababababa" + b"aaaaa" + b"!")

    def test_lz4_blocks_follow_each_other(self):
        two = lz4_block(b"two", [(3, 6)])
        self.good(lz4_frame(b"\x40\x7fELF", two), "lz4", b"\x7fELF" + b"twotwotwo!")


class Bad(unittest.TestCase):
    def bad(self, image, words):
        with self.assertRaises(Failure) as caught:
            vmlinux.extract(image)
        self.assertRegex(str(caught.exception), words)

    def test_no_header(self):
        self.bad(b"", "no setup header")
        self.bad(bytes(4096), "no setup header")

    def test_old_protocol(self):
        self.bad(bzimage(ELF, None, protocol=0x207), r"2\.07 does not say")

    def test_cut(self):
        image = bzimage(gzip.compress(ELF), len(ELF))
        self.bad(image[:-40], "cut")

    def test_every_cut_of_a_payload_is_a_failure(self):
        for packed in (gzip.compress(ELF), lzma.compress(ELF), bz2.compress(ELF),
                       lz4_frame(lz4_block(ELF[:300], [(300, 18)]))):
            for n in range(8, len(packed), 7):
                self.bad(bzimage(packed[:n], len(ELF)), "damaged")

    def test_unknown_packer(self):
        self.bad(bzimage(b"\x89LZO" + ELF, len(ELF)), "unknown here")

    def test_wrong_size(self):
        self.bad(bzimage(gzip.compress(ELF), len(ELF) - 1), "damaged")

    def test_not_an_elf_file(self):
        self.bad(bzimage(gzip.compress(b"text" * 9), 36), "not an ELF file")

    def test_lz4_copy_from_before_the_block(self):
        for distance in (0, 5, 65535):
            self.bad(bzimage(lz4_frame(lz4_block(b"\x7fELF", [(distance, 4)])), 9), "damaged")


if __name__ == "__main__":
    unittest.main()
