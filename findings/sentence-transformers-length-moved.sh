#!/usr/bin/env bash
# sentence-transformers 6.2.0, transformers 5.23.0, torch 2.13.0+cpu: where the longest text of a saved model stands.
#
# Published models have "max_seq_length" in sentence_bert_config.json (all-MiniLM-L6-v2: 256, though its tokenizer takes 512).
# One would guess that a model with such a limit is written in that way. save_pretrained writes sentence_bert_config.json
# without the field; the limit stands in tokenizer_config.json as "model_max_length" alone. A reader of the old field cuts
# nothing, and its vectors of long texts are others.
#
# Seen on 2026-11-30: in sentence_bert_config.json: False; model_max_length: 20.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
"$folder/v/bin/pip" install -q transformers==5.23.0 sentence-transformers==6.2.0
"$folder/v/bin/python" -W ignore - "$folder" 2>/dev/null <<'PY' | tee "$folder/seen"
import json, sys
from sentence_transformers import SentenceTransformer, models
from transformers import BertConfig, BertModel, BertTokenizerFast

base, out = sys.argv[1] + "/base", sys.argv[1] + "/out"
BertModel(BertConfig(vocab_size=6, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
                     intermediate_size=8)).save_pretrained(base)
with open(base + "/vocab.txt", "w") as file:
    file.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
BertTokenizerFast(base + "/vocab.txt").save_pretrained(base)
SentenceTransformer(modules=[models.Transformer(base, max_seq_length=20), models.Pooling(8)]).save_pretrained(out)
print("in sentence_bert_config.json:", "max_seq_length" in json.load(open(out + "/sentence_bert_config.json")))
print("model_max_length:", json.load(open(out + "/tokenizer_config.json"))["model_max_length"])
PY
diff "$folder/seen" - <<'SEEN'
in sentence_bert_config.json: False
model_max_length: 20
SEEN
