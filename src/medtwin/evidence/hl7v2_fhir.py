"""HL7v2 messages against the FHIR bundles that another converter's team expects of them, field by field.

    python -m medtwin.evidence.hl7v2_fhir DATA [--out docs/evidence/hl7v2-fhir.md]

DATA is a folder with ``NAME.hl7`` and ``expected_fhir/NAME.json`` (microsoft/FHIR-Converter, MIT). The bundles are one
converter's opinion: compared are contents, never ids, and instants, never their text. The fields
(:mod:`~medtwin.evidence.hl7v2_fields`) were chosen before scoring, the rules of ``REASONS`` after it: a field differs *for a
reason* only by one of them.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtwin.evidence.hl7v2_expected import Expected, expected
from medtwin.evidence.hl7v2_fields import FIELDS
from medtwin.quantities import registry
from medtwin.record.event import Code, Event, Status
from medtwin.record.moment import Moment, Precision
from medtwin.sources.archives import Plain
from medtwin.sources.clock import iso
from medtwin.sources.hl7v2 import Reader
from medtwin.sources.item import Intake, Item, Origin, Part, Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: rule to the sentence of the page
REASONS = {
    "picture": "OBX-2 is ED, RP or HD (a picture, a document, a pointer): the bytes are kept, the twin has no quantity for them",
    "unmapped": "no quantity of the twin has the code: the result is kept and counted",
    "quarantined": "a number sent as a coded value (OBX-2 CWE): quarantined with a reason, never guessed",
    "no result": "OBX-11 O (order detail, no result) or no OBX-5 (table 0085): nothing was measured",
    "segment": "made of FT1, ACC, PDA, PV2 or RF1: finance, accidents and referrals, which the twin keeps and counts",
    "encoded": "RXO of an order that RXE encodes: one order, not two (4.14.4: RXE is the pharmacy's encoding of the order)",
    "partial": "OBX-11 S (partial) is preliminary here; the bundle says unknown (table 0085 has no target in the official map)",
    "no status": "OBR-25 is empty: a report without a status is final here, as in the FHIR reader; the bundle says unknown",
    "no admission": "PV1-44 is empty and the event states no admission: a visit without a time is counted, not dated",
    "offset": "the message states no offset there: MSH-7's is the default of the message, the bundle reads UTC",
    "order": "an order without a result (ORM, OML, OMG): the twin has it as ordered, the bundle as a registered report",
    "authenticated": "TXA-17 AU is an authenticated document (table 0271), final here; the bundle calls it preliminary",
    "account": "A41 merges accounts, not persons (chapter 3): no key of a person moves",
}  # fmt: skip

_STATUS = {
    "final": Status.FINAL, "corrected": Status.CORRECTED, "amended": Status.CORRECTED, "appended": Status.CORRECTED,
    "preliminary": Status.PRELIMINARY, "partial": Status.PRELIMINARY, "entered-in-error": Status.ENTERED_IN_ERROR,
    "registered": Status.PRELIMINARY,
}  # fmt: skip
_QUANTITIES = {
    "DiagnosticReport": "report", "Condition": "diagnosis", "AllergyIntolerance": "allergy", "Procedure": "procedure",
    "Encounter": "encounter", "Appointment": "encounter", "MedicationRequest": "medication",
    "MedicationDispense": "medication", "MedicationAdministration": "medication", "Immunization": "immunization",
    "DocumentReference": "report",
}  # fmt: skip
_KEYS = {"Encounter": "PV1", "Appointment": "SCH", "MedicationRequest": "RX|", "MedicationDispense": "RXD",
         "DocumentReference": "TXA", "DiagnosticReport": "OBR"}  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What came of one field of one kind of message."""

    agree: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    open: list[str] = field(default_factory=list)  #: differences that no rule explains
    missing: int = 0  #: of those that differ: the twin has no such fact at all

    @property
    def compared(self) -> int:
        return self.agree + sum(self.reasons.values()) + len(self.open)


Scores = dict[tuple[str, str, str], Tally]  #: (message type, resource, field)


def read(path: Path) -> tuple[list[Part], list[Item]]:
    content = path.read_bytes()
    intake = Intake(file=path.name, now=NOW, anonymous="nobody")
    parts = list(Reader().parts(Plain(path.name, len(content), lambda: io.BytesIO(content)), intake))
    return parts, [item for part in parts for item in part.read(Origin(raw="", file=path.name))]


def _candidates(kind: str, items: list[Item]) -> list[Event]:
    events = [item for item in items if isinstance(item, Event)]
    if kind == "Observation":
        return [event for event in events if event.key.startswith("OBX")]
    start = _KEYS.get(kind, "")
    return [event for event in events if event.quantity == _QUANTITIES.get(kind) and event.key.startswith(start)]


def _same_code(wanted: Any, event: Event) -> bool:
    codes = {code for code, _, _ in wanted}
    words = {display.strip().lower() for _, display, _ in wanted if display}
    if isinstance(event.value, Code):
        if event.value.code in codes or event.value.display.strip().lower() in words:
            return True
        return event.value.code == "" and (event.text or "").strip().lower() in words
    quantity = registry.find(event.quantity)
    return quantity is not None and bool(codes & set(quantity.loinc))


