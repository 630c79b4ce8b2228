"""What HL7v2 messages mean where senders are terse: authorities, merges, ends, cancellations, corrections, zones."""

from __future__ import annotations

import pytest

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, Flag, SourcePatient, Status
from medtwin.record.sql import SqlStore
from medtwin.sources.hl7v2 import Reader
from medtwin.sources.ingest import ingest_bytes
from sources.reading import events, parts, reasons

READER = Reader()
PID = "PID|1||123^^^HOSP^MR||DOE^J||19700101|M"


def message(kind: str, *segments: str, sent: str = "20240601120000+0200", pid: str = PID) -> bytes:
    head = rf"MSH|^~\&|LAB|HOSPITAL|EHR|HOSPITAL|{sent}||{kind}|1|P|2.5"
    return "\r".join([head, pid, *segments]).encode() + b"\r"


def of(content: bytes, quantity: str, **stated: str) -> list[Event]:
    return [event for event in events(content, READER, **stated) if event.quantity == quantity]


def test_a_stated_source_keeps_two_authorities_apart() -> None:
    owners = {
        parts(message("ADT^A08", pid=PID.replace("HOSP", name)), READER, source="engine")[0].owner
        for name in ("HOSP1", "HOSP2", "")
    }
    assert owners == {SourcePatient(name, "123") for name in ("HOSP1", "HOSP2", "engine")}
    bare = message("ADT^A08", pid=PID.replace("HOSP", ""))
    assert parts(bare, READER)[0].owner == parts(bare, READER, source="LAB")[0].owner  # as a replay states it


# merges


def a40(gone: str, stands: str, authority: str = "^^^HOSP^MR") -> bytes:
    return message("ADT^A40", f"MRG|{gone}{authority}", pid=PID.replace("123", stands))


def send(store: SqlStore, grant: Grant, *content: bytes) -> list[str]:
    """The notes of all reports."""
    return [note for one in content for note in ingest_bytes(one, "m.hl7", store, grant).notes]


def people(store: SqlStore, grant: Grant) -> list[set[str]]:
    return sorted(({key.value for key in entry.keys} for entry in store.patients(grant)), key=sorted)


def admitted(*values: str) -> list[bytes]:
    return [message("ADT^A08", pid=PID.replace("123", value)) for value in values]


def test_a_merge_takes_the_keys_of_earlier_merges_along(store: SqlStore, grant: Grant) -> None:
    notes = send(store, grant, *admitted("A", "B", "C"), a40("B", "A"), a40("A", "C"))
    assert people(store, grant) == [{"A", "B", "C"}]
    assert "2 keys of hosp-A belong to hosp-C" in notes[-1]


def test_a_key_that_was_merged_away_takes_nobody_along(store: SqlStore, grant: Grant) -> None:
    notes = send(store, grant, *admitted("A", "C", "D"), a40("A", "C"), a40("A", "D"))
    assert people(store, grant) == [{"A", "D"}, {"C"}]
    assert "1 other keys stay with hosp-C" in notes[-1]


def test_what_a_person_undid_stays_undone_when_the_same_bytes_come_again(store: SqlStore, grant: Grant) -> None:
    send(store, grant, *admitted("A", "B"), a40("B", "A"))
    gone = SourcePatient("HOSP", "B")
    store.unlink(gone, grant)
    store.link(gone, "hosp-B", grant)
    notes = send(store, grant, a40("B", "A"))
    assert people(store, grant) == [{"A"}, {"B"}]
    assert "nothing moves again" in notes[-1]


def test_a_bare_key_of_a_merge_is_of_the_authority_of_the_one_that_stands() -> None:
    (part,) = parts(a40("B", "A", ""), READER)
    assert [one.gone for one in part.identities] == [SourcePatient("HOSP", "B")]
    (part,) = parts(a40("B", "A", "^^^OTHER^MR"), READER)
    assert [one.gone for one in part.identities] == [SourcePatient("OTHER", "B")]


# ends


def visit(trigger: str, began: str, ended: str = "", evn: str = "") -> bytes:
    return message(
        f"ADT^{trigger}", f"EVN|{trigger}|20240601120000+0200||||{evn}",
        "|".join(["PV1", "1", "I", *[""] * 16, "V1", *[""] * 24, began, ended]),
    )  # fmt: skip


@pytest.mark.parametrize("ended", ["20240501", "202405011000", "20240501100000+0200"])
def test_a_visit_of_one_day_has_its_end(ended: str) -> None:
    (found,) = of(visit("A03", "20240501100000+0200", ended), "encounter")
    assert found.until is not None
    assert found.until.text.startswith("2024-05-01")


