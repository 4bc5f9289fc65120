"""What schemathesis is told of a gateway beyond its document: which models there are, and that answers be short."""

import os

import schemathesis

MODELS = os.environ.get("NEPHELE_MODELS", "auto").split(",")
# Of what costs time, as much as shows whether it works.
LIMITS = {"max_tokens": 6, "max_completion_tokens": 6, "max_output_tokens": 6, "steps": 4, "n": 3}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    schemas["Model"] = {"type": "string", "enum": MODELS}
    for schema in schemas.values():
        for part in [schema, *schema.get("allOf", [])]:
            for name, limit in LIMITS.items():
                if name in part.get("properties", {}):
                    part["properties"][name]["maximum"] = limit


@schemathesis.hook
def map_body(context, body):
    path = context.operation.path
    if isinstance(body, dict):
        for name in {"/v1/chat/completions": ["max_tokens"], "/v1/completions": ["max_tokens"],
                     "/v1/messages": ["max_tokens"], "/v1/responses": ["max_output_tokens"], "/v1/images/generations": ["steps"]}.get(path, []):
            body.setdefault(name, 2)
    return body


@schemathesis.hook
def map_headers(context, headers):
    # An hour is as good as a day; a millisecond is tried often enough by itself.
    if headers and str(headers.get("X-Request-Timeout-Ms", "")).isdigit():
        headers["X-Request-Timeout-Ms"] = str(min(int(headers["X-Request-Timeout-Ms"]), 60_000))
    return headers
