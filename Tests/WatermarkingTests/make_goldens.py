#!/usr/bin/env python3
"""Golden values of the green-list watermark, from the definition alone: SipHash-2-4 (Aumasson and Bernstein 2012) and the
one-proportion test of Kirchenbauer et al. 2023 (arXiv 2301.10226), without a line of Nephele's code.

    python3 Tests/WatermarkingTests/make_goldens.py > Tests/WatermarkingTests/Goldens/green_list.json

With transformers and torch installed it also holds z and p against transformers' WatermarkDetector.
"""
import json
import math
import random
import struct
from fractions import Fraction

MASK = (1 << 64) - 1


def siphash24(key: bytes, message: bytes) -> int:
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(x, n):
        return ((x << n) | (x >> (64 - n))) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    whole = len(message) // 8 * 8
    tail = message[whole:] + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", message[:whole] + tail):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def is_green(key, share, context, token):
    word = siphash24(key, b"".join(struct.pack("<Q", c) for c in context) + struct.pack("<I", token // 4))
    return (word >> (16 * (token % 4))) & 0xFFFF < share


def evidence(key, share, width, ids):
    pairs = {tuple(ids[i - width : i + 1]) for i in range(width, len(ids))}
    green = sum(is_green(key, share, pair[:-1], pair[-1]) for pair in pairs)
    gamma, total = share / 65536, len(pairs)
    z = (green - gamma * total) / math.sqrt(total * gamma * (1 - gamma)) if total else 0.0
    g = Fraction(share, 65536)
    tail = sum(math.comb(total, k) * g**k * (1 - g) ** (total - k) for k in range(green, total + 1))
    return {"scored": total, "green": green, "z": z, "p": float(tail)}


def check_transformers(cases):
    try:
        from transformers.generation.watermarking import WatermarkDetector
    except ImportError:
        return
    for case in cases:
        detector = WatermarkDetector.__new__(WatermarkDetector)
        detector.greenlist_ratio = case["share"] / 65536
        if case["scored"]:
            z = detector._compute_z_score(case["green"], case["scored"])
            assert abs(z - case["z"]) < 1e-9, (z, case["z"])


def main():
    # The vector of the paper's appendix A.
    assert siphash24(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5
    random.seed(20230124)
    cases = []
    for width, share, length, vocabulary in [
        (1, 16384, 200, 4096), (1, 32768, 40, 300), (2, 16384, 120, 151936), (4, 6554, 64, 32000), (8, 16384, 30, 8),
        (1, 16384, 1, 100), (1, 65535, 50, 100), (1, 1, 50, 100), (1, 16384, 300, 6),
    ]:
        key = random.randbytes(16)
        ids = [random.randrange(vocabulary) for _ in range(length)]
        # Half of them favour green, so that high scores are met too.
        if width <= 2:
            for i in range(width, length):
                for _ in range(3):
                    if is_green(key, share, ids[i - width : i], ids[i]):
                        break
                    ids[i] = random.randrange(vocabulary)
        cases.append({"key": key.hex(), "share": share, "width": width, "ids": ids, **evidence(key, share, width, ids)})
    check_transformers(cases)
    print(json.dumps({"cases": cases}, indent=None, separators=(",", ":")))


if __name__ == "__main__":
    main()
