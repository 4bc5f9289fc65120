#!/usr/bin/env python3
"""What transformers makes of conversations by published chat templates (transformers==5.23.0, jinja2==3.1.6).

    python3 make_published.py FOLDER            writes Goldens/published.json
    python3 make_published.py FOLDER FULL.json  writes what the hashes stand for too, to look at differences

FOLDER holds templates as *.jinja. Most are not committed here, for their licences differ; the goldens know them by their
SHA-256 and hold a hash of what each conversation becomes. Those in Goldens/published are under Apache 2.0 or MIT.

    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36   vendor/llama.cpp/models/templates
    pip download --no-deps --no-binary :all: vllm                       examples/**/*.jinja
    pip download --no-deps trl==1.16.0 axolotl==0.19.0                  **/*.jinja
    pip download --no-deps unsloth==2026.10.9                           the strings *_template of unsloth/chat_templates.py
    NEPHELE_TEMPLATES=FOLDER swift test --filter PublishedTemplateTests
"""
import copy, datetime, glob, hashlib, itertools, json, os, sys
import transformers.utils.chat_template_utils as utils
from transformers import PreTrainedTokenizerFast
from tokenizers import Tokenizer, models


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime(2026, 7, 4, 15, 5, 9)


utils.datetime = Fixed

user = {"role": "user", "content": "What is the ψ moon? "}
more = {"role": "user", "content": "ψ More?\n\n"}
system = {"role": "system", "content": "Be ψ short.\n"}
answer = {"role": "assistant", "content": " A ψ rock. "}


def tool(name, **function):
    return {"type": "function", "function": {"name": name, **function}}


weather = tool("get_weather", description="Get ψ the \"weather\" <b>", parameters={
    "type": "object", "properties": {
        "city": {"type": "string", "description": "The ψ city", "enum": ["a", "bψ"]},
        "n": {"type": "integer", "default": 3, "minimum": 0}, "opts": {"type": "array", "items": {"type": "string"}},
        "nest": {"type": "object", "description": "ψ", "properties": {"x": {"type": "number", "default": 0.5}}, "required": ["x"]}},
    "required": ["city"]})
search = tool("search_ψ", description="Two\nlines ψ", strict=True, parameters={
    "type": "object", "additionalProperties": False, "$defs": {"Q": {"type": "object", "properties": {"t": {"type": "string"}}}},
    "properties": {
        "q": {"anyOf": [{"$ref": "#/$defs/Q"}, {"type": "null"}], "default": None, "description": "q ψ"},
        "kind": {"type": ["string", "null"], "enum": ["x", None], "description": "ψ"}, "flag": {"type": "boolean", "default": False, "description": "f"},
        "big": {"type": "integer", "maximum": 18446744073709551615, "description": "b"}, "small": {"type": "number", "multipleOf": 1e-07, "description": "s"}},
    "required": ["q", "kind"]})
bare = tool("now", description="The ψ time", parameters={"type": "object", "properties": {}})


def call(id, name, arguments):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


one = call("call00001", "get_weather", {"city": "Pψaris", "n": 1})
two = call("call00002", "search_ψ", {"where": "Oψslo", "q": {"t": "ψ \"x\"\n"}, "kind": None, "flag": True, "big": 3, "small": 0.25, "list": [1, "ψ", []]})
none = call("call00003", "now", {})


def calls(*given, **members):
    return {"role": "assistant", **members, "tool_calls": list(given)}


def result(id, content, **members):
    return {"role": "tool", "tool_call_id": id, **members, "content": content}


def parts(role, *texts):
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


