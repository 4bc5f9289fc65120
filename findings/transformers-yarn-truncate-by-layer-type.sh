#!/usr/bin/env bash
# transformers 5.23.0, torch 2.13.0+cpu: YaRN's "truncate" in rope_parameters that are given by type of layer.
#
# "truncate": false says that the bounds between which YaRN interpolates are not rounded to whole pairs (gpt-oss is published
# with it). Where all layers have one rotation it is honoured. Where rope_parameters has an object for each type of layer
# (OLMo 3's form), one would guess that the object's own "truncate" counts, as its "factor" and "beta_fast" do; it does not:
# the frequencies are those of "truncate": true, without a warning.
#
# Seen on 2026-11-30: one rotation: truncate changes the frequencies: True; by type of layer: False; equal with true: True.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
"$folder/v/bin/pip" install -q transformers==5.23.0 numpy
"$folder/v/bin/python" -W ignore - <<'PY' | tee "$folder/seen"
import torch
from transformers import LlamaConfig, Olmo3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

compute = ROPE_INIT_FUNCTIONS["yarn"]
shape = dict(hidden_size=256, num_attention_heads=4, max_position_embeddings=32768)


def frequencies(truncate):
    yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=4096, truncate=truncate)
    plain = dict(rope_type="default", rope_theta=10000.0)
    one = LlamaConfig(**shape, rope_parameters=dict(yarn))
    each = Olmo3Config(**shape, rope_parameters={"full_attention": dict(yarn), "sliding_attention": plain})
    return compute(one, "cpu")[0], compute(each, "cpu", layer_type="full_attention")[0]


(one, each), (one_exact, each_exact) = frequencies(True), frequencies(False)
print("one rotation: truncate changes the frequencies:", not torch.equal(one, one_exact))
print("by type of layer:", not torch.equal(each, each_exact))
print("equal with true:", torch.equal(one, each))
PY
diff "$folder/seen" - <<'SEEN'
one rotation: truncate changes the frequencies: True
by type of layer: False
equal with true: True
SEEN
