#!/usr/bin/env python3
"""Nephele's tokenizers beside those of others, on real vocabularies and many texts.

    pip install transformers tokenizers sentencepiece tiktoken
    python3 Tests/Peers/tokenizer_peers.py minilm=/models/minilm smollm=/models/smollm2 …
    NEPHELE_TOKENIZER_PEERS=/tmp/nephele-tokenizer-peers swift test -Xcc -O2 --filter TokenizerPeerTests

Each argument is a name and a checkpoint's folder (or file), which is read by the library that its format belongs to. The ids
that this library gives go to --out; the Swift suite compares. Texts: many scripts, code, edge cases, random Unicode from
a seed, and whatever files --corpus names.
"""
import argparse, json, os, random, sys

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("models", nargs="+")
arguments.add_argument("--out", default="/tmp/nephele-tokenizer-peers")
arguments.add_argument("--texts", type=int, default=2000, help="how many random texts")
arguments.add_argument("--seed", type=int, default=1)
arguments.add_argument("--corpus", nargs="*", default=[])
options = arguments.parse_args()

FIXED = ["", " ", "  ", "\n", "a", "Hello, World!", "the  moon\u3000and\u00a0the sun \t\r\n x", "नमस्ते दुनिया", "e\u0301te\u0301 été É İ ΑΣ ß ǅ", "சொல் a‿b x_y",
    "ไทย 한국어 العربية עברית", "中文ABC中文abc、。々〇", "1599 ²³½ Ⅷ ٣ x2 1234567", "龘靐 x龘 龘", "🙂🏳️‍🌈 👩‍👩‍👧 🤷🏽‍♀️", "a\u180eb\u200bc\u200dd\u200ce\u2028f\x85g\x1ch", "▁a ▁▁b", "!@#$%^&*()[]{}…—«»",
    "\x00\x01\x7f\ufffd\ufeff", "Ω\u0345 ﬁ ① ｶﾞ ﷺ", "don't DON'T it's ſ K I'LL we've", "\n\n\n  def f(x):\n\treturn {'a': x[1:], \"b\": None}  # ok\n", "x = 3.14e-10; y += 0xFF << 2 // 3\r\n", "<s>a</s> [CLS] b [SEP] <|endoftext|>",
    "https://example.com/a?b=c&d=%20#e", "ａｂｃ１２３　ＡＢＣ", "ᚠᛇᚻ Ⴀ ꙮ 𝒜𝓑 𐍈", "supercalifragilisticexpialidocious" * 4, "antidisestablishmentarianism-" * 9, "a" * 101, "é" * 100, " a  b   c    d     ", "가각힣 각", "Å Å Å", "ﬃ ½ ㎏ ㍿ ™"]


def texts():
    rng = random.Random(options.seed)
    found = list(FIXED)
    blocks = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1100), (0x1100, 0x1200), (0x1E00, 0x2070), (0x20A0, 0x2800), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFF0), (0x10000, 0x10400), (0x1F000, 0x1FA00), (0x20000, 0x2A6D0), (0, 0x110000)]
    for _ in range(options.texts):
        mine = rng.choices(blocks, k=3) + [blocks[0]] * 2
        letters = []
        for _ in range(rng.randint(1, 40)):
            low, high = rng.choice(mine); c = rng.randrange(low, high)
            if rng.random() < 0.15: c = 0x20
            if not 0xD800 <= c < 0xE000: letters.append(chr(c))
        found.append("".join(letters))
    for path in options.corpus:
        lines = [line for line in open(path, encoding="utf-8", errors="replace").read().split("\n") if line.strip()]
        found += rng.sample(lines, min(len(lines), 400))
    return found


