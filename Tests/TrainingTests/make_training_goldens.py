#!/usr/bin/env python3
"""What transformers, PEFT and TRL make of training on tiny checkpoints.

    pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2 trl==1.16.0
    python3 make_training_goldens.py [gradients] [runs] [full] [dora]

gradients: for the tiny checkpoints of TextModelsTests/Goldens an adapter of random numbers on all linear layers, the mean
cross-entropy of some tokens of two texts, and its gradient by each matrix, in f64; the gradient of one matrix is checked
against finite differences. Goldens/NAME/{adapter_config.json, adapter_model.safetensors, gradients.safetensors, loss.json}

runs: a tiny Llama with a chat template (Goldens/chat), data for each method, an adapter to begin with, and the losses of
TRL's SFTTrainer, DPOTrainer and KTOTrainer, step by step. Goldens/{sft,dpo,kto}.{jsonl,json}

full: the losses of SFTTrainer without an adapter, all weights trained, on the same model and data. Goldens/full.json

dora: as `gradients`, with the magnitudes of DoRA. Goldens/NAME-dora/
"""
import json, os, random, shutil, sys
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
models = f"{here}/../TextModelsTests/Goldens"
goldens = f"{here}/Goldens"
TEXTS = [[5, 17, 3, 99, 42, 42, 7, 120, 64, 31, 9, 200, 14, 77, 3, 3, 18, 250, 6, 101, 55, 8, 32], [12, 80, 7, 7, 91, 30, 2]]
ANSWERS = [[[4, 9], [15, 23]], [[2, 7]]]


