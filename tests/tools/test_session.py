#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a run was worth, read off the machine's lines: tools/plinth run's exit status; and what a
machine still said when it is gone."""
import os
import socket
import subprocess
import sys
import tempfile
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

    def test_a_reboot_may_take_long(self):
        reboot = b"plinth: operator: reboot\r\n"
        self.assertEqual(self.status(reboot, END), (OK, False))
        self.assertEqual(self.status(reboot, END, b"Plinth: alive\r\n", BAD_END),
                         (VM_FAILED, True))


class EndTest(unittest.TestCase):
    def test_a_program_gets_all_that_was_said_before_the_end(self):
        said = b"".join(b"%07d\n" % i for i in range(2000))     # more than one read() of a tty
        with tempfile.TemporaryDirectory() as folder:
            machine = session.Session(os.path.join(folder, "out"), os.path.join(folder, "log"))
            path = os.path.join(folder, "control")
            machine.serve(path, True)
            with socket.socket(socket.AF_UNIX) as program:
                program.settimeout(5)
                program.connect(path)
                machine.relay.ready(machine.relay.listener)
                machine.start(["sh", "-c", f"seq -f %07g 0 1999 >{machine.control_tty}"], False)
                try:
                    machine.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.fail("the line holds less than this test writes")
                self.assertEqual(session._loop(machine, False, False, 5), "gone")
                machine.close()
                with program.makefile("rb") as got:
                    self.assertEqual(got.read(), said)


if __name__ == "__main__":
    unittest.main()
