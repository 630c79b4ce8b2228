"""Event times by hand, by permutation and by the definition of each statistic."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.concordance import concordance
from medtwin.trials.analysis.cox import cox, cox_fit
from medtwin.trials.analysis.kaplan import kaplan_meier, survival_effects
from medtwin.trials.analysis.logrank import Score, logrank

# Freireich et al. 1963, weeks in remission, 6-mercaptopurine and placebo: worked in every textbook (Cox 1972)
MERCAPTOPURINE = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
REMISSION_ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def leukaemia():
    return TrialData.of(
        [*PLACEBO, *MERCAPTOPURINE],
        ["placebo"] * 21 + ["drug"] * 21,
        control="placebo",
        event=[1] * 21 + REMISSION_ENDED,
    )


def trial(seed=0, size=200, effect=-0.5, arms=2, ties=False, **more):
    rng = np.random.default_rng(seed)
    arm, x = np.arange(size) % arms, rng.normal(size=(size, 2))
    time = rng.exponential(np.exp(-effect * arm - x @ [0.8, -0.5]))
    censored = rng.exponential(2.0, size)
    seen = np.minimum(time, censored)
    return TrialData.of(np.ceil(seen * 10) if ties else seen, arm, covariates=x, event=time <= censored, **more)


def censored():
    return TrialData.of([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], event=[1, 0, 1, 0])


def test_leukaemia_as_in_the_textbooks():
    assert logrank(leukaemia())["log-rank drug"].statistic ** 2 == pytest.approx(16.79, abs=0.005)
    assert logrank(leukaemia())["log-rank drug"].value == pytest.approx(9 - 19.25, abs=0.005)
    breslow, efron = (
        cox(leukaemia(), ties=ties, variance="model")["hazard ratio drug / placebo"] for ties in ("breslow", "efron")
    )
    assert (breslow.value, breslow.standard_error) == pytest.approx((-1.509, 0.4096), abs=5e-4)
    assert (efron.value, efron.standard_error) == pytest.approx((-1.572, 0.4124), abs=5e-4)
    curve = kaplan_meier(np.array(MERCAPTOPURINE, float), np.array(REMISSION_ENDED))
    assert curve.survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert curve.at(10.0) == pytest.approx((0.753, 0.0963), abs=5e-4)


def test_quantiles():
    """Freireich's remissions on 6-MP: median 23 weeks, lower limit 13 by log(-log S) (survfit), no upper one; a flat half."""
    curve = kaplan_meier(np.array(MERCAPTOPURINE, float), np.array(REMISSION_ENDED))
    assert curve.quantile() == (23.0, 13.0, np.inf)
    flat = kaplan_meier(np.array([1.0, 2.0, 4.0, 5.0]), np.ones(4))
    assert flat.quantile()[0] == 3.0
    assert flat.quantile(0.9)[0] == 5.0
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        flat.quantile(1.0)


def test_concordance():
    """By hand: (1, 2), (1, 3), (1, 4) and (2, 4) of five pairs agree or tie; a censored time comes after an equal event."""
    time, event, risk = np.array([1.0, 2.0, 2.0, 3.0]), np.array([1, 1, 0, 1]), np.array([4.0, 2.0, 3.0, 2.0])
    assert concordance(time, event, risk) == pytest.approx((3 + 0 + 0.5) / 5)
    with pytest.raises(AnalysisError, match="can be compared"):
        concordance(time, np.zeros(4), risk)
    with pytest.raises(AnalysisError, match="shapes"):
        concordance(time, event, risk[:2])


def test_kaplan_meier_by_hand():
    curve = kaplan_meier(np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([1, 1, 0, 0, 1]))
    assert list(curve.at_risk) == [5, 4, 1]
    assert list(curve.survival) == pytest.approx([0.8, 0.6, 0.0])
    assert curve.at(0.5) == (1.0, 0.0)
    assert curve.at(2.0)[1] == pytest.approx(0.6 * math.sqrt(1 / 20 + 1 / 12))
    assert curve.at(9.0) == (0.0, 0.0)  # everyone has had the event
    mean, error = curve.restricted_mean(3.5)
    assert mean == pytest.approx(1.0 + 0.8 + 1.5 * 0.6)
    assert error == pytest.approx(math.sqrt((0.8 + 0.9) ** 2 / 20 + 0.9**2 / 12))
    assert curve.restricted_mean(6.0)[0] == pytest.approx(1.0 + 0.8 + 2 * 0.6)
    low, high = curve.interval(2.0)
    assert 0.0 < low < 0.6 < high < 1.0
    assert curve.interval(0.5) == (1.0, 1.0)


