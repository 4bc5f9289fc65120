#!/usr/bin/env bash
# sentence-transformers 6.2.0, transformers 5.23.0: a GPT-2 cross-encoder whose tokenizer pads on the left scores a pair
# by what stands beside it in the batch.
#
# Many decoders' tokenizers pad on the left. generate() counts positions from the attention mask; a forward pass of
# GPT2ForSequenceClassification does not: padding moves a short text's tokens to later absolute positions, and CrossEncoder
# does not hand positions over. predict() sorts by length and pads to the batch's longest text, so that the same pair has one
# score alone and another beside a longer one. With padding on the right both are equal. Whoever compares a server's scores
# with such a model's compares them pair by pair.
#
# Output seen on 2026-11-30:
#   right: alone 0.9656, beside a longer one 0.9656
#   left: alone 0.9656, beside a longer one 0.9197
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
"$folder/venv/bin/pip" install -q sentence-transformers==6.2.0 transformers==5.23.0 tokenizers==0.23.3
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import torch
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedTokenizerFast

words = ["<pad>", "<unk>"] + [f"w{i}" for i in range(60)]
own = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
own.pre_tokenizer = pre_tokenizers.Whitespace()
short, long = ("w1 w2", "w3"), ("w4 w5", "w6 w7 w8 w9 w10 w11 w12")
scores = {}
for side in ["right", "left"]:
    torch.manual_seed(0)
    model = GPT2ForSequenceClassification(GPT2Config(
        vocab_size=len(words), n_positions=64, n_embd=32, n_layer=2, n_head=2, num_labels=1, pad_token_id=0,
        bos_token_id=None, eos_token_id=None, initializer_range=0.5))
    model.save_pretrained(side)
    PreTrainedTokenizerFast(tokenizer_object=own, pad_token="<pad>", unk_token="<unk>", padding_side=side).save_pretrained(side)
    encoder = CrossEncoder(side, device="cpu")
    scores[side] = float(encoder.predict([short])[0]), float(encoder.predict([short, long])[0])
    print(f"{side}: alone {scores[side][0]:.4f}, beside a longer one {scores[side][1]:.4f}")
assert abs(scores["right"][0] - scores["right"][1]) < 1e-5, "padding on the right changes scores now"
assert abs(scores["left"][0] - scores["left"][1]) > 1e-2, "padding on the left changes nothing any more"
PY
