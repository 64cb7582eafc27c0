# SPDX-License-Identifier: BSD-2-Clause
"""The way from a UNIX socket to a machine's serial line, for `tools/plinth ctl` while
`tools/plinth run` has the machine. One program at a time, another is told so; when it goes, its
session is closed.
"""
import os
import select
import socket

from plinthlib import frame
from plinthlib.base import BAD_CONFIG, Failure

BUSY = b"another program has this line, which is for one at a time"
PENDING_MAX = 4096      # bytes that wait for the line: the program waits for the rest itself


class Relay:
    """write(bytes) -> how many the line took now."""

    def __init__(self, path, write):
        self.path = path
        self._write = write
        self._pending = b""
        self.client = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.exists(path) and not self._in_use(path):
                os.unlink(path)
            self.listener.bind(path)
        except OSError as error:
            raise Failure(f"--control {path}: {error.strerror or error}", BAD_CONFIG) from None
        self.listener.listen(1)

    @staticmethod
    def _in_use(path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
                return True
            except ConnectionRefusedError:
                return False
            except OSError:
                return True     # no socket: not ours to remove

    def readers(self):
        if not self.client:
            return [self.listener]
        return [self.client, self.listener] if len(self._pending) < PENDING_MAX else []

    def wants_write(self):
        return bool(self._pending)

    def ready(self, source):
        if source is self.listener:
            self._accept()
            return
        try:
            data = self.client.recv(PENDING_MAX)
        except OSError:
            data = b""
        self._pending += data
        if not data:
            self._gone()

    def _accept(self):
        # The one before may have said its last words and gone, and nobody has heard either yet.
        while self.client and select.select([self.client], [], [], 0)[0]:
            if len(self._pending) >= PENDING_MAX:
                return      # the other waits until those are on the line
            self.ready(self.client)
        client = self.listener.accept()[0]
        if not self.client:
            self.client = client
            return
        with client:
            client.setblocking(False)
            try:
                client.send(frame.encode("x", BUSY, channel=frame.NOT_PLINTH))
            except OSError:
                pass

    def _gone(self):
        self.client.close()
        self.client = None
        self._pending += b"\n" + frame.encode("B")

    def flush(self):
        self._pending = self._pending[self._write(self._pending):]

    def give(self, data):
        """What the line has said. A program that does not read is sent away."""
        if not self.client:
            return
        try:
            self.client.settimeout(5)
            self.client.sendall(data)
        except OSError:
            self._gone()

    def close(self):
        if self.client:
            self.client.close()
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
