#!/usr/bin/env bash
# tokenizers 0.23.3 (Oniguruma): \w alone matches six characters of Latin-1, ² ³ ¹ ¼ ½ ¾, that \w in a class, [\w], does not.
# A pre-tokenizer's expression cuts "x²" otherwise when \w is put into brackets.
#
# Seen: \w ['²', '³', '¹', '¼', '½', '¾'] | [\w] []
# Fails (status 1) once that is no longer so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q tokenizers==0.23.3
"$folder/v/bin/python" - <<'PY'
from tokenizers import Regex, pre_tokenizers

def matched(pattern):
    cut = pre_tokenizers.Split(Regex(pattern), "removed")
    return [chr(c) for c in range(0x80, 0x100) if not chr(c).isalpha() and not cut.pre_tokenize_str(chr(c))]

alone, inside = matched(r"\w"), matched(r"[\w]")
print(r"\w", sorted(alone), r"| [\w]", inside)
assert set(alone) == set("²³¹¼½¾") and inside == []
PY
