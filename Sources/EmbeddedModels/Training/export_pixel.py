"""Writes nephele-pixel as a diffusers directory in bf16 from a training checkpoint (its averaged weights), and a grid
of samples: one prompt a row, seeds 0, 1, 2 … a column, nothing chosen."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image
from pixel_model import SCHEDULER, WordBagEncoder, bag_of, make_unet, to_rgba, word_table
from safetensors.torch import save_file

PROMPTS = ["a dragon", "一条龙", "a ring", "红色的戒指", "an altar", "a blue potion", "绿色的药水", "a sword", "a red book", "a skeleton",
           "a spider", "a tree", "a shield", "a demon", "gold coins", "a butterfly", "a door", "an amulet"]


def sample(unet, encoder, table, prompt: str, seeds, steps: int, guidance: float, eta: float) -> torch.Tensor:
    scheduler = DDIMScheduler(**SCHEDULER)
    scheduler.set_timesteps(steps)
    words = encoder.embedding.num_embeddings
    condition = encoder(torch.stack([bag_of(prompt, table, words), torch.zeros(words)]))
    generators = [torch.Generator().manual_seed(s) for s in seeds]
    draw = lambda: torch.stack([torch.randn(16, 16, 16, generator=g) for g in generators])
    x = draw()
    for t in scheduler.timesteps:
        n = len(x)
        v = unet(torch.cat([x, x]), t, class_labels=condition.repeat_interleave(n, 0)).sample
        v = v[n:] + guidance * (v[:n] - v[n:])
        x = scheduler.step(v, t, x, eta=eta, variance_noise=draw() if eta else None).prev_sample
    return to_rgba(x)


def grid(rows: list[torch.Tensor], scale: int) -> Image.Image:
    columns = len(rows[0])
    sheet = Image.new("RGB", (columns * 34 * scale, len(rows) * 34 * scale), (58, 60, 70))
    for y, row in enumerate(rows):
        for x, rgba in enumerate(row):
            tile = Image.fromarray(rgba.numpy(), "RGBA").resize((32 * scale, 32 * scale), Image.NEAREST)
            sheet.paste(tile, ((x * 34 + 1) * scale, (y * 34 + 1) * scale), tile)
    return sheet


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--checkpoint", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--steps", type=int, default=40)
    args.add_argument("--guidance", type=float, default=1.0)
    args.add_argument("--eta", type=float, default=1.0)
    args.add_argument("--grid", type=Path)
    a = args.parse_args()
    torch.set_num_threads(1)
    saved = torch.load(a.checkpoint)
    vocabulary = saved["vocabulary"]
    unet, encoder = make_unet(), WordBagEncoder(len(vocabulary))
    for p, average in zip(list(unet.parameters()) + list(encoder.parameters()), saved["ema"]):
        p.data.copy_(average.bfloat16().float())
    unet.to(torch.bfloat16).save_pretrained(a.out / "unet")
    DDIMScheduler(**SCHEDULER).save_pretrained(a.out / "scheduler")
    (a.out / "text_encoder").mkdir(exist_ok=True, parents=True)
    save_file({k: v.bfloat16().contiguous() for k, v in encoder.state_dict().items()}, a.out / "text_encoder" / "model.safetensors",
              metadata={"format": "pt"})
    config = dict(_class_name="WordBagEncoder", words=len(vocabulary), embedding_dim=encoder.embedding.embedding_dim,
                  projection_dim=encoder.linear_2.out_features)
    (a.out / "text_encoder" / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    table = word_table(vocabulary)
    (a.out / "tokenizer").mkdir(exist_ok=True)
    (a.out / "tokenizer" / "words.json").write_text(json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n")
    index = dict(_class_name="NephelePixelPipeline", _diffusers_version="0.42.1", unet=["diffusers", "UNet2DModel"],
                 scheduler=["diffusers", "DDIMScheduler"], text_encoder=["nephele", "WordBagEncoder"], tokenizer=["nephele", "WordTable"],
                 pixel_unshuffle=2, premultiplied_alpha=True, default_steps=a.steps, default_guidance_scale=a.guidance, default_eta=a.eta)
    (a.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"step {saved['step']}, loss {saved['loss']:.4f}, {sum(p.numel() for p in unet.parameters())} parameters")
    if a.grid:
        unet = UNet2DModel.from_pretrained(a.out / "unet").float().eval()
        with torch.no_grad():
            rows = [sample(unet, encoder, table, p, range(8), a.steps, a.guidance, a.eta) for p in PROMPTS]
        grid(rows, 3).save(a.grid)


if __name__ == "__main__":
    main()
