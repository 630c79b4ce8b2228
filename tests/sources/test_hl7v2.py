"""HL7v2 by the clauses of the standard: separators, escapes, batches, code pages, corrections, identities, many variants."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import FormatError
from medtwin.governance.grant import Grant
from medtwin.record.event import Code, Comparator, Flag, Intent, SourcePatient, Status
from medtwin.record.moment import Precision
from medtwin.record.sql import SqlStore
from medtwin.sources.hl7v2 import Reader
from medtwin.sources.hl7v2_context import loinc_like
from medtwin.sources.hl7v2_message import Separators, messages, parse, unescaped
from medtwin.sources.hl7v2_times import moment
from medtwin.sources.ingest import ingest_bytes
from sources.reading import events, items, named, parts, reasons, unmapped

READER = Reader()
HEAD = r"MSH|^~\&|LAB|HOSPITAL|EHR|HOSPITAL|20240501100000+0200||{kind}|{number}|P|{version}"
PID = "PID|1||4711^^^HOSPITAL^MR~999^^^USSSA^SS||MUSTER^ERIKA^M||19640812|F"


def message(*segments: str, kind: str = "ORU^R01", number: str = "1", version: str = "2.5", pid: str = PID) -> bytes:
    return "\r".join([HEAD.format(kind=kind, number=number, version=version), pid, *segments]).encode() + b"\r"


def result(
    value: str = "7.40", unit: str = "mmol/L", *, status: str = "F", kind: str = "NM", code: str = "2339-0^Glucose^LN",
    order: str = "A1", report: str = "F", sub: str = "", own: str = "", issued: str = "20240501093000+0200",
) -> tuple[str, str]:  # fmt: skip
    return (
        f"OBR|1||{order}^LAB|BMP^Basic^L|||20240501080000+0200|||||||||||||||{issued}|||{report}",
        f"OBX|1|{kind}|{code}|{sub}|{value}|{unit}|||||{status}|||{own}",
    )


def test_a_result_is_a_fact_with_its_text_its_times_and_its_origin() -> None:
    found = {event.quantity: event for event in events(message(*result()), READER)}
    glucose = found["blood_glucose"]
    assert glucose.text == "7.40"
    assert glucose.value == pytest.approx(7.40 * 18.0156)
    assert glucose.unit_text == "mmol/L"
    assert glucose.time.text == "2024-05-01T08:00:00+02:00"
    assert glucose.available == datetime(2024, 5, 1, 7, 30, tzinfo=UTC)
    assert glucose.subject == SourcePatient("HOSPITAL", "4711")
    assert glucose.source.system == "LAB"
    assert glucose.source.locator == "OBX[1]"
    assert glucose.group == found["report"].key
    assert found["sex"].value == Code("http://hl7.org/fhir/administrative-gender", "female", "female")


@pytest.mark.parametrize(
    ("said", "status"),
    [("F", Status.FINAL), ("P", Status.PRELIMINARY), ("C", Status.CORRECTED), ("D", Status.ENTERED_IN_ERROR),
     ("W", Status.ENTERED_IN_ERROR), ("R", Status.PRELIMINARY), ("A", Status.CORRECTED), ("", Status.FINAL)],
)  # fmt: skip
def test_the_result_status_of_table_0085(said: str, status: Status) -> None:
    found = [event for event in events(message(*result(status=said)), READER) if event.quantity == "blood_glucose"]
    assert [event.status for event in found] == [status]


def test_the_order_says_the_status_where_the_observation_does_not() -> None:
    found = events(message(*result(status="", report="P")), READER)
    assert {event.quantity: event.status for event in found}["blood_glucose"] is Status.PRELIMINARY


@pytest.mark.parametrize("said", ["X", "I", "N", "O"])
def test_what_never_was_a_result_is_counted(said: str) -> None:
    assert not [event for event in events(message(*result(status=said)), READER) if event.quantity == "blood_glucose"]
    assert any(kind.startswith(f"OBX-11 {said}") for kind in unmapped(message(*result(status=said)), READER))


def current(store: SqlStore, grant: Grant, quantity: str = "blood_glucose") -> list[tuple[float | None, Status]]:
    (patient,) = store.patients(grant)
    return [(event.text, event.status) for event in store.record(patient.id, grant).of(quantity)]  # type: ignore[misc]


def send(store: SqlStore, grant: Grant, *content: bytes) -> None:
    for one in content:
        report = ingest_bytes(one, "m.hl7", store, grant)
        assert not report.not_stored


def test_a_correction_replaces_and_a_deletion_takes_back(store: SqlStore, grant: Grant) -> None:
    send(store, grant, message(*result("7.40")))
    assert current(store, grant) == [("7.40", Status.FINAL)]
    send(store, grant, message(*result("9.1", status="C", issued="20240501094500+0200"), number="2"))
    assert current(store, grant) == [("9.1", Status.CORRECTED)]
    send(store, grant, message(*result("7.40")))  # the first one, sent again
    assert current(store, grant) == [("9.1", Status.CORRECTED)]
    send(store, grant, message(*result("", status="D", issued="20240501100000+0200"), number="3"))
    assert current(store, grant) == []


def test_a_correction_that_overtakes_its_original_still_wins(store: SqlStore, grant: Grant) -> None:
    send(
        store,
        grant,
        message(*result("9.1", status="C", issued="20240501094500+0200"), number="2"),
        message(*result("7.40")),
    )
    assert current(store, grant) == [("9.1", Status.CORRECTED)]


def test_readings_of_one_order_at_other_times_are_facts_of_their_own() -> None:
    first, second = result("100", "mg/dL", own="20240501080000+0200"), result("120", "mg/dL", own="20240501090000+0200")
    found = [event for event in events(message(*first, second[1]), READER) if event.quantity == "blood_glucose"]
    assert len({event.key for event in found}) == 2


def test_two_values_of_one_moment_are_both_kept_and_flagged() -> None:
    found = events(message(*result("60~120", "/min", code="8867-4^HR^LN")), READER)
    rates = [event for event in found if event.quantity == "heart_rate"]
    assert sorted(event.value for event in rates) == [60.0, 120.0]  # type: ignore[type-var]
    assert all(Flag.CONTRADICTED in event.flags for event in rates)


@pytest.mark.parametrize(
    ("kind", "value", "number", "comparator"),
    [("NM", "182", 182.0, None), ("SN", "^182", 182.0, None), ("SN", "<^20", 20.0, Comparator.BELOW),
     ("SN", ">=^400", 400.0, Comparator.AT_LEAST), ("ST", "<20", 20.0, Comparator.BELOW), ("ST", "182 mg/dl", 182.0, None),
     ("NM", "+182.0", 182.0, None), ("", "182", 182.0, None), ("TX", "7.40 mmol/L", 133.315, None)],
)  # fmt: skip
def test_numbers_in_their_value_types(kind: str, value: str, number: float, comparator: Comparator | None) -> None:
    (found,) = [
        event
        for event in events(message(*result(value, "mg/dL", kind=kind)), READER)
        if event.quantity == "blood_glucose"
    ]
    assert found.value == pytest.approx(number, rel=1e-5)
    assert found.comparator is comparator


@pytest.mark.parametrize(
    ("kind", "value", "unit", "said"),
    [("NM", "high", "mg/dL", "the value 'high'"), ("CE", "5^x^L", "mg/dL", "a coded value (CE)"),
     ("NM", "5", "", "without a unit"), ("NM", "5", "kg", "the unit 'kg'"), ("SN", "about^5", "mg/dL", "the comparator"),
     ("ST", "about five", "mg/dL", "the text")],
)  # fmt: skip
def test_what_cannot_be_read_goes_to_quarantine_with_its_reason(kind: str, value: str, unit: str, said: str) -> None:
    (reason,) = reasons(message(*result(value, unit, kind=kind)), READER)
    assert said in reason.found
    assert reason.where == "OBX[1]"


def test_ranges_and_titres_are_counted() -> None:
    assert any("OBX SN with -" in kind for kind in unmapped(message(*result("^1^-^2", kind="SN")), READER))


def test_a_loinc_code_without_its_coding_system_is_known_by_its_check_digit() -> None:
    def read(code: str) -> bool:
        content = message(*result("^182", "mg/dl", kind="SN", code=code))
        return "blood_glucose" in {event.quantity for event in events(content, READER)}

    assert read("1554-5^GLUCOSE^POST 12H CFST:MCNC:PT:SER/PLAS:QN")
    assert not read("1554-6^GLUCOSE^POST 12H CFST:MCNC:PT:SER/PLAS:QN")
    assert not read("2339-0^Sodium^SCT")  # a code of another system stays one


@pytest.mark.parametrize(("code", "right"), [("2339-0", True), ("8867-4", True), ("1554-5", True), ("99504-3", True),
                                             ("2339-1", False), ("x-1", False), ("", False)])  # fmt: skip
def test_the_check_digit_of_loinc(code: str, right: bool) -> None:
    assert loinc_like(code) is right


# what bytes may look like


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r", "\r\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\x0b"])
def test_line_ends_and_marks_change_no_fact(end: str, mark: bytes) -> None:
    plain = message(*result())
    changed = mark + plain.decode().replace("\r", end).encode() + (b"\x1c\r" if mark == b"\x0b" else b"")
    assert named(changed) == "hl7v2"
    assert {event.id for event in events(changed, READER)} == {event.id for event in events(plain, READER)}


def test_text_that_is_wrapped_over_lines_stays_one_field() -> None:
    wrapped = message("OBX|1|TX|X^Text^L||first line\nsecond | line||||||F").decode()
    (found,) = [event for event in events(wrapped.encode(), READER) if event.quantity == "finding"]
    assert found.text == "first line\nsecond"


def test_other_separators_and_a_fifth_one() -> None:
    text = message(*result("7.40", sub="1")).decode()
    other = text.translate(str.maketrans({"|": "!", "^": "*", "~": "%", "&": "$"})).encode()
    assert {event.text for event in events(other, READER)} == {event.text for event in events(text.encode(), READER)}
    five = text.replace(r"MSH|^~\&", r"MSH|^~\&#").replace("|P|2.5", "|P|2.8").encode()
    assert parse(five.decode()).separators == Separators("|", "^", "~", "\\", "&", "#")
    assert {event.id for event in events(five, READER)} == {event.id for event in events(text.encode(), READER)}


@pytest.mark.parametrize(
    ("written", "read"),
    [(r"A\T\E", "A&E"), (r"a\F\b\S\c\R\d\E\e", "a|b^c~d\\e"), (r"\X48C3A4\\H\x\N\ ", "Häx "), (r"one\.br\two", "one\ntwo"),
     (r"C:\temp", r"C:\temp"), (r"5\ 6", r"5\ 6"), (r"\Zab\x", r"\Zab\x"), ("plain", "plain"), ("\\", "\\")],
)  # fmt: skip
def test_escapes(written: str, read: str) -> None:
    assert unescaped(written, Separators()) == read


@pytest.mark.parametrize(
    ("page", "codec"),
    [("8859/1", "iso8859-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8"), ("8859/2", "iso8859-2"), ("ISO IR14", "shift_jis"),
     ("GB 18030-2000", "gb18030")],
)  # fmt: skip
def test_the_code_page_of_msh_18(page: str, codec: str) -> None:
    name = {"shift_jis": "山田", "gb18030": "王", "iso8859-2": "Łódź"}.get(codec, "Müller")
    text = message(*result()).decode().replace("|P|2.5", f"|P|2.5||||||{page}").replace("MUSTER", name)
    (part,) = parts(text.encode(codec), READER)
    assert part.people[0][1].name == f"ERIKA M {name}"
    assert part.people[0][1].birth_date == "1964-08-12"


def test_bytes_of_no_stated_page_that_are_no_utf8_are_read_as_latin_1() -> None:
    (part,) = parts(message(*result()).replace(b"MUSTER", "MÜLLER".encode("latin-1")), READER)
    assert part.people[0][1].name.endswith("MÜLLER")


def test_utf_16_by_its_mark() -> None:
    content = message(*result()).decode().encode("utf-16")
    assert named(content) == "hl7v2"
    assert "blood_glucose" in {event.quantity for event in events(content, READER)}


def batch(*content: bytes) -> bytes:
    return b"\r".join([rb"FHS|^~\&|LAB", rb"BHS|^~\&|LAB", *(one.strip() for one in content), b"BTS|2", b"FTS|1", b""])


def test_a_batch_is_split_by_person_and_each_part_reads_again_from_its_bytes() -> None:
    other = PID.replace("4711", "4712")
    content = batch(
        message(*result("5.1")), message(*result("6.2", order="A2"), pid=other), message(*result("7.3", order="A3"))
    )
    assert named(content) == "hl7v2"
    found = parts(content, READER)
    assert [part.owner.value for part in found] == ["4711", "4712"]
    assert b"4712" not in found[0].raw
    for part in found:
        again = {event.id for event in events(part.raw, READER)}
        assert again == {event.id for event in items_of(part)}
    texts = [event.text for event in events(content, READER) if event.quantity == "blood_glucose"]
    assert sorted(texts) == ["5.1", "6.2", "7.3"]  # type: ignore[type-var]


def items_of(part) -> list:  # type: ignore[no-untyped-def, type-arg]
    from medtwin.sources.item import Origin

    return [item for item in part.read(Origin(raw="r", file="file")) if hasattr(item, "quantity")]


def test_one_message_of_two_people_is_divided() -> None:
    second = [PID.replace("4711", "4712"), *result("6.2", order="B1")]
    found = parts(message(*result("5.1"), *second), READER)
    assert [part.owner.value for part in found] == ["4711", "4712"]
    assert [event.text for event in items_of(found[1]) if event.quantity == "blood_glucose"] == ["6.2"]
    assert b"4711" not in found[1].raw


def test_a_broken_message_harms_no_other() -> None:
    broken = b"MSH|^^^^|LAB\rPID|1||1"
    found = items(batch(message(*result()), broken), READER)
    assert sum(1 for item in found if getattr(item, "quantity", "") == "blood_glucose") == 1
    (reason,) = [item for item in found if hasattr(item, "remedy")]
    assert "encoding characters" in reason.found
    with pytest.raises(FormatError):
        parts(broken, READER)


def test_what_has_no_fact_is_counted_and_kept() -> None:
    content = message(*result(), "ZPI|1|x", "NTE|1||hello", "NK1|1|DOE")
    assert {"segment ZPI", "segment NTE", "segment NK1"} <= set(unmapped(content, READER))
    assert parts(content, READER)[0].raw == content


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
def test_every_version_gives_the_same_facts(version: str) -> None:
    assert [
        event.text for event in events(message(*result(), version=version), READER) if event.quantity == "blood_glucose"
    ] == ["7.40"]


@pytest.mark.parametrize("content", [b"MSH", b"MSH|", b"MSHX^~\\&|", b"MSH   |", b"%PDF-1.4", b"{}", b"MSH,a,b"])
def test_what_is_no_hl7(content: bytes) -> None:
    if named(content) == "hl7v2":
        with pytest.raises(FormatError):
            parts(content, READER)


# times


@pytest.mark.parametrize(
    ("written", "text", "precision"),
    [("2024", "2024", Precision.YEAR), ("202405", "2024-05", Precision.MONTH), ("20240501", "2024-05-01", Precision.DAY),
     ("2024050107", "2024-05-01", Precision.DAY), ("202405010740", "2024-05-01T07:40", Precision.MINUTE),
     ("20240501074005.1234-0330", "2024-05-01T07:40:05.123400-03:30", Precision.FRACTION),
     ("20240501074005+0115", "2024-05-01T07:40:05+01:15", Precision.SECOND), ("20240000", "2024", Precision.YEAR)],
)  # fmt: skip
def test_times_keep_their_precision_and_their_offset(written: str, text: str, precision: Precision) -> None:
    found = moment(written)
    assert found is not None
    assert (found.text, found.precision) == (text, precision)


def test_the_offset_of_the_message_is_the_default_and_a_stated_zone_comes_after_it() -> None:
    assert moment("202405010740", 120).text == "2024-05-01T07:40+02:00"  # type: ignore[union-attr]
    assert moment("202405010740+0100", 120).text == "2024-05-01T07:40+01:00"  # type: ignore[union-attr]
    zoned = moment("202405010740", None, "Europe/Berlin")
    assert zoned is not None
    assert (zoned.offset, zoned.zone, zoned.offset_known) == (None, "Europe/Berlin", True)
    bare = moment("202405010740")
    assert bare is not None
    assert not bare.offset_known


@pytest.mark.parametrize("written", ["20241301", "2024050125", "yesterday", "202405010740+9900", "20240501 0740"])
def test_times_that_are_none(written: str) -> None:
    if written == "2024050125":  # an hour that does not exist stands beside a day that does
        assert moment(written).precision is Precision.DAY  # type: ignore[union-attr]
        return
    with pytest.raises(FormatError):
        moment(written)


# visits, diagnoses, medicines


def admission(trigger: str, discharge: str = "", event: str = "20240501100500+0200", klass: str = "I") -> bytes:
    visit = ["PV1", "1", klass, *[""] * 16, "V1", *[""] * 24, "20240430080000+0200", discharge]
    return message(f"EVN|{trigger}|{event}", "|".join(visit), kind=f"ADT^{trigger}")


def visits(store: SqlStore, grant: Grant) -> list[tuple[str, str | None]]:
    (patient,) = store.patients(grant)
    return [(e.time.text, e.until.text if e.until else None) for e in store.record(patient.id, grant).of("encounter")]


def test_a_visit_is_admitted_discharged_and_the_discharge_taken_back(store: SqlStore, grant: Grant) -> None:
    start = "2024-04-30T08:00:00+02:00"
    send(store, grant, admission("A01"))
    assert visits(store, grant) == [(start, None)]
    send(store, grant, admission("A03", "20240501090000+0200", "20240501100600+0200"))
    assert visits(store, grant) == [(start, "2024-05-01T09:00:00+02:00")]
    send(store, grant, admission("A13", "", "20240501100700+0200"))
    assert visits(store, grant) == [(start, None)]
    send(store, grant, admission("A11", "", "20240501100800+0200"))
    assert visits(store, grant) == []


def test_a_result_that_repeats_the_visit_neither_changes_it_nor_adds_to_it(store: SqlStore, grant: Grant) -> None:
    send(store, grant, admission("A01"), admission("A03", "20240501090000+0200", "20240501100600+0200"))
    before = visits(store, grant)
    (repeated,) = [line for line in admission("A01").decode().split("\r") if line.startswith("PV1")]
    for number in range(3):
        send(store, grant, message(repeated, *result(order=f"B{number}"), number=f"R{number}"))
    assert visits(store, grant) == before
    (patient,) = store.patients(grant)
    assert (
        sum(event.quantity == "encounter" for _, event in store.tail("t", grant)) == 3
    )  # admitted, discharged, repeated once
    assert patient.events == 3 + 1 + 2 * 3  # a sex, and a result and a report each


@pytest.mark.parametrize(
    ("trigger", "klass", "intent"),
    [("A01", "I", Intent.HAPPENED), ("A04", "O", Intent.HAPPENED), ("A05", "P", Intent.PLANNED), ("A08", "E", Intent.HAPPENED)],
)  # fmt: skip
def test_visits_by_trigger(trigger: str, klass: str, intent: Intent) -> None:
    (found,) = [event for event in events(admission(trigger, klass=klass), READER) if event.quantity == "encounter"]
    assert found.intent is intent


def one(content: bytes, quantity: str):  # type: ignore[no-untyped-def]
    (found,) = [event for event in events(content, READER) if event.quantity == quantity]
    return found


def test_diagnoses_their_systems_and_their_certainty() -> None:
    known = one(message("DG1|1||E10.9^Type 1 diabetes^I10|Diabetes|20200501|F", kind="ADT^A01"), "diagnosis")
    assert known.value == Code("http://hl7.org/fhir/sid/icd-10", "E10.9", "Type 1 diabetes")
    assert known.time.text == "2020-05-01"
    working = one(message("DG1|1|I10|E10.9^Type 1 diabetes||20200501|W", kind="ADT^A01"), "diagnosis")
    assert working.value.unconfirmed
    assert working.value.system == "http://hl7.org/fhir/sid/icd-10"
    undated = one(message("DG1|1||E10.9^^I10|||F", kind="ADT^A01"), "diagnosis")
    assert undated.time.text == "2024-05-01T10:00:00+02:00"


@pytest.mark.parametrize(
    ("segment", "negated"),
    [("AL1|1|DA|7980^Penicillin^RXNORM||||", False), ("AL1|1|DA|NKDA^No known^L", True),
     ("AL1|1|DA|716186003^No known allergy^SCT", True)],
)  # fmt: skip
def test_no_known_allergy_is_no_allergy(segment: str, negated: bool) -> None:
    assert one(message(segment, kind="ADT^A08"), "allergy").value.negated is negated


def test_an_adverse_reaction_that_is_deleted_or_not_confirmed() -> None:
    deleted = one(message("IAM|1|DA|7980^Penicillin^RXNORM|SV||D|X1", kind="ADT^A60"), "allergy")
    assert deleted.status is Status.ENTERED_IN_ERROR
    unsure = one(message(f"IAM|1|DA|7980^Penicillin^RXNORM|SV||A|X1{'|' * 10}U", kind="ADT^A60"), "allergy")
    assert unsure.value.unconfirmed


ORDER = "ORC|{control}|P1^EPC|F1^PH||||||{at}"
RXE = "RXE||860975^metformin 500 MG^RXNORM|500||mg"


def test_a_medication_is_ordered_cancelled_discontinued() -> None:
    at = "20240501090000+0200"
    ordered = one(message(ORDER.format(control="NW", at=at), RXE, kind="RDE^O11"), "medication")
    assert (ordered.intent, ordered.status, ordered.value.negated) == (Intent.ORDERED, Status.FINAL, False)
    assert ordered.time.text == "2024-05-01T09:00:00+02:00"
    cancelled = one(message(ORDER.format(control="CA", at=at), RXE, kind="RDE^O11"), "medication")
    assert (cancelled.key, cancelled.status) == (ordered.key, Status.ENTERED_IN_ERROR)
    ended = one(message(ORDER.format(control="DC", at=at), RXE, kind="RDE^O11"), "medication")
    assert ended.value.negated
    assert ended.key != ordered.key  # the order before it stays true


def test_what_the_pharmacy_encoded_is_the_order_and_what_it_hands_out_is_stated() -> None:
    segments = [
        ORDER.format(control="NW", at=""),
        "RXO|1^x^L",
        RXE,
        "RXD|1|860975^metformin^RXNORM|20240501|30|tab||RX7",
    ]
    found = [event for event in events(message(*segments, kind="RDS^O13"), READER) if event.quantity == "medication"]
    assert [event.intent for event in found] == [Intent.ORDERED, Intent.STATED]
    alone = one(message(ORDER.format(control="NW", at=""), "RXO|1^x^L", kind="ORM^O01"), "medication")
    assert alone.value.code == "1"


def given_insulin(status: str = "CP", action: str = "A", code: str = "86009^insulin lispro^RXNORM") -> bytes:
    return message(ORDER.format(control="RE", at=""), f"RXA|0|1|20240501080000+0200||{code}|4|U|||||||||||||{status}|{action}",
                   kind="RAS^O17")  # fmt: skip


def test_an_administration_is_a_medication_and_a_dose() -> None:
    dose = one(given_insulin(), "insulin_bolus")
    assert (dose.value, dose.text, dose.unit_text) == (4.0, "4", "U")
    assert one(given_insulin(), "medication").intent is Intent.HAPPENED
    refused = [event.quantity for event in events(given_insulin("RE"), READER)]
    assert "insulin_bolus" not in refused
    assert one(given_insulin("RE"), "medication").value.negated
    assert one(given_insulin(action="D"), "insulin_bolus").status is Status.ENTERED_IN_ERROR
    assert one(given_insulin(code="274783^insulin glargine^RXNORM"), "insulin_long_acting").value == 4.0


def test_an_infusion_is_a_rate_and_never_a_dose() -> None:
    rate = given_insulin().replace(b"|4|U||||", b"|1.5|U|||||H1").replace(b"|||||||||CP|A", b"||||||||CP|A")
    found = {event.quantity: event for event in events(rate, READER)}
    assert "insulin_bolus" not in found
    assert (found["insulin_basal_rate"].value, found["insulin_basal_rate"].text) == (1.5, "1.5")
    assert found["insulin_basal_rate"].unit_text == "U/h"
    odd = rate.replace(b"|H1|", b"|X9|")
    assert "insulin_basal_rate" not in {event.quantity for event in events(odd, READER)}
    assert "RXA rate of a drug without a quantity" in unmapped(odd, READER)


def test_a_vaccination() -> None:
    content = message("ORC|RE||V1^IIS", "RXA|0|1|20240501||141^Influenza^CVX|0.5|mL|||||||||||||CP|A", kind="VXU^V04")
    found = one(content, "immunization")
    assert found.value == Code("http://hl7.org/fhir/sid/cvx", "141", "Influenza")
    assert "RXA 998: no vaccine administered" in unmapped(content.replace(b"141^Influenza", b"998^none"), READER)


def test_a_procedure_an_order_an_appointment_and_a_document() -> None:
    done = one(message("PR1|1||76164006^Biopsy^SCT||20240430", kind="ADT^A01"), "procedure")
    assert done.value == Code("http://snomed.info/sct", "76164006", "Biopsy")
    asked = one(message("ORC|NW|P1|||||||20240501", "OBR|1|P1||57698-3^Lipids^LN", kind="OML^O21"), "report")
    assert asked.intent is Intent.ORDERED
    booked = message(
        "SCH|1|S1|||||||||^^^20240901100000+0200^20240901103000+0200", "AIS|1||408443003^Visit^SCT", kind="SIU^S12"
    )
    assert one(booked, "encounter").intent is Intent.PLANNED
    assert one(booked, "encounter").until.text == "2024-09-01T10:30:00+02:00"
    assert one(booked.replace(b"S12", b"S26"), "encounter").value.negated
    assert one(booked.replace(b"SIU^S12", b"SIU^S17"), "encounter").status is Status.ENTERED_IN_ERROR
    noted = one(message("TXA|1|DS|TX|20240501|||||||||D1|||||AU", kind="MDM^T02"), "report")
    assert noted.key == "TXA|D1"


def test_lines_of_a_text_are_all_kept() -> None:
    lines = ["OBX|1|TX|X^Text^L|1|one||||||F", "OBX|2|TX|X^Text^L|1|two||||||F"]
    found = [event for event in events(message(*lines), READER) if event.quantity == "finding"]
    assert [event.text for event in found] == ["one", "two"]
    assert len({event.key for event in found}) == 2


# identities


def people(store: SqlStore, grant: Grant) -> dict[str, set[str]]:
    return {entry.id: {key.value for key in entry.keys} for entry in store.patients(grant)}


def facts_of(store: SqlStore, grant: Grant, value: str) -> int:
    (patient,) = [entry.id for entry in store.patients(grant) if value in {key.value for key in entry.keys}]
    return len(store.record(patient, grant).of("blood_glucose"))


def merge(trigger: str = "A40") -> bytes:
    return message("MRG|4712^^^HOSPITAL^MR", kind=f"ADT^{trigger}")


@pytest.mark.parametrize("trigger", ["A40", "A34", "A18", "A47"])
def test_a_merge_moves_the_key_once_and_what_comes_later_follows(store: SqlStore, grant: Grant, trigger: str) -> None:
    other = message(*result("6.2", order="B1"), pid=PID.replace("4711", "4712"))
    send(store, grant, message(*result()), other)
    assert len(people(store, grant)) == 2
    send(store, grant, merge(trigger), merge(trigger))
    (keys,) = people(store, grant).values()
    assert keys == {"4711", "4712"}
    assert facts_of(store, grant, "4711") == 2
    send(store, grant, message(*result("6.3", order="B2"), pid=PID.replace("4711", "4712")))
    assert facts_of(store, grant, "4711") == 3


def test_a_merge_of_somebody_unknown_and_a_merge_of_accounts(store: SqlStore, grant: Grant) -> None:
    send(store, grant, merge())
    assert list(people(store, grant).values()) == [{"4711", "4712"}]
    send(store, grant, message("MRG|99^^^HOSPITAL^MR", kind="ADT^A41"))
    assert list(people(store, grant).values()) == [{"4711", "4712"}]


def test_a_link_and_its_undoing(store: SqlStore, grant: Grant) -> None:
    other = PID.replace("4711", "4712")
    send(store, grant, message(*result()), message(*result("6.2", order="B1"), pid=other))
    send(store, grant, message(other, kind="ADT^A24"))
    assert list(people(store, grant).values()) == [{"4711", "4712"}]
    send(store, grant, message(other, kind="ADT^A37"))
    assert sorted(people(store, grant).values(), key=sorted) == [{"4711"}, {"4712"}]
    assert facts_of(store, grant, "4711") == facts_of(store, grant, "4712") == 1


def test_bare_numbers_of_two_senders_never_meet() -> None:
    bare = PID.replace("4711^^^HOSPITAL^MR~999^^^USSSA^SS", "4711")
    first = parts(message(*result(), pid=bare), READER)[0].owner
    second = parts(message(*result(), pid=bare).replace(b"|HOSPITAL|EHR", b"|CLINIC|EHR"), READER)[0].owner
    assert first.value == second.value
    assert first.system != second.system


def test_a_message_that_names_nobody_waits_unassigned() -> None:
    (part,) = parts(message(*result(), pid="PID|1||||MUSTER"), READER)
    assert not part.named
    assert part.owner.value == "anonymous-1"


# whatever else

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c"), max_size=12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["OBX", "OBR", "PID", "PV1", "RXA", "DG1", "EVN", "MRG", "TXA", "SCH", "Z99"]),
                          st.lists(texts, max_size=24)), max_size=8))  # fmt: skip
def test_any_fields_are_read_or_give_a_reason(segments: list[tuple[str, list[str]]]) -> None:
    lines = ["|".join([name, *fields]) for name, fields in segments]
    content = message(*lines)
    read = parse(content.decode())
    assert len(read.segments) == len(lines) + 2
    items(content, READER)


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_damaged_bytes_end_in_facts_reasons_or_a_format_error(chance: random.Random, cuts: int) -> None:
    content = bytearray(batch(message(*result()), given_insulin(), merge(), admission("A03")))
    for _ in range(cuts):
        place = chance.randrange(len(content))
        content[place] = chance.choice(b"|^~\\&\r\n\x00\xffAZ09")
    try:
        items(bytes(content), READER)
    except FormatError:
        pass


@given(st.binary(max_size=300))
def test_any_bytes_after_a_header(tail: bytes) -> None:
    content = HEAD.format(kind="ORU^R01", number="1", version="2.5").encode() + b"\r" + tail
    assert list(messages(content))
    items(content, READER)


SHAPES: dict[str, Callable[[int], list[str]]] = {
    "separators before a segment": lambda size: ["\r" * size + "NTE|x"],
    "lines of a wrapped field": lambda size: ["NTE|1||x" + "\na" * (2 * size)],  # four times as long: copying is quick
    "visits without an event": lambda size: ["PV1|1|I"] * (size // 8),
    "people": lambda size: [f"PID|||{number}^^^HOSPITAL^MR||{'X' * 90}" for number in range(size // 116)],
    "appointments without a service": lambda size: ["SCH|1"] * (size // 6),
    "orders that nobody encoded": lambda size: ["RXO|5^x"] * (size // 8),
    "orders whose timing never comes": lambda size: ["RXE||5^x"] * (size // 9),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_message_costs_as_much_a_byte_as_a_short_one(shape: str) -> None:
    def cost(size: int) -> float:
        content, taken = message(*SHAPES[shape](size)), []
        for _ in range(3):
            begun = time.process_time()
            items(content, READER)
            taken.append(time.process_time() - begun)
        return min(taken)

    cost(8192)  # what is read once for all messages
    assert cost(65536) < 24 * cost(8192)  # 8 where the cost grows as the length does, 64 where it grows as its square


def test_a_message_of_too_many_people_is_refused_and_its_neighbours_are_read() -> None:
    crowd = message(*(f"PID|||{number}^^^HOSPITAL^MR" for number in range(1200)))
    with pytest.raises(FormatError, match="more than 1000 people"):
        parts(crowd, READER)
    long_head = message(
        *["NTE|" + "x" * 1000] * 3000, *(f"PID|||{number}^^^HOSPITAL^MR" for number in range(3)), pid="NTE|"
    )
    with pytest.raises(FormatError, match="more than 1 people"):
        parts(long_head, READER)
    held = parts(crowd + message(*result(), number="2"), READER)
    assert [part.named for part in held] == [True, False]
