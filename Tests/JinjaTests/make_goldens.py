#!/usr/bin/env python3
"""Golden renderings, made with transformers' own Jinja (pip install transformers==5.23.0 jinja2==3.1.6).

    python3 make_goldens.py

Writes Goldens/templates.json: contexts (objects as lists of pairs, so that their order is kept), and for each template
what transformers renders of a context, or that it raises. Every string of a context but a role holds "ψ", which no
template writes: so the tests see that what a user wrote is never trusted.
"""
import json, os
from transformers.utils.chat_template_utils import _compile_jinja_template

here = os.path.dirname(os.path.abspath(__file__))

TOOL = {"type": "function", "function": {"name": "getψ", "description": "d \"ψ\" <b> é \u0007", "parameters": {
    "type": "object", "properties": {"city": {"type": "ψ", "enum": ["a", "bψ"]}, "n": {"type": "number", "default": 0.5}},
    "required": ["city"]}}}
CONTEXTS = {
    "chat": {"messages": [{"role": "system", "content": "Be ψ short."}, {"role": "user", "content": "  the ψ\tmoon \n"},
                          {"role": "assistant", "content": "and ψ the sun"}, {"role": "user", "content": "ψ to be"}],
             "add_generation_prompt": True, "tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"},
    "tools": {"messages": [{"role": "user", "content": "hiψ"}, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "cψ1", "type": "function", "function": {"name": "getψ", "arguments": {"city": "Pψ'aris", "n": 1, "deep": [1, 2.5, None, True, {"x": "ψ"}]}}}]},
        {"role": "tool", "tool_call_id": "cψ1", "content": "{\"ψ\": 1}"}],
        "add_generation_prompt": False, "tools": [TOOL], "documents": [{"title": "tψ", "text": "xψ\n\ny"}], "bos_token": "<s>"},
    "values": {"i": 7, "j": -3, "f": 2.5, "big": 1e20, "small": 1.5e-7, "whole": 3.0, "third": 0.1, "t": True, "n": None, "s": "aψb",
               "e": "", "l": [3, 1, 2], "m": ["bψ", "Aψ", "cψ"], "d": {"bψ": 1, "a": [1, "xψ"], "c": {"k": None}}, "o": {}, "z": [],
               "w": "  one ψ two\u00a0three\u3000\u2028four  ", "lines": "aψ\nb\r\nc\u2028d\n", "q": "it's \"ψ\"", "p": "it's ψ",
               "mixed": "ψÀßŒ ǆ Σas ΑΣ", "digits": "١٢ψ", "num": " 42 ", "bad": "4x", "people": [
                   {"name": "Bobψ", "age": 30, "x": {"y": 1}}, {"name": "annψ", "age": 25}, {"name": "Cyψ", "age": 30, "x": {"y": 2}}],
               "tree": [{"v": "1ψ", "kids": [{"v": "2", "kids": []}, {"v": "3", "kids": [{"v": "4", "kids": []}]}]}], "items": [1, 2],
               "keyed": {"items": 5, "get": 6, "x y": 7}, "ctl": "\u0007\u200bψ\U0001f600\ue000\u00ad"},
}

T = {"chat": [], "tools": [], "values": []}
def add(context, *templates): T[context] += templates