def test_without_censoring_the_curve_is_the_empirical_one():
    time = np.random.default_rng(0).exponential(size=50)
    curve = kaplan_meier(time, np.ones(50))
    survival, error = curve.at(0.7)
    share = (time > 0.7).mean()
    assert survival == pytest.approx(share)
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 50))
    mean, error = curve.restricted_mean(0.7)
    cut = np.minimum(time, 0.7)
    assert mean == pytest.approx(cut.mean())
    assert error == pytest.approx(cut.std() / math.sqrt(50))


def test_survival_effects_and_their_names():
    found = survival_effects(trial(), times=[0.5], tau=1.0, unit="d", variance="greenwood", df="normal")
    data = trial()
    curves = [kaplan_meier(data.outcome[data.arm == a], data.event[data.arm == a]) for a in (0, 1)]
    effect = found["survival at 0.5 1 - 0"]
    assert effect.value == pytest.approx(curves[1].at(0.5)[0] - curves[0].at(0.5)[0])
    assert effect.standard_error == pytest.approx(math.hypot(curves[1].at(0.5)[1], curves[0].at(0.5)[1]))
    ratio = found["RMST ratio to 1 1 / 0"]
    assert ratio.reported[0] == pytest.approx(found["RMST to 1, 1"].value / found["RMST to 1, 0"].value)
    assert found["RMST to 1 1 - 0"].unit == "d"
    assert "does not adjust" in found.notes[0]


def test_without_censoring_the_restricted_mean_is_compared_by_welch():
    random = np.random.default_rng(3)
    arm = np.repeat([0, 1], [12, 19])
    time = random.exponential(1.0 + 0.5 * arm)
    data = TrialData.of(time, arm, event=np.ones(31))
    ours = survival_effects(data, tau=1.5)["RMST to 1.5 1 - 0"]
    cut = np.minimum(time, 1.5)
    theirs = stats.ttest_ind(cut[arm == 1], cut[arm == 0], equal_var=False)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9)
    assert ours.df == pytest.approx(theirs.df, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    plain = survival_effects(data, tau=1.5, variance="greenwood", df="normal")
    assert plain["RMST to 1.5 1 - 0"].standard_error < ours.standard_error
    assert "fewer than 30" in plain.notes[0]
    assert not survival_effects(data, tau=1.5).notes
    lone = TrialData.of([1.0, 2.0, 3.0], [0, 1, 1], event=[1, 1, 1])
    with pytest.raises(AnalysisError, match="an arm of one patient"):
        survival_effects(lone, tau=0.5)
    with pytest.raises(AnalysisError, match="HC4"):
        survival_effects(data, tau=1.5, variance="HC4")


def test_an_arm_without_events_is_remarked():
    found = survival_effects(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1], event=[1, 0, 0, 0]), times=[1.5])
    assert found["survival at 1.5 1 - 0"].value == 0.5
    assert "no event in arm 1 by 1.5" in found.notes[0]


@pytest.mark.parametrize("theta", [0.0, -0.7])
@pytest.mark.parametrize("ties", [False, True])
def test_score_and_contributions_by_definition(theta, ties):
    data = trial(size=60, ties=ties, strata=["a", "b", "b"] * 20)
    score = Score(data, adjusted=False, small_sample=False)
    total = 0.0
    each = np.zeros(60)
    for z in (0, 1):
        inside = data.strata == z
        for t in np.unique(data.outcome[inside & data.event]):
            risk = inside & (data.outcome >= t)
            treated, control = math.exp(theta) * (risk & (data.arm == 1)).sum(), (risk & (data.arm == 0)).sum()
            dying = inside & data.event & (data.outcome == t)
            total += sum(data.arm[i] - treated / (treated + control) for i in np.flatnonzero(dying))
            for i in np.flatnonzero(inside):
                other = (control if data.arm[i] else treated) / (treated + control)
                hazard = dying.sum() / (treated + control) * (math.exp(theta) if data.arm[i] else 1.0)
                each[i] += other * (dying[i] - risk[i] * hazard)
    assert score.plain(theta, ties=False)[0] == pytest.approx(total)
    assert score.contributions(theta) == pytest.approx(each)
    assert each[data.arm == 1].sum() - each[data.arm == 0].sum() == pytest.approx(total)
    step = 1e-5
    fall = (score.plain(theta - step, ties=False)[0] - score.plain(theta + step, ties=False)[0]) / (2 * step)
    assert score.plain(theta, ties=False)[1] == pytest.approx(fall, rel=1e-6)