got = result("call00001", "{\"ψ\": 1}", name="get_weather")
C = {
    "plain": dict(messages=[user]),
    "no-prompt": dict(messages=[user], add_generation_prompt=False),
    "system": dict(messages=[system, user]),
    "turns": dict(messages=[system, user, answer, more]),
    "ended": dict(messages=[user, answer], add_generation_prompt=False),
    "blank": dict(messages=[{"role": "system", "content": ""}, {"role": "user", "content": ""}]),
    "spaces": dict(messages=[{"role": "user", "content": "\n  ψ \t\u00a0\u3000\n"}, {"role": "assistant", "content": "\n\nψ\n\n"}, more]),
    "unicode": dict(messages=[{"role": "user", "content": "ψ e\u0301 \U0001f469\u200d\U0001f680 \u2028 <|im_end|> </s> {{ x }} {% y %} \u0000 \\n"}]),
    "twice": dict(messages=[user, more]),
    "developer": dict(messages=[{"role": "developer", "content": "ψ dev"}, user]),
    "parts": dict(messages=[parts("user", "ψ one")]),
    "two-parts": dict(messages=[parts("system", "ψ s"), parts("user", "ψ one", "two ψ"), parts("assistant", "ψ a"), more]),
    "tools": dict(messages=[user], tools=[weather]),
    "tools-system": dict(messages=[system, user], tools=[weather, search, bare]),
    "calls": dict(messages=[user, calls(one, content=None), got], tools=[weather]),
    "calls-absent": dict(messages=[user, calls(one), got], tools=[weather]),
    "calls-empty": dict(messages=[user, calls(one, content=""), got], tools=[weather]),
    "calls-alone": dict(messages=[user, calls(one, content=None)], tools=[weather], add_generation_prompt=False),
    "calls-parallel": dict(messages=[system, user, calls(one, two, none, content=None), got, result("call00002", "ψ two"), result("call00003", "")],
                           tools=[weather, search, bare]),
    "calls-text": dict(messages=[user, calls(one, content="Let me ψ look."), got], tools=[weather]),
    "calls-rounds": dict(messages=[user, calls(one, content=None), got, calls(two, content=None), result("call00002", "ψ"), answer, more],
                         tools=[weather, search]),
    "calls-thought": dict(messages=[user, calls(one, content=None, reasoning_content="ψ I must look"), got, {"role": "assistant", "content": "It ψ", "reasoning_content": "ψ so"}, more],
                          tools=[weather]),
    "calls-no-tools": dict(messages=[user, calls(one, content=None), got]),
    "calls-parts": dict(messages=[user, calls(one, content=None), {"role": "tool", "tool_call_id": "call00001", "content": [{"type": "text", "text": "ψ r"}]}], tools=[weather]),
    "thought": dict(messages=[user, {"role": "assistant", "reasoning_content": "ψ hm", "content": "A ψ rock."}, more]),
    "thought-last": dict(messages=[user, {"role": "assistant", "reasoning": "ψ hm\n", "content": "A ψ rock."}], add_generation_prompt=False),
    "thought-inside": dict(messages=[user, {"role": "assistant", "content": "<think>\nψ hm\n</think>\n\nA ψ rock."}, more]),
    "thinking-off": dict(messages=[user], enable_thinking=False, thinking=False),
    "thinking-on": dict(messages=[system, user], enable_thinking=True),
    "thinking": dict(messages=[user], thinking=True),
    "effort-low": dict(messages=[user], reasoning_effort="low"),
    "effort-high": dict(messages=[system, user], reasoning_effort="high", tools=[weather]),
    "documents": dict(messages=[user], documents=[{"title": "ψ t", "text": "ψ body"}, {"title": "u", "text": "v\n"}]),
    "date": dict(messages=[user], date_string="4 ψ 2026"),
    "continue": dict(messages=[user, {"role": "assistant", "content": "The ψ moon"}], continue_final_message=True, add_generation_prompt=False),
    "continue-blank": dict(messages=[system, user, {"role": "assistant", "content": "The ψ moon \n"}], continue_final_message=True, add_generation_prompt=False),
}

here = os.path.dirname(os.path.abspath(__file__))
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), **TOKENS)


# What a conversation becomes in each form in which a template may take it.

def variants(conversation):
    """The conversation in other forms that say the same; as it is first."""
    messages = conversation["messages"]
    roles = sorted({m["role"] for m in messages if isinstance(m.get("content"), list)})
    joined = [set(c) for n in range(len(roles) + 1) for c in itertools.combinations(roles, n)]
    has_calls = any("tool_calls" in m for m in messages)
    for role, join, wrap, absence, as_text, split in itertools.product(
            ["developer", "system"] if messages[0]["role"] == "developer" else [None], joined, [False, True],
            ["missing", "null", "empty"] if has_calls else ["missing"], [False, True] if has_calls else [False],
            [False, True] if has_calls else [False]):
        for one in [False, True] if any(len(m.get("tool_calls", [])) > 1 for m in messages) else [False]:
            yield {**conversation, "messages": variant(messages, role, join, wrap, absence, as_text, split, one)}


def variant(messages, role, join, wrap, absence, as_text, split, one):
    if one:
        messages = one_by_one(messages)
    out = []
    for m in copy.deepcopy(messages):
        if m["role"] == "developer":
            m["role"] = role
        if isinstance(m.get("content"), list) and m["role"] in join:
            m["content"] = "\n".join(p["text"] for p in m["content"])
        if isinstance(m.get("content"), str) and wrap:
            m["content"] = [{"type": "text", "text": m["content"]}]
        if "tool_calls" in m:
            if as_text:
                for c in m["tool_calls"]:
                    c["function"]["arguments"] = json.dumps(c["function"]["arguments"], ensure_ascii=False)
            if not m.get("content"):
                m.pop("content", None)
                if absence != "missing":
                    m["content"] = None if absence == "null" else ""
            elif split:
                called = {"role": "assistant", "tool_calls": m.pop("tool_calls")}
                if absence != "missing":
                    called["content"] = None if absence == "null" else ""
                out.append(m)
                m = called
        out.append(m)
    return out


def one_by_one(messages):
    """Each call in a turn of its own, and its result behind it."""
    out, results = [], {m["tool_call_id"]: m for m in messages if m["role"] == "tool"}
    for m in messages:
        if m["role"] == "tool":
            continue
        for c in m.get("tool_calls", []):
            out.append({"role": "assistant", "content": None, "tool_calls": [c]})
            if c["id"] in results:
                out.append(results[c["id"]])
        if "tool_calls" not in m:
            out.append(m)
    return out


