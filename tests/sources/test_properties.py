"""Mutations that change no fact: line ends, order, spelling, copies, splitting. And whatever else, only known errors."""

import gzip
import json
import random
import re
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.errors import FormatError
from medtwin.sources import archives
from medtwin.sources.clock import iso
from medtwin.sources.fact import number
from medtwin.sources.item import Dialect, Intake
from medtwin.sources.recognise import dialects, recognise
from sources.reading import NOW, events, items, payload
from sources.test_apple_health import ME, export, record
from sources.test_ccda import allergy, medication, problem, section
from sources.test_ccda import document as cda
from sources.test_ccda import observation as observation_of
from sources.test_dexcom_clarity import row, table
from sources.test_fhir_r4 import bundle, observation, person
from sources.test_fit import RIDE
from sources.test_hl7v2 import message, result
from sources.test_libreview import row as libre_row
from sources.test_libreview import table as libre_table
from sources.test_nightscout import file as nightscout
from sources.test_nightscout import pumped, sgv, treatment
from sources.test_open_mhealth import glucose
from sources.test_table import mapping
from sources.test_vcf import row as vcf_row
from sources.test_vcf import vcf

READERS = {dialect.name: dialect for dialect in dialects()}
TABLES = mapping()


def facts(content: bytes, reader: Dialect) -> set[str]:
    return {event.id for event in events(content, reader, tables=TABLES)}


minutes = st.lists(st.tuples(st.integers(0, 1439), st.integers(40, 400)), min_size=1, max_size=30)


def clarity(readings: list[tuple[int, int]]) -> list[str]:
    return [
        row(glucose=str(value)).replace("05:06:07", f"{minute // 60:02d}:{minute % 60:02d}:07")
        for minute, value in readings
    ]


@given(minutes, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n", "\r"]))
def test_clarity_facts_do_not_depend_on_order_or_line_ends(
    readings: list[tuple[int, int]], chance: random.Random, end: str
) -> None:
    rows = clarity(readings)
    other = list(rows)
    chance.shuffle(other)
    changed = table(*other).decode().replace("\n", end).encode()
    assert facts(table(*rows), READERS["dexcom_clarity"]) == facts(changed, READERS["dexcom_clarity"])


@given(minutes, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]))
def test_tables_and_libreview_do_not_depend_on_order(
    readings: list[tuple[int, int]], chance: random.Random, end: str
) -> None:
    plain = [f"06/11/2023 {minute // 60:02d}:{minute % 60:02d},{value / 18:.1f}" for minute, value in readings]
    libre = [
        libre_row(f"26-03-2020 {minute // 60:02d}:{minute % 60:02d}", 0, historic=f"{value / 18:.1f}")
        for minute, value in readings
    ]
    shuffled, mixed = list(plain), list(libre)
    chance.shuffle(shuffled)
    chance.shuffle(mixed)
    one, two = "\n".join(["when,value", *plain]).encode(), end.join(["when,value", *shuffled, ""]).encode()
    assert facts(one, READERS["table"]) == facts(two, READERS["table"])
    assert facts(libre_table(*libre), READERS["libreview"]) == facts(libre_table(*mixed), READERS["libreview"])


@given(minutes, st.randoms(use_true_random=False))
def test_apple_facts_do_not_depend_on_order(readings: list[tuple[int, int]], chance: random.Random) -> None:
    records = [
        record("HeartRate", str(value), "count/min", start=f"2018-09-10 {minute // 60:02d}:{minute % 60:02d}:00 -0700")
        for minute, value in readings
    ]
    mixed = list(records)
    chance.shuffle(mixed)
    assert facts(export(ME, *records), READERS["apple_health"]) == facts(export(*mixed, ME), READERS["apple_health"])


observations = st.lists(
    st.tuples(st.integers(0, 50), st.decimals(10, 600, places=2), st.sampled_from(["p1", "p2"])), min_size=1, max_size=12,
    unique_by=lambda given: given[0],
)  # fmt: skip


