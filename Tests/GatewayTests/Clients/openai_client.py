"""Speaks to a gateway as OpenAI's own package does; run by ClientTests. Usage: openai_client.py BASE_URL"""

import base64
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
models = {model.id: model for model in client.models.list()}
assert models["llama"].modality == "text" and models["tiny"].modality == "image", models

messages = [{"role": "user", "content": "你好 hello"}]
whole = client.chat.completions.create(model="llama", messages=messages, max_tokens=12, seed=7, logprobs=True, top_logprobs=2)
text = whole.choices[0].message.content
assert whole.choices[0].finish_reason == "length" and whole.usage.completion_tokens == 12, whole
assert len(whole.choices[0].logprobs.content) == 12 and len(whole.choices[0].logprobs.content[0].top_logprobs) == 2

chunks = list(client.chat.completions.create(model="llama", messages=messages, max_tokens=12, seed=7, stream=True,
                                             stream_options={"include_usage": True}))
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text, chunks
assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + 12 and chunks[-1].choices == []
assert len({c.id for c in chunks}) == 1 and chunks[0].choices[0].delta.role == "assistant"

completion = client.completions.create(model="llama", prompt=["one", "two"], n=2, max_tokens=4, logprobs=1, echo=True)
assert [c.index for c in completion.choices] == [0, 1, 2, 3] and completion.choices[2].text.startswith("two")
assert completion.choices[0].logprobs.token_logprobs[0] is None
parts = list(client.completions.create(model="llama", prompt="one", max_tokens=4, stream=True))
assert parts[-1].choices[0].finish_reason == "length"

images = client.images.generate(model="tiny", prompt="a ring", n=2, response_format="b64_json",
                                extra_body={"seed": 3, "steps": 4})
files = [base64.b64decode(image.b64_json) for image in images.data]
assert len(files) == 2 and all(f.startswith(b"\x89PNG") for f in files) and files[0] != files[1]

events = list(client.images.generate(model="tiny", prompt="a ring", stream=True, partial_images=2,
                                     extra_body={"seed": 3, "steps": 6}))
previews = [event for event in events if event.type == "image_generation.partial_image"]
assert [event.partial_image_index for event in previews] == [0, 1], previews
assert all(base64.b64decode(event.b64_json).startswith(b"\x89PNG") for event in previews)
assert events[-1].type == "image_generation.completed" and events[-1].b64_json not in [p.b64_json for p in previews]

# No newer than the package that has it.
if hasattr(client, "content_provenance_checks"):
    check = client.content_provenance_checks.create(file=("a.png", files[0], "image/png"))
    found = {result.type: result for result in check.results}
    assert found["c2pa"].outcome == "not_detected" and found["c2pa"].validation_state == "not_present", check
    assert found["aigc"].outcome == "detected" and check.object == "content_provenance_check", check

# The package asks for base64 and gives lists of numbers.
vectors = client.embeddings.create(model="llama", input=["one", "two"])
assert [item.index for item in vectors.data] == [0, 1] and all(len(item.embedding) == 48 for item in vectors.data)
assert abs(sum(x * x for x in vectors.data[0].embedding) - 1) < 1e-5 and vectors.usage.total_tokens == 6
floats = client.embeddings.create(model="llama", input="one", encoding_format="float").data[0].embedding
assert max(abs(a - b) for a, b in zip(floats, vectors.data[0].embedding)) < 1e-7
assert len(client.embeddings.create(model="llama", input=[[1, 2], [3]], dimensions=48).data[1].embedding) == 48

response = client.responses.create(model="llama", input="你好 hello", instructions="be brief", max_output_tokens=12,
                                   temperature=0.5, extra_body={"seed": 7})
assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens", response
assert response.usage.output_tokens == 12 and response.output_text == response.output[0].content[0].text
streamed = list(client.responses.create(model="llama", input=[{"role": "user", "content": "你好 hello"}],
                                        instructions="be brief", max_output_tokens=12, temperature=0.5, stream=True,
                                        extra_body={"seed": 7}))
