#!/usr/bin/env bash
# transformers 5.23.0: the norms of latent rows (`kv_a_layernorm`, `q_a_layernorm`) of GLM 4.7 Flash and DeepSeek V2 and V3
# do not have the epsilon that the configuration gives.
#
# `rms_norm_eps` is 1e-5 in GLM 4.7 Flash. All of the model's other norms take it; these two are made without one and
# keep the class's default, 1e-6. Whoever reads the configuration and computes every norm with its epsilon is off by a
# little in each layer: seen here as the greatest difference of logits between the model as it is and with 1e-5 in those
# norms too, on rows whose latent is small.
#
# Output seen on 2026-11-30:
#   input_layernorm 1e-05, kv_a_layernorm 1e-06, q_a_layernorm 1e-06
#   logits differ: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu
"$folder/venv/bin/pip" install -q transformers==5.23.0
"$folder/venv/bin/python" - <<'PY'
import torch
from transformers import Glm4MoeLiteConfig, Glm4MoeLiteForCausalLM
torch.manual_seed(1)
config = Glm4MoeLiteConfig(vocab_size=64, hidden_size=32, intermediate_size=32, moe_intermediate_size=16,
    num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, n_routed_experts=4, num_experts_per_tok=2,
    kv_lora_rank=16, q_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, rms_norm_eps=1e-5,
    max_position_embeddings=64)
model = Glm4MoeLiteForCausalLM(config).eval()
layer = model.model.layers[0]
own = (layer.input_layernorm.variance_epsilon, layer.self_attn.kv_a_layernorm.variance_epsilon,
       layer.self_attn.q_a_layernorm.variance_epsilon)
print("input_layernorm %g, kv_a_layernorm %g, q_a_layernorm %g" % own)
with torch.no_grad():
    for one in model.model.layers: one.self_attn.kv_a_proj_with_mqa.weight.mul_(0.01)
    ids = torch.arange(16)[None]
    before = model(ids).logits
    for one in model.model.layers:
        one.self_attn.kv_a_layernorm.variance_epsilon = one.self_attn.q_a_layernorm.variance_epsilon = 1e-5
    differs = (model(ids).logits - before).abs().max().item() > 1e-4
print("logits differ:", differs)
assert own == (1e-5, 1e-6, 1e-6) and differs, "the behaviour has changed"
PY
