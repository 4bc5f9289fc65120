#!/usr/bin/env python3
"""Fine-tuning beside PEFT, TRL and PyTorch, on a real checkpoint (SmolLM2-135M-Instruct).

    pip install torch transformers peft trl
    training_peers.py losses --nephele PROGRAM --model DIR    # 200 steps of SFT, the same data, order and adapter
    training_peers.py speed  --nephele PROGRAM --model DIR    # LoRA SFT of 512-token samples, in turns
    training_peers.py loads  --model DIR --adapter DIR        # what PEFT makes of an adapter of ours: its mean loss
    training_peers.py scratch --nephele PROGRAM --model DIR   # GPT-2 124M from scratch, in turns; DIR has a tokenizer

Each side of `speed` runs in a process of its own; tokens/s are the median over the steps after the second, memory is the
largest resident size.
"""
import argparse, json, os, random, statistics, subprocess, sys, tempfile, time

WORDS = ("the sea was calm and old keeper of light counted ships while gulls drew wide circles over harbour before morning "
         "came with rain on slate roofs where children sang about kings stones rivers bread salt winter horses").split()
TARGETS = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"


def text(pick, words): return " ".join(pick.choice(WORDS) for _ in range(words)).capitalize() + "."


def chats(count, seed):
    pick = random.Random(seed)
    return [{"prompt": [{"role": "user", "content": text(pick, pick.randint(4, 12))}],
             "completion": [{"role": "assistant", "content": text(pick, pick.randint(8, 40))}]} for _ in range(count)]


def write(path, rows):
    with open(path, "w") as file:
        for row in rows: file.write(json.dumps(row) + "\n")


def finetune(nephele, *arguments):
    """The steps of a run, and its largest resident size in MB."""
    process = subprocess.Popen([nephele, "finetune", "--json", *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return lines[1:], usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def model_of(directory, dtype="float32"):
    import torch
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(directory, dtype=getattr(torch, dtype))


def adapted(model, rank=16):
    from peft import LoraConfig, get_peft_model
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS.split(","), task_type="CAUSAL_LM"))


def losses(options):
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer
    with tempfile.TemporaryDirectory() as directory:
        rows = chats(100, 5)
        write(f"{directory}/data.jsonl", rows)
        torch.manual_seed(1)
        model = adapted(model_of(options.model), 8)
        model.save_pretrained(f"{directory}/start")
        own, _, _ = finetune(options.nephele, "--model", options.model, "--data", f"{directory}/data.jsonl", "--output",
                             f"{directory}/out", "--adapter", f"{directory}/start", "--steps", options.steps, "--batch", 2,
                             "--learning-rate", "5e-4", "--schedule", "cosine", "--warm-up", 10, "--no-shuffle")
        theirs = []

        class Recording(SFTTrainer):
            def compute_loss(self, *arguments, **named):
                result = super().compute_loss(*arguments, **named)
                theirs.append((result[0] if isinstance(result, tuple) else result).item())
                return result

        config = SFTConfig(
            output_dir=f"{directory}/trl", use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
            per_device_train_batch_size=2, max_steps=options.steps, learning_rate=5e-4, lr_scheduler_type="cosine",
            warmup_steps=10, save_strategy="no", report_to=[], train_sampling_strategy="sequential", disable_tqdm=True,
            logging_steps=1000)
        Recording(model=model, args=config, train_dataset=Dataset.from_list(rows),
                  processing_class=AutoTokenizer.from_pretrained(options.model)).train()
        differences = [abs(a["loss"] - b) for a, b in zip(own, theirs, strict=True)]
        print(json.dumps({"steps": len(theirs), "first": [own[0]["loss"], theirs[0]], "last": [own[-1]["loss"], theirs[-1]],
                          "largest difference": max(differences)}))
        assert max(differences) < 1e-3, differences


def torch_speed(options):
    """One process of PyTorch and PEFT: prints seconds of each step."""
    import torch
    from transformers import AutoTokenizer
    torch.manual_seed(0)
    model = adapted(model_of(options.model, options.dtype))
    model.train()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    rows = [json.loads(line) for line in open(options.data)]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0)
    for step in range(options.steps):
        batch = [tokenizer(row["completion"])["input_ids"][:512] for row in rows[step * options.batch:(step + 1) * options.batch]]
        start = time.perf_counter()
        ids = torch.tensor(batch)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(json.dumps({"tokensPerSecond": ids.numel() / (time.perf_counter() - start)}), flush=True)