def adapted(model, seed, **over):
    """The model with LoRA of random A and B, so that both have gradients."""
    config = LoraConfig(**{**dict(r=4, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM"), **over})
    model = get_peft_model(model, config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Magnitudes stay near the norms that they begin as.
            if "magnitude" in name: parameter.mul_(1 + 0.2 * torch.rand_like(parameter))
            elif "lora_" in name: parameter.copy_((torch.randn_like(parameter) * 0.15).float())
    return model


def mean_loss(model):
    total, count = 0, 0
    for ids, answers in zip(TEXTS, ANSWERS):
        logits = model(torch.tensor([ids])).logits[0]
        for begin, end in answers:
            total = total + torch.nn.functional.cross_entropy(logits[begin - 1:end - 1], torch.tensor(ids[begin:end]), reduction="sum")
            count += end - begin
    return total / count


def gradients(name, seed, into=None, **over):
    directory = f"{goldens}/{into or name}"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    model = AutoModelForCausalLM.from_pretrained(f"{models}/{name}", dtype=torch.float32, attn_implementation="eager")
    model = adapted(model, seed, **over)
    model.save_pretrained(directory)
    os.remove(f"{directory}/README.md")
    config = json.load(open(f"{directory}/adapter_config.json"))
    config["base_model_name_or_path"] = name
    json.dump(config, open(f"{directory}/adapter_config.json", "w"), indent=1)
    model = model.double()
    loss = mean_loss(model)
    loss.backward()
    found = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    # DoRA takes the norm of the adapted weight as constant (section 4.3 of its paper): A and B have no true derivative there.
    kind = "magnitude" if over.get("use_dora") else "lora_B"
    key, p = next((key, p) for key, p in model.named_parameters() if kind in key)
    with torch.no_grad():
        slope = []
        for i, step in ((0, 1e-3), (p.numel() - 1, 1e-3)):
            flat, old = p.view(-1), p.view(-1)[i].item()
            values = []
            for sign in (1, -1):
                flat[i] = old + sign * step
                values.append(mean_loss(model).item())
            flat[i] = old
            slope.append((values[0] - values[1]) / (2 * step))
            # transformers computes norms and rotations in f32, whatever the model's type.
            assert abs(slope[-1] - found[key].view(-1)[i].item()) < 2e-3 * found[key].abs().max(), (name, key, i, slope)
    save_file({key.replace(".default", ""): g.float().contiguous() for key, g in found.items()}, f"{directory}/gradients.safetensors")
    json.dump({"texts": TEXTS, "answers": ANSWERS, "loss": loss.item()}, open(f"{directory}/loss.json", "w"))
    print(name, "loss", loss.item(), len(found), "gradients")


WORDS = "the sea a king night and of love time rose stone hand gold word wind on in is was no so then light".split()


def sentence(random, words): return " ".join(random.choice(WORDS) for _ in range(words))


TEMPLATE = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def make_chat():
    """A tiny Llama of bytes and five control tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models as kinds, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    tok = Tokenizer(kinds.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, special=True) for t in ("<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|pad|>")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=261, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5, bos_token_id=None, eos_token_id=256,
        pad_token_id=260, tie_word_embeddings=True))
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1: p.mul_(4)
    shutil.rmtree(f"{goldens}/chat", ignore_errors=True)
    model.save_pretrained(f"{goldens}/chat")
    tokenizer.save_pretrained(f"{goldens}/chat")


def data():
    pick = random.Random(7)
    user = lambda: [{"role": "user", "content": sentence(pick, pick.randint(2, 6))}]
    said = lambda: [{"role": "assistant", "content": sentence(pick, pick.randint(1, 8))}]
    files = {
        "sft": [{"prompt": user(), "completion": said()} for _ in range(18)]
        + [{"prompt": user() + said() + user(), "completion": said()} for _ in range(6)],
        "dpo": [{"prompt": user(), "chosen": said(), "rejected": said()} for _ in range(12)],
        "kto": [{"prompt": user(), "completion": said(), "label": pick.random() < 0.6} for _ in range(16)],
    }
    for name, rows in files.items():
        with open(f"{goldens}/{name}.jsonl", "w") as file:
            for row in rows: file.write(json.dumps(row) + "\n")
    return files


def runs():
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
    make_chat()
    files = data()
    # The adapter that all begin with.
    directory = f"{goldens}/start"
    shutil.rmtree(directory, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(f"{goldens}/chat", dtype=torch.float32)
    model = adapted(model, 11, r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    model.save_pretrained(directory)
    os.remove(f"{directory}/README.md")
    config = json.load(open(f"{directory}/adapter_config.json"))
    config["base_model_name_or_path"] = "chat"
    json.dump(config, open(f"{directory}/adapter_config.json", "w"), indent=1)
    common = dict(
        output_dir="/tmp/training-goldens", use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
        per_device_train_batch_size=4, lr_scheduler_type="cosine", warmup_steps=5, logging_steps=1, save_strategy="no",
        report_to=[], max_grad_norm=1.0, train_sampling_strategy="sequential", max_length=256, disable_tqdm=True)
    for name, trainer_class, config_class, over in (
        ("sft", SFTTrainer, SFTConfig, dict(max_steps=200, learning_rate=5e-3, weight_decay=0.01)),
        ("dpo", DPOTrainer, DPOConfig, dict(max_steps=60, learning_rate=5e-3, beta=0.2)),
        ("kto", KTOTrainer, KTOConfig, dict(max_steps=60, learning_rate=5e-3, beta=0.2, desirable_weight=1.2,
                                            undesirable_weight=0.8)),
    ):
        from peft import PeftModel
        base = AutoModelForCausalLM.from_pretrained(f"{goldens}/chat", dtype=torch.float32)
        model = PeftModel.from_pretrained(base, directory, is_trainable=True)
        tokenizer = AutoTokenizer.from_pretrained(f"{goldens}/chat")
        losses = []

        class Recording(trainer_class):
            def compute_loss(self, *arguments, **named):
                result = super().compute_loss(*arguments, **named)
                losses.append((result[0] if isinstance(result, tuple) else result).item())
                return result

        trainer = Recording(model=model, args=config_class(**common, **over), train_dataset=Dataset.from_list(files[name]),
                            processing_class=tokenizer)
        trainer.train()
        logs = [log for log in trainer.state.log_history if "grad_norm" in log]
        assert len(losses) == len(logs) == over["max_steps"], (len(losses), len(logs))
        for loss, log in zip(losses, logs): assert abs(loss - log["loss"]) < 1e-4, (loss, log)
        keep = {"losses": losses, "norms": [log["grad_norm"] for log in logs], "options": over}
        for key in ("rewards/chosen", "rewards/rejected"):
            if key in logs[0]: keep[key] = [log.get(key) for log in logs]
        json.dump(keep, open(f"{goldens}/{name}.json", "w"))
        print(name, losses[0], "…", losses[-1])


def full():
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer
    options = dict(max_steps=60, learning_rate=3e-3, weight_decay=0.1)
    rows = [json.loads(line) for line in open(f"{goldens}/sft.jsonl")]
    losses = []

    class Recording(SFTTrainer):
        def compute_loss(self, *arguments, **named):
            result = super().compute_loss(*arguments, **named)
            losses.append((result[0] if isinstance(result, tuple) else result).item())
            return result

    trainer = Recording(
        model=AutoModelForCausalLM.from_pretrained(f"{goldens}/chat", dtype=torch.float32),
        args=SFTConfig(output_dir="/tmp/training-goldens", use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
                       per_device_train_batch_size=4, lr_scheduler_type="cosine", warmup_steps=5, logging_steps=1,
                       save_strategy="no", report_to=[], max_grad_norm=1.0, train_sampling_strategy="sequential",
                       max_length=256, disable_tqdm=True, **options),
        train_dataset=Dataset.from_list(rows), processing_class=AutoTokenizer.from_pretrained(f"{goldens}/chat"))
    trainer.train()
    norms = [log["grad_norm"] for log in trainer.state.log_history if "grad_norm" in log]
    json.dump({"losses": losses, "norms": norms, "options": options}, open(f"{goldens}/full.json", "w"))
    print("full", losses[0], "…", losses[-1])


if "gradients" in sys.argv or len(sys.argv) == 1:
    for seed, name in enumerate(("llama", "llama-tied-bf16", "llama3-scaled", "mistral", "qwen2", "qwen2-sliding", "qwen3", "phi3",
                                 "gemma3", "granite", "olmo2", "smollm3", "exaone4", "glm4")):
        gradients(name, 100 + seed)
if "runs" in sys.argv or len(sys.argv) == 1: runs()
if "full" in sys.argv or len(sys.argv) == 1: full()
if "dora" in sys.argv or len(sys.argv) == 1:
    for seed, name in enumerate(("llama", "qwen2", "phi3")): gradients(name, 200 + seed, f"{name}-dora", use_dora=True)
