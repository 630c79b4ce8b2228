"""The multivariate mixed model against a dense normal, closed forms, the room of repeated measures, and a known truth."""

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm import fit
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.generator import draw
from medtwin.trials.prognostic.mean import Mean, spline
from medtwin.trials.prognostic.mixed import fit_mixed
from medtwin.trials.prognostic.mixed.likelihood import solve
from medtwin.trials.prognostic.mixed.optimise import expectation_maximisation
from medtwin.trials.prognostic.mixed.parameters import Packing, root
from medtwin.trials.prognostic.outcome import Outcome
from trials.prognostic.simulated import BETA, EFFECTS, OUTCOMES, RESIDUAL, cohort


def dense(data, model, patient):
    """Design, values and covariance of one patient's measurements, outcome varying fastest, written out."""
    rows = np.flatnonzero(data.subject == patient)
    q = len(data.outcomes)
    x = model.mean.columns(data.baseline, data.subject[rows], data.time[rows], None, q)
    z = np.column_stack([np.ones(len(rows)), data.time[rows]])
    design = np.concatenate([np.kron(np.eye(q), np.ones(x.shape[2])) * np.tile(x[k, 0], q) for k in range(len(rows))])
    reach = np.concatenate([np.kron(np.eye(q), z[k]) for k in range(len(rows))])
    v = reach @ model.effects_covariance @ reach.T + np.kron(np.eye(len(rows)), model.residual_covariance)
    y = data.values[rows].ravel()
    seen = np.isfinite(y)
    return design[seen], y[seen], v[np.ix_(seen, seen)]


@pytest.fixture(scope="module")
def data():
    return cohort(1)


@pytest.fixture(scope="module")
def fitted(data):
    return fit_mixed(data)


@pytest.mark.parametrize("reml", [True, False])
def test_likelihood_is_that_of_a_dense_normal(data, fitted, reml):
    model = fitted if reml else fit_mixed(data, reml=False)
    total, p = 0.0, model.coefficients.size
    information = np.zeros((p, p))
    score = np.zeros(p)
    parts = [dense(data, model, k) for k in np.unique(data.subject)]
    for design, y, v in parts:
        total += stats.multivariate_normal(design @ model.coefficients.ravel(), v).logpdf(y)
        information += design.T @ np.linalg.solve(v, design)
        score += design.T @ np.linalg.solve(v, y)
    np.testing.assert_allclose(model.coefficients.ravel(), np.linalg.solve(information, score), rtol=1e-8)
    np.testing.assert_allclose(
        model.standard_errors.ravel(), np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-8
    )  # fmt: skip
    if reml:
        total += 0.5 * p * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(information)[1]
    assert model.log_likelihood == pytest.approx(total, rel=1e-11)


@pytest.mark.parametrize("reml", [True, False])
def test_gradient_is_that_of_differences(fitted, reml):
    packing = Packing(4, 2)
    theta = fitted.optimum.theta + 0.1 * np.random.default_rng(0).standard_normal(packing.size)
    _, gradient = packing.minus(fitted.layout, theta, reml)
    step = 1e-5
    differences = [
        (packing.minus(fitted.layout, theta + e, reml)[0] - packing.minus(fitted.layout, theta - e, reml)[0])
        / (2.0 * step)
        for e in step * np.eye(packing.size)
    ]
    np.testing.assert_allclose(gradient, differences, atol=2e-5)


def test_expectation_maximisation_never_goes_down_and_creeps_to_the_same_maximum(fitted):
    g, r = np.eye(4), np.eye(2)
    values = []
    for _ in range(30):
        values.append(solve(fitted.layout, root(g), r).log_likelihood)
        g, r = expectation_maximisation(fitted.layout, g, r, 1, reml=True)
    assert (np.diff(values) > -1e-9).all()
    assert values[-1] < fitted.optimum.log_likelihood
    g, r = expectation_maximisation(fitted.layout, g, r, 500, reml=True)
    short = fitted.optimum.log_likelihood - solve(fitted.layout, root(g), r).log_likelihood
    assert 0.0 < short < 0.3  # EM creeps: this is why Newton ends the work


