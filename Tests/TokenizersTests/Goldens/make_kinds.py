#!/usr/bin/env python3
"""Golden ids of every kind of step that tokenizer.json may have, made with Hugging Face tokenizers.

    python3 make_kinds.py

Writes kinds.json: small tokenizers, and for each what `tokenizers` makes of texts of many scripts and of random Unicode.
"""
import copy, json, os, random, unicodedata
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.dirname(os.path.abspath(__file__)); rng = random.Random(7)
TEXTS = ["", " ", "a", "Hello, World!", "the  moon\u3000and\u00a0the sun \t\r\n x", "नमस्ते दुनिया", "e\u0301te\u0301 été É İ ΑΣ ß ǅ", "சொல் a‿b x_y",
    "ไทย 한국어 العربية", "中文ABC中文abc、。々〇", "1599 ²³½ Ⅷ ٣ x2", "<tag>a <TAG> b<tag>", "  <l>  x  <r>  y", "\u3000<l>\u00a0<r>\u2003b", "w word wordy sword word", "a&&b CamelCase don't DON'T it's ſ K",
    "龘靐 x龘 龘", "🙂🏳️‍🌈 👩‍👩‍👧", "a\u180eb\u200bc\u200dd\u200ce\u2028f\x85g\x1ch", "▁a ▁▁b", "!@#$%^&*()[]{}…—«»", "\x00\x01\x7f\ufffd\ufeff", "Ω\u0345 ﬁ ① ｶﾞ", "aaaaaaa   bbbb\n\n\nc"]
# Characters of Unicode 3.2: the tables of the crates that tokenizers is made of are of different ages.
pool = [c for c in range(0x20, 0x2FFFF) if unicodedata.ucd_3_2_0.category(chr(c)) != "Cn" and unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co") and unicodedata.category(chr(c))[0] != "C" or c in (9, 10, 13)]
ascii_ = list(range(32, 127))
for _ in range(60):
    TEXTS.append("".join(chr(rng.choice(ascii_ if rng.random() < 0.5 else pool)) for _ in range(rng.randint(3, 24))))
CORPUS = [t for t in TEXTS if t] * 2 + ["the moon and the sun", "word wordy sword"] * 6

def bytelevel():
    t = Tokenizer(models.BPE()); t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False); t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return json.loads(t.to_str())

def plain(**model):
    t = Tokenizer(models.BPE(unk_token="<unk>", **model)); t.pre_tokenizer = pre_tokenizers.Whitespace()
    bytes_ = [f"<0x{b:02X}>" for b in range(256)] if model.get("byte_fallback") else []
    kw = {k: model[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if model.get(k)}
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"] + bytes_, limit_alphabet=90, **kw))
    d = json.loads(t.to_str()); d["added_tokens"] = [a for a in d["added_tokens"] if not a["content"].startswith("<0x")]; return d

BL, BLS = bytelevel(), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
out = {}
def add(name, base, **change):
    d = copy.deepcopy(base); d.update({k: v for k, v in change.items() if k not in ("added", "pairs")})
    t = Tokenizer.from_str(json.dumps(d))
    if change.get("added"): t.add_tokens(change["added"])
    vectors = []
    for text in TEXTS:
        ids = t.encode(text, add_special_tokens=False).ids; whole = t.encode(text, add_special_tokens=True).ids
        v = {"text": text, "ids": ids}
        if whole != ids: v["whole"] = whole
        decoded = t.decode(ids, skip_special_tokens=False)
        v["decoded"] = decoded
        vectors.append(v)
    out[name] = {"tokenizer": json.loads(t.to_str()), "vectors": vectors}
    if "pairs" in change: out[name]["pairs"] = pairs(t)

def pairs(t):
    """Two texts together, cut to a length in every way."""
    cases = []
    for a, b in (("the moon", "and the sun"), ("a", "the moon and the sun and the moon"), ("the moon and the sun and the moon", "a"), ("", "word wordy"), ("word sword wordy word", "the moon and the sun")):
        for length in (4, 5, 6, 7, 8, 11, 40):
            for strategy in ("longest_first", "only_first", "only_second"):
                for side in ("left", "right"):
                    for special in (True, False):
                        case = {"first": a, "second": b, "length": length, "strategy": "".join(w.capitalize() for w in strategy.split("_")), "side": side.capitalize(), "special": special}
                        t.enable_truncation(length, strategy=strategy, direction=side)
                        try: e = t.encode(a, b, add_special_tokens=special); case |= {"ids": e.ids, "types": e.type_ids}
                        except BaseException: pass
                        cases.append(case)
    t.no_truncation(); return cases

def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}, BLS]}

