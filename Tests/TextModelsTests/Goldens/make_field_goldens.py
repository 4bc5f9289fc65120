#!/usr/bin/env python3
"""Tiny seeded checkpoints whose configuration or file says something that is easily passed over, and transformers' answers.

    pip install torch transformers==5.23.0 safetensors tokenizers
    python3 make_field_goldens.py

In fields/NAME/: config.json, model.safetensors, a tokenizer, and golden.json: a prompt, the logits of its last token where
there is a head, and the mean of its hidden states.
"""
import json, os, shutil
import torch, transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, LlamaModel, Qwen2Config, Qwen2ForCausalLM

here = os.path.dirname(os.path.abspath(__file__)); root = here + "/fields"
PROMPT = [5, 17, 3, 39, 42, 42, 7, 20, 44, 31, 1, 0, 8, 47, 30, 12, 2, 2, 19, 33]
small = dict(vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, initializer_range=0.5, bos_token_id=0, eos_token_id=None, pad_token_id=None)

def save(name, model, change=lambda folder: None, head=True):
    folder = f"{root}/{name}"; shutil.rmtree(folder, ignore_errors=True); model.eval().save_pretrained(folder)
    if os.path.exists(folder + "/generation_config.json"): os.remove(folder + "/generation_config.json")
    change(folder)
    tokens = {"vocab": {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV")}, "merges": []}
    json.dump({"model": {"type": "BPE", **tokens}, "decoder": {"type": "Fuse"}}, open(folder + "/tokenizer.json", "w"))
    golden = {"prompt": PROMPT}
    with torch.no_grad():
        if head:
            whole = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
            golden["last"] = whole(torch.tensor([PROMPT])).logits[0, -1].tolist()
            base = whole.base_model
        else: base = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        mean = base(torch.tensor([PROMPT])).last_hidden_state[0].mean(0)
        golden["embedding"] = (mean / mean.norm()).tolist()
    json.dump(golden, open(folder + "/golden.json", "w"))

def config(**change):
    def apply(folder):
        c = json.load(open(folder + "/config.json")); c.update(change); json.dump(c, open(folder + "/config.json", "w"), indent=1)
    return apply

torch.manual_seed(1)
tied = LlamaForCausalLM(LlamaConfig(**small, tie_word_embeddings=True))
def other_head(folder):
    t = load_file(folder + "/model.safetensors"); t["lm_head.weight"] = torch.randn(48, 16) * 0.5; save_file(t, folder + "/model.safetensors", {"format": "pt"})
def same_head(folder):
    t = load_file(folder + "/model.safetensors"); t["lm_head.weight"] = t["model.embed_tokens.weight"].clone(); save_file(t, folder + "/model.safetensors", {"format": "pt"})
save("tied-other-head", tied, other_head)
save("tied-same-head", tied, same_head)
gpt2 = dict(vocab_size=48, n_positions=64, n_embd=16, n_layer=1, n_head=2, initializer_range=0.5, bos_token_id=0, eos_token_id=None)
save("gpt2-unscaled", GPT2LMHeadModel(GPT2Config(**gpt2, scale_attn_weights=False)))
def gpt2_head(folder):
    t = load_file(folder + "/model.safetensors"); t["lm_head.weight"] = torch.randn(48, 16) * 0.5; save_file(t, folder + "/model.safetensors", {"format": "pt"})
save("gpt2-other-head", GPT2LMHeadModel(GPT2Config(**gpt2)), gpt2_head)
save("base-tied", LlamaModel(LlamaConfig(**small, tie_word_embeddings=True)), config(tie_word_embeddings=True))
save("base", LlamaModel(LlamaConfig(**small)), head=False)
save("rope-both", Qwen2ForCausalLM(Qwen2Config(**small)), config(rope_scaling={"rope_type": "linear", "factor": 4.0}))
