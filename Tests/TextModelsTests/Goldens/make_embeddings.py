#!/usr/bin/env python3
"""Embeddings of the tiny checkpoints and their adapters by transformers and PEFT: embeddings.json.

    pip install torch transformers safetensors peft
    python3 make_embeddings.py

An embedding is the mean over all tokens of the last hidden states (after the final norm), scaled to length 1. Of every
checkpoint two texts, of 10 tokens and of 100: the longer one fills several pages and leaves the windows behind.
`length` is that of the mean before it is scaled.
"""
import json, os
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
TEXTS = [[5, 17, 3, 99, 42, 42, 7, 120, 64, 31], [(i * 37 + i * i % 11) % 256 for i in range(100)]]
NAMES = ["llama", "llama-tied-bf16", "llama3-scaled", "llama-sharded-f16", "gpt2", "mistral", "qwen2", "qwen2-sliding",
         "qwen3", "gemma2", "phi3", "phi3-longrope", "phi3-shortrope"]
ADAPTERS = {"llama-all": "llama", "gpt2-joint": "gpt2", "gemma2-all": "gemma2"}

def load(name):
    return AutoModelForCausalLM.from_pretrained(f"{here}/{name}", dtype=torch.float32, attn_implementation="eager").eval()

@torch.no_grad()
def embed(name, adapter, model):
    # PEFT puts its layers into the model itself.
    decoder = (model.get_base_model() if adapter else model).base_model
    for text in TEXTS:
        hidden = decoder(torch.tensor([text])).last_hidden_state[0]
        mean = hidden.double().mean(0)
        yield {"model": name, "adapter": adapter, "tokens": text, "length": mean.norm().item(),
               "embedding": [round(x, 8) for x in (mean / mean.norm()).tolist()]}

found = [e for name in NAMES for e in embed(name, None, load(name))]
for adapter, base in ADAPTERS.items():
    found += embed(base, adapter, PeftModel.from_pretrained(load(base), f"{here}/adapters/{adapter}").eval())
with open(f"{here}/embeddings.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(e) for e in found) + "\n]\n")
print(len(found), "embeddings")
