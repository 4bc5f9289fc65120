#!/usr/bin/env python3
"""gguf/llama.gguf in three parts, as llama.cpp's gguf package cuts it (pip install gguf): samples of the fuzzer.

    python3 make_parts.py
"""
import os
import gguf

here = os.path.dirname(os.path.abspath(__file__))
source = gguf.GGUFReader(f"{here}/../gguf/llama.gguf")
writer = gguf.GGUFWriter(None, "llama", split_max_tensors=-(-len(source.tensors) // 3))
for key, field in source.fields.items():
    if key.startswith("GGUF.") or key == "general.architecture": continue
    kind = field.types[0]
    writer.add_key_value(key, field.contents(), kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
for tensor in source.tensors:
    writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
import pathlib
writer.write_header_to_file(pathlib.Path(f"{here}/llama.gguf")); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()
print(sorted(f for f in os.listdir(here) if f.endswith(".gguf")))
