"""The page of identification, from figures that are made here; the lives on which it is calibrated."""

import json
from importlib.resources import files

import numpy as np

from medtwin.evidence import calibrated
from medtwin.evidence.calibration import row
from medtwin.evidence.identification import Calibration, Later, evidence, page, settings
from medtwin.evidence.identified import BRETON, breton, slow


def test_the_slow_error_has_its_size_and_its_time():
    rng = np.random.default_rng(0)
    made = slow(rng, 20000, np.full(4, 20.0), np.full(4, 30.0))
    assert abs(made.std() - 20.0) < 1.0
    lag = np.mean(made[30:] * made[:-30]) / np.mean(made**2)
    assert abs(lag - np.exp(-1.0)) < 0.05


def test_bretons_sensor_is_skewed_and_remembers():
    made = breton(np.random.default_rng(0), 60000, 1)[::15, 0]
    normal = np.arcsinh((made - BRETON["xi"]) / BRETON["lambda"]) * BRETON["delta"] + BRETON["gamma"]
    centred = normal - normal.mean()
    assert abs(np.mean(centred[1:] * centred[:-1]) / np.mean(centred**2) - 0.7) < 0.05


def test_the_page_says_what_is_outside_the_aim_and_who_is_not_fitted():
    rng = np.random.default_rng(0)
    good, bad = rng.random(100), 0.5 + 0.01 * rng.standard_normal(100)
    bad[:30] = 0.999
    rows = tuple(row("glucose_meals", name, rank, np.ones(100), 5.0) for name, rank in (("one", good), ("two", bad)))
    nothing = float("nan")
    people = [
        Later("a", None, 20.0, 60.0, 90.0, 50.0, 500, 1, ("said",)),
        Later("b", "too little", nothing, nothing, nothing, nothing, 0, 0, ()),
    ]
    text = page([Calibration("assumed", rows, ("a note",))], [("Real people", people)], "python -m x")
    assert "| two | 70.0% " in text
    assert text.count("outside the aim") == 1
    assert "withheld: too little" in text
    assert (
        "Of 1 people the identified model is better on later days than its prior for 1, better than the person's own mean for 0"
        in text
    )


def test_what_identify_follows_is_the_worse_of_two_sensors(monkeypatch, tmp_path):
    def study(sensor, outside):
        rng = np.random.default_rng(1)
        made = []
        for name, narrow in (("one", outside), ("two", 0.0)):
            rank = np.linspace(0.005, 0.995, 100)
            rank[: int(100 * narrow)] = 0.999
            made.append(row("glucose_meals", name, rng.permutation(rank), np.ones(100), 7.0))
        return Calibration(sensor, tuple(made), ())

    said = evidence([study("assumed", 0.0), study("breton", 0.3)], 2026)
    one, two = said["parameters"]
    assert one["coverage"] < 0.86 < two["coverage"] < 0.94
    assert said["settings"] == settings()
    (tmp_path / "identification.json").write_text(json.dumps(said))
    monkeypatch.setattr(calibrated, "files", lambda _: tmp_path)
    calibrated._evidence.cache_clear()
    try:
        assert "outside 86 % to 94 %" in calibrated.withheld_of_days("glucose_meals", "one")
        assert calibrated.withheld_of_days("glucose_meals", "two") is None
        assert "not yet calibrated" in calibrated.withheld_of_days("hovorka", "two")
    finally:
        calibrated._evidence.cache_clear()


def test_the_committed_figures_are_those_of_what_ships():
    """Whoever changes the method runs `python -m medtwin.evidence.identification --people 128 --days 7 --world 0` again."""
    file = files("medtwin.evidence") / "identification.json"
    if not file.is_file():  # no run stands behind the method: then no parameter is shown
        assert calibrated.withheld_of_days("glucose_meals", "fasting_glucose") is not None
        return
    assert json.loads(file.read_bytes())["settings"] == settings()
