#!/usr/bin/env python3
"""How far next-token distributions of a GGUF file are from those of its dequantized weights in f32: Nephele's and llama.cpp's.

    pip install torch transformers llama-cpp-python gguf
    swift build -c release --product nephele
    python3 Tests/Peers/divergence.py MODEL.gguf... --text ../shared/data/corpora/wikitext2-valid-test/test.txt

The reference is transformers on the weights that gguf dequantizes. All three see the same tokens, in windows that are
texts of their own; the mean is over every position of every window. Keys and values are held as each program holds them
by default: bf16 here, f16 there. KL(reference ‖ program) in nats; `top` is how often the likeliest token is the same.
`MODEL.gguf@Q8_0` makes a file of that type of the model's matrices first.
"""
import argparse, json, os, subprocess, sys, tempfile

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("models", nargs="+", metavar="MODEL.gguf")
arguments.add_argument("--text", required=True)
arguments.add_argument("--nephele", default=f"{here}/../../.build/release/nephele")
arguments.add_argument("--window", type=int, default=512)
arguments.add_argument("--windows", type=int, default=8)
arguments.add_argument("--json", action="store_true")
options = arguments.parse_args()


def requantized(path, type_name, work):
    """The same file with every matrix of blocks in another type."""
    import gguf
    from gguf.quants import dequantize, quantize
    reader = gguf.GGUFReader(path)
    target = gguf.GGMLQuantizationType[type_name]
    out = f"{work}/{type_name}.gguf"
    field = reader.get_field("general.architecture")
    writer = gguf.GGUFWriter(out, bytes(field.parts[field.data[0]]).decode())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        if len(tensor.shape) == 2:
            values = dequantize(tensor.data, tensor.tensor_type)
            writer.add_tensor(tensor.name, quantize(values, target), raw_dtype=target)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def nephele(path, work, *more):
    out = f"{work}/logits.npy"
    tokens = json.loads(subprocess.run(
        [options.nephele, "bench", "perplexity", "--model", f"m={path}", "--text", options.text, "--precision", "auto",
         "--window", str(options.window), "--windows", str(options.windows), "--logits", out, "--json", *more],
        check=True, capture_output=True, text=True).stdout)
    return tokens, np.load(out, mmap_mode="r")


class Judge:
    """Distributions of the dequantized weights, and what others are away from them."""

    def __init__(self, path):
        from transformers import AutoModelForCausalLM
        self.model = AutoModelForCausalLM.from_pretrained(
            os.path.dirname(path) or ".", gguf_file=os.path.basename(path), dtype=torch.float32).eval()
        self.windows = {}

    @torch.no_grad()
    def compare(self, start, tokens, logits):
        if start not in self.windows:
            self.windows = {start: torch.log_softmax(self.model(torch.tensor([tokens])).logits[0].double(), -1)}
        p = self.windows[start]
        q = torch.log_softmax(torch.from_numpy(np.array(logits)).double(), -1)
        kl = (p.exp() * (p - q)).sum(-1)
        return kl.sum().item(), (p.argmax(-1) == q.argmax(-1)).sum().item()


def llama_cpp(path):
    from llama_cpp import Llama
    model = Llama(path, n_ctx=options.window, n_batch=options.window, n_ubatch=options.window, logits_all=True,
                  n_threads=os.cpu_count(), n_threads_batch=os.cpu_count(), verbose=False)

    def logits(tokens):
        model.reset()
        model.eval(tokens)
        return model.scores[:len(tokens)]
    return logits


results = []
with tempfile.TemporaryDirectory() as work:
    for argument in options.models:
        path, _, wanted = argument.partition("@")
        path = os.path.abspath(path)
        if wanted:
            path = requantized(path, wanted, work)
        judge, peer = Judge(path), llama_cpp(path)
        kinds = {"nephele": [], "nephele, f32 cache": ["--cache-precision", "f32"],
                 "nephele, int8 activations": ["--activations", "int8"]}
        sums = {name: [0.0, 0] for name in [*kinds, "llama.cpp"]}
        count, kept = 0, {}
        for name, more in kinds.items():
            tokens, logits = nephele(path, work, "--cache-precision", "bf16", *more)
            kept[name] = np.array(logits) if logits.nbytes < 2 << 30 else None
            if kept[name] is None:  # a large vocabulary: the file takes the place of memory
                os.rename(f"{work}/logits.npy", f"{work}/{len(kept)}.npy")
                kept[name] = np.load(f"{work}/{len(kept)}.npy", mmap_mode="r")
        for start in range(0, len(tokens), options.window):
            piece = tokens[start:start + options.window]
            for name in sums:
                rows = peer(piece) if name == "llama.cpp" else kept[name][start:start + len(piece)]
                kl, top = judge.compare(start, piece, rows)
                sums[name][0] += kl
                sums[name][1] += top
            count += len(piece)
        for name, (kl, top) in sums.items():
            results.append({"model": os.path.basename(argument), "program": name, "tokens": count,
                            "mean_kl": kl / count, "same_top": top / count})
            if not options.json:
                print(f"{os.path.basename(argument):45} {name:26} KL {kl / count:.3e}   top {top / count:.2%}"
                      f"   {count} tokens", flush=True)
        ours, theirs = sums["nephele"][0], sums["llama.cpp"][0]
        if not options.json:
            print(f"{'':45} nephele is {ours / theirs:.3f} of llama.cpp", flush=True)
if options.json:
    print(json.dumps(results, indent=1))
