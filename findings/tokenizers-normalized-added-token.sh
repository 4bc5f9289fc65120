#!/usr/bin/env bash
# tokenizers 0.23.3: an added token with normalized=True is spelt, in id_to_token and in decode, as the normalizer leaves it: the
# content that was given is gone. With a Lowercase normalizer the token added as "Hello" decodes to "hello".
#
# Seen: ids [1] token hello decoded hello
# Fails (status 1) once that is no longer so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q tokenizers==0.23.3
"$folder/v/bin/python" - <<'PY'
from tokenizers import AddedToken, Tokenizer, models, normalizers

t = Tokenizer(models.BPE({"x": 0}, []))
t.normalizer = normalizers.Lowercase()
t.add_tokens([AddedToken("Hello", normalized=True)])
ids = t.encode("HELLO").ids
print("ids", ids, "token", t.id_to_token(1), "decoded", t.decode(ids))
assert ids == [1] and t.id_to_token(1) == "hello" and t.decode(ids) == "hello"
PY
