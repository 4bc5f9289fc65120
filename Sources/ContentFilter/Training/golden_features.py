#!/usr/bin/env python3
"""Prints the features of some texts as train.py counts them, for LinearClassifierTests: what is trained on must be what
is judged.

    golden_features.py ../FoldTable+Data.swift
"""
import sys, zlib
from pathlib import Path

import train

TEXTS = ["", "How do I kill a process?", "It's 9 o'clock; ＤＯＮ'Ｔ panic!", "怎么杀死一个卡住的进程？", "我 love 北京 and 上海。",
         "naïve café — Ünïcode «x»", "a b c d e f g", "Привет, мир", "x" * 40, "第一句。" * 30]

fold = train.Folding(Path(sys.argv[1]))
for text in TEXTS:
    folded = fold(text)
    found, chinese = train.buckets(folded)
    pieces = [len(piece.encode()) for piece in train.sentences(folded)]
    digest = zlib.crc32(b"".join(bucket.to_bytes(4, "little") for bucket in sorted(found)))
    print(f'("{text}", {len(found)}, {digest}, {str(chinese).lower()}, {pieces}),')