def reader(place):
    """What gives ids of a text, with and without special tokens, and text of ids."""
    if place.endswith(".gguf"):
        import llama_cpp
        t = llama_cpp.Llama(place, vocab_only=True, verbose=False)
        return lambda text: t.tokenize(text.encode(), add_bos=False, special=True) if text else [], None, None, None
    if os.path.isdir(place) and os.path.exists(f"{place}/tokenizer.json"):
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(f"{place}/tokenizer.json"); t.no_padding(); t.no_truncation()
        return lambda text: t.encode(text, add_special_tokens=False).ids, lambda text: t.encode(text).ids, lambda ids: t.decode(ids, skip_special_tokens=False), t
    if os.path.isdir(place) and os.path.exists(f"{place}/vocab.txt"):
        from transformers import AutoTokenizer
        t = AutoTokenizer.from_pretrained(place)
        return lambda text: t.encode(text, add_special_tokens=False), lambda text: t.encode(text), lambda ids: t.decode(ids, clean_up_tokenization_spaces=False), t._tokenizer
    if os.path.exists(f"{place}/tekken.json"):
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
        t = Tekkenizer.from_file(f"{place}/tekken.json")
        return lambda text: t.encode(text, bos=False, eos=False), lambda text: t.encode(text, bos=True, eos=False), None, None
    ranks = [f for f in os.listdir(place) if f.endswith(".tiktoken")]
    if not ranks and os.path.exists(f"{place}/tokenizer.model") and open(f"{place}/tokenizer.model", "rb").read(1) != b"\n": ranks = ["tokenizer.model"]
    if ranks:
        import tiktoken, tiktoken.load, tiktoken_ext.openai_public as known
        tiktoken.load.read_file_cached = lambda path, expected_hash=None: open(f"{place}/{ranks[0]}", "rb").read()
        llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        stem = ranks[0].split(".")[0]
        known.load_tiktoken_bpe = tiktoken.load.load_tiktoken_bpe
        if hasattr(known, stem): t = tiktoken.Encoding(**getattr(known, stem)())
        else:
            # Meta's and Qwen's own code
            t = tiktoken.Encoding(stem, pat_str=llama % ("" if stem == "qwen" else "{1,3}"), mergeable_ranks=tiktoken.load.load_tiktoken_bpe(ranks[0]), special_tokens={"<|endoftext|>": 151643, "<|im_start|>": 151644} if stem == "qwen" else {"<|begin_of_text|>": 128000, "<|eot_id|>": 128009})
        import unicodedata
        normal = (lambda text: unicodedata.normalize("NFC", text)) if stem == "qwen" else lambda text: text
        return lambda text: t.encode(normal(text), allowed_special="all"), None, lambda ids: t.decode(ids), None
    if os.path.exists(f"{place}/tokenizer.model"):
        import sentencepiece
        t = sentencepiece.SentencePieceProcessor(model_file=f"{place}/tokenizer.model")
        return lambda text: t.encode(text.replace("<s>", "").replace("</s>", "")), None, None, None
    sys.exit(f"{place}: no library for this format")


os.makedirs(options.out, exist_ok=True)
for model in options.models:
    name, place = model.split("=", 1)
    plain, whole, decode, tokenizer = reader(place)
    vectors, pairs = [], []
    for text in texts():
        ids = plain(text)
        vectors.append({"text": text, "ids": ids, "whole": whole(text) if whole else None, "decoded": decode(ids) if decode else None})
    if tokenizer:
        rng = random.Random(2); some = [v["text"] for v in vectors]
        for _ in range(300):
            a, b = rng.choice(some), rng.choice(some)
            strategy, length, side = rng.choice(["longest_first", "only_first", "only_second"]), rng.choice([4, 5, 6, 7, 10, 16, 31, 64]), rng.choice(["left", "right"])
            case = {"first": a, "second": b, "strategy": "".join(w.capitalize() for w in strategy.split("_")), "side": side.capitalize(), "length": length}
            try:
                tokenizer.enable_truncation(length, strategy=strategy, direction=side)
                e = tokenizer.encode(a, b); case |= {"ids": e.ids, "types": e.type_ids}
            except BaseException: pass
            tokenizer.no_truncation(); pairs.append(case)
    json.dump({"place": os.path.abspath(place), "vectors": vectors, "pairs": pairs, "parses": not os.path.exists(f"{place}/tekken.json")}, open(f"{options.out}/{name}.json", "w"))
    print(name, len(vectors), "texts,", len(pairs), "pairs")
