#!/usr/bin/env python3
"""What transformers and PyTorch make of training whole language models on texts.

    pip install torch==2.13.0 transformers==5.24.0
    python3 make_text_goldens.py

For a tiny GPT-2 and a tiny Llama with biases and a head of its own: the weights that training begins with, the loss and its
gradients by all weights on the first batch in f64 (some checked against finite differences), and the losses of 200 steps of
torch.optim.AdamW with decay of matrices alone, clipping, warm-up and a cosine. The tokenizer is that of Goldens/chat.
Goldens/texts.jsonl, Goldens/{gpt2,llama}-whole/{config.json, model.safetensors, gradients.safetensors, losses.json}
"""
import json, os, random, shutil
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup

here = os.path.dirname(os.path.abspath(__file__))
goldens = f"{here}/Goldens"
WORDS = "the sea a king night and of love time rose stone hand gold word wind on in is was no so then light".split()
CONTEXT, BATCH, STEPS, END = 32, 4, 200, 256
F = torch.nn.functional


def texts():
    pick = random.Random(5)
    rows = [" ".join(pick.choice(WORDS) for _ in range(pick.randint(3, 16))).capitalize() + "." for _ in range(60)]
    with open(f"{goldens}/texts.jsonl", "w") as file:
        for row in rows: file.write(json.dumps({"text": row}) + "\n")
    return rows


def stream(rows):
    """Tokens, and where texts begin."""
    tokenizer = AutoTokenizer.from_pretrained(f"{goldens}/chat")
    tokens, starts = [], []
    for row in rows:
        starts.append(len(tokens))
        tokens += tokenizer(row)["input_ids"] + [END]
    return tokens, starts


def batch(tokens, step):
    count = (len(tokens) - 1) // CONTEXT
    picked = [(step * BATCH + i) % count for i in range(BATCH)]
    cut = lambda shift: torch.tensor([tokens[i * CONTEXT + shift:(i + 1) * CONTEXT + shift] for i in picked])
    return cut(0), cut(1)


def loss_of(model, ids, targets):
    return F.cross_entropy(model(ids, use_cache=False).logits.flatten(0, 1), targets.flatten())


def separated(model, tokens, starts):
    """The mean loss of the first batch when texts of a sequence do not see each other."""
    total, count = 0.0, 0
    for sequence in range(BATCH):
        begin, end = sequence * CONTEXT, (sequence + 1) * CONTEXT
        cuts = [begin] + [s for s in starts if begin < s < end] + [end]
        for a, b in zip(cuts, cuts[1:]):
            targets = tokens[a + 1:b + 1]
            if b in starts: targets = targets[:-1]
            logits = model(torch.tensor([tokens[a:b]]), use_cache=False).logits[0][:len(targets)]
            total += F.cross_entropy(logits, torch.tensor(targets), reduction="sum").item() if targets else 0
            count += len(targets)
    return total / count


def make(name, model, tokens, starts):
    directory = f"{goldens}/{name}-whole"
    shutil.rmtree(directory, ignore_errors=True)
    torch.manual_seed(1)
    with torch.no_grad():
        # Biases and norms too are of no special value.
        for p in model.parameters():
            if p.dim() == 1: p.add_(torch.randn_like(p) * 0.1)
    model.eval()
    model.save_pretrained(directory)
    for extra in ("generation_config.json",):
        if os.path.exists(f"{directory}/{extra}"): os.remove(f"{directory}/{extra}")
    exact = type(model).from_pretrained(directory, dtype=torch.float64, attn_implementation="eager")
    ids, targets = batch(tokens, 0)
    loss = loss_of(exact, ids, targets)
    loss.backward()
    with torch.no_grad():
        for key, p in exact.named_parameters():
            flat, place = p.view(-1), p.numel() // 2
            old, values = flat[place].item(), []
            for sign in (1, -1):
                flat[place] = old + sign * 1e-3
                values.append(loss_of(exact, ids, targets).item())
            flat[place] = old
            slope = (values[0] - values[1]) / 2e-3
            # transformers computes norms and rotations in f32, whatever the model's type.
            assert abs(slope - p.grad.view(-1)[place].item()) < 2e-3 * p.grad.abs().max(), (name, key, slope)
    save_file({key: p.grad.float().contiguous() for key, p in exact.named_parameters()}, f"{directory}/gradients.safetensors")
    apart = separated(exact, tokens, starts)
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
    schedule = get_cosine_schedule_with_warmup(optimizer, 10, STEPS)
    losses, norms = [], []
    for step in range(STEPS):
        own = loss_of(model, *batch(tokens, step))
        own.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(own.item())
    json.dump({"loss": loss.item(), "separated": apart, "losses": losses, "norms": norms}, open(f"{directory}/losses.json", "w"))
    print(name, sum(p.numel() for p in model.parameters()), "parameters, loss", losses[0], "…", losses[-1])


tokens, starts = stream(texts())
torch.manual_seed(3)
make("gpt2", GPT2LMHeadModel(GPT2Config(
    vocab_size=261, n_positions=CONTEXT, n_embd=24, n_layer=2, n_head=3, embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0,
    bos_token_id=END, eos_token_id=END, initializer_range=0.1)), tokens, starts)
make("llama", LlamaForCausalLM(LlamaConfig(
    vocab_size=261, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, bos_token_id=END, eos_token_id=END, pad_token_id=None,
    attention_bias=True, mlp_bias=True, tie_word_embeddings=False, initializer_range=0.1)), tokens, starts)