for name, p in {"w": r"\w+", "W": r"\W+", "s": r"\s+", "b": r"\b", "notb": r"\B.", "d": r"\d+", "h": r"\h+", "class-w": r"[\w-]+", "class-notW": r"[^\W\d]+", "class-S": r"[\S]+", "class-nots": r"[^\s]+",
    "han": r"[\p{Han}]+", "latin": r"\p{Latin}+", "intersect": r"[\p{L}&&[^\p{Han}]]+", "intersect-not": r"[^\p{L}&&[^a-m]]+", "union": r"[a-f[x-z][^\p{L}\s]]+", "words-no-digits": r"[\w&&[^\d]]+", "three": r"[a-z&&[^aeiou]&&[^xyz]]+",
    "posix": r"[[:alpha:]]+|[[:digit:][:space:]]+", "case": r"(?i:'s|'t|k|ß)|\p{Lu}+", "possessive": r"\p{L}++|\s*+", "lookbehind": r"(?<=\s)\p{L}+", "escapes": r"[\x{4e00}-\x{9fff}\t\n]+|\u3000",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", "lines": r"^\w|\w$|\n^", "intervals": r"o{,2}l|a{2,3}|{x}|\p{L}{4}", "brackets": r"[\[\]{}()&^-]+", "amp": r"[&]+|[!-/]", "cjk": r"[一-龥぀-ゟ゠-ヿ]+"}.items():
    add("split " + name, BL, pre_tokenizer=split(p))
for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    for invert in (False, True): add(f"behavior {behavior} {invert}", BL, pre_tokenizer=split(" ", behavior, invert, "String"))
add("split metacharacters", BL, pre_tokenizer=split("a.[\\E$", kind="String"))
for kind in ({"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False}, {"type": "CharDelimiterSplit", "delimiter": "a"}):
    add("pre " + json.dumps(kind), BL, pre_tokenizer={"type": "Sequence", "pretokenizers": [kind, BLS]})
add("prefix space", BL, pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True})
for kind in ("Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"): add("norm " + kind, BL, normalizer={"type": kind})
add("norm strip", BL, normalizer={"type": "Strip", "strip_left": True, "strip_right": False})
add("norm bert", BL, normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True})
add("norm bert cased", BL, normalizer={"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False})
add("norm replace", BL, normalizer={"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Replace", "pattern": {"String": "oo"}, "content": "u"}, {"type": "NFD"}, {"type": "StripAccents"}]})
T = lambda content, **k: AddedToken(content, **k)
many = [T("<tag>", normalized=True), T("word", single_word=True, normalized=False), T("<l>", lstrip=True, normalized=False), T("<r>", rstrip=True, normalized=False), T("Hello", normalized=True), T("été", normalized=True)]
add("added", BL, added=many); add("added lowercase", BL, normalizer={"type": "Lowercase"}, added=many); add("added nfd", BL, normalizer={"type": "NFD"}, added=many)
add("added prepend", BL, normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "x"}, {"type": "Lowercase"}]}, added=many)
add("added single normalized", BL, normalizer={"type": "Lowercase"}, added=[T("WORD", single_word=True), T("a", single_word=True, lstrip=True, rstrip=True)])
for fuse in (True, False):
    for fallback in (True, False): add(f"unk fuse={fuse} fallback={fallback}", plain(fuse_unk=fuse, byte_fallback=fallback), decoder=None)
