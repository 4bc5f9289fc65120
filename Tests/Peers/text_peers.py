#!/usr/bin/env python3
"""Nephele's text engine beside its peers on what people run: the whole table in one run.

    pip install torch transformers ctranslate2 llama-cpp-python openvino-genai gguf
    swift build -c release --product nephele
    python3 Tests/Peers/text_peers.py --real DIR       # DIR: smollm2, smollm2-hf and gemma3, where they can be had
    python3 Tests/Peers/text_peers.py --rows smollm2-q8_0,gpt2-int8 --only nephele,llama.cpp --batches 1,16

Greedy, a 16-bit key-value cache where the peer has one. Prefill is one prompt; decode counts the tokens after each sequence's
prompt. Each measurement has a process of its own. The programs of a row take turns, round by round and every other round
backwards, since the rate of a virtual machine's memory changes within a minute. Figures are medians over --rounds; a ratio is
the median of the rounds' own ratios, Nephele's figure over that of the round's fastest peer, beside the lowest and the highest.
"""
import argparse, json, os, statistics, subprocess, sys

from peer_models import SHAPES, Models
from peer_programs import PROGRAMS, versions

# A row: a model, what its weights are, and the programs that run it. Nephele twice where `--activations int8` is a choice: with
# 8-bit activations, as all peers have them, and with the 15-bit ones that are its default.
ROWS = {
    "qwen2.5-1.5b-q4_k_m": ("qwen2.5-1.5b", "Q4_K_M", ["nephele", "nephele-a8", "llama.cpp", "openvino"]),
    "qwen2.5-1.5b-q8_0": ("qwen2.5-1.5b", "Q8_0", ["nephele", "nephele-a8", "llama.cpp", "openvino"]),
    "smollm2-q4_0": ("smollm2", "Q4_0", ["nephele", "nephele-a8", "llama.cpp", "openvino"]),
    "smollm2-q8_0": ("smollm2", "Q8_0", ["nephele", "nephele-a8", "llama.cpp", "openvino", "ctranslate2"]),
    "gemma3-q4_k_m": ("gemma3", "Q4_K_M", ["nephele", "nephele-a8", "llama.cpp"]),
    "qwen3-moe-q4_k_m": ("qwen3-moe", "Q4_K_M", ["nephele", "nephele-a8", "llama.cpp"]),
    "gpt2-int8": ("gpt2", "Q8_0", ["nephele", "nephele-a8", "llama.cpp", "ctranslate2"]),
    "gpt2-f32": ("gpt2", "F32", ["nephele", "llama.cpp", "ctranslate2", "transformers"]),
}

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rows", default=",".join(ROWS))
parser.add_argument("--only", default=",".join(PROGRAMS), help="programs")
parser.add_argument("--nephele", default=f"{here}/../../.build/release/nephele")
parser.add_argument("--work", default="/tmp/nephele-peers", help="for models that are made")
parser.add_argument("--real", default="/tmp/real", help="a folder with published models")
parser.add_argument("--prompt", type=int, default=64)
parser.add_argument("--prefill", type=int, default=512)
parser.add_argument("--generate", type=int, default=64)
parser.add_argument("--batches", default="1,16")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--json", action="store_true")


def main():
    options = parser.parse_args()
    batches = [int(count) for count in options.batches.split(",")]
    for what, names, known in [("--rows", options.rows, ROWS), ("--only", options.only, PROGRAMS)]:
        if unknown := [name for name in names.split(",") if name not in known]:
            sys.exit(f"{what} takes a list of {', '.join(known)}; got '{unknown[0]}'")
    models = Models(options.work, options.real)
    results = {}
    if not options.json:
        print(f"{processor()}; {options.threads} threads; {', '.join(versions())}")
        print(f"prefill of {options.prefill}; {options.generate} tokens behind prompts of {options.prompt}; "
              f"medians of {options.rounds} rounds\n")
    for row in options.rows.split(","):
        results[row] = measure(row, options, batches, models)
        if not options.json:
            show(row, results[row], batches)
    if options.json:
        json.dump(results, sys.stdout, indent=2)


def processor():
    lines = open("/proc/cpuinfo").read().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    has = [flag for flag in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    return f"{name} ({', '.join(has)})"


def question(program, model, kind, options, batches, models):
    """What `peer_programs.py` is asked; None where the program has no such model here."""
    name = program.removesuffix("-a8")
    asked = {"name": model, "work": options.work, "nephele": options.nephele, "prompt": options.prompt,
             "prefill": options.prefill, "generate": options.generate, "batches": batches, "threads": options.threads,
             "vocabulary": SHAPES[model].vocabulary if model in SHAPES else 30000}
    if name in ("ctranslate2", "transformers") or (name == "nephele" and model == "gpt2"):
        asked["file"] = models.checkpoint(model)
        asked["precision"] = "f32" if kind == "F32" else "int8"
    else:
        asked["file"] = models.gguf(model, kind)
    if program == "nephele-a8":
        asked["activations"] = "int8"
    return asked if asked["file"] else None


def measure(row, options, batches, models):
    model, kind, programs = ROWS[row]
    turns = [p for p in programs if p.removesuffix("-a8") in options.only.split(",")]
    rounds = []
    for number in range(options.rounds):
        figures = {}
        for program in turns if number % 2 == 0 else turns[::-1]:
            asked = question(program, model, kind, options, batches, models)
            if asked is None:
                figures[program] = {"missing": f"no {model} as {kind} in {options.real}"}
                continue
            run = subprocess.run([sys.executable, f"{here}/peer_programs.py", program.removesuffix("-a8"), json.dumps(asked)],
                                 capture_output=True, text=True)
            figures[program] = (json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else
                                {"missing": (run.stderr.strip().splitlines() or [f"ended with {run.returncode}"])[-1]})
            print(f"{row}: round {number + 1} of {options.rounds}: {program}", file=sys.stderr)
        rounds.append(figures)
    return rounds


def show(row, rounds, batches):
    columns = ["prefill"] + [str(count) for count in batches]

    def value(figures, column):
        return figures["prefill"] if column == "prefill" else figures["decode"][column]

    programs = [p for p in rounds[0] if all("prefill" in r[p] for r in rounds)]
    print(f"{row:30}" + "".join(f"{c if c == 'prefill' else c + ' sequences':>22}" for c in columns) + f"{'MiB':>8}")
    for program in rounds[0]:
        if program not in programs:
            missing = next(r[program]["missing"] for r in rounds if "missing" in r[program])
            print(f"  {program:28}not measured: {missing[:120]}")
            continue
        cells = [f"{statistics.median(value(r[program], c) for r in rounds):.0f}" for c in columns]
        if "reads" in rounds[0][program]:
            shares = [statistics.median(r[program][s] for r in rounds) for s in ("products", "reads")]
            for i, share in enumerate(shares):
                cells[i] += f" ({share:.2f} of the limit)"
        memory = statistics.median(r[program]["peak"] for r in rounds) / 2**20
        print(f"  {program:28}" + "".join(f"{cell:>22}" for cell in cells) + f"{memory:8.0f}")
    peers = [p for p in programs if not p.startswith("nephele")]
    for own in [p for p in programs if p.startswith("nephele")] if peers else []:
        cells = []
        for column in columns:
            ratios = sorted(value(r[own], column) / max(value(r[p], column) for p in peers) for r in rounds)
            cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
        print(f"  {own + ' × fastest peer':28}" + "".join(f"{cell:>22}" for cell in cells))
    print(flush=True)


if __name__ == "__main__":
    main()
