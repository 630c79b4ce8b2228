"""The page of identification, from figures that are made here; the lives on which it is calibrated."""

import numpy as np

from medtwin.evidence.calibration import row
from medtwin.evidence.identification import Calibration, Later, page
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