def test_marginal_hazard_ratio_without_covariates_is_breslow():
    for strata in (None, ["a", "a", "b", "b"] * 50):
        data = trial(ties=True, strata=strata)
        ours = logrank(data, adjusted=False)["hazard ratio 1 / 0"]
        theirs = cox_fit(data.outcome, data.event, data.arm[:, None].astype(float), strata=data.strata, ties="breslow")
        assert ours.value == pytest.approx(theirs.coefficients[0], rel=1e-9)
        assert ours.standard_error == pytest.approx(math.sqrt(theirs.covariance[0, 0]), rel=1e-9)


def test_permutation_gives_the_same_p_value():
    rng = np.random.default_rng(8)
    data = trial(seed=5, size=100, effect=-0.35)
    for adjusted in (False, True):
        seen = logrank(data, adjusted=adjusted, hazard_ratio=False)["log-rank 1"]
        drawn = []
        for _ in range(1000):
            mixed = TrialData.of(data.outcome, rng.permutation(data.arm), covariates=data.covariates, event=data.event)
            drawn.append(logrank(mixed, adjusted=adjusted, hazard_ratio=False)["log-rank 1"].statistic)
        share = (np.abs(drawn) >= abs(seen.statistic)).mean()
        assert share == pytest.approx(seen.p_value, abs=3 * math.sqrt(share * (1 - share) / 1000) + 0.015)


@pytest.mark.slow
def test_type_one_error_of_small_adjusted_trials():
    rng, arm, rejected = np.random.default_rng(12), np.arange(60) % 2, np.zeros((3000, 2))
    for number in range(3000):
        x = rng.normal(size=(60, 3))
        time, censored = rng.exponential(np.exp(-0.4 * x.sum(axis=1))), rng.exponential(2.0, 60)
        data = TrialData.of(np.minimum(time, censored), arm, covariates=x, event=time <= censored)
        for place, small in enumerate((True, False)):
            rejected[number, place] = logrank(data, hazard_ratio=False, small_sample=small)["log-rank 1"].p_value < 0.05
    ours, paper = rejected.mean(axis=0)
    assert ours == pytest.approx(0.05, abs=3 * 0.004)
    assert ours < paper


def test_the_small_sample_variance_is_the_larger_and_fades():
    for size, most in ((60, 1.2), (4000, 1.003)):
        small, paper = (logrank(trial(size=size), small_sample=it)["log-rank 1"].standard_error for it in (True, False))
        assert 1.0 < small / paper < most


def test_adjustment_sharpens_and_keeps_the_marginal_ratio():
    plain, sharp, values = [], [], []
    for seed in range(40):
        data = trial(seed=seed, size=300)
        plain.append(logrank(data, adjusted=False)["hazard ratio 1 / 0"])
        sharp.append(logrank(data)["hazard ratio 1 / 0"])
        values.append((plain[-1].value, sharp[-1].value))
    spread = np.std(values, axis=0, ddof=1)
    assert spread[1] < 0.9 * spread[0]
    assert np.mean([e.standard_error for e in sharp]) == pytest.approx(spread[1], rel=0.25)
    centre = np.mean(values, axis=0)
    assert centre[1] == pytest.approx(centre[0], abs=3 * spread[0] / math.sqrt(40))
    conditional = np.mean([cox(trial(seed=seed, size=300))["hazard ratio 1 / 0"].value for seed in range(40)])
    assert conditional < centre[0] - 0.05  # further from 0: another quantity


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_maximises_the_likelihood_written_out(ties):
    data = trial(size=60, ties=True, strata=["a", "a", "b"] * 20)
    design = np.column_stack([data.arm, data.covariates])
    fitted = cox_fit(data.outcome, data.event, design, strata=data.strata, ties=ties)

    def likelihood(beta):
        out, eta = 0.0, design @ beta
        for z in (0, 1):
            for t in np.unique(data.outcome[data.event & (data.strata == z)]):
                dying = (data.strata == z) & data.event & (data.outcome == t)
                risk = np.exp(eta[(data.strata == z) & (data.outcome >= t)]).sum()
                for number in range(dying.sum()):
                    own = np.exp(eta[dying]).sum() * number / dying.sum() if ties == "efron" else 0.0
                    out -= math.log(risk - own)
                out += eta[dying].sum()
        return out

    assert fitted.log_likelihood == pytest.approx(likelihood(fitted.coefficients), rel=1e-12)
    assert fitted.null_log_likelihood == pytest.approx(likelihood(np.zeros(3)), rel=1e-12)
    assert np.abs(optimize.approx_fprime(fitted.coefficients, likelihood, 1e-6)).max() < 1e-3
    step, hessian = 1e-4, np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            a, b = np.eye(3)[i] * step, np.eye(3)[j] * step
            hessian[i, j] = sum(
                s * r * likelihood(fitted.coefficients + s * a + r * b) for s in (1, -1) for r in (1, -1)
            )
    assert np.linalg.inv(-hessian / (4 * step**2)) == pytest.approx(fitted.covariance, rel=1e-4, abs=1e-6)


