#!/usr/bin/env bash
# lark 1.3.1: what \x2e is in a terminal's regular expression.
#
# In a regular expression \x2e is a full stop and nothing else, in Python's re too. One would guess the same of  A: /\x2e/  in
# a Lark grammar. Lark reads \x.. and \u.... itself, before the expression is compiled: the pattern becomes a bare «.», which
# is any character, so that a grammar that asks for a full stop takes «x». \x2a or \x28 become a quantifier or a bracket and
# make the grammar an error. A plain \. is left to re and means what it says.
#
# Seen on 2026-11-30: /\x2e/ takes «x» and «.»; /\./ takes «.» alone; re's \x2e takes «.» alone; /\x28/ is a GrammarError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q lark==1.3.1
"$folder/v/bin/python" - <<'PY'
import re
import sys
from lark import Lark
from lark.exceptions import LarkError


def taken(pattern):
    try:
        parser = Lark("start: A\nA: /" + pattern + "/")
    except LarkError as error:
        return type(error).__name__
    found = []
    for text in (".", "x"):
        try:
            parser.parse(text)
            found.append(text)
        except LarkError:
            pass
    return found


seen = {pattern: taken(pattern) for pattern in (r"\x2e", r"\.", r"\x28")}
own = [text for text in (".", "x") if re.fullmatch(r"\x2e", text)]
print(seen, "re:", own)
expected = {r"\x2e": [".", "x"], r"\.": ["."], r"\x28": "GrammarError"}
sys.exit("this is not what was seen on 2026-11-30" if (seen, own) != (expected, ["."]) else 0)
PY