# loops
add("chat",
    "{% for m in messages %}{{ m.role }}|{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for m in messages if m.role != 'system' %}{{ loop.index }}/{{ loop.length }} {{ m.content }}{% else %}none{% endfor %}",
    "{% for m in messages if m.role == 'tool' %}x{% else %}none {{ messages|length }}{% endfor %}",
    "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}>{{ loop.nextitem.role if loop.nextitem is defined }};{% endfor %}",
    "{% for m in messages %}{% if loop.changed(m.role) %}C{% endif %}{{ loop.cycle('a', 'b', 'c') }}{% endfor %}",
    "{% for m in messages %}{% if loop.index == 2 %}{% continue %}{% elif loop.index == 4 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "{% for m in messages|reverse %}{{ m.content }}{% endfor %}", "{% for m in messages[::-1] %}{{ loop.index }}{{ m.role }}{% endfor %}",
    "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in messages[0] %}{{ k }};{% endfor %}",
    "{% for c in messages[0].content %}[{{ c }}]{% endfor %}", "{% for i in range(3) %}{{ i }}{% for j in range(i, 5, 2) %}{{ j }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% for i in undefined_thing %}x{% else %}e{% endfor %}",
    "{% for i in none %}x{% endfor %}", "{% for i in 3 %}x{% endfor %}", "{% for a, b in messages %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}",
    "{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for m in messages %}{{ loop.nothing }}{% endfor %}.", "{% for m in [] %}{% endfor %}{{ m is defined }}",
    "{% for m in messages %}{% if m == messages[-1] %}LAST {{ m.content }}{% endif %}{% endfor %}", "{% for m in messages %}{% set loop_index = loop.index %}{% for c in 'ab' %}{{ loop_index }}{{ c }}{% endfor %}{% endfor %}")
add("values",
    "{% for n in tree recursive %}{{ loop.depth }}{{ n.v }}({{ loop(n.kids) }}){% endfor %}", "{%- for p in people if p.age > 26 recursive %}{{ p.name }}{% endfor %}",
    "{% for p in people %}{{ p.x.y if p.x is defined else '?' }}{% endfor %}", "{% for i in l %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for i in l %}{% for i in m %}{{ i }}{% endfor %}{{ i }}{% endfor %}",
    "{% set ns = namespace(found=false, n=0) %}{% for i in l %}{% if i == 1 %}{% set ns.found = true %}{% endif %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.found }}{{ ns.n }}{{ ns.missing is defined }}{{ ns }}",
    "{% set ns = namespace({'a': 1}, b=s) %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}|", "{% set d.x = 1 %}", "{% set ns.x = 1 %}", "{% set ns = namespace(_x=1) %}", "{% set ns = namespace() %}{% set ns._x = 1 %}")
# set, blocks, macros
add("values",
    "{% set a, b = 1, s %}{{ a }}{{ b }}", "{% set a = b = 1 %}", "{% set x %} a{{ s }} {% endset %}[{{ x }}]{{ x is string }}", "{% set x | upper | trim %} a{{ s }} {% endset %}[{{ x }}]",
    "{% set x = 1 %}{% set y %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ y }}", "{% filter upper %}ab{{ s }}{% endfilter %}", "{% filter replace('b', 'c') | indent(2) %}ab\n{{ s }}{% endfilter %}",
    "{% macro f(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(c=s, a=0) }}{{ f() }}{{ f.name }}{{ f.arguments }}", "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, s, k=3) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, k=2) }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in {{ s }}{% endcall %}", "{% macro f(l) %}{% for i in l %}{{ caller(i, 'z') }}{% endfor %}{% endmacro %}{% call(x, y) f(l) %}<{{ x }}{{ y }}>{% endcall %}",
    "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}", "{% set g = 5 %}{% macro f() %}{{ g }}{{ s }}{% endmacro %}{{ f() }}", "{% macro f() %}{% set g = 6 %}{{ g }}{% endmacro %}{{ f() }}{{ g is defined }}",
    "{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(3) }}", "{% macro f() %} x {% endmacro %}{{ f() | trim }}{{ f() ~ f() }}{{ f()|length }}", "{% with a = 1, b = s %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% if z %}a{% elif o %}b{% elif e %}c{% else %}d{% endif %}", "{% if n is none and not t %}a{% else %}b{% endif %}{% if l %}c{% endif %}", "{% generation %}x{% set v = 1 %}{{ s }}{% endgeneration %}{{ v is defined }}",
    "{% raw %}{{ x }}{% if %}{% endraw %}|{%- raw -%}  {{ y }}  {%- endraw -%}  z", "a{# comment {{ x }} #}b {#- c -#} d", "{{ '{{' }}{{ '}}' }}{{ {'a': {'b': 1}} }}", "{% print s, 1 %}", "{% do 1 %}", "{% foo %}", "{% include 'x' %}", "{% for %}{% endfor %}", "{% if %}{% endif %}",
    "{% endif %}", "{{ }}", "{{ 1 + }}", "{{ (1 }}", "{% if 1 %}", "{{ 'a }}", "{# a", "{% raw %}x", "{% set true = 1 %}", "{{ x y }}", "{% break %}", "{% for i in l %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}")
