#!/usr/bin/env python3
"""Tiny seeded checkpoints in the formats in which others quantize, and what transformers makes of the same weights in f32.

    pip install torch transformers safetensors tokenizers compressed-tensors bitsandbytes
    pip download --no-deps auto-gptq==0.7.1 autoawq==0.2.9     # unpacked; AUTHORS names the folder
    AUTHORS=DIR python3 make_quantized_goldens.py [NAME...]

Makes those that are named, or else those that are missing. Each format is packed by its authors' own code where that
runs without a graphics card: AutoGPTQ's QuantLinear, AutoAWQ's WQLinear_GEMM, compressed-tensors' ModelCompressor,
bitsandbytes' Linear4bit and Linear8bitLt. FP8 is written by its published layout. The reference weights are what the
same code makes of the packed ones, with the scales widened to f32 before it multiplies.
"""
import importlib.util, json, os, shutil, sys, types
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

here = os.path.dirname(os.path.abspath(__file__)) + "/quantized"
authors = os.environ.get("AUTHORS", "/tmp/gptq")
PROMPT = [5, 17, 3, 99, 42, 42, 7, 120, 64, 31]
small = dict(vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=None)

def llama(**over): return LlamaForCausalLM(LlamaConfig(**{**small, **over}))
def qwen2(**over): return Qwen2ForCausalLM(Qwen2Config(**{**small, **over}))

