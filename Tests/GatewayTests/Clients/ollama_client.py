"""Speaks to a gateway as Ollama's own package does; run by ClientTests. Usage: ollama_client.py BASE_URL [MODEL]"""

import sys
from typing import Literal

import ollama
from pydantic import BaseModel

client = ollama.Client(host=sys.argv[1].removesuffix("/v1"))
name = sys.argv[2] if len(sys.argv) > 2 else "llama"
assert name in [model.model for model in client.list().models], client.list()
shown = client.show(name)
assert "completion" in shown.capabilities and shown.modelinfo["nephele.context_length"] > 0, shown
assert name in [model.model for model in client.ps().models]

messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "你好 hello"}]
options = {"num_predict": 12, "seed": 7, "temperature": 0.5, "num_ctx": 256}
whole = client.chat(name, messages, options=options, keep_alive="5m")
assert whole.done and whole.done_reason in ("length", "stop") and whole.message.content, whole
assert whole.eval_count <= 12 and whole.prompt_eval_count > 0 and whole.total_duration >= whole.eval_duration > 0, whole
pieces = list(client.chat(name + ":latest", messages, options=options, stream=True))
assert "".join(piece.message.content for piece in pieces) == whole.message.content, pieces
assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True] and pieces[-1].eval_count == whole.eval_count
logged = client.chat(name, messages, options=options, logprobs=True, top_logprobs=2)
assert len(logged.logprobs) == logged.eval_count and len(logged.logprobs[0].top_logprobs) == 2, logged


class Place(BaseModel):
    to: Literal["left", "右"]
    fast: bool


held = client.chat(name, messages, options=options | {"num_predict": 300}, format=Place.model_json_schema())
assert Place.model_validate_json(held.message.content), held


def go(to: Literal["left", "right"]) -> str:
    """Goes there.

    Args:
        to: Where.
    """
    return "gone"


# The model calls when it likes: what it called earlier is read in any case.
answer = client.chat(name, messages, tools=[go], options=options)
assert answer.done, answer
history = messages + [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "go", "arguments": {"to": "left"}}}]},
                      {"role": "tool", "tool_name": "go", "content": go("left")}]
after = client.chat(name, history, tools=[go], options=options)
assert after.done and after.prompt_eval_count > answer.prompt_eval_count, after

text = client.generate(name, "hello", system="be brief", options=options)
assert text.done and text.response and text.eval_count <= 12, text
parts = list(client.generate(name, "hello", system="be brief", options=options, stream=True))
assert "".join(part.response for part in parts) == text.response, parts
raw = client.generate(name, "hello", raw=True, options=options)
assert raw.prompt_eval_count < text.prompt_eval_count, (raw, text)
assert client.generate(name).done_reason == "load"
vectors = client.embed(name, ["one", "two"])
assert len(vectors.embeddings) == 2 and abs(sum(x * x for x in vectors.embeddings[0]) - 1) < 1e-4, vectors


def refused(status, word, call):
    try:
        call()
    except ollama.ResponseError as error:
        assert error.status_code == status and word in error.error, error
    else:
        raise AssertionError(word)


refused(404, "gpt-9", lambda: client.chat("gpt-9", messages))
refused(400, "options.mirostat", lambda: client.chat(name, messages, options={"mirostat": 2}))
refused(400, "options.nonsense", lambda: client.chat(name, messages, options={"nonsense": 2}))
refused(400, "options.num_ctx", lambda: client.chat(name, messages, options={"num_ctx": 1 << 20}))
refused(400, "think", lambda: client.chat(name, messages, think=True))
refused(400, "messages[0].images", lambda: client.chat(name, [{"role": "user", "content": "a", "images": ["YQ=="]}]))
refused(400, "suffix", lambda: client.generate(name, "a", suffix="b"))
refused(400, "keep_alive", lambda: client.generate(name, keep_alive=0))
refused(404, "/api/pull", lambda: client.pull("gpt-9"))
print("ok")