# white space
add("chat",
    "  {% if true %}  \n  a\n  {% endif %}  \n  b\n", "  {%+ if true %}  \n  a\n  {%+ endif +%}  \n  b\n\n", "a\n  {%- if true -%}  \n  a\n  {%- endif -%}  \n  b", "x {{- ' y ' -}} z\n{{ 'w' }}\n\n", "\n\n{% set x = 1 %}\n\n{{ x }}\n",
    "a\r\nb\rc\n{% if true %}\r\nd{% endif %}\r\n", "  {# c #}\n x\n  {#- c -#}\n y", "\t{% if true %}x{% endif %}\n{{ 1 }}  {% if true %}\ny{% endif %}", "a\u3000{%- if true %}x{% endif -%}\u00a0\u2028b", "\u3000{% if true %}x{% endif %}",
    "{%- for m in messages %}\n    {%- if m.role not in ['tool'] and m.content is defined %}\n        {{- '[' ~ m.role | upper ~ ']' -}}  \n        {{ m.content | trim }}\n    {%- endif %}\n{%- endfor %}\n{# a comment #}\n{%- if add_generation_prompt -%}\n    [A]\n{%- endif %}\n",
    "{{ messages[0].content }}\n", "{{ messages[0].content }}\n\n", "x\n", "\n", "", " ", "{% if true -%}\n\n x {%- endif %}\n", "{% if true %}\n\n x {% endif %}\n\n", "a {%- endraw %}", "{{'a'}}{%- set x = 1 -%}{{'b'}}", "{{ 'a'\n}}\n{{ 'b' }}")
