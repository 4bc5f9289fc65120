"""The checkpoints that `text_peers.py` runs: real ones where --real names a folder with them, and shapes with random weights.

Each model has a Hugging Face checkpoint, a GGUF file, or both; what is missing is made once, in --work. Quantized files are
made by llama.cpp itself. Speed does not depend on what weights hold, so shapes whose checkpoints cannot be had here are random.
"""
import json, os
from dataclasses import dataclass

import numpy as np


@dataclass
class Shape:
    """A decoder of Qwen's family: what its GGUF file says of it."""
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    context: int
    experts: int = 0
    used: int = 0


SHAPES = {
    # Qwen2.5-1.5B's, whole.
    "qwen2.5-1.5b": Shape("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 32768),
    # Qwen3-30B-A3B's layers, 4 of 48, with 32 of 128 experts and a vocabulary of a fifth: what fits beside others.
    "qwen3-moe": Shape("qwen3moe", 4, 2048, 32, 4, 128, 768, 32000, 32768, experts=32, used=8),
}


def gguf_of_shape(name, path):
    """Random weights of a shape in f16."""
    import gguf
    shape, chance = SHAPES[name], np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_file_type(1)
    if shape.experts:
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
        writer.add_expert_feed_forward_length(shape.feed_forward)
    add_bytes_vocabulary(writer, shape.vocabulary, "qwen2")

    def matrix(tensor, *sizes):
        writer.add_tensor(tensor, (chance.standard_normal(sizes, dtype=np.float32) * 0.02).astype(np.float16))

    def vector(tensor, size, value):
        writer.add_tensor(tensor, np.full(size, value, np.float32))

    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    matrix("token_embd.weight", shape.vocabulary, shape.hidden)
    vector("output_norm.weight", shape.hidden, 1)
    for layer in (f"blk.{i}" for i in range(shape.layers)):
        vector(f"{layer}.attn_norm.weight", shape.hidden, 1)
        vector(f"{layer}.ffn_norm.weight", shape.hidden, 1)
        for part, size in [("q", queries), ("k", keys), ("v", keys)]:
            matrix(f"{layer}.attn_{part}.weight", size, shape.hidden)
            if shape.architecture == "qwen2":
                vector(f"{layer}.attn_{part}.bias", size, 0)
        matrix(f"{layer}.attn_output.weight", shape.hidden, queries)
        if shape.experts:
            vector(f"{layer}.attn_q_norm.weight", shape.head_dim, 1)
            vector(f"{layer}.attn_k_norm.weight", shape.head_dim, 1)
            matrix(f"{layer}.ffn_gate_inp.weight", shape.experts, shape.hidden)
            matrix(f"{layer}.ffn_gate_exps.weight", shape.experts, shape.feed_forward, shape.hidden)
            matrix(f"{layer}.ffn_up_exps.weight", shape.experts, shape.feed_forward, shape.hidden)
            matrix(f"{layer}.ffn_down_exps.weight", shape.experts, shape.hidden, shape.feed_forward)
        else:
            matrix(f"{layer}.ffn_gate.weight", shape.feed_forward, shape.hidden)
            matrix(f"{layer}.ffn_up.weight", shape.feed_forward, shape.hidden)
            matrix(f"{layer}.ffn_down.weight", shape.hidden, shape.feed_forward)
    finish(writer)


def add_bytes_vocabulary(writer, size, pre):
    """Byte-level pieces, and names for the rest."""
    from tokenizers.pre_tokenizers import ByteLevel
    pieces = sorted(ByteLevel.alphabet())
    pieces.append(pieces[0] + pieces[1])
    merges = [f"{pieces[0]} {pieces[1]}"]
    pieces += [f"<{i}>" for i in range(len(pieces), size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(pieces)
    writer.add_token_types([1] * size)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(size - 1)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gpt2_checkpoint(directory):
    """GPT-2 of 124 million parameters from seed 0, with byte-level pieces as its vocabulary."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(directory)
    pieces = sorted(ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    vocabulary.update({f"<{i}>": i for i in range(len(pieces), 50256)})
    # CTranslate2's converter asks for the piece that ends texts.
    vocabulary["<|endoftext|>"] = 50256
    json.dump(vocabulary, open(f"{directory}/vocab.json", "w"))
    open(f"{directory}/merges.txt", "w").write("#version: 0.2\n")
    json.dump({"tokenizer_class": "GPT2Tokenizer", "unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>",
               "eos_token": "<|endoftext|>"}, open(f"{directory}/tokenizer_config.json", "w"))


def gpt2_gguf(directory, path):
    """That checkpoint as llama.cpp's own converter lays it out, in f32."""
    import gguf
    from safetensors.numpy import load_file
    config = json.load(open(f"{directory}/config.json"))
    tensors = {name.removeprefix("transformer."): value
               for name, value in load_file(f"{directory}/model.safetensors").items()}
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(0)
    add_bytes_vocabulary(writer, config["vocab_size"], "gpt-2")
    names = {"wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight",
             "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias"}
    parts = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
             "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for name, value in tensors.items():
        if name.startswith("h."):
            _, layer, rest = name.split(".", 2)
            part, what = rest.rsplit(".", 1)
            if part not in parts:
                continue
            name = f"blk.{layer}.{parts[part]}.{what}"
            if value.ndim == 2:
                value = value.T  # Conv1D holds inputs first
        elif name in names:
            name = names[name]
        else:
            continue
        writer.add_tensor(name, np.ascontiguousarray(value, dtype=np.float32))
    finish(writer)


def quantized(source, path, kind):
    """llama.cpp's own quantization of a GGUF file."""
    import llama_cpp as llama
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, None)
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = {"Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0, "Q4_0": llama.LLAMA_FTYPE_MOSTLY_Q4_0,
                        "Q4_K_M": llama.LLAMA_FTYPE_MOSTLY_Q4_K_M}[kind]
    parameters.allow_requantize = True
    if llama.llama_model_quantize(source.encode(), f"{path}.part".encode(), parameters):
        raise RuntimeError(f"llama.cpp does not quantize {source} as {kind}")
    os.replace(f"{path}.part", path)


class Models:
    """What is there, and what can be made."""

    def __init__(self, work, real):
        self.work, self.real = work, real
        os.makedirs(work, exist_ok=True)

    def checkpoint(self, name):
        """A Hugging Face directory; None where there is none of this model."""
        if name == "gpt2":
            directory = f"{self.work}/gpt2-124m"
            if not os.path.exists(f"{directory}/tokenizer_config.json"):
                gpt2_checkpoint(directory)
            return directory
        if name == "smollm2" and os.path.exists(f"{self.real}/smollm2-hf/config.json"):
            return f"{self.real}/smollm2-hf"
        return None

    def gguf(self, name, kind):
        """A GGUF file of a kind; None where it cannot be had."""
        if name == "gemma3":
            path = f"{self.real}/gemma3/gemma-3-270m-q4_k_m.gguf"
            return path if kind == "Q4_K_M" and os.path.exists(path) else None
        path = f"{self.work}/{name}-{kind}.gguf"
        if os.path.exists(path):
            return path
        if kind in ("F32", "F16"):
            if name == "gpt2":
                gpt2_gguf(self.checkpoint(name), f"{path}.part")
            elif name in SHAPES:
                gguf_of_shape(name, f"{path}.part")
            else:
                return None
            os.replace(f"{path}.part", path)
            return path
        source = (f"{self.real}/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" if name == "smollm2"
                  else self.gguf(name, "F32" if name == "gpt2" else "F16"))
        if not os.path.exists(source):
            return None
        quantized(source, path, kind)
        return path
