#!/usr/bin/env bash
# transformers 5.23.0: under which name save_pretrained writes the number of experts.
#
# Qwen 3 with experts was published with "num_experts" in config.json, Mixtral with "num_local_experts". One would guess that
# a configuration that was read is written with the field it was read with, or that all are written with one. Qwen3MoeConfig
# takes "num_experts" and writes "num_local_experts"; OlmoeConfig, of the same form and with the same field as published,
# takes and writes "num_experts". A reader that knows only the published name finds none after a save, and one that falls
# back to the architecture's default (128) looks for experts that are not there.
#
# Seen on 2026-11-30: Qwen3MoeConfig ['num_local_experts'], OlmoeConfig ['num_experts'], MixtralConfig ['num_local_experts'].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q transformers==5.23.0
"$folder/v/bin/python" -W ignore - "$folder" <<'PY' | tee "$folder/seen"
import json, sys
from transformers import MixtralConfig, OlmoeConfig, Qwen3MoeConfig

for make in (Qwen3MoeConfig, OlmoeConfig, MixtralConfig):
    make(num_experts=6).save_pretrained(sys.argv[1])
    fields = json.load(open(sys.argv[1] + "/config.json"))
    print(make.__name__, sorted(name for name, value in fields.items() if name.endswith("experts") and value == 6))
PY
diff "$folder/seen" - <<'SEEN'
Qwen3MoeConfig ['num_local_experts']
OlmoeConfig ['num_experts']
MixtralConfig ['num_local_experts']
SEEN
