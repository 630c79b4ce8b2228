"""The JSON is what ui/src/lib/api.ts states: field by field, and in every answer."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from medtwin.server import openapi, shapes
from medtwin.server.http import PREFIX, ROUTES
from server.conftest import NOW

API = Path(__file__).resolve().parents[2] / "ui" / "src" / "lib" / "api.ts"


def interfaces():
    """Name -> the fields of the page's interfaces, those of nested objects left out."""
    text = re.sub(r"//.*", "", re.sub(r"/\*.*?\*/", "", API.read_text(), flags=re.S))
    found = {}
    for match in re.finditer(r"export interface (\w+)(?: extends \w+)? \{", text):
        depth, at, fields, line = 1, match.end(), [], ""
        while depth:
            char = text[at]
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
            if depth == 1 and char in ";\n}":
                if named := re.match(r"\s*(\w+)\??:", line):
                    fields.append(named[1])
                line = ""
            elif depth >= 1:
                line += char
            at += 1
        found[match[1]] = set(fields)
    return found


@pytest.mark.parametrize("name", sorted(interfaces()))
def test_each_interface_of_the_page_has_a_struct_with_its_fields(name):
    if name in ("StreamMessages",):
        assert set(openapi.MESSAGES) == interfaces()[name]
        return
    struct = getattr(shapes, name)
    assert set(struct.__struct_fields__) == interfaces()[name]


GETS = {
    "/patients": shapes.Worklist,
    "/patients/ada": shapes.PatientDetail,
    "/patients/ada/timeline": shapes.Timeline,
    "/patients/ada/timeline?quantity=heart_rate&since=2026-03-03T00:00:00Z&until=2026-03-04T00:00:00Z": shapes.Timeline,
    "/patients/ada/forecast": shapes.Forecast,
    "/patients/ada/forecast?quantity=heart_rate": shapes.Forecast,
    "/patients/ada/forecast?hours=3&as_of=2026-03-04T06:00:00Z": shapes.Forecast,
    "/patients/ada/decisions": shapes.Decisions,
    "/patients/ada/glucose-report": shapes.GlucoseReportPage,
    "/patients/ada/glucose-report?days=7&unit=mmol/L&goals=older": shapes.GlucoseReportPage,
    "/patients/ada/parameters": shapes.Parameters,
    "/patients/ada/events?limit=20": shapes.EventPage,
    "/patients/ada/disagreements": shapes.Disagreements,
    "/patients/deniz": shapes.PatientDetail,
    "/patients/deniz/timeline": shapes.Timeline,
    "/patients/deniz/forecast": shapes.Forecast,
    "/patients/deniz/parameters": shapes.Parameters,
    "/patients/clara": shapes.PatientDetail,
    "/patients/clara/timeline": shapes.Timeline,
    "/patients/clara/forecast": shapes.Forecast,
    "/quarantine": shapes.Quarantine,
    "/sources": shapes.Sources,
    "/status": shapes.Status,
}


def conforms(content, shape):
    """The answer decodes strictly, and holds nothing that the shape does not."""
    read = msgspec.convert(content, shape, strict=True)
    again = json.loads(msgspec.json.encode(read))
    assert _times(again) == _times(content)


