#!/usr/bin/env python3
"""Small vocabularies of ranked bytes, with the ids that tiktoken and mistral_common give.

    pip install tiktoken mistral_common
    python3 make_ranked.py

Writes tiktoken-tiny/cl100k_base.tiktoken, tekken-tiny/tekken.json, and ranked.json with the vectors of both.
"""
import base64, json, os
import tiktoken
from tiktoken._educational import bpe_train
from tiktoken_ext import openai_public

here = os.path.dirname(os.path.abspath(__file__))
texts = [v["text"] for v in json.load(open(f"{here}/gpt2-tiny.vectors.json"))] + ["  \n\n \t x\n  ", "   ", "a1234567 I'll DON'T", "CamelCaseXMLHttp"]
tiktoken.load.load_tiktoken_bpe = openai_public.load_tiktoken_bpe = lambda *a, **k: {}
pattern = openai_public.cl100k_base()["pat_str"]
out = {}

ranks = bpe_train(data="\n".join(texts) * 4, vocab_size=420, pat_str=pattern, visualise=None)
os.makedirs(f"{here}/tiktoken-tiny", exist_ok=True)
with open(f"{here}/tiktoken-tiny/cl100k_base.tiktoken", "wb") as file:
    for piece, rank in sorted(ranks.items(), key=lambda item: item[1]): file.write(base64.b64encode(piece) + b" %d\n" % rank)
t = tiktoken.Encoding("tiny", pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 100257})
out["tiktoken-tiny"] = [{"text": text, "ids": t.encode(text, allowed_special="all")} for text in texts]

from mistral_common.tokens.tokenizers.tekken import Tekkenizer
pattern = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ranks = bpe_train(data="\n".join(texts) * 4, vocab_size=420, pat_str=pattern, visualise=None)
def text_of(piece):
    try: return piece.decode()
    except UnicodeDecodeError: return None
vocabulary = [{"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": text_of(piece)} for piece, rank in sorted(ranks.items(), key=lambda item: item[1])]
special = [{"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])]
os.makedirs(f"{here}/tekken-tiny", exist_ok=True)
json.dump({"config": {"pattern": pattern, "num_vocab_tokens": len(vocabulary), "default_vocab_size": 400, "default_num_special_tokens": 10, "version": "v7"}, "vocab": vocabulary, "special_tokens": special}, open(f"{here}/tekken-tiny/tekken.json", "w"))
t = Tekkenizer.from_file(f"{here}/tekken-tiny/tekken.json")
out["tekken-tiny"] = [{"text": text, "ids": t.encode(text, bos=False, eos=False)} for text in texts]
json.dump(out, open(f"{here}/ranked.json", "w"), ensure_ascii=True)
