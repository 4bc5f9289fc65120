"""Trains nephele-verse until a wall-clock deadline; resumable. Keeps the checkpoint with the best held-out loss."""

import argparse
import datetime
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from verse_data import build

D, LAYERS, HEADS, KV, HIDDEN, CONTEXT, THETA, EPS = 192, 6, 6, 2, 512, 512, 10000.0, 1e-5
W = D // HEADS


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D))

    def forward(self, x):
        return F.rms_norm(x.float(), (D,), self.weight, EPS)


def rotate(x, cos, sin):  # x [B, H, T, W], half-split as in transformers
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Layer(nn.Module):
    """The parameter names are those of LlamaForCausalLM."""

    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.self_attn = nn.ModuleDict(dict(q_proj=linear(D, D), k_proj=linear(D, KV * W), v_proj=linear(D, KV * W), o_proj=linear(D, D)))
        self.mlp = nn.ModuleDict(dict(gate_proj=linear(D, HIDDEN), up_proj=linear(D, HIDDEN), down_proj=linear(HIDDEN, D)))

    def forward(self, x, cos, sin, mask, drop):
        B, T, _ = x.shape
        h = self.input_layernorm(x)
        split = lambda y, n: y.view(B, T, n, W).transpose(1, 2)
        q, k, v = split(self.self_attn.q_proj(h), HEADS), split(self.self_attn.k_proj(h), KV), split(self.self_attn.v_proj(h), KV)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        k, v = k.repeat_interleave(HEADS // KV, 1), v.repeat_interleave(HEADS // KV, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
        x = x + F.dropout(self.self_attn.o_proj(y.transpose(1, 2).reshape(B, T, D)), drop)
        h = self.post_attention_layernorm(x)
        return x + F.dropout(self.mlp.down_proj(F.silu(self.mlp.gate_proj(h)) * self.mlp.up_proj(h)), drop)


class Verse(nn.Module):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, D)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm()
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 / (2 * LAYERS) ** 0.5 if "o_proj" in name or "down_proj" in name else 0.02)
        inverse = THETA ** -(torch.arange(0, W, 2).float() / W)
        angle = torch.outer(torch.arange(CONTEXT).float(), inverse)
        self.register_buffer("cos", angle.cos(), persistent=False), self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids, positions, mask, targets, drop: float):
        """Mean cross entropy over targets >= 0. ids, positions, targets [B, T]; mask [B, 1, T, T] additive."""
        cos, sin = self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask, drop)
        logits = F.linear(self.norm(x), self.embed_tokens.weight)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100)


