#!/usr/bin/env python3
"""Tiny seeded GGUF files of encoders, as llama.cpp's converter writes them, and what transformers makes of their texts.

    pip install torch transformers safetensors gguf tokenizers
    python3 make_gguf_encoder_goldens.py [NAME...]

Makes those that are named, or else all, in gguf/: NAME.gguf, whose matrices are in F32, F16 and BF16 by turns and whose
tokenizer is inside; and NAME.json: texts, their ids, and their embeddings, of length 1; or a query and documents, the ids of
each pair, and its logit. Prints how far llama.cpp is, where it is installed: of pairs too, which it is given by their ids.
"""
import json, os, shutil, sys
import numpy as np
import torch
import gguf
from gguf import GGMLQuantizationType as Q, PoolingType, TokenType
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (BertConfig, BertForSequenceClassification, BertModel, DistilBertConfig, DistilBertForSequenceClassification,
                          DistilBertModel, ModernBertConfig, ModernBertForSequenceClassification, ModernBertModel, NomicBertConfig,
                          NomicBertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification, RobertaModel,
                          XLMRobertaConfig, XLMRobertaForSequenceClassification, XLMRobertaModel)

here = os.path.dirname(os.path.abspath(__file__)) + "/gguf"
work = f"{here}/.work"
V, QUERY = 256, "the cat sat on the mat"
TEXTS = [QUERY, "a", "cats, dogs and mice run!", "the dog ran far away " * 6, "Éa the CAT"]

# ------------------------------------------------------------------------------------------------------ tokenizers

def save(tok, **names):
    shutil.rmtree(work, ignore_errors=True)
    PreTrainedTokenizerFast(tokenizer_object=tok, model_max_length=200, **names).save_pretrained(work)
    return tok

def word_pieces(writer):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "mat", "sat", "ran", "run", "on", "and", "mice",
              "far", "away", "##s", ",", "!", "."] + [*"abcdefghijklmnopqrstuvwxyz"] + [f"##{c}" for c in "abcdefghijklmnopqrtuvwxyz"]
    pieces += [f"[unused{i}]" for i in range(V - len(pieces))]
    tok = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    tok.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    special = pieces[:5]
    tok.add_special_tokens(special)
    save(tok, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    # BertModel.set_vocab: words begin with what SentencePiece begins them with, and what goes on has no mark.
    writer.add_token_type_count(2)
    writer.add_tokenizer_model("bert"); writer.add_tokenizer_pre("default")
    writer.add_token_list([p if p in special else p[2:] if p.startswith("##") else "▁" + p for p in pieces])
    writer.add_token_types([TokenType.CONTROL if p in special else TokenType.NORMAL for p in pieces])
    gguf.SpecialVocab(work, n_vocab=V).add_to_gguf(writer, quiet=True)
    return tok

def byte_pairs(pre, processor, names, nfc=False):
    def write(writer):
        special = list(dict.fromkeys(names.values()))
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())[:V - len(special) - 3]
        merges = [("t", "h"), ("th", "e"), ("c", "a")]
        pieces = special + alphabet + ["th", "the", "ca"]
        tok = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, merges))
        tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        if nfc: tok.normalizer = normalizers.NFC()
        tok.add_special_tokens(special)
        tok.post_processor = processor({p: i for i, p in enumerate(pieces)})
        save(tok, **names)
        writer.add_tokenizer_model("gpt2"); writer.add_tokenizer_pre(pre)
        if pre == "roberta-bpe": writer.add_token_type_count(1)
        writer.add_token_list(pieces)
        writer.add_token_types([TokenType.CONTROL if p in special else TokenType.NORMAL for p in pieces])
        gguf.SpecialVocab(work, load_merges=True).add_to_gguf(writer, quiet=True)
        return tok
    return write

