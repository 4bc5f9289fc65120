#!/usr/bin/env python3
"""huggingface_hub's own client, for HubClientTests: `hub_client.py download|local REPOSITORY [FILE]`.

Downloads from HF_ENDPOINT into HF_HUB_CACHE, or finds there what is there, and prints each file's path and SHA-256 below the
snapshot, one a line.
"""
import hashlib
import sys
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download

local = sys.argv[1] == "local"
if len(sys.argv) > 3:
    paths = [Path(hf_hub_download(sys.argv[2], sys.argv[3], local_files_only=local))]
    root = next(p for p in paths[0].parents if p.parent.name == "snapshots")
else:
    root = Path(snapshot_download(sys.argv[2], local_files_only=local))
    paths = sorted(p for p in root.rglob("*") if p.is_file())
print(root.name)
for path in paths:
    print(path.relative_to(root), hashlib.sha256(path.read_bytes()).hexdigest())
