#!/usr/bin/env python3
"""Makes Goldens/gradients.safetensors: what PyTorch's autograd makes in f64 of each operation that Autograd has.

Each case is checked against finite differences in f64 first (torch.autograd.gradcheck), on a smaller copy of itself where
it is large. Tensors are called CASE.NAME: inputs, `y`, the gradient `dy` that came back, and `d` + an input's name.

    /work/venv/bin/python make_gradients.py     # torch 2.13.0
"""
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(19)
out = {}


def numbers(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).float().double()  # that f32 has exactly


def case(name, function, inputs, check=None, constants=()):
    """Gradients of sum(dy * function(inputs)) at random dy."""
    smaller = [x.clone().requires_grad_() for x in (check or inputs)]
    assert torch.autograd.gradcheck(function, smaller, eps=1e-6, atol=1e-6), name
    leaves = {key: x.clone().requires_grad_() for key, x in inputs_of(function, inputs).items()}
    y = function(*leaves.values())
    dy = numbers(*y.shape)
    y.backward(dy)
    out[f"{name}.y"], out[f"{name}.dy"] = y.detach(), dy
    for key, leaf in leaves.items():
        out[f"{name}.{key}"], out[f"{name}.d{key}"] = leaf.detach(), leaf.grad
    for key, value in constants:
        out[f"{name}.{key}"] = value


def inputs_of(function, inputs):
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return dict(zip(names, inputs, strict=True))


def linear(x, w):
    return x @ w.T


def adapted(x, w, a, b):
    return x @ w.T + 1.5 * (x @ a.T) @ b.T


case("linear", linear, [numbers(7, 37), numbers(21, 37, scale=0.3)])
case("adapted", adapted, [numbers(9, 40), numbers(33, 40, scale=0.3), numbers(5, 40, scale=0.2), numbers(33, 5, scale=0.2)])


def rms(x, w):
    return w * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)


def layer(x, w, b):
    return F.layer_norm(x, (x.shape[-1],), w, b, eps=1e-5)


case("rms", rms, [numbers(5, 37), numbers(37)])
case("layer", layer, [numbers(5, 37), numbers(37), numbers(37)])

activations = {
    "silu": F.silu, "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"), "gelu-erf": F.gelu,
    "gelu-quick": lambda x: x * torch.sigmoid(1.702 * x), "relu": F.relu, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
for name, activation in activations.items():
    inputs = [numbers(3, 23, scale=2), numbers(3, 23)]
    case(f"gated-{name}", lambda x, factor: activation(x) * factor, inputs)
    case(f"plain-{name}", lambda x: activation(x), inputs[:1])


def mask(rows, window):
    i, j = torch.arange(rows)[:, None], torch.arange(rows)[None]
    return (j <= i) & ((i - j < window) if window else True)


def attention_of(heads, kv_heads, window):
    def attention(q, k, v):
        rows = q.shape[0]
        d = q.shape[1] // heads
        qs = q.view(rows, heads, d).transpose(0, 1)
        ks = k.view(rows, kv_heads, d).transpose(0, 1).repeat_interleave(heads // kv_heads, 0)
        vs = v.view(rows, kv_heads, d).transpose(0, 1).repeat_interleave(heads // kv_heads, 0)
        scores = (qs @ ks.transpose(1, 2) * 0.3).masked_fill(~mask(rows, window), float("-inf"))
        return (scores.softmax(-1) @ vs).transpose(0, 1).reshape(rows, heads * d)
    return attention


for name, rows, heads, kv_heads, dim, window in (
    ("attention", 37, 4, 2, 20, 0), ("attention-window", 37, 4, 1, 16, 7), ("attention-one", 1, 2, 2, 8, 0),
    ("attention-long", 300, 2, 1, 8, 0), ("attention-long-window", 300, 2, 2, 8, 270),
):
    small = min(rows, 9)
    case(name, attention_of(heads, kv_heads, window),
         [numbers(rows, heads * dim), numbers(rows, kv_heads * dim), numbers(rows, kv_heads * dim)],
         check=[numbers(small, heads * dim), numbers(small, kv_heads * dim), numbers(small, kv_heads * dim)])


def rotate(x):
    rows, d = x.shape[0], 12
    angle = torch.arange(rows, dtype=torch.float64)[:, None] * (1 / 100 ** (torch.arange(0, d, 2) / d)).float().double()
    angle = angle.float().double()  # as the table has it
    u, v = x.view(rows, 2, d)[..., : d // 2], x.view(rows, 2, d)[..., d // 2:]
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    return torch.cat([u * c - v * s, v * c + u * s], -1).view(rows, 2 * d)


case("rotate", rotate, [numbers(6, 24)])

ids = torch.tensor([3, 0, 3, 6, 2, 3])


def embed(table):
    return F.embedding(ids, table)


case("embed", embed, [numbers(7, 19)], constants=[("ids", ids.int())])

targets, weights = torch.tensor([4, 0, 52, 17]), torch.tensor([0.25, 1.0, -0.5, 2.0], dtype=torch.float64)


def losses(hidden, head):
    return F.cross_entropy(hidden[[0, 2, 3, 5]] @ head.T * 0.7, targets, reduction="none")


hidden, head = numbers(6, 20), numbers(53, 20)
assert torch.autograd.gradcheck(losses, [hidden.clone().requires_grad_(), head.clone().requires_grad_()])
leaf = hidden.clone().requires_grad_()
value = losses(leaf, head)
(value * weights).sum().backward()
out |= {"losses.hidden": hidden, "losses.head": head, "losses.y": value.detach(), "losses.dhidden": leaf.grad,
        "losses.targets": targets.int(), "losses.weights": weights}

tensors = {key: (value if value.dtype == torch.int32 else value.float()).contiguous().clone() for key, value in out.items()}
path = Path(__file__).parent / "Goldens" / "gradients.safetensors"
path.parent.mkdir(exist_ok=True)
save_file(tensors, str(path))
print(path, path.stat().st_size, "bytes,", len(tensors), "tensors")
