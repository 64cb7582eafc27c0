#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a run was worth, read off the machine's lines: tools/plinth run's exit status."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools"))

from plinthlib import session  # noqa: E402
from plinthlib.base import OK, PANIC, VM_FAILED  # noqa: E402

END = b"plinth: end: 2 ended well, 0 failed\r\n"
BAD_END = b"plinth: end: 1 ended well, 1 failed\r\n"


class VerdictTest(unittest.TestCase):
    def status(self, *pieces):
        verdict = session.Verdict()
        for piece in pieces:
            verdict.feed(piece)
        over = verdict.over()
        verdict.close()
        return verdict.status(), over

    def test_the_last_line_decides(self):
        self.assertEqual(self.status(b"plinth: cpus: 1 of 1 runs\r\n"), (None, False))
        self.assertEqual(self.status(END), (OK, True))
        self.assertEqual(self.status(BAD_END), (VM_FAILED, True))

    def test_a_line_comes_in_pieces(self):
        for cut in range(len(BAD_END)):
            self.assertEqual(self.status(BAD_END[:cut], BAD_END[cut:]), (VM_FAILED, True))

    def test_a_guest_cannot_say_it(self):
        self.assertEqual(self.status(b"[hello] " + END, b"[hello] plinth: panic: no\r\n"),
                         (None, False))

    def test_a_panic_is_worse_than_all(self):
        self.assertEqual(self.status(END, b"plinth: panic: here\r\n"), (PANIC, True))

    def test_a_reboot_starts_anew(self):
        alive = b"Plinth: alive\r\n"
        self.assertEqual(self.status(BAD_END, alive), (None, False))
        self.assertEqual(self.status(BAD_END, alive, END), (OK, True))
        self.assertEqual(self.status(b"plinth: panic: here\r\n", alive), (PANIC, True))


if __name__ == "__main__":
    unittest.main()
