"""Speaks to a gateway as LangChain does; run by ClientTests. Usage: langchain_client.py BASE_URL"""

import sys
from typing import Literal

import openai
import tiktoken
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

address = {"base_url": sys.argv[1], "api_key": "none", "max_retries": 0}
chat = ChatOpenAI(model="llama", max_tokens=12, seed=7, temperature=0.5, **address)
whole = chat.invoke([("system", "be brief"), ("human", "你好 hello")])
assert whole.usage_metadata["output_tokens"] == 12 and whole.response_metadata["finish_reason"] == "length", whole
chunks = list(chat.stream([("system", "be brief"), ("human", "你好 hello")], stream_usage=True))
assert "".join(chunk.content for chunk in chunks) == whole.content and len(chunks) > 2
assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 12
assert len(chat.batch(["one", "two", "three"])) == 3
newer = ChatOpenAI(model="llama", max_tokens=12, temperature=0.5, use_responses_api=True, extra_body={"seed": 7},
                   **address)
response = newer.invoke([("system", "be brief"), ("human", "你好 hello")])
assert response.text == whole.content, (response, whole)
assert "".join(chunk.text for chunk in newer.stream([("system", "be brief"), ("human", "你好 hello")])) == whole.content


class Place(BaseModel):
    """Where to go."""

    to: Literal["left", "右"]
    fast: bool


sure = ChatOpenAI(model="llama", max_tokens=300, seed=3, **address)
for method in ["json_schema", "function_calling"]:
    place = sure.with_structured_output(Place, method=method).invoke("go")
    assert isinstance(place, Place), (method, place)


@tool
def go(to: Literal["left", "右"]) -> str:
    """Goes there."""
    return "gone"


bound = sure.bind_tools([go], tool_choice="any", parallel_tool_calls=False)
called = bound.invoke("go")
(call,) = called.tool_calls
assert call["name"] == "go" and call["args"]["to"] in ("left", "右"), called
chunks = list(bound.stream("go"))
streamed = chunks[0]
for chunk in chunks[1:]:
    streamed += chunk
assert streamed.tool_calls[0]["args"] == call["args"], streamed
after = chat.bind_tools([go]).invoke([HumanMessage("go"), called, ToolMessage(go.invoke(call["args"]), tool_call_id=call["id"])])
assert after.usage_metadata["output_tokens"] == 12, after


def bytes_of_ids():
    """The vocabulary of the tiny checkpoints: GPT-2's 256 characters for bytes, in the characters' order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    characters = {byte: byte for byte in plain} | {byte: 256 + place for place, byte in enumerate(others)}
    return {bytes([byte]): place for place, byte in enumerate(sorted(characters, key=characters.get))}


# LangChain tokenizes by itself and sends lists of token ids. tiktoken's own vocabularies are another model's, so here it
# is given that of this one.
encoding = tiktoken.Encoding("tiny", pat_str=r"(?s:.)", mergeable_ranks=bytes_of_ids(), special_tokens={})
tiktoken.encoding_for_model = tiktoken.get_encoding = lambda name: encoding
texts = ["Hello 世界", "moon", "x" * 700]
embeddings = OpenAIEmbeddings(model="llama", embedding_ctx_length=500, **address)
vectors = embeddings.embed_documents(texts)
assert len(vectors) == 3 and all(abs(sum(x * x for x in vector) - 1) < 1e-4 for vector in vectors)
client = openai.OpenAI(**address)
for text, vector in zip(texts[:2], vectors):
    own = client.embeddings.create(model="llama", input=text).data[0].embedding
    assert max(abs(a - b) for a, b in zip(own, vector)) < 1e-6, text
plain = OpenAIEmbeddings(model="llama", check_embedding_ctx_length=False, **address)
assert max(abs(a - b) for a, b in zip(plain.embed_query("moon"), vectors[1])) < 1e-6
print("ok")
