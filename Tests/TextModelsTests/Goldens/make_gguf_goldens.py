#!/usr/bin/env python3
"""Tiny seeded GGUF files and what transformers makes of their weights.

    pip install torch transformers safetensors gguf
    python3 make_gguf_goldens.py [NAME...]

Makes those that are named, or else all.

In gguf/:
  ARCHITECTURE.gguf  one of every architecture, its matrices in F32, F16 and BF16 by turns, with names from gguf's own
                     table of tensors, and ARCHITECTURE.json: a prompt, the logits after its fourth token and its last.
  ARCHITECTURE/      of some the same values as a checkpoint of safetensors.
  blocks.gguf        a Llama 256 wide whose matrices are of every type of blocks, and blocks.json: the logits of the
                     weights that gguf's own dequantiser finds, exact, and with activations rounded as the engine's
                     kernels round them; and for each type some rows dequantised.
"""
import json, os, sys
import numpy as np
import torch
import gguf
from gguf import GGMLQuantizationType as Q
from transformers import (Exaone4Config, Exaone4ForCausalLM, Glm4Config, Glm4ForCausalLM, GptOssConfig, GptOssForCausalLM,
                          GraniteConfig, GraniteForCausalLM, GraniteMoeConfig, GraniteMoeForCausalLM, MixtralConfig,
                          MixtralForCausalLM, Olmo2Config, Olmo2ForCausalLM, Olmo3Config, Olmo3ForCausalLM, OlmoeConfig,
                          OlmoeForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM, SmolLM3Config, SmolLM3ForCausalLM,
                          DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM,
                          Glm4MoeLiteConfig, Glm4MoeLiteForCausalLM, Ministral3Config, Ministral3ForCausalLM, Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig,
                          Gemma4ForCausalLM, Gemma4TextConfig, Lfm2Config, Lfm2ForCausalLM, Qwen3_5ForCausalLM, Qwen3_5TextConfig)
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
                          MistralConfig, MistralForCausalLM, Phi3Config, Phi3ForCausalLM, Qwen2Config, Qwen2ForCausalLM,
                          Qwen3Config, Qwen3ForCausalLM)

here = os.path.dirname(os.path.abspath(__file__)) + "/gguf"
os.makedirs(here, exist_ok=True)
PROMPT = [5, 17, 3, 39, 42, 42, 7, 20, 44, 31, 1, 0, 8, 47, 30, 12, 2, 2, 19, 33]
ALPHABET = [chr(c) for c in range(33, 127)]
ARCH = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3,
        "gemma2": gguf.MODEL_ARCH.GEMMA2, "gemma3": gguf.MODEL_ARCH.GEMMA3, "phi3": gguf.MODEL_ARCH.PHI3, "gpt2": gguf.MODEL_ARCH.GPT2,
        "smollm3": gguf.MODEL_ARCH.SMOLLM3, "granite": gguf.MODEL_ARCH.GRANITE, "granitemoe": gguf.MODEL_ARCH.GRANITE_MOE,
        "olmo2": gguf.MODEL_ARCH.OLMO2, "exaone4": gguf.MODEL_ARCH.EXAONE4, "glm4": gguf.MODEL_ARCH.GLM4,
        "qwen3moe": gguf.MODEL_ARCH.QWEN3MOE, "olmoe": gguf.MODEL_ARCH.OLMOE, "gpt-oss": gguf.MODEL_ARCH.GPT_OSS,
        "lfm2": gguf.MODEL_ARCH.LFM2, "qwen35": gguf.MODEL_ARCH.QWEN35,
        "gemma4": gguf.MODEL_ARCH.GEMMA4, "deepseek2": gguf.MODEL_ARCH.DEEPSEEK2, "qwen35moe": gguf.MODEL_ARCH.QWEN35MOE,
        "mistral3": gguf.MODEL_ARCH.MISTRAL3}
# As convert_hf_to_gguf.py: these are stored with the rows of queries and keys in RoPE's pairs.
PERMUTED = {"llama", "mistral3", "smollm3", "granite", "granitemoe"}

def permute(weights, heads):
    """As convert_hf_to_gguf.py stores Llama's queries and keys."""
    return (weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape))

def both(t):
    """The nearest values that bf16 and f16 both have."""
    t = t.to(torch.bfloat16).float()
    return torch.where(t.abs() < 2 ** -14, torch.zeros_like(t), t)

