#!/usr/bin/env python3
"""Tiny seeded checkpoints of both families and what transformers makes of them.

    pip install torch transformers safetensors tokenizers
    python3 make_goldens.py

For each checkpoint: config.json, model.safetensors, tokenizer.json, and golden.json with the prompt, the logits of
its last position and of position 3, the greedy continuation of 200 tokens, and the smallest gap between the two
best logits on that way (a golden is only as good as that gap).
"""
import copy, json, os, shutil
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
PROMPT = [5, 17, 3, 99, 42, 42, 7, 120, 64, 31]

def tokenizer(directory):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.save(f"{directory}/tokenizer.json")

def make(name, factory, seed, dtype=torch.float32, scale=3.0, shard=None):
    """Takes the first seed from `seed` on whose greedy way is clear: every gap above 2e-3."""
    while True:
        torch.manual_seed(seed)
        model = factory()
        with torch.no_grad():
            for key, p in model.named_parameters():  # larger than by default, so that choices are clear
                if p.dim() > 1: p.mul_(scale)
                elif "bias" in key: p.add_(torch.randn_like(p) * 0.1)
                else: p.add_(torch.randn_like(p) * 0.2)
        model = model.to(dtype).eval()
        # the engine computes in f32 whatever the file's type
        golden = follow(copy.deepcopy(model).float())
        if golden["gap"] > 2e-3: break
        seed += 100
    directory = f"{here}/{name}"
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory, **({"max_shard_size": shard} if shard else {}))
    tokenizer(directory)
    json.dump(golden, open(f"{directory}/golden.json", "w"))
    print(name, "seed", seed, "smallest gap", golden["gap"])

@torch.no_grad()
def follow(model):
    first = model(torch.tensor([PROMPT])).logits[0]
    gap, out = 1e9, list(PROMPT)
    for _ in range(200):
        logits = model(torch.tensor([out])).logits[0, -1]
        top = torch.topk(logits, 2).values
        gap = min(gap, (top[0] - top[1]).item())
        if gap <= 2e-3: break
        out.append(int(torch.argmax(logits)))
    logprobs = torch.log_softmax(first, -1)
    return {"prompt": PROMPT, "last": first[-1].tolist(), "third": first[3].tolist(), "greedy": out[len(PROMPT):],
            "gap": gap, "prompt_logprobs": [logprobs[i, PROMPT[i + 1]].item() for i in range(len(PROMPT) - 1)]}

def llama(**over):
    base = dict(vocab_size=256, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=512, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=None)
    return LlamaForCausalLM(LlamaConfig(**{**base, **over}))

make("llama", lambda: llama(), 1)
make("llama-tied-bf16", lambda: llama(tie_word_embeddings=True, num_key_value_heads=4), 2, torch.bfloat16)
make("llama3-scaled", lambda: llama(rope_parameters={
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64}, attention_bias=True, head_dim=16), 3)
make("llama-sharded-f16", lambda: llama(num_key_value_heads=1), 4, torch.float16, shard="60KB")
make("gpt2", lambda: GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=512, n_embd=48, n_layer=2, n_head=4,
     bos_token_id=0, eos_token_id=None, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)), 5, scale=8.0)
