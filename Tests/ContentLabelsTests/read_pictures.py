#!/usr/bin/env python3
"""Reads labelled pictures with other people's readers: Pillow, c2pa-python (the C2PA reference implementation in Rust)
and sd-parsers (which reads AUTOMATIC1111's parameters). Prints a JSON object a file.

    pip install pillow c2pa-python sd-parsers
    python3 Tests/ContentLabelsTests/read_pictures.py --trust Tests/ContentLabelsTests/Goldens/root.pem FILE.png…
"""
import argparse
import json

import c2pa
from PIL import Image
from sd_parsers import ParserManager


def credentials(path, trust):
    settings = {"verify": {"verify_after_reading": True, "verify_trust": True}, "trust": {"trust_anchors": trust}}
    try:
        context = c2pa.Context(settings=c2pa.Settings.from_dict(settings))
        with open(path, "rb") as file, c2pa.Reader("image/png", file, context=context) as reader:
            return json.loads(reader.json())
    except c2pa.C2paError as error:
        return {"error": str(error)}


def parameters(path):
    found = ParserManager().parse(path)
    if found is None:
        return None
    return {
        "generator": str(found.generator),
        "prompts": [p.value for p in found.prompts],
        "negative_prompts": [p.value for p in found.negative_prompts],
        "models": [m.name for m in found.models],
        "samplers": [{"name": s.name, "parameters": s.parameters} for s in found.samplers],
        "metadata": found.metadata,
    }


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--trust", required=True)
    arguments.add_argument("files", nargs="+")
    arguments = arguments.parse_args()
    with open(arguments.trust, encoding="utf-8") as file:
        trust = file.read()
    for path in arguments.files:
        with Image.open(path) as image:
            image.load()
            aigc = image.text.get("AIGC")
            size = list(image.size)
        print(json.dumps({
            "size": size, "aigc": json.loads(aigc) if aigc else None, "parameters": parameters(path),
            "c2pa": credentials(path, trust)}, default=str))


main()
