"""Calibration studies: small ones run, a planted over-confidence is seen, and what is committed belongs to what is shipped."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from medtwin.evidence import calibrated, calibration
from medtwin.inference.shipped import circulation_update
from medtwin.physiology.circulation_daily import CirculationDaily
from medtwin.twin.choice import structure

ROOT = Path(__file__).parents[2]
COMMITTED = msgspec.json.decode((Path(calibration.__file__).parent / "calibration.json").read_bytes())


def test_ranks_that_are_uniform_are_shown_and_others_withheld():
    rng = np.random.default_rng(1)
    honest = calibration.row("m", "p", rng.uniform(size=2000), np.ones(2000), 1.0)
    assert honest.shown
    assert honest.uniform_p > 0.001
    assert sum(honest.histogram) == 2000
    sure = calibration.row("m", "p", rng.beta(0.5, 0.5, size=2000), np.ones(2000), 1.0)  # truths in the tails
    assert not sure.shown
    assert sure.coverage < 0.86
    unsure = calibration.row("m", "p", rng.beta(4.0, 4.0, size=2000), np.ones(2000), 1.0)
    assert not unsure.shown
    assert unsure.coverage > 0.94


def test_a_filter_that_failed_is_a_miss():
    """Of ten people one has no belief: nine of ten are covered at best, not all that are left."""
    rank = np.append(np.linspace(0.1, 0.9, 9), np.nan)
    found = calibration.row("m", "p", rank, np.append(np.ones(9), np.nan), 1.0)
    assert (found.n, found.coverage, found.spread) == (10, 0.9, 1.0)
    assert sum(found.histogram) == 9


@pytest.mark.parametrize("name", ["glucose_insulin", pytest.param("glucose_meals", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_small_study_of_glucose(name):
    rows, notes = calibration.glucose(name, 6, 1, 3)
    assert [r.parameter for r in rows] == list(structure(name)[0].inferred)[: len(rows)]
    assert all(r.n == 6 and 0.0 < r.spread < 1.5 for r in rows)
    assert rows[0].spread < 0.9  # a day of readings teaches something of insulin sensitivity
    assert "Readings" in notes[0]


@pytest.mark.slow
def test_a_small_study_of_the_circulation():
    rows, _ = calibration.circulation(5, 3, days=4)
    assert {"systemic_resistance", "arterial_compliance", "left_ventricular_elastance", "stressed_blood_volume"} <= {
        r.parameter for r in rows
    }
    assert all(r.n == 5 and np.isfinite(r.coverage) for r in rows)


def test_the_committed_figures_are_those_of_the_shipped_filters():
    """Whoever changes a filter runs the study again: `python -m medtwin.evidence.calibration`."""
    assert COMMITTED["filters"] == {
        **{name: repr(structure(name)[1]) for name in calibration.GLUCOSE_MODELS},
        "circulation_daily": repr(circulation_update()),
    }
    for model in (*(structure(name)[0] for name in calibration.GLUCOSE_MODELS), CirculationDaily()):
        mine = [r for r in COMMITTED["parameters"] if r["model"] == model.name]
        assert all(r["n"] >= 400 for r in mine)
        assert all(r["parameter"] in model.inferred for r in mine)


def test_the_report_and_what_the_page_reads_agree():
    sections = (ROOT / "docs/evidence/calibration.md").read_text().split("\n## ")
    of_model = calibration.GLUCOSE_MODELS | {"circulation_daily": "Circulation, from a cuff"}
    for r in COMMITTED["parameters"]:
        section = next(one for one in sections if one.startswith(of_model[r["model"]] + "\n"))
        line = re.search(rf"^\| {r['parameter']} \| {r['days']:g} .*$", section, re.M)
        assert line is not None
        assert f"{r['coverage']:.1%}" in line[0]
        withheld = calibrated.withheld(r["model"], r["parameter"])
        assert (withheld is None) is r["shown"]
        assert ("withheld" in line[0]) is not r["shown"]


def test_what_was_never_calibrated_is_withheld():
    assert "not yet calibrated" in (calibrated.withheld("glucose_insulin", "no_such") or "")
