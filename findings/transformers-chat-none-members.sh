#!/usr/bin/env bash
# transformers 5.23.0: apply_chat_template takes members that are None out of a message before the template sees it.
#
# OpenAI's clients send an assistant's turn that calls a tool with `content: null`. Published templates, those of DeepSeek R1's
# distillations among them, branch on `message['content'] is none`. What they get has no content at all: the test is false, as
# undefined is not none, and a template that goes on with the content as a text stops with an UndefinedError. The same template
# rendered by jinja2 itself, with the message as it was sent, takes the branch. A server that hands messages on as they came
# and one that calls transformers give different prompts.
#
# Output seen on 2026-11-30:
#   jinja2: none
#   transformers: undefined
#   a template that joins a text to it: UndefinedError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0 tokenizers==0.23.3 jinja2==3.1.6
"$folder/venv/bin/python" - <<'PY'
import jinja2
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")))
call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}
messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "42"}]
template = ("{% for m in messages if m.role == 'assistant' %}{% if m['content'] is none %}none{% elif m['content'] is undefined %}"
            "undefined{% else %}text{% endif %}{% endfor %}")
own = jinja2.Template(template).render(messages=messages)
tokenizer.chat_template = template
other = tokenizer.apply_chat_template(messages, tokenize=False)
print("jinja2:", own)
print("transformers:", other)
tokenizer.chat_template = "{% for m in messages %}{% if m['content'] is not none %}{{ 'said: ' + m['content'] }}{% endif %}{% endfor %}"
try:
    tokenizer.apply_chat_template(messages, tokenize=False)
    third = "no error"
except jinja2.exceptions.UndefinedError as error:
    third = type(error).__name__
print("a template that joins a text to it:", third)
assert (own, other, third) == ("none", "undefined", "UndefinedError"), "the behaviour has changed"
PY