def test_an_end_before_its_start_is_a_reason_and_no_open_visit() -> None:
    content = visit("A03", "20240501100000+0200", "20240430")
    assert not of(content, "encounter")
    (reason,) = reasons(content, READER)
    assert "ends (2024-04-30) before it begins" in reason.found
    (cancelled,) = of(visit("A11", "20240501100000+0200", "20240430"), "encounter")
    assert cancelled.status is Status.ENTERED_IN_ERROR


# cancellations


def current(store: SqlStore, grant: Grant, quantity: str) -> list[Event]:
    return [event for entry in store.patients(grant) for event in store.record(entry.id, grant).of(quantity)]


@pytest.mark.parametrize("control", ["CA", "DC", "OC", "CR"])
def test_an_order_control_without_its_order_is_a_reason(control: str) -> None:
    (reason,) = reasons(message("ORM^O01", f"ORC|{control}|55", "ORC|NW|56", "RXO|861007^metformin^RXNORM"), READER)
    assert f"order control {control} of order 55" in reason.found
    assert not reasons(message("ORM^O01", f"ORC|{control}|55", "RXO|861007^metformin^RXNORM"), READER)


@pytest.mark.parametrize(("detail", "quantity"), [("RXO|861007^metformin^RXNORM", "medication"),
                                                  ("OBR|1|||57698-3^Lipids^LN", "report")])  # fmt: skip
def test_an_order_that_the_filler_numbered_meanwhile_is_cancelled(
    store: SqlStore, grant: Grant, detail: str, quantity: str
) -> None:
    send(store, grant, message("ORM^O01", "ORC|NW|55", detail))
    assert len(current(store, grant, quantity)) == 1
    send(store, grant, message("ORM^O01", "ORC|CA|55|F9", detail, sent="20240601130000+0200"))
    assert not current(store, grant, quantity)


@pytest.mark.parametrize("trigger", ["A11", "A27", "A38"])
def test_a_visit_is_cancelled_without_its_time(store: SqlStore, grant: Grant, trigger: str) -> None:
    send(store, grant, visit("A01", "20240501100000+0200"))
    assert len(current(store, grant, "encounter")) == 1
    send(store, grant, visit(trigger, ""))
    assert not current(store, grant, "encounter")
    (reason,) = reasons(visit(trigger, "").replace(b"|V1", b"|"), READER)
    assert "nothing was cancelled" in reason.remedy


def booked(trigger: str, time: str, number: str = "F2") -> bytes:
    return message(f"SIU^{trigger}", f"SCH|P1|{number}|||||||||^^^{time}", sent=f"202406011{trigger[-1]}0000+0200")


@pytest.mark.parametrize(("trigger", "time"), [("S15", ""), ("S26", ""), ("S15", "20240610100000+0200")])
def test_an_appointment_without_its_service_is_cancelled(
    store: SqlStore, grant: Grant, trigger: str, time: str
) -> None:
    send(store, grant, booked("S12", "20240610100000+0200"))
    (before,) = current(store, grant, "encounter")
    assert not before.value.negated  # type: ignore[union-attr]
    send(store, grant, booked(trigger, time))
    (after,) = current(store, grant, "encounter")
    assert after.value.negated  # type: ignore[union-attr]
    (reason,) = reasons(booked(trigger, "").replace(b"P1|F2", b"|"), READER)
    assert "nothing was cancelled" in reason.remedy


# corrections and deletions


def results(*observations: str, hour: int = 12) -> bytes:
    return message("ORU^R01", "OBR|1||F1|X^t|||20240501080000+0200", *observations, sent=f"20240601{hour}0000+0200")


def texts(store: SqlStore, grant: Grant, quantity: str) -> list[str | None]:
    return sorted(event.text or "" for event in current(store, grant, quantity))  # type: ignore[return-value]


def test_corrections_of_two_readings_of_one_name_meet_their_own(store: SqlStore, grant: Grant) -> None:
    def both(first: str, second: str, status: str) -> list[str]:
        return [f"OBX|{n}|NM|2345-7^g^LN||{v}|mg/dL|||||{status}" for n, v in ((1, first), (2, second))]

    send(store, grant, results(*both("100", "120", "F")))
    assert texts(store, grant, "blood_glucose") == ["100", "120"]
    send(store, grant, results(*both("101", "121", "C"), hour=13))
    assert texts(store, grant, "blood_glucose") == ["101", "121"]
    send(store, grant, results(both("", "", "D")[0], hour=14))
    assert texts(store, grant, "blood_glucose") == ["121"]


