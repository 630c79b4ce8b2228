"""Every number of a trace against iglu 4.3.0, every zone against ega 2.0.0, MAGE against its checked values."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from medtwin.statistics.glucose import clarke, episodes, excursions, levels, parkes, ranges, risk, variability
from medtwin.statistics.glucose.trace import Trace

pytestmark = pytest.mark.shared


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "metabolism"


@pytest.fixture(scope="module", params=["5", "hall"])
def people(folder: Path, request: pytest.FixtureRequest) -> tuple[str, dict[str, Trace]]:
    path = {"5": "reference/iglu_example_data_5_subject.csv", "hall": "hall2018/hall2018_cgm.csv"}[request.param]
    held: dict[str, list[tuple[float, float]]] = {}
    for row in rows(folder / path):
        held.setdefault(row["id"], []).append((seconds(row["time"]), float(row["gl"])))
    return request.param, {name: Trace.of(*zip(*pairs, strict=True)) for name, pairs in held.items()}


def each(folder: Path, people: tuple[str, dict[str, Trace]], table: str) -> Iterator[tuple[Trace, dict[str, str]]]:
    which, traces = people
    for row in rows(folder / "reference" / f"iglu_4.3.0_{table}_{which}.csv"):
        yield traces[row["id"]], row


def test_levels_ranges_and_risk(folder: Path, people: tuple[str, dict[str, Trace]]) -> None:
    for trace, row in each(folder, people, "all_metrics"):
        g = trace.glucose
        share = ranges.ranges(g)
        ours = {
            "Mean": levels.mean(g), "SD": levels.standard_deviation(g), "CV": levels.variation(g),
            "GMI": levels.management_indicator(levels.mean(g)), "eA1C": levels.estimated_a1c(levels.mean(g)),
            "J_index": levels.j_index(g), "GRI": risk.risk_index(share).value, "active_percent": levels.active(trace),
            "below_54": share.below_54, "below_70": share.below_70, "in_range_70_180": share.in_range,
            "above_180": share.above_180, "above_250": share.above_250,
            "MODD": variability.day_to_day(trace), "Conga": variability.overlapping_action(trace),
        }  # fmt: skip
        for name, value in ours.items():
            assert value == pytest.approx(float(row[name]), abs=1e-6), (row["id"], name)
        assert risk.low_index(g) == pytest.approx(float(row["LBGI"]), abs=1e-3)
        assert risk.high_index(g) == pytest.approx(float(row["HBGI"]), abs=1e-3)
        assert share.below_70 + share.in_range + share.above_180 == pytest.approx(100.0)


def test_mage(folder: Path, people: tuple[str, dict[str, Trace]]) -> None:
    for trace, row in each(folder, people, "all_metrics"):
        assert excursions.excursions(trace).average == pytest.approx(float(row["MAGE"]), abs=0.1), row["id"]


def test_episodes(folder: Path, people: tuple[str, dict[str, Trace]]) -> None:
    names = {("hypo", "lv1"): "hypo_1", ("hypo", "lv2"): "hypo_2", ("hypo", "extended"): "hypo_extended",
             ("hyper", "lv1"): "hyper_1", ("hyper", "lv2"): "hyper_2"}  # fmt: skip
    found: dict[int, dict[str, episodes.Episodes]] = {}
    for trace, row in each(folder, people, "episodes"):
        ours = found.setdefault(id(trace), episodes.episodes(trace))
        if row["level"] == "lv1_excl":
            pair = (ours[f"{row['type']}_1"], ours[f"{row['type']}_2"])
            assert episodes.exclusive(*pair) == int(row["total_episodes"])
            continue
        kind = ours[names[row["type"], row["level"]]]
        assert len(kind.found) == int(row["total_episodes"]), row
        assert kind.per_day == pytest.approx(float(row["avg_ep_per_day"]), abs=1e-6)
        assert kind.mean_minutes == pytest.approx(float(row["avg_ep_duration"]), abs=1e-6)
        if kind.found:
            mean = np.mean([one.mean for one in kind.found])
            assert mean == pytest.approx(float(row["avg_ep_gl"]), abs=1e-6)


def test_mage_of_parts_that_were_calculated_by_hand(folder: Path) -> None:
    """Algorithm's own checked values (0.1 mg/dL); the hand's calculation within what the paper says of its error."""
    data = rows(folder / "reference" / "iglu_example_data_5_subject.csv")
    by_hand = [r for r in rows(folder / "reference" / "iglu_tests_manual_calculations.csv") if r["dataset"] == "JHU"]
    truth = rows(folder / "reference" / "iglu_tests_mage_ground_truth.csv")
    away = []
    for row, want in zip(by_hand, truth, strict=True):
        part = data[int(row["start"]) - 1 : int(row["end"])]
        trace = Trace.of([seconds(r["time"]) for r in part], [float(r["gl"]) for r in part])
        ours = excursions.excursions(trace)
        assert ours.upward == pytest.approx(float(want["mage_plus"]), abs=0.1), row
        assert ours.downward == pytest.approx(float(want["mage_minus"]), abs=0.1), row
        assert ours.average == pytest.approx(float(want["mage_avg"]), abs=0.1), row
        assert ours.first == pytest.approx(float(want["mage_service"]), abs=0.1), row
        away.append(abs(ours.first / float(row["manual"]) - 1.0))
    assert np.median(away) < 0.1


@pytest.mark.parametrize("name", ["ega_reference.csv", "ega_grid.csv"])
def test_zones(folder: Path, name: str) -> None:
    held = rows(folder / "reference" / name)
    r, e = (np.array([float(row[column]) for row in held]) for column in ("ref", "test"))
    theirs = {column: np.array([row[column] for row in held]) for column in ("clarke", "parkes1", "parkes2")}
    assert (clarke.clarke(r, e) == theirs["clarke"]).all()
    one = parkes.parkes(r, e, 1)
    differ = np.flatnonzero(one != theirs["parkes1"])
    # all at the lower edge of D, which ega draws with a corner of type 2
    assert len(differ) == {"ega_reference.csv": 1, "ega_grid.csv": 11}[name]
    assert all({one[i], theirs["parkes1"][i]} == {"C", "D"} and r[i] > 250.0 > e[i] for i in differ)
    two = parkes.parkes(r, e, 2)
    pairs = [(r[i], e[i]) for i in np.flatnonzero(two != theirs["parkes2"])]
    # both lie on the line from (90, 80) to (330, 230): here of the worse zone, as every other edge is in ega too
    assert pairs == ([(290.0, 205.0), (376.0, 276.0)] if name == "ega_reference.csv" else [])
    assert 205.0 == 80.0 + 0.625 * (290.0 - 90.0)
    assert 276.0 == 230.0 + (376.0 - 330.0)