assert streamed[0].type == "response.created" and streamed[-1].type == "response.incomplete", streamed
assert "".join(e.delta for e in streamed if e.type == "response.output_text.delta") == response.output_text
assert streamed[-1].response.output_text == response.output_text
with client.responses.stream(model="llama", input="hi", max_output_tokens=4) as stream:
    assert [event for event in stream][-1].type in ("response.completed", "response.incomplete")

# Tools: the model says nothing of sense, and its calls are right all the same.
tools = [{"type": "function", "function": {"name": "go", "strict": True, "parameters": {
    "type": "object", "properties": {"to": {"enum": ["a", "右"]}}, "required": ["to"], "additionalProperties": False}}}]
asked = dict(model="llama", messages=[{"role": "user", "content": "go"}], tools=tools, tool_choice="required", seed=3,
             parallel_tool_calls=False, max_tokens=90)
called = client.chat.completions.create(**asked).choices[0]
assert called.finish_reason == "tool_calls" and called.message.content is None, called
(call,) = called.message.tool_calls
assert call.type == "function" and call.function.name == "go" and json.loads(call.function.arguments)["to"] in ("a", "右")
with client.chat.completions.stream(**asked) as stream:
    final = stream.get_final_completion().choices[0]
assert final.message.tool_calls[0].function.arguments == call.function.arguments, final
assert final.message.tool_calls[0].function.parsed_arguments == json.loads(call.function.arguments)
again = client.chat.completions.create(
    model="llama", max_tokens=5, messages=[{"role": "user", "content": "go"}, called.message,
                                           {"role": "tool", "tool_call_id": call.id, "content": "done"}])
assert again.choices[0].finish_reason == "length" and again.usage.completion_tokens == 5
function = {"type": "function"} | tools[0]["function"]
response = client.responses.create(model="llama", input="go", tools=[function], tool_choice="required",
                                   parallel_tool_calls=False, max_output_tokens=90, extra_body={"seed": 3})
assert response.status == "completed" and response.output[0].type == "function_call", response
assert json.loads(response.output[0].arguments)["to"] in ("a", "右") and response.output[0].call_id
items = list(client.responses.create(model="llama", input="go", tools=[function], tool_choice={"type": "function", "name": "go"},
                                     max_output_tokens=90, stream=True, extra_body={"seed": 3}))
assert "response.function_call_arguments.done" in [item.type for item in items], items
answered = client.responses.create(
    model="llama", max_output_tokens=5, input=[
        {"role": "user", "content": "go"}, response.output[0],
        {"type": "function_call_output", "call_id": response.output[0].call_id, "output": "done"}])
assert answered.usage.output_tokens == 5 and answered.output[0].type == "message", answered


def refused(kind, call, **fields):
    try:
        call()
    except kind as error:
        for name, value in fields.items():
            assert getattr(error, name) == value, (name, getattr(error, name), value)
        assert error.message
    else:
        raise AssertionError(f"no {kind.__name__}")


def chat(**fields):
    return lambda: client.chat.completions.create(**({"model": "llama", "messages": messages} | fields))


refused(openai.NotFoundError, chat(model="gpt-9"), code="model_not_found", param="model")
refused(openai.BadRequestError, chat(temperature=-1), param="temperature")
refused(openai.BadRequestError, chat(n=0), param="n")
refused(openai.BadRequestError, chat(max_tokens=10_000), code="context_length_exceeded")
refused(openai.BadRequestError, chat(messages=[{"role": "user", "content": "x " * 2_000}]), code="context_length_exceeded")
refused(openai.APIStatusError, chat(messages=[{"role": "user", "content": "x" * 100_000}]), status_code=413)
refused(openai.BadRequestError, lambda: client.images.generate(model="tiny", prompt="x", size="7x7"))
refused(openai.BadRequestError, lambda: client.images.generate(model="llama", prompt="x"), param="model")
refused(openai.BadRequestError, lambda: client.embeddings.create(model="llama", input=""), param="input")
refused(openai.BadRequestError, lambda: client.responses.create(model="llama", input="x", previous_response_id="resp_1"),
        param="previous_response_id")
print("ok")