def test_balanced_random_intercepts_have_the_closed_form_of_analysis_of_variance():
    rng = np.random.default_rng(3)
    n, m = 40, 4
    y = rng.standard_normal(n)[:, None] * 1.5 + rng.standard_normal((n, m))
    baseline = Baseline.of(range(n), np.zeros((n, 0)), [])
    data = Cohort.of(
        baseline, [Outcome("y")], np.repeat(np.arange(n), m), np.tile(np.arange(m) + 1.0, n), y.reshape(-1, 1)
    )
    model = fit_mixed(data, random="intercept")
    # with time in the mean: within = the residual of y - patient mean on time; between = the patient means
    t = np.arange(m) - (m - 1) / 2.0
    slope = ((y - y.mean(1, keepdims=True)) @ t).mean() / (t @ t)
    within = ((y - y.mean(1, keepdims=True) - slope * t) ** 2).sum() / (n * (m - 1) - 1)
    between = y.mean(1).var(ddof=1) - within / m
    assert model.residual_covariance[0, 0] == pytest.approx(within, rel=1e-7)
    assert model.effects_covariance[0, 0] == pytest.approx(between, rel=1e-7)
    assert model.coefficients[0, 1] == pytest.approx(slope, rel=1e-7)


def test_random_intercepts_are_compound_symmetry_of_the_room_of_repeated_measures():
    data = cohort(5, regular=True, missing=0.2)
    model = fit_mixed(data, random="intercept")
    for o in range(2):
        seen = np.isfinite(data.values[:, o])
        x = model.mean.columns(data.baseline, data.subject, data.time, None, 1)[:, 0]
        one = Cohort.of(data.baseline, [OUTCOMES[o]], data.subject, data.time, data.values[:, [o]])
        alone = fit_mixed(one, random="intercept")
        theirs = fit(
            data.values[seen, o], x[seen], data.subject[seen], data.time[seen].astype(int).astype(str),
            visits=[str(k + 1) for k in range(5)], names=model.names, structure="compound symmetry", degrees="residual",
        )  # fmt: skip
        np.testing.assert_allclose(alone.coefficients[0], theirs.coefficients, rtol=1e-5, atol=1e-7)
        sigma = theirs.sigma["all"]
        assert alone.effects_covariance[0, 0] == pytest.approx(sigma[0, 1], rel=1e-5)
        assert alone.residual_covariance[0, 0] == pytest.approx(sigma[0, 0] - sigma[0, 1], rel=1e-5)


def test_complete_pairs_of_outcomes_are_an_unstructured_normal():
    """One visit regular grid, two outcomes: with intercepts alone the fit must equal that of its own dense likelihood."""
    data = cohort(8, patients=60, regular=True, missing=0.0, visits=3)
    model = fit_mixed(data, random="intercept", reml=False)
    n, m, q = 60, 3, 2
    y = data.values.reshape(n, m, q)
    x = model.mean.columns(data.baseline, data.subject, data.time, None, q)[:, 0].reshape(n, m, -1)
    rest = y - np.einsum("imd,od->imo", x, model.coefficients)
    within = rest - rest.mean(1, keepdims=True)
    r = np.einsum("imo,imp->op", within, within) / (n * (m - 1))  # sufficient statistics of the two strata
    total = np.einsum("io,ip->op", rest.mean(1), rest.mean(1)) / n
    np.testing.assert_allclose(model.residual_covariance, r, rtol=1e-6)
    np.testing.assert_allclose(model.effects_covariance, total - r / m, rtol=1e-5, atol=1e-7)


def test_truth_is_found_within_its_standard_errors():
    away, effects, residual = [], [], []
    for seed in range(14):
        model = fit_mixed(cohort(100 + seed, patients=120))
        away.append((model.coefficients - BETA) / model.standard_errors)
        effects.append(model.effects_covariance)
        residual.append(model.residual_covariance)
    away = np.array(away)
    assert np.abs(away.mean(0)).max() < 3.5 / np.sqrt(14)
    assert 0.8 < np.sqrt((away**2).mean()) < 1.2
    for values, truth in ((effects, EFFECTS), (residual, RESIDUAL)):
        error = np.std(values, 0, ddof=1) / np.sqrt(14)
        assert (np.abs(np.mean(values, 0) - truth) < 3.5 * error).all()