def author_module(path, name):
    spec = importlib.util.spec_from_file_location(name, f"{authors}/{path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

@torch.no_grad()
def follow(model):
    first = model(torch.tensor([PROMPT])).logits[0]
    gap, out = 1e9, list(PROMPT)
    for _ in range(200):
        logits = model(torch.tensor([out])).logits[0, -1]
        top = torch.topk(logits, 2).values
        gap = min(gap, (top[0] - top[1]).item())
        if gap <= 5e-3: break
        out.append(int(torch.argmax(logits)))
    return {"prompt": PROMPT, "last": first[-1].tolist(), "third": first[3].tolist(), "greedy": out[len(PROMPT):], "gap": gap}

def make(name, factory, quantize, seed):
    """`quantize(layer name, linear)` gives the tensors by their suffixes and the weight they stand for, or None for a
    layer that is left alone; `quantize.config` is the file's quantization_config."""
    directory = f"{here}/{name}"
    if not (name in sys.argv[1:] or len(sys.argv) == 1 and not os.path.exists(directory)): return
    while True:
        torch.manual_seed(seed)
        model = factory().eval()
        model.config.eos_token_id = model.generation_config.eos_token_id = None
        tensors = {}
        with torch.no_grad():
            for key, p in model.named_parameters():
                if p.dim() > 1: p.mul_(3)
                elif "bias" in key: p.add_(torch.randn_like(p) * 0.1)
                p.copy_(p.half())
            modules = dict(model.named_modules())
            done = set()
            for key, module in modules.items():
                if not isinstance(module, torch.nn.Linear) or key == "lm_head": continue
                packed = quantize(key, module)
                if packed is None: continue
                own, weight = packed
                for suffix, tensor in own.items(): tensors[f"{key}{suffix}"] = tensor.contiguous()
                module.weight.copy_(weight)
                done.add(f"{key}.weight")
            own = experts(model, quantize) if hasattr(model.config, "num_experts") else {}
            tensors.update(own)
            for key, p in model.named_parameters():
                if key in done or ".experts." in key: continue
                tensors[key] = p.half().contiguous()
        golden = follow(model)
        if golden["gap"] > 5e-3: break
        seed += 100
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    save_file(tensors, f"{directory}/model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config["quantization_config"] = quantize.config
    json.dump(config, open(f"{directory}/config.json", "w"), indent=1, default=str)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tok.save(f"{directory}/tokenizer.json")
    json.dump(golden, open(f"{directory}/golden.json", "w"))
    print(name, "seed", seed, "smallest gap", golden["gap"])

def experts(model, quantize):
    """transformers holds experts joined, and writes them apart."""
    out = {}
    for key, module in model.named_modules():
        if not key.endswith(".experts"): continue
        for e in range(module.gate_up_proj.shape[0]):
            joint, down = module.gate_up_proj[e], module.down_proj[e]
            half = joint.shape[0] // 2
            for part, rows in (("gate_proj", joint[:half]), ("up_proj", joint[half:]), ("down_proj", down)):
                linear = torch.nn.Linear(rows.shape[1], rows.shape[0], bias=False)
                linear.weight.copy_(rows)
                own, weight = quantize(f"{key}.{e}.{part}", linear)
                for suffix, tensor in own.items(): out[f"{key}.{e}.{part}{suffix}"] = tensor.contiguous()
                rows.copy_(weight)
    return out

# ------------------------------------------------------------------------------------------------ GPTQ and AWQ

def rounded(weight, bits, group, sym, order=None):
    """Round to nearest: q, zeros [N, G], scales [N, G] in f16, and the group of each input."""
    n, k = weight.shape
    group = k if group == -1 else group
    index = torch.empty(k, dtype=torch.int32)
    index[order if order is not None else torch.arange(k)] = torch.arange(k, dtype=torch.int32) // group
    most = 2 ** bits - 1
    scales, zeros = torch.zeros(n, (k + group - 1) // group), torch.zeros(n, (k + group - 1) // group)
    for g in range(scales.shape[1]):
        own = weight[:, index == g]
        low, high = own.amin(1).clamp(max=0), own.amax(1).clamp(min=0)
        if sym:
            largest = torch.maximum(-low, high)
            scales[:, g], zeros[:, g] = 2 * largest / most, (most + 1) // 2
        else:
            scales[:, g] = (high - low) / most
            # AutoGPTQ stores a zero of 0 as −1, which spoils its neighbours.
            zeros[:, g] = torch.round(-low / scales[:, g].half().float()).clamp(1, most)
    scales = scales.half().float()
    s, z = scales[:, index.long()], zeros[:, index.long()]
    q = torch.round(weight / s + z).clamp(0, most)
    return q, zeros, scales, index, (q - z) * s

class GPTQ:
    def __init__(self, bits, group, sym=True, desc_act=False, v2=False, dynamic=None):
        self.bits, self.group, self.sym, self.desc_act, self.v2 = bits, group, sym, desc_act, v2
        self.dynamic = dynamic or {}
        self.config = {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": sym, "desc_act": desc_act,
                       "checkpoint_format": "gptq_v2" if v2 else "gptq", "lm_head": False, "true_sequential": True, "damp_percent": 0.01}
        if dynamic: self.config["dynamic"] = {("-:" if v is None else "+:") + k: v or {} for k, v in dynamic.items()}

    def __call__(self, key, linear):
        bits, group = self.bits, self.group
        for part, over in self.dynamic.items():
            if part in key:
                if over is None: return None
                bits, group = over.get("bits", bits), over.get("group_size", group)
        order = torch.randperm(linear.in_features) if self.desc_act else None
        q, zeros, scales, index, weight = rounded(linear.weight, bits, group, self.sym, order)
        module = author_module("ag/auto_gptq/nn_modules/qlinear/qlinear_cuda.py", "qlinear_cuda")
        packed = module.QuantLinear(bits, group, linear.in_features, linear.out_features, False)
        source = torch.nn.Linear(linear.in_features, linear.out_features, bias=False)
        source.weight.copy_(weight)
        packed.pack(source, scales.clone(), zeros.clone(), index)
        if self.v2:
            # The zeros as they are, in the same strings of bits.
            strings = [sum(int(z) << bits * i for i, z in enumerate(row)) for row in zeros.t()]
            packed.qzeros = torch.tensor([[s >> 32 * i & 0xffffffff for i in range(packed.qzeros.shape[1])]
                                          for s in strings]).to(torch.uint32).view(torch.int32)
        return {".qweight": packed.qweight, ".qzeros": packed.qzeros, ".scales": packed.scales.half(), ".g_idx": index}, weight

class AWQ:
    def __init__(self, group):
        self.group = group
        self.config = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm", "zero_point": True,
                       "modules_to_not_convert": ["k_proj"]}

    def __call__(self, key, linear):
        if "k_proj" in key: return None
        for name in ("awq", "awq.utils", "awq.modules"): sys.modules.setdefault(name, types.ModuleType(name))
        helpers = types.ModuleType("awq.utils.module"); helpers.try_import = lambda name: (None, "")
        device = types.ModuleType("awq.utils.utils"); device.get_best_device = lambda: "cpu"
        sys.modules.update({"awq.utils.module": helpers, "awq.utils.utils": device})
        packing = author_module("autoawq-0.2.9/awq/utils/packing_utils.py", "awq.utils.packing_utils")
        sys.modules["awq.utils.packing_utils"] = packing
        gemm = author_module("autoawq-0.2.9/awq/modules/linear/gemm.py", "awq.modules.linear_gemm")
        q, zeros, scales, _, weight = rounded(linear.weight, 4, self.group, False)
        source = torch.nn.Linear(linear.in_features, linear.out_features, bias=False)
        source.weight.copy_(weight)
        out = gemm.WQLinear_GEMM.from_linear(source, 4, self.group, scales=scales.t().contiguous(), zeros=zeros.t().contiguous())
        again = packing.dequantize_gemm(out.qweight, out.qzeros, out.scales.float(), 4, self.group).t()
        assert torch.equal(again, weight), key
        return {".qweight": out.qweight, ".qzeros": out.qzeros, ".scales": out.scales}, weight

make("gptq-int4-128", lambda: llama(hidden_size=128, num_hidden_layers=1), GPTQ(4, 128), 1)
make("gptq-int4-actorder", lambda: qwen2(), GPTQ(4, 32, sym=False, desc_act=True), 2)
make("gptq-v2-mixed", lambda: llama(), GPTQ(4, 64, sym=False, v2=True, dynamic={
    "self_attn.q_proj": None, "down_proj": {"bits": 8, "group_size": 32}, "gate_proj": {"bits": 3},
    "o_proj": {"bits": 2, "group_size": -1}}), 3)
make("gptq-int8", lambda: llama(), GPTQ(8, -1, sym=True), 4)
make("awq-int4", lambda: llama(), AWQ(64), 5)

# ------------------------------------------------------------------------------------------------ FP8

class FP8:
    """`block` None: one scale a matrix."""
    def __init__(self, block, method="fp8", scale="weight_scale_inv", channel=False):
        self.block, self.scale, self.channel = block, scale, channel
        self.config = {"quant_method": method, "modules_to_not_convert": ["lm_head"]}
        if method == "fp8":
            self.config.update(activation_scheme="dynamic" if block else "static", weight_block_size=block)
        else: self.config["activation_scale_ub"] = 1200.0

    def __call__(self, key, linear):
        w = linear.weight
        rows, columns = self.block or ((1, w.shape[1]) if self.channel else w.shape)
        codes = torch.empty(w.shape, dtype=torch.float8_e4m3fn)
        scales = torch.empty(-(-w.shape[0] // rows), -(-w.shape[1] // columns))
        weight = torch.empty_like(w)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                at = (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))
                scales[i, j] = w[at].abs().max() / 448
                codes[at] = (w[at] / scales[i, j]).to(torch.float8_e4m3fn)
                weight[at] = codes[at].float() * scales[i, j]
        stored = scales if self.block or self.channel else scales.reshape(())
        if key.endswith("o_proj") and not self.block and not self.channel:
            # As Mistral writes them.
            stored = stored.to(torch.bfloat16); weight = codes.float() * stored.float()
        extra = {} if self.block else {".activation_scale": torch.tensor(0.5)}
        return {".weight": codes, f".{self.scale}": stored, **extra}, weight

make("fp8-block", lambda: llama(hidden_size=160, intermediate_size=288, num_hidden_layers=1), FP8([128, 128]), 6)
make("fp8-tensor", lambda: qwen2(), FP8(None), 7)
make("fp8-channel", lambda: llama(), FP8(None, "fbgemm_fp8", "weight_scale", channel=True), 8)
make("fp8-experts", lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**{**small, "num_hidden_layers": 1}, head_dim=16, num_experts=4,
     num_experts_per_tok=2, moe_intermediate_size=48, decoder_sparse_step=1, norm_topk_prob=True, mlp_only_layers=[])), FP8([32, 48]), 9)

# ------------------------------------------------------------------------------------------------ compressed-tensors

class CompressedTensors:
    """`schemes`: from a target (a regular expression) to the arguments of its weights."""
    def __init__(self, format, schemes, dtype=torch.bfloat16, ignore=("lm_head",), activations=None, actorder=False):
        from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
        self.dtype = dtype
        groups = {f"group_{i}": QuantizationScheme(
            targets=[target], weights=QuantizationArgs(**weights),
            input_activations=QuantizationArgs(**activations) if activations else None)
            for i, (target, weights) in enumerate(schemes.items())}
        self.schemes = list(groups.values())
        self.targets = list(schemes)
        config = QuantizationConfig(config_groups=groups, format=format, ignore=list(ignore), quantization_status="compressed")
        self.format, self.ignore = format, ignore
        self.config = json.loads(config.model_dump_json())
        # What compressed-tensors wrote until 0.15, and no longer knows: inputs in groups by importance.
        self.actorder = actorder
        if actorder: self.config["config_groups"]["group_0"]["weights"]["actorder"] = "group"

    def __call__(self, key, linear):
        import re
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization.lifecycle.forward import dequantize
        from compressed_tensors.quantization.utils import calculate_qparams
        if any(part in key for part in self.ignore): return None
        scheme = next((s for t, s in zip(self.targets, self.schemes)
                       if t == "Linear" or t.startswith("re:") and re.match(t[3:], key)), None)
        if scheme is None: return None
        args, w = scheme.weights, linear.weight.to(self.dtype)
        n, k = w.shape
        order = torch.randperm(k) if self.actorder else torch.arange(k)
        w = w[:, order]
        state = {"weight": w}
        if args.strategy == "group":
            index = torch.arange(k) // args.group_size
            low = torch.stack([w[:, index == g].amin(1) for g in range(k // args.group_size)], 1)
            high = torch.stack([w[:, index == g].amax(1) for g in range(k // args.group_size)], 1)
        elif args.strategy == "channel": low, high = w.amin(1, keepdim=True), w.amax(1, keepdim=True)
        elif args.strategy == "block":
            a, b = args.block_structure
            blocks = [[w[i:i + a, j:j + b] for j in range(0, k, b)] for i in range(0, n, a)]
            low = torch.stack([torch.stack([x.min() for x in row]) for row in blocks])
            high = torch.stack([torch.stack([x.max() for x in row]) for row in blocks])
        else: low, high = w.amin().reshape(1), w.amax().reshape(1)
        scale, zero = calculate_qparams(low, high, args)
        state.update(weight_scale=scale.to(self.dtype), weight_zero_point=zero)
        compressor = BaseCompressor.get_value_from_registry(self.format if self.format != "mixed-precision" else (
            "pack-quantized" if args.num_bits < 8 else "int-quantized"))
        packed = compressor.compress(state, scheme)
        wide = {**packed, "weight_scale": packed["weight_scale"].float()}
        # What packed with asymmetric zero points comes back from is what unpacking gives.
        weight = compressor.decompress(wide, scheme)["weight"].float()
        if self.actorder:
            from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32
            back = torch.argsort(order)
            codes = unpack_from_int32(packed["weight_packed"], args.num_bits, w.shape)[:, back]
            packed["weight_packed"], weight = pack_to_int32(codes.contiguous(), args.num_bits), weight[:, back]
            packed["weight_g_idx"] = index[back].to(torch.int32)
        return {f".{name}": tensor for name, tensor in packed.items()}, weight

four = dict(num_bits=4, type="int", strategy="group", group_size=32, symmetric=True)
make("ct-int4-group", lambda: llama(), CompressedTensors("pack-quantized", {"Linear": four}), 10)
make("ct-int4-asym", lambda: llama(), CompressedTensors("pack-quantized", {
    "Linear": {**four, "symmetric": False, "group_size": 64}}, ignore=("lm_head", "layers.1.self_attn.v_proj")), 11)
make("ct-int4-actorder", lambda: qwen2(), CompressedTensors("pack-quantized", {
    "Linear": {**four, "symmetric": False}}, torch.float32, actorder=True), 12)
make("ct-int4-channel", lambda: llama(hidden_size=72, num_attention_heads=3, num_key_value_heads=3), CompressedTensors(
    "pack-quantized", {"Linear": {**four, "strategy": "channel", "group_size": None}}), 13)
make("ct-int8", lambda: llama(), CompressedTensors("int-quantized", {"Linear": dict(
    num_bits=8, type="int", strategy="channel", symmetric=True)}, activations=dict(
    num_bits=8, type="int", strategy="token", symmetric=True, dynamic=True)), 14)
make("ct-mixed", lambda: llama(), CompressedTensors("mixed-precision", {
    "re:.*mlp.*": four, "re:.*self_attn.*": dict(num_bits=8, type="int", strategy="channel", symmetric=False)}), 15)
make("ct-fp8", lambda: llama(), CompressedTensors("float-quantized", {"Linear": dict(
    num_bits=8, type="float", strategy="channel", symmetric=True)}), 16)
make("ct-fp8-block", lambda: llama(), CompressedTensors("float-quantized", {"Linear": dict(
    num_bits=8, type="float", strategy="block", block_structure=[48, 32], symmetric=True)}), 17)

# ------------------------------------------------------------------------------------------------ bitsandbytes

class BitsAndBytes:
    def __init__(self, kind, nested=False, storage=torch.uint8):
        self.kind, self.nested, self.storage = kind, nested, storage
        four = kind != "int8"
        self.config = {"quant_method": "bitsandbytes", "load_in_4bit": four, "load_in_8bit": not four, "_load_in_4bit": four,
                       "bnb_4bit_quant_type": kind if four else "fp4", "bnb_4bit_use_double_quant": nested,
                       "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": str(storage).split(".")[1],
                       "llm_int8_skip_modules": ["lm_head"], "llm_int8_threshold": 6.0}

    def __call__(self, key, linear):
        import bitsandbytes as bnb
        from bitsandbytes.functional import dequantize_4bit
        w = linear.weight.detach().clone()
        if self.kind == "int8":
            parameter = bnb.nn.Int8Params(w.half(), requires_grad=False).to("cpu")
            if parameter.SCB is None: parameter._quantize("cpu")
            codes, largest = parameter.data, parameter.SCB
            return {".weight": codes, ".SCB": largest, ".weight_format": torch.tensor(0, dtype=torch.uint8)}, \
                codes.float() * (largest.float() / 127).reshape(-1, 1)
        parameter = bnb.nn.Params4bit(w, requires_grad=False, quant_type=self.kind, compress_statistics=self.nested,
                                      quant_storage=self.storage, blocksize=64)._quantize("cpu")
        state = parameter.quant_state
        weight = dequantize_4bit(parameter.data, state)
        assert weight.dtype == torch.float32
        return {".weight": parameter.data, **{f".weight.{k}": v for k, v in state.as_dict(packed=True).items()}}, weight

make("bnb-nf4", lambda: llama(), BitsAndBytes("nf4"), 20)
make("bnb-nf4-double", lambda: qwen2(), BitsAndBytes("nf4", nested=True, storage=torch.bfloat16), 21)
make("bnb-fp4", lambda: llama(hidden_size=72, num_attention_heads=3, num_key_value_heads=3), BitsAndBytes("fp4"), 22)
make("bnb-int8", lambda: llama(), BitsAndBytes("int8"), 23)
