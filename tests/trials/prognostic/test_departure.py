"""Leaving: its hazard against an independent fit, and that draws of who is still there are like those who are."""

import numpy as np
import pytest
from scipy import optimize

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.departure import StillThere, draw_with_departure, fit_departure, given_present
from medtwin.trials.prognostic.generator import draw
from medtwin.trials.prognostic.mixed import fit_mixed
from medtwin.trials.prognostic.outcome import Outcome

HAZARD = (-2.0, 0.9)  # log hazard a year: at 0, and per unit of the last value


def trial(seed, patients):
    """Yearly visits to year 4; who rises leaves. Returns the cohort, the ends, who left, and the values nobody missed."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal(patients)
    effect = rng.standard_normal((patients, 2)) * (0.4, 0.5)
    times = np.arange(1.0, 5.0)
    y = (
        0.2
        + 0.9 * first[:, None]
        + effect[:, :1]
        + (0.1 + effect[:, 1:]) * times
        + 0.3 * rng.standard_normal((patients, 4))
    )
    last = np.column_stack([first, y[:, :3]])
    passed = np.cumsum(np.exp(HAZARD[0] + HAZARD[1] * last), 1)
    tolerance = rng.exponential(size=patients)
    before = np.column_stack([np.zeros(patients), passed])
    gap = np.argmax(np.column_stack([passed, np.full(patients, np.inf)]) >= tolerance[:, None], 1)
    left = gap < 4
    rate = np.exp(HAZARD[0] + HAZARD[1] * last[np.arange(patients), np.minimum(gap, 3)])
    end = np.where(left, gap + (tolerance - before[np.arange(patients), gap]) / rate, 4.0)
    here = times <= end[:, None] + 1e-12
    subject, visit = np.nonzero(here)
    baseline = Baseline.of(range(patients), first[:, None], ["baseline y"])
    return Cohort.of(baseline, [Outcome("y")], subject, times[visit], y[subject, visit, None]), end, left


@pytest.fixture(scope="module")
def study():
    return trial(1, 500)


def test_hazard_is_the_maximum_of_its_likelihood_and_near_the_truth(study):
    data, end, left = study
    found = fit_departure(data, end, left)
    last, wait, event = [], [], []
    for k in range(len(end)):
        values = [data.baseline.covariates[k, 0], *data.values[data.subject == k, 0]]
        times = [0.0, *data.time[data.subject == k], end[k]]
        last += values
        wait += list(np.diff(times))
        event += [0.0] * (len(values) - 1) + [float(left[k])]
    last, wait, event = np.array(last), np.array(wait), np.array(event)

    def minus(g):
        return (wait * np.exp(g[0] + g[1] * last)).sum() - (event * (g[0] + g[1] * last)).sum()

    other = optimize.minimize(minus, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    np.testing.assert_allclose(found.coefficients, other.x, atol=1e-5)
    assert (np.abs(found.coefficients - HAZARD) < 3.5 * found.standard_errors).all()
    assert found.events == left.sum()
    assert found.exposure == pytest.approx(end.sum())


def test_draws_of_who_is_still_there_are_like_those_who_are():
    data, end, left = trial(4, 3000)
    model, departure = fit_mixed(data), fit_departure(data, end, left)
    fresh, *_ = trial(2, 4000)
    people = fresh.baseline.take(np.arange(500))
    seen = [fresh.values[fresh.time == t, 0] for t in (1.0, 4.0)]
    everybody = draw(model, people, [1.0, 4.0], draws=100, seed=1)
    drawn = draw_with_departure(model, departure, people, [1.0, 4.0], step=1.0, draws=100, seed=1)
    assert any("leaving is drawn" in one for one in drawn.conditions)
    assert not any("not drawn" in one for one in drawn.conditions)
    late = drawn.time == 4.0
    # the share that is still there, and their mean and spread; everybody's mean lies far above
    assert drawn.present[:, late].mean() == pytest.approx(len(seen[1]) / 4000, abs=0.05)
    kept = drawn.working[:, late, 0][drawn.present[:, late]]
    assert kept.mean() == pytest.approx(seen[1].mean(), abs=0.15)
    assert kept.std() == pytest.approx(seen[1].std(), rel=0.08)
    assert everybody.working[:, late, 0].mean() > seen[1].mean() + 1.0
    assert drawn.table()["present"].sum() == drawn.present.sum()


def test_given_present_keeps_the_number_of_draws_and_each_patients_own(study):
    data, end, left = study
    model, departure = fit_mixed(data), fit_departure(data, end, left)
    people = data.baseline.take(np.arange(40))
    drawn = draw_with_departure(model, departure, people, [1.0, 3.0], step=1.0, draws=300, seed=2)
    each, last = given_present(drawn), given_present(drawn, at="last")
    assert each.working.shape == last.working.shape == drawn.working.shape
    for v in range(4):
        weight = np.exp(drawn.log_staying[:, v])
        expected = (weight @ drawn.working[:, v, 0]) / weight.sum()
        assert each.working[:, v, 0].mean() == pytest.approx(expected, abs=0.25)
        assert np.isin(each.working[:, v, 0], drawn.working[:, v, 0]).all()
        assert drawn.present[:, v].mean() == pytest.approx(weight.mean(), abs=0.1)
    assert last.working[:, 0, 0].mean() < each.working[:, 0, 0].mean()  # looks ahead: who is there later was lower
    pairs = {tuple(one) for one in drawn.working[:, :2, 0]}
    assert {tuple(one) for one in last.working[:, :2, 0]} <= pairs  # whole trajectories


def test_bad_departures_are_errors(study):
    data, end, left = study
    with pytest.raises(AnalysisError, match="after the end"):
        fit_departure(data, np.zeros(500), left)
    with pytest.raises(AnalysisError, match="departures for"):
        fit_departure(data, end, np.zeros(500, bool))
    with pytest.raises(AnalysisError, match="without departures"):
        given_present(draw(fit_mixed(data), data.baseline, [1.0], draws=5))


def test_a_generator_of_who_is_still_there_is_one_like_others(study):
    data, end, left = study
    model = StillThere(generator=fit_mixed(data), departure=fit_departure(data, end, left), step=1.0)
    people = data.baseline.take(np.arange(100))
    drawn = draw(model, people, [4.0], draws=100, seed=3)
    other = given_present(
        draw_with_departure(model.generator, model.departure, people, [4.0], step=1.0, draws=200, seed=3), seed=3
    )
    np.testing.assert_array_equal(drawn.working, other.working[:100])
    assert any("still there" in one for one in drawn.conditions)
    with pytest.raises(AnalysisError, match="baseline alone"):
        draw(model, data.baseline, [9.0], draws=5, history=data)