@given(observations, st.randoms(use_true_random=False), st.sampled_from([None, 2]))
def test_fhir_facts_do_not_depend_on_order_spacing_or_packing(
    readings: list[Any], chance: random.Random, indent: int | None
) -> None:
    made = []
    for name, value, owner in readings:
        resource = observation(id=f"o{name}", subject={"reference": f"Patient/{owner}"})
        resource["valueQuantity"]["value"] = "@" + str(value)
        made.append(resource)
    mixed = list(made)
    chance.shuffle(mixed)

    def text(content: bytes) -> bytes:
        return re.sub(rb'"@([\d.]+)"', rb"\1", content)

    one = text(bundle(*made, url=""))
    two = text(json.dumps(json.loads(bundle(*mixed, url="")), indent=indent).encode())
    lines = text(b"\n".join(json.dumps(resource).encode() for resource in mixed) + b"\n")
    reader = READERS["fhir_r4"]
    assert facts(one, reader) == facts(two, reader)
    assert facts(one, reader) == (facts(lines, reader) if len(made) > 1 else facts(one, reader))
    assert {event.text for event in events(one, reader)} == {str(value) for _, value, _ in readings}


FIRST = datetime(1900, 1, 1)  # noqa: DTZ001 - a wall clock


@given(st.datetimes(min_value=FIRST), st.one_of(st.none(), st.integers(-840, 840)))
def test_times_round_trip(when: Any, offset: int | None) -> None:
    if when.year > 2199:
        when = when.replace(year=2100, day=1)
    text = when.isoformat(timespec="microseconds")
    if offset is not None:
        text += f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    moment = iso(text)
    assert (moment.local, moment.offset) == (when, offset)
    assert moment.text == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_numbers_round_trip(value: Any) -> None:
    read = number(str(value))
    assert read is not None
    assert read[0] == float(value)


GOOD: dict[str, bytes] = {
    "fhir_r4": bundle(person("p1"), observation(subject={"reference": "urn:uuid:p1"})),
    "dexcom_clarity": table(row(glucose="103"), row("Insulin", "Fast-Acting", insulin="4")),
    "hl7v2": message(*result()),
    "ccda": cda(section(observation_of(), allergy(), problem(), medication())),
    "libreview": libre_table(libre_row("26-03-2020 17:16", 0, historic="6.3")),
    "apple_health": export(ME, record("HeartRate", "72", "count/min")),
    "open_mhealth": json.dumps(glucose()).encode(),
    "nightscout": nightscout(
        sgv(),
        treatment(insulin=4, carbs=50, utcOffset=-60),
        treatment("Temp Basal", 9, absolute=1.5, duration=30),
        pumped("PumpSuspend", 8),
    ),
    "fit": RIDE,
    "vcf": vcf(vcf_row("0|1:9", form="GT:PS"), vcf_row("1/2", alt="A,C", info="END=94781900"), samples="S1"),
    "table": b"when,value\n06/11/2023 00:01,5\n06/11/2023 00:06,6\n",
}


@pytest.mark.parametrize("name", GOOD)
@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_damaged_bytes_give_facts_reasons_or_a_format_error_and_nothing_else(name: str, data: st.DataObject) -> None:
    raw = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop", "copy"]))
        place = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        if kind == "flip" and raw:
            raw[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del raw[place:]
        elif kind == "insert":
            raw[place:place] = data.draw(
                st.sampled_from([b"\x00", b'"', b"{", b"<", b",", b"\xff", b"[[[[", b"-1e999", b"\n"])
            )
        elif kind == "drop":
            del raw[place : place + data.draw(st.integers(1, 40))]
        else:
            raw[place:place] = raw[place : place + data.draw(st.integers(1, 200))]
    with suppress(FormatError):
        items(bytes(raw), READERS[name], tables=TABLES)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_recognised_or_not_and_walked_or_not(raw: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", gzip.compress(b"x")[:10]):
        for found in archives.walk(payload(start + raw)):
            if not isinstance(found, archives.Refused):
                with suppress(FormatError):
                    recognise(found, Intake(file="x", now=NOW, tables=TABLES))
