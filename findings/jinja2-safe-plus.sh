#!/usr/bin/env bash
# jinja2 3.1.6, autoescape off: text that went through the filter safe escapes what is added to it by +, while ~ does not.
# A chat template's {{ (tool | tojson | safe) + "</tool>" }} writes "&lt;/tool&gt;" into the prompt.
#
# Seen: + {"a": 1}&lt;/tool&gt; | ~ {"a": 1}</tool>
# Fails (status 1) once that is no longer so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q jinja2==3.1.6
"$folder/v/bin/python" - <<'PY'
from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment(autoescape=False)
render = lambda source: environment.from_string(source).render(tool='{"a": 1}')
plus, tilde = render('{{ (tool | safe) + "</tool>" }}'), render('{{ (tool | safe) ~ "</tool>" }}')
print("+", plus, "| ~", tilde)
assert plus == '{"a": 1}&lt;/tool&gt;' and tilde == '{"a": 1}</tool>'
PY
