#!/usr/bin/env bash
# lark 1.3.1: what a terminal is that is made of several parts.
#
# A terminal may be written as one part behind another, and a part may be a regular expression with alternatives. One would
# guess that each part stands for itself, as rules' parts do. Parts are joined as texts: in  A: /a|b/ "c"  the expression
# becomes a|bc, so that the grammar refuses «ac», which it seems to allow, and takes «a», which it seems to refuse. Brackets
# in the pattern, /(a|b)/, help, and so does a terminal for each part. It matters where a Lark grammar constrains a model's
# output and Lark parses it: a decoder that takes each part
# for itself writes what Lark refuses.
#
# Seen on 2026-11-30: «ac» refused, «a» and «bc» taken; with brackets «ac» and «bc» taken, «a» refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q lark==1.3.1
"$folder/v/bin/python" - <<'PY'
import sys
from lark import Lark
from lark.exceptions import LarkError


def taken(grammar):
    parser = Lark(grammar, parser="earley")
    found = []
    for text in ("a", "b", "ac", "bc"):
        try:
            parser.parse(text)
            found.append(text)
        except LarkError:
            pass
    return found


plain, bracketed = taken('start: A\nA: /a|b/ "c"'), taken('start: A\nA: /(a|b)/ "c"')
print("as it stands:", plain, "with brackets:", bracketed)
sys.exit("this is not what was seen on 2026-11-30" if (plain, bracketed) != (["a", "bc"], ["ac", "bc"]) else 0)
PY