# values and operators
add("values",
    *["{{ %s }}" % x for x in """i f big small whole third t n s e l m d o z q p 1.0 1e16 1e15 123456789012345680.0 0.0001 0.00001 -0.0 1_000 0x1F 0b11 0o17 1e3 1.5e-3
    [q,p] [n,t,f,s] (1,) (1,2) () {1:2} {'a':none,n:1,t:2} d.keys() d.values() d.items() d.items()|list [ctl] ctl|length mixed [mixed] range(3)|list [1,'a',[2,(3,)]] [1,2,] {'a':1,}
    i+j i-j i*j i/2 i//2 i%3 j//2 j%2 j%-2 7//-2 7%-2 i**2 2**-1 -2**2 i/0 i//0 i%0 f+1 f//1 f%1 -f%2 -f//1 t+1 t+t 1+1.0 3*1.0 10/5 f*2 l+[1] l*2 2*'ab' 'ab'*-1 (1,)+(2,) s+s s~1~none~t~f~l s+1 l+(1,) n+1 undef+1 undef~'x' +i -i --i +t -t +s
    i>j i>=7 i<7.5 1<2<3 1<3<2 1<2==2 'a'<'b' 'a'<1 n<1 [1,2]<[1,3] l==[3,1,2] l==(3,1,2) d==d d=={} 1==1.0 1==true none==none undef==none undef==undef2 none==false ''==none 'a'!='b' not(i) not_defined 1in(l) 9(in)l
    i_and_j""".split() if "(in)" not in x and "_and_" not in x and "not(" not in x and "1in" not in x],
    *["{{ %s }}" % x for x in ["1 in l", "9 not in l", "not i", "not 1 in l", "'a' in d", "'aψ' in s", "1 in s", "1 in n", "1 in undef", "'x y' in keyed", "i and j", "e or s", "n or e", "z and i", "not z and not o", "t or undef.x.y",
        "'a' if t else 'b'", "'a' if n", "('a' if n) is defined", "'a' if n else 'b' if t else 'c'", "1 if t else 2 ~ 3", "i is number", "s is string", "n is none", "undef is none", "n is defined", "undef is defined", "undef is undefined", "t is boolean", "t is true", "1 is true", "t is number",
        "t is integer", "1 is integer", "1.0 is integer", "1.0 is float", "l is iterable", "s is iterable", "i is iterable", "undef is iterable", "n is iterable", "l is sequence", "d is sequence", "s is sequence", "i is sequence", "d is mapping", "l is mapping", "d.items() is sequence", "d.items() is iterable",
        "i is odd", "i is even", "i is divisibleby 7", "i is divisibleby(2)", "i is eq 7", "i is equalto(7)", "i is ne 7", "i is lt 8", "i is ge 7", "i is in [7]", "'a' is in 'abc'", "s is lower", "'AB' is upper", "range is callable", "i is callable", "undef is callable", "n is sameas none", "t is sameas true", "1 is sameas true", "false is false", "n is not none",
        "i is not defined or t", "not n is none", "i is defined and i > 3", "s is not string", "i is foo", "'upper' is filter", "'odd' is test", "'nope' is filter", "i is none is none", "l[0]", "l[-1]", "l[5]", "l[5] is defined", "l['x']", "l.0", "d.a.1", "d['bψ']", "d.nothing", "d.nothing.x", "undef.x", "n.x", "n.x.y", "i.x", "s[0]", "s[-1]", "s[9]", "s.x", "l[1:]", "l[:-1]", "l[::2]", "l[::-1]",
        "l[5:]", "l[-2:]", "s[1:]", "s[::-1]", "s[:2]", "s[5:1]", "l[1:2:1]", "l[::0]", "n[1:]", "d[1:]", "undef[1:]", "undef[0]", "(1,2,3)[1:]", "l[none:2]", "l[1.0]", "l[t]", "keyed.items", "keyed['items']", "keyed.get", "keyed['get']", "keyed['x y']", "keyed.x", "items[0]", "d.get('a')", "d.get('q')", "d.get('q', s)", "d.get(l)", "{l: 1}", "l.append(1)", "d.update({})", "d.pop('a')", "s.encode()", "s.__class__", "i.bit_length()",
        "dict(a=1, b=s)", "dict(d, x=2)", "dict([('a', 1)])", "dict()", "range(2, 8, 3)|list", "range(5, 0, -2)|list", "range(0)|list", "range(1000000)", "range(3)[1]", "range(3) is sequence", "range(3)|length", "2 in range(3)", "raise_exception('no ' ~ i)", "lipsum()", "nothing()", "i()", "n()", "d()", "true", "True", "false", "False", "None", "none", "'a' 'b'", "'a' \"b\"", "[l, m][0][1]",
        "(i)", "((i))", "(i, j)[1]", "i if t", "[i if t else j, 2]", "{'a': i if t else j}['a']", "s|upper|lower|length", "-i|abs", "(-i)|abs", "-1|abs", "1 + 2|string|length", "s ~ i|string", "not s|length == 3", "s.upper()|lower", "(s ~ s)|length", "l|length > 2 and t", "i if l|length else j", "2 ** 3 ** 2", "2 * 3 + 4", "2 + 3 * 4", "10 - 3 - 2", "1 ~ 2 + 3", "1 + 2 ~ 3", "'%s-%d' % (s, i)", "'%s' % s", "'%05.1f|%-4s|%+d|%x' % (f, 'a', i, 255)", "'%s %s' % s", "'%d' % 'a'", "'%%' % ()", "'%s' % d",
        "'{} {}'.format(s, i)", "'{0}{1}{0}'.format(s, i)", "'{a}'.format(a=s)", "'{{}}{}'.format(1)", "'{}'.format()", "'{:>5}'.format(1)", "'%s'|format(s)", "'%s%s'|format(i, s)"]])