roberta_pairs = byte_pairs("roberta-bpe", lambda ids: processors.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]), add_prefix_space=False),
    dict(bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>"))
modern_pairs = byte_pairs("modern-bert", lambda ids: processors.TemplateProcessing(
    "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]),
    dict(pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", mask_token="[MASK]"), nfc=True)

def unigram(writer):
    """XLMRobertaModel.set_vocab."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    words = ["▁the", "▁cat", "▁dog", "▁mat", "▁sat", "▁ran", "▁on", "▁and", "s", "▁", ",", "!", "▁far", "▁away"]
    words += [c for c in "abcdefghijklmnopqrtuvwxyzACTÉ"]
    words += [f"▁unused{i}" for i in range(V - len(special) - len(words) - 1)]
    pieces = [(p, 0.0) for p in special] + [(p, -2.0 - i / 16) for i, p in enumerate(words)] + [("<mask>", 0.0)]
    tok = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.normalizer = normalizers.Sequence([normalizers.Replace(" {2,}", " "), normalizers.Strip(left=False, right=True)])
    tok.decoder = decoders.Metaspace()
    tok.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    tok.add_special_tokens(special + ["<mask>"])
    save(tok, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")
    writer.add_tokenizer_model("t5"); writer.add_tokenizer_pre("default")
    writer.add_token_list([p for p, _ in pieces])
    writer.add_token_scores([s for _, s in pieces])
    writer.add_token_types([TokenType.UNKNOWN if p == "<unk>" else TokenType.CONTROL if p in special or p == "<mask>" else TokenType.NORMAL
                            for p, _ in pieces])
    writer.add_add_space_prefix(True); writer.add_token_type_count(1); writer.add_remove_extra_whitespaces(True)
    gguf.SpecialVocab(work, n_vocab=V).add_to_gguf(writer, quiet=True)
    return tok

# --------------------------------------------------------------------------------------------------------- weights

NOMIC = {"embeddings.LayerNorm": "emb_ln", "self_attn.o_proj": "attn.out_proj", "up_proj": "fc11", "gate_proj": "fc12",
         "down_proj": "fc2", "post_attention_layernorm": "norm1", "post_mlp_layernorm": "norm2"}

def renamed(model, arch, offset):
    """Names of the checkpoint and values as the converter's modify_tensors leaves them."""
    tensors = {k: v.float().numpy() for k, v in model.state_dict().items()}
    for name, value in tensors.items():
        for root in ("bert.", "roberta.", "distilbert.", "model."): name = name.removeprefix(root)
        if name.startswith("pooler.") or name.endswith("position_ids"): continue
        if name == "embeddings.position_embeddings.weight": value = value[offset:]
        if arch == "nomic-bert":
            if "k_proj" in name or "v_proj" in name: continue
            if "q_proj" in name:
                value = np.concatenate([tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
                name = name.replace("self_attn.q_proj", "attn.Wqkv")
            for own, theirs in NOMIC.items(): name = name.replace(own, theirs)
            if name.startswith("layers."): name = "encoder." + name
        if name.startswith("classifier.") and "dense" not in name and "out_proj" not in name:
            name = name.replace("classifier.", "classifier.out_proj.")
        yield name, value

def make(name, arch, seed, factory, tokenizer, pooling=PoolingType.MEAN, offset=0, extra=None):
    if sys.argv[1:] and name not in sys.argv[1:]: return
    torch.manual_seed(seed)
    model = factory().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(p * 3 if p.dim() > 1 else p + torch.randn_like(p) * 0.2)
            t = p.to(torch.bfloat16).float()
            p.copy_(torch.where(t.abs() < 2 ** -14, torch.zeros_like(t), t))
    c, w = model.config, gguf.GGUFWriter(f"{here}/{name}.gguf", arch)
    c._attn_implementation = "eager"
    w.add_context_length(c.max_position_embeddings - offset)
    w.add_embedding_length(c.hidden_size); w.add_block_count(c.num_hidden_layers); w.add_head_count(c.num_attention_heads)
    w.add_feed_forward_length(getattr(c, "intermediate_size", None) or c.hidden_dim)
    w.add_layer_norm_eps(getattr(c, "layer_norm_eps", None) or getattr(c, "norm_eps", 1e-12))
    w.add_causal_attention(False)
    ranks = "SequenceClassification" in type(model).__name__
    w.add_pooling_type(PoolingType.RANK if ranks else pooling)
    if ranks: w.add_classifier_output_labels([c.id2label[i] for i in range(c.num_labels)])
    if extra: extra(w, c)
    tok = tokenizer(w)
    names, turn = gguf.get_tensor_name_map(next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == arch), c.num_hidden_layers), 0
    for key, value in renamed(model, arch, offset):
        kind, own = Q.F32, names.get_name(key, try_suffixes=(".weight", ".bias"))
        if value.ndim >= 2 and "position" not in own and "token_types" not in own:
            kind, turn = [Q.BF16, Q.F16, Q.F32][turn % 3], turn + 1
        w.add_tensor(own, value if kind == Q.F32 else value.astype(np.float16) if kind == Q.F16
                     else (np.ascontiguousarray(value).view(np.uint32) >> 16).astype(np.uint16), raw_dtype=kind)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    golden = scores(model, tok) if ranks else embeddings(model, tok, pooling)
    json.dump(golden, open(f"{here}/{name}.json", "w"))
    print(name, peer(f"{here}/{name}.gguf", golden))
    shutil.rmtree(work, ignore_errors=True)

def inputs(model, encoding):
    found = {"input_ids": torch.tensor([encoding.ids])}
    if (getattr(model.config, "type_vocab_size", 0) or 0) > 1: found["token_type_ids"] = torch.tensor([encoding.type_ids])
    return found

@torch.no_grad()
def embeddings(model, tok, pooling):
    found = {"texts": TEXTS, "ids": [], "embeddings": []}
    for text in TEXTS:
        encoding = tok.encode(text)
        states = model(**inputs(model, encoding)).last_hidden_state[0]
        vector = states.mean(0) if pooling == PoolingType.MEAN else states[0]
        found["ids"].append(encoding.ids)
        found["embeddings"].append((vector / vector.norm()).tolist())
    return found

@torch.no_grad()
def scores(model, tok):
    found = {"query": QUERY, "documents": TEXTS, "ids": [], "types": [], "logits": []}
    for text in TEXTS:
        encoding = tok.encode(QUERY, text)
        found["ids"].append(encoding.ids)
        found["types"].append(encoding.type_ids if (getattr(model.config, "type_vocab_size", 0) or 0) > 1 else [])
        found["logits"].append(model(**inputs(model, encoding)).logits[0].tolist())
    return found

def peer(path, golden):
    """How far llama.cpp is from transformers on the file: of texts by its own tokenizer, of pairs by their ids."""
    try: from llama_cpp import Llama
    except ImportError: return "llama.cpp is not installed"
    try:
        model = Llama(path, embedding=True, n_ctx=256, n_batch=256, n_ubatch=256, verbose=False, n_threads=1, logits_all=False)
        worst, others = 0, 0
        for text, ids, expected in zip(golden.get("texts") or golden["documents"], golden["ids"], golden.get("embeddings") or golden["logits"]):
            if "texts" in golden: others += model.tokenize(text.encode(), add_bos=True, special=False) != ids
            model.tokenize, own = (lambda *a, **k: ids), model.tokenize
            found = model.embed("x", normalize="texts" in golden)
            model.tokenize = own
            worst = max(worst, np.abs(np.ravel(found)[:len(expected)] - np.array(expected)).max())
        return f"llama.cpp is {worst:.1e} away, of {np.abs(golden.get('embeddings') or golden['logits']).max():.1f}; {others} texts have other ids"
    except Exception as error: return f"llama.cpp: {error!r}"

small = dict(vocab_size=V, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=200)
roberta = {**small, "max_position_embeddings": 202, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}
distil = dict(vocab_size=V, dim=48, hidden_dim=80, n_layers=2, n_heads=4, max_position_embeddings=200)
modern = dict(**{**small, "num_hidden_layers": 4}, local_attention=16, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1,
              sep_token_id=2)

def modern_keys(w, c):
    w.add_sliding_window(c.local_attention)
    w.add_sliding_window_pattern(3)
    w.add_rope_freq_base(c.rope_parameters["full_attention"]["rope_theta"])
    w.add_rope_freq_base_swa(c.rope_parameters["sliding_attention"]["rope_theta"])
    w.add_rope_scaling_type(gguf.RopeScalingType.NONE)

make("bert", "bert", 1, lambda: BertModel(BertConfig(**small)), word_pieces)
make("distilbert", "bert", 2, lambda: DistilBertModel(DistilBertConfig(**distil)), word_pieces)
make("roberta", "bert", 3, lambda: RobertaModel(RobertaConfig(**roberta)), roberta_pairs, PoolingType.CLS, offset=2)
make("xlm-roberta", "bert", 4, lambda: XLMRobertaModel(XLMRobertaConfig(**roberta)), unigram, offset=2)
make("nomic-bert", "nomic-bert", 5, lambda: NomicBertModel(NomicBertConfig(**small)), word_pieces,
     extra=lambda w, c: w.add_rope_freq_base(c.rope_parameters["rope_theta"]))
make("modern-bert", "modern-bert", 6, lambda: ModernBertModel(ModernBertConfig(**modern)), modern_pairs, PoolingType.CLS, extra=modern_keys)
make("bert-classifier", "bert", 7, lambda: BertForSequenceClassification(BertConfig(**small, num_labels=1)), word_pieces)
make("distilbert-classifier", "bert", 8, lambda: DistilBertForSequenceClassification(DistilBertConfig(**distil, num_labels=1)), word_pieces)
make("roberta-classifier", "bert", 9, lambda: RobertaForSequenceClassification(RobertaConfig(**roberta, num_labels=1)), roberta_pairs, offset=2)
make("xlm-roberta-classifier", "bert", 10, lambda: XLMRobertaForSequenceClassification(XLMRobertaConfig(**roberta, num_labels=1)), unigram, offset=2)
make("modern-bert-classifier", "modern-bert", 11, lambda: ModernBertForSequenceClassification(ModernBertConfig(
    **modern, classifier_pooling="mean", num_labels=1)), modern_pairs, extra=modern_keys)