def speed(options):
    with tempfile.TemporaryDirectory() as directory:
        pick = random.Random(3)
        rows = [{"prompt": "", "completion": text(pick, 700)} for _ in range(options.steps * options.batch)]
        write(f"{directory}/data.jsonl", rows)

        def own(precision):
            steps, memory, seconds = finetune(
                options.nephele, "--model", options.model, "--data", f"{directory}/data.jsonl", "--output",
                f"{directory}/out-{precision}-{time.time()}", "--steps", options.steps, "--batch", options.batch, "--max-length", 512,
                "--long-samples", "cut", "--no-shuffle", "--precision", precision)
            return [step["tokensPerSecond"] for step in steps], memory, seconds

        def theirs(dtype):
            command = [sys.executable, __file__, "torch", "--model", options.model, "--data", f"{directory}/data.jsonl", "--steps",
                       str(options.steps), "--batch", str(options.batch), "--dtype", dtype]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            rates = [json.loads(line)["tokensPerSecond"] for line in process.stdout if line.startswith("{")]
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, status
            return rates, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime

        sides = {"nephele": lambda: own("auto"), "pytorch f32": lambda: theirs("float32"), "nephele int8": lambda: own("int8"),
                 "pytorch bf16": lambda: theirs("bfloat16")}
        found = {name: ([], [], []) for name in sides}
        for _ in range(options.rounds):
            for name, side in sides.items():
                rates, memory, seconds = side()
                found[name][0].extend(rates[2:])
                found[name][1].append(memory)
                found[name][2].append(seconds)
        for name, (rates, memory, seconds) in found.items():
            print(f"{name:14} {statistics.median(rates):8.1f} tokens/s   {max(memory):7.0f} MB   "
                  f"{min(seconds):6.1f} s of the processor   load {os.getloadavg()[0]:.1f}", flush=True)


def loads(options):
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    base = model_of(options.model)
    rows = chats(4, 5)
    def mean(model):
        total, count = 0.0, 0
        for row in rows:
            prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
            whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=True)["input_ids"]
            with torch.no_grad(): logits = model(torch.tensor([whole])).logits[0]
            total += torch.nn.functional.cross_entropy(logits[len(prompt) - 1:-1], torch.tensor(whole[len(prompt):]), reduction="sum").item()
            count += len(whole) - len(prompt)
        return total / count
    before = mean(base)
    print(json.dumps({"base": before, "adapted": mean(PeftModel.from_pretrained(base, options.adapter))}))


def make_scratch(options):
    """Writes a GPT-2 124M of random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel
    end = {"bos_token_id": None, "eos_token_id": None}
    GPT2LMHeadModel(GPT2Config(vocab_size=options.vocabulary, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **end)).save_pretrained(
        options.model)


def torch_scratch(options):
    """One process of PyTorch that trains GPT-2 124M on random tokens: prints tokens/s of each step."""
    import torch
    torch.manual_seed(0)
    model = model_of(options.model)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(options.steps):
        start = time.perf_counter()
        # As nephele does, and as who accumulates does: one sequence at a time.
        for _ in range(options.batch):
            ids = torch.randint(0, options.vocabulary, (1, options.length + 1))
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits
            (torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()) / options.batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(json.dumps({"tokensPerSecond": options.batch * options.length / (time.perf_counter() - start)}), flush=True)


def scratch(options):
    from transformers import AutoTokenizer
    vocabulary = len(AutoTokenizer.from_pretrained(options.model))
    with tempfile.TemporaryDirectory() as directory:
        pick = random.Random(3)
        with open(f"{directory}/data.txt", "w") as file: file.write(text(pick, 2 * options.steps * options.batch * options.length))
        outputs = iter(range(100))
        # Both begin with weights that are there: what is measured is steps.
        subprocess.run([sys.executable, __file__, "make_scratch", "--model", f"{directory}/gpt2", "--vocabulary", str(vocabulary)],
                       check=True, stderr=subprocess.DEVNULL)

        def own():
            command = [options.nephele, "train", "text", "--json", "--from", f"{directory}/gpt2", "--tokenizer", options.model,
                       "--data", f"{directory}/data.txt", "--output", f"{directory}/out-{next(outputs)}", "--sequence-length",
                       str(options.length), "--batch", str(options.batch), "--steps", str(options.steps), "--held-out", "0",
                       "--parts", "1", "--checkpoint-every", "1000"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            lines = [json.loads(line) for line in process.stdout]
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, status
            return [line["tokensPerSecond"] for line in lines[1:]], usage.ru_maxrss / 1024

        def theirs():
            command = [sys.executable, __file__, "torch_scratch", "--model", f"{directory}/gpt2", "--vocabulary", str(vocabulary), "--length",
                       str(options.length), "--batch", str(options.batch), "--steps", str(options.steps)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            rates = [json.loads(line)["tokensPerSecond"] for line in process.stdout if line.startswith("{")]
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, status
            return rates, usage.ru_maxrss / 1024

        found = {"nephele": ([], []), "pytorch f32": ([], [])}
        for _ in range(options.rounds):
            for name, side in (("nephele", own), ("pytorch f32", theirs)):
                rates, memory = side()
                found[name][0].extend(rates[1:])
                found[name][1].append(memory)
        for name, (rates, memory) in found.items():
            print(f"{name:14} {statistics.median(rates):8.1f} tokens/s   {max(memory):7.0f} MB   load {os.getloadavg()[0]:.1f}",
                  flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["losses", "speed", "torch", "loads", "scratch", "torch_scratch", "make_scratch"])
parser.add_argument("--nephele")
parser.add_argument("--model", required=True)
parser.add_argument("--adapter")
parser.add_argument("--data")
parser.add_argument("--steps", type=int)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--dtype", default="float32")
parser.add_argument("--length", type=int, default=512)
parser.add_argument("--vocabulary", type=int)
options = parser.parse_args()
options.steps = options.steps or (200 if options.what == "losses" else 8)
globals()["torch_speed" if options.what == "torch" else options.what](options)
