"""Who is whom, in the store: what is linked, what waits, what is never merged, and that every decision can be undone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from medtwin.errors import AccessDenied, StoreError, UnknownPatient
from medtwin.governance.grant import Grant, Purpose, Role
from medtwin.record import SourcePatient
from medtwin.record.backup import backup, restore
from medtwin.record.facts import unfolded
from medtwin.record.home import open_store
from medtwin.record.identity import search, stream
from medtwin.record.identity.search import NEW
from medtwin.record.store import Demographics
from record.identity.test_compare import ANNA, SSN
from record.making import fact, readings

HOME, LAB, GP = SourcePatient("HOSPITAL", "4711"), SourcePatient("LAB", "L-9"), SourcePatient("GP", "g7")
OTHER = {"given": "Peter", "family": "Okafor", "birth_date": "1948-11-02", "sex": "male", "street": "1 Elm Road", "city": "Perth",
         "postal_code": "6000", "state": "WA", "identifiers": ()}  # fmt: skip


def says(store, grant, key, patient=None, **more):
    """A key that a source describes, of a patient of its own, with a fact of its own."""
    store.link(key, patient or f"{key.system}-{key.value}", grant, why=NEW)
    store.append([fact(len(key.value), 100.0 + len(key.system), owner=key)], grant)
    return store.identify(key, Demographics(**(ANNA | more)), grant)


def whose(store, grant):
    return {key: entry.id for entry in store.patients(grant) for key in entry.keys}


def kinds(store, grant, *wanted):
    return [event for event in reversed(store.identity(grant)) if not wanted or event.kind in wanted]


def test_one_person_of_two_systems_is_linked_and_says_why(store, grant):
    says(store, grant, HOME)
    found = says(store, grant, LAB, street="6 Tulip St", family="Lindquist")
    assert found.moved == ((LAB, "HOSPITAL-4711"),)
    assert whose(store, grant) == {HOME: "HOSPITAL-4711", LAB: "HOSPITAL-4711"}
    assert {event.subject for event in store.record("HOSPITAL-4711", grant).events} == {HOME, LAB}
    (event,) = [event for event in kinds(store, grant, "link") if event.other is not None]
    assert (event.key, event.other, event.patient, event.before) == (LAB, HOME, "HOSPITAL-4711", "LAB-L-9")
    assert (event.who, event.probability) == ("medtwin", pytest.approx(1, abs=1e-4))
    assert {"given", "family", "birth_date", "number", "postal_code"} <= {part.field for part in event.parts}
    assert sum(part.bits for part in event.parts) > 20
    assert store.matches(grant) == ()


def test_strangers_are_not_compared_into_anything(store, grant):
    says(store, grant, HOME)
    assert says(store, grant, LAB, **OTHER).moved == ()
    assert store.matches(grant) == ()
    assert [event.kind for event in store.identity(grant)] == ["link", "link"]


def test_twins_wait_for_a_person(store, grant):
    says(store, grant, HOME, identifiers=())
    assert says(store, grant, LAB, given="Petra", identifiers=()).possible == 1
    (match,) = store.matches(grant)
    assert (match.older.key, match.newer.key, match.older.patient) == (HOME, LAB, "HOSPITAL-4711")
    assert match.newer.said.given == "Petra"
    assert any("twins" in reason for reason in match.reasons)
    assert len(whose(store, grant).values()) == 2


def test_a_match_that_waits_is_noted_once(store, grant):
    says(store, grant, HOME, identifiers=())
    for _ in range(3):
        says(store, grant, LAB, given="Petra", identifiers=())
    assert len(kinds(store, grant, "possible")) == 1
    says(store, grant, LAB, given="Petra", birth_date="1971-08-28", identifiers=())
    assert len(kinds(store, grant, "possible")) == 2
    assert len(store.matches(grant)) == 1


def test_two_people_are_never_merged_on_one_number(store, grant):
    says(store, grant, HOME)
    found = says(store, grant, LAB, **(OTHER | {"identifiers": ANNA["identifiers"]}))
    assert (found.moved, found.possible) == ((), 1)
    (match,) = store.matches(grant)
    assert any("one number" in reason for reason in match.reasons)


def test_a_number_of_many_people_is_nobodys(store, grant):
    """An authority at its default, or a placeholder that no list knows: four others bear it, so it says nothing."""
    shared = (SourcePatient(SSN, "550-11-2233"),)
    people = [("Ada", "Byron", "1990-02-11"), ("Berta", "Conti", "1982-07-05"), ("Cem", "Demir", "1975-12-19"),
              ("Dana", "Eklund", "1966-01-30"), ("Emil", "Farkas", "1951-09-08"), ("Fay", "Grant", "2001-04-27")]  # fmt: skip
    found = []
    for number, (given, family, born) in enumerate(people):
        who = {"given": given, "family": family, "birth_date": born, "identifiers": shared,
               "street": f"{number + 3} {family} Lane", "postal_code": f"{number}{number}40"}  # fmt: skip
        found.append(says(store, grant, SourcePatient("S", str(number)), **(OTHER | who)))
    assert [one.possible > 0 for one in found] == [False, True, True, True, False, False]
    assert not any(one.moved for one in found)


def test_placeholder_numbers_bring_nobody_together(store, grant):
    says(store, grant, HOME, identifiers=(SourcePatient(SSN, "999-99-9999"),))
    found = says(store, grant, LAB, **(OTHER | {"identifiers": (SourcePatient(SSN, "999-99-9999"),)}))
    assert (found.moved, found.possible) == ((), 0)


def test_two_who_fit_are_both_left_to_a_person(store, grant):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, identifiers=(), given="Petra")
    store.refuse("HOSPITAL-4711", "LAB-L-9", grant)
    store.describe(LAB, Demographics(**(ANNA | {"identifiers": ()})), grant)
    assert says(store, grant, GP, identifiers=()).moved == ()
    assert len(store.matches(grant)) == 2
    assert all("two people here fit" in match.reasons for match in store.matches(grant))


def test_patients_of_several_keys_are_brought_together_by_people_only(store, grant):
    second = SourcePatient("HOSPITAL", "4712")
    for key, patient in ((HOME, "P1"), (second, "P1"), (LAB, "P2"), (GP, "P2")):
        store.link(key, patient, grant)
    store.identify(HOME, Demographics(**ANNA), grant)
    assert store.identify(LAB, Demographics(**ANNA), grant).moved == ()
    assert store.matches(grant)[0].reasons == ("both are known under several keys",)
    assert store.merge("P1", "P2", grant, why="seen at the desk") == 2
    assert set(whose(store, grant).values()) == {"P1"}
    assert store.matches(grant) == ()


def test_a_wrong_merge_is_undone_to_what_was_before(store, grant):
    for key, patient, zone, more in (
        (HOME, "P1", "Europe/Berlin", {}), (LAB, "P2", None, {"given": "Petra", "identifiers": ()}), (GP, "P2", None, OTHER),
    ):  # fmt: skip
        store.link(key, patient, grant, zone=zone)
        store.append(
            [*readings(6, owner=key), fact(0, 55.0, owner=key, key="k"), fact(0, 56.0, owner=key, key="k", issued=9)],
            grant,
        )
        store.identify(key, Demographics(**(ANNA | more)), grant)
    before = {patient: store.record(patient, grant) for patient in ("P1", "P2")}
    entries, demographics = store.patients(grant), [store.demographics(patient, grant) for patient in before]
    store.merge("P1", "P2", grant)
    assert len(store.record("P1", grant).history) == sum(len(record.history) for record in before.values())
    assert store.record("P2", grant).events == ()
    assert store.separate("P1", "P2", grant, why="two people") == 2
    assert {patient: store.record(patient, grant) for patient in before} == before
    assert store.patients(grant) == entries
    assert [store.demographics(patient, grant) for patient in before] == demographics
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
    undone = kinds(store, grant, "unlink")
    assert {(event.key, event.patient, event.before, event.why) for event in undone} == {
        (LAB, "P2", "P1", "two people"), (GP, "P2", "P1", "two people"),
    }  # fmt: skip
    assert len({event.decision for event in undone}) == 1


def test_what_a_machine_linked_is_undone_and_stays_so(store, grant):
    says(store, grant, HOME)
    before = store.record("HOSPITAL-4711", grant)
    says(store, grant, LAB)
    assert store.separate("HOSPITAL-4711", "LAB-L-9", grant) == 1
    assert whose(store, grant) == {HOME: "HOSPITAL-4711", LAB: "LAB-L-9"}
    assert store.record("HOSPITAL-4711", grant).events == before.events
    for said in (ANNA, ANNA | {"street": "7 Tulip Street"}):  # messages go on coming
        found = store.identify(LAB, Demographics(**said), grant)
        assert (found.moved, found.possible) == ((), 0)
    assert store.matches(grant) == ()


def test_a_refusal_holds_for_a_third_key_of_either(store, grant):
    says(store, grant, HOME)
    says(store, grant, LAB)
    store.separate("HOSPITAL-4711", "LAB-L-9", grant)
    assert says(store, grant, GP).moved == ()
    assert len(store.matches(grant)) == 2


def test_a_refused_match_waits_no_more(store, grant):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())
    assert store.refuse("HOSPITAL-4711", LAB, grant, why="twins") == 1
    assert store.matches(grant) == ()
    says(store, grant, LAB, given="Petra", identifiers=(), city="Perth")
    assert store.matches(grant) == ()
    (event,) = kinds(store, grant, "refused")
    assert (event.who, event.why) == ("tester", "twins")


def test_whose_a_key_is_is_the_fold_of_the_stream(store, grant):
    says(store, grant, HOME)
    says(store, grant, LAB)
    says(store, grant, GP, **OTHER)
    store.merge("HOSPITAL-4711", "GP-g7", grant)
    store.separate("HOSPITAL-4711", "LAB-L-9", grant)
    store.unlink(GP, grant)
    fold = {}
    for event in kinds(store, grant, "link", "unlink"):
        assert fold.get(event.key) == event.before
        fold[event.key] = event.patient
    assert fold == {HOME: "HOSPITAL-4711", LAB: "LAB-L-9", GP: None}
    assert {key: patient for key, patient in fold.items() if patient} == whose(store, grant)


def test_a_key_that_says_another_person_gets_a_key_of_its_own(store, grant):
    says(store, grant, HOME)
    assert store.key_of(HOME, Demographics(**(ANNA | {"street": "9 Elm Road", "family": "Okafor"})), grant) == HOME
    assert store.key_of(LAB, Demographics(**ANNA), grant) == LAB
    other = store.key_of(HOME, Demographics(**OTHER), grant)
    assert (other.system, other.value.startswith("4711#")) == ("HOSPITAL", True)
    assert store.key_of(HOME, Demographics(**(OTHER | {"street": "somewhere else"})), grant) == other


def test_what_a_later_statement_leaves_out_stays_known(store, grant):
    says(store, grant, HOME)
    bare = Demographics(identifiers=(SourcePatient("HOSPITAL", "4711"),))
    for said in (bare, Demographics(given="UNKNOWN", family="unknown", birth_date="1971")):
        assert store.key_of(HOME, said, grant) == HOME
        store.identify(HOME, said, grant)
    known = store.demographics("HOSPITAL-4711", grant)
    for field in ("given", "family", "birth_date", "sex", "street", "city"):
        assert getattr(known, field) == ANNA[field]
    assert set(known.identifiers) == {*ANNA["identifiers"], *bare.identifiers}
    assert store.key_of(HOME, Demographics(**OTHER), grant) != HOME
    assert store.identify(HOME, Demographics(**(ANNA | {"family": "Okafor"})), grant).patient == "HOSPITAL-4711"
    assert store.demographics("HOSPITAL-4711", grant).family == "Okafor"


def test_a_number_of_several_people_without_a_name_is_nobodys(store, grant):
    says(store, grant, HOME)
    other = store.key_of(HOME, Demographics(**OTHER), grant)
    assert store.key_of(HOME, Demographics(sex="female"), grant) == SourcePatient("HOSPITAL", "4711#")
    assert store.key_of(HOME, Demographics(**ANNA), grant) == HOME
    assert store.key_of(HOME, Demographics(given="Peter", family="Okafor"), grant) == other  # the birth date left out
    assert store.key_of(LAB, Demographics(), grant) == LAB


@pytest.mark.parametrize(
    ("another", "why"),
    [
        ({"given": "Petra"}, "twins"),
        ({"birth_date": "1938-10-05"}, "namesakes"),
        ({"given": "Ana", "sex": "male"}, "sex differs"),
    ],
)
def test_twins_and_namesakes_of_one_number_have_a_key_each_and_wait(store, grant, another, why):
    says(store, grant, HOME)
    said = Demographics(**(ANNA | another))
    key = store.key_of(HOME, said, grant)
    assert key != HOME
    store.link(key, "another", grant, why=NEW)
    found = store.identify(key, said, grant)
    assert (found.moved, found.possible) == ((), 1)
    assert why in " ".join(store.matches(grant)[0].reasons)
    with pytest.raises(StoreError, match="somebody else"):
        store.identify(HOME, said, grant)
    assert store.demographics("HOSPITAL-4711", grant).given == "Anna"


def test_two_people_of_one_new_number_at_once_have_two_keys(store, grant):
    key = SourcePatient("HOSPITAL", "99")
    statements = [Demographics(**ANNA), Demographics(**OTHER)] * 8
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda said: store.key_of(key, said, grant), statements))
    assert {*found[::2]}.isdisjoint(found[1::2])
    assert (len({*found[::2]}), len({*found[1::2]})) == (1, 1)


def test_the_mark_of_a_key_is_of_this_home_alone(store, grant):
    said = Demographics(**OTHER)
    assert search.mark(said, store.access.blocking_key) != search.mark(said, b"another home's key")
    says(store, grant, HOME)
    assert store.key_of(HOME, said, grant).value == "4711#" + search.mark(said, store.access.blocking_key)


@pytest.mark.parametrize("why", ["stated", "assigned", "A40"])
def test_what_a_person_or_the_source_said_is_not_moved_by_a_machine(store, grant, why):
    says(store, grant, HOME)
    store.link(LAB, "P2", grant, why=why)
    found = store.identify(LAB, Demographics(**ANNA), grant)
    assert (found.moved, found.possible) == ((), 1)
    assert "a person or the source itself said whose the key is" in store.matches(grant)[0].reasons
    assert whose(store, grant)[LAB] == "P2"


def test_withdrawn_patients_are_in_no_list_and_in_no_separation(store, grant):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())
    says(store, grant, GP, **OTHER)
    store.merge("HOSPITAL-4711", GP, grant)
    store.withdraw("LAB-L-9", grant)
    assert store.matches(store.issue_grant()) == ()
    store.withdraw("GP-g7", store.issue_grant())
    with pytest.raises(AccessDenied, match="withdrew"):
        store.separate("HOSPITAL-4711", GP, store.issue_grant())


def test_by_a_key_nobody_is_separated_whom_the_grant_leaves_out(store, grant):
    says(store, grant, HOME)
    says(store, grant, GP, **OTHER)
    store.merge("HOSPITAL-4711", GP, grant)
    limited = Grant(who="w", role=Role.CLINICIAN, purpose=Purpose.TREATMENT, epoch=store.epoch(),
                    patients=frozenset({"HOSPITAL-4711"}))  # fmt: skip
    with pytest.raises(AccessDenied):
        store.separate("HOSPITAL-4711", GP, limited)
    assert whose(store, grant)[GP] == "HOSPITAL-4711"


@pytest.mark.parametrize("patient", ["HOSPITAL-4711", "LAB-L-9"])
def test_the_other_side_is_blank_under_a_grant_for_one_patient(store, grant, patient):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())
    limited = Grant(
        who="w", role=Role.CLINICIAN, purpose=Purpose.TREATMENT, epoch=store.epoch(), patients=frozenset({patient})
    )
    mine, other = (HOME, LAB) if patient == "HOSPITAL-4711" else (LAB, HOME)
    told = store.identity(limited, patient=patient)
    assert {event.kind.value for event in told} == {"link", "possible"}
    for event in told:
        assert (event.key, event.other) == (mine, None)
        if event.kind == "possible":
            assert (event.parts, event.probability, event.reasons, event.why) == ((), None, (), "")
    assert other in {key for event in store.identity(grant, patient=patient) for key in (event.key, event.other)}


def test_sixty_four_senders_of_one_person_make_one_patient(store, grant):
    keys = [SourcePatient("WARD", f"w{number}") for number in range(64)]
    for key in keys:
        store.link(key, f"WARD-{key.value}", grant, why=NEW)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.identify(key, Demographics(**ANNA), grant), keys))
    assert len(set(whose(store, grant).values())) == 1
    assert len([event for event in kinds(store, grant, "link") if event.who == "medtwin"]) == 63


def test_two_processes_see_one_stream(store, grant, opened):
    says(store, grant, HOME)
    other = opened()
    assert says(other, grant, LAB).moved == ((LAB, "HOSPITAL-4711"),)
    assert whose(store, grant)[LAB] == "HOSPITAL-4711"


def test_an_unassigned_key_is_linked_where_the_evidence_suffices(store, grant):
    says(store, grant, HOME)
    assert store.identify(LAB, Demographics(**ANNA), grant).moved == ((LAB, "HOSPITAL-4711"),)
    assert store.separate("HOSPITAL-4711", LAB, grant) == 1
    assert store.unassigned(grant) == (LAB,)


def test_two_keys_that_wait_are_no_patient(store, grant):
    store.identify(HOME, Demographics(**ANNA), grant)
    assert store.identify(LAB, Demographics(**ANNA), grant).moved == ()
    assert store.matches(grant)[0].reasons == ("neither belongs to a patient yet",)


def test_whoever_withdrew_consent_is_not_looked_for(store, grant):
    says(store, grant, HOME)
    store.withdraw("HOSPITAL-4711", grant)
    again = store.issue_grant()
    found = says(store, again, LAB)
    assert (found.moved, found.possible) == ((), 0)
    with pytest.raises(AccessDenied, match="withdrew"):
        store.merge("LAB-L-9", "HOSPITAL-4711", again)


def test_an_erased_person_leaves_no_trace_in_stream_or_index(store, grant):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())
    store.merge("HOSPITAL-4711", "LAB-L-9", grant)
    store.separate("HOSPITAL-4711", "LAB-L-9", grant)
    store.erase("HOSPITAL-4711", grant)
    again = store.issue_grant()
    assert all(HOME not in (event.key, event.other) for event in store.identity(again))
    assert all("HOSPITAL-4711" not in (event.patient, event.before) for event in store.identity(again))
    with store.access.database.reading() as connection:
        owners = {row[0] for row in connection.rows("SELECT DISTINCT owner FROM blocking")}
        assert owners == {row[0] for row in connection.rows("SELECT id FROM owner WHERE demographics IS NOT NULL")}


def test_the_tables_hold_no_name(store, grant):
    says(store, grant, HOME)
    says(store, grant, LAB)
    with store.access.database.reading() as connection:
        rows = [*connection.rows("SELECT * FROM blocking"), *connection.rows("SELECT * FROM identity")]
    written = b"".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for row in rows for cell in row
    )
    for word in (b"Lindq", b"lindq", b"Tulip", b"512-44", b"51244", b"tester"):
        assert word not in written


def test_a_home_of_an_earlier_version_is_indexed_when_opened(store, grant, opened):
    says(store, grant, HOME)
    with store.access.database.writing() as connection:
        connection.run("DELETE FROM schema WHERE version > 3")
        connection.run("DROP TABLE blocking")
        connection.run("DROP TABLE identity")
    store.close()
    again = opened()
    grant = again.issue_grant()
    assert says(again, grant, LAB).moved == ((LAB, "HOSPITAL-4711"),)


def test_a_backup_carries_the_stream(store, grant, url, tmp_path):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())
    backup(store, tmp_path / "b.medtwin", grant)
    elsewhere = None if url is None else url + "_restored"
    restore(tmp_path / "b.medtwin", tmp_path / "new", elsewhere)
    with open_store(tmp_path / "new", elsewhere) as restored:
        again = restored.issue_grant()
        assert restored.matches(again) == store.matches(grant)
        assert restored.identity(again) == store.identity(grant)


def test_who_may_decide(store, grant):
    says(store, grant, HOME, identifiers=())
    says(store, grant, LAB, given="Petra", identifiers=())

    def a(role, patients=None):
        return Grant(who="w", role=role, purpose=Purpose.TREATMENT, epoch=store.epoch(), patients=patients)

    mine = frozenset({"HOSPITAL-4711"})
    for verb in (
        lambda g: store.merge("HOSPITAL-4711", "LAB-L-9", g),
        lambda g: store.refuse("HOSPITAL-4711", "LAB-L-9", g),
        lambda g: store.separate("HOSPITAL-4711", "LAB-L-9", g),
    ):
        for refused in (a(Role.RESEARCHER), a(Role.PATIENT), a(Role.CLINICIAN, mine)):
            with pytest.raises(AccessDenied):
                verb(refused)
    for refused in (a(Role.DEVICE), a(Role.CLINICIAN, mine)):
        with pytest.raises(AccessDenied):
            store.matches(refused)
    assert len(store.matches(a(Role.CLINICIAN))) == 1
    assert store.merge("HOSPITAL-4711", "LAB-L-9", a(Role.CLINICIAN)) == 1
    assert [row.action for row in store.audit(grant, patient="LAB-L-9")][:1] == ["merge"]


def test_a_grant_for_some_patients_looks_for_nobody(store, grant):
    says(store, grant, HOME)
    store.link(LAB, "P2", grant)
    limited = Grant(
        who="w", role=Role.CLINICIAN, purpose=Purpose.TREATMENT, epoch=store.epoch(), patients=frozenset({"P2"})
    )
    found = store.identify(LAB, Demographics(**ANNA), limited)
    assert (found.patient, found.moved, found.possible) == ("P2", (), 0)


def test_what_cannot_be_done_is_said(store, grant):
    says(store, grant, HOME)
    says(store, grant, LAB, **OTHER)
    with pytest.raises(StoreError, match="can be undone"):
        store.separate("HOSPITAL-4711", "LAB-L-9", grant)
    with pytest.raises(StoreError, match="both sides"):
        store.merge("HOSPITAL-4711", "HOSPITAL-4711", grant)
    with pytest.raises(StoreError, match="both sides"):
        store.refuse("HOSPITAL-4711", HOME, grant)
    for verb in (store.merge, store.refuse):
        with pytest.raises(UnknownPatient):
            verb("HOSPITAL-4711", "nobody", grant)
    with pytest.raises(UnknownPatient):
        store.merge("nobody", "LAB-L-9", grant)


def test_decisions_have_times_and_numbers(store, grant):
    says(store, grant, HOME)
    says(store, grant, LAB)
    told = store.identity(grant)
    assert [event.number for event in told] == sorted((event.number for event in told), reverse=True)
    assert all(abs((datetime.now(UTC) - event.time).total_seconds()) < 120 for event in told)
    assert {event.key for event in store.identity(grant, patient="HOSPITAL-4711")} == {HOME, LAB}


def test_whose_record_changed_is_told(store, grant):
    store.link(HOME, "P1", grant)  # no facts yet: nothing changed
    since, whose = store.moved()
    assert whose == frozenset()
    store.append([fact(1, owner=HOME), fact(2, owner=LAB)], grant)
    store.link(GP, "P3", grant)
    store.append([fact(3, owner=GP)], grant)
    assert store.moved(since)[1] == frozenset()
    store.link(LAB, "P2", grant)  # its fact was there before
    newest, whose = store.moved(since)
    assert whose == {"P2"}
    store.merge("P1", "P2", grant)
    merged, whose = store.moved(newest)
    assert whose == {"P1", "P2"}
    assert store.moved(merged) == (merged, frozenset())
    store.separate("P1", "P2", grant)
    assert store.moved(merged)[1] == {"P1", "P2"}


def test_links_upon_links_are_undone_one_after_the_other(store, grant):
    for key, patient in ((HOME, "P1"), (LAB, "P2"), (GP, "P3")):
        store.link(key, patient, grant)
    store.merge("P2", "P3", grant)
    store.merge("P1", "P2", grant)
    assert whose(store, grant) == {HOME: "P1", LAB: "P1", GP: "P1"}
    assert store.separate("P1", "P2", grant) == 2
    assert whose(store, grant) == {HOME: "P1", LAB: "P2", GP: "P2"}
    assert store.separate("P2", "P3", grant) == 1
    assert whose(store, grant) == {HOME: "P1", LAB: "P2", GP: "P3"}
    store.merge("P1", "P3", grant)
    assert store.separate("P1", GP, grant) == 1
    assert whose(store, grant)[GP] == "P3"


@pytest.mark.parametrize(
    ("moves", "came"),
    [
        ([], []),
        ([("A", None)], [None]),
        ([("A", None), ("B", "A")], [None, "A"]),
        ([("A", None), ("B", "A"), ("A", "B")], [None]),
        ([("A", None), ("B", "A"), ("C", "B"), ("B", "C"), ("A", "B")], [None]),
        ([("A", None), (None, "A"), ("B", None)], ["A"]),
        ([("A", None), (None, "A")], []),
        ([("A", None), (None, "A"), ("B", None), ("A", "B")], []),
    ],
)
def test_where_a_key_came_from_is_read_off_its_moves(moves, came):
    assert stream.path(moves) == came
