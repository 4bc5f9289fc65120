#!/usr/bin/env bash
# tokenizers 0.23.3: in a Sequence of post-processors the second takes every piece that the first has put around a text for a
# text of its own. TemplateProcessing("<s> $A") and then BertProcessing give cls <s> sep text sep, not cls <s> text sep.
#
# Seen: alone [3, 2] in a sequence [0, 3, 1, 2, 1]
# Fails (status 1) once that is no longer so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q tokenizers==0.23.3
"$folder/v/bin/python" - <<'PY'
from tokenizers import Tokenizer, models, processors

t = Tokenizer(models.WordLevel({"[C]": 0, "[S]": 1, "a": 2, "<s>": 3}, "a"))
begin = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
t.post_processor = begin
alone = t.encode("a").ids
t.post_processor = processors.Sequence([begin, processors.BertProcessing(("[S]", 1), ("[C]", 0))])
together = t.encode("a").ids
print("alone", alone, "in a sequence", together)
assert alone == [3, 2] and together == [0, 3, 1, 2, 1]
PY