def metadata(writer, arch, config):
    c = config
    writer.add_context_length(getattr(c, "max_position_embeddings", None) or c.n_positions)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_head_count(c.num_attention_heads)
    if arch == "gpt2":
        writer.add_feed_forward_length(4 * c.n_embd)
        writer.add_layer_norm_eps(c.layer_norm_epsilon)
        return
    if arch == "lfm2":  # convert_hf_to_gguf.py, LFM2Model: the width is the true one, heads are by layer
        writer.add_feed_forward_length(LFM2_WIDTH)
        writer.add_head_count_kv([0 if kind == "conv" else c.num_key_value_heads for kind in c.layer_types])
        writer.add_layer_norm_rms_eps(c.norm_eps)
        writer.add_shortconv_l_cache(c.conv_L_cache)
        writer.add_vocab_size(c.vocab_size)
        writer.add_rope_freq_base(c.rope_parameters["rope_theta"])
        return
    if arch == "deepseek2":  # the same script's DeepseekV2Model: as attention over one latent head
        writer.add_feed_forward_length(c.intermediate_size)
        writer.add_head_count_kv(1)
        writer.add_layer_norm_rms_eps(c.rms_norm_eps)
        if c.q_lora_rank: writer.add_q_lora_rank(c.q_lora_rank)
        writer.add_kv_lora_rank(c.kv_lora_rank)
        writer.add_key_length(c.kv_lora_rank + c.qk_rope_head_dim)
        writer.add_value_length(c.kv_lora_rank)
        writer.add_key_length_mla(c.qk_nope_head_dim + c.qk_rope_head_dim)
        writer.add_value_length_mla(c.v_head_dim)
        writer.add_rope_dimension_count(c.qk_rope_head_dim)
        rope = c.rope_parameters
        writer.add_rope_freq_base(rope["rope_theta"])
        if rope["rope_type"] == "yarn":
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(rope["factor"])
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
            writer.add_rope_scaling_yarn_log_mul(0.1 * rope["mscale_all_dim"])
        sigmoid = c.model_type != "deepseek_v2"
        writer.add_leading_dense_block_count(getattr(c, "first_k_dense_replace", 1))
        writer.add_expert_count(c.n_routed_experts)
        writer.add_expert_used_count(c.num_experts_per_tok)
        writer.add_expert_feed_forward_length(c.moe_intermediate_size)
        writer.add_expert_shared_count(c.n_shared_experts)
        writer.add_expert_weights_scale(c.routed_scaling_factor)
        writer.add_expert_weights_norm(sigmoid)
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if sigmoid else gguf.ExpertGatingFuncType.SOFTMAX)
        if getattr(c, "n_group", None) and c.n_group > 1:
            writer.add_expert_group_count(c.n_group)
            writer.add_expert_group_used_count(c.topk_group)
        writer.add_vocab_size(c.vocab_size)
        return
    if arch == "gemma4":  # the same script's Gemma4Model
        c.allow_global_per_layer_attribute_access = True
        full = [kind == "full_attention" for kind in c.layer_types]
        first = c.num_hidden_layers - c.num_kv_shared_layers
        heads = c.per_layer_config[full.index(True)]
        writer.add_feed_forward_length([c.intermediate_size * (2 if c.use_double_wide_mlp and i >= first else 1)
                                        for i in range(c.num_hidden_layers)])
        writer.add_head_count_kv([heads.num_key_value_heads if f else c.num_key_value_heads for f in full])
        writer.add_layer_norm_rms_eps(c.rms_norm_eps)
        for length, add in ((heads.head_dim, (writer.add_key_length, writer.add_value_length, writer.add_rope_dimension_count)),
                            (c.head_dim, (writer.add_key_length_swa, writer.add_value_length_swa, writer.add_rope_dimension_count_swa))):
            for one in add: one(length)
        writer.add_sliding_window(c.sliding_window)
        writer.add_sliding_window_pattern([not f for f in full])
        writer.add_shared_kv_layers(c.num_kv_shared_layers)
        writer.add_embedding_length_per_layer_input(c.hidden_size_per_layer_input)
        writer.add_rope_freq_base(c.rope_parameters["full_attention"]["rope_theta"])
        writer.add_rope_freq_base_swa(c.rope_parameters["sliding_attention"]["rope_theta"])
        if c.final_logit_softcapping: writer.add_final_logit_softcapping(c.final_logit_softcapping)
        if c.enable_moe_block:
            writer.add_array("tokenizer.ggml.suppress_tokens", [3, 5])
            writer.add_expert_count(c.num_experts)
            writer.add_expert_used_count(c.top_k_experts)
            writer.add_expert_feed_forward_length(c.moe_intermediate_size)
        turned = int(c.rope_parameters["full_attention"]["partial_rotary_factor"] * heads.head_dim // 2)
        factors = [1.0] * turned + [1e30] * (heads.head_dim // 2 - turned)
        writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
        return
    if arch != "qwen35moe": writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    if arch == "qwen35moe": writer.add_expert_shared_feed_forward_length(c.shared_expert_intermediate_size)
    if arch in ("qwen35", "qwen35moe"):  # the same script's Qwen3NextModel and what follows it
        writer.add_ssm_conv_kernel(c.linear_conv_kernel_dim)
        writer.add_ssm_state_size(c.linear_key_head_dim)
        writer.add_ssm_group_count(c.linear_num_key_heads)
        writer.add_ssm_time_step_rank(c.linear_num_value_heads)
        writer.add_ssm_inner_size(c.linear_num_value_heads * c.linear_value_head_dim)
        writer.add_full_attention_interval(4)
        writer.add_rope_dimension_sections([*c.rope_parameters["mrope_section"], 0])
    head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    writer.add_key_length(head)
    writer.add_value_length(head)
    rope = c.rope_parameters.get("full_attention", c.rope_parameters)
    writer.add_rope_freq_base(rope["rope_theta"])
    rotary = int(head * rope.get("partial_rotary_factor", 1))
    writer.add_rope_dimension_count(rotary)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "llama3":  # convert_hf_to_gguf.py, LlamaModel.generate_extra_tensors
        freqs = 1.0 / (rope["rope_theta"] ** (torch.arange(0, head, 2, dtype=torch.float32) / head))
        low, high = (rope["original_max_position_embeddings"] / rope[k] for k in ("low_freq_factor", "high_freq_factor"))
        factors = []
        for wavelength in (2 * np.pi / freqs).tolist():
            if wavelength < high: factors.append(1)
            elif wavelength > low: factors.append(rope["factor"])
            else:
                smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (
                    rope["high_freq_factor"] - rope["low_freq_factor"])
                factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
        writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    if rope["rope_type"] == "longrope":  # Phi3MiniModel.generate_extra_tensors
        original = c.original_max_position_embeddings
        writer.add_rope_scaling_orig_ctx_len(original)
        scale = c.max_position_embeddings / original
        writer.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))))
        writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], dtype=np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], dtype=np.float32))
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if arch == "mistral3":  # the same script's Ministral3Model
        if "beta_fast" in rope: writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        if "beta_slow" in rope: writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
        if "mscale_all_dim" in rope: writer.add_rope_scaling_yarn_log_mul(rope["mscale_all_dim"])
        if "llama_4_scaling_beta" in rope: writer.add_attn_temperature_scale(rope["llama_4_scaling_beta"])
    if arch in ("granite", "granitemoe"):
        writer.add_attention_scale(c.attention_multiplier)
        writer.add_embedding_scale(c.embedding_multiplier)
        writer.add_residual_scale(c.residual_multiplier)
        writer.add_logit_scale(c.logits_scaling)
    if arch in ("olmo2", "exaone4") and getattr(c, "sliding_window", None):
        writer.add_sliding_window(c.sliding_window)
        writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in c.layer_types])
    if arch == "gpt-oss": writer.add_sliding_window(c.sliding_window)
    experts = getattr(c, "num_local_experts", None) or getattr(c, "num_experts", None)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(c.num_experts_per_tok)
        if arch in ("qwen3moe", "gpt-oss", "qwen35moe"):
            writer.add_expert_feed_forward_length(getattr(c, "moe_intermediate_size", 0) or c.intermediate_size)
    if getattr(c, "sliding_window", None) and arch in ("gemma2", "gemma3", "phi3", "llama"): writer.add_sliding_window(c.sliding_window)
    if arch == "gemma2":
        writer.add_attn_logit_softcapping(c.attn_logit_softcapping)
        writer.add_final_logit_softcapping(c.final_logit_softcapping)

