# SPDX-License-Identifier: BSD-2-Clause
"""Frames: what programs and Plinth say to each other over a serial line. The same as core/frame.c,
where the form is explained; docs/console.md says what the types mean.
"""
import base64
import binascii
import collections
import struct

START = b"\xfeP"
PAYLOAD_MAX = 1056
NOT_PLINTH = 0xffff     # the channel of what comes from something between it and a program


def wire_size(payload):
    """Bytes of a frame with so many bytes of payload."""
    return 2 + ((payload + 8) * 4 + 2) // 3 + 1


WIRE_MAX = wire_size(PAYLOAD_MAX)
Frame = collections.namedtuple("Frame", "type seq channel payload")


def encode(kind, payload=b"", seq=0, channel=0):
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("payload too long")
    body = struct.pack("<cBH", kind.encode(), seq & 0xff, channel) + payload
    body += struct.pack("<I", binascii.crc32(body))
    return START + base64.b64encode(body).rstrip(b"=") + b"\n"


def decode(digits):
    """What stands between START and the line feed, as a Frame; None: it is damaged."""
    digits = digits.replace(b"\r", b"")
    try:
        body = base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        return None
    if not 8 <= len(body) <= PAYLOAD_MAX + 8:
        return None
    if struct.unpack("<I", body[-4:])[0] != binascii.crc32(body[:-4]):
        return None
    kind, seq, channel = struct.unpack("<cBH", body[:4])
    return Frame(kind.decode("latin-1"), seq, channel, body[4:-4])


class Splitter:
    """Cuts what comes over a line into text (bytes), Frames, and None for a damaged frame."""

    def __init__(self):
        self._held = b""

    def feed(self, data):
        data = self._held + data
        self._held = b""
        parts = []
        while data:
            at = data.find(START)
            if at < 0:
                keep = data.endswith(START[:1])
                text, self._held = (data[:-1], data[-1:]) if keep else (data, b"")
                parts += [text] if text else []
                break
            if at:
                parts.append(data[:at])
            data = data[at + 2:]
            end, cut = data.find(b"\n"), data.find(START[:1])
            if 0 <= cut and (end < 0 or cut < end):     # it never ended: another byte FEh is here
                parts.append(None)
                data = data[cut:]
            elif end >= 0:
                parts.append(decode(data[:end]))
                data = data[end + 1:]
            elif len(data) > WIRE_MAX:
                parts.append(None)      # what follows is text again: it looks like none of ours
                data = b""
            else:
                self._held = START + data
                break
        return parts
