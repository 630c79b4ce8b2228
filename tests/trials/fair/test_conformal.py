"""Conformal coverage is exact in finite samples, per group where the width is per group."""

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.statistics.conformal import quantile
from medtwin.trials.fair.conformal import conformal, leave_one_out, scores


def test_mondrian_coverage_is_exact_in_each_group_and_split_coverage_is_not():
    """Two groups, one three times as uncertain: n calibration patients give k/(n + 1), k = ceil((n + 1) 0.9), in each."""
    rng = np.random.default_rng(1)
    sizes, spread, repeats = (19, 26), (1.0, 3.0), 1500
    own = np.zeros(2)
    pooled = np.zeros(2)
    for _ in range(repeats):
        calibration = [np.abs(rng.normal(size=n)) * s for n, s in zip(sizes, spread, strict=True)]
        for g, s in enumerate(spread):
            test = np.abs(rng.normal(size=20)) * s
            own[g] += conformal(calibration[g], test, name="own").coverage.value
            pooled[g] += conformal(np.concatenate(calibration), test, name="all").coverage.value
    own, pooled = own / repeats, pooled / repeats
    for g, n in enumerate(sizes):
        wanted = np.ceil((n + 1) * 0.9 - 1e-9) / (n + 1)
        assert own[g] == pytest.approx(wanted, abs=3.5 * 0.09 / np.sqrt(repeats))
    assert pooled[0] > 0.97
    assert pooled[1] < 0.88


def test_covered_patients_are_beta_binomial():
    """So that the p value of too few is uniform (discrete: never too often small)."""
    rng = np.random.default_rng(2)
    p = np.array([conformal(rng.random(30), rng.random(25), name="c").coverage.p_value for _ in range(2000)])
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 3.0 * np.sqrt(level * (1 - level) / 2000)
    k, m, n = 28, 25, 30
    theirs = stats.betabinom.cdf(np.arange(m + 1), m, k, n + 1 - k)
    reachable = [x for x in theirs if 0.02 < x < 0.6]
    for x in reachable:
        assert (p <= x + 1e-12).mean() == pytest.approx(x, abs=0.045)


def test_sets_of_an_event():
    """Scores are one less the probability of what happened; with q = 0.5 every set holds exactly the likelier outcome."""
    y, p = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.4])
    assert scores(y, p, binary=True).tolist() == pytest.approx([0.1, 0.2, 0.6])
    made = conformal(np.full(9, 0.5), scores(y, p, binary=True), name="c", target=0.9, predicted=p)
    assert (made.quantile, made.size) == (0.5, 1.0)
    assert made.coverage.value == pytest.approx(2.0 / 3.0)
    assert conformal(np.full(9, 1.0), scores(y, p, binary=True), name="c", predicted=p).size == 2.0


def test_too_few_to_promise():
    with pytest.raises(AnalysisError, match=r"8 calibration patients.*at least 9"):
        conformal(np.arange(8.0), np.arange(3.0), name="c", target=0.9)
    conformal(np.arange(9.0), np.arange(3.0), name="c", target=0.9)
    with pytest.raises(AnalysisError, match="nobody"):
        conformal(np.arange(20.0), np.zeros(0), name="c")


def test_leave_one_out_by_its_definition():
    """Each patient against the quantile of all others."""
    rng = np.random.default_rng(4)
    score, mine = rng.random(57), rng.random(57) < 0.4
    made = leave_one_out(score, score[mine], name="c", target=0.8)
    held = [score[i] <= quantile(np.delete(score, i), 0.8) for i in np.flatnonzero(mine)]
    assert made.coverage.value == np.mean(held)
    whole = leave_one_out(score, score, name="c", target=0.8).coverage
    assert whole.value == np.ceil(57 * 0.8) / 57
    assert (whole.p_value, whole.ideal, whole.note) == (None, None, "by construction")


def test_groups_that_are_alike_are_hypergeometric():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(3000):
        score = rng.random(60)
        p.append(leave_one_out(score, score[:20], name="c").coverage.p_value)
    reachable = stats.hypergeom.cdf(np.arange(21), 60, 54, 20)
    for level in reachable[(reachable > 0.005) & (reachable < 0.7)]:
        assert (np.array(p) <= level + 1e-12).mean() == pytest.approx(level, abs=3.5 * np.sqrt(level / 3000))


def test_leave_one_out_needs_ten_patients_for_nine_tenths():
    with pytest.raises(AnalysisError, match="9 patients"):
        leave_one_out(np.arange(9.0), np.arange(3.0), name="c")
    leave_one_out(np.arange(10.0), np.arange(3.0), name="c")