def test_a_variance_of_zero_is_found_and_said():
    rng = np.random.default_rng(2)
    n, m = 50, 4
    y = rng.standard_normal((n * m, 1))
    y = y - np.repeat(y.reshape(n, m).mean(1), m)[:, None] * 0.9  # less between patients than chance would give
    baseline = Baseline.of(range(n), np.zeros((n, 0)), [])
    data = Cohort.of(baseline, [Outcome("y")], np.repeat(np.arange(n), m), np.tile(np.arange(m) + 1.0, n), y)
    model = fit_mixed(data, random="intercept")
    assert model.effects_covariance[0, 0] < 1e-8
    assert any("no variance" in note for note in model.notes)
    assert np.isfinite(draw(model, data.baseline, [1.0, 2.0], draws=50).working).all()


def test_too_few_patients_for_slopes_end_at_a_singular_covariance_that_is_said():
    data = cohort(1000, patients=20)
    model = fit_mixed(data)
    assert any("perfectly correlated" in note for note in model.notes)
    assert model.optimum.decrement < 1e-8
    g, r = model.effects_covariance, model.residual_covariance
    assert np.linalg.eigvalsh(g)[0] > -1e-12
    drawn = draw(model, data.baseline, [1.0, 3.0], draws=100)
    sd = np.sqrt(np.array([g[0, 0] + 2 * g[0, 1] + g[1, 1] + r[0, 0]]))
    assert drawn.sd[0::2, 0].mean() == pytest.approx(sd[0], rel=0.6)  # no blow-up along flat directions


def test_draws_given_history_follow_the_dense_conditional_normal():
    data = cohort(1, patients=600)
    fitted = fit_mixed(data)
    patient = data.take([next(k for k in range(150) if (data.time[data.subject == k] < 2.0).sum() in (2, 3))])
    past = patient.between(0.0, 2.0)
    assert len(past.time) in (2, 3)
    later = np.array([2.5, 3.5])
    mean, covariance = fitted.moments(patient.baseline, np.zeros(2, int), later, history=past)
    design, y, v = dense(past, fitted, 0)
    empty = np.full((2, 2), np.nan)
    whole = Cohort.of(
        patient.baseline, OUTCOMES, np.zeros(len(past.time) + 2, int), np.append(past.time, later),
        np.concatenate([past.values, np.nan_to_num(empty, nan=0.0)]),
    )  # fmt: skip
    design_all, _, v_all = dense(whole, fitted, 0)
    k = len(y)
    gain = np.linalg.solve(v, v_all[:k, k:]).T
    beta = fitted.coefficients.ravel()
    expected = design_all[k:] @ beta + gain @ (y - design @ beta)
    spread = v_all[k:, k:] - gain @ v_all[:k, k:]
    np.testing.assert_allclose(mean.ravel(), expected, rtol=1e-9)
    np.testing.assert_allclose(covariance[0], spread[:2, :2], rtol=1e-8)
    np.testing.assert_allclose(covariance[1], spread[2:, 2:], rtol=1e-8)
    # draws: the same mean; more spread, by what is not known of the parameters; the same dependence across visits
    drawn = draw(fitted, patient.baseline, later, history=past, draws=2000, seed=1).working.reshape(2000, 4)
    error = np.sqrt(np.diag(spread) / 2000)
    assert (np.abs(drawn.mean(0) - expected) < 5.0 * error + 0.03).all()
    ratio = drawn.var(0) / np.diag(spread)
    assert (ratio > 0.9).all()
    assert (ratio < 1.15).all()
    correlation = spread / np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    assert np.abs(np.corrcoef(drawn.T) - correlation).max() < 0.08


def test_intervals_hold_outcomes_of_new_patients_as_often_as_they_say():
    train, fresh = cohort(21, patients=60), cohort(22, patients=1500)
    model = fit_mixed(train)
    drawn = draw(model, fresh.baseline, fresh.time, subject=fresh.subject, draws=400, seed=2)
    low, high = drawn.interval(0.9)
    seen = np.isfinite(fresh.values)
    inside = (fresh.values >= low) & (fresh.values <= high)
    assert inside[seen].mean() == pytest.approx(0.9, abs=0.03)


