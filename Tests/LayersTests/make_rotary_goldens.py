"""Writes Goldens/rotary.json: inverse frequencies and attention factors as transformers 5.23 computes them.

    python3 -m pip install torch==2.13.0+cpu transformers==5.23.0
    python3 Tests/LayersTests/make_rotary_goldens.py
"""
import json
from pathlib import Path

from transformers import LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CASES = {
    "linear": dict(rope_type="linear", factor=4.0, rope_theta=10000.0),
    "yarn": dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=4096, rope_theta=10000.0, beta_fast=24.0,
                 beta_slow=2.0),
    "yarn-mscale": dict(rope_type="yarn", factor=16.0, original_max_position_embeddings=16384, rope_theta=1000000.0,
                        mscale=2.0, mscale_all_dim=1.0, truncate=False),
    "llama3": dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=8192, rope_theta=500000.0),
}


def write(name, config, kind, **more):
    inverse, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu", **more)
    return {"name": name, "parameters": config.rope_parameters, "context": config.max_position_embeddings,
            "inverse": [float(x) for x in inverse], "factor": float(factor)}


goldens = []
for name, parameters in CASES.items():
    config = LlamaConfig(hidden_size=256, num_attention_heads=4, max_position_embeddings=131072,
                         rope_parameters=dict(parameters))
    goldens.append(write(name, config, parameters["rope_type"]))
long = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=4096, factor=32.0,
            short_factor=[1.0 + i / 64 for i in range(32)], long_factor=[1.0 + i / 4 for i in range(32)])
config = Phi3Config(hidden_size=256, num_attention_heads=4, max_position_embeddings=131072,
                    original_max_position_embeddings=4096, rope_parameters=long, pad_token_id=0)
goldens.append(write("longrope", config, "longrope", seq_len=131072))
path = Path(__file__).parent / "Goldens" / "rotary.json"
path.write_text(json.dumps(goldens, indent=1) + "\n")
print(path, [g["name"] for g in goldens])
