"""Writes calls.json: what published chat templates write for turns that call tools, as transformers renders them.

usage: make_calls.py TEMPLATES (a folder of *.jinja, such as llama.cpp's models/templates; transformers 5.23)

For every template that writes calls: its marks, by which its form is known, and the text of an assistant's turn, which is what
a model of the family writes. The templates themselves are not kept.
"""
import hashlib
import json
import re
import sys
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": {
        "type": "object", "properties": {
            "city": {"type": "string", "description": "A city."}, "days": {"type": "integer", "description": "How many."},
            "details": {"type": "boolean", "description": "Whether."}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "send-mail", "description": "Sends.", "parameters": {
        "type": "object", "properties": {
            "to": {"type": "array", "items": {"type": "string"}, "description": "Whom."},
            "text": {"type": "string", "description": "What."}}, "required": ["to", "text"]}}},
]
MARKS = re.compile(
    r"<[^<>\s\"'{}]{1,40}>|<[|/a-z:_]+[= ]|\[/?[A-Z_]+\]|to=functions\.|Action:|```json|tool_name"
    r"|｜DSML｜|function_calls>|<tool_sep\{\}>"
    r"|\"parameters\": dictionary of argument name and its value|tool_call_name<｜tool▁sep｜>tool_call_arguments")
CASES = {
    "one": [("get_weather", {"city": "Zürich 北京", "days": 3, "details": True})],
    "text": [("send-mail", {"to": ["a@x.org", "b"], "text": "He said \"hi\"\n\\ and <left> {x}"})],
    "two": [("get_weather", {"city": "Rome"}), ("get_weather", {"city": "Oslo", "details": False})],
}


def render(template, messages, prompt):
    texts, _ = render_jinja_template(
        [messages], tools=TOOLS, chat_template=template, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>",
        enable_thinking=False)
    return texts[0]


def calls(case, as_text):
    return [{"id": f"call{i}aaaa", "type": "function", "function": {
        "name": name, "arguments": json.dumps(arguments, ensure_ascii=False) if as_text else arguments}}
        for i, (name, arguments) in enumerate(case)]


def main(folder):
    out = []
    for path in sorted(Path(folder).glob("*.jinja")):
        template = path.read_text()
        entry = {"template": path.stem, "sha256": hashlib.sha256(template.encode()).hexdigest(), "turns": {}}
        for name, case in CASES.items():
            for as_text in (False, True):
                asked = [{"role": "user", "content": "Please."}]
                turn = {"role": "assistant", "content": "", "tool_calls": calls(case, as_text)}
                results = [{"role": "tool", "tool_call_id": call["id"], "name": call["function"]["name"], "content": "ok!"}
                           for call in turn["tool_calls"]]
                try:
                    before = render(template, asked, True)
                    whole = render(template, asked + [turn], False)
                    answered = render(template, asked + [turn] + results, True)
                except Exception:
                    continue
                # What all begin with is the prompt; the turn ends where its end and the results begin.
                shared = 0
                while shared < min(len(before), len(whole)) and before[shared] == whole[shared]:
                    shared += 1
                # Not within a mark that the prompt's continuation begins as well.
                opened = max(whole.rfind(sign, shared - 24, shared) for sign in "<[")
                if opened >= 0 and not re.search(r"[>\]]", whole[opened:shared]):
                    shared = opened
                text = whole[shared:]
                if "ok!" in answered and case[0][0] in text:
                    entry["turns"].setdefault(name, text)
        if entry["turns"]:
            entry["marks"] = sorted(set(MARKS.findall(template)))
            out.append(entry)
    return out


goldens = Path(__file__).parent / "calls.json"
json.dump({"cases": {name: [[tool, arguments] for tool, arguments in case] for name, case in CASES.items()},
           "tools": TOOLS, "templates": main(sys.argv[1])}, goldens.open("w"), ensure_ascii=False, indent=1)
