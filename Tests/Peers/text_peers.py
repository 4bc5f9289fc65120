#!/usr/bin/env python3
"""Nephele's text engine beside its peers: the same GPT-2-shaped checkpoint, prompt, lengths and threads, in one run.

    pip install torch transformers ctranslate2 llama-cpp-python gguf
    swift build -c release --product nephele
    python3 Tests/Peers/text_peers.py                  # makes a 124M checkpoint from a seed
    python3 Tests/Peers/text_peers.py --only nephele,llama.cpp --batches 1,16

Greedy, 16-bit key-value cache where the peer has one. Prefill is one prompt of 512; decode counts the tokens after each
sequence's prompt of 64. The programs take turns, round by round and every other round backwards, since the rate of a
virtual machine's memory changes within a minute. Figures are medians over --rounds; a ratio is the median of the
rounds' own ratios, Nephele's figure over the peer's at the same precision, beside the lowest and the highest.
"""
import argparse, json, os, statistics, subprocess, sys, time

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--model", default="/tmp/nephele-peers/gpt2-124m", help="a GPT-2 checkpoint; made where absent")
arguments.add_argument("--nephele", default=f"{here}/../../.build/release/nephele")
arguments.add_argument("--work", default="/tmp/nephele-peers", help="for converted checkpoints")
arguments.add_argument("--only", default="nephele,llama.cpp,ctranslate2,transformers")
arguments.add_argument("--prompt", type=int, default=64)
arguments.add_argument("--prefill", type=int, default=512)
arguments.add_argument("--generate", type=int, default=128)
arguments.add_argument("--batches", default="1,8,16,32")
arguments.add_argument("--threads", type=int, default=os.cpu_count())
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--json", action="store_true")
options = arguments.parse_args()
batches = [int(b) for b in options.batches.split(",")]
os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))


def prompt(length, vocabulary):
    return [(i * 131 + 17) % vocabulary for i in range(length)]


def make_checkpoint(directory):
    """GPT-2 of 124 million parameters from seed 0, with byte-level pieces as its vocabulary."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(directory)
    from tokenizers.pre_tokenizers import ByteLevel
    pieces = sorted(ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    vocabulary.update({f"<{i}>": i for i in range(len(pieces), 50257)})
    json.dump(vocabulary, open(f"{directory}/vocab.json", "w"))
    open(f"{directory}/merges.txt", "w").write("#version: 0.2\n")


# ------------------------------------------------------------------------------------------------ Nephele

def nephele(precision):
    out = subprocess.run(
        [options.nephele, "bench", "text", "--model", f"peers={options.model}", "--precision", precision,
         "--prompt", str(options.prompt), "--prefill", str(options.prefill), "--generate", str(options.generate),
         "--batch", options.batches, "--threads", str(options.threads), "--rounds", "1", "--json"],
        check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    return {"prefill": report["prefill_tokens_per_second"], "bandwidth_share": report["bandwidth_share"],
            "flops_share": report["flops_share"],
            **{str(d["batch"]): d["tokens_per_second"] for d in report["decode"]}}


# ------------------------------------------------------------------------------------------------ llama.cpp

def gguf_file(kind):
    """The checkpoint as llama.cpp's own converter lays it out: F32, or matrices in Q8_0."""
    path = f"{options.work}/gpt2-{kind}.gguf"
    if os.path.exists(path):
        return path
    import gguf
    from gguf.quants import quantize
    from safetensors.numpy import load_file
    config = json.load(open(f"{options.model}/config.json"))
    tensors = {name.removeprefix("transformer."): value
               for name, value in load_file(f"{options.model}/model.safetensors").items()}
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    vocabulary = json.load(open(f"{options.model}/vocab.json"))
    pieces = [piece for piece, _ in sorted(vocabulary.items(), key=lambda entry: entry[1])]
    pieces += [f"<{i}>" for i in range(len(pieces), config["vocab_size"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types([1] * len(pieces))
    writer.add_token_merges([line for line in open(f"{options.model}/merges.txt").read().splitlines()[1:] if line]
                            or ["a b"])
    names = {"wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight",
             "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias"}
    parts = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
             "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for name, value in tensors.items():
        if name.startswith("h."):
            _, layer, rest = name.split(".", 2)
            part, what = rest.rsplit(".", 1)
            if part not in parts:
                continue
            name = f"blk.{layer}.{parts[part]}.{what}"
            if value.ndim == 2:
                value = value.T  # Conv1D holds inputs first
        elif name in names:
            name = names[name]
        else:
            continue
        value = np.ascontiguousarray(value, dtype=np.float32)
        if kind == "q8_0" and value.ndim == 2 and not name.startswith("position"):
            writer.add_tensor(name, quantize(value, gguf.GGMLQuantizationType.Q8_0),
                              raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def llama_cpp(precision):
    import llama_cpp as llama
    global quiet  # the library keeps no reference to it
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, None)
    model = llama.llama_model_load_from_file(
        gguf_file("f32" if precision == "f32" else "q8_0").encode(), llama.llama_model_default_params())
    vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))

    def context(positions, sequences):
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = positions, max(512, positions), 512
        params.n_seq_max, params.n_threads, params.n_threads_batch = sequences, options.threads, options.threads
        params.kv_unified = True
        return llama.llama_init_from_model(model, params)

    def decode(ctx, rows):
        """Rows (token, position, sequence, wants logits); the argmax of those that want them."""
        batch = llama.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, wanted
        assert llama.llama_decode(ctx, batch) == 0
        chosen = [int(np.ctypeslib.as_array(llama.llama_get_logits_ith(ctx, i), (vocabulary,)).argmax())
                  for i, row in enumerate(rows) if row[3]]
        llama.llama_batch_free(batch)
        return chosen

    def prefill(ids):
        ctx = context(len(ids) + 64, 1)
        start = time.perf_counter()
        decode(ctx, [(token, i, 0, i == len(ids) - 1) for i, token in enumerate(ids)])
        took = time.perf_counter() - start
        llama.llama_free(ctx)
        return took

    ids = prompt(options.prefill, vocabulary)
    prefill(ids)  # The first one touches the weights' pages.
    figures = {"prefill": len(ids) / prefill(ids)}
    ids = prompt(options.prompt, vocabulary)
    for count in batches:
        ctx = context(count * (options.prompt + options.generate + 64), count)
        last = [decode(ctx, [(token, i, s, i == len(ids) - 1) for i, token in enumerate(ids)])[0]
                for s in range(count)]
        start = time.perf_counter()
        for step in range(options.generate):
            last = decode(ctx, [(last[s], len(ids) + step, s, True) for s in range(count)])
        figures[str(count)] = count * options.generate / (time.perf_counter() - start)
        llama.llama_free(ctx)
    llama.llama_model_free(model)
    return figures


# ------------------------------------------------------------------------------------------------ CTranslate2

def ctranslate2_(precision):
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    directory = f"{options.work}/ct2-{precision}"
    if not os.path.exists(directory):
        TransformersConverter(options.model).convert(directory, quantization="float32" if precision == "f32" else "int8")
    generator = ctranslate2.Generator(directory, device="cpu", intra_threads=options.threads, inter_threads=1)
    pieces = [p for p, _ in sorted(json.load(open(f"{options.model}/vocab.json")).items(), key=lambda e: e[1])]

    def run(count, length, new):
        start = time.perf_counter()
        generator.generate_batch(
            [[pieces[i] for i in prompt(length, len(pieces))]] * count, max_length=new, min_length=new, sampling_topk=1,
            include_prompt_in_result=False, max_batch_size=count, batch_type="examples")
        return time.perf_counter() - start

    return by_difference(run)


# ------------------------------------------------------------------------------------------------ transformers

def transformers_(precision):
    import torch
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(options.threads)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()

    def run(count, length, new):
        ids = torch.tensor([prompt(length, model.config.vocab_size)] * count)
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=new,
                           max_new_tokens=new, pad_token_id=0)
        return time.perf_counter() - start

    return by_difference(run)


