#!/usr/bin/env python3
"""Writes Goldens/goldens.json: what others make of the same texts.

    pip install datasketch==2.0.0 datatrove==0.10.1 regex nltk megatron-core==0.16.1 torch
    python3 make_goldens.py

datasketch is the judge of signatures, bands and pairs; datatrove of the rules of Gopher and C4, with words and sentences as
this module has them; Python's unicodedata of normal forms; Megatron-LM's IndexedDataset of shards.
"""
import json, random, re, tempfile, unicodedata, warnings
from pathlib import Path

import numpy as np
import regex

warnings.filterwarnings("ignore")
from datasketch import MinHash, MinHashLSH
from datasketch.lsh import _optimal_param
from datatrove.data import Document
import datatrove.pipeline.filters.c4_filters as c4_module
import datatrove.pipeline.filters.gopher_quality_filter as quality_module
import datatrove.pipeline.filters.gopher_repetition_filter as repetition_module

SPACELESS = r"[\u0E00-\u0FFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\uFF66-\uFF9D\U00020000-\U0003FFFF]"
UNIT = regex.compile(rf"((?={SPACELESS})[\p{{Alphabetic}}\p{{N}}]\p{{M}}*)|((?!{SPACELESS})[\p{{Alphabetic}}\p{{N}}](?:['’]*(?:(?!{SPACELESS})[\p{{Alphabetic}}\p{{N}}\p{{M}}]))*)")


def units(text, language=None):
    found = []
    for match in UNIT.finditer(text):
        word = match.group(0)
        found.append(word if match.group(1) else re.sub("['’]", "", word).lower().replace("ς", "σ"))
    return found


def shingles(text, n):
    words = units(text)
    return [" ".join(words[i:i + n]).encode() for i in range(max(0, len(words) - n) + 1)] if words else []


def sentences(line, language=None):
    count = len(regex.findall(r"[.?!]+(?=[\s\"'”’]|$)|[。？！]+", line.strip()))
    return [line] * max(1, count)


quality_module.split_into_words = units
repetition_module.split_into_words = units
c4_module.split_into_sentences = sentences
# datatrove counts a run of words that stands once as the most frequent one; see findings/datatrove-top-gram-once.sh.
counted = repetition_module.find_top_duplicate
repetition_module.find_top_duplicate = lambda grams: counted(grams) if len(set(grams)) < len(grams) else 0
random.seed(7)
ENGLISH = ("the river of stone and light that we have with them to be near a garden where people walk slowly under old trees "
           "while birds sing about summer rain small boats drift past quiet houses children carry bread letters music home").split()
CHINESE = "明月几时有把酒问青天不知天上宫阙今夕是何年我欲乘风归去又恐琼楼玉宇高处不胜寒起舞弄清影何似在人间山水云雨花鸟春秋江海"


def english(count): return " ".join(random.choice(ENGLISH) for _ in range(count))
def chinese(count): return "".join(random.choice(CHINESE) + random.choice(["", "", "", "，"]) for _ in range(count))


def altered(text, share):
    parts = text.split(" ") if " " in text else list(text)
    pool = ENGLISH if " " in text else CHINESE
    joint = " " if " " in text else ""
    return joint.join(random.choice(pool) if random.random() < share else part for part in parts)


documents = []
for make in (english, chinese):
    for _ in range(4):
        text = make(60)
        documents += [text] + [altered(text, share) for share in (0.01, 0.02, 0.04, 0.08, 0.3)]
documents += ["short text", "Short, TEXT!", "明月", "明月。"]

hashes = []
for text in documents:
    sketch = MinHash(num_perm=128, seed=1)
    for shingle in shingles(text, 5): sketch.update(shingle)
    hashes.append(sketch)
pairs = {}
for threshold in (0.5, 0.8):
    lsh = MinHashLSH(threshold=threshold, num_perm=128)
    found = []
    for place, sketch in enumerate(hashes):
        found += [[int(other), place] for other in lsh.query(sketch)]
        lsh.insert(str(place), sketch)
    near = [[a, b] for a, b in found if hashes[a].jaccard(hashes[b]) >= threshold]
    pairs[str(threshold)] = {"candidates": sorted(found), "near": sorted(near)}

bandings = [[t, n, *_optimal_param(t, n, 0.5, 0.5)] for t in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95) for n in (16, 64, 128)]