def _times(value):
    """The same with times in one spelling."""
    if isinstance(value, dict):
        return {key: _times(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_times(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("path", GETS)
def test_every_answer_conforms(served, path):
    content = served.get(path)
    conforms(content, GETS[path])
    if "now" in content:
        assert content["now"] == "2026-03-04T09:30:00Z"


def test_an_event_and_its_raw_bytes_conform(served):
    row = served.get("/patients/ada/events?quantity=glucose&limit=1")["events"][0]
    detail = served.get(f"/patients/ada/events/{row['id']}")
    conforms(detail, shapes.EventDetail)
    assert detail["event"] == row
    assert detail["surprise"]["expected"]["unit"] == "mg/dL"
    raw = served.get(f"/patients/ada/raw/{row['source']['raw_hash']}?locator={row['source']['locator']}")
    conforms(raw, shapes.RawExcerpt)
    shown = raw["text"][raw["highlight"]["start"] : raw["highlight"]["end"]]
    assert row["text"] in shown


def test_the_description_covers_every_route_and_its_references_resolve(served):
    told = served.get("/openapi.json")
    assert {(method.upper(), path) for path, methods in told["paths"].items() for method in methods} == set(ROUTES)
    components = told["components"]["schemas"]
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(told)):
        assert reference.rpartition("/")[2] in components
    for path, methods in told["paths"].items():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
    assert told["servers"] == [{"url": PREFIX}]
    names = [op["operationId"] for methods in told["paths"].values() for op in methods.values()]
    assert len(set(names)) == len(names)


def test_every_route_of_the_page_is_served():
    """Each address that the page's client builds: ``${at(id)}`` and other fills are one part of a path, ``query`` none."""
    text = API.read_text()
    client = text[text.index("export const api") :]
    built = re.findall(r"(?:call|post)<\w+>\(\s*(`[^`]*`|'[^']*'|at\(id\))", client)
    assert len(built) > 12
    patterns = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for _, path in ROUTES]
    for written in built:
        path = re.sub(r"\$\{query\([^}]*\)\}|\$\{query\(\{.*?\}\)\}", "", written.strip("`'"))
        path = re.sub(r"\$\{at\(id\)\}|^at\(id\)$", "/patients/X", path)
        path = re.sub(r"\$\{[^}]*\}", "X", path)
        assert any(pattern.fullmatch(path) for pattern in patterns), (written, path)


def test_who_has_no_model_says_so(served):
    deniz = served.get("/patients/deniz")
    assert deniz["models"][0]["kind"] == "statistical"
    assert "no physiological model for this person yet" in deniz["models"][0]["reason"]
    assert deniz["planned_inputs"] == []
    assert deniz["what_if_reason"]
    assert served.get("/patients/deniz/timeline")["belief"] is None
    assert served.get("/patients/deniz/parameters")["parameters"] == []


def test_a_timeline_begins_with_a_window_that_shows_something(served):
    windows = {
        who: {one["quantity"]: one["window_hours"] for one in served.get(f"/patients/{who}")["timelines"]}
        for who in ("ada", "clara")
    }
    assert windows["ada"]["glucose"] == 12
    assert windows["clara"]["systolic_pressure"] >= 72  # two readings a day
    measured = {one["quantity"]: one["measured"] for one in served.get("/patients/clara")["timelines"]}
    assert measured["systolic_pressure"]
    assert not measured["left_ventricular_ejection_fraction"]


def test_measurements_that_are_too_many_are_counted(served, monkeypatch):
    whole = served.get("/patients/ada/timeline?quantity=glucose")["measurements"]
    assert whole["omitted"] == 0
    monkeypatch.setattr("medtwin.server.timeline.MOST", 5)
    few = served.get("/patients/ada/timeline?quantity=glucose")["measurements"]
    assert len(few["times"]) == 5
    assert few["times"] == whole["times"][-5:]
    assert few["omitted"] == len(whole["times"]) - 5


def test_what_is_synthetic_says_so(served):
    assert all(p["synthetic"] for p in served.get("/patients")["patients"])
    assert served.get("/patients/ada")["synthetic"] is True


def test_only_calibrated_parameters_are_shown(served):
    for one in served.get("/patients/ada/parameters")["parameters"]:
        coverage = one["calibration"]["coverage"] if one["calibration"] else None
        if coverage is not None and 0.86 <= coverage <= 0.94:
            assert one["posterior"]["lower"] < one["posterior"]["median"] < one["posterior"]["upper"]
        else:
            assert one["state"] == "withheld"
            assert one["posterior"] is None
            assert one["reason"]


def test_a_timeline_holds_its_window(served):
    timeline = served.get("/patients/ada/timeline?since=2026-03-04T03:30:00Z")
    times = timeline["measurements"]["times"]
    assert 60 <= len(times) <= 73
    assert min(times) >= "2026-03-04T03:30:00Z"
    assert max(timeline["belief"]["times"]) <= "2026-03-04T09:30:00Z"
    assert any(mark["quantity"] == "insulin_basal_rate" for mark in timeline["inputs"])
    for lower, mean, upper in zip(*(timeline["belief"][k] for k in ("lower", "mean", "upper")), strict=True):
        assert lower < mean < upper


def test_the_forecast_of_the_past_knows_nothing_later(served):
    made = served.get("/patients/ada/forecast?as_of=2026-03-04T06:00:00Z")
    assert made["made_at"] == "2026-03-04T06:00:00Z"
    assert min(made["times"]) > "2026-03-04T06:00:00Z"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/patients/nobody", 404), ("/patients/nobody/timeline", 404), ("/patients/ada/events/none", 404),
        ("/patients/ada/raw/zz", 404), ("/patients/ada/raw/" + "0" * 32, 404), ("/nothing", 404),
        ("/patients/ada/timeline?since=yesterday", 400), ("/patients/ada/timeline?quantity=luck", 404),
        ("/patients/ada/timeline?since=2026-03-04T00:00:00Z&until=2026-03-03T00:00:00Z", 400),
        ("/patients/ada/forecast?hours=900", 400), ("/patients/ada/forecast?hours=nan", 400),
        ("/patients/ada/forecast?as_of=2030-01-01T00:00:00Z", 400), ("/patients/ada/events?limit=0", 400),
        ("/patients/ada/events?offset=-1", 400),
    ],
)  # fmt: skip
def test_errors_are_problems(served, path, status):
    problem = served.get(path, status)
    conforms(problem, shapes.Problem)
    assert problem["status"] == status


def test_the_worklist_puts_questions_and_silence_first(served):
    names = [p["id"] for p in served.get("/patients")["patients"]]
    assert sorted(names) == ["ada", "clara", "deniz"]
    served.clock.moment = NOW.replace(hour=15)
    try:
        listed = {p["id"]: p for p in served.get("/patients")["patients"]}
        assert listed["ada"]["channels"][0]["state"] == "silent"
        assert listed["ada"]["forecast"]["withheld"] is True
    finally:
        served.clock.moment = NOW
