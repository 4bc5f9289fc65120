"""Trains nephele-pixel until a wall-clock deadline; resumable. See the model card for the command."""

import argparse
import datetime
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from pixel_model import SCHEDULER, WordBagEncoder, load_vocabulary, make_unet, to_model
from torch.nn.attention import SDPBackend, sdpa_kernel


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True, help="checkpoint file, resumed from if it exists")
    args.add_argument("--init", type=Path, help="checkpoint of another training to start from; its words keep their vectors")
    args.add_argument("--deadline", required=True, help="HH:MM UTC, when the learning rate reaches zero")
    args.add_argument("--batch", type=int, default=64)
    args.add_argument("--lr", type=float, default=1e-3)
    a = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    archive = np.load(a.data)
    vocabulary, captions = load_vocabulary(archive)
    row = {w: i for i, w in enumerate(vocabulary)}
    pictures = to_model(torch.from_numpy(archive["pictures"]))  # [N, 16, 16, 16]
    flipped = to_model(torch.from_numpy(archive["pictures"]).flip(2))
    weights = torch.from_numpy(archive["weights"])
    nouns = [[row[w] for w in c[0]] for c in captions]
    colours = [[row[w] for w in c[1]] for c in captions]

    unet, encoder = make_unet(), WordBagEncoder(len(vocabulary))
    unet.to(memory_format=torch.channels_last)
    parameters = list(unet.parameters()) + list(encoder.parameters())
    print(f"{sum(p.numel() for p in unet.parameters())} + {sum(p.numel() for p in encoder.parameters())} parameters, "
          f"{len(pictures)} pictures", flush=True)
    optimizer = torch.optim.AdamW(parameters, a.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    ema = [p.detach().clone() for p in parameters]
    abar = DDIMScheduler(**SCHEDULER).alphas_cumprod  # [1000]
    step, spent, started = 0, 0.0, time.time()
    if a.out.exists():
        saved = torch.load(a.out)
        unet.load_state_dict(saved["unet"]), encoder.load_state_dict(saved["encoder"])
        optimizer.load_state_dict(saved["optimizer"])
        ema, step, spent = saved["ema"], saved["step"], saved["spent"]
        started = saved["started"]
    elif a.init:
        saved = torch.load(a.init)
        known = {w: i for i, w in enumerate(saved["vocabulary"])}
        average = dict(zip([n for n, _ in unet.named_parameters()], saved["ema"]))
        unet.load_state_dict(average)
        tail = dict(zip([n for n, _ in encoder.named_parameters()], saved["ema"][len(average):]))
        table = tail["embedding.weight"]
        fresh = encoder.embedding.weight.detach().clone()
        for word, i in row.items():
            if word in known:
                fresh[i] = table[known[word]]
        encoder.load_state_dict(tail | {"embedding.weight": fresh})
        ema, spent = [p.detach().clone() for p in parameters], saved["spent"]
    now = datetime.datetime.now(datetime.timezone.utc)
    hour, minute = map(int, a.deadline.split(":"))
    deadline = now.replace(hour=hour, minute=minute, second=0).timestamp()
    compiled = torch.compile(unet, dynamic=False)
    generator = torch.Generator().manual_seed(step)
    rng = np.random.default_rng(step)
    running, at_save, at_log = None, time.time(), time.time()

    def save() -> None:
        torch.save(dict(unet=unet.state_dict(), encoder=encoder.state_dict(), optimizer=optimizer.state_dict(), ema=ema,
                        step=step, spent=spent, started=started, loss=running, vocabulary=vocabulary), str(a.out) + ".new")
        Path(str(a.out) + ".new").replace(a.out)

    while time.time() < deadline:
        begin = time.time()
        fraction = (begin - started) / (deadline - started)
        rate = a.lr * min(1, (step + 1) / 200) * min(1, (1 - fraction) / 0.6)  # flat, then linearly to zero
        for g in optimizer.param_groups:
            g["lr"] = rate
        pick = torch.multinomial(weights, a.batch, True, generator=generator)
        mirrored = torch.rand(a.batch, 1, 1, 1, generator=generator) < 0.5
        x = torch.where(mirrored, flipped[pick], pictures[pick])
        bag = torch.zeros(a.batch, len(vocabulary))
        for b, i in enumerate(pick.tolist()):
            if rng.random() < 0.1:
                continue  # unconditional, for guidance
            sure = rng.integers(len(nouns[i]))  # any one noun may stand alone, as it does in a prompt
            kept = [w for k, w in enumerate(nouns[i]) if k == sure or rng.random() < 0.5]
            kept += [w for w in colours[i] if rng.random() < 0.6]
            bag[b, kept] = 1
        t = torch.randint(0, 1000, (a.batch,), generator=generator)
        noise = torch.randn(x.shape, generator=generator)
        alpha, sigma = abar[t].sqrt().view(-1, 1, 1, 1), (1 - abar[t]).sqrt().view(-1, 1, 1, 1)
        noisy = (alpha * x + sigma * noise).contiguous(memory_format=torch.channels_last)
        target = alpha * noise - sigma * x
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16):
            v = compiled(noisy, t, class_labels=encoder(bag)).sample
        loss = (v.float() - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        decay = min(0.999, (1 + step) / (10 + step))
        torch._foreach_lerp_(ema, [p.detach() for p in parameters], 1 - decay)
        value = loss.item()
        running = value if running is None else 0.99 * running + 0.01 * value
        spent += time.time() - begin
        if step % 100 == 0:
            print(f"{time.strftime('%H:%M:%S')} step {step} loss {running:.4f} lr {rate:.2e} "
                  f"{(time.time() - at_log) / 100:.3f} s/step", flush=True)
            at_log = time.time()
        if time.time() - at_save > 150:
            save()
            at_save = time.time()
    save()
    print(f"done: step {step} loss {running:.4f}", flush=True)


if __name__ == "__main__":
    main()
