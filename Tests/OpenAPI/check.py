#!/usr/bin/env python3
"""Holds a running gateway against its own OpenAPI document: schemathesis sends what that allows and what it does not.

    pip install schemathesis
    python3 Tests/OpenAPI/check.py http://127.0.0.1:8080 --models auto,nephele-verse,nephele-pixel

No answer may be a server's error, or have a status, a content type or a body that the document does not know; a method
that a route does not have must be refused, and so must what the document forbids. What it allows may be refused still:
ranges that depend on the model are not in it.
"""
import argparse, os, subprocess, sys, tempfile

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("address")
arguments.add_argument("--models", default="auto", help="names that requests may give, with commas between them")
arguments.add_argument("--examples", type=int, default=50, help="fuzzed requests an operation")
arguments.add_argument("--phases", default="examples,coverage,fuzzing")
arguments.add_argument("--key", help="an API key, where the gateway wants one")
arguments.add_argument("--seed", type=int, default=1)
options = arguments.parse_args()

checks = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
          "response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance")
here = os.path.dirname(os.path.abspath(__file__))
command = [
    sys.executable, "-m", "schemathesis.cli", "--config-file", here + "/schemathesis.toml", "run",
    options.address + "/openapi.json", "--checks", checks, "--phases", options.phases, "--max-examples",
    str(options.examples), "--seed", str(options.seed), "--continue-on-failure", "--request-timeout", "60",
    "--suppress-health-check", "all", "--warnings", "off", "--no-color",
]
if options.key:
    command += ["-H", f"Authorization: Bearer {options.key}"]
environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1",
                            "NEPHELE_MODELS": options.models}
# What it remembers of a run is not kept for the next one.
with tempfile.TemporaryDirectory() as folder:
    sys.exit(subprocess.run(command, env=environment, cwd=folder).returncode)
