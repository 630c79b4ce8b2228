"""C-CDA: each kind of statement, negation, absence, narrative, units and times; no document is refused whole."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medtwin.errors import FormatError
from medtwin.governance.grant import Grant
from medtwin.record.event import Code, Comparator, Flag, Intent, SourcePatient, Status
from medtwin.record.sql import SqlStore
from medtwin.sources.ccda import Reader
from medtwin.sources.ingest import ingest_bytes
from sources.reading import events, named, parts, reasons, unmapped

READER = Reader()
LOINC, SNOMED, RXNORM = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96", "2.16.840.1.113883.6.88"
T = "2.16.840.1.113883.10.20.22.4."
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="1.2.3"/><effectiveTime value="20240501100000+0200"/>
<recordTarget><patientRole><id root="2.16.840.1.113883.4.1" extension="123-45-6789"/><id root="1.2.840.9" extension="4711"/>
<patient><name use="L"><given>Erika</given><given>M</given><family>Muster</family></name>
<administrativeGenderCode code="F"/><birthTime value="19640812"/></patient></patientRole></recordTarget>
<custodian><assignedCustodian><representedCustodianOrganization><name>Town Clinic</name></representedCustodianOrganization>
</assignedCustodian></custodian><component><structuredBody>"""
TAIL = "</structuredBody></component></ClinicalDocument>"


def section(*entries: str, code: str = "8716-3", text: str = "") -> str:
    held = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return (
        f'<component><section><code code="{code}" codeSystem="{LOINC}"/><text>{text}</text>{held}</section></component>'
    )


def document(*sections: str) -> bytes:
    return (HEAD + "".join(sections) + TAIL).encode()


def observation(
    value: str = '<value xsi:type="PQ" value="7.40" unit="mmol/L"/>', *, code: str = "2339-0", system: str = LOINC,
    time: str = '<effectiveTime value="20240430080000+0200"/>', template: str = "2", more: str = "", attributes: str = "",
    status: str = "completed",
) -> str:  # fmt: skip
    return (
        f'<observation classCode="OBS" moodCode="EVN"{attributes}><templateId root="{T}{template}"/>'
        f'<code code="{code}" codeSystem="{system}" displayName="Shown"/>'
        f'<statusCode code="{status}"/>{time}{value}{more}</observation>'
    )


def one(content: bytes, quantity: str):  # type: ignore[no-untyped-def]
    (found,) = [event for event in events(content, READER) if event.quantity == quantity]
    return found


def test_a_result_is_a_fact_with_its_text_its_times_and_its_origin() -> None:
    glucose = one(document(section(observation(), code="30954-2")), "blood_glucose")
    assert (glucose.text, glucose.unit_text) == ("7.40", "mmol/L")
    assert glucose.value == pytest.approx(7.40 * 18.0156)
    assert glucose.time.text == "2024-04-30T08:00:00+02:00"
    assert glucose.available == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert glucose.subject == SourcePatient("urn:oid:1.2.840.9", "4711")
    assert glucose.source.system == "Town Clinic"
    assert glucose.source.locator == "section 30954-2 entry[1]"


def test_who_it_is_about() -> None:
    (part,) = parts(document(), READER)
    said = part.people[0][1]
    assert (said.name, said.birth_date, said.sex) == ("Erika M Muster", "1964-08-12", "female")
    assert part.owner.value == "4711"  # not the social security number
    assert len(said.identifiers) == 2
    assert one(document(), "sex").value.code == "female"


def test_where_the_person_lives_is_kept() -> None:
    where = """<addr><streetAddressLine>6 Tulip Street</streetAddressLine><streetAddressLine>Flat 2</streetAddressLine>
<city>Hobart</city><state>TAS</state><postalCode>7000</postalCode></addr><telecom value="tel:+61 3 6555 0101"/><patient>"""
    (part,) = parts(document().replace(b"<patient>", where.encode()), READER)
    said = part.people[0][1]
    assert (said.given, said.family, said.street, said.street_more) == ("Erika M", "Muster", "6 Tulip Street", "Flat 2")
    assert (said.city, said.state, said.postal_code, said.phone) == ("Hobart", "TAS", "7000", "+61 3 6555 0101")


