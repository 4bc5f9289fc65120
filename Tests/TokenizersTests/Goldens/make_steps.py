#!/usr/bin/env python3
"""Golden ids and texts of the steps of tokenizer.json that few files have, made with Hugging Face tokenizers.

    python3 make_steps.py

Takes models and texts from kinds.json (make_kinds.py) and writes steps.json in its form, with lists of ids that are decoded.
"""
import json, os, random
from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__)); rng = random.Random(11)
kinds = json.load(open(f"{here}/kinds.json"))
def base(name):
    kind = next(k for k in kinds["kinds"] if k["name"] == name)
    return {"model": json.loads(kinds["models"][kind["model"]]), **json.loads(kind["rest"])}
TEXTS = [v["text"] for v in kinds["kinds"][0]["vectors"]]
out = []

def decoded(t, ids):
    """nil where the library crashes: its decoder of a suffix without tokens, its Strip where both ends meet."""
    try: return t.decode(ids, skip_special_tokens=False)
    except BaseException: return None

def add(name, base, decodes=0, pairs=False, **change):
    d = {**base, **change}; t = Tokenizer.from_str(json.dumps(d))
    vectors = []
    for text in TEXTS:
        ids = t.encode(text, add_special_tokens=False).ids
        v = {"text": text, "ids": ids, "decoded": decoded(t, ids)}
        whole = t.encode(text, add_special_tokens=True).ids
        if v["decoded"] is not None: vectors.append(v | ({"whole": whole} if whole != ids else {}))
    kind = {"name": name, "model": d.pop("model"), "rest": json.dumps(d, ensure_ascii=True), "vectors": vectors}
    if decodes:
        # Few kinds of tokens, so that some come twice in a row.
        kind["decodes"] = []
        for _ in range(decodes):
            some = [rng.randrange(t.get_vocab_size()) for _ in range(4)] + [t.token_to_id(x) for x in ("|", "<pad>") if t.token_to_id(x) is not None]
            ids = [rng.choice(some) for _ in range(rng.randint(0, 14))]
            text = decoded(t, ids)
            if text is not None: kind["decodes"].append({"ids": ids, "text": text})
    if pairs:
        kind["pairs"] = []
        for a, b in (("the moon", "and the sun"), ("a", ""), ("", "word"), ("word sword", "the moon and the sun")):
            for special in (True, False):
                for length in (4, 7, 60):
                    case = {"first": a, "second": b, "length": length, "strategy": "LongestFirst", "side": "Right", "special": special}
                    t.enable_truncation(length)
                    try: e = t.encode(a, b, add_special_tokens=special); case |= {"ids": e.ids, "types": e.type_ids}
                    except Exception: pass
                    kind["pairs"].append(case)
        t.no_truncation()
    out.append(kind)

BL, WORDS, PLAIN, UNI = base("split w"), base("word pieces"), base("strip decoder"), base("unigram whole")
level = lambda **k: {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} | k
sequence = lambda *steps: {"type": "Sequence", "pretokenizers": list(steps)}
split = lambda pattern, behavior="Isolated": sequence({"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": False}, level(use_regex=False))

# 1. Pre-tokenizers.
add("scripts", BL, pre_tokenizer=sequence({"type": "UnicodeScripts"}, level(use_regex=False)))
add("scripts of words", UNI, pre_tokenizer=sequence({"type": "UnicodeScripts"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}))
add("digits behind bytes", BL, pre_tokenizer=sequence(level(), {"type": "Digits", "individual_digits": True}))
add("bytes twice", BL, pre_tokenizer=sequence(level(), level(add_prefix_space=True)))
add("punctuation behind bytes", WORDS, pre_tokenizer=sequence(level(use_regex=False), {"type": "Punctuation", "behavior": "Contiguous"}))
for name in ("alnum", "punct", "blank", "cntrl", "graph", "print", "ascii", "xdigit", "upper", "lower", "word"):
    add("bracket " + name, BL, pre_tokenizer=split(f"[[:{name}:]]+"))
    add("property " + name, BL, pre_tokenizer=split(rf"\p{{{name}}}+|[\P{{{name}}}]"))
add("brackets negated", BL, pre_tokenizer=split(r"[[:^alpha:]x]+|[^[:^punct:]]"))
add("escapes", BL, pre_tokenizer=split(r"\R|\N\O|o{2}+|(?<first>a)\k<first>|(?m:l.)|(?#what)x{1,2}?"))
add("an option first", BL, pre_tokenizer=split(r"(?i)hello|W|(?i)m"))