# escapes
add("values", *[r"{{ '%s' }}" % x for x in [r"\u003c|\u4e2d", r"\x41\n\t\\\'", r"\101\0\7x", r"\U0001f600", r"\q\é", r"\a\b\f\v\r", "a\\\nb", "a\nb", r"\N{DASH}", r"\ud83d", r"\u12", r"é中"]], '{{ "a\'b\\"c" }}', "{{ 'a\r\nb' }}")
# methods
add("values", *["{{ %s }}" % x for x in ["w.strip()", "[w.lstrip()]", "[w.rstrip()]", "s.strip('ab')", "'xxaxx'.lstrip('x')", "w.split()", "w.split(none, 1)", "w.split(maxsplit=2)", "'a,b,,c'.split(',')", "'a,b,,c'.split(',', 1)", "'a,b,,c'.rsplit(',', 1)", "w.rsplit(none, 1)", "w.rsplit()", "'a'.split('')", "e.split()", "e.split(',')",
    "lines.splitlines()", "lines.splitlines(true)", "e.splitlines()", "s.startswith('a')", "s.endswith('b')", "s.startswith(('x', 'a'))", "s.startswith('ψ', 1)", "s.replace('ψ', '--')", "s.replace('', '.')", "'aaa'.replace('a', 'b', 2)", "'aaa'.replace('a', s)", "'aaa'.replace('a', 'b', -1)", "mixed.upper()", "mixed.lower()", "mixed.title()", "mixed.capitalize()", "mixed.swapcase()",
    "'HeLLo wORLD'.title()", "'they\\'re x3y'.title()", "'ABC'.casefold()", "', '.join(m)", "e.join(m)", "','.join(l)", "','.join('abc')", "s.find('b')", "s.find('z')", "s.rfind('a')", "s.index('b')", "s.index('z')", "'aXbX'.rindex('X')", "'aaaa'.count('aa')", "'abc'.count('')", "s.count('ψ')", "s.isdigit()", "digits.isdigit()", "'12'.isdigit()", "'²'.isdigit()", "'²'.isdecimal()", "'½'.isnumeric()", "'12'.isdecimal()", "''.isdigit()", "s.isalpha()", "'a1'.isalnum()",
    "' \\u2028'.isspace()", "'AB1'.isupper()", "'ab1'.islower()", "'1'.islower()", "'é'.isascii()", "'7'.zfill(3)", "'-7'.zfill(4)", "s.center(10)", "s.center(9, '*')", "'ab'.center(5)", "'abc'.center(6)", "s.ljust(5) ~ '|'", "s.rjust(5, '.')", "s.partition('ψ')", "s.rpartition('q')", "s.removeprefix('a')", "s.removesuffix('b')", "s.removesuffix('')", "d.keys()|list", "d.values()|list", "d.items()|first", "d.copy() == d", "o.items()|list", "l.index(2)", "l.count(1)", "l.index(9)", "d.keys()[0]", "(d.keys()|list)[0]", "s.upper(1)", "s.nothing()", "s.split(',')[0]", "s.split('ψ')[-1].strip()", "w.split()[0].upper()"]])