def test_an_organizer_gives_its_time_to_what_has_none() -> None:
    content = (
        f'<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="{T}26"/><effectiveTime value="20240429"/>'
        f"<component>{observation(time='', template='27')}</component></organizer>"
    )
    found = one(document(section(content)), "blood_glucose")
    assert found.time.text == "2024-04-29"
    assert Flag.OFFSET_UNKNOWN in found.flags
    assert found.source.locator.endswith("entry[1].observation[1]")


@pytest.mark.parametrize(
    ("value", "text", "comparator"),
    [('<value xsi:type="PQ" value="95" unit="MG/DL"/>', "95", None),
     ('<value xsi:type="IVL_PQ"><high value="20" unit="mg/dL" inclusive="false"/></value>', "20", Comparator.BELOW),
     ('<value xsi:type="IVL_PQ"><low value="400" unit="mg/dL"/><high nullFlavor="PINF"/></value>', "400", Comparator.AT_LEAST),
     ('<value xsi:type="ST">&lt;20 mg/dL</value>', "<20 mg/dL", Comparator.BELOW)],
)  # fmt: skip
def test_numbers_in_their_types(value: str, text: str, comparator: Comparator | None) -> None:
    found = one(document(section(observation(value))), "blood_glucose")
    assert (found.text, found.comparator) == (text, comparator)


@pytest.mark.parametrize(
    ("value", "said"),
    [('<value xsi:type="PQ" value="95" unit="md/dL"/>', "the unit 'md/dL'"),
     ('<value xsi:type="PQ" value="95"/>', "without a unit"),
     ('<value xsi:type="PQ" value="high" unit="mg/dL"/>', "the value 'high'"),
     ('<value xsi:type="ST">about five</value>', "the text")],
)  # fmt: skip
def test_what_cannot_be_read_goes_to_quarantine_with_its_reason(value: str, said: str) -> None:
    (reason,) = reasons(document(section(observation(value))), READER)
    assert said in reason.found


@pytest.mark.parametrize("value", ['<value xsi:type="PQ" nullFlavor="UNK"/>', "", '<value xsi:type="RTO"/>'])
def test_what_is_not_there_is_counted(value: str) -> None:
    content = document(section(observation(value)))
    assert [event.quantity for event in events(content, READER)] == ["sex"]
    assert any(kind.startswith("observation") for kind in unmapped(content, READER))


def test_a_code_of_no_quantity_is_a_finding_when_it_says_a_word_and_counted_when_a_number() -> None:
    coded = f'<value xsi:type="CD" code="8517006" codeSystem="{SNOMED}" displayName="Former smoker"/>'
    found = one(document(section(observation(coded, code="72166-2"))), "finding")
    assert found.value == Code("http://snomed.info/sct", "8517006", "Former smoker")
    assert found.text == "Shown: Former smoker"
    assert "observation PQ loinc.org|99999-9" in unmapped(document(section(observation(code="99999-9"))), READER)


ASTHMA = f'<value xsi:type="CD" code="195967001" codeSystem="{SNOMED}" displayName="Asthma"/>'


def problem(
    value: str = ASTHMA, *, time: str = '<effectiveTime><low value="20070103"/></effectiveTime>', attributes: str = "",
    more: str = "",
) -> str:  # fmt: skip
    inner = (
        f'<observation classCode="OBS" moodCode="EVN"{attributes}><templateId root="{T}4"/>'
        f'<code code="55607006" codeSystem="{SNOMED}"/>{time}{value}{more}</observation>'
    )
    return (
        f'<act classCode="ACT" moodCode="EVN"><templateId root="{T}3"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>'
        f'<statusCode code="active"/><entryRelationship typeCode="SUBJ">{inner}</entryRelationship></act>'
    )


def test_a_problem_from_its_onset_until_it_was_resolved() -> None:
    asthma = one(document(section(problem(), code="11450-4")), "diagnosis")
    assert (asthma.value.code, asthma.time.text, asthma.until) == ("195967001", "2007-01-03", None)
    over = problem(time='<effectiveTime><low value="2007"/><high value="20120806"/></effectiveTime>')
    assert one(document(section(over)), "diagnosis").until.text == "2012-08-06"
    undated = one(document(section(problem(time='<effectiveTime nullFlavor="UNK"/>'))), "diagnosis")
    assert undated.time.text == "2024-05-01T10:00:00+02:00"  # it stood when the document was made
    status = (
        '<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><code code="33999-4"/>'
        '<value xsi:type="CD" code="413322009"/></observation></entryRelationship>'
    )
    assert one(document(section(problem(more=status))), "diagnosis").until is not None


