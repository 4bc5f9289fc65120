#!/usr/bin/env bash
# tokenizers 0.23.3: truncation to fewer ids than the template's special tokens.
#
# enable_truncation(n) says how long an encoding may be at most. One would guess that a limit with no room for any text gives
# the special tokens alone, or an error. Where n is smaller than the number of special tokens, nothing is truncated: of a
# pair with three of them a limit of 3 gives 3 ids, and a limit of 2 all 7. Whoever sets the limit from what room is left gets
# the whole text just when there is none.
#
# Seen on 2026-11-30: below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q tokenizers==0.23.3
"$folder/v/bin/python" - <<'PY' | tee "$folder/seen"
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

vocabulary = {name: number for number, name in enumerate(["[CLS]", "[SEP]", "a", "b", "c", "d"])}
tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="a"))
tokenizer.pre_tokenizer = Whitespace()
tokenizer.post_processor = TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)])
for limit in (4, 3, 2, 1):
    tokenizer.enable_truncation(limit)
    print(limit, "pair:", len(tokenizer.encode("a b c", "d").ids), "single:", len(tokenizer.encode("a b c").ids))
PY
diff "$folder/seen" - <<'SEEN'
4 pair: 4 single: 4
3 pair: 3 single: 3
2 pair: 7 single: 2
1 pair: 7 single: 5
SEEN