def vocabulary(writer, count):
    tokens = [f"{a}{b}" for a in [""] + ALPHABET for b in ALPHABET][:count]
    if not any(len(t) == 2 for t in tokens): tokens[-1] = tokens[0] + tokens[1]  # llama.cpp wants a merge
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * count)
    writer.add_token_merges([f"{t[0]} {t[1]}" for t in tokens if len(t) == 2])

def tensors(model, arch, config, apart=False):
    """Names and values as the file has them; Gemma 4's gates and ups of experts in two tensors where `apart`."""
    names = gguf.get_tensor_name_map(ARCH[arch], config.num_hidden_layers)
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings: continue
        value = value.float().numpy()
        if arch == "gpt2" and key.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")): value = value.T.copy()
        if arch in PERMUTED and ".q_proj." in key: value = permute(value, config.num_attention_heads)
        if arch in PERMUTED and ".k_proj." in key: value = permute(value, config.num_key_value_heads)
        if arch == "gemma4" and (".experts." in key or ".router." in key):  # Gemma4Model.modify_tensors
            layer, last = f"blk.{key.split('.')[2]}.", key.split(".")[3:]
            if last[1] == "gate_up_proj" and apart:
                half = value.shape[1] // 2
                yield layer + "ffn_gate_exps.weight", np.ascontiguousarray(value[:, :half])
                yield layer + "ffn_up_exps.weight", np.ascontiguousarray(value[:, half:])
            else:
                yield layer + {"scale": "ffn_gate_inp.scale", "per_expert_scale": "ffn_down_exps.scale", "proj": "ffn_gate_inp.weight",
                               "gate_up_proj": "ffn_gate_up_exps.weight", "down_proj": "ffn_down_exps.weight"}[last[1]], value
            continue
        if ".experts." in key or key.endswith((".gate.weight", ".router.weight", ".router.bias", ".sinks")):
            yield from experts(key, value, arch)
            continue
        if ".kv_b_proj." in key:
            layer, plain = f"blk.{key.split('.')[2]}.", config.qk_nope_head_dim
            own = value.reshape(config.num_attention_heads, plain + config.v_head_dim, config.kv_lora_rank)
            yield layer + "attn_k_b.weight", np.ascontiguousarray(own[:, :plain].swapaxes(1, 2))
            yield layer + "attn_v_b.weight", np.ascontiguousarray(own[:, plain:])
            continue
        if key.endswith("e_score_correction_bias"):
            yield f"blk.{key.split('.')[2]}.exp_probs_b.bias", value
            continue
        if arch.startswith("qwen35") and ".linear_attn." in key: key, value = delta_net(key, value, config)
        if key.endswith(".conv.conv.weight"): value = value[:, 0]
        if arch.startswith("qwen35") and key.endswith("norm.weight") and ".linear_attn." not in key: value = value + np.float32(1)
        if key.endswith("ssm_a") or key.endswith("ssm_dt.bias"):
            yield key, value
            continue
        if key.endswith("layer_scalar"):
            yield f"blk.{key.split('.')[2]}.layer_output_scale.weight", value
            continue
        if arch in ("gemma2", "gemma3") and key.endswith("norm.weight"): value = value + np.float32(1)
        yield names.get_name(key, try_suffixes=(".weight", ".bias")), np.ascontiguousarray(value)

