"""GET /patients/{patient}/raw/{hash}: the bytes that a fact was read from, around its place."""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin.server import context
from medtwin.server.http import Query, answer, route
from medtwin.server.shapes import Highlight, RawExcerpt

AROUND = 2500  #: bytes before and after the place
LONGEST = 20_000  #: bytes of one excerpt
SOUGHT = 64 * 1024 * 1024  #: bytes that are searched for a place


class _Bundle(msgspec.Struct):
    entry: list[msgspec.Raw] = []


@route(
    "/patients/{patient}/raw/{hash}", "An excerpt of raw bytes as they came, with a fact's place in them.", RawExcerpt,
    query=(Query(name="locator", meaning="the fact's place, such as `line 12` or `entry[3]`"),),
)  # fmt: skip
async def raw(request: Request) -> Response:
    here, found = await context.entry(request)
    wanted, locator = request.path_params["hash"], request.query_params.get("locator")
    return answer(await here.living.read(_excerpt, here, found.id, wanted, locator))


def _excerpt(here: context.Context, patient: str, wanted: str, locator: str | None) -> RawExcerpt:
    about = here.store.raw_entry(patient, wanted, here.living.grant)
    content = here.store.raw_range(patient, wanted, 0, min(about.size, SOUGHT), here.living.grant)
    begin, end = place(content, locator) if locator else (0, 0)
    end = min(end, begin + LONGEST)
    start, stop = max(begin - AROUND, 0), min(max(end, begin) + AROUND, len(content))
    if not locator:
        stop = min(LONGEST, len(content))
    while start > 0 and content[start] & 0xC0 == 0x80:  # do not begin inside a character
        start -= 1
    text = content[start:stop].decode("utf-8", "replace")
    highlight = None
    if end > begin:
        first = len(content[start:begin].decode("utf-8", "replace"))
        highlight = Highlight(start=first, end=first + len(content[begin:end].decode("utf-8", "replace")))
    return RawExcerpt(
        hash=wanted, file=about.file.rpartition("/")[2] or None, media_type=about.media_type, size=about.size,
        locator=locator, start=start, text=text, highlight=highlight, truncated_before=start > 0,
        truncated_after=stop < about.size,
    )  # fmt: skip


def place(content: bytes, locator: str) -> tuple[int, int]:
    """First and last byte of what a locator names; (0, 0) where it names nothing in these bytes."""
    if found := re.match(r"bytes? (\d+)-(\d+)", locator):
        return min(int(found[1]), len(content)), min(int(found[2]), len(content))
    begin, end = 0, len(content)
    if found := re.match(r"(?:line|row) (\d+)", locator):
        begin, end = _line(content, int(found[1]))
    if (found := re.search(r"entry\[(\d+)\]", locator)) is not None:
        begin, end = _entry(content, begin, end, int(found[1]))
    elif not found and not re.match(r"line|row|resource", locator):
        return 0, 0
    return begin, end


def _line(content: bytes, number: int) -> tuple[int, int]:
    begin = 0
    for _ in range(number - 1):
        begin = content.find(b"\n", begin) + 1
        if begin == 0:
            return 0, 0
    end = content.find(b"\n", begin)
    return begin, len(content) if end < 0 else end


def _entry(content: bytes, begin: int, end: int, number: int) -> tuple[int, int]:
    try:
        entries = msgspec.json.decode(content[begin:end], type=_Bundle).entry
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, 0
    at = begin
    for index, entry in enumerate(entries):
        at = content.find(bytes(entry), at, end)
        if at < 0:
            return 0, 0
        if index == number:
            return at, at + len(bytes(entry))
        at += len(bytes(entry))
    return 0, 0
