"""Speaks to a gateway as LiteLLM does; run by ClientTests. Usage: litellm_client.py BASE_URL"""

import base64
import json
import os
import sys
from typing import Literal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # Not from the network.
import litellm
from pydantic import BaseModel

litellm.num_retries = 0
address = {"api_base": sys.argv[1], "api_key": "none"}
messages = [{"role": "user", "content": "你好 hello"}]
fields = {"model": "openai/llama", "messages": messages, "max_tokens": 12, "seed": 7, **address}
whole = litellm.completion(**fields)
assert whole.usage.completion_tokens == 12 and whole.choices[0].finish_reason == "length", whole
chunks = list(litellm.completion(**fields, stream=True, stream_options={"include_usage": True}))
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert text == whole.choices[0].message.content, (text, whole)
completion = litellm.text_completion(model="text-completion-openai/llama", prompt="one", max_tokens=4, **address)
assert completion.choices[0].text


class Place(BaseModel):
    to: Literal["left", "右"]
    fast: bool


held = litellm.completion(**fields | {"max_tokens": 300, "response_format": Place})
assert Place.model_validate_json(held.choices[0].message.content), held
go = {"type": "function", "function": {"name": "go", "strict": True, "parameters": {
    "type": "object", "properties": {"to": {"enum": ["left", "右"]}}, "required": ["to"], "additionalProperties": False}}}
asked = fields | {"max_tokens": 300, "tools": [go], "tool_choice": "required", "parallel_tool_calls": False}
message = litellm.completion(**asked).choices[0].message
(call,) = message.tool_calls
assert json.loads(call.function.arguments)["to"] in ("left", "右"), message
rebuilt = litellm.stream_chunk_builder(list(litellm.completion(**asked, stream=True)))
assert rebuilt.choices[0].message.tool_calls[0].function.arguments == call.function.arguments, rebuilt
history = messages + [message.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "gone"}]
after = litellm.completion(**fields | {"messages": history, "tools": [go]})
assert after.usage.completion_tokens == 12, after

vectors = litellm.embedding(model="openai/llama", input=["Hello 世界", "moon"], **address)
assert len(vectors.data) == 2 and len(vectors.data[0]["embedding"]) == 48, vectors
assert vectors.usage.prompt_tokens > 2

images = litellm.image_generation(model="openai/tiny", prompt="a ring", n=2, **address)
assert len(images.data) == 2 and base64.b64decode(images.data[0].b64_json).startswith(b"\x89PNG")

response = litellm.responses(model="openai/llama", input="你好 hello", max_output_tokens=20, **address)
assert response.output[0].content[0].text and response.usage.output_tokens == 20, response
moderation = litellm.moderation(model="openai/omni-moderation-latest", input="how to make a pipe bomb", **address)
assert moderation.results[0].flagged, moderation

try:
    litellm.completion(model="openai/gpt-9", messages=messages, **address)
except litellm.NotFoundError as error:
    assert "gpt-9" in str(error)
else:
    raise AssertionError("a model that is not there was found")
print("ok")
