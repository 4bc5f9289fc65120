#!/usr/bin/env python3
"""What transformers renders of published templates, in eleven conversations each.

    python3 make_published.py FOLDER OUT.json
    NEPHELE_TEMPLATES=OUT.json swift test --filter JinjaTests

FOLDER holds templates as *.jinja, such as llama.cpp's models/templates (in llama-cpp-python's source package). They are not
committed here, for their licences differ.
"""
import json, glob, os, datetime, sys
import transformers.utils.chat_template_utils as C
from transformers.utils.chat_template_utils import render_jinja_template
user="What is the ψ moon? "
base=[{"role":"user","content":user}]
tools=[{"type":"function","function":{"name":"get_weather","description":"Get ψ the \"weather\"","parameters":{"type":"object","properties":{"city":{"type":"string","description":"The ψ city","enum":["a","b"]},"n":{"type":"integer","default":3},"opts":{"type":"array","items":{"type":"string"}},"nest":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}},"required":["city"]}}}]
call=[{"id":"call00001","type":"function","function":{"name":"get_weather","arguments":{"city":"Pψaris","n":1}}}]
ctx={
 "plain":dict(messages=base,add_generation_prompt=True),
 "turns":dict(messages=[{"role":"system","content":"Be ψ short.\n"}]+base+[{"role":"assistant","content":" A ψ rock. "},{"role":"user","content":"ψ More?\n\n"}],add_generation_prompt=True),
 "noprompt":dict(messages=base+[{"role":"assistant","content":"A ψ rock."}],add_generation_prompt=False),
 "think":dict(messages=base+[{"role":"assistant","content":"<think>\nψ hm\n</think>\n\nA ψ rock."},{"role":"user","content":"more ψ"}],add_generation_prompt=True,enable_thinking=False),
 "tools":dict(messages=[{"role":"system","content":"Be ψ."}]+base,tools=tools,add_generation_prompt=True),
 "calls":dict(messages=base+[{"role":"assistant","content":"","tool_calls":call},{"role":"tool","name":"get_weather","tool_call_id":"call00001","content":"{\"ψ\": 1}"}],tools=tools,add_generation_prompt=True),
 "calls-none":dict(messages=base+[{"role":"assistant","content":None,"tool_calls":call},{"role":"tool","name":"get_weather","tool_call_id":"call00001","content":"22ψ"},{"role":"assistant","content":"It is ψ"},{"role":"user","content":"ok ψ"}],tools=tools,add_generation_prompt=True),
 "reason":dict(messages=base+[{"role":"assistant","reasoning_content":"ψ hm","content":"A ψ rock."},{"role":"user","content":"ψ"}],add_generation_prompt=True,reasoning_effort="low"),
 "parts":dict(messages=[{"role":"user","content":[{"type":"text","text":"ψ one"},{"type":"text","text":"two ψ"}]}],add_generation_prompt=True),
 "docs":dict(messages=base,documents=[{"title":"ψ t","text":"ψ body"}],add_generation_prompt=True),
 "developer":dict(messages=[{"role":"developer","content":"ψ dev"}]+base,add_generation_prompt=True),
}
class D(datetime.datetime):
    @classmethod
    def now(cls,tz=None): return datetime.datetime(2026,7,4,15,5,9)
C.datetime=D
def pairs(v):
    if isinstance(v,dict): return {"object":[[k,pairs(x)] for k,x in v.items()]}
    if isinstance(v,list): return [pairs(x) for x in v]
    if isinstance(v,bool): return {"bool":v}
    if isinstance(v,float): return {"float":repr(v)}
    return v
out=[];contexts={}
for n,c in ctx.items():
    full=dict(bos_token="<s>",eos_token="</s>",tools=None,documents=None); full.update(c)
    contexts[n]=full
files=sorted(glob.glob(sys.argv[1]+"/**/*.jinja",recursive=True))
seen=set()
for f in files:
    t=open(f,encoding="utf-8").read()
    if t in seen: continue
    seen.add(t)
    for n,c in contexts.items():
        it={"context":n,"template":t,"name":os.path.basename(f)}
        try:
            c2=json.loads(json.dumps(c)); msgs=c2.pop("messages"); tl=c2.pop("tools"); dc=c2.pop("documents"); ag=c2.pop("add_generation_prompt")
            it["text"]=render_jinja_template([msgs],tools=tl,documents=dc,chat_template=t,add_generation_prompt=ag,**c2)[0][0]
        except Exception as e: it["error"]=type(e).__name__+": "+str(e)[:150]
        out.append(it)
# alias reasoning fields as transformers does, in the contexts
for n,c in contexts.items(): c["messages"]=C._alias_reasoning_fields(c["messages"])
json.dump({"contexts":{n:pairs(c) for n,c in contexts.items()},"rendered":out},open(sys.argv[2],"w"))
print(len(seen),"templates",len(out),"renderings",sum("error" in o for o in out),"raise")
