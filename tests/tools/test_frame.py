#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames in Python: what tests/unit/test_frame.c asks of the C side, and the same known bytes."""
import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools"))

from plinthlib import frame  # noqa: E402

KNOWN = b"\xfePQwECAHZtIGxpc3QvfIZ6\n"


def frames(parts):
    return [p for p in parts if isinstance(p, frame.Frame)]


def text(parts):
    return b"".join(p for p in parts if isinstance(p, bytes))


class FrameTest(unittest.TestCase):
    def test_known_bytes(self):
        self.assertEqual(frame.encode("C", b"vm list", 1, 2), KNOWN)

    def test_comes_back_at_every_length_and_cut_anywhere(self):
        dice = random.Random(1)
        for n in list(range(80)) + [frame.PAYLOAD_MAX - 1, frame.PAYLOAD_MAX]:
            payload = dice.randbytes(n)
            wire = frame.encode("a", payload, n, 0xabcd)
            self.assertLessEqual(len(wire), frame.WIRE_MAX)
            for cut in {0, 1, 2, 3, len(wire) // 2, len(wire) - 1}:
                s = frame.Splitter()
                parts = s.feed(wire[:cut]) + s.feed(wire[cut:])
                self.assertEqual(parts, [frame.Frame("a", n & 0xff, 0xabcd, payload)])
        with self.assertRaises(ValueError):
            frame.encode("a", b"x" * (frame.PAYLOAD_MAX + 1))

    def test_text_goes_past_whole(self):
        s = frame.Splitter()
        stream = b"plinth> \xfe" + KNOWN + "[a] þ\n".encode() + KNOWN + b"end\xfe"
        parts = []
        for i in range(len(stream)):
            parts += s.feed(stream[i:i + 1])
        parts += s.feed(b"\xfe.")
        self.assertEqual(text(parts), b"plinth> \xfe" + "[a] þ\n".encode() + b"end\xfe\xfe.")
        self.assertEqual(len(frames(parts)), 2)
        self.assertNotIn(None, parts)

    def test_a_wrong_or_lost_byte_costs_one_frame(self):
        for at in range(len(KNOWN)):
            for wrong in (b"", b"\x00", b"A", b"\n", b"\xff", b"\xfe"):
                s = frame.Splitter()
                damaged = KNOWN[:at] + wrong + KNOWN[at + 1:]
                if damaged == KNOWN:
                    continue
                parts = s.feed(damaged + KNOWN)
                self.assertEqual(len(frames(parts)), 1, (at, wrong))

    def test_a_frame_without_end_is_dropped(self):
        s = frame.Splitter()
        parts = s.feed(frame.START + b"A" * 20000)
        self.assertEqual(parts, [None])
        self.assertEqual(len(frames(s.feed(KNOWN))), 1)

    def test_any_bytes(self):
        dice = random.Random(2)
        for _ in range(300):
            s = frame.Splitter()
            parts = s.feed(dice.randbytes(dice.randrange(600)) + b"\n" + KNOWN)
            self.assertTrue(frames(parts))


if __name__ == "__main__":
    unittest.main(verbosity=0)
