"""Speaks to a gateway as Anthropic's own package does; run by ClientTests. Usage: anthropic_client.py BASE_URL"""

import json
import sys
from typing import Literal

import anthropic
from pydantic import BaseModel

client = anthropic.Anthropic(base_url=sys.argv[1].removesuffix("/v1"), api_key="none", max_retries=0)
messages = [{"role": "user", "content": "你好 hello"}]
asked = dict(model="llama", max_tokens=12, system="be brief", messages=messages, extra_body={"seed": 7})
whole = client.messages.create(**asked)
assert whole.stop_reason == "max_tokens" and whole.usage.output_tokens == 12 and whole.role == "assistant", whole
with client.messages.stream(**asked) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
assert text == whole.content[0].text == final.content[0].text and final.usage.output_tokens == 12, (final, whole)
raw = [event.type for event in client.messages.create(**asked, stream=True)]
assert raw[0] == "message_start" and raw[-2:] == ["message_delta", "message_stop"], raw
count = client.messages.count_tokens(model="llama", system="be brief", messages=messages)
assert count.input_tokens == whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0), (count, whole)
cut = client.messages.create(**asked | {"stop_sequences": [text[5:7]]})
assert cut.stop_reason == "stop_sequence" and cut.stop_sequence == text[5:7] and cut.content[0].text == text[:5], cut

# Tools: the model says nothing of sense, and its calls are right all the same.
tools = [{"name": "go", "description": "Goes.", "strict": True, "input_schema": {
    "type": "object", "properties": {"to": {"enum": ["a", "右"]}}, "required": ["to"], "additionalProperties": False}}]
called = dict(model="llama", max_tokens=90, messages=[{"role": "user", "content": "go"}], tools=tools,
              tool_choice={"type": "any", "disable_parallel_tool_use": True}, extra_body={"seed": 3})
message = client.messages.create(**called)
assert message.stop_reason == "tool_use" and message.content[0].input["to"] in ("a", "右"), message
with client.messages.stream(**called) as stream:
    pieces = [event.partial_json for event in stream if event.type == "input_json"]
    final = stream.get_final_message()
assert final.content[0].input == message.content[0].input == json.loads("".join(pieces)), final
result = {"type": "tool_result", "tool_use_id": message.content[0].id, "content": "done"}
again = client.messages.create(model="llama", max_tokens=5, tools=tools, messages=[
    {"role": "user", "content": "go"}, {"role": "assistant", "content": message.content},
    {"role": "user", "content": [result]}])
assert again.usage.output_tokens == 5, again


class Answer(BaseModel):
    to: Literal["a", "右"]


parsed = client.messages.parse(model="llama", max_tokens=90, messages=messages, output_format=Answer)
assert parsed.parsed_output.to in ("a", "右"), parsed
beta = client.beta.messages.create(model="llama", max_tokens=5, messages=messages, betas=["context-1m-2025-08-07"])
assert beta.usage.output_tokens == 5, beta


def refused(kind, status, word, **fields):
    try:
        client.messages.create(**asked | fields)
    except kind as error:
        assert error.status_code == status and word in error.body["error"]["message"], error
        assert error.request_id and error.body["type"] == "error", error
    else:
        raise AssertionError(f"no {kind.__name__}")


refused(anthropic.NotFoundError, 404, "claude-9", model="claude-9")
refused(anthropic.BadRequestError, 400, "thinking", thinking={"type": "enabled", "budget_tokens": 1024})
refused(anthropic.BadRequestError, 400, "tools[0].type", tools=[{"type": "web_search_20250305", "name": "web_search"}])
refused(anthropic.BadRequestError, 400, "prompt is too long", messages=[{"role": "user", "content": "x " * 2_000}])
refused(anthropic.APIStatusError, 413, "larger", messages=[{"role": "user", "content": "x" * 100_000}])
print("ok")