def delta_net(key, value, c):
    """Value heads that share a key head lie next to one another in transformers' files, and as far apart as there are key
    heads in llama.cpp's."""
    keys, values = c.linear_num_key_heads, c.linear_num_value_heads
    def tiled(x, width):
        return x.reshape(keys, values // keys, width, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)
    layer, last = f"blk.{key.split('.')[2]}.", key.split("linear_attn.")[1]
    if last in ("A_log", "dt_bias"):
        return layer + {"A_log": "ssm_a", "dt_bias": "ssm_dt.bias"}[last], tiled(-np.exp(value) if last == "A_log" else value, 1)
    if last == "conv1d.weight": value = value[:, 0]
    if last in ("in_proj_qkv.weight", "conv1d.weight"):
        split = 2 * keys * c.linear_key_head_dim
        value = np.concatenate([value[:split], tiled(value[split:], c.linear_value_head_dim)])
    if last == "in_proj_z.weight": value = tiled(value, c.linear_value_head_dim)
    if last in ("in_proj_a.weight", "in_proj_b.weight"): value = tiled(value, 1)
    if last == "out_proj.weight": value = tiled(np.ascontiguousarray(value.T), c.linear_value_head_dim).T
    return key, value

def experts(key, value, arch):
    """What transformers holds together in one tensor, apart: `[E, F, C]` for gates and ups, `[E, C, F]` for downs."""
    layer, last = f"blk.{key.split('.')[2]}.", key.split(".")[-1]
    if last == "sinks": yield layer + "attn_sinks.weight", value
    elif ".experts." not in key: yield layer + "ffn_gate_inp." + last, value
    elif arch == "gpt-oss" and last.startswith("gate_up_proj"):  # gates and ups by turns, inputs first
        kind = "bias" if last.endswith("bias") else "weight"
        if kind == "weight": value = value.swapaxes(1, 2)
        yield layer + f"ffn_gate_exps.{kind}", np.ascontiguousarray(value[:, ::2])
        yield layer + f"ffn_up_exps.{kind}", np.ascontiguousarray(value[:, 1::2])
    elif arch == "gpt-oss":
        bias = last.endswith("bias")
        yield layer + f"ffn_down_exps.{'bias' if bias else 'weight'}", np.ascontiguousarray(value if bias else value.swapaxes(1, 2))
    elif last == "gate_up_proj":
        half = value.shape[1] // 2
        yield layer + "ffn_gate_exps.weight", np.ascontiguousarray(value[:, :half])
        yield layer + "ffn_up_exps.weight", np.ascontiguousarray(value[:, half:])
    else: yield layer + "ffn_down_exps.weight", value

def peer(path, golden):
    """How far llama.cpp is from transformers on the file, where it is installed: proves the layout, to its roundings."""
    try: from llama_cpp import Llama
    except ImportError: return "llama.cpp is not installed"
    try: model = Llama(path, n_ctx=64, logits_all=True, verbose=False, type_k=0, type_v=0, n_threads=1)
    except Exception as error: return f"llama.cpp: {error}"
    model.eval(golden["prompt"])
    away = np.abs(model.scores[len(golden["prompt"]) - 1] - np.array(golden["last"])).max()
    return f"llama.cpp is {away:.1e} away, of {np.abs(golden['last']).max():.1f}"

def narrow(value, kind):
    if kind == Q.F32: return value
    if kind == Q.F16: return value.astype(np.float16)
    return (value.view(np.uint32) >> 16).astype(np.uint16)

@torch.no_grad()
def logits(model, prompt=PROMPT):
    out = model(torch.tensor([prompt])).logits[0]
    return {"prompt": prompt, "third": out[3].tolist(), "last": out[-1].tolist()}

def drafting(writer, model, arch, config):
    """A layer that drafts tokens behind the others: a copy of the last one, and what only such layers have."""
    writer.add_nextn_predict_layers(1)
    last, new, c = config.num_hidden_layers - 1, config.num_hidden_layers, config.hidden_size
    for key, value in tensors(model, arch, config):
        if key.startswith(f"blk.{last}."): writer.add_tensor(key.replace(f"blk.{last}.", f"blk.{new}."), value)
    for part, shape in (("eh_proj", (c, 2 * c)), ("enorm", (c,)), ("hnorm", (c,)), ("shared_head_norm", (c,))):
        writer.add_tensor(f"blk.{new}.nextn.{part}.weight", np.ones(shape, dtype=np.float32))

def make(name, arch, seed, factory, twin=False, drafts=False, apart=False):
    if sys.argv[1:] and name not in sys.argv[1:]: return
    torch.manual_seed(seed)
    model = factory().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(both(p * 6 if p.dim() > 1 else p + torch.randn_like(p) * 0.2))
    writer = gguf.GGUFWriter(f"{here}/{name}.gguf", arch)
    metadata(writer, arch, model.config)
    vocabulary(writer, model.config.vocab_size)
    if drafts:
        writer.kv_data[0][f"{arch}.block_count"].value = model.config.num_hidden_layers + 1
        drafting(writer, model, arch, model.config)
    turn = 0
    for key, value in tensors(model, arch, model.config, apart):
        kind = Q.F32
        if value.ndim >= 2 and "conv" not in key.split(".")[-2] and not key.endswith(".bias") and "position_embd" not in key and "ffn_gate_inp" not in key:
            kind = [Q.BF16, Q.F16, Q.F32][turn % 3]
            turn += 1
        writer.add_tensor(key, narrow(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    golden = logits(model)
    json.dump(golden, open(f"{here}/{name}.json", "w"))
    print(name, peer(f"{here}/{name}.gguf", golden))
    if twin:
        model.to(torch.bfloat16).save_pretrained(f"{here}/{name}")
        if os.path.exists(f"{here}/{name}/generation_config.json"): os.remove(f"{here}/{name}/generation_config.json")

small = dict(vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
             num_key_value_heads=1, head_dim=8, max_position_embeddings=64, bos_token_id=0, eos_token_id=None, pad_token_id=None)
make("llama", "llama", 1, lambda: LlamaForCausalLM(LlamaConfig(**small, attention_bias=True)), twin=True)
make("llama3-scaled", "llama", 2, lambda: LlamaForCausalLM(LlamaConfig(**{**small, "num_key_value_heads": 2}, tie_word_embeddings=True,
     rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                      "high_freq_factor": 4.0, "original_max_position_embeddings": 32})))
make("mistral", "llama", 3, lambda: MistralForCausalLM(MistralConfig(**small, sliding_window=8)))
make("qwen2", "qwen2", 4, lambda: Qwen2ForCausalLM(Qwen2Config(**{k: v for k, v in small.items() if k != "head_dim"}, tie_word_embeddings=True)))
make("qwen3", "qwen3", 5, lambda: Qwen3ForCausalLM(Qwen3Config(**{**small, "head_dim": 16},
     rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0})))
make("gemma2", "gemma2", 6, lambda: Gemma2ForCausalLM(Gemma2Config(**{**small, "num_hidden_layers": 2}, query_pre_attn_scalar=8,
     sliding_window=8, attn_logit_softcapping=5.0, final_logit_softcapping=10.0, attn_implementation="eager")), twin=True)
make("gemma3", "gemma3", 11, lambda: Gemma3ForCausalLM(Gemma3TextConfig(**{**small, "num_hidden_layers": 7}, query_pre_attn_scalar=8,
     sliding_window=8)))
make("phi3", "phi3", 7, lambda: Phi3ForCausalLM(Phi3Config(**{k: v for k, v in small.items() if k != "head_dim"}, sliding_window=8, original_max_position_embeddings=16,
     rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
                      "short_factor": [1.0] * 3, "long_factor": [1.0, 2.1, 17.0]})))