def test_a_patient_is_drawn_the_same_alone_and_in_company(data, fitted):
    together = draw(fitted, data.baseline, [1.0, 3.0], draws=20, seed=4)
    alone = draw(fitted, data.baseline.take([5]), [1.0, 3.0], draws=20, seed=4)
    np.testing.assert_allclose(together.of("p5"), alone.of("p5"), rtol=1e-12)
    assert alone.of("p5").shape == (20, 2, 2)
    other = draw(fitted, data.baseline.take([5]), [1.0, 3.0], draws=20, seed=5)
    assert not np.allclose(alone.of("p5"), other.of("p5"))
    second = draw(fitted, data.baseline, [1.0, 3.0], draws=20, seed=4, outcomes=["second"])
    np.testing.assert_array_equal(second.working[:, :, 0], together.working[:, :, 1])


def test_draws_say_what_they_hold_under(data, fitted):
    drawn = draw(fitted, data.baseline.take([0]), [1.0, 9.0], draws=3)
    assert any("death and drop-out are not drawn" in one for one in drawn.conditions)
    assert any("extrapolated" in one for one in drawn.conditions)
    table = drawn.table()
    assert table.height == 3 * 2 * 2
    assert table["synthetic"].all()


def test_a_mechanism_is_one_more_column(data):
    rng = np.random.default_rng(6)
    forecast = rng.standard_normal(data.values.shape)
    told = Cohort.of(data.baseline, OUTCOMES, data.subject, data.time, data.values + 2.0 * forecast, mechanism=forecast)
    model = fit_mixed(told)
    assert model.names[-1] == "mechanism"
    away = (model.coefficients[:, -1] - 2.0) / model.standard_errors[:, -1]
    assert np.abs(away).max() < 3.5
    drawn = draw(model, told.baseline.take([0]), [1.0], draws=500, mechanism=[[3.0, 0.0]])
    without = draw(model, told.baseline.take([0]), [1.0], draws=500, mechanism=[[0.0, 0.0]])
    assert (drawn.mean - without.mean)[0] == pytest.approx([6.0, 0.0], abs=0.3)
    with pytest.raises(AnalysisError, match="no mechanism"):
        draw(model, told.baseline, [1.0], draws=5)


def test_natural_spline_is_smooth_and_linear_outside():
    knots, step = (1.0, 2.0, 4.0, 6.0), 1e-3
    assert spline(np.array([1.0]), knots).shape == (1, 3)
    for outside in (0.5, 8.0):
        two = np.diff(spline(outside + step * np.arange(3), knots), 2, axis=0)
        np.testing.assert_allclose(two, 0.0, atol=1e-9)
    for knot in knots:
        around = spline(knot + step * np.arange(-2, 3), knots)
        second = np.diff(around, 2, axis=0) / step**2
        np.testing.assert_allclose(second[0], second[-1], atol=0.05)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda c: {"subject": c.subject, "values": np.where(np.isfinite(c.values), np.inf, c.values)}, "infinite"),
        (lambda c: {"subject": c.subject, "time": -c.time}, "negative"),
        (lambda c: {"subject": c.subject + 10**6}, "does not hold"),
        (lambda c: {"subject": c.subject * 0, "time": c.time * 0}, "has one already"),
    ],
)
def test_bad_visits_are_errors(data, change, words):
    given = {"subject": data.subject, "time": data.time, "values": data.values} | change(data)
    with pytest.raises(AnalysisError, match=words):
        Cohort.of(data.baseline, OUTCOMES, **given)


def test_collinear_covariates_and_determined_outcomes_are_errors(data):
    twice = Baseline.of(data.baseline.subjects, np.repeat(data.baseline.covariates, 2, 1), ["c", "again"])
    with pytest.raises(AnalysisError, match="others determine"):
        fit_mixed(Cohort.of(twice, OUTCOMES, data.subject, data.time, data.values))
    copied = np.repeat(data.values[:, :1], 2, 1)
    with pytest.raises(AnalysisError, match="singular"):
        fit_mixed(Cohort.of(data.baseline, OUTCOMES, data.subject, data.time, copied))
    with pytest.raises(AnalysisError, match="every covariate"):
        Baseline.of(["a", "b"], [[1.0], [np.nan]], ["c"])
    with pytest.raises(AnalysisError, match="knots"):
        Mean(knots=(1.0, 2.0))
