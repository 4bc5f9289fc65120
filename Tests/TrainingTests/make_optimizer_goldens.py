#!/usr/bin/env python3
"""Makes Goldens/optimizer.json: what torch.optim.AdamW, transformers' schedules and clip_grad_norm_ compute, in f64.

    pip install torch==2.13.0 transformers==5.23.0
"""
import json, math, os
import torch
from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

START = [1.0, -2.0, 0.5, 0.0, 0.0001, 3.0]
out = {"start": START, "runs": [], "schedules": [], "clips": []}
for options in ({"lr": 0.01}, {"lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.95)}, {"lr": 0.01, "eps": 1e-6, "weight_decay": 0.0},
                {"lr": 0.3, "betas": (0.5, 0.9), "weight_decay": 0.5}):
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW([p], **options)
    steps = []
    for k in range(8):
        # A value that stays near 0 has a gradient near the smallest that matters.
        p.grad = torch.tensor([1e-9 if i == 2 else 0.5 * p[i].item() + math.sin(k + i) / 4 for i in range(len(START))], dtype=torch.float64)
        optimizer.step()
        steps.append(p.tolist())
    state = optimizer.state[p]
    betas = options.pop("betas", (0.9, 0.999))
    out["runs"].append({"options": options, "betas": betas, "parameters": steps, "momentum": state["exp_avg"].tolist(),
                        "variance": state["exp_avg_sq"].tolist()})
for shape, make in (("constant", get_constant_schedule_with_warmup), ("linear", get_linear_schedule_with_warmup),
                    ("cosine", get_cosine_schedule_with_warmup)):
    for warm_up, total in ((2, 10), (0, 7), (5, 5), (0, 1)):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule = make(optimizer, warm_up, **({} if shape == "constant" else {"num_training_steps": total}))
        factors = []
        for _ in range(total):
            factors.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        out["schedules"].append({"shape": shape, "warmUp": warm_up, "total": total, "factors": factors})
for seed, limit in ((1, 1.0), (2, 100.0), (3, 0.01)):
    torch.manual_seed(seed)
    tensors = [torch.randn(n, dtype=torch.float32).double() for n in (5, 17, 40)]
    for t in tensors: t.requires_grad_()
    grads = [t.detach().clone() for t in tensors]
    for t, g in zip(tensors, grads): t.grad = g.clone()
    norm = torch.nn.utils.clip_grad_norm_(tensors, limit).item()
    out["clips"].append({"gradients": [g.tolist() for g in grads], "limit": limit, "norm": norm, "clipped": [t.grad.tolist() for t in tensors]})
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "Goldens/optimizer.json"), "w"))
