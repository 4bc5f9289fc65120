"""Golden values from diffusers on tiny seeded checkpoints: `python make_goldens.py` writes beside itself.

Each `<name>/` is a pipeline directory as diffusers saves it; `<name>/golden.safetensors` holds inputs, the output of
every block, and whole trajectories with their noise. `schedulers.json` holds the tables of the noise schedulers.
Made with diffusers 0.42.1, torch 2.13 (CPU, one thread).
"""

import json
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
torch.set_num_threads(1)

SMALL = dict(in_channels=3, out_channels=3, layers_per_block=1)
MODELS = {
    # diffusers' own test size, today's defaults
    "tiny": dict(SMALL, sample_size=8, block_out_channels=(4, 8), norm_num_groups=4, attention_head_dim=8,
                 down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D")),
    # the switches of google/ddpm-cifar10-32, two levels, one head of the full width, weights at the root
    "cifar": dict(SMALL, layers_per_block=1, sample_size=8, block_out_channels=(32, 64), attention_head_dim=None,
                  norm_num_groups=32, norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
                  mid_block_scale_factor=1,
                  down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D")),
    # 8 // 3 = 2 heads, inner width 6; a rescaled middle; odd picture size; no attention in the middle's way
    "heads": dict(SMALL, sample_size=(12, 8), block_out_channels=(8, 8), norm_num_groups=2, attention_head_dim=3,
                  mid_block_scale_factor=1.4142135, center_input_sample=True,
                  down_block_types=("AttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "AttnUpBlock2D")),
    # as the embedded model: scale and shift, a condition added to the time embedding
    "conditioned": dict(sample_size=8, in_channels=16, out_channels=16, layers_per_block=1, block_out_channels=(16, 24, 32),
                        norm_num_groups=8, attention_head_dim=32, resnet_time_scale_shift="scale_shift",
                        class_embed_type="identity", down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3),
    "classes": dict(SMALL, sample_size=8, block_out_channels=(4, 8), norm_num_groups=4, num_class_embeds=5, add_attention=False,
                    down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")),
}
LEGACY = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def make(name: str, config: dict) -> tuple[UNet2DModel, dict]:
    torch.manual_seed(hash_of(name))
    unet = UNet2DModel(**config).eval()
    for p in unet.parameters():  # biases and norms away from 0 and 1, so that each of them matters
        p.data = (p.data + 0.1 * torch.randn_like(p)).bfloat16().float()  # stored as bf16
    unet.to(torch.bfloat16).save_pretrained(HERE / name / ("" if name == "cifar" else "unet"))
    unet.to(torch.float32)
    size = (config["sample_size"],) * 2 if isinstance(config["sample_size"], int) else config["sample_size"]
    sample = torch.randn(2, config["in_channels"], *size)
    times = torch.tensor([7, 801])
    extra = {}
    if config.get("class_embed_type") == "identity":
        extra["class_labels"] = torch.randn(2, 4 * config["block_out_channels"][0])
    elif config.get("num_class_embeds"):
        extra["class_labels"] = torch.tensor([3, 0])
    golden = {"sample": sample, "timesteps": times, **extra}

    def hook(label):
        def keep(_, inputs, output):
            golden[f"block.{label}"] = (output[0] if isinstance(output, tuple) else output).detach().contiguous()
        return keep

    blocks = [("conv_in", unet.conv_in), ("time_embedding", unet.time_embedding), ("mid_block", unet.mid_block)]
    blocks += [(f"down_blocks.{i}", b) for i, b in enumerate(unet.down_blocks)]
    blocks += [(f"up_blocks.{i}", b) for i, b in enumerate(unet.up_blocks)]
    handles = [m.register_forward_hook(hook(n)) for n, m in blocks]
    with torch.no_grad():
        golden["output"] = unet(sample, times, **extra).sample
    for h in handles:
        h.remove()
    return unet, golden


def hash_of(name: str) -> int:
    return sum(ord(c) * (i + 1) for i, c in enumerate(name))


def ddpm(unet, config: dict, steps: int, start: torch.Tensor, noise: torch.Tensor, extra: dict) -> torch.Tensor:
    """The trajectory [steps + 1, B, C, H, W]; noise[i] is added at step i."""
    import diffusers.schedulers.scheduling_ddpm as module
    scheduler = DDPMScheduler(**config)
    scheduler.set_timesteps(steps)
    x, path = start, [start]
    original = module.randn_tensor
    for i, t in enumerate(scheduler.timesteps):
        module.randn_tensor = lambda *a, i=i, **k: noise[i]
        with torch.no_grad():
            x = scheduler.step(unet(x, t, **extra).sample, t, x).prev_sample
        path.append(x)
    module.randn_tensor = original
    return torch.stack(path)


def ddim(unet, config: dict, steps: int, eta: float, start: torch.Tensor, noise: torch.Tensor, extra: dict) -> torch.Tensor:
    scheduler = DDIMScheduler(**config)
    scheduler.set_timesteps(steps)
    x, path = start, [start]
    for i, t in enumerate(scheduler.timesteps):
        with torch.no_grad():
            x = scheduler.step(unet(x, t, **extra).sample, t, x, eta=eta,
                               variance_noise=noise[i] if eta > 0 else None).prev_sample
        path.append(x)
    return torch.stack(path)


TABLES = [
    ("DDPMScheduler", dict(num_train_timesteps=50), 10),
    ("DDPMScheduler", dict(num_train_timesteps=50, variance_type="fixed_large", timestep_spacing="trailing"), 7),
    ("DDPMScheduler", dict(num_train_timesteps=50, variance_type="fixed_small_log", beta_schedule="squaredcos_cap_v2"), 10),
    ("DDPMScheduler", dict(num_train_timesteps=50, beta_schedule="sigmoid", timestep_spacing="linspace"), 7),
    ("DDIMScheduler", dict(num_train_timesteps=50, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
                           steps_offset=1, set_alpha_to_one=False, clip_sample=False), 10),
    ("DDIMScheduler", dict(num_train_timesteps=50, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
                           rescale_betas_zero_snr=True, timestep_spacing="trailing"), 7),
    ("DDIMScheduler", dict(num_train_timesteps=50, beta_schedule="linear", prediction_type="sample",
                           timestep_spacing="linspace", clip_sample_range=0.5), 7),
    ("DDIMScheduler", dict(num_train_timesteps=8, trained_betas=[0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5],
                           thresholding=True, sample_max_value=1.5), 4),
    ("DDPMScheduler", dict(num_train_timesteps=50, thresholding=True, prediction_type="v_prediction"), 5),
    ("DDIMScheduler", dict(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2"), 3),
]


def tables() -> None:
    """Per entry: betas, cumulative alphas, timesteps, and one step on a fixed sample at each timestep."""
    out = []
    import diffusers.schedulers.scheduling_ddpm as module
    for kind, config, steps in TABLES:
        torch.manual_seed(steps)
        scheduler = {"DDPMScheduler": DDPMScheduler, "DDIMScheduler": DDIMScheduler}[kind](**config)
        scheduler.set_timesteps(steps)
        sample, output, noise = torch.randn(3, 1, 1, 2, 3) * 1.3
        rows = []
        for t in scheduler.timesteps:
            for eta in (0.0,) if kind == "DDPMScheduler" else (0.0, 0.7):
                module.randn_tensor = lambda *a, **k: noise
                extra = dict(eta=eta, variance_noise=noise if eta else None) if kind == "DDIMScheduler" else {}
                rows.append(dict(timestep=int(t), eta=eta, next=scheduler.step(output, t, sample, **extra).prev_sample.flatten().tolist()))
        noised = scheduler.add_noise(sample, noise, scheduler.timesteps[1:2])
        out.append(dict(config=dict(config, _class_name=kind), steps=steps, betas=scheduler.betas.tolist() if len(scheduler.betas) <= 50 else
                        scheduler.betas[::100].tolist(), alphas=scheduler.alphas_cumprod.tolist() if len(scheduler.betas) <= 50 else
                        scheduler.alphas_cumprod[::100].tolist(), timesteps=scheduler.timesteps.tolist(),
                        sample=sample.flatten().tolist(), output=output.flatten().tolist(), noise=noise.flatten().tolist(),
                        rows=rows, noised=noised.flatten().tolist()))
    (HERE / "schedulers.json").write_text(json.dumps(out))


def main() -> None:
    for name, config in MODELS.items():
        unet, golden = make(name, config)
        extra = {"class_labels": golden["class_labels"]} if "class_labels" in golden else {}
        steps = 5
        start = golden["sample"]
        noise = torch.randn(steps, *start.shape)
        scheduler = dict(num_train_timesteps=1000)
        if name == "conditioned":
            scheduler = dict(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
                             rescale_betas_zero_snr=True, timestep_spacing="trailing")
        if name == "cifar":
            scheduler["variance_type"] = "fixed_large"
        golden["noise"] = noise
        golden["ddpm"] = ddpm(unet, scheduler, steps, start, noise, extra)
        scheduler.pop("variance_type", None)
        golden["ddim"] = ddim(unet, scheduler, steps, 0.0, start, noise, extra)
        golden["ddim_eta"] = ddim(unet, scheduler, steps, 0.6, start, noise, extra)
        kind = DDPMScheduler(**scheduler, **({"variance_type": "fixed_large"} if name == "cifar" else {}))
        if name in ("conditioned", "classes"):
            kind = DDIMScheduler(**scheduler)
        kind.save_pretrained(HERE / name / ("" if name == "cifar" else "scheduler"))
        save_file({k: v.to(torch.float32).contiguous() for k, v in golden.items()}, HERE / name / "golden.safetensors")
        print(name, sum(p.numel() for p in unet.parameters()))
    # the cifar model once more with the old names of its attention
    weights = load_file(HERE / "cifar" / "diffusion_pytorch_model.safetensors")
    renamed = {}
    for key, value in weights.items():
        if ".attentions." in key:
            for new, old in LEGACY.items():
                key = key.replace(f".{new}.", f".{old}.")
        renamed[key] = value
    save_file(renamed, HERE / "cifar" / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    tables()


if __name__ == "__main__":
    main()
