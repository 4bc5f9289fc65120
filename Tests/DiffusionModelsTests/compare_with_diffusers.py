"""Runs `nephele draw --latents … --output-latents …` and diffusers on the same noise and prints the largest difference.

Usage: compare_with_diffusers.py NEPHELE_EXECUTABLE DIFFUSERS_DIRECTORY [STEPS]
The directory holds `unet/` and `scheduler/` (DDPMScheduler or DDIMScheduler); DDIM runs with eta 0.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

nephele, directory, steps = sys.argv[1], Path(sys.argv[2]).resolve(), int(sys.argv[3]) if len(sys.argv) > 3 else 10
unet = UNet2DModel.from_pretrained(directory / "unet").float().eval()
kind = json.loads((directory / "scheduler" / "scheduler_config.json").read_text())["_class_name"]
scheduler = {"DDPMScheduler": DDPMScheduler, "DDIMScheduler": DDIMScheduler}[kind].from_pretrained(directory / "scheduler")
scheduler.set_timesteps(steps)
size = unet.config.sample_size
height, width = size if isinstance(size, (list, tuple)) else (size, size)
torch.manual_seed(1)
start = torch.randn(2, unet.config.in_channels, height, width)
noise = torch.randn(steps, *start.shape)
x = start
with torch.no_grad():
    for index, t in enumerate(scheduler.timesteps):
        output = unet(x, t).sample
        if kind == "DDIMScheduler":
            x = scheduler.step(output, t, x, eta=0).prev_sample
        else:  # diffusers draws its own noise: the posterior's mean and deviation are its, the noise ours
            drawn = torch.get_rng_state()
            torch.manual_seed(index)
            state = torch.get_rng_state()
            sampled = torch.randn(x.shape)
            torch.set_rng_state(state)
            noise[index] = sampled
            x = scheduler.step(output, t, x).prev_sample
            torch.set_rng_state(drawn)
with tempfile.TemporaryDirectory() as folder:
    save_file({"latents": start, "noise": noise}, f"{folder}/in.safetensors")
    subprocess.run([nephele, "draw", "--model", str(directory), "--steps", str(steps), "--latents", f"{folder}/in.safetensors",
                    "--output-latents", f"{folder}/out.safetensors", "--output", f"{folder}/out.png"], check=True)
    ours = load_file(f"{folder}/out.safetensors")["latents"]
worst = (ours - x).abs().max().item()
print(f"{directory.name}: {kind}, {steps} steps, largest difference {worst:.2e}, largest value {x.abs().max().item():.2f}")
sys.exit(worst > 1e-3)  # f32, and 1/√ᾱ amplifies the first steps
