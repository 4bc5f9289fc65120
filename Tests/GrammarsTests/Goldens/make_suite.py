#!/usr/bin/env python3
"""The required tests of JSON-Schema-Test-Suite, draft 2020-12, as jsonschema's source archive holds them, with each instance
as json.dumps writes it: by default, compact, and compact in UTF-8. The suite is (c) 2012 Julian Berman, under the MIT licence
that the archive has as json/LICENSE.

    pip download --no-deps --no-binary :all: jsonschema==4.26.0 && tar xzf jsonschema-4.26.0.tar.gz
    python3 make_suite.py jsonschema-4.26.0/json
"""
import glob, json, os, sys

here = os.path.dirname(os.path.abspath(__file__))
groups = []
for path in sorted(glob.glob(f"{sys.argv[1]}/tests/draft2020-12/*.json")):
    for group in json.load(open(path)):
        cases = []
        for test in group["tests"]:
            data, compact = test["data"], dict(separators=(",", ":"))
            texts = [json.dumps(data), json.dumps(data, **compact), json.dumps(data, ensure_ascii=False, **compact)]
            cases.append({"valid": test["valid"], "texts": list(dict.fromkeys(texts))})
        groups.append({"file": os.path.basename(path)[:-5], "name": group["description"],
                       "schema": json.dumps(group["schema"]), "cases": cases})
with open(f"{here}/suite.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(group) for group in groups) + "\n]\n")
with open(f"{here}/suite.LICENSE", "w") as file: file.write(open(f"{sys.argv[1]}/LICENSE").read())