# filters
add("values", *["{{ %s }}" % x for x in ["w|trim", "s|trim('ab')", "s|upper", "s|lower", "s|capitalize", "'foo bar-baz (qux) [x <y'|title", "mixed|title", "n|upper", "i|upper", "undef|upper", "undef|trim", "l|length", "d|length", "s|length", "i|length", "n|length", "undef|length", "s|count", "undef|default('x')", "n|default('x')", "n|default('x', true)", "e|default(s, boolean=true)", "undef|d", "undef.x|default('y')", "d.q|default('y')", "d.q.r|default('y')",
    "s|replace('a', 'b')", "s|replace('b', s, 1)", "i|replace(7, 8)", "s|list", "d|list", "i|list", "undef|list", "l|first", "z|first", "z|first is defined", "l|last", "s|first", "s|last", "e|last", "d|first", "l|join", "l|join(', ')", "m|join('-')", "people|join(', ', attribute='name')", "s|join('.')", "undef|join", "l|sort", "m|sort", "m|sort(case_sensitive=true)", "l|sort(reverse=true)", "people|sort(attribute='age')|map(attribute='name')|list", "people|sort(attribute='age,name')|map(attribute='name')|list", "people|sort(true, attribute='age')|map(attribute='name')|join", "l|sort|reverse|list", "[1,'a']|sort",
    "l|reverse|list", "s|reverse", "l|unique|list", "['a','A','b']|unique|list", "['a','A','b']|unique(true)|list", "l|min", "l|max", "z|min", "m|min", "m|max(case_sensitive=true)", "people|max(attribute='age')", "l|sum", "people|sum(attribute='age')", "l|sum(start=10)", "z|sum", "m|sum", "j|abs", "f|abs", "s|abs", "f|round", "2.567|round(2)", "42.55|round", "42.55|round(1, 'floor')", "42.55|round(1, 'ceil')", "i|round", "3.5|round", "2.5|round|int", "2.675|round(2)", "num|int", "bad|int", "bad|int(5)", "'3.7'|int", "f|int", "n|int", "t|int", "'1_0'|int", "''|int", "'1e2'|int", "num|float", "bad|float", "'1e3'|float", "'inf'|float", "n|float(2.0)", "i|float",
    "i|string", "n|string", "d|string", "l|string|length", "people|map(attribute='name')|list", "people|map(attribute='x.y')|list", "people|map(attribute='x', default='?')|list", "people|map(attribute='x.y', default=0)|list", "m|map('upper')|list", "m|map('replace', 'ψ', '!')|join", "m|map('nope')|list", "l|select('odd')|list", "l|select|list", "[0,1,none,'']|select|list", "l|reject('odd')|list", "l|select('>', 1)|list", "l|select('in', [1,2])|list", "[1,n]|select('defined')|list", "people|selectattr('x')|map(attribute='name')|list", "people|selectattr('age', 'equalto', 30)|list|length", "people|rejectattr('age', '==', 30)|map(attribute='name')|first", "people|selectattr('x.y', 'eq', 2)|map(attribute='name')|first", "people|selectattr('nope')|list", "people|selectattr('x', 'undefined')|list|length",
    "(people|selectattr('nope')) is defined", "'yes' if people|selectattr('nope') else 'no'", "'yes' if people|selectattr('nope')|list else 'no'", "people|map(attribute='age')", "l|select('odd')|length", "(l|select('odd'))[0]", "l|batch(2)|list", "l|batch(2, 'x')|list", "l|slice(2)|list", "l|slice(2, 'x')|list", "d|dictsort", "d|dictsort(reverse=true)", "{'b':1,'A':2}|dictsort", "{'b':1,'A':2}|dictsort(true)", "{'b':1,'A':2}|dictsort(by='value')", "d|items|list", "undef|items|list", "l|items", "d|attr('x')", "d|attr('keys')", "lines|indent", "lines|indent(2, true)", "'a\\n\\nb'|indent(2, blank=true)", "'a\\n\\nb'|indent", "'a\\nb'|indent('> ')", "'a\\nb'|indent(width=1, first=true)", "('foo bar baz ' * 30)|truncate", "'foo bar baz qux'|truncate(9)", "'foo bar baz qux'|truncate(9, true)", "'foo bar baz qux'|truncate(11)", "'foo bar baz qux'|truncate(9, false, '', 0)", "'a b  c-d e_f'|wordcount", "s|center(9)", "s|safe", "s|safe|trim", "s|escape", "s|urlencode", "s|nope", "s|random", "l|pprint",
    "s|upper()", "s|upper(1)", "s | upper | lower", "(s|upper)[0]", "s|tojson", "d|tojson", "l|tojson", "ctl|tojson", "q|tojson", "f|tojson", "big|tojson", "small|tojson", "n|tojson", "t|tojson", "whole|tojson", "d|tojson(indent=2)", "d|tojson(indent=4)", "o|tojson(indent=2)", "z|tojson(indent=2)", "d|tojson(separators=(',', ':'))", "d|tojson(ensure_ascii=true)", "ctl|tojson(true)", "people|tojson(sort_keys=true)", "d|tojson(indent=0)", "d|tojson(indent='--')", "(1,2)|tojson", "{1:2,none:3,true:4,1.5:5}|tojson", "undef|tojson", "range(2)|tojson", "d.items()|tojson", "d|tojson|safe", "d|tojson|string|length", "keyed|tojson", "people[0]|tojson(indent=2)|indent(4)"]])
