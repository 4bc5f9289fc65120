#!/usr/bin/env bash
# transformers 5.23.0, torch 2.13.0: a Llama after model.double() still computes its norms and rotations in 32 bits.
#
# Every weight is float64 then, and so is the output, but RMSNorm casts its input to float32 and back, and the rotary
# embedding computes cosines and sines in float32. Whoever takes such a model as the exact judge of another's arithmetic, or
# checks gradients by finite differences, has errors near 1e-7 where 1e-15 is expected: a difference quotient with a step of
# 1e-8 is noise. A model whose norm is written out in float64 shows the difference.
#
# Output seen on 2026-11-30:
#   dtype of the output: torch.float64
#   largest difference of a norm from its formula in float64: 4.1e-07
#   cosines are float64 and hold no more than float32 does: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu
"$folder/venv/bin/pip" install -q transformers==5.23.0
"$folder/venv/bin/python" - <<'PY'
import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
config = LlamaConfig(vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4)
model = LlamaForCausalLM(config).double().eval()
output = model(torch.arange(10)[None]).logits
print("dtype of the output:", output.dtype)
norm = model.model.layers[0].input_layernorm
x = torch.randn(16, 32, dtype=torch.float64)
exact = norm.weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + norm.variance_epsilon)
difference = (norm(x) - exact).abs().max().item()
print("largest difference of a norm from its formula in float64:", f"{difference:.1e}")
cosines = model.model.rotary_emb(x[None], torch.arange(16)[None])[0]
shift = (cosines - cosines.float().double()).abs().max().item()
print("cosines are float64 and hold no more than float32 does:", cosines.dtype == torch.float64 and shift == 0)
assert output.dtype == torch.float64 and difference > 1e-9, "norms are float64 now"
assert cosines.dtype == torch.float64 and shift == 0, "rotations are float64 now"
PY