def by_difference(run):
    """Prefill by a generation of one token; decode by what more tokens take beyond it."""
    run(1, 8, 2)
    run(1, options.prefill, 1)
    figures = {"prefill": options.prefill / run(1, options.prefill, 1)}
    for count in batches:
        took = run(count, options.prompt, options.generate + 1) - run(count, options.prompt, 1)
        figures[str(count)] = count * options.generate / took
    return figures


# ------------------------------------------------------------------------------------------------ the table

PEERS = {"nephele": (nephele, ["f32", "int8"]), "llama.cpp": (llama_cpp, ["f32", "int8"]),
         "ctranslate2": (ctranslate2_, ["f32", "int8"]), "transformers": (transformers_, ["f32"])}

if not os.path.exists(f"{options.model}/config.json"):
    make_checkpoint(options.model)
os.makedirs(options.work, exist_ok=True)
chosen = options.only.split(",")
if unknown := [name for name in chosen if name not in PEERS]:
    sys.exit(f"--only takes a list of {', '.join(PEERS)}; got '{unknown[0]}'")
# All programs at one precision, then all at the other: what is compared stands close together in time.
turns = [(name, precision) for precision in ["f32", "int8"] for name in chosen if precision in PEERS[name][1]]
rounds = []
for number in range(options.rounds):
    figures = {}
    for name, precision in turns if number % 2 == 0 else reversed(turns):
        figures[f"{name} {precision}"] = PEERS[name][0](precision)
        print(f"round {number + 1} of {options.rounds}: measured {name} {precision}", file=sys.stderr)
    rounds.append(figures)
if options.json:
    json.dump(rounds, sys.stdout, indent=2)
    sys.exit()
columns = ["prefill"] + [str(b) for b in batches]
print(f"{'tokens/s':24}" + "".join(f"{c if c == 'prefill' else 'B=' + c:>18}" for c in columns))
for name, precision in turns:
    name = f"{name} {precision}"
    print(f"{name:24}" + "".join(f"{statistics.median(r[name][c] for r in rounds):18.0f}" for c in columns))
for peer, precision in turns:
    if peer != "nephele" and ("nephele", precision) in turns:
        cells = []
        for column in columns:
            ratios = sorted(r[f"nephele {precision}"][column] / r[f"{peer} {precision}"][column] for r in rounds)
            cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
        print(f"{f'ratio to {peer} {precision}':24}" + "".join(f"{cell:>18}" for cell in cells))
for precision in ["f32", "int8"]:
    if ("nephele", precision) in turns:
        own = [r[f"nephele {precision}"] for r in rounds]
        print(f"nephele {precision}: {statistics.median(r['bandwidth_share'] for r in own):.2f} of the memory's reads at "
              f"B=1, {statistics.median(r['flops_share'] for r in own):.2f} of the f32 multiply-adds in prefill")
