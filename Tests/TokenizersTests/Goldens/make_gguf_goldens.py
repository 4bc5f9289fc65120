#!/usr/bin/env python3
"""GGUF files of the tiny tokenizers beside this script, and of one as Qwen 2's (pip install tokenizers sentencepiece gguf).

    python3 make_gguf_goldens.py

Writes gguf/NAME.gguf, which hold a tokenizer and no tensors, in the way of llama.cpp's convert_hf_to_gguf.py. Their ids
are those of NAME.vectors.json; qwen2-tiny's are in gguf/.
"""
import json, os
import gguf
from gguf import TokenType as T
from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(f"{here}/gguf", exist_ok=True)
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

def write(name, fill):
    w = gguf.GGUFWriter(f"{here}/gguf/{name}.gguf", "llama")
    fill(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()

def byte_level(vocabulary, merges, added, pre, size=None):
    """`added`: contents to kinds. Ids without a token are filled up, as the converter does."""
    def fill(w):
        tokens, kinds = [], []
        inverse = {i: t for t, i in vocabulary.items()}
        for i in range(size or max(inverse) + 1):
            tokens.append(inverse.get(i, f"[PAD{i}]"))
            kinds.append(T.UNUSED if i not in inverse else added.get(tokens[-1], T.NORMAL))
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre(pre)
        w.add_token_list(tokens)
        w.add_token_types(kinds)
        w.add_token_merges(merges)
    return fill

def merges_of(tokenizer):
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [" ".join(m) if isinstance(m, list) else m for m in merges]

# 1. GPT-2's.
vocabulary = json.load(open(f"{here}/gpt2-tiny/vocab.json"))
lines = open(f"{here}/gpt2-tiny/merges.txt").read().split("\n")
write("gpt2-tiny", byte_level(vocabulary, [l for l in lines if l and not l.startswith("#version")],
                              {"<|endoftext|>": T.CONTROL}, "gpt-2"))

# 2. Llama 3's, with its template and the ids of its begin and end.
tok = Tokenizer.from_file(f"{here}/llama3-tiny/tokenizer.json")
config = json.load(open(f"{here}/llama3-tiny/tokenizer_config.json"))
special = {t.content: T.CONTROL for t in tok.get_added_tokens_decoder().values()}
def llama3(w):
    byte_level(tok.get_vocab(), merges_of(tok), special, "llama-bpe", size=tok.get_vocab_size() + 3)(w)
    w.add_bos_token_id(tok.token_to_id("<|begin_of_text|>"))
    w.add_eos_token_id(tok.token_to_id("<|eot_id|>"))
    w.add_chat_template(config["chat_template"])
write("llama3-tiny", llama3)

# 3. SentencePiece's.
def llama2(w):
    sp = SentencePieceProcessor(model_file=f"{here}/llama2-tiny/tokenizer.model")
    ids = range(sp.vocab_size())
    def kind(i):
        return (T.UNKNOWN if sp.is_unknown(i) else T.CONTROL if sp.is_control(i) else T.BYTE if sp.is_byte(i)
                else T.UNUSED if sp.is_unused(i) else T.NORMAL)
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    w.add_token_list([sp.id_to_piece(i).encode() for i in ids])
    w.add_token_scores([sp.get_score(i) for i in ids])
    w.add_token_types([kind(i) for i in ids])
    w.add_bos_token_id(sp.bos_id())
    w.add_eos_token_id(sp.eos_id())
    w.add_unk_token_id(sp.unk_id())
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
write("llama2-tiny", llama2)

# 4. Qwen 2's: its pattern, NFC, a control token and one that is only added.
texts = [v["text"] for v in json.load(open(f"{here}/gpt2-tiny.vectors.json"))]
tok = Tokenizer(models.BPE())
tok.normalizer = normalizers.NFC()
tok.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
tok.decoder = decoders.ByteLevel()
tok.train_from_iterator(texts * 4, trainers.BpeTrainer(
    vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]])
