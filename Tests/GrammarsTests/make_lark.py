#!/usr/bin/env python3
"""Which texts Lark parses by grammars in its notation, and which llguidance lets through (lark==1.3.1, llguidance==1.9.1).

    python3 make_lark.py        writes Goldens/lark.json and Goldens/lark_random.json

Beside the texts given here, ones in which a character is changed, left out, put in or doubled. The parser is LALR with the
contextual lexer where the grammar is LALR(1), and Earley with the dynamic lexer where it is not.
"""
import itertools, json, os, random
import lark, llguidance
from lark import Lark

# grammar -> texts of it (most of them)
GRAMMARS = {
    'start: "yes" | "no"i': ["yes", "no", "NO", "YES", "nO"],
    # vLLM's and outlines' example.
    '?start: expression\n?expression: term (("+" | "-") term)*\n?term: factor (("*" | "/") factor)*\n'
    '?factor: NUMBER | "-" factor | "(" expression ")"\n%import common.NUMBER\n%ignore " "': [
        "1", "1+2*3", "(1 - -2.5e3)/.5", "-(7)", " 1 + 1 ", "1.", "12e", "1..2"],
    # Left recursion, straight and around.
    '?start: sum\n?sum: product | sum "+" product -> add | sum "-" product -> sub\n?product: atom | product "*" atom -> mul\n'
    '?atom: NUMBER -> number | "-" atom -> neg | NAME -> var | "(" sum ")"\n%import common.CNAME -> NAME\n'
    '%import common.NUMBER\n%import common.WS_INLINE\n%ignore WS_INLINE': [
        "1+2", "a*b+(c-3)", "-x - -y", "(((1)))", "a b", "3x"],
    'start: primary\n?primary: NAME | call | item | attribute\ncall: primary "(" [primary ("," primary)*] ")"\n'
    'item: primary "[" primary "]"\nattribute: primary "." NAME\nNAME: /[a-z]+/': [
        "a", "a.b.c(d,e)[f]", "a()()", "a(b(c))", "a.(b)", "a..b"],
    # Lark's tutorial.
    '?start: value\n?value: object | array | string | SIGNED_NUMBER -> number | "true" -> true | "false" -> false | "null" -> null\n'
    'array: "[" [value ("," value)*] "]"\nobject: "{" [pair ("," pair)*] "}"\npair: string ":" value\nstring: ESCAPED_STRING\n'
    '%import common.ESCAPED_STRING\n%import common.SIGNED_NUMBER\n%import common.WS\n%ignore WS': [
        '{"a": [1, -2.5e-3, true, null], "b\\"c": {}}', "[]", '"\\\\"', '"a\\\\"b"', "tru", "+1", "[1,]", '{"é": "中"}'],
    # Keywords beside names.
    'start: stmt (";" stmt)*\nstmt: "if" NAME "then" stmt | NAME "=" NAME | "skip"\nNAME: /[a-z_]\\w*/\n%ignore /\\s+/': [
        "if a then b=c", "ifa=b", "iff = x;skip", "skip ;skip", "skipp=a", "if=a", "ifa then skip", "if a thenb=c", "x=é"],
    'start: "a" NAME | NAME ";"\nNAME: /[a-z]+/': ["ab;", "a", "b;", "abc;", "a;", "aa"],
    # The longest word, and what comes of it.
    'start: INT "." INT | FLOAT ";" | INT ";"\nINT: /[0-9]+/\nFLOAT: INT "." INT': ["1.5;", "1.5", "1;", "12.34;", "1.;"],
    'start: A B\nA: /a+/\nB: "b" | "ab"': ["aab", "ab", "aaab", "b"],
    'start: A "x" "b" | A "c"\nA: /a(xb)?/': ["axc", "axbc", "axb", "ac", "axbxb"],
    'start: (WORD | "(" WORD ")")+\n%import common.WORD\n%ignore / +/': ["a b c", "(a)b(c)", "ab", "(a", "( a ) b"],
    'start: "a" "b" | "ab" "c"': ["ab", "abc", "a"],
    # What a backtracking engine matches: the first alternative, the fewest.
    'start: A B\nA: /a|ab/\nB: /b+/': ["ab", "abb", "a", "aab"],
    'start: STRING+\nSTRING: /".*?"/': ['"a"', '"a""b"', '""', '"a"b"', '"a\n"'],
    'start: COMMENT NAME\nCOMMENT: "/*" /(.|\\n)*?/ "*/"\nNAME: /[a-z*\\/]+/': ["/**/a", "/* a\n*/b", "/* */ */a", "/*/a", "/***/a*/"],
    'start: (SH_COMMENT | CPP_COMMENT | C_COMMENT | SQL_COMMENT | NEWLINE)+\n%import common (SH_COMMENT, CPP_COMMENT)\n'
    '%import common.C_COMMENT\n%import common.SQL_COMMENT\n%import common.NEWLINE': [
        "# a\n// b\n/* c */\r\n-- d", "/* a */ */", "/", "#", "--\n"],
    # Counts, ranges, flags.
    'start: "x" ~ 3 | ("y" "z"?) ~ 1..2 | DIGITS\nDIGITS: "0".."9" ~ 2..3': ["xxx", "xx", "yzy", "y", "yzyzy", "12", "1", "1234"],
    'start: A B C\nA: /[a-c]/i\nB: /x.y/s\nC: /a b # c\n/x': ["Ax\nyab", "bxzyab", "dxzyab", "Cx.y a b"],
    'start: A\nA: /[^a-z]+/i | /é+/i | /[ßkſ]/i': ["12", "É", "éÉé", "AB", "K", "s", "ſ", "ß"],
    'start: A+\nA: /\\d{2}|\\w\\s|[\\]\\-x]|\\.|{/': ["12", "a ", "]", "-", "x", ".", "{", "1", "é\n", "٣٤"],
    'start: A\nA: /(?P<x>a)(?:b|c){,2}(?i:d)(?#no)e?/': ["ad", "abcD", "accde", "abbbd", "AD"],
    # Empty alternatives, brackets over lines, aliases, comments of both kinds.
    'start: a b? [c]  // one\n a: | "a"  # two\n b: ("b"\n  | "B")\n c: "c" -> x\n  | "d" -> y\n': [
        "", "a", "ab", "B", "aBd", "c", "bc", "ba"],
    'start: _list{NAME, ","} "." _list{_list{DIGIT, ""+}, "|"}\n_list{x, sep}: x (sep x)*\nNAME: /[a-z]/\n%import common.DIGIT'
    .replace('""+', '"-"'): ["a,b.1-2|3", "a.1", "a,.1", "a,b.1|2-3-4", ".1"],
    # What is named `.`, escapes in texts.
    'start: "\\"" "\\\\" "\\n" "\\u00e9" "\\x41" "\\."': ['"\\\néA\\.', '"\\\néA.', '"\\nA'],
    '%ignore /[ \\t]+/\n%ignore COMMENT\nCOMMENT: /#[^\\n]*/\nstart: (line "\\n")*\nline: ["a" ("," "a")*]': [
        "a, a # b\n", "\n\n", " # x\n", "a,\n", "a a\n", "a\n "],
    # SQL as vLLM's documents have it.
    'start: "SELECT" columns "FROM" TABLE ["WHERE" condition]\ncolumns: NAME ("," NAME)* | "*"\ncondition: NAME ("="|"<") (NAME|INT)\n'
    'TABLE: "t1" | "t2"\nNAME: /[a-z]+/\n%import common.INT\n%import common.WS\n%ignore WS': [
        "SELECT a, b FROM t1", "SELECT * FROM t2 WHERE a = 1", "SELECTa FROMt1", "SELECT a FROM t3", "SELECT FROM t1", "SELECT a b FROM t1"],
    # Not LALR(1): an even palindrome, an ambiguous one.
    'start: p\np: "a" p "a" | "b" p "b" | "c"': ["c", "abcba", "aca", "abcab"],
    'start: e\ne: e "+" e | e e | "x"': ["x", "x+x", "xx+x", "x+", "xxx"],
    'start: s\ns: s? "(" s? ")" | s "!"': ["()", "(())()", "()!", "((!", "!", "(()!)!"],
    'start: a\na: b "x" | "y"\nb: a | c\nc: b "z" | a? "w"': ["y", "yx", "wx", "yzx", "yxwx", "wzzx", "yw"],
}