QUALITY = {
    "gopher_short_doc": "fewer than 50 words", "gopher_below_avg_threshold": "a mean word of less than 3 letters",
    "gopher_above_avg_threshold": "a mean word of more than 10 letters", "gopher_too_many_hashes": "more than 0.1 # a word",
    "gopher_too_many_ellipsis": "more than 0.1 ellipses a word",
    "gopher_too_many_bullets": "more than 90 % of lines with bullets",
    "gopher_too_many_end_ellipsis": "more than 30 % of lines that end with an ellipsis",
    "gopher_below_alpha_threshold": "fewer than 80 % of words with a letter",
    "gopher_enough_stop_words": "fewer than 2 stop words",
}
REPETITION = {
    "dup_para_frac": "more than 30 % of paragraphs repeated",
    "dup_para_char_frac": "more than 20 % of characters in repeated paragraphs",
    "dup_line_frac": "more than 30 % of lines repeated",
    "dup_line_char_frac": "more than 20 % of characters in repeated lines",
    **{f"top_{n}_gram": f"a run of {n} words in more than {p} % of the text" for n, p in ((2, 20), (3, 18), (4, 16))},
    **{f"duplicated_{n}_n_grams": f"more than {p} % of the text in repeated runs of {n} words"
       for n, p in ((5, 15), (6, 14), (7, 13), (8, 12), (9, 11), (10, 10))},
}
line = "the garden of old trees and quiet houses near the river"
gopher = [english(80), english(20), "a of to be " * 20, " ".join(["extraordinarily"] * 30 + [english(10)] + ["internationally"] * 30),
          english(60) + " #" * 9, english(60) + "... " * 9, "\n".join("- " + english(8) for _ in range(10)),
          "\n".join(english(8) + ("..." if i % 2 else " .") for i in range(12)), english(45) + " " + " ".join(map(str, range(2020, 2040))),
          " ".join(random.choice(["garden", "river", "summer", "houses", "letters", "music", "children"]) for _ in range(70)),
          "\n\n".join([line] * 4 + [english(40)]), "\n\n".join([english(30), english(30), line * 3, line * 3, english(20), english(10), english(12)]),
          "\n".join([line] * 4 + [english(9) for _ in range(5)]), "\n".join([english(9) for _ in range(8)] + [line * 5] * 2),
          " ".join("of stone " + random.choice(ENGLISH) for _ in range(40)), " ".join("birds sing about " + english(5) for _ in range(16)),
          english(50) + " " + " ".join(["we walk slowly under summer rain " + english(4)] * 3), english(300)]
gopher += [english(70 - 10 * k) + " " + " ".join([english(1) + " " + phrase] * 2) for k in range(4) for phrase in [english(9 + k)]]
results = []
for text in gopher:
    def reason(names, outcome): return None if outcome is True else names[outcome[1]]
    results.append({
        "text": text, "quality": reason(QUALITY, quality_module.GopherQualityFilter().filter(Document(text=text, id="0"))),
        "repetition": reason(REPETITION, repetition_module.GopherRepetitionFilter().filter(Document(text=text, id="0")))})

C4 = {"lorem_ipsum": "lorem ipsum", "curly_bracket": "a curly bracket", "too_few_sentences": "fewer than 5 sentences"}
page = "The river is old.\nWe walk there! Do you?\nMenu\nBirds sing about it in summer.\nPlease enable JavaScript to go on.\n"
pages = [page, page + "It rains. It \"stops.\" It rains again...\nIt rains today. We stay.", page + "We stay home. It rains. {a: 1}.",
         page + "Lorem ipsum is what it says. It goes on. And on.", page + "We use cookies on this page. All of them.\nOne. Two. Three, and four.",
         page + "x" * 1001 + " is a long word.\nThis is the end. My friend. It is."]
c4 = []
for text in pages:
    document = Document(text=text, id="0")
    outcome = c4_module.C4QualityFilter(remove_citations=False).filter(document)
    c4.append({"text": text, "kept": document.text} if outcome is True else {"text": text, "dropped": C4[outcome[1]]})

unit_texts = ["Don't panic: it's 42, naïve Straße ΟΔΟΣ!", "明月几时有？moon明月2024", "ภาษาไทย ดี", "カタカナとひらがな", "한국어 문장 둘", "e\u0301tude ﬁne",
              "", "...!?", "İstanbul", "a'b''c 'quoted' rock'n’roll", "x²y ½ ⅷ", "हिन्दी में", "ὀδυσσεύς ΤΗΣ ΟΔΟΥ"]
clean_texts = ["a\r\nb\rc\n", "e\u0301 ﬁ Å ｶﾞ 한", "x\x00y\x07z\x1b[0m", "\ufeffbegin\u200dz", "\u0085line\u2028sep", "가", "\uFDD0\uFFFF!", "①½"]
GOES = regex.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufdd0-\ufdef\ufffe\uffff]")
def clean(text, form):
    text = GOES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize(form, text)

# Shards as Megatron's builder writes them.
import torch
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder, DType
shards = {}
for name, vocabulary in (("u16", 300), ("i32", 70_000)):
    with tempfile.TemporaryDirectory() as folder:
        builder = IndexedDatasetBuilder(folder + "/x.bin", dtype=DType.optimal_dtype(vocabulary))
        for ids in ([1, 2, 299], [7], [260, 0]): builder.add_document(torch.tensor(ids), [len(ids)])
        builder.finalize(folder + "/x.idx")
        shards[name] = {"bin": Path(folder, "x.bin").read_bytes().hex(), "idx": Path(folder, "x.idx").read_bytes().hex()}

golden = {
    "units": [{"text": t, "units": units(t)} for t in unit_texts],
    "documents": documents,
    "signatures": [[int(v) for v in hashes[i].hashvalues] for i in (0, 24, len(documents) - 4, len(documents) - 2)],
    "signaturesOf": [0, 24, len(documents) - 4, len(documents) - 2],
    "sums": [int(np.sum(h.hashvalues.astype(np.uint64))) for h in hashes],
    "pairs": pairs, "bandings": bandings, "gopher": results, "c4": c4,
    "clean": [{"text": t, "nfc": clean(t, "NFC"), "nfkc": clean(t, "NFKC")} for t in clean_texts],
    "shards": shards,
}
Path(__file__).parent.joinpath("Goldens/goldens.json").write_text(json.dumps(golden, ensure_ascii=False, indent=None) + "\n")
print({k: len(v["near"]) for k, v in pairs.items()}, [(r["quality"], r["repetition"]) for r in results])
