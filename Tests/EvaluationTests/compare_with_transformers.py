#!/usr/bin/env python3
"""Compares `nephele evaluate` with transformers in f32 on a checkpoint: perplexity and bits per byte of the same windows, facts.

    pip install torch transformers
    compare_with_transformers.py --nephele .build/release/nephele --model DIR --text FILE [--windows 20] [--window 512]

Ends with 1 where a figure differs by more than one in a thousand.
"""
import argparse, json, math, subprocess, sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
for name in ("nephele", "model", "text"): arguments.add_argument("--" + name, required=True)
arguments.add_argument("--windows", type=int, default=20)
arguments.add_argument("--window", type=int, default=512)
options = arguments.parse_args()
command = [options.nephele, "evaluate", "--model", options.model.rstrip("/"), "--text", options.text, "--precision", "f32", "--window",
           str(options.window), "--windows", str(options.windows), "--parts", "perplexity,facts", "--json"]
report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
own = {m["name"]: m["estimates"][0]["value"] for section in report["sections"] for m in section["measures"]}

tokenizer = AutoTokenizer.from_pretrained(options.model)
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
begin = tokenizer("", add_special_tokens=True)["input_ids"][:1]
prefix = begin if begin and begin == [tokenizer.bos_token_id] else []


def encode(text): return tokenizer(text, add_special_tokens=False)["input_ids"]


def log_probabilities(ids):
    with torch.no_grad(): logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return logits[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].double()


text = Path(options.text).read_bytes()[:16 * (options.window + 1) * options.windows].decode(errors="ignore")
ids, start, loss, count, judged = encode(text), 0, 0.0, 0, []
room = options.window
while start + 1 < len(ids) and len(judged) < options.windows:
    end = min(start + room, len(ids))
    part = ids[(0 if start == 0 and prefix else start + 1):end]
    loss -= float(log_probabilities(prefix + ids[start:end])[-len(part):].sum())
    count += len(part)
    judged.append(part)
    start = end - 1
scored = ids[(0 if prefix else 1):(0 if prefix else 1) + count]
size = len(tokenizer.decode(ids[:len(scored) + (0 if prefix else 1)], clean_up_tokenization_spaces=False).encode()) - (
    0 if prefix else len(tokenizer.decode(ids[:1]).encode()))

facts = json.loads((Path(__file__).resolve().parents[2] / "Sources/Evaluation/Resources/facts.json").read_text())
right, margin = {"en": [], "zh": []}, {"en": [], "zh": []}
for fact in facts:
    sums = []
    for answer in [fact["answer"], *fact["others"]]:
        first, whole, common = encode(fact["prompt"]), encode(fact["prompt"] + answer), 0
        while common < min(len(first), len(whole)) and first[common] == whole[common]: common += 1
        begin = len(prefix) + max(0 if prefix else 1, min(common, len(whole) - 1))
        sums.append(float(log_probabilities(prefix + whole)[begin - 1:].sum()))
    right[fact["language"]].append(sums[0] > max(sums[1:]))
    margin[fact["language"]].append(sums[0] - max(sums[1:]))
others = {"perplexity": math.exp(loss / count), "bits per byte": loss / math.log(2) / size}
for language, name in (("en", "English"), ("zh", "Chinese")):
    others[f"{name}: right answer likeliest"] = sum(right[language]) / len(right[language])
    others[f"{name}: margin"] = sum(margin[language]) / len(margin[language])
failed = False
for name, value in others.items():
    difference = abs(own[name] - value) / max(abs(value), 1e-9)
    failed |= difference > 1e-3
    print(f"{name:34} nephele {own[name]:.6f}  transformers {value:.6f}  relative difference {difference:.1e}")
sys.exit(failed)
