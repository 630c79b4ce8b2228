"""Nightscout and OpenAPS (oref0) JSON: entries, treatments, pump history, carb history, and files that hold no facts.

An export is an array, the answer of API 3 (``{"status": 200, "result": [...]}``), one object, or an object a line. What a
document is shows in its members, so that files of several collections may be mixed. Where the bytes break off, whatever
was whole before is read and the rest is a reason.

Settings and what an algorithm thinks (profiles, suggestions, insulin on board, sensitivity, the pump's state) are no facts
of the body: recognised, kept and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from medtwin.errors import FormatError
from medtwin.record.event import SourcePatient
from medtwin.sources.archives import HEAD
from medtwin.sources.fact import Facts
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason
from medtwin.sources.nightscout_facts import Document, facts_of

DIALECT = "nightscout/1"
_SPACE = re.compile(r"[\s,\x1e]*")
_CLOCK = re.compile(r'\s*"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"\s*', re.ASCII)
#: members by which a large or damaged file is recognised
_MARKS = ((b'"sgv"', b'"date"'), (b'"mbg"', b'"date"'), (b'"eventType"', b'"created_at"'), (b'"_type"', b'"timestamp"'))
#: kind -> members that all stand in a document of it; the first that fits is taken
_SHAPES: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (kind, frozenset(members.split()))
    for kind, members in (
        ("entry", "sgv date"), ("entry", "mbg date"), ("entry", "type date dateString"),
        ("pump", "_type timestamp"), ("treatment", "eventType created_at"), ("treatment", "eventType date"),
        ("treatment", "carbs created_at"), ("treatment", "insulin created_at"),
        ("oref0 suggested", "eventualBG reason"), ("oref0 insulin on board", "iob activity time"),
        ("oref0 meal", "mealCOB carbs"), ("oref0 profile", "dia basalprofile"), ("oref0 basal profile", "minutes rate start"),
        ("oref0 temporary basal", "temp rate duration"), ("profile", "defaultProfile store"),
        ("device status", "device created_at"), ("oref0 sensitivity", "ratio"),
    )
)  # fmt: skip
_SMALL = frozenset(("oref0 sensitivity", "oref0 temporary basal", "oref0 basal profile"))  #: few members, and no others
_OTHERS = frozenset(("newisf", "i", "ratio", "temp", "rate", "duration", "minutes", "start"))


class Written(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Written:
        made = super().__new__(cls, text)
        made.text = text
        return made


def _constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Written, parse_int=Written, parse_constant=_constant)


class Reader:
    """Dialect ``nightscout``."""

    name, version = "nightscout", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        start = head.lstrip()[:1]
        if start not in (b"{", b"[", b'"') or b'"resourceType"' in head:
            return 0.0
        if len(head) < HEAD:
            try:
                documents, _ = _documents(head)
            except FormatError:
                documents = []
            if any(document.kind for document in documents[:20]):
                return 0.85
        return 0.85 if any(one in head and two in head for one, two in _MARKS) else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        documents, broken = _documents(content)
        owner = SourcePatient(intake.source or "nightscout", intake.anonymous)
        yield Part(
            owner=owner, system=owner.system, raw=content, named=False, media_type="application/json",
            read=partial(_read, documents, broken, owner, intake),
        )  # fmt: skip


def _read(
    documents: list[Document], broken: list[Reason], owner: SourcePatient, intake: Intake, origin: Origin
) -> Iterator[Item]:
    yield from facts_of(documents, Facts(owner, owner.system, DIALECT, origin, intake), intake.zone)
    yield from broken


def _documents(content: bytes) -> tuple[list[Document], list[Reason]]:
    """What was whole, and why the rest was not; raises :class:`FormatError` where nothing was."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    stop = len(content)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        stop = error.start
        text = content[:stop].decode()
    if _CLOCK.fullmatch(text):
        return [Document("a time alone, as oref0's clock", {}, "the whole")], []
    values, fault = _values(text)
    if len(values) == 1 and isinstance(values[0], dict) and isinstance(values[0].get("result"), list):
        values = values[0]["result"]
    found = fault or ("bytes that are not UTF-8" if stop < len(content) else "")
    if found and not values:
        raise FormatError(f"JSON that cannot be read ({found})", expected="a Nightscout or oref0 export")
    reasons = []
    if found:
        reasons.append(
            Reason(
                found=f"JSON that breaks off ({found})", expected="the end of the array", where=f"after [{len(values) - 1}]",
                remedy="export it again",
            )
        )  # fmt: skip
    return [_document(value, f"[{index}]") for index, value in enumerate(values)], reasons


def _values(text: str) -> tuple[list[Any], str]:
    """The values of an array or of a row of values, and what ended them too early."""
    values: list[Any] = []
    start = len(text) - len(text.lstrip())
    array = text.startswith("[", start)
    place = start + 1 if array else start
    try:
        while True:
            found = _SPACE.match(text, place)
            place = found.end() if found else place
            if place >= len(text):
                return values, "no closing bracket" if array else ""
            if array and text[place] == "]":
                rest = text[place + 1 :].strip()
                return values, f"{len(rest)} characters after the array" if rest else ""
            value, place = _DECODER.raw_decode(text, place)
            values.append(value)
    except (ValueError, RecursionError) as error:
        return values, f"{type(error).__name__} at character {place}"


def _document(value: Any, where: str) -> Document:
    if not isinstance(value, dict):
        return Document("", {}, where)
    within = value.get("bolus")
    values: dict[str, object] = within if isinstance(within, dict) and "_type" in within else value
    members = frozenset(values)
    for kind, shape in _SHAPES:
        if shape <= members and (kind not in _SMALL or members <= _OTHERS):
            return Document(kind, values, where)
    return Document("", values, where)