tok.add_tokens([AddedToken("<tool_call>", special=False, normalized=False)])
kinds = {t.content: T.CONTROL if t.special else T.USER_DEFINED for t in tok.get_added_tokens_decoder().values()}
def qwen2(w):
    byte_level(tok.get_vocab(), merges_of(tok), kinds, "qwen2", size=tok.get_vocab_size() + 5)(w)
    w.add_eos_token_id(tok.token_to_id("<|im_end|>"))
    w.add_pad_token_id(tok.token_to_id("<|endoftext|>"))
    w.add_add_bos_token(False)
write("qwen2-tiny", qwen2)
texts += ["<|im_start|>user\nCafe\u0301 2024<|im_end|>", "a<tool_call>b 12345"]
vectors = []
for text in texts:
    ids = tok.encode(text, add_special_tokens=False).ids
    vectors.append({"text": text, "ids": ids, "decoded": tok.decode(ids, skip_special_tokens=False)})
json.dump(vectors, open(f"{here}/gguf/qwen2-tiny.vectors.json", "w"), ensure_ascii=True, indent=0)

def save(name, texts, encode):
    vectors = [{"text": text, "ids": encode(text)} for text in texts]
    json.dump(vectors, open(f"{here}/gguf/{name}.vectors.json", "w"), ensure_ascii=True, indent=0)

# 5. BERT's, as the converter respells its pieces; ids as Hugging Face gives them.
tok = Tokenizer(models.WordPiece(unk_token="[UNK]")); tok.normalizer = normalizers.BertNormalizer(); tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tok.train_from_iterator(texts * 4, trainers.WordPieceTrainer(vocab_size=420, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
def bert(w):
    inverse = {i: t for t, i in tok.get_vocab().items()}
    pieces = [inverse[i] for i in range(len(inverse))]
    w.add_tokenizer_model("bert"); w.add_tokenizer_pre("default")
    w.add_token_list([t if t.startswith("[") and t.endswith("]") else t[2:] if t.startswith("##") else "▁" + t for t in pieces])
    w.add_token_types([T.CONTROL if i < 5 else T.NORMAL for i in range(len(pieces))])
    for key, token in (("padding", "[PAD]"), ("unknown", "[UNK]"), ("cls", "[CLS]"), ("seperator", "[SEP]"), ("mask", "[MASK]")):
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", tok.token_to_id(token))
write("bert-tiny", bert)
save("bert-tiny", texts, lambda text: tok.encode(text, add_special_tokens=False).ids)

# 6. T5's: a unigram model with a map of characters; ids as SentencePiece gives them.
import io, tempfile
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
    for key, value in (("ﬁ", "fi"), ("Ａ", "A"), ("e\u0301", "é"), ("½", "1/2"), ("\u3000", " "), ("\u00a0", " "), ("\n", " "), ("\t", " "), ("…", "...")):
        rules.write(" ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in value) + "\n")
    rules.flush(); file = io.BytesIO()
    corpus = [t.replace("\n", " ").replace("\0", "") for t in texts if t.strip()] * 4 + ["To be, or not to be, that is the question"] * 200
    spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=file, model_type="unigram", vocab_size=420, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, num_threads=1, normalization_rule_tsv=rules.name, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
proto = pb.ModelProto(); proto.ParseFromString(file.getvalue())
sp = SentencePieceProcessor(); sp.LoadFromSerializedProto(file.getvalue())
def t5(w):
    w.add_tokenizer_model("t5"); w.add_tokenizer_pre("default")
    w.add_token_list([p.piece.encode() for p in proto.pieces]); w.add_token_scores([p.score for p in proto.pieces]); w.add_token_types([p.type for p in proto.pieces])
    w.add_eos_token_id(1); w.add_unk_token_id(2); w.add_pad_token_id(0); w.add_add_bos_token(False); w.add_add_eos_token(True)
    w.add_add_space_prefix(proto.normalizer_spec.add_dummy_prefix); w.add_remove_extra_whitespaces(proto.normalizer_spec.remove_extra_whitespaces)
    w.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
write("t5-tiny", t5)
save("t5-tiny", [t for t in texts if "<" not in t], lambda text: sp.encode(text))
