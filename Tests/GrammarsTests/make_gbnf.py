#!/usr/bin/env python3
"""Which texts xgrammar lets through by grammars in its notation of GBNF (xgrammar==0.2.8).

    python3 make_gbnf.py        writes Goldens/gbnf.json
"""
import itertools, json, os
import xgrammar

GRAMMARS = {
    r'root ::= "yes" | "no"': ["yes", "no", "ye", "yesno", ""],
    'root ::= a b*\na ::= "x"+ # comment\nb ::= [0-9] | "(" b ")"': ["x", "xx1", "x((1))2", "", "x()", "1"],
    'root ::= [^a-c\\n]{2,3}': ["xy", "xyz", "x", "xyzw", "ax", "é中", "x\n"],
    'root ::= ("ab"? "c"){2}': ["abcabc", "cc", "cabc", "c", "ccc"],
    'root ::= [a-z]{2,}': ["a", "ab", "abcdefgh", "aB"],
    'root ::= "\\u4e2d\\x41\\n" | "\\"\\\\" ': ["中A\n", '"\\', "中a\n"],
    'root ::= (\n  "a"\n  | "b"\n)+\n': ["a", "ab", "", "c"],
    'root ::= "a"\n  | "b"\n  | ""': ["a", "b", "", "ab"],
    'root ::= select\nselect ::= "SELECT " col ("," col)* " FROM " tab\ncol ::= "c_1" | "c_2"\ntab ::= "t"': [
        "SELECT c_1 FROM t", "SELECT c_1,c_2,c_1 FROM t", "SELECT  FROM t", "SELECT c_3 FROM t"],
    'root ::= object\nobject ::= "{" ws (pair ("," ws pair)*)? "}"\npair ::= string ":" ws value\nvalue ::= object | string | number\n'
    'string ::= "\\"" ([^"\\\\] | "\\\\" ["\\\\nt])* "\\""\nnumber ::= "-"? ("0" | [1-9] [0-9]{0,5})\nws ::= [ \\t]*': [
        "{}", '{"a": 1}', '{"a": {"b": "\\n é"}, "c":-20}', '{"a": 01}', '{"a" 1}', '{"a": 1234567}'],
    'root ::= [\\]\\-a] [+-]': ["]+", "--", "a-", "b+"],
    'root ::= "a"* "b"? "c"+': ["c", "abc", "aacc", "ab", "bbc"],
}


def accepts(grammar, text, info):
    compiler = xgrammar.GrammarCompiler(info)
    matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar), terminate_without_stop_token=True)
    # Stepwise: one that is whole may still go on, so the end is asked for by the token of the end.
    matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar))
    for byte in text.encode():
        if not matcher.accept_token(byte):
            return False
    return matcher.accept_token(256)


def main():
    info = xgrammar.TokenizerInfo([bytes([i]) for i in range(256)] + [b"</s>"], stop_token_ids=[256])
    out = [{"grammar": g, "texts": {t: accepts(g, t, info) for t in texts}} for g, texts in GRAMMARS.items()]
    with open(os.path.dirname(os.path.abspath(__file__)) + "/Goldens/gbnf.json", "w") as file:
        json.dump(out, file, ensure_ascii=False, indent=1)
        file.write("\n")
    print(len(out), sum(len(o["texts"]) for o in out), sum(sum(o["texts"].values()) for o in out))


main()
