#!/usr/bin/env bash
# anthropic 2.14.0: messages.create() takes neither temperature nor top_p nor top_k.
#
# The three stood in the method for years and stand in countless scripts. With this version such a call ends in a TypeError
# before anything is sent; its parameter types do not know the names either. `extra_body` still carries them. A server of the
# Messages API has to go on taking all three in the body, and cannot tell from what the newest client sends whether users
# want them.
#
# Output seen on 2026-11-30:
#   temperature: TypeError
#   top_p: TypeError
#   top_k: TypeError
#   in extra_body: sent as {"max_tokens": 1, "messages": [], "model": "m", "temperature": 0.5}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q anthropic==2.14.0
"$folder/venv/bin/python" - <<'PY'
import http.server, json, threading
import anthropic

seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": "seen"}}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="x", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
for name, value in {"temperature": 0.5, "top_p": 0.9, "top_k": 5}.items():
    try:
        client.messages.create(model="m", max_tokens=1, messages=[], **{name: value})
        raise SystemExit(f"{name} is taken now")
    except TypeError:
        print(f"{name}: TypeError")
assert not seen, "something was sent"
try:
    client.messages.create(model="m", max_tokens=1, messages=[], extra_body={"temperature": 0.5})
except anthropic.BadRequestError:
    pass
print("in extra_body: sent as", json.dumps(seen[0], sort_keys=True))
assert seen[0]["temperature"] == 0.5
PY
