"""The whole way on people of other equations: what is planted, what counts, and one small study from files to figures."""

from datetime import timedelta

import pytest

from medtwin import worlds
from medtwin.evidence import other_equations as other


def test_only_what_was_not_told_is_planted():
    person = worlds.population(3, 1, 6, other.START, kind="type_1_unannounced")[0]
    planted = other.planted(person, 0, 1440.0)
    untold = [c for c in person.causes if c.kind in ("missed_meal", "unlogged_meal") and c.size >= other.LEAST]
    meals = [c for c in planted if c.hypothesis == "missed_meal"]
    assert 0 < len(meals) <= len(untold)
    told = {f.time for f in person.told("carbohydrate_intake")}
    for cause in meals:
        assert cause.begin >= 1440.0
        assert person.start + timedelta(minutes=cause.begin) not in told


@pytest.mark.slow
def test_a_small_study():
    found = other.study("type_1", 1, 6, 11)
    results = found.evaluation.results
    assert {r.horizon_minutes for r in results} == {30.0, 60.0}
    assert all(r.physiological for r in results)
    hour = [r for r in results if r.horizon_minutes == 60.0]
    rmse, crps, covered, n = other.pooled(hour, "medtwin")
    assert n > 200
    assert 0.6 < covered <= 1.0
    assert rmse < other.pooled(hour, "persistence")[0]
    assert crps < other.pooled(hour, "persistence")[1]
    text = other.page([found], "python -m x")
    assert f"{covered:.1%}" in text
    assert "RMSE below persistence" in text
