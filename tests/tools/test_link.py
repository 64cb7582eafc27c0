#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The program's end of the control channel against a machine that is played here: frames that get
lost, a cable that is pulled in the middle of a transfer, a machine that falls silent, long answers."""
import binascii
import os
import random
import socket
import struct
import sys
import threading
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from plinthlib import frame, link  # noqa: E402
from plinthlib.base import Failure  # noqa: E402


class Machine(threading.Thread):
    """Answers hello, push and commands. lose: this share of the frames, both ways, does not arrive;
    stop_at: after so many bytes of a file it does `stop`."""

    def __init__(self, lose=0.0, stop_at=None, stop="close", answer=b""):
        super().__init__(daemon=True)
        self.program, self.line = socket.socketpair()
        self.program.setblocking(False)
        self.lose, self.dice = lose, random.Random(5)
        self.stop_at, self.stop, self.answer = stop_at, stop, answer
        self.file, self.size, self.crc, self.runs, self.lost = b"", 0, 0, [], 0
        self.start()

    def drop(self):
        lost = self.dice.random() < self.lose
        self.lost += lost
        return lost

    def say(self, kind, payload, seq):
        if not self.drop():
            self.line.sendall(frame.encode(kind, payload, seq))

    def run(self):
        splitter = frame.Splitter()
        while True:
            try:
                data = self.line.recv(65536)
            except OSError:
                return
            for f in splitter.feed(data) if data else []:
                if isinstance(f, frame.Frame) and not self.drop() and not self.take(f):
                    return
            if not data:
                return

    def take(self, f):
        if f.type == "H":
            self.say("h", f.payload[:4] + struct.pack("<HII", 1, 8192, 1056) + b"Plinth", f.seq)
        elif f.type == "P":
            self.size, self.crc = struct.unpack("<II", f.payload[:8])
            self.say("p", b"\0", f.seq)
        elif f.type == "D":
            return self.data(f)
        elif f.type == "C":
            self.command(f)
        return True

    def data(self, f):
        offset, = struct.unpack("<I", f.payload[:4])
        if offset == len(self.file):
            self.file += f.payload[4:]
        if self.stop_at is not None and len(self.file) >= self.stop_at:
            if self.stop == "close":
                self.line.close()
            return self.stop != "close"
        whole = len(self.file) == self.size
        self.say("d", struct.pack("<BI", whole, len(self.file)), f.seq)
        return True

    def command(self, f):
        if f.payload[:4] not in self.runs:
            self.runs.append(f.payload[:4])
        for i in range(0, len(self.answer), 512):
            self.say("a", f.payload[:4] + self.answer[i:i + 512], i // 512 & 0xff)
        self.say("e", f.payload[:4] + struct.pack("<BBII", 1, 0, len(self.answer),
                                                  binascii.crc32(self.answer)), 0)


class Lines(unittest.TestCase):
    def setUp(self):
        self.saved = link.FIRST_WAIT, link.LONGEST_WAIT
        link.FIRST_WAIT = link.LONGEST_WAIT = 0.05

    def tearDown(self):
        link.FIRST_WAIT, link.LONGEST_WAIT = self.saved

    def session(self, machine, patience=5):
        line = link.Link(machine.program.fileno(), patience)
        line.hello()
        return line

    def push(self, size, patience=5, **how):
        machine = Machine(**how)
        data = random.Random(1).randbytes(size)
        self.session(machine, patience).push("k", data)
        return machine, data

    def test_a_file_arrives(self):
        machine, data = self.push(50000)
        self.assertEqual((machine.file, machine.crc), (data, binascii.crc32(data)))

    def test_a_file_arrives_though_frames_are_lost(self):
        machine, data = self.push(20000, lose=0.1)
        self.assertEqual(machine.file, data)
        self.assertGreater(machine.lost, 5)

    def test_the_cable_is_pulled(self):
        with self.assertRaises(Failure) as failure:
            self.push(50000, stop_at=10000)
        self.assertEqual(failure.exception.status, link.NO_ANSWER)

    def test_the_machine_falls_silent(self):
        with self.assertRaises(Failure) as failure:
            self.push(50000, patience=0.5, stop_at=10000, stop="silence")
        self.assertEqual(failure.exception.status, link.NO_ANSWER)

    def test_nobody_is_there(self):
        with self.assertRaises(Failure) as failure:
            self.session(Machine(lose=1.0), 0.3)
        self.assertEqual(failure.exception.status, link.NO_ANSWER)

    def test_a_device_is_for_one_program(self):
        master, slave = os.openpty()
        path = os.ttyname(slave)
        first = link.open_line(path, 115200)
        with self.assertRaises(Failure) as failure:
            link.open_line(path, 115200)
        self.assertEqual(failure.exception.status, link.NO_ANSWER)
        self.assertIn("one at a time", str(failure.exception))
        os.close(first)
        for fd in (link.open_line(path, 115200), master, slave):
            os.close(fd)

    def test_a_long_answer_is_whole(self):
        text = random.Random(2).randbytes(300000)
        machine, got = Machine(answer=text), []
        self.assertEqual(self.session(machine).command("log", got.append), 1)
        self.assertEqual(b"".join(got), text)

    def test_an_answer_is_asked_for_again_and_the_command_run_once(self):
        machine, got = Machine(answer=b"x" * 1500, lose=0.2), []
        self.session(machine).command("vm list", got.append)
        self.assertEqual(b"".join(got), b"x" * 1500)
        self.assertEqual(len(machine.runs), 1)


if __name__ == "__main__":
    unittest.main()
