#!/usr/bin/env python3
"""How fast Nephele encodes beside tiktoken, on one thread, the programs in turns; ids are compared by their number.

    pip install tiktoken
    swift build -c release --product nephele
    python3 Tests/Peers/tokenizer_speed.py --ranks ../shared/data/tokenizers/tiktoken-ranks --llama3 ../shared/data/tokenizers/llama3-tokenizer --input FILE

Prints medians of the rounds in MB/s. Nephele remembers words, so that its rounds but the first find most of them.
"""
import argparse, json, os, statistics, subprocess, tempfile, time
import tiktoken, tiktoken.load, tiktoken_ext.openai_public as known

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--nephele", default=".build/release/nephele")
arguments.add_argument("--ranks", required=True); arguments.add_argument("--llama3"); arguments.add_argument("--input", required=True)
arguments.add_argument("--rounds", type=int, default=5)
options = arguments.parse_args()
text = open(options.input, encoding="utf-8").read(); size = len(text.encode())
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

def encoding(name, path):
    tiktoken.load.read_file_cached = lambda *_: open(path, "rb").read()
    known.load_tiktoken_bpe = tiktoken.load.load_tiktoken_bpe
    if name in ("cl100k_base", "o200k_base"): return tiktoken.Encoding(**getattr(known, name)())
    return tiktoken.Encoding(name, pat_str=LLAMA3 if name == "llama3" else GPT2, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(path), special_tokens={})

print(f"tiktoken {tiktoken.__version__}, {size} bytes\n{'':12}  tiktoken  encode  ratio  decode  load")
for name in ["r50k_base", "cl100k_base", "o200k_base"] + (["llama3"] if options.llama3 else []):
    path = f"{options.llama3}/tokenizer.model" if name == "llama3" else f"{options.ranks}/{name}.tiktoken"
    folder = tempfile.mkdtemp(); os.symlink(os.path.abspath(path), f"{folder}/{os.path.basename(path)}")
    peer, theirs, ours = encoding(name, path), [], []
    for _ in range(options.rounds):
        start = time.perf_counter(); ids = peer.encode_ordinary(text); theirs.append(size / (time.perf_counter() - start) / 1e6)
        own = json.loads(subprocess.run([options.nephele, "bench", "tokenizer", "--model", f"x={folder}", "--input", options.input, "--json"], check=True, capture_output=True, text=True).stdout)
        assert own["tokens"] == len(ids), f"{name}: {own['tokens']} tokens, must {len(ids)}"
        ours.append(own)
    median = lambda key: statistics.median(o[key] for o in ours)
    print(f"{name:12} {statistics.median(theirs):9.1f} {median('encode_bytes_per_second') / 1e6:7.1f} {statistics.median(o['encode_bytes_per_second'] / 1e6 / t for o, t in zip(ours, theirs)):6.2f} {median('decode_bytes_per_second') / 1e6:7.0f} {median('load_ms'):5.0f} ms")
