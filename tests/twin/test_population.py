"""What other people teach: the pooled weights, how they are drawn on, and the file that ships."""

import numpy as np
import pytest

from medtwin.errors import FormatError
from medtwin.twin import population
from medtwin.twin.features import COLUMNS, Readings, columns, outcomes
from medtwin.twin.population import Moments, pooled, shipped, write
from medtwin.twin.residual import fit

HORIZONS = np.array([1800.0, 3600.0])


def person(seed, days=6, pull=0.03):
    """Glucose drawn back to 130 at a rate ``pull`` in 5 min."""
    random = np.random.default_rng(seed)
    y = np.empty(days * 288)
    y[0], speed = 130.0, 0.0
    for i in range(1, len(y)):
        speed = 0.8 * speed + random.normal(0.0, 2.0)
        y[i] = y[i - 1] + speed - pull * (y[i - 1] - 130.0)
    return Readings(300.0 * np.arange(len(y)), y)


@pytest.fixture(scope="module")
def others():
    return pooled([Moments.of(person(seed), HORIZONS) for seed in range(12)], HORIZONS, "made people")


def error(readings, learnt, cut):
    index = np.arange(cut, len(readings.time) - 20)
    known, after = outcomes(readings, index, 1800.0)
    middle, _ = learnt.horizons[0].centre_and_size(columns(readings, index), readings.value[index])
    return np.sqrt(np.mean((middle - after)[known] ** 2))


def test_a_short_past_gains_from_people_of_the_same_kind(others):
    gained = []
    for seed in range(100, 106):
        whole = person(seed)
        cut = 300
        index = np.arange(30, cut)
        alone, helped = (fit(whole.until(cut), index, HORIZONS, population=p) for p in (None, others))
        gained.append(error(whole, helped, cut) / error(whole, alone, cut))
    assert np.mean(gained) < 0.97


def test_a_long_past_overrules_people_of_another_kind():
    """Others are drawn back six times as fast; with 40 days of one's own that costs less than 3 %."""
    strange = pooled([Moments.of(person(seed, pull=0.18), HORIZONS) for seed in range(8)], HORIZONS)
    whole = person(200, days=50)
    cut = 40 * 288
    alone, misled = (fit(whole.until(cut), np.arange(30, cut), HORIZONS, population=p) for p in (None, strange))
    assert error(whole, misled, cut) < 1.03 * error(whole, alone, cut)


def test_the_pooled_weights_solve_their_equations(others):
    """With one person and hardly a penalty they are that person's least squares."""
    one = person(3, days=30)
    x = columns(one, np.arange(30, len(one.time)))
    known, after = outcomes(one, np.arange(30, len(one.time)), 1800.0)
    y = (after - one.value[30:])[known]
    mine = pooled([Moments.of(one, HORIZONS)], HORIZONS)
    centred = x[known] - x[known].mean(0)
    predicted = centred / mine.scale @ mine.at(1800.0)
    best, *_ = np.linalg.lstsq(centred, y - y.mean(), rcond=None)
    assert np.mean((y - y.mean() - predicted) ** 2) < 1.1 * np.mean((y - y.mean() - centred @ best) ** 2)
    assert others.people == 12


def test_the_gram_is_of_mean_one_and_symmetric(others):
    assert np.trace(others.gram) == pytest.approx(COLUMNS)
    np.testing.assert_allclose(others.gram, others.gram.T)


def test_what_ships_names_its_people_and_licences():
    made = shipped("glucose")
    assert made.people == 22
    for words in ("T1D-UOM, CC BY 4.0", "BIG IDEAs, ODC-By 1.0", "Hall 2018, CC BY 4.0"):
        assert words in made.source
    assert np.linalg.eigvalsh(made.gram).min() > -1e-4
    assert shipped("systolic_pressure") is None


def test_a_file_is_read_as_it_was_written(others, tmp_path, monkeypatch):
    write(others, tmp_path / "p.json", "some command")
    monkeypatch.setattr(population, "SHIPPED", tmp_path / "p.json")
    again = shipped.__wrapped__("glucose")
    np.testing.assert_allclose(again.weights, others.weights, rtol=1e-5)
    np.testing.assert_allclose(again.gram, others.gram, rtol=1e-5)
    assert "some command" in (tmp_path / "p.json").read_text()


def test_a_file_of_another_dialect_is_refused(tmp_path, monkeypatch):
    (tmp_path / "p.json").write_text('{"dialect": "other/1"}')
    monkeypatch.setattr(population, "SHIPPED", tmp_path / "p.json")
    with pytest.raises(FormatError, match="medtwin-population/1"):
        shipped.__wrapped__("glucose")


def test_a_population_of_nobody_is_refused():
    with pytest.raises(FormatError, match="nobody"):
        pooled([], HORIZONS)


@pytest.mark.parametrize("seconds", [900.0, 2700.0, 9000.0])
def test_between_horizons_weights_are_between(others, seconds):
    low, high = np.sort([others.at(1800.0), others.at(3600.0)], axis=0)
    found = others.at(seconds)
    assert ((found >= low - 1e-12) & (found <= high + 1e-12)).all()
