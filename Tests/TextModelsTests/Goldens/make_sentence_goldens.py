#!/usr/bin/env python3
"""What sentence-transformers makes of texts with tiny checkpoints: embeddings and scores, in the folder sentences.

    pip install torch transformers safetensors sentence-transformers
    python3 make_sentence_goldens.py [NAME...]

Each folder is what sentence-transformers itself saved, with golden.json: texts (or pairs) and their embeddings (or
scores). The checkpoints are those of make_encoder_goldens.py, with a tokenizer of few pieces; and a small Qwen 3, as an
embedder that takes the last token's state, and as a reranker that reads a conversation.
"""
import json, os, shutil, sys
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3Model
from transformers import (Gemma2Config, Gemma2ForSequenceClassification, GPT2Config, GPT2ForSequenceClassification, LlamaConfig,
                          LlamaForSequenceClassification, Qwen3ForSequenceClassification)

here = os.path.dirname(os.path.abspath(__file__))
work = f"{here}/sentences/.work"
TEXTS = ["the cat sat on the mat", "a", "cats, dogs and mice run!", "the dog ran far away " * 12, "Éa the CAT"]
DOCUMENTS = TEXTS + ["on the mat the cat sat"]

def wordpiece(directory, kind):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "mat", "sat", "ran", "run", "on", "and",
              "mice", "far", "away", "##s", ",", "!", "."] + [c for c in "abcdefghijklmnopqrstuvwxyz"] + [f"##{c}" for c in "abcdefghijklmnopqrtuvwxyz"]
    tok = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    second = 1 if kind == "bert" else 0
    tok.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", f"[CLS]:0 $A:0 [SEP]:0 $B:{second} [SEP]:{second}", [("[CLS]", 2), ("[SEP]", 3)])
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if kind == "bert" else [])
    PreTrainedTokenizerFast(tokenizer_object=tok, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                            mask_token="[MASK]", model_max_length=512, model_input_names=names).save_pretrained(directory)

def bytes_tokenizer(directory, template=None):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok = Tokenizer(models.BPE({**{c: i for i, c in enumerate(alphabet)}, "<|end|>": 256}, []))
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tok.post_processor = processors.TemplateProcessing("$A <|end|>", None, [("<|end|>", 256)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|end|>", pad_token="<|end|>", padding_side="left",
                                   model_max_length=512)
    if template: fast.chat_template = template
    fast.save_pretrained(directory)

def checkpoint(name, kind="bert"):
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(f"{here}/encoders/{name}", work)
    os.remove(f"{work}/golden.json")
    wordpiece(work, kind)
    return work

def qwen3(cls, template=None):
    shutil.rmtree(work, ignore_errors=True)
    torch.manual_seed(21)
    model = cls(Qwen3Config(vocab_size=257, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                            num_key_value_heads=2, head_dim=16, max_position_embeddings=512, bos_token_id=None,
                            eos_token_id=256, pad_token_id=256, tie_word_embeddings=True))
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1: p.mul_(4.0)
    model.save_pretrained(work)
    bytes_tokenizer(work, template)
    return work

def write(name, model, golden):
    directory = f"{here}/sentences/{name}"
    if sys.argv[1:] and name not in sys.argv[1:]: return
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory, create_model_card=False)
    json.dump(golden, open(f"{directory}/golden.json", "w"))
    print(name)

def embedder(name, modules, prompts=None, default=None):
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts, default_prompt_name=default)
    write(name, model, {"texts": TEXTS, "embeddings": model.encode(TEXTS).tolist()})

def reranker(name, model):
    scores = model.predict([(TEXTS[0], d) for d in DOCUMENTS])
    write(name, model, {"query": TEXTS[0], "documents": DOCUMENTS, "scores": [float(x) for x in scores]})

modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
embedder("poolings", [Transformer(checkpoint("bert")), Pooling(48, modes)])
torch.manual_seed(22)
embedder("dense", [Transformer(checkpoint("mpnet", "mpnet"), max_seq_length=20), Pooling(48, "cls"), Dense(48, 24), Dense(
    24, 32, bias=False, activation_function=torch.nn.Identity()), Normalize()],
    prompts={"query": "the ", "document": "on "}, default="query")
embedder("last", [Transformer(qwen3(Qwen3Model)), Pooling(48, "lasttoken"), Normalize()])
reranker("sigmoid", CrossEncoder(checkpoint("bert-classifier"), device="cpu"))
reranker("identity", CrossEncoder(checkpoint("modernbert-classifier", "modernbert"), device="cpu",
                                  activation_fn=torch.nn.Identity()))
template = ("{% for m in messages %}{% if m.role == 'query' %}Q: {{ m.content }}\n{% elif m.role == 'document' %}"
            "D: {{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}")
reranker("verdict", CrossEncoder(modules=[
    Transformer(qwen3(Qwen3ForCausalLM, template), transformer_task="text-generation",
                processing_kwargs={"chat_template": {"add_generation_prompt": True}}),
    LogitScore(true_token_id=88, false_token_id=77)], device="cpu"))

def classifier(cls, config, **own):
    shutil.rmtree(work, ignore_errors=True)
    torch.manual_seed(31)
    model = cls(config(**{**dict(vocab_size=257, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=512), **own}, num_labels=1, bos_token_id=None, eos_token_id=256,
                pad_token_id=256))
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1: p.mul_(4.0)
    model.save_pretrained(work)
    # A text of these ends with its own last token.
    bytes_tokenizer(work)
    tok = json.load(open(f"{work}/tokenizer.json")); tok["post_processor"] = None
    json.dump(tok, open(f"{work}/tokenizer.json", "w"))
    # GPT-2 counts positions over padding: on the left, a score would depend on the texts beside it.
    own = json.load(open(f"{work}/tokenizer_config.json")); own["padding_side"] = "right"
    json.dump(own, open(f"{work}/tokenizer_config.json", "w"))
    return work

reranker("qwen3-classifier", CrossEncoder(classifier(Qwen3ForSequenceClassification, Qwen3Config, head_dim=16), device="cpu"))
reranker("llama-classifier", CrossEncoder(classifier(LlamaForSequenceClassification, LlamaConfig), device="cpu"))
reranker("gemma2-classifier", CrossEncoder(classifier(Gemma2ForSequenceClassification, Gemma2Config, head_dim=16), device="cpu"))
reranker("gpt2-classifier", CrossEncoder(classifier(GPT2ForSequenceClassification, GPT2Config, n_positions=512, n_embd=48,
         n_layer=2, n_head=4), device="cpu"))
shutil.rmtree(work, ignore_errors=True)