# 2. Decoders.
ctc = lambda **k: {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True} | k
LETTERS = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
    "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": {c: i for i, c in enumerate(["<pad>", "<unk>", "|"] + list("abcdelmnorstuw'.!? ▁") + [" n't", " 's", "a<pad>b", "##er", "</w>", "ab</w>", "<0x41>", "é", "中"])}, "merges": []}}
many = lambda *steps: {"type": "Sequence", "decoders": list(steps)}
replace = lambda a, b, kind="String": {"type": "Replace", "pattern": {kind: a}, "content": b}
FUSE, MARKS = {"type": "Fuse"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
for name, decoder in {"ctc": ctc(), "ctc as it is": ctc(cleanup=False), "ctc other": ctc(pad_token="a", word_delimiter_token="▁"), "ctc and replace": many(ctc(), replace("o", "0")), "replace and ctc": many(replace("b", "a"), ctc()),
    "ctc and word pieces": many(ctc(), {"type": "WordPiece", "prefix": "##", "cleanup": True}), "ctc and marks": many(ctc(), MARKS), "ctc and fuse": many(ctc(), FUSE, replace("a", "")), "ctc without a kind": {k: v for k, v in ctc().items() if k != "type"},
    "fuse and replace": many(FUSE, replace("ab", "x")), "fuse and expression": many(FUSE, replace(r"a+b|\s+n", "y", "Regex")), "fuse and border": many(FUSE, replace("^.", "Z", "Regex")), "fuse and look behind": many(FUSE, replace("(?<=a)b", "c", "Regex")),
    "fuse and marks": many(FUSE, MARKS), "fuse and suffix": many(FUSE, {"type": "BPEDecoder", "suffix": "</w>"}), "fuse and word pieces": many(FUSE, {"type": "WordPiece", "prefix": "##", "cleanup": True}), "fuse and ctc": many(FUSE, ctc()),
    "fuse and bytes": many(FUSE, {"type": "ByteFallback"}), "fuse, replace, strip, replace": many(FUSE, replace("a", "b"), {"type": "Strip", "content": "b", "start": 2, "stop": 1}, replace("bb", "a")), "bytes and replace": many({"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, replace("e", "E"), {"type": "Strip", "content": " ", "start": 1, "stop": 0}),
    "bytes twice and replace": many(level(), level(), replace("a", "é")), "replace without a kind": {"pattern": {"String": "a"}, "content": "b"}, "suffix without a kind": {"suffix": "</w>"}}.items():
    add("decoder " + name, LETTERS, decodes=150, decoder=decoder)
add("decoder bytes, replace", BL, decodes=100, decoder=many(level(), replace("th", "TH"), replace(" +", "_", "Regex")))

# 3. Post-processors.
steps = lambda *s: {"type": "Sequence", "processors": list(s)}
bert, roberta = {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, {"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1], "trim_offsets": True, "add_prefix_space": False}
A, B, C, S = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 3}}
template = lambda single, pair: {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [2, 1], "tokens": ["[SEP]", "[CLS]"]}}}
for name, processor in {"bert twice": steps(bert, bert), "roberta, bert": steps(roberta, bert), "bert, roberta": steps(bert, level(), roberta), "bert, template": steps(bert, template([C, A], [C, A, S, B, S])), "template, bert": steps(template([A], [A, B]), bert),
    "template, roberta": steps(template([C, A, S], [B, S, A]), roberta), "text twice": template([A, S, A], [A, B, A]), "text left out": template([A], [B, C]), "no text": template([C], [S, C]), "without kinds": {"sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, "template without a kind": {k: v for k, v in template([C, A], [A, B]).items() if k != "type"}}.items():
    add("around " + name, WORDS, pairs=True, post_processor=processor)

# 4. Objects that do not say what they are, as old files have them.
bare = lambda json, *keys: {k: v for k, v in json.items() if k not in ("type",) + keys}
add("bare normalizers", BL, normalizer={"normalizers": [{"strip_left": True, "strip_right": True}, {"prepend": "x"}, {"pattern": {"String": "o"}, "content": "0"}, {"clean_text": True, "handle_chinese_chars": True, "lowercase": True}]})
for name, kind in (("word pieces", WORDS), ("unigram", UNI), ("words", base("words"))): add("bare " + name, kind | {"model": bare(kind["model"])})

models = []
for kind in out:
    model = json.dumps(kind["model"], ensure_ascii=True)
    if model not in models: models.append(model)
    kind["model"] = models.index(model)
json.dump({"models": models, "kinds": out}, open(f"{here}/steps.json", "w"), ensure_ascii=True, separators=(",", ":"))
print(len(out), "kinds,", os.path.getsize(f"{here}/steps.json"))