def mutations(texts, random):
    letters = sorted({c for t in texts for c in t} | set("a1 "))
    out = list(texts)
    for text in texts:
        for _ in range(8):
            place = random.randrange(len(text) + 1)
            kind = random.randrange(4)
            if kind == 0:
                new = text[:place] + random.choice(letters) + text[place:]
            elif kind == 1:
                new = text[:place] + text[place + 1:]
            elif kind == 2:
                new = text[:place] + random.choice(letters) + text[place + 1:]
            else:
                new = text[:place] + text[max(0, place - 2):]
            out.append(new)
    return list(dict.fromkeys(out))


def parses(parser, text):
    try:
        parser.parse(text)
        return True
    except lark.exceptions.UnexpectedInput:
        return False


class Bytes:
    """A vocabulary of bytes, and an end."""
    eos_token_id, bos_token_id = 256, None
    tokens = [bytes([i]) for i in range(256)] + [b"</s>"]
    special_token_ids = [256]

    def __call__(self, text):
        return list(text.encode() if isinstance(text, str) else text)


def lets_through(grammar, texts):
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))
    found = {}
    for text in texts:
        matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar))
        if matcher.is_error():
            return None
        tokens = list(text.encode())
        count = matcher.try_consume_tokens(tokens)
        found[text] = count == len(tokens) and matcher.is_accepting()
    return found


