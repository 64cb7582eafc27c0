# SPDX-License-Identifier: BSD-2-Clause
"""An ELF core file from what `dump NAME --core` has printed.

The lines are found wherever they stand in a log: "core WORDS CRC", the checksum being of the text
before it. docs/debugging.md has the format. Memory is there by its guest-physical addresses, and a
second time, from the same bytes of the file, by the linear addresses at which the vCPUs' page
tables have it.
"""
import base64
import binascii
import re
import struct

from plinthlib.base import Failure

LINE = re.compile(rb"(core (begin|regs|page|end)\b[ -~]*?) ([0-9a-f]{8})(?=\s|$)")
PAGE = 4096
SEGMENTS_MAX = 60000
MAPPED_MAX = 1 << 21    # pages looked at: tables that point to themselves have no end

# The 64-bit g packet: names and sizes up to the selectors; then where fs_base and cr0 begin.
GPRS = ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split()
AFTER_GPRS = ("eflags cs ss ds es fs gs").split()
FS_BASE = 17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4
SYSTEM = ("fs_base gs_base cr0 cr2 cr3 cr4 efer cs_base").split()
PRSTATUS_64 = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
               "rsp ss fs_base gs_base ds es fs gs").split()
PRSTATUS_32 = "rbx rcx rdx rsi rdi rbp rax ds es fs gs orig_rax rip cs eflags rsp ss".split()


def unpack_runs(data):
    out, at = bytearray(), 0
    while at < len(data):
        n = data[at]
        if n < 128:
            out += data[at + 1:at + n + 2]
            at += n + 2
        else:
            out += data[at + 1:at + 2] * (n - 126)
            at += 2
    return bytes(out)


def registers(text):
    data = bytes.fromhex(text)
    values = dict(zip(GPRS, struct.unpack_from("<17Q", data)))
    values.update(zip(AFTER_GPRS, struct.unpack_from("<7I", data, 17 * 8)))
    values.update(zip(SYSTEM, struct.unpack_from("<8Q", data, FS_BASE)))
    values["orig_rax"] = (1 << 64) - 1
    return values


class Dump:
    """One VM as the log has it."""

    def __init__(self):
        self.name, self.memory, self.vcpus = "", 0, 0
        self.part = False       # pages that are not here are unknown; else they are empty
        self.regs = {}
        self.pages = {}         # by guest-physical address

    def page(self, gpa):
        return self.pages.get(gpa, bytes(PAGE)) if self.is_ram(gpa) else None

    def is_ram(self, gpa):
        """Known RAM."""
        if self.part:
            return gpa & ~(PAGE - 1) in self.pages
        low = min(self.memory, 3 << 30)
        return gpa < low or 4 << 30 <= gpa < (4 << 30) + self.memory - low


def read(log, wanted=None):
    """The last whole dump of a log, or of the VM `wanted`."""
    found = current = None
    lines = 0
    for match in LINE.finditer(log.replace(b"\r", b"")):
        if binascii.crc32(match[1]) != int(match[3], 16):
            raise Failure(f"a line of the dump is damaged: {match[1][:40].decode()}...")
        words = match[1].decode().split(" ")
        lines += 1
        if words[1] == "begin":
            current, lines = Dump(), 1
            current.name, current.memory, current.vcpus = words[2], int(words[3], 16), int(words[4])
            current.part = words[5:] == ["part"]
        elif current is None:
            raise Failure("the dump's first line is missing")
        elif words[1] == "regs":
            current.regs[int(words[2])] = registers(words[3])
        elif words[1] == "page":
            data = unpack_runs(base64.b64decode(words[3]))
            if len(data) != PAGE:
                raise Failure(f"page {words[2]} of the dump has {len(data)} bytes")
            current.pages[int(words[2], 16)] = data
        elif lines != int(words[2]) or len(current.regs) != current.vcpus:
            raise Failure(f"lines of the dump are missing: {lines} of {words[2]} are there")
        elif wanted in (None, current.name):
            found = current
    if not found:
        raise Failure("no whole dump" + (f" of {wanted}" if wanted else "") + " is there"
                      + (": its end is missing" if current else ""))
    return found


def _entries(dump, table, count, size):
    data = dump.page(table & ~(PAGE - 1))
    if data is None:
        return
    at = table & (PAGE - 1)
    code = "<Q" if size == 8 else "<I"
    for i in range(count):
        entry = struct.unpack_from(code, data, at + i * size)[0]
        if entry & 1:
            yield i, entry


