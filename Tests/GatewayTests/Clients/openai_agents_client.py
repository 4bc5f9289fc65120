"""Speaks to a gateway as OpenAI's agents do; run by ClientTests. Usage: openai_agents_client.py BASE_URL [MODEL]"""

import asyncio
import sys
from typing import Literal

from agents import (Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool,
                    set_tracing_disabled)
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
name = sys.argv[2] if len(sys.argv) > 2 else "llama"


class Place(BaseModel):
    to: Literal["left", "右"]
    fast: bool


calls = []


@function_tool
def go(to: Literal["left", "右"]) -> str:
    """Goes there."""
    calls.append(to)
    return "gone"


async def check(model):
    # A response that was cut is an error to these agents: a form ends the answer by itself.
    settings = ModelSettings(max_tokens=300, extra_body={"seed": 3})
    agent = Agent(name="guide", instructions="be brief", model=model, model_settings=settings, output_type=Place)
    whole = await Runner.run(agent, "go")
    assert isinstance(whole.final_output, Place), whole
    streamed = Runner.run_streamed(agent, "go")
    pieces = [event.data.delta async for event in streamed.stream_events()
              if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"]
    assert Place.model_validate_json("".join(pieces)) == whole.final_output == streamed.final_output, pieces
    # The tool is called because it must be; the turn behind it is free, and gives the object.
    calls.clear()
    forced = ModelSettings(max_tokens=300, tool_choice="required", parallel_tool_calls=False, extra_body={"seed": 3})
    caller = Agent(name="guide", model=model, model_settings=forced, tools=[go], tool_use_behavior="stop_on_first_tool")
    result = await Runner.run(caller, "go")
    assert result.final_output == "gone" and len(calls) == 1 and calls[0] in ("left", "右"), (result, calls)
    # What it gave back is read where the conversation goes on.
    history = result.to_input_list() + [{"role": "user", "content": "and now?"}]
    after = await Runner.run(agent, history)
    assert isinstance(after.final_output, Place), after


async def main():
    await check(OpenAIChatCompletionsModel(model=name, openai_client=client))
    await check(OpenAIResponsesModel(model=name, openai_client=client))


asyncio.run(main())
print("ok")