def needles(conversation, strict):
    """What a text has to hold so that nothing of what is asked is lost; `strict`: of words that templates may have no place
    for, as transformers' users know them, too."""
    for t in conversation.get("tools", []):
        yield t["function"]["name"]
    for d in conversation.get("documents", []):
        yield d["text"].strip()
    for m in conversation["messages"]:
        # Mistral's templates write the system's words before the last of the user's, where that comes last.
        is_late = m["role"] == "system" and conversation["messages"][-1]["role"] != "user"
        is_soft = m["role"] != "tool" and "tool_calls" not in m
        if is_late or is_soft and not strict or "<think>" in str(m.get("content")):
            continue
        for text in [m["content"]] if isinstance(m.get("content"), str) else [p["text"] for p in m.get("content") or []]:
            yield text.strip()
        for c in m.get("tool_calls", []):
            yield c["function"]["name"]
            for key, value in c["function"]["arguments"].items():
                yield key
                if isinstance(value, str):
                    yield value


def is_whole(text, conversation, strict):
    if text is None:
        return False
    bare = text.replace("\\u03c8", "ψ").replace("\\", "")
    if any(n not in text and n not in bare for n in needles(conversation, strict)):
        return False
    if any(mark in text for mark in ["{'city': 'P", '\\"city\\": \\"P', "'type': 'text'", '"type": "text"']):
        return False
    return True


def rendered(template, conversation, keeps_null=False):
    """As `apply_chat_template` does; `keeps_null` leaves out that members that are None are dropped."""
    given = copy.deepcopy({"add_generation_prompt": True, **conversation})
    messages = given.pop("messages")
    tokenizer.chat_template = template
    try:
        if keeps_null:
            return utils.render_jinja_template([messages], chat_template=template, tools=given.pop("tools", None), **TOKENS, **given)[0][0]
        return tokenizer.apply_chat_template(messages, tokenize=False, **given)
    except Exception:
        return None


VARIABLES = ["enable_thinking", "thinking", "reasoning_effort", "date_string"]


def asks(template, conversation):
    """Whether a template reads and writes what stands beside the messages."""
    read = utils._get_template_variables(template)
    if any(conversation.get(k) and k not in read for k in VARIABLES + ["documents"]):
        return False
    if "tools" not in conversation or conversation["messages"] == [user]:
        return True
    opening = [system, user] if conversation["messages"][0] == system else [user]
    return conversation["messages"] == opening or bool(wanted(template, {"messages": opening, "tools": conversation["tools"]}))


def wanted(template, conversation):
    """What the conversation must become: transformers' text where that is whole, else one of the other forms' whole texts
    (in the order of `variants`); none where the conversation must be refused."""
    if not asks(template, conversation):
        return []
    return forms(template, conversation, strict=True) or forms(template, conversation, strict=False)


def forms(template, conversation, strict):
    is_developer = conversation["messages"][0]["role"] == "developer"
    # A template without the word writes it as any other, or passes it over: there it is system.
    knows = "'developer'" in template or '"developer"' in template
    first = None if is_developer and not knows else rendered(template, conversation)
    if is_whole(first, conversation, strict):
        return [first]
    found = {}
    for other in variants(conversation):
        if is_developer and (other["messages"][0]["role"] == "developer") != knows:
            continue
        text = rendered(template, other, keeps_null=any(m.get("content", "") is None for m in other["messages"]))
        if is_whole(text, conversation, strict):
            found[text] = None
    return list(found)


def as_sent(conversation):
    """Arguments as clients of OpenAI's API send them."""
    conversation = copy.deepcopy(conversation)
    for message in conversation["messages"]:
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    return conversation


def short(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main():
    templates, full = {}, {}
    for file in sorted(glob.glob(sys.argv[1] + "/**/*.jinja", recursive=True)):
        data = open(file, "rb").read()
        digest = hashlib.sha256(data).hexdigest()
        if digest in templates:
            continue
        texts = {name: wanted(data.decode(), conversation) for name, conversation in C.items()}
        full[digest] = texts
        templates[digest] = {"name": os.path.basename(file)[:-6], "texts": {
            name: " ".join(map(short, found)) for name, found in texts.items() if found}}
    out = {"tokens": TOKENS, "conversations": {name: json.dumps(as_sent(c), ensure_ascii=False) for name, c in C.items()}, "templates": templates}
    with open(here + "/Goldens/published.json", "w") as file:
        json.dump(out, file, ensure_ascii=False, indent=0, separators=(",", ":"))
        file.write("\n")
    if len(sys.argv) > 2:
        json.dump(full, open(sys.argv[2], "w"), ensure_ascii=False)
    count = sum(len(t["texts"]) for t in templates.values())
    print(len(templates), "templates,", count, "texts,", len(templates) * len(C) - count, "refusals")


main()
