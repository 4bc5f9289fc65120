#!/usr/bin/env bash
# transformers 5.23.0: a DeBERTa-v2 tokenizer that is made from a SentencePiece model passes over the model's normalization.
#
# A SentencePiece model carries a map of characters (nmt_nfkc by default), which its own processor applies before it cuts a
# text. DebertaV2Tokenizer takes pieces and scores out of the same file and leaves the map: ligatures, circled digits and
# full-width letters reach the model as other ids than those it was trained with, or as unknown tokens. Texts that the map
# does not change have the same pieces.
#
# Output seen on 2026-11-30:
#   plain: same pieces
#   ligature: sentencepiece ['▁final'], transformers ['▁', 'ﬁ', 'n', 'al']
#   circled digit: other pieces
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0 sentencepiece==0.2.1 protobuf==6.33.2
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import json, os
import sentencepiece
folder = os.environ["FOLDER"]
lines = ["one half and a final word", "the quick brown fox jumps", "finally the fish found half of it", "official office first"]
with open(f"{folder}/text", "w") as file: file.write("\n".join(lines * 200))
sentencepiece.SentencePieceTrainer.train(input=f"{folder}/text", model_prefix=f"{folder}/spm", vocab_size=60,
    model_type="unigram", normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2)
json.dump({"model_type": "deberta-v2"}, open(f"{folder}/config.json", "w"))
json.dump({"tokenizer_class": "DebertaV2Tokenizer"}, open(f"{folder}/tokenizer_config.json", "w"))
from transformers import AutoTokenizer
own = sentencepiece.SentencePieceProcessor(f"{folder}/spm.model")
other = AutoTokenizer.from_pretrained(folder)
def pieces(text): return own.encode(text, out_type=str), other.tokenize(text)
plain, ligature, circled = pieces("final"), pieces("ﬁnal"), pieces("①")
print("plain:", "same pieces" if plain[0] == plain[1] else "other pieces")
print(f"ligature: sentencepiece {ligature[0]}, transformers {ligature[1]}")
print("circled digit:", "same pieces" if circled[0] == circled[1] else "other pieces")
assert plain[0] == plain[1] and ligature[0] == plain[0] and ligature[1] != ligature[0] and circled[0] != circled[1], \
    "the behaviour has changed"
PY