def mappings(dump, regs):
    """(linear, physical, bytes) of all that a vCPU's page tables map."""
    cr0, cr3, cr4 = regs["cr0"], regs["cr3"], regs["cr4"]
    if not cr0 >> 31 & 1:
        return
    if not cr4 >> 5 & 1:
        levels = [(1024, 4, 22), (1024, 4, 12)]
        top = cr3 & 0xfffff000
    elif not regs["efer"] >> 10 & 1:
        levels = [(4, 8, 30), (512, 8, 21), (512, 8, 12)]
        top = cr3 & 0xffffffe0
    else:
        levels = [(512, 8, 39), (512, 8, 30), (512, 8, 21), (512, 8, 12)]
        top = cr3 & 0x000ffffffffff000

    def walk(table, depth, linear):
        count, size, shift = levels[depth]
        mask = 0x000ffffffffff000 if size == 8 else 0xfffff000
        for i, entry in _entries(dump, table, count, size):
            at = linear | i << shift
            if shift == 12 or (entry & 0x80 and shift != 39 and (len(levels) != 3 or depth)):
                if at >> 47 and len(levels) == 4:
                    at |= 0xffff << 48
                yield at, entry & mask & ~((1 << shift) - 1), 1 << shift
            else:
                yield from walk(entry & mask, depth + 1, at)

    yield from walk(top, 0, 0)


def merged(dump):
    """What all vCPUs map of RAM, joined where both addresses run on."""
    seen, left = {}, MAPPED_MAX
    for regs in dump.regs.values():
        for linear, physical, size in mappings(dump, regs):
            if dump.part and size > PAGE << 9:
                continue    # 1 GiB: nobody's stack
            left -= size // PAGE if dump.is_ram(physical) else 1
            if left < 0:
                break
            for offset in range(0, size if dump.part or dump.is_ram(physical) else 0, PAGE):
                if dump.is_ram(physical + offset):
                    seen.setdefault(linear + offset, physical + offset)
    joined = []
    for linear in sorted(seen):
        physical = seen[linear]
        if joined and joined[-1][0] + joined[-1][2] == linear \
                and joined[-1][1] + joined[-1][2] == physical:
            joined[-1][2] += PAGE
        else:
            joined.append([linear, physical, PAGE])
    return joined


def ram(dump):
    if dump.part:
        return [(gpa, PAGE) for gpa in sorted(dump.pages)]
    low = min(dump.memory, 3 << 30)
    return [(0, low)] + ([(4 << 30, dump.memory - low)] if dump.memory > low else [])


def _note(number, regs, wide):
    names, code, head, word = (PRSTATUS_64, "<Q", 112, 8) if wide else (PRSTATUS_32, "<I", 72, 4)
    status = bytearray(head)
    struct.pack_into("<I", status, 32 if wide else 24, number + 1)     # pr_pid: the thread
    for name in names:
        status += struct.pack(code, regs[name] & ((1 << 8 * word) - 1))
    status += bytes(word)           # pr_fpvalid: none
    return struct.pack("<III", 5, len(status), 1) + b"CORE\0\0\0\0" + bytes(status)


def write(dump, path):
    """Returns (linear ranges, bytes of the file)."""
    wide = any(r["efer"] >> 10 & 1 for r in dump.regs.values())
    notes = b"".join(_note(i, r, wide) for i, r in sorted(dump.regs.items()))
    ranges, areas = merged(dump), ram(dump)
    if len(ranges) > SEGMENTS_MAX:
        ranges = ranges[:SEGMENTS_MAX]
    linear = [(r[0], r[0] + r[2]) for r in ranges]
    plain = [(base, size) for base, size in areas
             if not any(a < base + size and base < b for a, b in linear)]
    header, entry = (64, 56) if wide else (52, 32)
    count = 1 + len(ranges) + len(plain)
    note_at = header + entry * count
    data_at = -(-(note_at + len(notes)) // PAGE) * PAGE
    offsets, end = {}, data_at
    for base, size in areas:
        offsets[base] = end
        end += size

    def file_offset(physical):
        base = max(b for b, _ in areas if b <= physical)
        return offsets[base] + physical - base

    def program(kind, flags, offset, virtual, physical, size):
        if wide:
            return struct.pack("<IIQQQQQQ", kind, flags, offset, virtual, physical, size, size,
                               1 if kind == 4 else PAGE)
        return struct.pack("<IIIIIIII", kind, offset, virtual & 0xffffffff, physical & 0xffffffff,
                           size, size, flags, 1 if kind == 4 else PAGE)

    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    form = "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH"
    with open(path, "wb") as f:
        f.write(ident + struct.pack(form, 4, 62 if wide else 3, 1, 0, header, 0, 0, header, entry,
                                    count, 0, 0, 0))
        f.write(program(4, 0, note_at, 0, 0, len(notes)))
        for virtual, physical, size in ranges:
            f.write(program(1, 7, file_offset(physical), virtual, physical, size))
        for base, size in plain:
            f.write(program(1, 7, offsets[base], base, base, size))
        f.write(notes)
        for gpa, data in sorted(dump.pages.items()):
            f.seek(file_offset(gpa))
            f.write(data)
        f.truncate(end)
    return len(ranges), end
