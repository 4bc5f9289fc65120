"""Writes Goldens/blocks.json: blocks of a GGUF file with any bytes, and what gguf's own dequantiser makes of them.

    pip install gguf==0.19.0
    python3 Tests/TensorsTests/make_block_goldens.py
"""
import json
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Q
from gguf.quants import dequantize

# Where a block's factors in f16 are; MXFP4 has an exponent in its first byte.
FACTORS = {Q.Q8_0: [0], Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q2_K: [80, 82], Q.Q3_K: [108],
           Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208], Q.IQ4_NL: [0], Q.IQ4_XS: [0], Q.MXFP4: []}
random = np.random.default_rng(7)
goldens = {}
for kind, factors in FACTORS.items():
    elements, size = GGML_QUANT_SIZES[kind]
    for number in range(4):
        block = random.integers(0, 256, size, dtype=np.uint8)
        for place in factors:
            block[place:place + 2] = np.array([random.normal()], dtype=np.float16).view(np.uint8)
        if kind == Q.MXFP4:
            block[0] = [0, 1, 126, 140][number]
        values = dequantize(block.reshape(1, size), kind)
        assert values.shape == (1, elements)
        goldens.setdefault(kind.name.lower(), []).append(
            {"block": block.tolist(), "values": [float(v) for v in values[0]]})
path = Path(__file__).parent / "Goldens" / "blocks.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(goldens))
print(path, list(goldens))
