"""Speaks to a gateway as instructor does; run by ClientTests. Usage: instructor_client.py BASE_URL [MODEL]"""

import sys
from typing import Literal

import instructor
import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
name = sys.argv[2] if len(sys.argv) > 2 else "llama"
messages = [{"role": "user", "content": "go"}]


class Place(BaseModel):
    to: Literal["left", "右"]
    fast: bool
    why: Literal["a"] | None = None


for mode in [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA]:
    own = instructor.from_openai(client, mode=mode)
    asked = dict(model=name, messages=messages, response_model=Place, max_retries=1, max_tokens=300, seed=3)
    place, raw = own.chat.completions.create_with_completion(**asked)
    assert isinstance(place, Place) and raw.usage.completion_tokens > 0, place
    partial = list(own.chat.completions.create_partial(**asked))
    # What may be incomplete has another schema, and so another prompt.
    assert Place.model_validate(partial[-1].model_dump()) and len(partial) > 3, (mode, partial)
print("ok")