def test_no_known_problem_is_no_problem() -> None:
    found = one(document(section(problem(attributes=' negationInd="true"'))), "diagnosis")
    assert found.value.negated
    said = f'<value xsi:type="CD" code="160245001" codeSystem="{SNOMED}" displayName="No current problems"/>'
    assert one(document(section(problem(said))), "diagnosis").value.negated


def test_a_code_without_a_code_has_its_translation_or_its_words() -> None:
    translated = (
        '<value xsi:type="CD" nullFlavor="OTH"><translation code="E10.9" '
        'codeSystem="2.16.840.1.113883.6.90" displayName="T1D"/></value>'
    )
    assert one(document(section(problem(translated))), "diagnosis").value.code == "E10.9"
    words = '<value xsi:type="CD" nullFlavor="UNK"><originalText><reference value="#p1"/></originalText></value>'
    content = document(section(problem(words), text='<table><td ID="p1">Sugar <b>sickness</b></td></table>'))
    assert one(content, "diagnosis").value == Code("", "", "Sugar sickness")
    (reason,) = reasons(document(section(problem('<value xsi:type="CD" nullFlavor="UNK"/>'))), READER)
    assert "without a code" in reason.found


def allergy(
    agent: str = f'<code code="7980" codeSystem="{RXNORM}" displayName="Penicillin"/>', attributes: str = ""
) -> str:
    return (
        '<act classCode="ACT" moodCode="EVN"><entryRelationship typeCode="SUBJ">'
        f'<observation classCode="OBS" moodCode="EVN"{attributes}>'
        f'<templateId root="{T}7"/><code code="ASSERTION"/><effectiveTime><low value="2008"/></effectiveTime>'
        f'<value xsi:type="CD" code="419199007" codeSystem="{SNOMED}" displayName="Allergy to substance"/>'
        '<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">'
        f"{agent}</playingEntity></participantRole></participant></observation></entryRelationship></act>"
    )


def test_an_allergy_by_its_agent_and_its_denial() -> None:
    found = one(document(section(allergy(), code="48765-2")), "allergy")
    assert found.value == Code("http://www.nlm.nih.gov/research/umls/rxnorm", "7980", "Penicillin")
    denied = one(document(section(allergy('<code nullFlavor="NA"/>', ' negationInd="true"'))), "allergy")
    assert (denied.value.code, denied.value.negated) == ("419199007", True)
    named_only = one(document(section(allergy('<code nullFlavor="OTH"/><name>House dust</name>'))), "allergy")
    assert named_only.value == Code("", "", "House dust")


def medication(
    mood: str = "EVN", attributes: str = "", template: str = "16", code: str = f'code="860975" codeSystem="{RXNORM}"'
) -> str:
    return (
        f'<substanceAdministration classCode="SBADM" moodCode="{mood}"{attributes}><templateId root="{T}{template}"/>'
        '<statusCode code="active"/><effectiveTime xsi:type="PIVL_TS"><period value="6" unit="h"/></effectiveTime>'
        '<effectiveTime xsi:type="IVL_TS"><low value="20120806"/><high value="20120813"/></effectiveTime>'
        f'<doseQuantity value="1"/><consumable><manufacturedProduct><manufacturedMaterial><code {code} displayName="metformin"/>'
        "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"
    )


@pytest.mark.parametrize(("mood", "intent"), [("EVN", Intent.STATED), ("INT", Intent.ORDERED), ("PRP", Intent.PLANNED)])
def test_a_medication_of_a_list_is_stated_and_others_ordered_or_planned(mood: str, intent: Intent) -> None:
    found = one(document(section(medication(mood), code="10160-0")), "medication")
    assert (found.intent, found.time.text, found.until.text) == (intent, "2012-08-06", "2012-08-13")
    assert "insulin_bolus" not in {event.quantity for event in events(document(section(medication(mood))), READER)}


