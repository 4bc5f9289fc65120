#!/usr/bin/env python3
"""SentencePiece models with spaces behind words, with a denormalizer, and as the families of transformers have them.

    pip install sentencepiece transformers
    python3 make_families.py

Writes families.json. Ids are SentencePiece's own, by the numbers that transformers gives the pieces; what stands around
them is transformers'. It also writes gguf/whitespace-tiny.gguf, whose ids are those of Hugging Face tokenizers.
"""
import base64, io, json, os, tempfile
import sentencepiece as spm
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))
TEXTS = [v["text"] for v in json.load(open(f"{here}/sentencepiece.json"))["models"][0]["vectors"]]
CORPUS = [t.replace("\n", " ").replace("\x00", "") for t in TEXTS[:26] if t.strip()] * 3 + ["the moon and the sun", "Hello World", "été après l'hiver", "ababab abc"] * 150
folder = tempfile.mkdtemp()

def rules(name, pairs):
    with open(f"{folder}/{name}", "w") as file:
        for key, value in pairs: file.write(" ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in value) + "\n")
    return f"{folder}/{name}"
MAP = rules("map.tsv", [("ﬁ", "fi"), ("Ａ", "A"), ("e\u0301", "é"), ("½", "1/2"), ("\u3000", " "), ("\u00a0", " "), ("\n", " "), ("\t", " "), ("…", "..."), ("\r", " ")])

def train(**options):
    file = io.BytesIO()
    options = dict(model_type="unigram", vocab_size=420, character_coverage=0.98, normalization_rule_tsv=MAP) | options
    spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=file, minloglevel=2, hard_vocab_limit=False, num_threads=1, **options)
    return file.getvalue()
out = []

# 1. Spaces that end words, and texts that are changed when they are decoded.
for kind in ("unigram", "bpe", "word", "char"):
    for name, options in (("", {}), (" kept", {"remove_extra_whitespaces": False}), (" no prefix", {"add_dummy_prefix": False})):
        model = train(model_type=kind, vocab_size=420 if kind in ("unigram", "bpe") else 90, treat_whitespace_as_suffix=True, **options)
        p = spm.SentencePieceProcessor(); p.LoadFromSerializedProto(model)
        out.append({"name": f"suffix {kind}{name}", "file": "tokenizer.model", "model": base64.b64encode(model).decode(), "vectors": [{"text": t, "ids": p.encode(t), "decoded": p.decode(p.encode(t))} for t in TEXTS]})
model = train(denormalization_rule_tsv=rules("back.tsv", [("é", "e\u0301"), ("A", "Ａ"), ("fi", "ﬁ"), ("the", "THE")]))
p = spm.SentencePieceProcessor(); p.LoadFromSerializedProto(model)
out.append({"name": "denormalizer", "file": "tokenizer.model", "model": base64.b64encode(model).decode(), "vectors": [{"text": t, "ids": p.encode(t), "decoded": p.decode(p.encode(t))} for t in TEXTS + ["the étés ABC fifi"]]})

# 2. Families.
plain = dict(bos_id=1, eos_id=2, unk_id=0, pad_id=-1)
for family, file, options, config in (
    ("T5", "spiece.model", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1), {}), ("T5", "spiece.model", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1), {"extra_ids": 3}),
    ("XLMRoberta", "sentencepiece.bpe.model", plain, {}), ("Camembert", "sentencepiece.bpe.model", plain, {}),
    ("Albert", "spiece.model", dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]), {}),
    ("Albert", "spiece.model", dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]), {"do_lower_case": False, "keep_accents": True}),
    ("XLNet", "spiece.model", plain | dict(control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]), {}),
    ("DebertaV2", "spm.model", dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]"), {})):
    place = tempfile.mkdtemp(); model = train(**options); open(f"{place}/{file}", "wb").write(model)
    config = {"tokenizer_class": family + "Tokenizer"} | config
    json.dump(config, open(f"{place}/tokenizer_config.json", "w"))
    p = spm.SentencePieceProcessor(); p.LoadFromSerializedProto(model)
    t = AutoTokenizer.from_pretrained(place)
    normalize = lambda text: text
    if family in ("Albert", "XLNet"):
        steps = json.loads(t.backend_tokenizer.to_str())["normalizer"]["normalizers"]
        steps = [s for s in steps if s["type"] in ("NFKD", "StripAccents", "Lowercase") or s.get("pattern") in ({"String": "``"}, {"String": "''"})]
        holder = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": {}, "merges": []}}))
        normalize = holder.normalizer.normalize_str
    vectors, same = [], 0
    for text in TEXTS + ["``quoted'' İÉ", "the moon"]:
        ids = [t.unk_token_id if p.is_unknown(i) else t.convert_tokens_to_ids(p.id_to_piece(i)) for i in p.encode(normalize(text))]
        vectors.append({"text": text, "ids": ids}); own = t.encode(text, add_special_tokens=False); same += own == ids
        if own == ids: vectors[-1]["whole"] = t(text)["input_ids"]
    pairs = []
    for a, b in (("the moon", "the sun"), ("Hello World", "the moon and the sun")):
        e = t.backend_tokenizer.encode(a, b); pairs.append({"first": a, "second": b, "ids": e.ids, "types": e.type_ids})
    names = [[i, t.convert_ids_to_tokens(i)] for i in range(len(t))]
    out.append({"name": f"{family} {config}", "file": file, "model": base64.b64encode(model).decode(), "config": json.dumps(config), "vectors": vectors, "pairs": pairs, "names": names})
    print(out[-1]["name"], len(vectors), "texts, of which transformers gives", same, "the same ids")
json.dump(out, open(f"{here}/families.json", "w"), ensure_ascii=True, separators=(",", ":"))
print(len(out), "models,", os.path.getsize(f"{here}/families.json"))

# 3. GGUF with tokenizer.ggml.pre = whitespace: the vocabulary spells text as it is.
import gguf
t = Tokenizer(models.BPE(unk_token="<unk>")); t.pre_tokenizer = pre_tokenizers.WhitespaceSplit(); t.normalizer = normalizers.Lowercase()
t.train_from_iterator([text for text in CORPUS if "<" not in text], trainers.BpeTrainer(vocab_size=400, show_progress=False, limit_alphabet=120, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
d = json.loads(t.to_str())["model"]; inverse = {i: piece for piece, i in d["vocab"].items()}
w = gguf.GGUFWriter(f"{here}/gguf/whitespace-tiny.gguf", "llama"); w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("whitespace"); w.add_bool("tokenizer.ggml.normalizer.lowercase", True)
w.add_token_list([inverse[i] for i in range(len(inverse))]); w.add_token_types([3 if i < 5 and i != 3 else 2 if i == 3 else 1 for i in range(len(inverse))]); w.add_token_merges([" ".join(m) for m in d["merges"]])
w.add_bos_token_id(0); w.add_eos_token_id(2); w.add_unk_token_id(3); w.add_pad_token_id(1); w.add_add_bos_token(False)
w.write_header_to_file(); w.write_kv_data_to_file(); w.close()
json.dump([{"text": text, "ids": t.encode(text, add_special_tokens=False).ids} for text in TEXTS], open(f"{here}/gguf/whitespace-tiny.vectors.json", "w"), ensure_ascii=True, indent=0)
