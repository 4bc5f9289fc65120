#!/usr/bin/env python3
"""Embeddings and scores of a served model beside sentence-transformers' of the same checkpoint.

    pip install torch transformers sentence-transformers onnxruntime onnx
    nephele up --text-model NAME=DIR
    python3 embedding_peers.py DIR [--url http://127.0.0.1:8080] [--model NAME]

Prints the smallest cosine between the two embeddings of each text, or the largest difference between the two scores of
each pair, and fails where they are not the same. Of a model that embeds it prints how long both take for 32 texts of
128 tokens, whole requests against `encode`, and against ONNX Runtime on the encoder alone (tokens known, nothing pooled).
"""
import argparse, json, os, statistics, sys, tempfile, time, urllib.request
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

TEXTS = ["The capital of France is Paris.", "a", "Ünïcödé façade naïve coöperate", "你好，世界！这是一个测试。", "😀 emoji 👩‍👩‍👧 and\ttabs\nlines",
         "SHOUTING TEXT, punctuation!!! (and brackets) [like these]", "the quick brown fox jumps over the lazy dog " * 20,
         "1234567890 3.14159 1e-9", "Здравствуй, мир", "\u00a0non\u2003breaking\u200bspaces", "def f(x):\n    return x ** 2"]
QUERY = "What is the capital of France?"

def post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer: return json.load(answer)

class Encoder(torch.nn.Module):
    """What the exporter can call: ids and mask to the last hidden states."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask, return_dict=False)[0]

def onnx_session(encoder, inputs):
    """The encoder as ONNX Runtime runs it; None where it cannot be exported here."""
    try:
        import onnxruntime
        path = os.path.join(tempfile.mkdtemp(), "encoder.onnx")
        axes = {0: "texts", 1: "tokens"}
        torch.onnx.export(Encoder(encoder).eval(), inputs, path, input_names=["ids", "mask"], output_names=["states"],
                          dynamic_axes={"ids": axes, "mask": axes, "states": axes}, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count()
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        print(f"ONNX Runtime is not measured: {error!r}"[:200])

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    name = given.model or os.path.basename(os.path.abspath(given.directory))
    torch.set_num_threads(os.cpu_count())
    config = json.load(open(f"{given.directory}/config.json"))
    if any("SequenceClassification" in c for c in config.get("architectures", [])):
        peer = CrossEncoder(given.directory, device="cpu", max_length=None)
        expected = [float(x) for x in peer.predict([(QUERY, t) for t in TEXTS])]
        answer = post(given.url, "/v1/rerank", {"model": name, "query": QUERY, "documents": TEXTS})
        found = {r["index"]: r["relevance_score"] for r in answer["results"]}
        worst = max(abs(found[i] - e) / (1 + abs(e)) for i, e in enumerate(expected))
        print(f"{name}: largest difference of {len(TEXTS)} scores {worst:.2e}")
        sys.exit(worst > 1e-4)
    peer = SentenceTransformer(given.directory, device="cpu")
    expected = torch.tensor(peer.encode(TEXTS)).double()
    answer = post(given.url, "/v1/embeddings", {"model": name, "input": TEXTS, "truncate_prompt_tokens": -1})
    found = torch.tensor([d["embedding"] for d in answer["data"]]).double()
    cosines = torch.nn.functional.cosine_similarity(expected, found)
    print(f"{name}: smallest cosine of {len(TEXTS)} texts {cosines.min():.7f}, lengths "
          f"{(found.norm(dim=1) / expected.norm(dim=1)).tolist()[0]:.6f} of theirs")
    texts = ["the quick brown fox jumps over the lazy dog and " * 12 + str(i) for i in range(32)]
    peer.max_seq_length = 128
    body = {"model": name, "input": texts, "truncate_prompt_tokens": 128, "encoding_format": "base64"}
    runs = [("sentence-transformers", lambda: peer.encode(texts, batch_size=32)),
            ("nephele", lambda: post(given.url, "/v1/embeddings", body))]
    tokens = peer.tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    inputs = (tokens["input_ids"], tokens["attention_mask"])
    if session := onnx_session(peer[0].auto_model, inputs):
        arrays = {"ids": inputs[0].numpy(), "mask": inputs[1].numpy()}
        runs.append(("onnxruntime", lambda: session.run(None, arrays)))
    times = {who: [] for who, _ in runs}
    for number in range(given.rounds + 1):
        for who, run in runs if number % 2 == 0 else runs[::-1]:
            start = time.perf_counter()
            run()
            times[who].append(time.perf_counter() - start)
    medians = {who: statistics.median(t[1:]) for who, t in times.items()}
    print(", ".join(f"{who} {t * 1000:.0f} ms" for who, t in medians.items()))
    for who in medians:
        if who != "nephele":
            ratios = sorted(a / b for a, b in zip(times[who][1:], times["nephele"][1:]))
            print(f"nephele is {statistics.median(ratios):.2f} times as fast as {who} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
    sys.exit(cosines.min().item() < 0.99999)

main()