def test_vaccinations_procedures_and_visits() -> None:
    given = medication(template="52", code='code="88" codeSystem="2.16.840.1.113883.12.292"')
    assert one(document(section(given)), "immunization").value.system == "http://hl7.org/fhir/sid/cvx"
    assert one(document(section(given.replace('"EVN"', '"EVN" negationInd="true"'))), "immunization").value.negated
    done = (
        f'<procedure classCode="PROC" moodCode="EVN"><code code="76164006" codeSystem="{SNOMED}"/>'
        '<effectiveTime value="2012"/></procedure>'
    )
    assert one(document(section(done)), "procedure").value.code == "76164006"
    stopped = done.replace("<effectiveTime", '<statusCode code="cancelled"/><effectiveTime')
    assert one(document(section(stopped)), "procedure").value.negated
    visit = (
        '<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>'
        '<effectiveTime value="2012"/>'
        f"<entryRelationship>{problem()}</entryRelationship></encounter>"
    )
    found = {event.quantity for event in events(document(section(visit)), READER)}
    assert {"encounter", "diagnosis"} <= found


def test_a_system_that_wrote_no_template_is_read_by_its_sections() -> None:
    bare = problem().replace(f'<templateId root="{T}4"/>', "")
    assert one(document(section(bare, code="11450-4")), "diagnosis").value.code == "195967001"


def test_goals_plans_and_sections_without_entries_are_counted() -> None:
    goal = observation().replace('moodCode="EVN"', 'moodCode="GOL"')
    content = document(section(goal), section(code="8648-8", text="free words"), section("<supply/>"))
    assert {"observation of mood GOL", "section 8648-8 without entries", "supply without a code"} <= set(
        unmapped(content, READER)
    )


@pytest.mark.parametrize(("status", "said"), [("completed", Status.FINAL), ("active", Status.PRELIMINARY)])
def test_the_status_of_a_result(status: str, said: Status) -> None:
    assert one(document(section(observation(status=status))), "blood_glucose").status is said


def test_a_wrong_time_harms_no_other_entry() -> None:
    wrong = observation(time='<effectiveTime value="200130311"/>')
    content = document(section(wrong, observation()))
    assert one(content, "blood_glucose").text == "7.40"
    (reason,) = reasons(content, READER)
    assert "200130311" in reason.found


# what documents look like


def test_a_fragment_without_its_namespaces_is_read_and_names_nobody() -> None:
    fragment = section(observation()).replace("<component>", "").replace("</component>", "").encode()
    assert named(fragment, "x.xml") == "ccda"
    (part,) = parts(fragment, READER)
    assert not part.named
    assert one(fragment, "blood_glucose").text == "7.40"
    alone = observation().encode()
    assert one(b"<?xml version='1.0'?>" + alone, "blood_glucose").source.locator == "observation[1]"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_change_no_fact(codec: str) -> None:
    plain = document(section(observation()))
    text = plain.decode() if codec != "utf-16" else plain.decode().replace("UTF-8", "UTF-16")
    changed = text.encode(codec)
    assert named(changed) == "ccda"
    assert {event.id for event in events(changed, READER)} == {event.id for event in events(plain, READER)}


@pytest.mark.parametrize(
    "head", ['<!DOCTYPE x [<!ENTITY a "b">]>', '<!DOCTYPE ClinicalDocument SYSTEM "http://example.org/x">']
)
def test_a_document_type_is_refused(head: str) -> None:
    content = document(section(observation())).decode()
    for codec in ("utf-8", "utf-16"):
        changed = (
            content.replace("<ClinicalDocument", head + "<ClinicalDocument")
            .replace("UTF-8", codec.upper())
            .encode(codec)
        )
        with pytest.raises(FormatError, match="document type"):
            parts(changed, READER)


def test_deep_nesting_ends_in_a_count() -> None:
    inner = observation()
    for _ in range(400):
        inner = (
            f'<act classCode="ACT" moodCode="EVN"><entryRelationship typeCode="SUBJ">{inner}</entryRelationship></act>'
        )
    assert "statements nested too deeply" in unmapped(document(section(inner)), READER)


def test_xml_that_is_cut_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="XML"):
        parts(document(section(observation()))[:-40], READER)


