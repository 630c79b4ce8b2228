"""Closeness and fidelity of made-up records: the published figures of three sets, and a verdict that looks at the tails."""

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from medtwin.statistics.closeness import privacy
from medtwin.statistics.fidelity import fidelity, greatest_distance

NUMBERS = ["age", "wtkg", "preanti", "cd40", "cd420", "cd80", "cd820"]
FILES = ("copula", "leaky_jitter15pct", "copula_plus_5pct_exact_copies")


def source(rng, n):
    """Real records: four correlated numbers and a code."""
    x = rng.standard_normal((n, 4)) @ np.linalg.cholesky(0.5 + 0.5 * np.eye(4)).T
    return np.column_stack([x, rng.integers(0, 2, n)])


MASK = np.array([True, True, True, True, False])


@pytest.fixture(scope="module")
def trial(shared_data):
    folder = shared_data / "trials"
    made = {name: pl.read_csv(folder / f"privacy_synth_{name}.csv") for name in FILES}
    columns = made["copula"].columns
    patients = (
        pl.read_csv(folder / "actg175.csv", null_values="NA").sort("pidnum").select(columns).to_numpy().astype(float)
    )
    reference = json.loads((folder / "reference_privacy_fidelity.json").read_text())
    mask = np.array([name in NUMBERS for name in columns])
    return {k: v.to_numpy().astype(float) for k, v in made.items()}, patients[0::3], patients[1::3], mask, reference


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_reference_figures(trial, name):
    made, train, holdout, mask, reference = trial
    ours, theirs = privacy(made[name], train, holdout, mask).closeness, reference[name]
    alike = fidelity(made[name], train, mask)
    for value, key in (
        (ours.median, "dcr_median"), (ours.fifth_percentile, "dcr_p5"), (ours.real_median, "dcr_real_real_median"),
        (ours.real_fifth_percentile, "dcr_real_real_p5"), (ours.closer_to_train, "share_closer_to_train"),
        (ours.ratio_median, "nndr_median"), (ours.ratio_fifth_percentile, "nndr_p5"),
        (ours.exact_copies, "exact_match_rate"), (ours.attack_auc, "mia_auc_nearest_synth"), (alike.largest, "ks_max"),
        (alike.correlation_difference, "corr_frob_diff"),
    ):  # fmt: skip
        assert value == pytest.approx(theirs[key], rel=1e-8, abs=1e-12), key


@pytest.mark.shared
def test_a_clean_set_passes_and_copies_fail_although_averages_look_fine(trial):
    made, train, holdout, mask, _ = trial
    assert privacy(made["copula"], train, holdout, mask).passed
    copied = privacy(made["copula_plus_5pct_exact_copies"], train, holdout, mask)
    clean = privacy(made["copula"], train, holdout, mask).closeness
    assert copied.closeness.median == pytest.approx(clean.median, rel=0.02)
    assert copied.closeness.attack_auc < 0.55
    assert copied.closeness.closer_to_train < 0.55
    assert not copied.passed
    assert {"exact copies", "near copies, by distance"} <= {check.name for check in copied.checks if check.failed}
    assert not privacy(made["leaky_jitter15pct"], train, holdout, mask).passed


def test_verdict_keeps_its_level_and_finds_few_copies():
    rng = np.random.default_rng(1)
    failed, caught = 0, 0
    for _ in range(60):
        train, holdout, fresh = source(rng, 300), source(rng, 300), source(rng, 300)
        failed += not privacy(fresh, train, holdout, MASK).passed
        fresh[:15] = train[rng.choice(300, 15, replace=False)]
        caught += not privacy(fresh, train, holdout, MASK).passed
    assert failed <= 3
    assert caught == 60


def test_jittered_copies_are_found():
    rng = np.random.default_rng(2)
    train, holdout = source(rng, 300), source(rng, 300)
    jittered = train + 0.1 * rng.standard_normal(train.shape) * MASK
    found = privacy(jittered, train, holdout, MASK)
    assert not found.passed
    assert found.closeness.exact_copies == 0.0


def test_categories_that_repeat_are_no_copies_where_unseen_records_repeat_too():
    rng = np.random.default_rng(3)
    train, holdout, fresh = (rng.integers(0, 3, (400, 4)).astype(float) for _ in range(3))
    found = privacy(fresh, train, holdout, np.zeros(4, bool))
    assert found.closeness.exact_copies > 0.9
    assert found.passed


def test_measures_do_not_depend_on_units_or_order():
    rng = np.random.default_rng(4)
    train, holdout, fresh = source(rng, 100), source(rng, 100), source(rng, 100)
    first = privacy(fresh, train, holdout, MASK).closeness
    scale = np.array([2.0, 10.0, 0.1, 5.0, 1.0])
    shuffled = privacy(rng.permutation(fresh) * scale, rng.permutation(train) * scale, holdout * scale, MASK).closeness
    assert shuffled.median == pytest.approx(first.median, rel=1e-10)
    assert shuffled.attack_auc == pytest.approx(first.attack_auc, abs=1e-12)


def test_greatest_distance_is_that_of_scipy_with_ties():
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 6, 40).astype(float), rng.integers(1, 7, 33).astype(float)
    assert greatest_distance(a, b) == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12)


def test_records_that_cannot_be_compared_are_errors():
    rng = np.random.default_rng(6)
    good = source(rng, 50)
    with pytest.raises(ValueError, match="nothing missing"):
        privacy(np.full_like(good, np.nan), good, good, MASK)
    with pytest.raises(ValueError, match="20 or more"):
        privacy(good[:5], good, good, MASK)
    with pytest.raises(ValueError, match="does not vary"):
        fidelity(np.zeros((30, 5)), good)