make("gpt2", "gpt2", 8, lambda: GPT2LMHeadModel(GPT2Config(vocab_size=48, n_positions=64, n_embd=16, n_layer=1, n_head=2,
     bos_token_id=0, eos_token_id=None, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)), twin=True)

mid = {k: v for k, v in {**small, "num_hidden_layers": 4, "hidden_size": 32}.items() if k != "head_dim"}
make("ministral3", "mistral3", 40, lambda: Ministral3ForCausalLM(Ministral3Config(**mid, head_dim=16, rope_parameters={
     "rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 32.0,
     "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.5})))
make("mistral-small3", "mistral3", 41, lambda: MistralForCausalLM(MistralConfig(**mid, head_dim=16, sliding_window=None)))
make("smollm3", "smollm3", 20, lambda: SmolLM3ForCausalLM(SmolLM3Config(**mid)))
make("granite", "granite", 21, lambda: GraniteForCausalLM(GraniteConfig(**mid, embedding_multiplier=3.0, residual_multiplier=0.6,
     attention_multiplier=0.4, logits_scaling=0.5)))
make("olmo2", "olmo2", 22, lambda: Olmo2ForCausalLM(Olmo2Config(**mid)))
make("olmo3", "olmo2", 23, lambda: Olmo3ForCausalLM(Olmo3Config(**mid, sliding_window=8, rope_parameters={
    "full_attention": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})))
# (llama.cpp takes a window for models of 64 layers only, whatever the keys say: it is far away here.)
make("exaone4", "exaone4", 24, lambda: Exaone4ForCausalLM(Exaone4Config(**mid, sliding_window=8)))
make("glm4", "glm4", 25, lambda: Glm4ForCausalLM(Glm4Config(**{**mid, "eos_token_id": [1]}, head_dim=8)))
make("mixtral", "llama", 26, lambda: MixtralForCausalLM(MixtralConfig(**mid, num_local_experts=4, num_experts_per_tok=2)))
make("qwen3moe", "qwen3moe", 27, lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**mid, head_dim=8, num_experts=5,
     num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True)))
make("granitemoe", "granitemoe", 28, lambda: GraniteMoeForCausalLM(GraniteMoeConfig(**mid, num_local_experts=4,
     num_experts_per_tok=2, embedding_multiplier=3.0, residual_multiplier=0.6, attention_multiplier=0.4, logits_scaling=0.5)))
make("olmoe", "olmoe", 29, lambda: OlmoeForCausalLM(OlmoeConfig(**{**mid, "num_key_value_heads": 2}, num_experts=5,
     num_experts_per_tok=2)))
make("gpt-oss", "gpt-oss", 30, lambda: GptOssForCausalLM(GptOssConfig(**mid, head_dim=8, num_local_experts=4,
     num_experts_per_tok=2, sliding_window=8, attn_implementation="eager", rope_parameters={"rope_type": "yarn",
     "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
     "original_max_position_embeddings": 16})))

LFM2_WIDTH = 32
make("lfm2", "lfm2", 31, lambda: Lfm2ForCausalLM(Lfm2Config(**{**mid, "intermediate_size": 40}, block_multiple_of=16,
     layer_types=["conv", "full_attention", "conv", "conv"])))
make("qwen35", "qwen35", 32, lambda: Qwen3_5ForCausalLM(Qwen3_5TextConfig(**mid, head_dim=32, linear_num_key_heads=2,
     linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16, rope_parameters={"rope_type": "default",
     "rope_theta": 10000.0, "partial_rotary_factor": 0.25, "mrope_interleaved": True, "mrope_section": [2, 1, 1]})))
make("qwen35-drafts", "qwen35", 39, lambda: Qwen3_5ForCausalLM(Qwen3_5TextConfig(**mid, head_dim=32, linear_num_key_heads=2,
     linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16, rope_parameters={"rope_type": "default",
     "rope_theta": 10000.0, "partial_rotary_factor": 0.25, "mrope_interleaved": True, "mrope_section": [2, 1, 1]})), drafts=True)

def scaled(model):
    for index, layer in enumerate(model.model.layers): layer.layer_scalar.fill_(0.75 + 0.25 * index)
    return model

gemma4 = dict(**{**mid, "num_hidden_layers": 6}, head_dim=8, global_head_dim=16, sliding_window=8,
              vocab_size_per_layer_input=48)
make("gemma4", "gemma4", 33, lambda: scaled(Gemma4ForCausalLM(Gemma4TextConfig(**gemma4, hidden_size_per_layer_input=16,
     num_kv_shared_layers=3, use_double_wide_mlp=True, layer_types=["sliding_attention", "sliding_attention",
     "full_attention"] * 2))))
make("gemma4-keys", "gemma4", 34, lambda: Gemma4ForCausalLM(Gemma4TextConfig(**{**gemma4, "num_key_value_heads": 2,
     "num_hidden_layers": 6}, hidden_size_per_layer_input=0, attention_k_eq_v=True, num_global_key_value_heads=1,
     final_logit_softcapping=20.0)))

for name, seed, apart in (("gemma4-moe", 50, False), ("gemma4-moe-apart", 51, True)):
    make(name, "gemma4", seed, lambda: Gemma4ForCausalLM(Gemma4TextConfig(**{**gemma4, "num_key_value_heads": 2},
         hidden_size_per_layer_input=0, attention_k_eq_v=True, num_global_key_value_heads=1, enable_moe_block=True,
         num_experts=4, top_k_experts=2, moe_intermediate_size=16)), apart=apart)

def corrected(model):
    for layer in model.model.layers:
        if hasattr(layer.mlp, "gate"):
            bias = layer.mlp.gate.e_score_correction_bias
            bias.copy_(torch.linspace(-0.3, 0.3, len(bias)).roll(1))
    return model

make("qwen35moe", "qwen35moe", 35, lambda: Qwen3_5MoeForCausalLM(Qwen3_5MoeTextConfig(**{k: v for k, v in mid.items()
     if k != "intermediate_size"}, head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=16,
     linear_value_head_dim=16, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
     shared_expert_intermediate_size=32, rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
     "partial_rotary_factor": 0.25, "mrope_interleaved": True, "mrope_section": [2, 1, 1]})))
latent = dict(**{**mid, "num_key_value_heads": 2}, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16,
              n_routed_experts=6, num_experts_per_tok=3, moe_intermediate_size=16)
make("deepseek2", "deepseek2", 36, lambda: DeepseekV2ForCausalLM(DeepseekV2Config(**latent, q_lora_rank=12,
     n_shared_experts=2, topk_method="greedy", routed_scaling_factor=2.0, first_k_dense_replace=1, rope_parameters={
     "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "mscale": 0.7, "mscale_all_dim": 0.7, "beta_fast": 32,
     "beta_slow": 1, "original_max_position_embeddings": 16})))
make("deepseek3", "deepseek2", 37, lambda: corrected(DeepseekV3ForCausalLM(DeepseekV3Config(**latent, q_lora_rank=12,
     n_shared_experts=1, n_group=3, topk_group=2, routed_scaling_factor=1.5, first_k_dense_replace=2))))
make("glm4-moe-lite", "deepseek2", 38, lambda: corrected(Glm4MoeLiteForCausalLM(Glm4MoeLiteConfig(**latent, q_lora_rank=12,
     n_shared_experts=1, n_group=1, topk_group=1, routed_scaling_factor=1.8))))

# ---------------------------------------------------------------------------------------------------------- blocks

random = np.random.default_rng(9)

def half(low, high, count):
    return random.uniform(low, high, count).astype(np.float16).view(np.uint8).reshape(count, 2)

def blocks(kind, rows, width):
    """Random blocks whose weights lie around zero, as raw bytes."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = rows * width // elements
    raw = random.integers(0, 256, (count, size), dtype=np.uint8)
    if kind == Q.Q8_0: raw[:, 0:2] = half(0.0004, 0.0012, count)
    if kind == Q.Q4_0: raw[:, 0:2] = half(-0.012, 0.012, count)
    if kind == Q.Q4_K: raw[:, 0:2], raw[:, 2:4] = half(0.0001, 0.0003, count), half(0.0008, 0.0022, count)
    if kind == Q.Q5_K: raw[:, 0:2], raw[:, 2:4] = half(0.00005, 0.00015, count), half(0.0008, 0.0022, count)
    if kind == Q.Q6_K: raw[:, 208:210] = half(-0.00006, 0.00006, count)
    return raw.reshape(rows, -1), gguf.quants.dequantize(raw.reshape(rows, -1), kind).astype(np.float32)

TYPES = {"model.embed_tokens": Q.Q6_K, "model.norm": None, "lm_head": Q.Q4_K}
LAYERS = [
    {"self_attn.q_proj": Q.Q4_K, "self_attn.k_proj": Q.Q5_K, "self_attn.v_proj": Q.Q6_K, "self_attn.o_proj": Q.Q4_0,
     "mlp.gate_proj": Q.Q5_K, "mlp.up_proj": Q.Q4_K, "mlp.down_proj": Q.Q8_0},
    {"self_attn.q_proj": Q.Q6_K, "self_attn.k_proj": Q.Q4_0, "self_attn.v_proj": Q.Q8_0, "self_attn.o_proj": Q.Q8_0,
     "mlp.gate_proj": Q.Q8_0, "mlp.up_proj": Q.Q6_K, "mlp.down_proj": Q.Q4_0}]

def round_rows(x, group):
    """What the kernels make of activations: whole numbers with a scale for every `group`."""
    groups = x.reshape(*x.shape[:-1], -1, group)
    largest = groups.abs().amax(-1, keepdim=True)
    factor = torch.where(largest > 0, 127 / largest, torch.zeros_like(largest))
    return (torch.round(groups * factor) * (largest / 127)).reshape(x.shape)

def make_blocks():
    torch.manual_seed(10)
    config = LlamaConfig(vocab_size=48, hidden_size=256, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=8, max_position_embeddings=64, bos_token_id=0, eos_token_id=None)
    model = LlamaForCausalLM(config).eval()
    writer = gguf.GGUFWriter(f"{here}/blocks.gguf", "llama")
    metadata(writer, "llama", config)
    vocabulary(writer, config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    golden, kinds = {"rows": {}}, {}
    for key, p in model.named_parameters():
        own = names.get_name(key, try_suffixes=(".weight",))
        layer = key.split(".")[2] if key.startswith("model.layers.") else None
        kind = LAYERS[int(layer)].get(".".join(key.split(".")[3:-1])) if layer else TYPES[key.removesuffix(".weight")]
        if kind is None:
            with torch.no_grad(): p.add_(torch.randn_like(p) * 0.2)
            writer.add_tensor(own, p.detach().numpy())
            continue
        raw, values = blocks(kind, *p.shape)
        with torch.no_grad(): p.copy_(torch.from_numpy(values))
        for part, heads in (("q_proj", 4), ("k_proj", 2)):
            if part in key: raw = permute(raw, heads)
        writer.add_tensor(own, raw, raw_dtype=kind)
        kinds[key.removesuffix(".weight")] = kind
        golden["rows"].setdefault(kind.name, {"tensor": key, "row": 3, "values": values[3].tolist()})
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    golden.update(logits(model))
    golden["exact"] = golden.pop("last")
    del golden["third"]
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            group = 16 if kinds[name] == Q.Q6_K else 32
            module.register_forward_pre_hook(lambda m, args, group=group: (round_rows(args[0], group),))
    golden["rounded"] = logits(model)["last"]
    json.dump(golden, open(f"{here}/blocks.json", "w"))
    difference = np.abs(np.array(golden["exact"]) - np.array(golden["rounded"])).max()
    print("blocks: logits of spread", np.std(golden["exact"]), "which rounded activations move by", difference)

if not sys.argv[1:] or "blocks" in sys.argv[1:]: make_blocks()
