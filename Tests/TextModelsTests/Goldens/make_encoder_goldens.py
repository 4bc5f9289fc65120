#!/usr/bin/env python3
"""Tiny seeded checkpoints of every encoder and what transformers makes of them.

    pip install torch transformers safetensors
    python3 make_encoder_goldens.py [NAME...]

Makes those that are named, or else those that are missing, in the folder encoders.
For each checkpoint: config.json, model.safetensors and golden.json: texts (ids, and types where the model has them),
of each the states of the last layer in some rows, and, of a checkpoint that classifies, its logits. The longest text
leaves ModernBERT's windows and MPNet's distances behind.
"""
import json, os, shutil, sys
import torch
from transformers import (BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel, DistilBertConfig,
                          DistilBertForSequenceClassification, DistilBertModel, ModernBertConfig,
                          ModernBertForMaskedLM, ModernBertForSequenceClassification, ModernBertModel, MPNetConfig,
                          MPNetForSequenceClassification, MPNetModel, NomicBertConfig, NomicBertModel, RobertaConfig,
                          RobertaForSequenceClassification, RobertaModel, XLMRobertaConfig, XLMRobertaModel,
                          XLMRobertaForSequenceClassification)

here = os.path.dirname(os.path.abspath(__file__))
LONG = [5 + (i * 37 + i * i % 11) % 240 for i in range(300)]
# The second has padding's ids (0 and 1) in its midst.
TEXTS = [[7], [5, 17, 3, 1, 42, 0, 42, 7, 120, 64, 1, 31], LONG]
TYPES = [[0], [0] * 7 + [1] * 5, [0] * 130 + [1] * 170]

def make(name, factory, seed, dtype=torch.float32, scale=3.0, edit=None):
    directory = f"{here}/encoders/{name}"
    if not (name in sys.argv[1:] or len(sys.argv) == 1 and not os.path.exists(directory)): return
    torch.manual_seed(seed)
    model = factory().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() > 1: p.mul_(scale)
            else: p.add_(torch.randn_like(p) * 0.2)
        for p in model.parameters(): p.copy_(p.to(dtype))
    model.config._attn_implementation = "eager"
    golden = {"texts": [follow(model, ids, types) for ids, types in zip(TEXTS, TYPES)]}
    shutil.rmtree(directory, ignore_errors=True)
    model.to(dtype).save_pretrained(directory)
    if edit: edit(directory)
    json.dump(golden, open(f"{directory}/golden.json", "w"))
    print(name, "layers", model.config.num_hidden_layers)

@torch.no_grad()
def follow(model, ids, types):
    trunk = model.base_model
    inputs = {"input_ids": torch.tensor([ids])}
    if getattr(model.config, "type_vocab_size", 0) > 1: inputs["token_type_ids"] = torch.tensor([types])
    states = trunk(**inputs).last_hidden_state[0]
    rows = range(len(ids)) if len(ids) < 50 else [0, 1, 77, 150, 298, 299]
    found = {"ids": ids, "types": types if "token_type_ids" in inputs else [], "rows": list(rows),
             "states": [[round(x, 6) for x in states[i].tolist()] for i in rows],
             "mean": [round(x, 6) for x in states.double().mean(0).tolist()]}
    if "SequenceClassification" in type(model).__name__: found["logits"] = model(**inputs).logits[0].tolist()
    return found

small = dict(vocab_size=256, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=512)
roberta = {**small, "max_position_embeddings": 320, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}
one = dict(num_labels=1)

make("bert", lambda: BertModel(BertConfig(**small)), 1)
make("bert-masked-bf16", lambda: BertForMaskedLM(BertConfig(**small, hidden_act="gelu_new")), 2, torch.bfloat16)
make("bert-classifier", lambda: BertForSequenceClassification(BertConfig(**small, **one)), 3)
make("distilbert", lambda: DistilBertModel(DistilBertConfig(
    vocab_size=256, dim=48, hidden_dim=80, n_layers=2, n_heads=4, max_position_embeddings=512)), 4)
make("distilbert-classifier", lambda: DistilBertForSequenceClassification(DistilBertConfig(
    vocab_size=256, dim=48, hidden_dim=80, n_layers=2, n_heads=4, max_position_embeddings=512, **one)), 5)
make("roberta", lambda: RobertaModel(RobertaConfig(**roberta)), 6)
make("roberta-classifier", lambda: RobertaForSequenceClassification(RobertaConfig(**roberta, num_labels=3)), 7)
make("xlm-roberta", lambda: XLMRobertaModel(XLMRobertaConfig(**roberta)), 8)
make("xlm-roberta-classifier", lambda: XLMRobertaForSequenceClassification(XLMRobertaConfig(**roberta, **one)), 9)
make("mpnet", lambda: MPNetModel(MPNetConfig(**{**small, "max_position_embeddings": 320})), 10)
make("mpnet-classifier", lambda: MPNetForSequenceClassification(MPNetConfig(
    **{**small, "max_position_embeddings": 320}, **one)), 11)
modern = dict(**{**small, "num_hidden_layers": 4}, local_attention=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2)
make("modernbert", lambda: ModernBertModel(ModernBertConfig(**modern)), 12)
make("modernbert-biased", lambda: ModernBertForMaskedLM(ModernBertConfig(
    **modern, norm_bias=True, attention_bias=True, mlp_bias=True, layer_types=[
        "sliding_attention", "full_attention", "full_attention", "sliding_attention"],
    rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 5000.0},
                     "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}})), 13)
make("modernbert-classifier", lambda: ModernBertForSequenceClassification(ModernBertConfig(
    **modern, classifier_pooling="mean", classifier_bias=True, **one)), 14)
make("nomic_bert", lambda: NomicBertModel(NomicBertConfig(**small)), 15)

def published(directory):
    """The configuration and the names of nomic-embed-text-v1.5's authors."""
    from safetensors.torch import load_file, save_file
    path = f"{directory}/model.safetensors"
    tensors, found = load_file(path), {}
    names = {"embeddings.LayerNorm": "emb_ln", "self_attn.o_proj": "attn.out_proj", "up_proj": "fc11", "gate_proj": "fc12",
             "down_proj": "fc2", "post_attention_layernorm": "norm1", "post_mlp_layernorm": "norm2"}
    for name, tensor in tensors.items():
        if "k_proj" in name or "v_proj" in name: continue
        if "q_proj" in name:
            tensor = torch.cat([tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
            name = name.replace("self_attn.q_proj", "attn.Wqkv")
        for own, theirs in names.items(): name = name.replace(own, theirs)
        if name.startswith("layers."): name = "encoder." + name
        found[name] = tensor.contiguous()
    save_file(found, path)
    json.dump({"architectures": ["NomicBertModel"], "model_type": "nomic_bert", "n_embd": 48, "n_head": 4, "n_inner": 80,
               "n_layer": 2, "n_positions": 8192, "max_trained_positions": 512, "vocab_size": 256,
               "layer_norm_epsilon": 1e-12, "type_vocab_size": 2, "activation_function": "swiglu",
               "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
               "rotary_emb_scale_base": None, "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False,
               "prenorm": False, "use_rms_norm": False, "parallel_block": False, "causal": False},
              open(f"{directory}/config.json", "w"), indent=2)

make("nomic_bert-published", lambda: NomicBertModel(NomicBertConfig(**small)), 16, edit=published)
