"""Speaks to a gateway as pydantic-ai does; run by ClientTests. Usage: pydantic_ai_client.py BASE_URL [MODEL]"""

import asyncio
import sys
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

provider = OpenAIProvider(base_url=sys.argv[1], api_key="none")
name = sys.argv[2] if len(sys.argv) > 2 else "llama"
settings = {"max_tokens": 300, "seed": 3}


class Place(BaseModel):
    to: Literal["left", "右"]
    fast: bool


async def chat(model, settings):
    """Whole and streamed: the same answer."""
    agent = Agent(model, system_prompt="be brief", model_settings=settings | {"max_tokens": 12})
    whole = await agent.run("你好 hello")
    assert whole.output and 0 < whole.usage.output_tokens <= 12, whole
    async with agent.run_stream("你好 hello") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    assert pieces and (await stream.get_output()) == "".join(pieces), pieces
    return whole.output, "".join(pieces)


async def structured(model, settings):
    """The ways to an object: a tool that must be called, and a schema that holds."""
    for output in [Place, NativeOutput(Place)]:
        result = await Agent(model, output_type=output, model_settings=settings, retries=0).run("go")
        assert isinstance(result.output, Place), result


async def tool(model, settings):
    """A tool's round trip: called as its schema says, and what it gives read in the turn behind."""
    calls = []
    agent = Agent(model, output_type=Place, model_settings=settings, retries=0)

    @agent.tool_plain
    def go(to: Literal["left", "右"]) -> str:
        """Goes there."""
        calls.append(to)
        return "gone"

    # Each turn calls this tool or the one that ends the run.
    for seed in range(12):
        choice = settings | {"seed": seed, "extra_body": {"seed": seed}, "tool_choice": ["go", "final_result"]}
        try:
            await agent.run("go", usage_limits=UsageLimits(request_limit=4), model_settings=choice)
        except UsageLimitExceeded:
            pass
        if calls:
            break
    assert calls and set(calls) <= {"left", "右"}, calls


async def main():
    chats = OpenAIChatModel(name, provider=provider)
    whole, streamed = await chat(chats, settings)
    assert whole == streamed, (whole, streamed)
    await structured(chats, settings)
    await tool(chats, settings)
    responses = OpenAIResponsesModel(name, provider=provider)
    own = {"max_tokens": 300, "extra_body": {"seed": 3}}
    whole, streamed = await chat(responses, own)
    assert whole == streamed, (whole, streamed)
    await structured(responses, own)
    await tool(responses, own)


asyncio.run(main())
print("ok")
