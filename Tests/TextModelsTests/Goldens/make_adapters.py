#!/usr/bin/env python3
"""Seeded LoRA adapters of the tiny checkpoints, and what PEFT makes of them.

    pip install torch transformers safetensors peft
    python3 make_adapters.py [NAME...]

Makes those that are named, or else those that are missing, in adapters/NAME: adapter_config.json and
adapter_model.safetensors as PEFT saves them, and golden.json with the base checkpoint, the prompt, the logits of its last
position and of position 3, the greedy continuation of 60 tokens, the smallest gap between the two best logits on that
way, the logits after those tokens, and how far the last logits are from the base model's.
"""
import json, os, shutil, sys
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
PROMPT = [5, 17, 3, 99, 42, 42, 7, 120, 64, 31]

def make(name, base, seed, dtype=torch.float32, size=0.6, gguf=None, **config):
    """Takes the first seed from `seed` on whose greedy way is clear, every gap above 2e-3."""
    directory = f"{here}/adapters/{name}"
    if not (name in sys.argv[1:] or len(sys.argv) == 1 and not os.path.exists(directory)): return
    while True:
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(f"{here}/{base}", dtype=torch.float32, attn_implementation="eager").eval()
        plain = model(torch.tensor([PROMPT])).logits[0, -1]
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **config)).eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if "lora_magnitude" in key: p.mul_(1 + 0.3 * torch.randn_like(p))
                elif "lora_" in key and key.endswith("bias"): p.copy_(torch.randn_like(p) * 0.3)
                elif "lora_embedding_A" in key: p.copy_(torch.randn_like(p) * size / p.shape[0] ** 0.5)
                elif "lora_" in key: p.copy_((torch.randn_like(p) * size / p.shape[1] ** 0.5).to(dtype))
                elif p.requires_grad and p.dim() == 1: p.add_(0.3 * torch.randn_like(p))
                elif p.requires_grad: p.add_(size * p.std() * torch.randn_like(p))
        golden = follow(model)
        golden["difference"] = (torch.tensor(golden["last"]) - plain).abs().max().item()
        if golden["gap"] > 2e-3: break
        seed += 100
    shutil.rmtree(directory, ignore_errors=True)
    for key, p in model.named_parameters():
        if "lora_" in key: p.data = p.data.to(dtype)
    model.peft_config["default"].base_model_name_or_path = f"somewhere/{base}"
    model.save_pretrained(directory)
    if gguf: write_gguf(directory, base, gguf)
    os.remove(f"{directory}/README.md")
    os.chmod(f"{directory}/adapter_model.safetensors", 0o644)
    # A set of names has no order in Python; the file shall not change from run to run.
    saved = json.load(open(f"{directory}/adapter_config.json"))
    if isinstance(saved["target_modules"], list): saved["target_modules"].sort()
    json.dump(saved, open(f"{directory}/adapter_config.json", "w"), indent=2, sort_keys=True)
    json.dump({"base": base, "prompt": PROMPT, **golden}, open(f"{directory}/golden.json", "w"))
    print(name, "seed", seed, "smallest gap", golden["gap"], "difference", golden["difference"])