TERMINALS = ['"a"', '"b"', '"ab"', '"c"', "/a+/", "/[ab]+/", "/a|ab/", "/ab?c?/", "/b+/", "/[a-c]/", '"aa"', "/a+?/",
             "/(ab)*c/", '"abc"', "/[bc]+/"]


def expression(random, depth, rules, terminals):
    kind = random.random()
    if depth == 0 or kind < .35:
        return random.choice(terminals)
    if kind < .5:
        return random.choice(rules)
    parts = [expression(random, depth - 1, rules, terminals) for _ in range(2)]
    if kind < .7:
        return "(" + " | ".join(parts) + ")"
    if kind < .8:
        return "[" + parts[0] + "]"
    if kind < .87:
        return "(" + parts[0] + ")" + random.choice("*+?")
    return " ".join(parts)


def random_grammars(random, count):
    """Grammars whose terminals begin alike, and by text whether LALR and whether Earley take it: '', 'e' or 'le'."""
    strings = ["".join(p) for n in range(6) for p in itertools.product("abc ", repeat=n) if "  " not in "".join(p)]
    out = []
    while len(out) < count:
        terminals = [f"T{i}" for i in range(random.randint(2, 4))]
        rules = ["start", "r1", "r2"][:random.randint(1, 3)]
        names = terminals + random.sample(['"a"', '"b"', '"ab"', '"c"'], random.randint(0, 2))
        grammar = "".join(
            f"{r}: {expression(random, 3, rules, names)} | {expression(random, 3, rules, names)}\n" for r in rules)
        grammar += "".join(f"{t}: {random.choice(TERMINALS)}\n" for t in terminals)
        grammar += random.choice(['%ignore " "\n', ""])
        try:
            lalr, earley = Lark(grammar, parser="lalr"), Lark(grammar, parser="earley", lexer="dynamic")
        except lark.exceptions.LarkError:
            continue
        texts = {t: ("l" if parses(lalr, t) else "") + ("e" if parses(earley, t) else "") for t in strings}
        taken = [t for t in texts if texts[t]]
        if len(taken) < 3:
            continue
        kept = random.sample(taken, min(30, len(taken))) + random.sample(strings, 40)
        out.append({"grammar": grammar, "texts": {t: texts[t] for t in kept}})
    return out


def main():
    folder = os.path.dirname(os.path.abspath(__file__)) + "/Goldens/"
    with open(folder + "lark_random.json", "w") as file:
        json.dump(random_grammars(random.Random(7), 80), file, separators=(",", ":"))
        file.write("\n")
    source = random.Random(18)
    out = []
    for grammar, texts in GRAMMARS.items():
        texts = mutations(texts, source)
        try:
            earley = Lark(grammar, parser="earley", lexer="dynamic")
        except Exception as error:
            raise SystemExit(f"{grammar}\n{error}")
        try:
            parser, name = Lark(grammar, parser="lalr", lexer="contextual"), "lalr"
        except lark.exceptions.GrammarError:
            parser, name = earley, "earley"
        entry = {"grammar": grammar, "parser": name, "texts": {t: parses(parser, t) for t in texts}}
        entry["earley"] = sorted(t for t in texts if parses(earley, t) and not entry["texts"][t])
        guided = lets_through(grammar, texts)
        if guided is None:
            entry["llguidance"] = None
        else:
            entry["llguidance"] = sorted(t for t in texts if guided[t] != entry["texts"][t])
        out.append(entry)
    with open(folder + "lark.json", "w") as file:
        json.dump(out, file, ensure_ascii=False, indent=1)
        file.write("\n")
    print(len(out), sum(len(o["texts"]) for o in out), sum(sum(o["texts"].values()) for o in out),
          sum(o["parser"] == "lalr" for o in out), sum(o["llguidance"] is not None for o in out),
          sum(len(o["llguidance"] or []) for o in out))


main()
