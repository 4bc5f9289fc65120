#!/usr/bin/env bash
# datatrove 0.10.1: GopherRepetitionFilter drops a text for its most frequent run of words although no word, and no run, stands
# in it twice: a run that stands once is the most frequent one too, and in a short text it is long enough.
#
# Seen: "Seven quiet houses stand near the old garden" (False, 'top_2_gram')
# Fails (status 1) once that is no longer so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q datatrove==0.10.1 regex spacy
"$folder/v/bin/python" - <<'PY'
from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter

text = "Seven quiet houses stand near the old garden"
assert len(set(text.lower().split())) == len(text.split())
outcome = GopherRepetitionFilter().filter(Document(text=text, id="0"))
print(f'"{text}"', outcome)
assert outcome == (False, "top_2_gram")
PY