def test_a_deletion_takes_all_repetitions_back(store: SqlStore, grant: Grant) -> None:
    send(store, grant, results("OBX|1|NM|2345-7^g^LN||100~120~140|mg/dL|||||F"))
    assert texts(store, grant, "blood_glucose") == ["100", "120", "140"]
    send(store, grant, results("OBX|1|NM|2345-7^g^LN||||||||D", hour=13))
    assert not texts(store, grant, "blood_glucose")


# doses


def dose(time: str, action: str, counters: str, amount: str = "10") -> bytes:
    drug = "865098^insulin lispro^RXNORM"
    return message("RAS^O17", "ORC|RE|1|2", f"RXA|{counters}|{time}||{drug}|{amount}|[iU]|||||||||||||CP|{action}",
                   sent="20240601120000+0200" if action == "A" else "20240601130000+0200")  # fmt: skip


def test_an_update_of_a_dose_at_another_time_counts_once(store: SqlStore, grant: Grant) -> None:
    send(store, grant, dose("20240601100000+0200", "A", "1|1"), dose("20240601110000+0200", "A", "1|2"))
    assert len(current(store, grant, "insulin_bolus")) == 2
    send(store, grant, dose("20240601103000+0200", "U", "1|1", "8"))
    found = current(store, grant, "insulin_bolus")
    assert sorted((event.time.text[11:16], event.text) for event in found) == [("10:30", "8"), ("11:00", "10")]
    send(store, grant, dose("20240601103000+0200", "D", "1|1", "8").replace(b"130000", b"140000"))
    assert len(current(store, grant, "insulin_bolus")) == 1


@pytest.mark.parametrize("counters", ["0|1", "|"])
def test_an_update_that_names_no_dose_is_a_reason_and_no_second_one(
    store: SqlStore, grant: Grant, counters: str
) -> None:
    send(store, grant, dose("20240601100000+0200", "A", counters), dose("20240601110000+0200", "U", counters))
    (found,) = current(store, grant, "insulin_bolus")
    assert found.time.text == "2024-06-01T10:00:00+02:00"
    (reason,) = reasons(dose("20240601110000+0200", "U", counters), READER)
    assert "RXA-21 U" in reason.found


def test_counters_that_a_message_uses_twice_keep_both_doses() -> None:
    first, second = (dose(f"20240601{hour}0000+0200", "A", "1|1") for hour in (10, 11))
    content = first + second.split(b"\r", 3)[3]
    assert len({event.key for event in of(content, "insulin_bolus")}) == 2


# times and units


def timed(panel: str, own: str = "", sent: str = "20241202030405+0100", unit: str = "mg/dL") -> bytes:
    return message("ORU^R01", f"OBR|1||F1|X^t|||{panel}", f"OBX|1|NM|2345-7^g^LN||100|{unit}|||||F|||{own}", sent=sent)


def test_a_stated_zone_that_has_the_offset_of_the_message_knows_its_summer() -> None:
    (found,) = of(timed("20240701100000"), "blood_glucose", zone="Europe/Berlin")
    assert (found.time.instant.hour, found.flags) == (8, ())
    (found,) = of(timed("20240701100000", sent="20241202030405-0500"), "blood_glucose", zone="Europe/Berlin")
    assert (found.time.instant.hour, found.flags) == (15, (Flag.TIME_ASSUMED,))


def test_without_a_zone_times_months_away_from_the_offset_of_the_message_are_flagged() -> None:
    assert of(timed("20240701100000"), "blood_glucose")[0].flags == (Flag.TIME_ASSUMED,)
    assert of(timed("20240701100000+0200"), "blood_glucose")[0].flags == ()
    assert of(timed("20241201100000"), "blood_glucose")[0].flags == ()


def test_a_result_without_its_time_says_that_the_time_is_the_message_s() -> None:
    assert of(timed(""), "blood_glucose")[0].flags == (Flag.TIME_ASSUMED,)
    assert of(timed("", "20241201100000"), "blood_glucose")[0].flags == ()


def test_a_power_of_ten_whose_caret_nobody_escaped() -> None:
    content = timed("20241201100000").replace(b"2345-7^g", b"6690-2^wbc").replace(b"|100|mg/dL", b"|7.5|10^3/uL")
    (found,) = of(content, "leukocytes")
    assert found.value == of(content.replace(b"10^3", b"10*3"), "leukocytes")[0].value
    assert found.unit_text == "10^3/uL"
