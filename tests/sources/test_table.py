"""Tables with a mapping: every word of the language, and what a wrong mapping or a wrong row says."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.record.event import Code, Comparator, Flag
from medtwin.record.moment import Precision
from medtwin.sources import mapping as mapping_words
from medtwin.sources.mapping import Table, load, parse
from medtwin.sources.table import Reader
from sources.reading import events, named, parts, reasons, unmapped

TABLE = Reader()


def mapping(**fields: Any) -> tuple[Table, ...]:
    table = {
        "name": "glucose", "match": {"columns": ["when", "value"]}, "time": {"column": "when", "format": "%d/%m/%Y %H:%M"},
        "values": [{"column": "value", "quantity": "glucose", "unit": "mmol/L"}], **fields,
    }  # fmt: skip
    return parse({"dialect": "medtwin-mapping/1", "source": "study", "tables": [table]})


def test_day_first_millimoles_and_the_key() -> None:
    (event,) = events(b"when,value\n06/11/2023 00:01,7.40\n", TABLE, tables=mapping())
    assert event.time.text == "2023-11-06T00:01"
    assert (event.text, event.unit_text, event.key) == ("7.40", "mmol/L", "glucose@2023-11-06T00:01")
    assert event.value == pytest.approx(133.315, abs=1e-3)
    assert set(event.flags) == {Flag.UNIT_ASSUMED, Flag.OFFSET_UNKNOWN}
    assert event.source.system == "study"


@pytest.mark.parametrize(
    ("title", "unit", "assumed"),
    [("glucose_mmol_l", "mmol/L", False), ("Glucose (mmol/L)", "mmol/L", False), ("value", "mmol/L", True)],
)
def test_a_title_that_names_the_unit_states_it(title: str, unit: str, assumed: bool) -> None:
    tables = mapping(
        match={"columns": ["when", title]}, values=[{"column": title, "quantity": "glucose", "unit": unit}]
    )
    (event,) = events(f"when,{title}\n06/11/2023 00:01,5\n".encode(), TABLE, tables=tables)
    assert (Flag.UNIT_ASSUMED in event.flags) is assumed


def test_the_callers_zone_overrides_the_mappings() -> None:
    time = {"column": "when", "format": "%d/%m/%Y %H:%M", "zone": "Europe/London"}
    raw = b"when,value\n06/06/2023 12:00,5\n"
    (own,) = events(raw, TABLE, tables=mapping(time=time))
    (stated,) = events(raw, TABLE, tables=mapping(time=time), zone="Asia/Tokyo")
    assert (own.instant.hour, stated.instant.hour) == (11, 3)
    assert Flag.OFFSET_UNKNOWN not in own.flags


def test_a_unit_that_depends_on_another_column() -> None:
    tables = mapping(
        match={"columns": ["when", "dose", "kind"]},
        values=[
            {
                "column": "dose",
                "quantity": "insulin_basal_rate",
                "unit": "U/h",
                "when": {"column": "kind", "equals": ["R"]},
            },
            {
                "column": "dose",
                "quantity": "insulin_long_acting",
                "unit": "U",
                "when": {"column": "kind", "equals": ["L"]},
            },
        ],
    )
    raw = b"when,dose,kind\n06/11/2023 00:01,0.7,R\n06/11/2023 08:00,16,L\n06/11/2023 09:00,1,X\n"
    assert [(event.quantity, event.value) for event in events(raw, TABLE, tables=tables)] == [
        ("insulin_basal_rate", 0.7), ("insulin_long_acting", 16),
    ]  # fmt: skip
    assert [(reason.where, "kind 'X'" in reason.found) for reason in reasons(raw, TABLE, tables=tables)] == [
        ("line 4", True)
    ]


def test_a_long_table_and_rows_that_say_nothing() -> None:
    what = {"column": "what", "equals": ["hr"], "other": "skip"}
    tables = mapping(
        match={"columns": ["when", "what", "value"]},
        values=[
            {
                "column": "value",
                "quantity": "heart_rate",
                "unit": "bpm",
                "when": what,
                "zero": "missing",
                "missing": ["off"],
            }
        ],
    )
    raw = b"when,what,value\n06/11/2023 00:01,hr,70\n06/11/2023 00:02,hr,0\n06/11/2023 00:03,hr,off\n06/11/2023 00:04,x,9\n"
    assert [event.value for event in events(raw, TABLE, tables=tables)] == [70]
    assert reasons(raw, TABLE, tables=tables) == []


def test_a_unit_in_a_column() -> None:
    tables = mapping(
        match={"columns": ["when", "value", "unit"]},
        values=[{"column": "value", "quantity": "glucose", "unit_column": "unit"}],
    )
    raw = b"when,value,unit\n06/11/2023 00:01,5,mmol/L\n06/11/2023 00:02,90,mg/dL\n06/11/2023 00:03,90,kg\n06/11/2023 00:04,9,\n"
    assert [round(event.value) for event in events(raw, TABLE, tables=tables)] == [90, 90]
    assert len(reasons(raw, TABLE, tables=tables)) == 2


def test_dates_only_and_several_time_columns() -> None:
    tables = mapping(
        match={"columns": ["day", "clock", "value"]},
        time={"columns": ["day", "clock"], "format": "%d/%m/%Y %H:%M", "date_format": "%d/%m/%Y"},
    )
    exact, day = events(b"day,clock,value\n06/11/2023,00:01,5\n07/11/2023,,6\n", TABLE, tables=tables)
    assert exact.time.precision is Precision.MINUTE
    assert (day.time.text, day.time.precision) == ("2023-11-07", Precision.DAY)


def test_epochs_with_their_offset_and_a_duration() -> None:
    tables = mapping(
        match={"columns": ["start", "offset", "lasted", "steps"]},
        time={"column": "start", "format": "epoch_s", "offset_seconds": "offset"},
        duration={"column": "lasted", "unit": "s"},
        values=[{"column": "steps", "quantity": "step_count", "unit": "steps"}],
    )
    (event,) = events(b"start,offset,lasted,steps\n1717977600,3600,900,12\n", TABLE, tables=tables)
    assert event.time.text == "2024-06-10T01:00:00+01:00"
    assert event.until.text == "2024-06-10T01:15:00+01:00"
    assert event.available == event.until.instant


def test_a_fixed_time_is_as_vague_as_it_is_known() -> None:
    tables = mapping(match={"columns": ["value"]}, time={"fixed": "2019", "until": "2021"},
                     values=[{"column": "value", "quantity": "hba1c", "unit": "%"}])  # fmt: skip
    (event,) = events(b"value\n6.5\n", TABLE, tables=tables)
    assert (event.time.text, event.until.text) == ("2019", "2021")
    assert event.available.year == 2022


def test_codes_words_constants_and_groups() -> None:
    tables = mapping(
        match={"columns": ["when", "value", "type"]}, group="meal",
        values=[
            {"column": "value", "quantity": "glucose", "unit": "mg/dL", "words": {"Low": "<40"}},
            {"column": "type", "quantity": "diagnosis", "codes": {
                "T2D": {"system": "s", "code": "44"}, "healthy": {"system": "s", "code": "73", "negated": True}, "?": None}},
        ],
        constants=[{"quantity": "diagnosis", "time": "2023", "code": {"system": "s", "code": "46"}}],
    )  # fmt: skip
    rows = [
        "when,value,type",
        *(
            f"06/11/2023 00:0{index},{text}"
            for index, text in enumerate(("Low,T2D", "90,healthy", "91,?", "92,odd"), 1)
        ),
    ]
    raw = "\n".join(rows).encode()
    found = events(raw, TABLE, tables=tables)
    low = next(event for event in found if event.text == "Low")
    assert (low.value, low.comparator, low.group) == (40, Comparator.BELOW, "meal@2023-11-06T00:01")
    codes = [event.value for event in found if event.quantity == "diagnosis"]
    assert codes == [Code("s", "46"), Code("s", "44"), Code("s", "73", "", True)]
    assert [reason.where for reason in reasons(raw, TABLE, tables=tables)] == ["line 5"]


def test_decimal_comma_semicolon_encoding_and_lines_above() -> None:
    tables = mapping(delimiter=";", decimal=",", encoding="cp1252", skip_rows=2, match={"columns": ["when", "Größe"]},
                     values=[{"column": "Größe", "quantity": "body_height", "unit": "cm"}])  # fmt: skip
    raw = "Export\nvon heute\nwhen;Größe\n06/11/2023 00:01;181,5\n".encode("cp1252")
    (event,) = events(raw, TABLE, tables=tables)
    assert (event.value, event.text, event.source.locator) == (181.5, "181,5", "line 4")


def test_a_transposed_table() -> None:
    raw = b"when,06/11/2023 00:01,06/11/2023 00:06\nvalue,5,6\nother,,x\n"
    found = events(raw, TABLE, tables=mapping(transposed=True))
    assert [event.text for event in found] == ["5", "6"]
    assert unmapped(raw, TABLE, tables=mapping(transposed=True)) == {"column other": 1}


def test_persons_by_column_are_split_and_by_file_are_named() -> None:
    tables = mapping(match={"columns": ["id", "when", "value"]}, subject={"column": "id"})
    raw = b'id,when,value\nann,06/11/2023 00:01,5\n"joe",06/11/2023 00:01,6\nann,06/11/2023 00:06,7\n'
    ann, joe = parts(raw, TABLE, tables=tables)
    assert (ann.owner.value, joe.owner.value, ann.named) == ("ann", "joe", True)
    assert b"joe" not in ann.raw
    assert [event.source.locator for event in events(ann.raw, TABLE, tables=tables)] == ["line 2", "line 3"]
    whole, own = events(raw, TABLE, tables=tables), events(ann.raw, TABLE, tables=tables)
    assert {event.id for event in own} <= {event.id for event in whole}
    by_file = mapping(subject={"file": r"^(\d+)_"})
    (part,) = parts(b"when,value\n06/11/2023 00:01,5\n", TABLE, "folder/2307_x.csv", tables=by_file)
    assert part.owner.value == "2307"


def test_columns_that_nobody_named_are_counted_and_ignored_ones_are_not() -> None:
    raw = b"when,value,mood,index\n06/11/2023 00:01,5,good,1\n06/11/2023 00:02,5,,2\n"
    assert unmapped(raw, TABLE, tables=mapping(ignore=["index"])) == {"column mood": 1}


def test_a_column_that_is_called_like_a_meal_without_figures_is_a_column() -> None:
    tables = mapping(match={"columns": ["when", "value", "meal without figures"]}, group="meal")
    raw = b"when,value,meal without figures\n06/11/2023 00:01,7.4,yes\n06/11/2023 00:06,,\n"
    assert unmapped(raw, TABLE, tables=tables) == {"column meal without figures": 1, "meal without figures": 1}


def test_rows_that_are_cut_or_lie() -> None:
    raw = b"when,value\n06/11/2023 00:01,5\n31/02/2023 00:01,5\n06/11/2023 00:02,five\n06/11/2023 00:03\n06/11/2023 00:04,1,2\n"
    assert len(events(raw, TABLE, tables=mapping())) == 1
    assert [reason.where for reason in reasons(raw, TABLE, tables=mapping())] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
    ]


def test_two_amounts_of_one_minute_are_two_and_two_levels_contradict() -> None:
    dose = mapping(values=[{"column": "value", "quantity": "insulin_bolus", "unit": "U"}])
    raw = b"when,value\n06/11/2023 12:20,1.15\n06/11/2023 12:20,0\n06/11/2023 12:20,1.15\n"
    doses = events(raw, TABLE, tables=dose)
    assert len({event.id for event in doses}) == 2
    assert len({event.key for event in doses}) == 2
    assert all(Flag.CONTRADICTED not in event.flags for event in doses)
    levels = events(raw, TABLE, tables=mapping(values=[{"column": "value", "quantity": "glucose", "unit": "mmol/L"}]))
    assert len({event.key for event in levels}) == 2
    assert all(Flag.CONTRADICTED in event.flags for event in levels)


def test_two_foods_of_one_moment_with_the_same_carbohydrate_are_two() -> None:
    tables = mapping(match={"columns": ["when", "value", "food"]}, ignore=["food"],
                     values=[{"column": "value", "quantity": "carbohydrate_intake", "unit": "g"}])  # fmt: skip
    raw = b"when,value,food\n06/11/2023 12:20,10,apple\n06/11/2023 12:20,10,bread\n06/11/2023 12:20,10,apple\n"
    assert len({event.id for event in events(raw, TABLE, tables=tables)}) == 2


def test_the_table_with_most_columns_and_the_row_that_fits_is_chosen() -> None:
    one = mapping(name="a", match={"columns": ["when"]})
    two = mapping(name="b", match={"columns": ["when", "value"], "row": {"device": "^G6"}})
    raw = b"when,value,device\n06/11/2023 00:01,5,G6\n"
    assert parts(raw, TABLE, tables=one + two)[0].owner
    assert named(raw, tables=two) == "table"
    assert named(raw.replace(b"G6", b"G4"), tables=two) is None
    assert named(raw, tables=mapping(match={"columns": ["when"], "file": "^x"})) is None


# wrong mappings


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"values": [{"column": "value", "quantity": "glukose", "unit": "mg/dL"}]}, "glucose"),
        ({"values": [{"column": "value", "quantity": "glucose", "unit": "kg"}]}, "convertible to mg/dL"),
        ({"values": [{"column": "value", "quantity": "glucose"}]}, "either unit or unit_column"),
        ({"values": [{"column": "value", "quantity": "glucose", "unit": "mg/dL", "unti": "x"}]}, "unti"),
        ({"time": {"column": "when", "format": "%Q"}}, "strptime"),
        ({"time": {"column": "when", "zone": "Mars/Base"}}, "IANA zone"),
        ({"time": {}}, "one of column, columns, fixed"),
        ({"time": {"column": "when", "until": "2020"}}, "fixed"),
        ({"time": {"fixed": "20"}}, "YYYY"),
        ({"subject": {"file": r"^\d+_"}}, "one group"),
        ({"match": {"columns": ["when"], "file": "("}}, "regular expression"),
        ({"delimiter": "||"}, "one character"),
        ({"encoding": "utf-9"}, "encoding"),
        ({"decimal": ";"}, "decimal"),
        ({"constants": [{"quantity": "glucose", "time": "2020", "code": {"code": "1"}}]}, "coded quantity"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(FormatError) as refused:
        mapping(**fields)
    assert says in str(refused.value)
    assert "docs/mappings/README.md" in str(refused.value)


@pytest.mark.parametrize("text", ["a: [", "\t- x", "a: &a [*a, *b]", "dialect: other/1"])
def test_a_mapping_that_is_no_mapping(text: str, tmp_path: Any) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(FormatError):
        load(path)


def test_an_unmapped_table_is_not_recognised() -> None:
    assert named(b"when,value\n1,2\n") is None
    with pytest.raises(FormatError, match="no mapping"):
        parts(b"when,value\n1,2\n", TABLE)


# what stands in docs/mappings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "mappings"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.yaml")), ids=lambda path: path.name)
def test_each_mapping_in_docs_is_valid_and_listed(path: Path) -> None:
    if "dialect: medtwin-table/1" in path.read_text():  # of a table of people, which evidence reads
        said = yaml.safe_load(path.read_text())
        assert set(said) == {"dialect", "people", "names", "missing", "quantities"}
        for one in said["quantities"].values():
            assert registry.find(one["quantity"]) is not None
    else:
        assert load(path)
    assert f"`{path.name}`" in (DOCS / "README.md").read_text()


def test_the_readme_of_mappings_shows_every_word_and_its_example_is_valid() -> None:
    text = (DOCS / "README.md").read_text()
    example = text[text.index("    dialect: medtwin-mapping/1") :].split("\n\n")[0]
    (table,) = parse(yaml.safe_load(textwrap.dedent(example)))
    assert table.values[0].words == {"Low": "<40"}
    for shape in (
        Table,
        mapping_words.Match,
        mapping_words.Time,
        mapping_words.Value,
        mapping_words.When,
        mapping_words.Constant,
    ):
        for name in shape.__struct_fields__:
            if shape is not Table or name != "source":
                assert name in text, f"{shape.__name__}.{name}"