def test_the_score_statistic_of_cox_is_the_log_rank_without_ties():
    data = trial()
    fitted = cox_fit(data.outcome, data.event, data.arm[:, None].astype(float))
    assert fitted.score_statistic == pytest.approx(logrank(data, adjusted=False)["log-rank 1"].statistic ** 2)
    assert special.chdtrc(1, fitted.score_statistic) == pytest.approx(
        logrank(data, adjusted=False)["log-rank 1"].p_value
    )


def test_three_arms_are_compared_with_control():
    data = trial(arms=3, size=300)
    found = logrank(data)
    assert [e.name for e in found.estimates][2:] == ["log-rank 2", "hazard ratio 2 / 0"]
    alone = TrialData.of(
        data.outcome[data.arm != 1], data.arm[data.arm != 1], covariates=data.covariates[data.arm != 1],
        event=data.event[data.arm != 1],
    )  # fmt: skip
    assert logrank(alone)["hazard ratio 2 / 0"].value == pytest.approx(found["hazard ratio 2 / 0"].value)
    assert len(cox(data).estimates) == 2


def test_silent_strata_and_useless_covariates_are_named():
    data = TrialData.of(
        [1, 2, 3, 4, 5, 6, 7, 8.0], [0, 1, 0, 1, 0, 1, 0, 0], event=[1, 1, 1, 1, 1, 1, 1, 1],
        strata=["a"] * 6 + ["b"] * 2, covariates=np.ones((8, 1)), covariate_names=["site"],
    )  # fmt: skip
    found = logrank(data)
    assert "1 of 2 strata say nothing" in found.notes[0]
    assert "site is the same" in found.notes[1]
    assert "stratified by 2 strata" in found.method


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: logrank(TrialData.of([1.0, 2.0], [0, 1])), "no event indicators"),
        (lambda: logrank(TrialData.of([1.0, 2.0], [0, 1], event=[0, 0])), "no events at all"),
        (lambda: cox(TrialData.of([1.0, 2.0], [0, 1], event=[0, 0])), "no events at all"),
        (lambda: logrank(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1], event=[1, 1, 0, 0])), "0 or infinite"),
        (lambda: cox(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1], event=[1, 1, 0, 0])), "no event in arm 1"),
        (lambda: cox(TrialData.of([1.0, 2, 3, 4], [0, 0, 1, 1], event=[1, 1, 1, 1])), "rises for ever|infinity"),
        (
            lambda: logrank(TrialData.of([1.0, 2, 3], [0, 0, 1], event=[1, 1, 1], strata=["a", "a", "b"])),
            "both arms were at",
        ),
        (lambda: survival_effects(censored(), times=[5.0]), "after the last follow-up"),
        (lambda: survival_effects(censored(), tau=5.0), "after the last follow-up"),
        (lambda: survival_effects(trial(), tau=0.0), "above 0"),
        (lambda: survival_effects(trial()), "neither times nor tau"),
        (lambda: survival_effects(TrialData.of([1.0, 2.0], [0, 1]), tau=1.0), "no event indicators"),
        (lambda: cox(trial(), ties="exact"), "exact"),
        (lambda: cox_fit(np.ones(4), np.ones(4, bool), np.ones((4, 1))), "constant columns"),
        (
            lambda: cox_fit(np.arange(1.0, 6), np.ones(5, bool), np.array([[0, 0], [1, 2], [0, 0], [1, 2], [1, 2.0]])),
            "collinear",
        ),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(AnalysisError, match=words):
        make()


def test_too_few_patients_for_the_slopes():
    data = trial(size=8)
    with pytest.raises(AnalysisError, match="for 3 slopes"):
        logrank(
            TrialData.of(data.outcome, data.arm, covariates=np.random.default_rng(0).normal(size=(8, 3)), event=[1] * 8)
        )


def test_a_covariate_constant_within_an_arm_is_refused():
    data = trial(size=40)
    table = np.where(data.arm == 0, 0.0, data.covariates[:, 0])[:, None]
    with pytest.raises(AnalysisError, match="within an arm"):
        logrank(TrialData.of(data.outcome, data.arm, covariates=table, event=data.event))


def test_all_events_and_ties_everywhere():
    data = TrialData.of([1.0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 1], event=[1] * 6)
    found = logrank(data)["log-rank 1"]
    expected = 3 * 3 / 6 + 3 * 2 / 3
    assert found.value == pytest.approx(3 - expected)
    assert found.standard_error**2 == pytest.approx(3 * 0.25 * 3 / 5 + 0.0)
