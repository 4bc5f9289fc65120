#!/usr/bin/env python3
"""What sentence-transformers makes of texts with tiny checkpoints: embeddings and scores, in the folder sentences.

    pip install torch transformers safetensors sentence-transformers
    python3 make_sentence_goldens.py [NAME...]

Each folder is what sentence-transformers itself saved, with golden.json: texts (or pairs) and their embeddings (or
scores). The checkpoints are those of make_encoder_goldens.py, with a tokenizer of few pieces; and a small Qwen 3, as an
embedder that takes the last token's state, and as rerankers: of sentence-transformers, which read a conversation, and as Qwen
published it (qwen3-reranker), scored as its model card does it; that one is in qwen3-reranker.gguf too, as llama.cpp's converter
writes it.
"""
import json, os, shutil, sys
import gguf
import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
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

instructed = ("{% for m in messages %}{% if m.role == 'system' %}I: {{ m.content }}\n{% elif m.role == 'query' %}Q: {{ m.content }}\n"
              "{% elif m.role == 'document' %}D: {{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}")
reranker("instructed", CrossEncoder(modules=[Transformer(qwen3(Qwen3ForCausalLM, instructed), transformer_task="text-generation"),
         LogitScore(true_token_id=88)], device="cpu", prompts={"task": "is it a cat?"}, default_prompt_name="task",
         activation_fn=torch.nn.Identity()))
reranker("texts-verdict", CrossEncoder(modules=[Transformer(qwen3(Qwen3ForCausalLM), transformer_task="text-generation"),
         LogitScore(true_token_id=88, false_token_id=77)], device="cpu", prompts={"task": "is it? "}, default_prompt_name="task"))

def published():
    """A plain Qwen 3 folder with the tokens that its reranking is made of, and the scores of its model card's code."""
    directory = f"{here}/sentences/qwen3-reranker"
    if sys.argv[1:] and "qwen3-reranker" not in sys.argv[1:]: return
    shutil.rmtree(directory, ignore_errors=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = alphabet + ["ye", "yes", "no", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|endoftext|>"]
    tok = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [("y", "e"), ("ye", "s"), ("n", "o")]))
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tok.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    tok.add_tokens([AddedToken("<think>", special=False, normalized=False), AddedToken("</think>", special=False, normalized=False)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left",
                                   model_max_length=1024)
    # Qwen 3's own, in short: what it does with other roles is nothing.
    fast.chat_template = ("{% for m in messages %}{% if m.role in ['system', 'user', 'assistant'] %}<|im_start|>{{ m.role }}\n{{ m.content }}"
                          "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
    torch.manual_seed(41)
    model = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(pieces), hidden_size=48, intermediate_size=64, num_hidden_layers=2,
                             num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=1024, bos_token_id=None,
                             eos_token_id=fast.eos_token_id, pad_token_id=None, tie_word_embeddings=True)).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1: p.mul_(4.0)
    model.save_pretrained(directory)
    fast.save_pretrained(directory)
    prefix = ('<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note '
              'that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n')
    suffix = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    yes, no = fast.convert_tokens_to_ids("yes"), fast.convert_tokens_to_ids("no")
    @torch.no_grad()
    def score(instruction, document):
        ids = fast.encode(prefix, add_special_tokens=False)
        ids += fast(f"<Instruct>: {instruction}\n<Query>: {TEXTS[0]}\n<Document>: {document}")["input_ids"]
        ids += fast.encode(suffix, add_special_tokens=False)
        logits = model(torch.tensor([ids])).logits[0, -1]
        return torch.softmax(torch.stack([logits[no], logits[yes]]), 0)[1].item()
    own, other = "Given a web search query, retrieve relevant passages that answer the query", "which animal is it?"
    json.dump({"query": TEXTS[0], "documents": DOCUMENTS, "scores": [score(own, d) for d in DOCUMENTS], "instruction": other,
               "instructed": [score(other, d) for d in DOCUMENTS]}, open(f"{directory}/golden.json", "w"))
    print("qwen3-reranker")
    rank(f"{here}/sentences/qwen3-reranker.gguf", model, fast, prefix, suffix, own, [yes, no])

def rank(path, model, fast, prefix, suffix, instruction, words):
    """As convert_hf_to_gguf.py's Qwen3Model writes a reranker."""
    c, w = model.config, gguf.GGUFWriter(path, "qwen3")
    w.add_context_length(c.max_position_embeddings); w.add_embedding_length(c.hidden_size); w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size); w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads); w.add_key_length(c.head_dim); w.add_value_length(c.head_dim)
    w.add_layer_norm_rms_eps(c.rms_norm_eps); w.add_rope_freq_base(c.rope_parameters["rope_theta"])
    w.add_pooling_type(gguf.PoolingType.RANK)
    w.add_classifier_output_labels(["yes", "no"])
    template = prefix + f"<Instruct>: {instruction}\n<Query>: {{query}}\n<Document>: {{document}}" + suffix
    w.add_chat_template([{"name": "rerank", "template": template}])
    w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("gpt-2")
    w.add_token_list([fast.convert_ids_to_tokens(i) for i in range(c.vocab_size)])
    special = fast.all_special_ids
    added = set(fast.get_added_vocab().values())
    w.add_token_types([gguf.TokenType.CONTROL if i in special else gguf.TokenType.USER_DEFINED if i in added else gguf.TokenType.NORMAL
                       for i in range(c.vocab_size)])
    w.add_token_merges(["y e", "ye s", "n o"])
    w.add_eos_token_id(fast.eos_token_id); w.add_pad_token_id(fast.pad_token_id)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, c.num_hidden_layers)
    for key, value in model.state_dict().items():
        if key == "lm_head.weight": continue
        w.add_tensor(names.get_name(key, try_suffixes=(".weight",)), value.numpy())
        if key == "model.embed_tokens.weight": w.add_tensor("cls.output.weight", value[words].numpy())
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    golden = json.load(open(f"{here}/sentences/qwen3-reranker/golden.json"))
    try: from llama_cpp import Llama
    except ImportError: return
    peer = Llama(path, embedding=True, n_ctx=1024, n_batch=1024, n_ubatch=1024, verbose=False, pooling_type=4)
    own_tokenize, away = peer.tokenize, []
    peer.tokenize = lambda text, *rest, **more: own_tokenize(text, add_bos=False, special=True)
    for document, score in zip(golden["documents"], golden["scores"]):
        text = template.replace("{query}", golden["query"]).replace("{document}", document)
        away.append(abs(np.ravel(peer.embed(text))[0] - score))
    print("qwen3-reranker.gguf: llama.cpp is", max(away), "away")

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
def message_classifier():
    """Scores by score.weight what its chat template makes of a pair."""
    directory = classifier(Qwen3ForSequenceClassification, Qwen3Config, head_dim=16)
    open(f"{directory}/chat_template.jinja", "w").write(template)
    return directory
reranker("message-classifier", CrossEncoder(message_classifier(), device="cpu"))
reranker("llama-classifier", CrossEncoder(classifier(LlamaForSequenceClassification, LlamaConfig), device="cpu"))
reranker("gemma2-classifier", CrossEncoder(classifier(Gemma2ForSequenceClassification, Gemma2Config, head_dim=16), device="cpu"))
reranker("gpt2-classifier", CrossEncoder(classifier(GPT2ForSequenceClassification, GPT2Config, n_positions=512, n_embd=48,
         n_layer=2, n_head=4), device="cpu"))
published()
shutil.rmtree(work, ignore_errors=True)