def write_gguf(directory, base, architecture):
    """The same adapter as llama.cpp's convert_lora_to_gguf.py names and lays it out: A and B by the names of the base
    model's tensors, rows of Llama's queries and keys turned as in its own files."""
    import gguf
    from safetensors.torch import load_file
    config = json.load(open(f"{here}/{base}/config.json"))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config["num_hidden_layers"])
    writer = gguf.GGUFWriter(f"{directory}/adapter.gguf", architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", json.load(open(f"{directory}/adapter_config.json"))["lora_alpha"])
    for key, tensor in sorted(load_file(f"{directory}/adapter_model.safetensors").items()):
        stem, kind, _ = key.removeprefix("base_model.model.").rsplit(".", 2)
        heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}.get(stem.split(".")[-1])
        if architecture == "llama" and kind == "lora_B" and heads:
            n, r = tensor.shape
            tensor = tensor.reshape(heads, 2, n // heads // 2, r).swapaxes(1, 2).reshape(n, r)
        writer.add_tensor(f"{names.get_name(stem)}.weight.{kind.lower()}", tensor.float().numpy())
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()

@torch.no_grad()
def follow(model):
    first = model(torch.tensor([PROMPT])).logits[0]
    gap, out = 1e9, list(PROMPT)
    for _ in range(60):
        logits = model(torch.tensor([out])).logits[0, -1]
        top = torch.topk(logits, 2).values
        gap = min(gap, (top[0] - top[1]).item())
        if gap <= 2e-3: break
        out.append(int(torch.argmax(logits)))
    final = model(torch.tensor([out])).logits[0, -1]
    short = lambda row: [round(x, 6) for x in row.tolist()]
    return {"last": short(first[-1]), "third": short(first[3]), "final": short(final), "greedy": out[len(PROMPT):],
            "gap": gap}

make("llama-list", "llama", 1, r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
make("llama-all", "llama", 2, r=6, lora_alpha=5, target_modules="all-linear",
     rank_pattern={"layers.1.mlp.down_proj": 3, "k_proj": 17}, alpha_pattern={r"^model\.layers\.0\..*o_proj": 11})
make("llama-regex", "llama", 3, torch.bfloat16, r=16, lora_alpha=4, use_rslora=True,
     target_modules=r".*\.layers\.1\..*(q|o)_proj")
make("gpt2-joint", "gpt2", 4, r=4, lora_alpha=8, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
make("gpt2-layer", "gpt2", 5, torch.float16, r=8, lora_alpha=8, target_modules=["c_attn"], layers_to_transform=[1],
     layers_pattern="h")
make("phi3-joint", "phi3", 6, r=5, lora_alpha=7, target_modules=["qkv_proj", "gate_up_proj", "o_proj"])
make("gemma2-all", "gemma2", 7, r=3, lora_alpha=3, target_modules="all-linear", exclude_modules=["up_proj"])
make("glm4-all", "glm4", 8, r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_up_proj", "down_proj"])
make("olmo2-all", "olmo2", 9, r=4, lora_alpha=8, target_modules="all-linear")
make("qwen3-moe-attention", "qwen3-moe", 10, r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])

make("llama-dora", "llama", 11, r=4, lora_alpha=8, target_modules="all-linear", use_dora=True)
make("gpt2-dora", "gpt2", 12, r=4, lora_alpha=8, target_modules=["c_attn", "c_fc"], use_dora=True, fan_in_fan_out=True)
make("qwen2-bias-all", "qwen2", 13, r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], bias="all")
make("qwen2-bias-own", "qwen2", 14, r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], bias="lora_only", use_dora=True)
make("llama-lora-bias", "llama", 15, r=4, lora_alpha=6, target_modules=["q_proj", "o_proj", "up_proj"], lora_bias=True)
make("llama-embedding", "llama", 16, r=4, lora_alpha=8, target_modules=["q_proj", "embed_tokens", "lm_head"])
make("llama-saved", "llama", 17, r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"])
make("llama-tied-saved", "llama-tied-bf16", 18, r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["embed_tokens"])
make("llama-tokens", "llama", 19, r=4, lora_alpha=8, target_modules=["q_proj"], trainable_token_indices=[42, 5, 99, 200])
make("gemma2-tokens", "gemma2", 20, r=4, lora_alpha=8, target_modules=["q_proj"],
     trainable_token_indices={"embed_tokens": [42, 5, 99, 200]})
make("gemma2-embedding", "gemma2", 21, r=4, lora_alpha=8, target_modules=["q_proj", "embed_tokens"])
make("llama-gguf", "llama", 22, gguf="llama", r=4, lora_alpha=8, target_modules="all-linear")
make("qwen2-gguf", "qwen2", 23, gguf="qwen2", r=3, lora_alpha=5, target_modules="all-linear")
