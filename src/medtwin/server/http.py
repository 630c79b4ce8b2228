"""What every route shares: reading a request, writing an answer, and naming both for the description of the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import AccessDenied, FormatError, InferenceError, MedtwinError, StoreError, UnknownPatient
from medtwin.server.shapes import Problem

PREFIX = "/api/v1"
LIMIT = 64 * 1024 * 1024  #: bytes of a body
SMALL = 256 * 1024
_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


class Refusal(Exception):
    """An answer that is no success: its status and its words."""

    def __init__(
        self, status: int, title: str, detail: str, advice: str | None = None, *, field: str | None = None
    ) -> None:
        super().__init__(title)
        self.problem = Problem(
            title=title,
            detail=detail,
            status=status,
            advice=msgspec.UNSET if advice is None else advice,
            field=msgspec.UNSET if field is None else field,
        )


def missing(what: str) -> Refusal:
    return Refusal(404, "Not found", f"There is no {what} here.", "Go back to the list and choose again.")


def answer(content: Any, status: int = 200) -> Response:
    return Response(_encode(content), status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    return Response(_encode(refusal.problem), refusal.problem.status, media_type="application/problem+json")


def refusal_of(error: Exception) -> Refusal:
    """The refusal that an error of medtwin's own becomes."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, AccessDenied):
        return Refusal(403, "Not allowed", f"found {error.found}; expected {error.expected or 'a grant'}", error.remedy)
    if isinstance(error, UnknownPatient):
        return missing("such patient")
    if isinstance(error, StoreError):
        status = 404 if any(words in error.found for words in ("no raw", "no artifact", "a hash")) else 503
        return Refusal(status, "Not found" if status == 404 else "The store could not do it", str(error))
    if isinstance(error, (FormatError, InferenceError)):
        return Refusal(422, "Cannot be done", str(error))
    if isinstance(error, MedtwinError):
        return Refusal(400, "Cannot be done", str(error))
    return Refusal(
        500,
        "The server failed",
        f"A fault of medtwin's own ({type(error).__name__}).",
        "Try again; report it if it stays.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query parameter: its JSON schema type and meaning."""

    name: str
    meaning: str
    kind: str = "string"  #: string, date-time, integer, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A route as the description of the API states it. ``answers`` None: Server-Sent Events, or a file of type ``media``."""

    path: str
    summary: str
    answers: type | None
    method: str = "GET"
    media: str = ""
    takes: type | None = None
    takes_any: bool = False  #: the body is a file of any dialect
    query: tuple[Query, ...] = ()
    statuses: tuple[int, ...] = field(default=(403, 404))


Handler = Callable[[Request], Awaitable[Response]]
ROUTES: dict[tuple[str, str], tuple[Described, Handler]] = {}


def route(path: str, summary: str, answers: type | None, **about: Any) -> Callable[[Handler], Handler]:
    """Register a handler under the API's prefix, described."""

    def register(handler: Handler) -> Handler:
        described = Described(path=path, summary=summary, answers=answers, **about)
        ROUTES[(described.method, path)] = (described, handler)
        return handler

    return register


def moment(request: Request, name: str) -> datetime | None:
    """A query parameter that is an instant."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Refusal(
            400, "Not a time", f"found {name}={text[:40]!r}; expected ISO 8601 such as 2026-03-01T07:40:00Z"
        ) from None
    try:
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise Refusal(400, "Not a time", f"found {name}={text[:40]!r}; expected a year between 2 and 9998") from None


def number(request: Request, name: str, default: float, low: float, high: float) -> float:
    """A query parameter that is a number between two bounds."""
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        read = float(text)
    except ValueError:
        read = float("nan")
    if not low <= read <= high:
        raise Refusal(
            400, "Out of range", f"found {name}={text[:40]!r}; expected a number between {low:g} and {high:g}"
        )
    return read


async def content(request: Request, limit: int = LIMIT) -> bytes:
    """The body, refused beyond ``limit``."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > limit:
            raise Refusal(
                413, "Too large", f"found more than {limit >> 10} KiB; expected less",
                "Use `medtwin ingest`." if limit >= LIMIT else None,
            )  # fmt: skip
    return bytes(held)


async def body(request: Request, shape: type[T]) -> T:
    """The body as ``shape``; 400 with the place of the fault otherwise."""
    try:
        return msgspec.json.decode(await content(request, SMALL), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "Not what this route takes", f"found {error}; expected {shape.__name__}") from None
