#!/usr/bin/env python3
"""Writes Goldens/goldens.json: what others make of the same texts, features and models.

    pip install torch transformers nltk scipy torchmetrics statsmodels
    python3 make_goldens.py

NLTK is the judge of self-BLEU, scipy of bootstrap intervals and fits, statsmodels of Wilson's, torchmetrics of the kernel distance,
transformers (f32) of log-probabilities, on the embedded model nephele-verse.
"""
import json, random
from pathlib import Path

import numpy as np
import torch
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.image.kid import poly_mmd
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
random.seed(3)
rng = np.random.default_rng(3)

texts = [[random.randrange(9) for _ in range(random.choice([5, 12, 20, 20]))] for _ in range(10)] + [[0, 1], [77, 78, 79, 80, 81]]
bleu = [sentence_bleu(texts[:i] + texts[i + 1:], text, smoothing_function=SmoothingFunction().method1)
        for i, text in enumerate(texts)]

values = [round(float(v), 3) for v in rng.gamma(2.0, 1.5, 60)]
interval = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=rng).confidence_interval
wilson = [[k, n, *map(float, proportion_confint(k, n, method="wilson"))] for k, n in ((0, 20), (3, 7), (40, 40))]

a, b = rng.normal(size=(6, 5)).round(3), rng.normal(0.4, 1.2, size=(6, 5)).round(3)
kernel = float(poly_mmd(torch.tensor(a), torch.tensor(b)))

directory = ROOT / "Sources/EmbeddedModels/Resources/models/nephele-verse"
tokenizer = AutoTokenizer.from_pretrained(directory)
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
begin = tokenizer("", add_special_tokens=True)["input_ids"][:1]
prefix = begin if begin == [tokenizer.bos_token_id] else []


def encode(text): return tokenizer(text, add_special_tokens=False)["input_ids"]


def log_probabilities(ids):
    with torch.no_grad(): logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return [float(logits[place, token]) for place, token in enumerate(ids[1:])]


text = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\nNow is the winter of our discontent\nMade glorious summer by this sun of York;\n" * 3
ids, windows, start, window = encode(text), [], 0, 40
while start + 1 < len(ids):
    end = min(start + window, len(ids))
    judged = ids[(0 if start == 0 and prefix else start + 1):end]
    own = log_probabilities(prefix + ids[start:end])[-len(judged):]
    size = sum(len(tokenizer.convert_ids_to_tokens(i)) for i in judged)  # a character of the byte alphabet is a byte
    windows.append([-sum(own), len(judged), size])
    start = end - 1


def part(first, second, joined):
    begin = encode(first)
    whole = encode(first + second) if joined else begin + encode(second)
    common = 0
    while common < min(len(begin), len(whole)) and begin[common] == whole[common]: common += 1
    start = len(prefix) + max(0 if prefix else 1, min(common, len(whole) - 1))
    return log_probabilities(prefix + whole)[start - 1:]


resources = ROOT / "Sources/Evaluation/Resources"
facts = json.loads((resources / "facts.json").read_text())
chosen = facts[:3] + facts[40:43]
recall = [[sum(part(f["prompt"], answer, True)) for answer in [f["answer"], *f["others"]]] for f in chosen]
groups = json.loads((resources / "pairs.json").read_text())
differences = []
for group in (groups[0], groups[6]):
    differences.append([float(np.mean(part(x, rest, False)) - np.mean(part(y, rest, False)))
                        for x, y in group["pairs"] for rest in group["rests"]])

# A law's losses with one percent of noise, and scipy's fit to their logarithms.
truth = (8.8e6, 0.3, 4e7, 0.25)


def law(p, n, d): return (np.exp(p[1] / p[3] * (p[0] - np.log(n))) + np.exp(p[2] - np.log(d))) ** p[3]


runs = [[n, d, float(law((np.log(truth[0]), truth[1], np.log(truth[2]), truth[3]), n, d) * np.exp(rng.normal(0, 0.01)))]
        for n in (1e5, 4e5, 1.6e6, 6.4e6) for d in (1e6, 1e7, 1e8)]
n, d, losses = np.array(runs).T
fit = optimize.least_squares(lambda p: np.log(losses) - np.log(law(p, n, d)), (15, 0.2, 17, 0.2), xtol=1e-15, ftol=1e-15, gtol=1e-15)
scaling = {"runs": runs, "law": [float(np.exp(fit.x[0])), float(fit.x[1]), float(np.exp(fit.x[2])), float(fit.x[3])],
           "sum": float(2 * fit.cost), "truth": truth}

golden = {
    "scaling": scaling,
    "texts": texts, "bleu": bleu, "values": values, "interval": [float(interval.low), float(interval.high)], "wilson": wilson,
    "features": a.tolist(), "reference": b.tolist(), "kernel": kernel, "text": text, "window": window, "windows": windows,
    "recall": recall, "differences": differences,
}
Path(__file__).parent.joinpath("Goldens/goldens.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
print("prefix", prefix, windows[:2], recall[0], differences[0][:2])
