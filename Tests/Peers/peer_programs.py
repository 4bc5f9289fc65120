"""One program measured on one model, in a process of its own: `peer_programs.py PROGRAM '{"file": …, …}'` prints a line of JSON.

A measurement has "prefill" (tokens a second of one prompt), "decode" by the number of sequences (tokens a second of all
together, behind prompts of --prompt tokens), and "peak" (bytes that the process had at most). Greedy, a 16-bit key-value
cache where the program has one.
"""
import json, os, resource, subprocess, sys, time

import numpy as np


def prompt(length, vocabulary):
    return [(i * 131 + 17) % min(vocabulary, 30000) for i in range(length)]


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def nephele(o):
    """A checkpoint's directory or a GGUF file; `precision` and `activations` as `bench text` takes them."""
    model = o["file"]
    if model.endswith(".gguf"):
        # A model is a directory with one GGUF file.
        directory = f"{o['work']}/nephele/{os.path.basename(model)[:-5]}"
        os.makedirs(directory, exist_ok=True)
        if not os.path.lexists(link := f"{directory}/model.gguf"):
            os.symlink(os.path.abspath(model), link)
        model = directory
    out = subprocess.run(
        [o["nephele"], "bench", "text", "--model", f"peers={model}", "--precision", o.get("precision", "auto"),
         "--activations", o.get("activations", "auto"), "--prompt", str(o["prompt"]), "--prefill", str(o["prefill"]),
         "--generate", str(o["generate"]), "--batch", ",".join(map(str, o["batches"])), "--threads", str(o["threads"]),
         "--rounds", "1", "--json"], check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    return {"prefill": report["prefill_tokens_per_second"], "peak": report["peak_memory_bytes"],
            "reads": report["bandwidth_share"], "products": report["flops_share"],
            "decode": {str(d["batch"]): d["tokens_per_second"] for d in report["decode"]}}


def llama_cpp(o):
    import llama_cpp as llama
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, None)
    model = llama.llama_model_load_from_file(o["file"].encode(), llama.llama_model_default_params())
    vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))

    def context(positions, sequences):
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = positions, max(512, positions), 512
        params.n_seq_max, params.n_threads, params.n_threads_batch = sequences, o["threads"], o["threads"]
        params.kv_unified = True
        return llama.llama_init_from_model(model, params)

    def decode(ctx, rows):
        """Rows (token, position, sequence, wants logits); the argmax of those that want them."""
        batch = llama.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, wanted
        if status := llama.llama_decode(ctx, batch):
            raise RuntimeError(f"llama_decode: {status}")
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

    prefill(prompt(64, vocabulary))  # The first one touches the weights' pages.
    ids = prompt(o["prefill"], vocabulary)
    figures = {"prefill": len(ids) / prefill(ids), "decode": {}}
    ids = prompt(o["prompt"], vocabulary)
    for count in o["batches"]:
        ctx = context(count * (o["prompt"] + o["generate"] + 64), count)
        last = [decode(ctx, [(token, i, s, i == len(ids) - 1) for i, token in enumerate(ids)])[0]
                for s in range(count)]
        start = time.perf_counter()
        for step in range(o["generate"]):
            last = decode(ctx, [(last[s], len(ids) + step, s, True) for s in range(count)])
        figures["decode"][str(count)] = count * o["generate"] / (time.perf_counter() - start)
        llama.llama_free(ctx)
    return {**figures, "peak": peak()}


def by_difference(o, run):
    """Prefill by a generation of one token; decode by what more tokens take beyond it."""
    run(1, 64, 2)
    figures = {"prefill": o["prefill"] / run(1, o["prefill"], 1), "decode": {}}
    for count in o["batches"]:
        took = run(count, o["prompt"], o["generate"] + 1) - run(count, o["prompt"], 1)
        figures["decode"][str(count)] = count * o["generate"] / took
    return {**figures, "peak": peak()}


def openvino(o):
    """A GGUF file, which OpenVINO GenAI reads itself. Sequences of a batch have prompts of their own, so that none is shared."""
    import openvino as ov
    import openvino_genai as genai
    pipe = genai.LLMPipeline(o["file"], "CPU", INFERENCE_NUM_THREADS=o["threads"])
    vocabulary = o["vocabulary"]

    def run(count, length, new):
        ids = np.array([[(i * 131 + 17 + s * 977) % vocabulary for i in range(length)] for s in range(count)], np.int64)
        config = genai.GenerationConfig(max_new_tokens=new, min_new_tokens=new, ignore_eos=True, do_sample=False)
        start = time.perf_counter()
        pipe.generate(genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids))), config)
        return time.perf_counter() - start

    return by_difference(o, run)


def ctranslate2(o):
    """A Hugging Face checkpoint, converted once; `precision` f32 or int8."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    kind = "float32" if o["precision"] == "f32" else "int8"
    directory = f"{o['work']}/ct2-{o['name']}-{kind}"
    if not os.path.exists(directory):
        TransformersConverter(o["file"]).convert(directory, quantization=kind)
    generator = ctranslate2.Generator(directory, device="cpu", intra_threads=o["threads"], inter_threads=1)
    pieces = json.load(open(f"{directory}/vocabulary.json"))

    def run(count, length, new):
        start = time.perf_counter()
        generator.generate_batch(
            [[pieces[i] for i in prompt(length, len(pieces))]] * count, max_length=new, min_length=new, sampling_topk=1,
            include_prompt_in_result=False, max_batch_size=count, batch_type="examples")
        return time.perf_counter() - start

    return by_difference(o, run)


def transformers(o):
    import torch
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(o["threads"])
    model = AutoModelForCausalLM.from_pretrained(o["file"], dtype=torch.float32).eval()

    def run(count, length, new):
        ids = torch.tensor([prompt(length, model.config.vocab_size)] * count)
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=new,
                           max_new_tokens=new, pad_token_id=0)
        return time.perf_counter() - start

    return by_difference(o, run)


PROGRAMS = {"nephele": nephele, "llama.cpp": llama_cpp, "openvino": openvino, "ctranslate2": ctranslate2,
            "transformers": transformers}


def versions():
    from importlib.metadata import PackageNotFoundError, version
    packages = {"llama.cpp": "llama-cpp-python", "openvino": "openvino-genai", "ctranslate2": "ctranslate2",
                "transformers": "transformers"}
    for program, package in packages.items():
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} is not installed"


if __name__ == "__main__":
    options = json.loads(sys.argv[2])
    os.environ["OMP_NUM_THREADS"] = str(options["threads"])
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print is no result.
    print(json.dumps(PROGRAMS[sys.argv[1]](options)))
