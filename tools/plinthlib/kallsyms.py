# SPDX-License-Identifier: BSD-2-Clause
"""The names of a Linux kernel's functions and data, out of the table that it carries for its own
backtraces (CONFIG_KALLSYMS, kernel/kallsyms.c and scripts/kallsyms.c), as an ELF symbol table that
gdb reads. Distributions strip vmlinux; this table stays.

No header says where the tables are. What finds them: the tokens of the ten digits stand in a row,
and each other table must fit the one found before. Every symbol is decoded before one is believed.

    offsets, base, number, names, markers, (order), tokens, token index     up to 6.3
    number, names, markers, tokens, token index, offsets, base, (order)     from 6.4
"""
import struct

from plinthlib.base import Failure

DIGITS = b"".join(b"%d\0" % i for i in range(10))
TOKENS = 256
PER_MARKER = 256            # symbols between two markers
CHUNK_MAX = PER_MARKER * 512
SYMBOLS_MAX = 1 << 19
KERNEL_LOW = 0xffffffff80000000
CODE = "tTwW"               # letters of nm that mean a function; weak ones are mostly such


class _NotHere(Exception):
    pass


def _align(at, to):
    return -(-at // to) * to


def _find_tokens(data, at):
    """(where the table of tokens is, the tokens, where the index behind it ends); at: of "0".
    Nothing need stand between the first token and what is in front of it: the index tells."""
    for _ in range(ord("0") - 1):
        at = data.rfind(b"\0", 0, at - 1) + 1
        if at <= 0:
            raise _NotHere
    rest, starts, second = [], [], at
    for _ in range(TOKENS - 1):
        stop = data.find(b"\0", at)
        rest.append(data[at:stop])
        starts.append(at - second)
        at = stop + 1
    for place in range(at, at + 8):
        index = struct.unpack_from(f"<{TOKENS}H", data, place)
        if index[0] == 0 < index[1] and [i - index[1] for i in index[1:]] == starts:
            first = second - index[1]
            return first, [data[first:second - 1], *rest], place + 2 * TOKENS
    raise _NotHere


def _markers_before(data, end):
    """(where the table is, its numbers) if one ends here: read backwards, falling down to a 0."""
    values = []
    for at in range(end - 4, 0, -4):
        value = struct.unpack_from("<I", data, at)[0]
        if values and not values[-1] - CHUNK_MAX <= value <= values[-1] - PER_MARKER:
            return None
        values.append(value)
        if value == 0:
            return at, values[::-1]
    return None


def _find_names(data, tokens_at, tokens):
    """(where the number of symbols is, all names). Between the markers and the tokens there may be
    a table of three bytes a symbol, an order for searches."""
    for end in range(tokens_at & ~3, max(0, tokens_at - 3 * SYMBOLS_MAX), -4):
        found = _markers_before(data, end)
        if found and len(found[1]) > 1:
            try:
                return _decode_names(data, *found, tokens)
            except _NotHere:
                continue
    raise _NotHere


def _name(data, at, tokens):
    """(letter and name of the symbol at `at`, where the next one is)"""
    length = data[at]
    at += 1
    if length & 0x80:           # long ones, since 6.1
        length = length & 0x7f | data[at] << 7
        at += 1
    return b"".join(tokens[b] for b in data[at:at + length]), at + length


def _decode_names(data, markers_at, markers, tokens):
    """(where the number of symbols is, all names)"""
    last = markers_at - markers[-1] - 8
    for at in range(last & ~7, max(0, last - CHUNK_MAX), -8):
        count = struct.unpack_from("<I", data, at)[0]
        if -(-count // PER_MARKER) != len(markers):
            continue
        names, place = [], at + 8 if data[at + 4:at + 8] == bytes(4) else at + 4
        first = place
        for i in range(count):
            if i % PER_MARKER == 0 and place - first != markers[i // PER_MARKER]:
                break
            name, place = _name(data, place, tokens)
            names.append(name)
        if len(names) == count and _align(place, 8) >= markers_at >= place:
            return at, names
    raise _NotHere


def _find_addresses(data, number_at, behind_tokens, count):
    """Offsets of 32 bits to a base: not negative ones are absolute, where per-CPU symbols are."""
    size = _align(4 * count, 8)
    for offsets_at, base_at in ((number_at - 8 - size, number_at - 8),
                                (_align(behind_tokens, 8), _align(behind_tokens, 8) + size)):
        if offsets_at < 0 or base_at + 8 > len(data):
            continue
        base = struct.unpack_from("<Q", data, base_at)[0]
        offsets = struct.unpack_from(f"<{count}i", data, offsets_at)
        if base < KERNEL_LOW:
            continue
        if any(o < 0 for o in offsets):
            return [o if o >= 0 else base - 1 - o for o in offsets]
        return [base + o for o in offsets]
    raise _NotHere


def read(data):
    """[(address, letter, name)] of the kernel in these bytes (an ELF file, or its memory)."""
    at = data.find(DIGITS)
    while at >= 0:
        try:
            tokens_at, tokens, end = _find_tokens(data, at)
            number_at, names = _find_names(data, tokens_at, tokens)
            addresses = _find_addresses(data, number_at, end, len(names))
            return [(address, name[:1].decode("latin-1"), name[1:].decode("latin-1"))
                    for address, name in zip(addresses, names)]
        except (_NotHere, IndexError, struct.error):
            at = data.find(DIGITS, at + 1)
    raise Failure("no table of symbols (CONFIG_KALLSYMS) that is known here is in this kernel")


# --- ELF ---

SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SHT_SYMTAB, SHT_STRTAB, SHN_ABS = 2, 3, 0xfff1
SHF_ALLOC = 2


def _sections(elf):
    """(the fields of all section headers, the number of the one with their names)"""
    if elf[:6] != b"\x7fELF\2\1" or len(elf) < 64:
        raise Failure("not a 64-bit ELF file")
    at, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    if size != SECTION.size or not count or names >= count or at + size * count > len(elf):
        raise Failure("the ELF file has no sections")
    return [list(SECTION.unpack_from(elf, at + i * size)) for i in range(count)], names


def _symbol_table(symbols, sections):
    """(symbols, their names): each in the section that its address is in."""
    spans = [(s[3], s[3] + s[5], i) for i, s in enumerate(sections)
             if s[2] & SHF_ALLOC and s[3] >= KERNEL_LOW]
    table, names = bytearray(SYMBOL.size), bytearray(1)
    for address, letter, name in symbols:
        home = next((i for start, end, i in spans if start <= address < end), SHN_ABS)
        kind = 2 if letter in CODE else 1           # STT_FUNC, STT_OBJECT
        bind = 0x10 if letter.isupper() else 0
        table += SYMBOL.pack(len(names), bind | kind, 0, home, address, 0)
        names += name.encode("latin-1") + b"\0"
    return table, names


def add(elf):
    """(the ELF kernel with a symbol table, how many symbols it has)"""
    sections, names_at = _sections(elf)
    symbols = sorted(read(elf), key=lambda s: s[1].isupper())       # local ones come first
    local = sum(not s[1].isupper() for s in symbols)
    table, strings = _symbol_table(symbols, sections)
    names = elf[sections[names_at][4]:sections[names_at][4] + sections[names_at][5]]
    out = bytearray(elf)

    def append(data):
        out.extend(bytes(-len(out) % 16))
        out.extend(data)
        return len(out) - len(data)

    symtab, strtab = len(names), len(names) + len(b".symtab\0")
    names += b".symtab\0.strtab\0"
    sections[names_at][4:6] = append(names), len(names)
    sections.append([symtab, SHT_SYMTAB, 0, 0, append(table), len(table), len(sections) + 1,
                     local + 1, 8, SYMBOL.size])
    sections.append([strtab, SHT_STRTAB, 0, 0, append(strings), len(strings), 0, 0, 1, 0])
    struct.pack_into("<Q", out, 40, append(b"".join(SECTION.pack(*s) for s in sections)))
    struct.pack_into("<H", out, 60, len(sections))
    return bytes(out), len(symbols)
