"""GET /openapi.json: the description of the API (OpenAPI 3.1), generated from the routes and their structs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin import __version__
from medtwin.server import shapes
from medtwin.server.http import PREFIX, ROUTES, Described, answer, route

STATUS = {
    400: "The request is not what the route takes", 401: "No login", 403: "Not allowed",
    404: "Not here", 409: "In conflict with what is here", 413: "Too large", 421: "Another server's name",
    422: "Understood, and cannot be done", 503: "Not now: the store could not do it, or too much is being worked on",
}  # fmt: skip
MESSAGES = {
    "hello": shapes.HelloMessage, "event": shapes.EventMessage, "belief": shapes.BeliefMessage,
    "disagreement": shapes.DisagreementMessage, "quarantine": shapes.QuarantineMessage,
}  # fmt: skip


@route("/openapi.json", "This description.", dict, statuses=())
async def openapi(request: Request) -> Response:
    return answer(description())


@cache
def description() -> dict[str, Any]:
    """The whole document."""
    described = [about for about, _ in ROUTES.values()]
    kinds: list[Any] = [shapes.Problem, *MESSAGES.values()]
    kinds += [kind for about in described for kind in (about.answers, about.takes) if kind not in (None, dict)]
    kinds = list(dict.fromkeys(kinds))
    references, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(kinds, references, strict=True))
    paths: dict[str, Any] = {}
    for about in sorted(described, key=lambda one: one.path):
        paths.setdefault(about.path, {})[about.method.lower()] = _operation(about, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "medtwin",
            "version": __version__,
            "summary": "One patient's twin: record, belief, forecast, what if.",
            "description": "Numbers are in each quantity's one unit (UCUM), times in UTC. Missing numbers are null. "
            "A writing request carries `X-Medtwin-Request: 1`. Errors are `Problem`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(about: Described, by_kind: dict[Any, Any]) -> dict[str, Any]:
    words = [w for w in re.split(r"[^A-Za-z]+", about.path) if w]
    operation: dict[str, Any] = {
        "summary": about.summary,
        "operationId": "_".join([about.method.lower(), *words]),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", about.path)
        ],
    }
    for query in about.query:
        schema = {"type": "string", "format": "date-time"} if query.kind == "date-time" else {"type": query.kind}
        operation["parameters"].append(
            {"name": query.name, "in": "query", "required": False, "description": query.meaning, "schema": schema}
        )
    if about.method != "GET":
        operation["parameters"].append(
            {"name": "X-Medtwin-Request", "in": "header", "required": True, "schema": {"const": "1"}}
        )
    if about.takes is not None:
        operation["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": by_kind[about.takes]}}
        }  # fmt: skip
    elif about.takes_any:
        operation["requestBody"] = {
            "required": True,
            "description": "A FHIR R4 resource or Bundle, or a file of any dialect that medtwin reads.",
            "content": {"application/fhir+json": {"schema": {"type": "object"}}, "application/octet-stream": {}},
        }
    operation["responses"] = {"200": _success(about, by_kind)}
    for status in sorted({*about.statuses, 421}):
        operation["responses"][str(status)] = {
            "description": STATUS[status],
            "content": {"application/problem+json": {"schema": by_kind[shapes.Problem]}},
        }
    return operation


def _success(about: Described, by_kind: dict[Any, Any]) -> dict[str, Any]:
    if about.media:
        whole: dict[str, Any] = {"type": "string"} | ({"format": "binary"} if about.media == "application/pdf" else {})
        return {"description": about.summary, "content": {about.media: {"schema": whole}}}
    if about.answers is None:
        told = ", ".join(f"`{kind}`: {by_kind[shape]['$ref'].rpartition('/')[2]}" for kind, shape in MESSAGES.items())
        return {
            "description": f"Server-Sent Events, each with an id; resumable by Last-Event-ID. Messages: {told}.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    schema = {"type": "object"} if about.answers is dict else by_kind[about.answers]
    return {"description": about.summary, "content": {"application/json": {"schema": schema}}}
