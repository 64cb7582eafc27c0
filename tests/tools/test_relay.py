#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The way of programs to a machine's line, when tools/plinth run hears of several things at once."""
import os
import select
import socket
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools"))

from plinthlib import frame, relay  # noqa: E402


class RelayTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "control")
        self.line = b""
        self.relay = relay.Relay(self.path, self.take)

    def tearDown(self):
        self.relay.close()
        self.folder.cleanup()

    def take(self, data):
        self.line += data
        return len(data)

    def program(self, says=b""):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.settimeout(5)
        end.connect(self.path)
        end.sendall(says)
        return end

    def round(self):
        """A turn of the machine's loop; the line takes all."""
        ready = select.select(self.relay.readers(), [], [], 0)[0]
        for source in self.relay.readers():
            if source in ready:
                self.relay.ready(source)
        if self.relay.wants_write():
            self.relay.flush()

    def test_the_next_is_let_in_though_the_first_has_just_gone(self):
        for last in (b"bye", b"x" * 3 * relay.PENDING_MAX):
            first = self.program(b"hello")
            self.round()
            self.round()
            first.sendall(last)
            first.close()
            with self.program(b"next") as second:
                for _ in range(8):
                    self.round()
                self.relay.give(b"answer")
                self.assertEqual(second.recv(100), b"answer")
                self.assertEqual(self.line, b"hello" + last + b"\n" + frame.encode("B") + b"next")
            self.round()
            self.line = b""

    def test_two_at_once_are_one_too_many(self):
        with self.program(b"first"):
            self.round()
            with self.program() as second:
                self.round()
                self.assertIn(relay.BUSY, [f.payload for f in frame.Splitter().feed(
                    second.recv(1000)) if isinstance(f, frame.Frame)])
                self.assertEqual(second.recv(1000), b"")


if __name__ == "__main__":
    unittest.main()
