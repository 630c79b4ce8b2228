"""What holds of every plan: more patients, more effect, a better score and a higher level never lose power."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.planning.allocation import controls_removable, optimal, saving
from medtwin.trials.planning.ancova import Continuous
from medtwin.trials.planning.assurance import assurance, fisher_spread
from medtwin.trials.planning.binary import Binary
from medtwin.trials.planning.counts import Counts
from medtwin.trials.planning.discount import Discount
from medtwin.trials.planning.latent import residual_moments
from medtwin.trials.planning.marginal import Arm, Marginal
from medtwin.trials.planning.repeated import Repeated, covariance_of
from medtwin.trials.planning.survival import Survival, freedman_events, hazard_of, schoenfeld_events
from medtwin.trials.planning.variance import Arms, ancova_1, ancova_2, unadjusted
from medtwin.trials.planning.wald import quadrature_power, smallest_control_arm, t_power, whole_arms

sizes = st.integers(10, 400)
rs = st.floats(0.0, 0.9)


def classical(r=0.0, effect=0.3, sd=1.0, **more):
    return Continuous(effect=effect, arms=Arms(sd0=sd, sd1=sd, correlation0=r, correlation1=r), **more)


@settings(max_examples=60, deadline=None)
@given(n0=sizes, n1=sizes, r=rs, effect=st.floats(0.01, 2.0), q=st.integers(1, 5), alpha=st.floats(0.001, 0.2))
def test_exact_power_rises(n0, n1, r, effect, q, alpha):
    at = classical(r, effect, covariates=q, alpha=alpha)
    power, slack = at.exact(n0, n1), 1e-9
    assert alpha - slack <= power <= 1.0 + slack
    assert at.exact(n0 + 1, n1) >= power - slack
    assert at.exact(n0, n1 + 1) >= power - slack
    assert classical(min(r + 0.05, 0.95), effect, covariates=q, alpha=alpha).exact(n0, n1) >= power - slack
    assert classical(r, effect * 1.1, covariates=q, alpha=alpha).exact(n0, n1) >= power - slack
    assert classical(r, effect, covariates=q, alpha=alpha * 1.2).exact(n0, n1) >= power - slack
    assert classical(r, effect, covariates=q + 1, alpha=alpha).exact(n0, n1) <= power + slack
    assert power <= at.asymptotic(n0, n1) + slack
    assert classical(r, -effect, covariates=q, alpha=alpha).exact(n0, n1) == power


@settings(max_examples=40, deadline=None)
@given(r=rs, effect=st.floats(0.1, 2.0), allocation=st.floats(0.25, 4.0), power=st.floats(0.5, 0.97))
def test_the_planned_number_is_the_smallest(r, effect, allocation, power):
    at = classical(r, effect)
    n0, n1 = whole_arms(at.exact, allocation, power, 3.0)
    assert at.exact(n0, n1) >= power
    assert abs(n1 - n0 * allocation) <= 1.0 + 1e-9
    if n0 > 4 and n1 > 4:
        assert at.exact(n0 - 1, math.ceil((n0 - 1) * allocation - 1e-9)) < power


@settings(max_examples=60, deadline=None)
@given(s0=st.floats(0.1, 3), s1=st.floats(0.1, 3), r0=st.floats(-0.95, 0.95), r1=st.floats(-0.95, 0.95),
       allocation=st.floats(0.2, 5))  # fmt: skip
def test_two_slopes_are_never_worse(s0, s1, r0, r1, allocation):
    arms = Arms(sd0=s0, sd1=s1, correlation0=r0, correlation1=r1)
    best = ancova_2(arms, allocation) * (1 - 1e-9)
    assert best <= unadjusted(arms, allocation)
    assert best <= ancova_1(arms, allocation)
    pair = [Arm(mean=0, sd=s, correlation=r) for s, r in ((s0, r0), (s1, r1))]
    made = Marginal(control=pair[0], treated=pair[1], effect=1.0)
    assert made.variance(allocation) == pytest.approx(ancova_2(arms, allocation))
    assert made.variance(allocation) <= made.worst_variance(allocation) * (1 + 1e-9)
    if r0 * r1 >= 0.0:
        assert made.variance(allocation) <= made.bound(allocation) * (1 + 1e-9)


def test_the_published_bound_is_none_for_slopes_of_opposite_sign():
    control, treated = (Arm(mean=0, sd=1, correlation=r) for r in (0.9, -0.9))
    made = Marginal(control=control, treated=treated, effect=1.0)
    assert made.variance() == pytest.approx(4.0)
    assert made.bound() == pytest.approx(2.76)


@settings(max_examples=30, deadline=None)
@given(k0=st.floats(0.2, 3), k1=st.floats(0.2, 3), cost=st.floats(0.2, 5))
def test_the_optimal_allocation_costs_least(k0, k1, cost):
    def price(ratio):  # variance times cost of a trial of one patient
        return (k0**2 + k1**2 / ratio) * (1 + cost * ratio)

    best = optimal(k0, k1, 1.0, cost)
    assert price(best) <= min(price(best * 1.01), price(best / 1.01)) * (1 + 1e-12)


def test_a_normal_outcome_is_the_noncentral_t_to_second_order():
    for n0, n1 in ((20, 20), (30, 60), (100, 100)):
        arm = Arm(mean=0.0, sd=1.0)
        made = Marginal(control=arm, treated=arm, effect=0.5, covariates=0)
        assert made.second_order(n0, n1) == pytest.approx(classical(0, 0.5, covariates=0).noncentral(n0, n1), abs=0.006)


def test_noncentral_t_far_out_is_a_number():
    for df in (1.0, 3.0, 18.0, 50.0, 400.0, 1e5, 1e7):
        for away in (0.0, 5.0, 12.0, 20.0, 37.0, 40.0, 300.0):
            assert 0.0 <= t_power(away, 1.0, df, 0.05, 2) <= 1.0 + 1e-12
    with pytest.raises(AnalysisError, match="degrees of freedom"):
        t_power(1.0, 1.0, 0.0, 0.05, 2)
    with pytest.raises(AnalysisError, match="covariates"):
        quadrature_power(1.0, 1.0, 3.0, 4, 0.05, 2)


def test_half_the_controls_at_a_correlation_of_577():
    assert controls_removable(math.sqrt(1 / 3)) == pytest.approx(0.5)
    at, without = classical(math.sqrt(1 / 3)), classical(0.0, covariates=0)
    arms = whole_arms(without.exact, 1.0, 0.9)
    made = saving(at.exact, whole_arms(at.exact, 1.0, 0.9), arms, 0.9, "no adjustment", "exact")
    shares = {n.name: n.value for n in made.numbers() if n.unit == "%"}
    kept = f"against no adjustment, {arms[1]} treated kept"
    assert shares[f"controls saved at equal power, {kept}"] == pytest.approx(50, abs=1)
    assert shares[f"total N saved at equal power, {kept}"] == pytest.approx(25, abs=0.5)
    assert shares["total N saved at equal power, against no adjustment, same allocation"] == pytest.approx(33.3, abs=1)
    assert at.exact(made.treated_kept, arms[1]) >= 0.9 > at.exact(made.treated_kept - 1, arms[1])
    assert smallest_control_arm(at.exact, 20, 0.9) is None


def test_conventions_differ_and_say_so():
    by_variance = Discount(inflation=1.2, deflation=0.9)
    by_sd = Discount(inflation=1.2, deflation=0.9, convention="standard-deviation")
    assert by_variance.sd(2.0) ** 2 == pytest.approx(1.2 * 4.0)
    assert by_variance.correlation(0.5) ** 2 == pytest.approx(0.9 * 0.25)
    assert by_sd.sd(2.0) == pytest.approx(2.4)
    assert by_sd.correlation(0.5) == pytest.approx(0.45)
    assert "R2 x 0.9" in by_variance.words
    assert "correlation x 0.9" in by_sd.words
    assert Discount().words == ""


def test_assurance_is_power_where_everything_is_known_and_less_where_it_is_not():
    def power_of(r, effect):
        return classical(r, effect).exact(180, 180)

    known = power_of(0.5, 0.3)
    assert assurance(power_of, 0.5, 0.3) == pytest.approx(known)
    rng = np.random.default_rng(2)
    z = np.arctanh(0.5) + fisher_spread(0.5, historical=40) * rng.standard_normal(3000)
    effects = 0.3 + 0.1 * rng.standard_normal(3000)
    seen = np.mean([power_of(r, d) if d > 0 else 0.0 for r, d in zip(np.tanh(z), effects, strict=True)])
    made = assurance(power_of, 0.5, 0.3, spread=fisher_spread(0.5, historical=40), effect_sd=0.1)
    assert made == pytest.approx(seen, abs=0.015)
    assert made < known
    assert fisher_spread(0.5, standard_error=0.075) == pytest.approx(0.1)
    with pytest.raises(AnalysisError, match="historical"):
        fisher_spread(0.5, historical=3)


def test_discrete_outcomes_without_score_keep_their_moments():
    p = 0.3
    third, fourth = residual_moments(np.array([1 - p]), p, math.sqrt(p * (1 - p)), 0.0)
    assert third == pytest.approx(p * (1 - p) * (1 - 2 * p))
    assert fourth == pytest.approx(p * (1 - p) * (1 - 3 * p * (1 - p)))
    assert (
        residual_moments(np.array([1 - p]), p, math.sqrt(p * (1 - p)), 0.95)[1] > 0
    )  # more than a normal score can have


@pytest.mark.parametrize("scale", ["risk-difference", "risk-ratio", "odds-ratio"])
def test_a_score_helps_every_scale(scale):
    powers = [Binary(risk0=0.3, risk1=0.45, scale=scale, correlation0=r, correlation1=r).enumerated(150, 150)
              for r in (0.0, 0.3, 0.6)]  # fmt: skip
    assert powers == sorted(powers)


def test_a_large_trial_by_enumeration_is_asymptotic():
    made = Binary(risk0=0.3, risk1=0.31, correlation0=0.3, correlation1=0.3)
    assert made.enumerated(40_000, 40_000) == pytest.approx(made.contrast().asymptotic(40_000, 40_000), abs=0.002)


def test_non_inferiority_margins():
    made = Binary(risk0=0.3, risk1=0.3, margin=0.1, alpha=0.025, sides=1)
    assert made.enumerated(330, 330) == pytest.approx(made.contrast().asymptotic(330, 330), abs=0.02)
    ratio = Binary(risk0=0.3, risk1=0.3, scale="risk-ratio", margin=1.3, alpha=0.025, sides=1)
    assert 0.3 < ratio.enumerated(330, 330) < 0.9
    means = classical(0.5, 0.0, margin=-0.3, alpha=0.025, sides=1)
    assert means.exact(180, 180) == pytest.approx(classical(0.5, 0.3, alpha=0.025, sides=1).exact(180, 180))
    times = Survival(hazard0=0.1, hazard_ratio=1.0, accrual=12, followup=12, margin=1.3, alpha=0.025, sides=1)
    assert list(times.methods()) == ["Schoenfeld"]
    counts = Counts(rate0=2.0, ratio=1.0, margin=1.25, alpha=0.025, sides=1).contrast()
    assert 0.2 < counts.second_order(200, 200) < 0.95


def test_counts_lose_information_by_dispersion_and_drop_out():
    plain = Counts(rate0=1.2, ratio=0.7)
    assert plain.contrast().variance() == pytest.approx(2 / 1.2 + 2 / 0.84)
    assert Counts(rate0=1.2, ratio=0.7, dispersion=0.5).contrast().variance() == pytest.approx(2 / 1.2 + 2 / 0.84 + 2.0)
    left = Counts(rate0=1.2, ratio=0.7, dropout_hazard=0.2).contrast().variance()
    mean = (1 - math.exp(-0.2)) / 0.2
    assert left == pytest.approx((2 / 1.2 + 2 / 0.84) / mean, rel=1e-6)


def test_events_and_subjects():
    assert schoenfeld_events(0.7, power=0.8, correlation=0.5) == pytest.approx(0.75 * schoenfeld_events(0.7, power=0.8))
    assert freedman_events(0.5, power=0.8) == pytest.approx(9 * (1.959964 + 0.841621) ** 2, rel=1e-5)
    made = Survival(hazard0=hazard_of(median=12), hazard_ratio=0.7, accrual=24, followup=6, dropout_hazard0=0.01,
                    dropout_hazard1=0.01)  # fmt: skip
    rng, n = np.random.default_rng(1), 400_000
    time, gone = rng.exponential(1 / made.hazard0, n), rng.exponential(100, n)
    for calendar in (10.0, 30.0):
        entered = 24 * rng.random(n)
        seen = ((time < gone) & (time < calendar - entered)).mean()
        assert made.event_share(False, calendar) == pytest.approx(seen, abs=0.003)
    assert made.event_share(False, 0.0) == 0.0
    assert made.events(200, 200, made.time_of(200, 200, 150)) == pytest.approx(150)
    with pytest.raises(AnalysisError, match="events of"):
        made.time_of(200, 200, 399)


def test_last_visit_variance_is_that_of_the_estimate():
    """Generalised least squares with known covariance on simulated drop-out."""
    covariance = covariance_of("ar1", (8.0, 9.0, 10.0), 0.7)
    kept = (1.0, 0.8, 0.6)
    made = Repeated(effect=3, covariance=covariance, retention0=kept, retention1=(1.0, 1.0, 1.0))
    matrix, rng, n = np.array(covariance), np.random.default_rng(7), 400
    estimates = []
    for _ in range(1500):
        y = rng.multivariate_normal(np.zeros(3), matrix, n)
        last = 1 + (rng.random(n)[:, None] < np.array([0.8, 0.6])).sum(1)
        information, score = np.zeros((3, 3)), np.zeros(3)
        for j in (1, 2, 3):
            inverse, of = np.linalg.inv(matrix[:j, :j]), last == j
            information[:j, :j] += of.sum() * inverse
            score[:j] += inverse @ y[of, :j].sum(0)
        estimates.append(np.linalg.solve(information, score)[-1])
    assert made.last_variances()[0] / n == pytest.approx(np.var(estimates), rel=0.12)
    assert made.last_variances()[1] == pytest.approx(100.0)
    complete = Repeated(
        effect=3, covariance=covariance, retention0=(1, 1, 1), retention1=(1, 1, 1), correlations=(0.5,) * 3
    )
    assert complete.quadrature(80, 80) == pytest.approx(classical(0.5, 3.0, 10.0).exact(80, 80))
    assert made.asymptotic(80, 80) < complete.asymptotic(80, 80)


def test_no_patients_are_refused_by_every_method():
    endpoints = [
        classical(0.5),
        Continuous(effect=0.3, arms=Arms(sd0=1, sd1=2, correlation0=0.5, correlation1=0.2)),
        Binary(risk0=0.3, risk1=0.4),
        Binary(risk0=0.3, risk1=0.4, correlation0=0.3, correlation1=0.3),
        Counts(rate0=1.0, ratio=0.5),
        Survival(hazard0=0.1, hazard_ratio=0.7, accrual=1, followup=1),
        Repeated(effect=1, covariance=((1.0,),), retention0=(1,), retention1=(1,)),
    ]
    for endpoint in endpoints:
        for function in endpoint.methods().values():
            for arms in ((0, 10), (10, 1), (-5, 10), (math.nan, 10)):
                with pytest.raises(AnalysisError, match="patients in the"):
                    function(*arms)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: classical(1.0), "correlation"),
        (lambda: classical(-1.2), "correlation"),
        (lambda: classical(math.nan), "correlation"),
        (lambda: classical(0.5, 0.0), "effect 0"),
        (lambda: classical(0.5, math.inf), "effect"),
        (lambda: classical(0.5, sd=0.0), "standard deviation"),
        (lambda: classical(0.5, alpha=1.0), "alpha"),
        (lambda: classical(0.5, alpha=0.05, sides=0), "sides"),
        (lambda: classical(0.5, heterogeneity=-1.0), "heterogeneity"),
        (lambda: whole_arms(lambda a, b: 0.05, 1.0, 0.9), "a power of 0.9"),
        (lambda: Binary(risk0=0.0, risk1=0.2), "control risk"),
        (lambda: Binary(risk0=0.2, risk1=0.2), "effect 0"),
        (lambda: Binary(risk0=0.2, risk1=0.3, scale="hazard"), "scale"),
        (lambda: Counts(rate0=0.0, ratio=0.7), "a control rate of 0"),
        (lambda: Counts(rate0=1.0, ratio=-0.7), "ratio"),
        (lambda: Counts(rate0=1e9, ratio=0.7), "a mean count"),
        (lambda: Survival(hazard0=0.0, hazard_ratio=0.7, accrual=1, followup=1), "a control hazard of 0"),
        (lambda: Survival(hazard0=0.1, hazard_ratio=1.0, accrual=1, followup=1), "log hazard ratio"),
        (lambda: Survival(hazard0=0.1, hazard_ratio=0.7, accrual=0, followup=1), "accrual"),
        (hazard_of, "neither"),
        (lambda: schoenfeld_events(0.7, power=0.04), "power"),
        (lambda: Repeated(effect=1, covariance=((1.0, 2.0), (2.0, 1.0)), retention0=(1, 1), retention1=(1, 1)), "a covariance"),
        (lambda: Repeated(effect=1, covariance=((1.0,),), retention0=(1, 1), retention1=(1,)), "retention"),
        (lambda: Repeated(effect=1, covariance=covariance_of("ar1", (1, 1), 0.5), retention0=(0.8, 0.9), retention1=(1, 1)),
         "retention"),
        (lambda: covariance_of("toeplitz", (1, 1), 0.5), "covariance"),
        (lambda: Discount(inflation=0.9), "inflation"),
        (lambda: Discount(deflation=1.1), "deflation"),
        (lambda: Discount(convention="sd"), "convention"),
        (lambda: Arms(sd0=1, sd1=math.inf), "standard deviation"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, found):
    with pytest.raises(AnalysisError) as refused:
        make()
    assert found in refused.value.found
    assert refused.value.expected