add("values", *["{{ %s }}" % x for x in ["s|safe + '<b>'", "'<b>\\'\"&' + s|safe", "(s|safe + '<') + '>'", "s|safe ~ '<b>' + '<'", "[s|safe, '<']|join('<')", "(d|tojson|safe) ~ '</tool>'", "'a' if t else s|nope_filter", "s is nope_test if n else 'b'", "n|selectattr('x')|list", "n|select|list", "0|reject('x')|list", "n|map(attribute='x')|list", "n|map('upper')|list", "n|list", "n|sort", "n|first", "n|join"]], "{% if n %}{{ s|nope_filter }}{% endif %}x", "{% if n is nope_test %}{% endif %}")
# the usual shapes of hub templates
add("tools",
    "{% if tools is defined %}D{% endif %}{% if tools %}T{% endif %}{% if documents is none %}N{% endif %}{{ none }}{{ tools is not none }}",
    "{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}", "{%- for tool in tools %}{{ tool.function | tojson(indent=4) }}{% endfor %}",
    "{%- for m in messages %}{% if m.content is not none %}{{ m.content }}{% endif %}{% if m.tool_calls is defined and m.tool_calls %}{% for c in m.tool_calls %}{% set c = c.function %}{{ c.name }}({{ c.arguments | tojson }}){% for k, v in c.arguments.items() %}{{ k }}={{ v if v is string else v | tojson }};{% endfor %}{% endfor %}{% endif %}{% endfor %}",
    "{% for m in messages %}{{ m.get('content') or '' }}{{ m.get('tool_calls', [])|length }}{{ m['name']|default('-') }}{% endfor %}", "{{ messages }}", "{{ tools }}", "{{ messages[1].tool_calls[0].function.arguments }}", "{{ messages[1].content }}", "{% if messages[1].content == none %}y{% endif %}{% if messages[1].content %}x{% endif %}",
    "{%- macro t(p) -%}{%- if p.type == 'array' -%}a{%- else -%}{{ p.type }}{%- if p.enum %} [{{ p.enum | join(', ') }}]{% endif %}{%- endif -%}{%- endmacro -%}{% for tool in tools %}{% for k, p in tool.function.parameters.properties | dictsort %}{{ k }}: {{ t(p) }}{% if k in tool.function.parameters.required %} req{% endif %}\n{% endfor %}{% endfor %}",
    "{% for d in documents %}{{ loop.index }}. {{ d.title | upper }}: {{ d['text'].split('\\n\\n')|first|trim }}{% endfor %}", "{{ messages | selectattr('role', 'equalto', 'tool') | map(attribute='content') | join('|') }}", "{{ messages|map(attribute='role')|list }}", "{{ (messages|selectattr('role','in',['user'])|list|last).content }}",
    "{{ tools[0].function.parameters.properties.items()|list }}", "{{ tools[0].function.parameters.properties|items|list }}", "{{ messages[1].tool_calls[0].function.arguments.items()|list|tojson }}", "{{ messages[0].content + messages[1].content }}", "{{ messages[2].content|length }}{{ messages[2].content[0] }}")

out = []
for name, context in CONTEXTS.items():
    for template in dict.fromkeys(T[name]):
        item = {"context": name, "template": template}
        try: item["text"] = _compile_jinja_template(template).render(**json.loads(json.dumps(context)))
        except Exception as error: item["error"] = type(error).__name__
        # A lone surrogate is no Unicode text; here it is refused.
        if any(0xD800 <= ord(c) < 0xE000 for c in item.get("text", "")): item = {**item, "error": "surrogate"}; del item["text"]
        if " at 0x" not in item.get("text", ""): out.append(item)

def pairs(value):
    if isinstance(value, dict): return {"object": [[k, pairs(v)] for k, v in value.items()]}
    if isinstance(value, list): return [pairs(v) for v in value]
    if isinstance(value, bool): return {"bool": value}
    if isinstance(value, float): return {"float": repr(value)}
    return value

with open(f"{here}/Goldens/templates.json", "w") as f:
    json.dump({"contexts": {k: pairs(v) for k, v in CONTEXTS.items()}, "rendered": out}, f, ensure_ascii=True, indent=0)
print(len(out), "templates,", sum("error" in x for x in out), "of them raise")
