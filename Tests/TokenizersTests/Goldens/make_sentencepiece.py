#!/usr/bin/env python3
"""SentencePiece models of every kind, trained from a seed, with the ids and the text that the library itself gives.

    pip install sentencepiece
    python3 make_sentencepiece.py

Writes sentencepiece.json: each model in base64 without its map of characters, the maps, and for each text its ids.
"""
import base64, io, json, os, random
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

here = os.path.dirname(os.path.abspath(__file__)); rng = random.Random(5)
TEXTS = ["", " ", "   ", "a", " a", "a ", "Hello, World!", "the  moon\u3000and\u00a0the sun \t\r\n x", "नमस्ते दुनिया", "e\u0301te\u0301 été É", "ไทย 한국어 العربية", "中文ABC中文abc、。々〇", "1599 ²³½ Ⅷ ٣ x2", "ﬁ ① ｶﾞ ﷺ ㎏ Å", "龘靐 x龘 龘", "🙂🏳️‍🌈 👩‍👩‍👧", "▁a ▁▁b", "<s>a</s> <unk>", "<sep>x<sep><sepa> a<sep>", "a [X] b[X][X]c [XY]", "x\x00y\x01z\x7f\ufeff\u200b", "ababababababab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the moon and the sun and the moon and the sun " * 6, " \u2581 ", "\n\n the\n"]
pool = [c for c in list(range(0x20, 0x7F)) * 12 + list(range(0xA0, 0x2000)) + list(range(0x3000, 0x3100)) + list(range(0xFF00, 0xFFF0)) + list(range(0x1F600, 0x1F650)) if not 0xD800 <= c < 0xE000]
for _ in range(60): TEXTS.append("".join(chr(rng.choice(pool)) if rng.random() > 0.2 else " " for _ in range(rng.randint(2, 30))))
CORPUS = [t.replace("\n", " ").replace("\x00", "") for t in TEXTS[:26] if t.strip()] * 3 + ["the moon and the sun", "Hello World", "été après l'hiver", "ababab abc"] * 150

out, maps = [], []
def add(name, change=None, **options):
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=file, minloglevel=2, hard_vocab_limit=False, num_threads=1, **options)
    model = file.getvalue()
    if change:
        proto = pb.ModelProto(); proto.ParseFromString(model); change(proto); model = proto.SerializeToString()
    processor = spm.SentencePieceProcessor(); processor.LoadFromSerializedProto(model)
    vectors = []
    for text in TEXTS:
        ids = processor.encode(text)
        vectors.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
    # The maps are large and few: each is kept once, as a message that goes behind the model.
    proto = pb.ModelProto(); proto.ParseFromString(model); rest = pb.ModelProto()
    rest.normalizer_spec.precompiled_charsmap = proto.normalizer_spec.precompiled_charsmap; proto.normalizer_spec.ClearField("precompiled_charsmap")
    encoded = base64.b64encode(rest.SerializePartialToString()).decode()
    if encoded not in maps: maps.append(encoded)
    out.append({"name": name, "model": base64.b64encode(proto.SerializeToString()).decode(), "map": maps.index(encoded), "vectors": vectors})

for kind in ("unigram", "bpe"):
    common = dict(model_type=kind, vocab_size=420, character_coverage=0.98)
    add(f"{kind} nmt_nfkc", **common)
    add(f"{kind} bytes", **dict(common, vocab_size=640), byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False)
    add(f"{kind} nfkc_cf bytes", **dict(common, vocab_size=640), byte_fallback=True, normalization_rule_name="nfkc_cf")
    add(f"{kind} symbols", **common, user_defined_symbols=["<sep>", "[X]", "[XY]", "  "], control_symbols=["<ctl>"])
    add(f"{kind} no prefix", **common, add_dummy_prefix=False, remove_extra_whitespaces=False)
    add(f"{kind} across spaces", **common, split_by_whitespace=False)
    add(f"{kind} digits", **common, split_digits=True, allow_whitespace_only_pieces=True, remove_extra_whitespaces=False, unk_id=3, bos_id=1, eos_id=2, pad_id=0)

def unused(p):
    for i, piece in enumerate(p.pieces):
        if piece.type == 1 and len(piece.piece) > 2 and i % 3 == 0: piece.type = 5
def missing(p):
    # Some characters are no pieces of their own any more.
    for i, piece in enumerate(list(p.pieces)):
        if piece.type == 1 and len(piece.piece) == 1 and i % 2 == 0: piece.piece = f"\u0530{i}"
def level(p):
    for piece in p.pieces:
        if piece.type == 1: piece.score = -float(int(-piece.score) // 40)
def unescaped(p):
    p.normalizer_spec.escape_whitespaces = False
for kind in ("unigram", "bpe"):
    common = dict(model_type=kind, vocab_size=420, character_coverage=0.98)
    add(f"{kind} unused", unused, **common); add(f"{kind} missing characters", missing, **common); add(f"{kind} equal scores", level, **common)
    add(f"{kind} missing characters, bytes", missing, **dict(common, vocab_size=640), byte_fallback=True)
    add(f"{kind} unescaped", unescaped, **common)
add("word", model_type="word", vocab_size=60, character_coverage=0.98); add("char", model_type="char", vocab_size=90, character_coverage=0.98)
json.dump({"maps": maps, "models": out}, open(f"{here}/sentencepiece.json", "w"), ensure_ascii=True, separators=(",", ":"))
print(len(out), "models,", len(TEXTS), "texts,", os.path.getsize(f"{here}/sentencepiece.json"))
