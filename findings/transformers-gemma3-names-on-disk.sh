#!/usr/bin/env bash
# transformers 5.23.0, torch 2.13.0+cpu, safetensors 0.8.0: under which names save_pretrained writes Gemma 3 of text and
# pictures.
#
# One would guess that model.safetensors has the keys of the model's state_dict, as it has for most models. For
# Gemma3ForConditionalGeneration it has others: what state_dict calls model.language_model.layers.0… is written as
# language_model.model.layers.0…, and model.vision_tower… as vision_tower….
# from_pretrained puts them back. Whoever reads the file without transformers must know these names, which the model's own
# code does not show.
#
# Seen on 2026-11-30: no key of the language model stands in the file under its own name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
"$folder/v/bin/pip" install -q transformers==5.23.0 safetensors==0.8.0 numpy
"$folder/v/bin/python" -W ignore - "$folder/model" <<'PY'
import sys
import torch
from safetensors import safe_open
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

torch.manual_seed(1)
model = Gemma3ForConditionalGeneration(Gemma3Config(
    text_config=Gemma3TextConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2),
    vision_config=SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14),
    mm_tokens_per_image=4, image_token_index=63, boi_token_index=62, eoi_token_index=61))
model.save_pretrained(sys.argv[1])
with safe_open(sys.argv[1] + "/model.safetensors", "pt") as file:
    written = set(file.keys())
own = {name for name in model.state_dict() if ".language_model." in name}
moved = {"language_model.model." + name.removeprefix("model.language_model.") for name in own}
again = Gemma3ForConditionalGeneration.from_pretrained(sys.argv[1]).state_dict()
print(len(own), "tensors of the language model;", len(own & written), "under their own names,",
      len(moved & written), "under language_model.model.; read back:",
      all(torch.equal(value, again[name]) for name, value in model.state_dict().items()))
sys.exit(bool(own & written) or not moved <= written)
PY