class Packer:
    """Rows of whole samples; positions start again with each, attention stays inside it."""

    def __init__(self, tokenizer, corpus, seed: int):
        self.tokenizer, self.corpus, self.rng, self.waiting = tokenizer, corpus, random.Random(seed), []

    def sample(self, limit: int):
        while True:
            ids, target = [], []
            for text, learned in self.corpus.sample(self.rng):
                piece = self.tokenizer.encode(text).ids
                ids += piece
                target += piece if learned else [-100] * len(piece)
            if len(ids) > limit + 1:
                ids, target = ids[:limit + 1], target[:limit + 1]
            return ids[:-1], target[1:]

    def batch(self, rows: int, length: int):
        ids, positions = torch.zeros(rows, length, dtype=torch.long), torch.zeros(rows, length, dtype=torch.long)
        targets, owner = torch.full((rows, length), -100), torch.full((rows, length), -1)
        for r in range(rows):
            at, n, misses = 0, 0, 0
            while misses < 3 and length - at > 30:
                if misses == 0 and self.waiting and len(self.waiting[0][0]) <= length - at:
                    i, t = self.waiting.pop(0)
                else:
                    i, t = self.sample(length)
                if len(i) > length - at:
                    misses += 1
                    if len(self.waiting) < 200:
                        self.waiting.append((i, t))
                    continue
                span = slice(at, at + len(i))
                ids[r, span], targets[r, span] = torch.tensor(i), torch.tensor(t)
                positions[r, span], owner[r, span] = torch.arange(len(i)), n
                at, n = at + len(i), n + 1
        same = owner.unsqueeze(2) == owner.unsqueeze(1)
        allowed = same & torch.ones(length, length, dtype=torch.bool).tril()
        mask = torch.zeros(rows, length, length).masked_fill_(~allowed, -1e4)
        return ids, positions, mask.unsqueeze(1), targets


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--poems", required=True)
    args.add_argument("--plays", required=True)
    args.add_argument("--out", type=Path, required=True, help="folder for last.pt, best.pt, tokenizer.json")
    args.add_argument("--deadline", required=True, help="HH:MM UTC, when the learning rate reaches zero")
    args.add_argument("--rows", type=int, default=16)
    args.add_argument("--length", type=int, default=256)
    args.add_argument("--lr", type=float, default=3e-3)
    args.add_argument("--no-compile", action="store_true")
    a = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    a.out.mkdir(parents=True, exist_ok=True)
    tokenizer, train, held = build(a.poems, a.plays)
    tokenizer.save(str(a.out / "tokenizer.json"))
    model = Verse(tokenizer.get_vocab_size())
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    matrices = [p for n, p in model.layers.named_parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if all(p is not m for m in matrices)]
    muon = torch.optim.Muon(matrices, lr=a.lr, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=a.lr, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    step, started, best = 0, time.time(), 1e9
    if (a.out / "last.pt").exists():
        saved = torch.load(a.out / "last.pt")
        model.load_state_dict(saved["model"]), muon.load_state_dict(saved["muon"]), adam.load_state_dict(saved["adam"])
        step, started, best = saved["step"], saved["started"], saved["best"]
    hour, minute = map(int, a.deadline.split(":"))
    deadline = datetime.datetime.now(datetime.timezone.utc).replace(hour=hour, minute=minute, second=0).timestamp()
    packer = Packer(tokenizer, train, 1000 + step)
    tests = Packer(tokenizer, held, 7)
    held_batches = [tests.batch(a.rows, a.length) for _ in range(8)]
    forward = model if a.no_compile else torch.compile(model, dynamic=False)
    running, tokens = None, 0
    at_log = at_check = time.time()

    def check(final: bool) -> None:
        nonlocal best
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            loss = sum(model(*b, 0.0).item() for b in held_batches) / len(held_batches)
        model.train()
        mark = ""
        if loss < best:
            best, mark = loss, " best"
            torch.save(dict(model=model.state_dict(), step=step, held=loss, train=running), a.out / "best.pt")
        print(f"{time.strftime('%H:%M:%S')} step {step} held-out {loss:.4f}{mark}", flush=True)
        torch.save(dict(model=model.state_dict(), muon=muon.state_dict(), adam=adam.state_dict(), step=step,
                        started=started, best=best), a.out / "last.new")
        (a.out / "last.new").replace(a.out / "last.pt")

    while time.time() < deadline:
        fraction = (time.time() - started) / (deadline - started)
        scale = min(1, (step + 1) / 100) * min(1, (1 - fraction) / 0.7)
        for optimizer in (muon, adam):
            for g in optimizer.param_groups:
                g["lr"] = a.lr * scale
        ids, positions, mask, targets = packer.batch(a.rows, a.length)
        with torch.autocast("cpu", torch.bfloat16):
            loss = forward(ids, positions, mask, targets, 0.05)
        muon.zero_grad(), adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step(), adam.step()
        step += 1
        tokens += ids.numel()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{time.strftime('%H:%M:%S')} step {step} loss {running:.4f} lr {a.lr * scale:.2e} "
                  f"{tokens / (time.time() - at_log):.0f} tokens/s", flush=True)
            at_log, tokens = time.time(), 0
        if time.time() - at_check > 180:
            check(False)
            at_check = time.time()
    check(True)


if __name__ == "__main__":
    main()
