"""Handwritten digits and captions for nephele-pixel, in the form of pixel_data.py: dark ink on clear paper, 32 x 32."""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

NAMES = "zero one two three four five six seven eight nine".split()


def read(path: Path, header: int) -> np.ndarray:
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(data, np.uint8, offset=header)


def find(folder: Path, kind: str) -> Path:
    return sorted(p for p in folder.rglob("*") if kind in p.name)[0]


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--mnist", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--count", type=int, default=20_000)
    a = args.parse_args()
    images = read(find(a.mnist, "train-images"), 16).reshape(-1, 28, 28)[:a.count]
    labels = read(find(a.mnist, "train-labels"), 8)[:a.count]
    ink = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    paper = 255 - ink
    rgba = np.stack([paper, paper, paper, np.full_like(ink, 255)], -1)
    captions = [[[NAMES[n]], ["digit"]] for n in labels]
    np.savez_compressed(a.out, pictures=rgba, weights=np.full(len(rgba), 1 / len(rgba), np.float32),
                        captions=json.dumps(captions), vocabulary=json.dumps(sorted(NAMES + ["digit"])))
    print(len(rgba), "pictures")


if __name__ == "__main__":
    main()