def _same_time(wanted: str, moment: Moment | None) -> bool:
    if moment is None:
        return False
    theirs = iso(wanted)
    if theirs.precision <= Precision.DAY or moment.precision <= Precision.DAY:
        return theirs.local.date() == moment.local.date() or moment.text[: len(theirs.text)] == theirs.text
    return abs((theirs.instant - moment.instant).total_seconds()) < 1.0


def _agrees(name: str, wanted: Any, event: Event) -> bool:
    if name in ("code", "class", "type"):
        return _same_code(wanted, event)
    if name in ("onset", "performed", "effective", "start", "authoredOn", "whenHandedOver", "occurrence"):
        return _same_time(wanted, event.time)
    if name == "end":
        return event.until is not None and _same_time(wanted, event.until)
    if name == "status":
        return event.status is _STATUS.get(wanted)
    if name == "unit":
        return (event.unit_text or "").strip() == wanted.strip()
    if name == "value":
        if isinstance(wanted, list):
            return _same_code(wanted, event)
        if isinstance(event.value, float):
            try:
                return float((event.text or "").lstrip("<>=^").strip()) == float(wanted)
            except ValueError:
                return str(wanted) in (event.text or "")
        return (event.text or "").split() == str(wanted).split()
    if name == "identifier":
        return any(value and value.split("^")[0] in event.key for value in wanted)
    raise KeyError(name)


def _why(
    kind: str, name: str, wanted: Any, found: Expected, event: Event | None, message: str, items: list[Item]
) -> str:
    """The rule that explains a difference; empty where none does."""
    if event is None:
        return _why_missing(kind, found, message, items)
    if name == "status" and wanted == "unknown" and event.status is Status.PRELIMINARY:
        return "partial"
    if name == "status" and kind == "DiagnosticReport" and wanted == "unknown":
        return "no status"
    if name == "status" and kind == "DocumentReference" and re.search(r"^TXA(?:\|[^|]*){16}\|AU\b", message, re.M):
        return "authenticated"
    if name in ("start", "end", "effective", "onset", "performed", "authoredOn", "whenHandedOver"):
        moment = event.until if name == "end" else event.time
        if moment is not None and abs((iso(wanted).instant - moment.local.replace(tzinfo=UTC)).total_seconds()) < 1.0:
            return "offset"
    return ""


def _why_missing(kind: str, found: Expected, message: str, items: list[Item]) -> str:
    codes = {code for code, _, _ in found.fields.get("code", ()) or ()}
    if found.made:
        return "segment"
    if kind == "MedicationRequest" and found.original:
        return "encoded"
    if kind in ("Observation", "DiagnosticReport"):
        lines = [line.split("|") for line in message.split("\n") if line.startswith("OBX")]
        mine = [
            one for one in lines if len(one) > 5 and (one[3].split("^")[0] in codes or one[3].split("^")[-1] in codes)
        ]
        if any(one[2] in ("ED", "RP", "HD") for one in mine):
            return "picture"
        if any(one[2] in ("CE", "CWE", "CNE") for one in mine) and any(isinstance(item, Reason) for item in items):
            return "quarantined"
        if any((len(one) > 11 and one[11] in "OXIN") or not one[5] for one in mine):
            return "no result"
        if mine and not any(registry.by_code("http://loinc.org", code) for code in codes):
            return "unmapped"
    if kind == "DiagnosticReport" and message.split("|", 9)[8][:3] in ("ORM", "OML", "OMG"):
        return "order"
    if kind in ("Condition", "Procedure", "MedicationDispense", "Observation"):
        marks = [re.compile(rf"(?<![A-Za-z0-9]){re.escape(code)}(?![A-Za-z0-9])") for code in codes if code]
        place = {line[:3] for line in message.split("\n") if any(mark.search(line) for mark in marks)}
        if place & {"FT1", "ACC", "PDA", "PV2", "RF1"}:
            return "segment"
    if kind == "Encounter" and not any(
        line.startswith("PV1") and len(line.split("|")) > 44 and line.split("|")[44].strip()
        for line in message.split("\n")
    ):
        return "no admission"
    return ""


def _score_patient(found: Expected, parts: list[Part], items: list[Item]) -> dict[str, bool]:
    people = [person for part in parts for person in part.people]
    agreed = {}
    for name, wanted in found.fields.items():
        if name == "identifier":
            held = {one.value for _, said in people for one in said.identifiers} | {owner.value for owner, _ in people}
            agreed[name] = bool(held) and held & set(wanted) != set()
        elif name in ("name.family", "name.given"):
            words = {word for _, said in people for word in said.name.split()}
            agreed[name] = set(wanted.split()) <= words
        elif name == "birthDate":
            agreed[name] = any(said.birth_date == wanted for _, said in people)
        else:
            agreed[name] = any(said.sex == wanted for _, said in people)
    return agreed


