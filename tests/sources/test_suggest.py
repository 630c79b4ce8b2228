"""Drafts of mapping files: against mappings written by hand, titles of vendors, and what is ambiguous."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.units import conversion
from medtwin.record.home import open_store
from medtwin.sources.ingest import ingest
from medtwin.sources.mapping import fits, load, parse
from medtwin.sources.suggest import suggest, yaml_of
from medtwin.sources.suggest_columns import named

MAPPINGS = Path(__file__).resolve().parents[2] / "docs" / "mappings"


def table(folder, content, name="table.csv"):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def one(folder, content, name="table.csv"):
    (draft,) = suggest([table(folder, content, name)])
    parse(yaml.safe_load(yaml_of([draft], "here")))  # a draft is a mapping
    return draft


def found(draft):
    return {value.column: (value.quantity, value.unit) for value in draft.values}


@pytest.mark.parametrize(
    ("title", "words", "unit"),
    [
        ("Sensor Glucose (mg/dL)", ("sensor", "glucose"), "mg/dL"),
        ("glucose_value_mg_dl", ("glucose", "value"), "mg/dL"),
        ("bodyWeightKg", ("body", "weight"), "kg"),
        ("hba1c_%", ("hba1c",), "%"),
        ("HbA1c [mmol/mol]", ("hba1c",), "mmol/mol"),
        ("heart_rate2", ("heart", "rate"), None),
        ("Historic Glucose mmol/L", ("historic", "glucose"), "mmol/L"),
        ("carbs_g", ("carbs",), "g"),
        ("SpO2 (%)", ("spo2",), "%"),
        ("g", ("g",), None),
    ],
)
def test_a_title_is_words_and_a_unit(title, words, unit):
    assert named(title) == (words, unit)


@pytest.mark.parametrize(
    ("titles", "subject", "persons"),
    [
        (("visit_no", "mrn"), "mrn", "2 persons"), (("order number", "Patient ID"), "Patient ID", "2 persons"),
        (("id", "patient_age_group", "participant"), "participant", "2 persons"),
        (("sample_code", "PatientKey"), "PatientKey", "2 persons"), (("visit_no", "id"), "id", "2 persons"),
        (("visit_no", "barcode"), None, ""), (("one", "subject_id"), "subject_id", "2 persons"),
    ],
)  # fmt: skip
def test_the_person_is_a_column_of_persons_and_is_to_be_checked(tmp_path, titles, subject, persons):
    """The first columns count visits, samples or orders; the last one says who it is."""
    days = range(1, 9)
    lines = [f"2024-01-0{d} 08:00,{','.join(str(d % 3) for _ in titles[:-1])},{'AB'[d % 2]},{95 + d}" for d in days]
    draft = one(tmp_path, "\n".join([f"time,{','.join(titles)},glucose", *lines]) + "\n")
    assert draft.subject == subject
    checked = [line for line in yaml_of([draft], "here").splitlines() if "CHECK: the person is read from" in line]
    assert [f"the column {subject}: {persons} in 8 rows" in line for line in checked] == ([True] if subject else [])
    assert subject or any("nothing names the person" in said for said in draft.unsure)


@pytest.mark.parametrize(
    ("title", "values", "quantity", "unit"),
    [
        ("Sensor Glucose (mg/dL)", "110 95 210", "glucose", "mg/dL"),
        ("BG Reading (mmol/L)", "5.4 9.1 7.0", "glucose", "mmol/L"),
        ("sgv", "110 95 210", "glucose", "mg/dL"),
        ("Glucose", "5.4 9.1 7.0", "glucose", "mmol/L"),
        ("Bolus Volume Delivered (U)", "1.2 4 0.5", "insulin_bolus", "U"),
        ("Basal Rate (U/h)", "0.8 0.9 1.1", "insulin_basal_rate", "U/h"),
        ("BWZ Carb Input (grams)", "45 20 60", "carbohydrate_intake", "g"),
        ("SBP", "120 131 142", "systolic_pressure", "mm[Hg]"),
        ("Systolic Blood Pressure (mmHg)", "120 131 142", "systolic_pressure", "mm[Hg]"),
        ("dia", "80 75 91", "diastolic_pressure", "mm[Hg]"),
        ("Weight (lb)", "180 181 182", "body_weight", "[lb_av]"),
        ("weight_kg", "80 81 79", "body_weight", "kg"),
        ("HbA1c", "6.5 7.1 8.0", "hba1c", "%"),
        ("a1c", "48 53 64", "hba1c", "mmol/mol"),
        ("LVEF (%)", "35 40 55", "left_ventricular_ejection_fraction", "%"),
        ("pcwp", "12 18 25", "pulmonary_wedge_pressure", "mm[Hg]"),
        ("serum creatinine (µmol/L)", "80 95 120", "creatinine", "umol/L"),
        ("creatinine", "0.9 1.1 1.4", "creatinine", "mg/dL"),
        ("HDL-C (mmol/L)", "1.2 1.4 0.9", "hdl_cholesterol", "mmol/L"),
        ("eGFR", "60 72 88", "glomerular_filtration_rate", "mL/min/{1.73_m2}"),
        ("NT-proBNP (pg/mL)", "450 1200 88", "nt_probnp", "pg/mL"),
        ("steps", "120 0 4000", "step_count", "{steps}"),
        ("body temp", "36.6 37.1 38.2", "body_temperature", "Cel"),
        ("Temperature (°F)", "98.6 99.1 101.2", "body_temperature", "[degF]"),
        ("hgb", "13.5 12.1 14.0", "haemoglobin", "g/dL"),
        ("Hb", "135 121 140", "haemoglobin", "g/L"),
        ("Potassium (mmol/L)", "4.1 3.9 5.2", "potassium", "mmol/L"),
    ],
)
def test_titles_of_vendors_and_studies(tmp_path, title, values, quantity, unit):
    rows = "".join(f"2026-01-0{day} 08:00:00,{value}\n" for day, value in enumerate(values.split(), 1))
    draft = one(tmp_path, f"time,{title}\n{rows}")
    assert found(draft)[title][0] == quantity
    assert (
        conversion(found(draft)[title][1], registry.get(quantity)).factor
        == conversion(unit, registry.get(quantity)).factor
    )


@pytest.mark.parametrize(
    "title",
    [
        "glucose target",
        "average glucose (mg/dL)",
        "Glucose Rate of Change",
        "device id",
        "weight",
        "insulin type",
        "x1",
    ],
)
def test_what_speaks_about_a_quantity_or_cannot_be_it_is_left_out(tmp_path, title):
    """A weight of 5000 is no weight; the rest are targets, averages, trends and names."""
    draft = one(tmp_path, f"time,{title}\n" + "".join(f"2026-01-0{day} 08:00:00,5000\n" for day in range(1, 6)))
    assert draft.values == ()
    assert [column for column, _ in draft.left] == [title]


def test_times_in_their_forms(tmp_path):
    def time(*cells, titles="when"):
        draft = one(tmp_path, f"{titles},steps\n" + "".join(f"{cell},5\n" for cell in cells))
        return draft.time, draft.formats, " ".join(draft.unsure)

    assert time("2026-01-05T08:00:00+01:00", "2026-01-06T08:00:00+01:00")[1] == ("iso",)
    assert time("13/02/2026 08:00", "05/03/2026 09:30")[1] == ("%d/%m/%Y %H:%M",)
    assert time("02/13/2026 8:05 AM", "03/05/2026 9:30 PM")[1] == ("%m/%d/%Y %I:%M %p",)
    _, forms, said = time("05/02/2026 08:00", "06/03/2026 09:30")
    assert forms == ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")
    assert "day or month first?" in said
    columns, forms, _ = time("13.02.2026,08:00:00", "14.02.2026,09:30:00", titles="date,clock")
    assert (columns, forms) == (("date", "clock"), ("%d.%m.%Y %H:%M:%S",))
    assert time("1767600000", "1767600300", titles="epoch")[1] == ("epoch_s",)
    assert "without a time of day" in time("2026-01-05", "2026-01-06")[2]


def test_other_delimiters_decimal_commas_and_code_pages(tmp_path):
    path = tmp_path / "klinik.csv"
    path.write_bytes(
        "Zeit;Größe;weight (kg)\n05.02.2026 08:00;1,80;80,5\n25.02.2026 08:00;1,80;79,9\n".encode("cp1252")
    )
    (draft,) = suggest([path])
    assert (draft.delimiter, draft.decimal, draft.encoding) == (";", ",", "cp1252")
    assert found(draft) == {"weight (kg)": ("body_weight", "kg")}


def test_zeros_that_stand_for_nothing_and_sexes(tmp_path):
    draft = one(
        tmp_path,
        "patient_id,time,heart rate,sex\n1,2026-01-05 08:00,70,F\n2,2026-01-05 09:00,0,m\n1,2026-01-05 10:00,66,F\n",
    )
    assert (draft.subject, draft.values[0].zero) == ("patient_id", True)
    assert draft.codes == {"sex": {"F": "female", "m": "male"}}


def test_what_a_title_says_cannot_leave_its_place(tmp_path):
    nasty = "glucose\nvalues: []\n#: {'"
    draft = one(
        tmp_path, f'time,"{nasty}",weight\n' + "".join(f"2026-01-0{day} 08:00:00,110,80\n" for day in range(1, 5))
    )
    (made,) = parse(yaml.safe_load(yaml_of([draft], "a: b #'\n")))
    assert made.source == "a: b #'\n"
    assert {value.column for value in made.values} <= {nasty, "weight"}


@pytest.mark.parametrize("content", ["", "a\n1\n", "just one line, no rows\n"])
def test_what_is_no_table_is_refused(tmp_path, content):
    with pytest.raises(FormatError, match="rows of"):
        suggest([table(tmp_path, content)])


@pytest.mark.shared
def test_drafts_agree_with_what_people_wrote_by_hand(shared_data):
    """Of the columns that the hand-written mappings turn into numbers, each is drafted as the same quantity in the same unit, and
    of those that they leave out none becomes one that they did not mean."""
    right, missed, wrong = [], [], []
    for mapping in ("t1d_uom", "bigideas", "hall2018", "shanghai_t2dm"):
        tables = load(MAPPINGS / f"{mapping}.yaml")
        drafts = suggest(sorted((shared_data / "metabolism" / mapping).glob("*.csv")))
        for draft in drafts:
            ours = next(
                (t for t in tables if fits(t, list(draft.header), [], f"{draft.name}.csv") and not t.match.row), None
            )
            if ours is None:
                continue
            meant: dict[str, set[tuple[str, float | None]]] = {}
            for value in ours.values:
                if registry.get(value.quantity).kind != "code":
                    scale = conversion(value.unit, registry.get(value.quantity)).factor if value.unit else None
                    meant.setdefault(value.column, set()).add((value.quantity, scale))
            for column, (quantity, unit) in found(draft).items():
                if quantity == "note":
                    continue
                scale = conversion(unit, registry.get(quantity)).factor
                (right if (quantity, scale) in meant.get(column, set()) else wrong).append(
                    f"{mapping}/{draft.name}: {column}"
                )
            missed += [f"{mapping}/{draft.name}: {column}" for column in meant if column not in found(draft)]
    assert len(right) >= 15, (right, missed, wrong)
    assert {one.partition(": ")[2] for one in missed} <= {"duration_s"}  # the time of an activity, by another column
    assert {one.partition(": ")[2] for one in wrong} <= {"step_count"}  # a running total of the day: no table says so


@pytest.mark.shared
def test_facts_by_a_draft_are_those_of_the_hand_written_mapping(shared_data, tmp_path):
    source = shared_data / "metabolism" / "shanghai_t2dm" / "2014.csv"
    drafted = tmp_path / "draft.yaml"
    drafted.write_text(yaml_of(suggest([source]), "shanghai_t2dm"), encoding="utf-8")
    facts = []
    for mapping in (drafted, MAPPINGS / "shanghai_t2dm.yaml"):
        with open_store(tmp_path / mapping.stem) as store:
            grant = store.issue_grant()
            (patient,) = ingest([source], store, grant, mapping=mapping, patient="p").patients
            facts.append([(e.quantity, e.value, e.time.text) for e in store.record(patient, grant).events])
    assert facts[0] == facts[1]
    assert len(facts[0]) > 500


@given(st.text(max_size=300), st.sampled_from([",", ";", "\t"]))
def test_any_text_is_drafted_or_refused(text, delimiter):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_text(
            f"time{delimiter}glucose{delimiter}{text}\n2026-01-05 08:00{delimiter}110{delimiter}{text}\n",
            "utf-8",
            "replace",
        )
        try:
            drafts = suggest([path])
        except FormatError:
            return
        parse(yaml.safe_load(yaml_of(drafts, text or "x")))