def test_a_later_document_corrects_an_earlier_one_and_the_same_one_adds_nothing(store: SqlStore, grant: Grant) -> None:
    first = document(section(observation()))
    later = first.replace(b'value="7.40"', b'value="6.10"').replace(b"20240501100000", b"20240601100000")
    for content in (first, first, later, first):
        report = ingest_bytes(content, "ccd.xml", store, grant)
        assert not report.not_stored
    (patient,) = store.patients(grant)
    assert patient.name == "Erika M Muster"
    assert [event.text for event in store.record(patient.id, grant).of("blood_glucose")] == ["6.10"]


def declared(encoding: str) -> bytes:
    return document(section(observation())).replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())


@pytest.mark.parametrize("encoding", ["TF-8", "latin-1", "shift_jis", "windows-1252"])
def test_an_encoding_that_the_parser_does_not_know(encoding: str) -> None:
    found = one(declared(encoding), "blood_glucose")
    assert (found.text, found.available) == ("7.40", datetime(2024, 5, 1, 8, tzinfo=UTC))


def test_an_encoding_hides_no_document_type() -> None:
    hidden = "<!DOCTYPE x [<!ENTITY a 'b'>]>".encode("utf-16-le").decode("latin-1")  # anything but ASCII
    content = declared("utf-7").replace(b"+0200", b"").replace(b"<Clin", b"+ADwAIQ-DOCTYPE x [ ]><Clin", 1)
    with pytest.raises(FormatError):
        parts(content, READER)
    with pytest.raises(FormatError):
        parts(declared("UTF-8").replace(b"<ClinicalDocument", hidden.encode() + b"<ClinicalDocument", 1), READER)


def test_a_stated_source_keeps_two_authorities_apart() -> None:
    first = parts(document(), READER, source="engine")[0].owner
    second = parts(document().replace(b"1.2.840.9", b"1.2.840.10"), READER, source="engine")[0].owner
    assert first == SourcePatient("urn:oid:1.2.840.9", "4711")
    assert second == SourcePatient("urn:oid:1.2.840.10", "4711")
    without = document().replace(b'root="1.2.840.9" ', b"")
    assert parts(without, READER, source="engine")[0].owner == SourcePatient("engine", "4711")
    assert parts(without, READER)[0].owner == SourcePatient("Town Clinic", "4711")


def test_what_ended_is_never_told_to_go_on() -> None:
    low, high = '<low nullFlavor="UNK"/>', '<high value="2015"/>'
    past = document(section(problem(time=f"<effectiveTime>{low}{high}</effectiveTime>")))
    assert [moment and moment.text for moment in (one(past, "diagnosis").time, one(past, "diagnosis").until)] == [
        "2015", "2015",
    ]  # fmt: skip
    day = '<low value="20150301"/><high value="20150301"/>'
    same = one(document(section(problem(time=f"<effectiveTime>{day}</effectiveTime>"))), "diagnosis")
    assert same.until.text == "2015-03-01"
    wrong = '<low value="20150301"/><high value="2014"/>'
    (reason,) = reasons(document(section(problem(time=f"<effectiveTime>{wrong}</effectiveTime>"))), READER)
    assert "ends (2014) before it begins" in reason.found
    stopped = medication().replace('"active"', '"aborted"').replace('<high value="20120813"/>', "")
    assert one(document(section(stopped, code="10160-0")), "medication").until.text == "2012-08-06"
    inactive = (
        '<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><code code="33999-4"/>'
        f'<value xsi:type="CD" code="73425007" codeSystem="{SNOMED}"/></observation></entryRelationship></observation>'
    )
    past = document(section(allergy().replace("</observation>", inactive, 1), code="48765-2"))
    assert one(past, "allergy").until.text == "2008"
    undated = past.replace(b'<effectiveTime><low value="2008"/></effectiveTime>', b"")
    assert one(undated, "allergy").until == one(undated, "allergy").time


def test_a_result_without_its_time_says_that_the_time_is_the_document_s() -> None:
    assert one(document(section(observation(time=""))), "blood_glucose").flags == (Flag.TIME_ASSUMED,)
    assert one(document(section(observation())), "blood_glucose").flags == ()