add("suffix", plain(end_of_word_suffix="</w>"), decoder={"type": "BPEDecoder", "suffix": "</w>"})
add("continuing", plain(continuing_subword_prefix="##"), decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
add("ignore merges", plain(ignore_merges=True), decoder=None)
for scheme in ("first", "always", "never"):
    for s in (True, False):
        m = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": s}
        add(f"metaspace {scheme} {s}", plain(byte_fallback=True, fuse_unk=True), pre_tokenizer=m, decoder=m, added=[T("<tag>", normalized=False)])
add("strip decoder", plain(byte_fallback=True), decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "o"}, "content": "0"}, {"type": "Strip", "content": "a", "start": 1, "stop": 0}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": "t", "start": 2, "stop": 0}]})
tok = lambda p, i: [p, i]
add("roberta", plain(), decoder=None, post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False})
add("bert", plain(), decoder=None, post_processor={"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]})
temp = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[A]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[B]", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"[A]": {"id": "[A]", "ids": [1, 0], "tokens": ["<s>", "<unk>"]}, "[B]": {"id": "[B]", "ids": [2], "tokens": ["</s>"]}}}
add("template", plain(), decoder=None, post_processor=temp)
def words(kind):
    t = Tokenizer(kind(unk_token="[UNK]")); t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer if kind is models.WordPiece else trainers.WordLevelTrainer
    t.train_from_iterator(CORPUS, trainer(vocab_size=420, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"])); return json.loads(t.to_str())
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
pieces = words(models.WordPiece); short = copy.deepcopy(pieces); short["model"]["max_input_chars_per_word"] = 5
bare = copy.deepcopy(pieces); bare["model"]["continuing_subword_prefix"] = ""
add("word pieces", pieces, normalizer=BERT, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, pairs=True)
add("word pieces roberta", pieces, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False}, post_processor={"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1], "trim_offsets": True, "add_prefix_space": False}, pairs=True)
add("word pieces short", short, decoder=None, pairs=True); add("word pieces without prefix", bare, decoder=None)
add("word pieces spelt", pieces, decoder=None, pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True})
types = copy.deepcopy(temp); types["pair"] = [{"Sequence": {"id": "B", "type_id": 3}}, {"SpecialToken": {"id": "[B]", "type_id": 2}}, {"Sequence": {"id": "A", "type_id": 1}}]
add("words", words(models.WordLevel), decoder=None, post_processor=types, pairs=True)
add("norm Nmt", BL, normalizer={"type": "Nmt"}); add("norm ByteLevel", pieces, normalizer={"type": "ByteLevel"}, decoder={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True})
# Unigram models, and SentencePiece's map of characters as Hugging Face reads it.
import base64
from sentencepiece import sentencepiece_model_pb2 as pb
proto = pb.ModelProto(); proto.MergeFromString(base64.b64decode(json.load(open(f"{here}/sentencepiece.json"))["maps"][0]))
MAP = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()}
MARKS = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
def unigram(**model):
    t = Tokenizer(models.Unigram()); t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator([t for t in CORPUS if "\x00" not in t], trainers.UnigramTrainer(vocab_size=1100, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>"))
    d = json.loads(t.to_str()); d["model"].update(model)
    # Some characters are unknown.
    d["model"]["vocab"] = [v for i, v in enumerate(d["model"]["vocab"]) if not (len(v[0]) == 1 and i % 3 == 0)]
    if model.get("byte_fallback"): d["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    return d
pieces = unigram()
add("unigram", pieces, normalizer={"type": "Sequence", "normalizers": [MAP, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}, pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, MARKS]}, decoder=MARKS, post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}, pairs=True)
add("unigram whole", pieces, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}, decoder=MARKS)
add("unigram bytes", unigram(byte_fallback=True), pre_tokenizer=MARKS, decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]})
add("fixed length", BL, pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "FixedLength", "length": 3}, BLS]})
add("digits from the right", BL, pre_tokenizer=split(r"\d{1,3}(?=(?:\d{3})*\b)"))
# Files for other tests.
for name, kind in (("unigram-tiny", "unigram whole"), ("wordpiece-tiny", "word pieces")):
    os.makedirs(f"{here}/{name}", exist_ok=True); json.dump(out[kind]["tokenizer"], open(f"{here}/{name}/tokenizer.json", "w"), ensure_ascii=True, separators=(",", ":"))
# The vocabularies are few: each is kept once, the vectors in one list.
bases, kinds = [], []
for name, kind in out.items():
    model = json.dumps(kind["tokenizer"].pop("model"), ensure_ascii=True)
    if model not in bases: bases.append(model)
    kinds.append({"name": name, "model": bases.index(model), "rest": json.dumps(kind["tokenizer"], ensure_ascii=True), "vectors": kind["vectors"]} | ({"pairs": kind["pairs"]} if "pairs" in kind else {}))
json.dump({"models": bases, "kinds": kinds}, open(f"{here}/kinds.json", "w"), ensure_ascii=True, separators=(",", ":"))
print(len(kinds), "kinds,", len(TEXTS), "texts,", os.path.getsize(f"{here}/kinds.json"))
