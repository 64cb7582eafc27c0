# SPDX-License-Identifier: BSD-2-Clause
"""Takes the ELF kernel out of a Linux bzImage: what the image's own decompressor would unpack.

The payload's place is in the setup header (Linux "The Linux/x86 Boot Protocol", payload_offset
and payload_length); its last four bytes are the size of what is in it. What packed it is told by
its first bytes. Everything read is bounds-checked: a file that is cut is a Failure.
"""
import bz2
import lzma
import shutil
import struct
import subprocess
import zlib

from plinthlib.base import Failure

HEADER_MAGIC = 0x202
PAYLOAD = 0x248             # payload_offset, payload_length: from protocol 2.08 on
SECTOR = 512
LZ4_BLOCK_MAX = 8 << 20     # of the legacy frame, unpacked
LZ4_MIN_MATCH = 4


def _lz4_length(data, at, length):
    """A length of 15 goes on in bytes, of which the first that is not 255 is the last."""
    if length == 15:
        while True:
            more = data[at]
            at += 1
            length += more
            if more != 255:
                break
    return length, at


def _lz4_block(data):
    """One block: literals, then a copy from what is there already, and so on; the last sequence
    has no copy."""
    out, at, end = bytearray(), 0, len(data)
    while at < end:
        token = data[at]
        literals, at = _lz4_length(data, at + 1, token >> 4)
        if literals > end - at:
            raise ValueError("literals end behind the block")
        out += data[at:at + literals]
        at += literals
        if at == end:
            break
        distance = data[at] | data[at + 1] << 8
        length, at = _lz4_length(data, at + 2, token & 15)
        length += LZ4_MIN_MATCH
        start = len(out) - distance
        if distance == 0 or start < 0:
            raise ValueError("a copy from before the block")
        if distance >= length:
            out += out[start:start + length]
        else:   # it overlaps itself: a pattern, repeated
            out += (out[start:] * (length // distance + 1))[:length]
        if len(out) > LZ4_BLOCK_MAX:
            raise ValueError("a block is too large")
    return out


def _lz4(data, size):
    """The legacy frame that the kernel's build uses: sizes and blocks until `size` is there."""
    out, at = bytearray(), 4
    while len(out) < size:
        (packed,) = struct.unpack_from("<I", data, at)
        at += 4
        if packed > len(data) - at:
            raise ValueError("a block ends behind the payload")
        out += _lz4_block(data[at:at + packed])
        at += packed
    return bytes(out)


def _zstd(data, _size):
    if shutil.which("zstd") is None:
        raise Failure("the kernel is packed with zstd: please type: apt-get install zstd")
    done = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout      # the size at the payload's end makes zstd complain: judged by size


def _stream(make):
    """One of the standard library's packers, which all tell whether the stream's end was there."""
    def unpack(data, _size):
        decoder = make()
        out = decoder.decompress(data)
        if not decoder.eof:
            raise ValueError("it has no end")
        return out
    return unpack


# First bytes of a payload: (name, unpacker, taking the payload and the size that comes out).
PACKERS = {
    b"\xfd7zXZ\0": ("xz", _stream(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))),
    b"\x02\x21\x4c\x18": ("lz4", _lz4),
    b"\x1f\x8b": ("gzip", _stream(lambda: zlib.decompressobj(31))),
    b"BZh": ("bzip2", _stream(bz2.BZ2Decompressor)),
    b"\x5d\0\0": ("lzma", _stream(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE))),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\x7fELF": ("not packed", lambda d, n: d),
}


def payload(image):
    """The packed kernel of a bzImage given as bytes."""
    if len(image) < PAYLOAD + 8 or image[HEADER_MAGIC:HEADER_MAGIC + 4] != b"HdrS":
        raise Failure("no Linux bzImage: it has no setup header")
    (protocol,) = struct.unpack_from("<H", image, HEADER_MAGIC + 4)
    if protocol < 0x208:
        raise Failure(f"boot protocol {protocol >> 8}.{protocol & 255:02} does not say where "
                      "the kernel is; 2.08 does")
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[0x1f1] or 4) + 1) * SECTOR + offset
    if length < 8 or start + length > len(image):
        raise Failure("the bzImage is cut: its payload ends behind the file")
    return image[start:start + length]


def extract(image):
    """(the ELF file in a bzImage, the name of what had packed it)"""
    packed = payload(image)
    for magic, (name, unpack) in PACKERS.items():
        if packed.startswith(magic):
            break
    else:
        raise Failure(f"the kernel is packed with something unknown here ({packed[:4].hex()})")
    (size,) = struct.unpack_from("<I", packed, len(packed) - 4)
    try:
        elf = unpack(packed, size)
    except (ValueError, IndexError, EOFError, OSError, struct.error, lzma.LZMAError,
            zlib.error) as error:
        raise Failure(f"the kernel in the bzImage ({name}) is damaged: {error}") from None
    if not elf.startswith(b"\x7fELF") or (name != "not packed" and len(elf) != size):
        raise Failure(f"the kernel in the bzImage ({name}) is damaged: {len(elf)} bytes came "
                      f"out, not an ELF file of {size}")
    return elf, name
