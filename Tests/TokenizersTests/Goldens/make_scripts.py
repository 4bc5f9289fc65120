#!/usr/bin/env python3
"""The table of Sources/Tokenizers/Cutting/UnicodeScripts.swift, asked of Hugging Face tokenizers character by character.

    python3 make_scripts.py > /tmp/table.txt

Where its pre-tokenizer UnicodeScripts cuts says which characters are of one script, and which (spaces, and what its tables
do not know) are of any. Prints runs of characters: how many there are and the number of their script, 0 for any.
"""
from tokenizers import pre_tokenizers

cut = pre_tokenizers.UnicodeScripts().pre_tokenize_str
ALL = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]

def begins(first, chars):
    """Whether each character is cut from `first` before it."""
    found = []
    for start in range(0, len(chars), 20000):
        part = chars[start:start + 20000]
        # A Greek letter after each one, so that each stands behind `first` again.
        text = "".join("α" + first + c for c in part)
        starts = {range_[0] for _, range_ in cut(text)}
        found += [3 * i + 2 in starts for i in range(len(part))]
    return found

latin, greek = begins("a", ALL), begins("α", ALL)
scripts = {c: 0 for c, l, g in zip(ALL, latin, greek) if not l and not g}
# What is left is compared with one character of each script that was found.
rest, number = [c for c in ALL if c not in scripts], 0
while rest:
    number += 1
    first, others = rest[0], []
    # Between it and what is asked stands nothing, and a space, which is of any script, before it.
    other = "a" if first != "a" and len({range_[0] for _, range_ in cut("a" + first)}) > 1 else "α"
    for start in range(0, len(rest), 20000):
        part = rest[start:start + 20000]
        text = "".join(other + first + c for c in part)
        starts = {range_[0] for _, range_ in cut(text)}
        for i, c in enumerate(part):
            if 3 * i + 2 in starts: others.append(c)
            else: scripts[c] = number
    rest = others

runs, last = [], None
for code in range(0x110000):
    script = scripts.get(chr(code), 0) if not 0xD800 <= code < 0xE000 else 0
    if runs and runs[-1][1] == script: runs[-1][0] += 1
    else: runs.append([1, script])
print(" ".join(f"{count:x}:{script:x}" if count > 1 else f":{script:x}" for count, script in runs))
