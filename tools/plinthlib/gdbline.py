# SPDX-License-Identifier: BSD-2-Clause
"""The debugger's line of a machine: a TCP port on this host, joined to the second serial port.

The emulator gets a pseudo-terminal, so that it starts without waiting for a gdb; here a thread
serves one gdb after the other.
"""
import os
import select
import socket
import threading
import tty

from plinthlib.base import BAD_CONFIG, Failure


class GdbLine:
    def __init__(self, port):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.tty = os.ttyname(self.slave)
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.server.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise Failure(f"--gdb {port}: {error}", BAD_CONFIG) from None
        self.server.listen(1)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client = None
        while True:
            try:
                ready = select.select([self.server, self.master] + ([client] if client else []),
                                      [], [])[0]
                if self.server in ready:
                    if client:
                        client.close()
                    client = self.server.accept()[0]
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    continue
                if self.master in ready:
                    data = os.read(self.master, 4096)
                    if client:
                        client.sendall(data)
                if client in ready:
                    data = client.recv(4096)
                    if not data:
                        client.close()
                        client = None
                    while data:
                        data = data[os.write(self.master, data[:256]):]
            except ConnectionError:
                client = None
            except (OSError, ValueError):
                return      # the machine has ended