def score(folder: Path) -> tuple[Scores, int]:
    """Every message that has a bundle; the tallies and the number of messages."""
    scores: Scores = {}
    number = 0
    for path in sorted(folder.glob("*.hl7")):
        answer = folder / "expected_fhir" / f"{path.stem}.json"
        if not answer.exists():
            continue
        number += 1
        parts, items = read(path)
        message = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        header = message.split("\n")[0].split("|")[8].split("^")
        _score_message(
            "^".join(header[:2]), expected(json.loads(answer.read_bytes())), parts, items, message, path.stem, scores
        )
    return scores, number


def _score_message(
    kind: str, wanted: list[Expected], parts: list[Part], items: list[Item], message: str, name: str, scores: Scores
) -> None:
    used: dict[str, list[int]] = {}

    def tally(resource: str, at: str) -> Tally:
        return scores.setdefault((kind, resource, at), Tally())

    for found in sorted(wanted, key=lambda found: found.original):  # an RXO takes no fact from its RXE
        if found.resource == "Patient":
            for at, agreed in _score_patient(found, parts, items).items():
                one = tally("Patient", at)
                if agreed:
                    one.agree += 1
                else:
                    one.open.append(f"{name}: {found.fields[at]}")
            continue
        if found.resource == "Linkage":
            gone = {one.gone.value for part in parts for one in part.identities}
            one = tally("Linkage", "alternate")
            if found.fields["alternate"] in gone:
                one.agree += 1
            elif kind == "ADT^A41":
                one.reasons["account"] += 1
            else:
                one.open.append(f"{name}: {found.fields['alternate']}")
            continue
        candidates = _candidates(found.resource, items)
        taken = used.setdefault(found.resource, [])
        fields = {at: value for at, value in found.fields.items() if at in FIELDS[found.resource]}
        best, most = None, 0
        for index, event in enumerate(candidates):
            if index in taken:
                continue
            same = sum(_agrees(at, value, event) for at, value in fields.items())
            anchor = [at for at in ("code", "class", "type", "identifier") if at in fields]
            if anchor and not any(_agrees(at, fields[at], event) for at in anchor):
                continue
            if same > most:
                best, most = index, same
        match = None if best is None else candidates[best]
        if best is not None:
            taken.append(best)
        for at, value in fields.items():
            one = tally(found.resource, at)
            if match is not None and _agrees(at, value, match):
                one.agree += 1
                continue
            one.missing += match is None
            rule = _why(found.resource, at, value, found, match, message, items)
            if rule:
                one.reasons[rule] += 1
            else:
                mine = "nothing" if match is None else f"{match.time.text} {match.text}"
                one.open.append(f"{name}: expected {value}, have {mine}")


def page(scores: Scores, number: int) -> str:
    every = Tally()
    for one in scores.values():
        every.agree += one.agree
        every.reasons.update(one.reasons)
        every.open += one.open
        every.missing += one.missing
    explained, both = sum(every.reasons.values()), every.compared - every.missing
    lines = [
        "# HL7v2 messages against expected FHIR",
        "",
        "Generated by `python -m medtwin.evidence.hl7v2_fhir DATA`; do not edit. DATA holds the HL7v2 samples of",
        "microsoft/FHIR-Converter (MIT) with the bundles that its team expects. They are one converter's opinion, not truth:",
        "contents and instants are compared, never ids or texts of times. The fields are those of",
        "`medtwin.evidence.hl7v2_fields`, chosen before anything was scored.",
        "",
        f"{number} messages, {every.compared} fields: {every.agree} agree ({every.agree / every.compared:.1%}),",
        f"{explained} differ for a reason named below, {len(every.open)} differ without one:",
        f"**{(every.agree + explained) / every.compared:.1%}** agree or differ for a reason.",
        f"Of the {both} fields of which the twin has the fact, {every.agree} agree ({every.agree / both:.1%}); of the other",
        f"{every.missing} the bundle makes a resource where the twin keeps bytes and counts them. The rules were written after",
        "the first scoring.",
        "",
        "| message | resource | field | compared | agree | for a reason | without |",
        "|---|---|---|---:|---:|---|---:|",
    ]
    for (kind, resource, at), one in sorted(scores.items()):
        why = ", ".join(f"{rule} {count}" for rule, count in sorted(one.reasons.items()))
        lines.append(f"| {kind} | {resource} | {at} | {one.compared} | {one.agree} | {why} | {len(one.open) or ''} |")
    lines += ["", "## Reasons", ""]
    lines += [f"- **{rule}** ({every.reasons[rule]}): {REASONS[rule]}." for rule in sorted(every.reasons)]
    if every.open:
        lines += ["", "## Differences without a reason", ""]
        for (kind, resource, at), one in sorted(scores.items()):
            lines += [f"- {kind} {resource}.{at}: {said}" for said in one.open]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    made = page(*score(given.data))
    if given.out is None:
        print(made, end="")
    else:
        given.out.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
