"""Marginal effects by g-computation: what the whole trial's population would reach under each arm.

A working model ``mu(a, x)`` is fitted, and every patient predicted under every arm. With n_a patients in arm a,

    psi_a = mean_i mu(a, X_i) + mean_{i in a} (Y_i - mu(a, X_i))

where the second term is zero for canonical links (Freedman 2008) and makes the estimate robust to a wrong model for others
(Guo & Basse 2021; Bannick et al. 2025, Biometrika "A general form of covariate adjustment"). The trial's randomisation, not
the model, carries the inference. Reported: differences, and logarithms of ratios and odds ratios by the delta method.

Covariance of psi; e = Y - mu, pi_a = n_a/n, h leverage, k = 0, 1/2, 1:

``HC0 HC2 HC3``  mean over i of phi_i phi_i' / n, with the complete influence function of psi (Tsiatis 2006), residuals
    divided by (1-h_i)^k as in least squares, to which it reduces for ANCOVA I:
        phi_ia = mu(a, X_i) - mean mu(a, X) + r_ia
        r_ia = [ 1(A_i=a)/pi_a (e_i - mean of e in a) + D_a' B^-1 x_i f_i e_i ] / (1-h_i)^k
    f the score's factor, B minus the score's mean slope, D_a = mean_i mu'(a, X_i) x_i(a) - mean_{i in a} mu'(a, X_i) x_i.
``influence``    ``sd(phi)/sqrt(n)`` without leverage and the term in D_a, which vanish in large trials.
``robust``       decomposed (Ye et al. 2022, JASA 118:2370; Bannick et al. 2025), the usual report of large trials:
        V_aa = [var(Y|a) + var(mu_a) - 2 cov(Y, mu_a|a)]/pi_a + 2 C_aa - var(mu_a),  V_ab = C_ab + C_ba - cov(mu_a, mu_b),
    C_ab = cov(Y, mu_b | A = a), and Cov = V/n.
``model``        delta method from the model's own covariance, the covariates taken as fixed (Ge et al. 2011).

With ``fixed_covariates`` HC* and ``model`` leave out the first term of phi. Under stratified permuted-block randomisation
(stratum z of n_z patients) the imbalance within strata is not random; with ebar_az the mean of e in arm a and stratum z,
``sum_z n_z/n (ebar_az/pi_a)(ebar_bz/pi_b) (pi_a 1(a=b) - pi_a pi_b) / n`` is taken off. Nothing is taken off under simple
randomisation and minimisation; under minimisation the residuals' means are taken within strata (Bannick et al. 2025). With
time at risk t the model is ``E Y = t mu(a, x)``, psi the mean rate, and there is no second term in psi.

Type I error: docs/evidence/trials-type-one.md, "Binary outcome" and "Counts" (``python -m medtwin.trials.simulate.type_one``).
HC2 with t(n-p) holds the level of differences from 15 patients an arm on, and is the default. ``influence`` and ``robust`` are
too small below some 100 patients an arm. On the log scale the test of few events (or non-events) rejects too seldom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimate import Estimate

VARIANCES = ("HC0", "HC2", "HC3", "influence", "robust", "model")
RANDOMISATIONS = ("simple", "permuted-block", "minimisation")
LARGE = 100  #: patients an arm from which ``influence`` and ``robust`` will do
FEW = 25  #: events or non-events in an arm
WORDS = {"gaussian": "mean", "logistic": "risk", "poisson": "rate", "negative-binomial": "rate"}


def marginal_effects(
    trial: TrialData, *, family: str, measures: Sequence[str] = ("difference",), interactions: bool | Sequence[str] = False,
    variance: str = "HC2", df: str = "residual", randomisation: str = "simple", strata: bool = True,
    fixed_covariates: bool = False, on_separation: str = "refuse", confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Each treated arm against control. ``measures``: ``difference``, ``ratio``, ``odds ratio``.

    ``interactions``: a slope in each arm, for all covariates or those named. ``df``: ``residual``, t with n-p, or
    ``normal``. ``strata``: the strata become covariates too. ``exposure`` of the trial makes counts rates per its unit.
    ``on_separation``: ``refuse``, or ``unadjusted``: the arms' plain means, said in a note.
    Names: "risk difference treated - control", "rate ratio treated / control", "mean risk treated".
    """
    if variance not in VARIANCES or df not in ("residual", "normal") or randomisation not in RANDOMISATIONS:
        raise AnalysisError(
            f"{variance!r}, {df!r}, {randomisation!r}", expected=f"{VARIANCES}; residual, normal; {RANDOMISATIONS}"
        )
    if randomisation != "simple" and trial.strata is None:
        raise AnalysisError("no strata", expected="the strata of randomisation", where=f"{randomisation} randomisation")
    if trial.exposure is not None and (
        family not in ("poisson", "negative-binomial")
        or variance in ("influence", "robust")
        or randomisation != "simple"
    ):
        raise AnalysisError(
            f"time at risk with {family}, {variance}, {randomisation}", where="exposure",
            expected="a count, with HC0, HC2, HC3 or model, under simple randomisation",
        )  # fmt: skip
    if randomisation == "minimisation" and variance not in ("influence", "robust"):
        raise AnalysisError(
            f"{variance} under minimisation", expected="robust or influence", where="marginal effects",
            remedy="predictions are centred within strata, for which only those variances are derived",
        )  # fmt: skip
    if on_separation not in ("refuse", "unadjusted"):
        raise AnalysisError(f"on_separation {on_separation!r}", expected="refuse or unadjusted")
    given = trial
    if strata and trial.strata is not None:
        trial = trial.with_strata_as_covariates()
    interacting = trial.interacting(interactions)
    trial = trial.independent()
    notes = trial.notes
    slopes = np.flatnonzero([name in interacting for name in trial.covariate_names])
    designs = _designs(trial, slopes)
    own = designs[trial.arm, np.arange(len(trial.arm))]
    offset = None if trial.exposure is None else np.log(trial.exposure)
    try:
        fitted = glm.fit(own, trial.outcome, family, offset)
    except glm.SeparationError as separated:
        if on_separation == "refuse" or trial.exposure is not None:
            raise
        notes += (f"{separated.found} ({separated.where}): the arms' plain means instead, not adjusted for covariates",)
        trial = replace(given, covariates=given.covariates[:, :0], covariate_names=())
        slopes = slopes[:0]
        designs = _designs(trial, slopes)
        own = designs[trial.arm, np.arange(len(trial.arm))]
        fitted = glm.fit(own, trial.outcome, "gaussian")
    if family == "negative-binomial" and math.isinf(fitted.theta):
        notes += ("counts vary no more than Poisson's: poisson instead of negative-binomial",)
    means, covariance = _means(trial, fitted, designs, variance, randomisation, fixed_covariates)
    freedom = math.inf if df == "normal" else float(len(own) - own.shape[1])
    adjusted = f"adjusted for {trial.covariates.shape[1]} columns" if trial.covariates.shape[1] else "unadjusted"
    method = (
        f"g-computation, {fitted.family} model, {adjusted}{', with interactions' if len(slopes) else ''}, {variance}, "
        f"{'normal' if df == 'normal' else 't(n-p)'}, {randomisation} randomisation"
    )
    word, control = WORDS[family], trial.arm_names[0]
    estimates = []
    for treated in range(1, len(means)):
        for measure in measures:
            name = f"{word} {measure} {trial.arm_names[treated]} {'-' if measure == 'difference' else '/'} {control}"
            value, slope = contrast(measure, means[0], means[treated], name)
            held = covariance[np.ix_([0, treated], [0, treated])]
            error = _root(float(slope @ held @ slope), name)
            scale = "identity" if measure == "difference" else "log"
            estimates.append(
                Estimate(name=name, value=value, standard_error=error, method=method, df=freedom, scale=scale,
                         confidence=confidence)
            )  # fmt: skip
    for arm, name in enumerate(trial.arm_names):
        error = _root(float(covariance[arm, arm]), f"mean of {name}")
        title = f"mean {name}" if word == "mean" else f"mean {word} {name}"
        estimates.append(
            Estimate(
                name=title,
                value=float(means[arm]),
                standard_error=error,
                method=method,
                df=freedom,
                confidence=confidence,
            )
        )
    notes += _doubts(trial, family, measures, variance)
    return Analysis(
        method=method,
        estimates=tuple(estimates),
        patients=trial.patients,
        notes=notes,
        means=means,
        covariance=covariance,
    )


def _doubts(trial: TrialData, family: str, measures: Sequence[str], variance: str) -> tuple[str, ...]:
    """What small trials do to the level; see the page of type I errors."""
    notes: tuple[str, ...] = ()
    if variance in ("influence", "robust") and min(trial.patients.values()) < LARGE:
        notes += (
            f"fewer than {LARGE} patients in an arm: {variance} is too small a variance there; HC2 or HC3 hold the level",
        )
    if family == "logistic" and set(measures) - {"difference"}:
        events = np.array([trial.outcome[trial.arm == code].sum() for code in range(len(trial.arm_names))])
        if min(events.min(), (np.bincount(trial.arm) - events).min()) < FEW:
            notes += (
                f"fewer than {FEW} events or non-events in an arm: the test of a ratio or odds ratio rejects too seldom there; "
                "that of the difference holds the level",
            )
    return notes


def contrast(measure: str, control: float, treated: float, where: str) -> tuple[float, np.ndarray]:
    """(value, its slope by (control, treated)), of ratios on the log scale."""
    if measure == "difference":
        return float(treated - control), np.array([-1.0, 1.0])
    if measure not in ("ratio", "odds ratio"):
        raise AnalysisError(f"measure {measure!r}", expected="difference, ratio or odds ratio")
    if min(control, treated) <= 0.0 or (measure == "odds ratio" and max(control, treated) >= 1.0):
        raise AnalysisError(
            f"means {control:g} and {treated:g}", expected="above 0" + (", below 1" if measure == "odds ratio" else ""),
            where=where, remedy="report the difference",
        )  # fmt: skip
    if measure == "ratio":
        return math.log(treated / control), np.array([-1.0 / control, 1.0 / treated])
    value = math.log(treated / (1.0 - treated)) - math.log(control / (1.0 - control))
    return value, np.array([-1.0 / (control * (1.0 - control)), 1.0 / (treated * (1.0 - treated))])


def _designs(trial: TrialData, own: np.ndarray) -> np.ndarray:
    """(arm, patient, coefficient): every patient as if in each arm."""
    arms, (patients, _) = len(trial.arm_names), trial.covariates.shape
    spread = trial.covariates.std(axis=0)
    centred = (trial.covariates - trial.covariates.mean(axis=0)) / spread
    out = []
    for arm in range(arms):
        dummies = np.tile(np.arange(1, arms) == arm, (patients, 1)).astype(float)
        blocks = [np.ones((patients, 1)), dummies, centred]
        blocks += [dummies[:, [number]] * centred[:, own] for number in range(arms - 1)]
        out.append(np.hstack(blocks))
    return np.stack(out)


def _means(
    trial: TrialData, fitted: glm.Fit, designs: np.ndarray, variance: str, randomisation: str, fixed_covariates: bool
) -> tuple[np.ndarray, np.ndarray]:
    arms, patients, _ = designs.shape
    inside = trial.arm == np.arange(arms)[:, None]  # (arm, patient)
    share = inside.mean(axis=1)
    predicted, slopes = glm.inverse_link(fitted.family, designs @ fitted.coefficients)  # (arm, patient)
    raw = trial.outcome - fitted.mean
    if trial.exposure is None:
        groups = trial.strata if randomisation == "minimisation" else None
        predicted = predicted + _bias(raw, inside, groups)
    residual = trial.outcome - (
        fitted.mean if trial.exposure is not None else predicted[trial.arm, np.arange(patients)]
    )
    means = predicted.mean(axis=1)
    if variance == "robust":
        covariance = _decomposed(trial.outcome, predicted, inside, share)
    else:
        covariance = _influence(trial, fitted, designs, predicted, slopes, residual, variance, fixed_covariates)
    if randomisation == "permuted-block":
        covariance = covariance - _block(residual, inside, share, trial.strata) / patients
    return means, covariance


def _bias(residual: np.ndarray, inside: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """Mean residual of each arm, (arm, 1), or of each arm within the patient's stratum, (arm, patient)."""
    if strata is None:
        return ((inside @ residual) / inside.sum(axis=1))[:, None]
    return _within(residual, inside, strata)[:, strata]


def _within(residual: np.ndarray, inside: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Mean residual by arm and stratum, (arm, stratum)."""
    kinds = int(strata.max()) + 1
    count = np.stack([np.bincount(strata, mask, kinds) for mask in inside])
    if (count == 0.0).any():
        raise AnalysisError(
            f"{int((count == 0.0).sum())} strata without a patient of some arm", expected="every arm in every stratum",
            where="stratified randomisation", remedy="merge small strata",
        )  # fmt: skip
    return np.stack([np.bincount(strata, mask * residual, kinds) for mask in inside]) / count


def _block(residual: np.ndarray, inside: np.ndarray, share: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    assert strata is not None
    mean = _within(residual, inside, strata) * np.sqrt(np.bincount(strata) / len(strata)) / share[:, None]
    return (mean @ mean.T) * (np.diag(share) - np.outer(share, share))


def _decomposed(outcome: np.ndarray, predicted: np.ndarray, inside: np.ndarray, share: np.ndarray) -> np.ndarray:
    if inside.sum(axis=1).min() < 2:
        raise AnalysisError("an arm of one patient", expected="at least two", where="robust variance")
    arms = len(share)
    spread = np.atleast_2d(np.cov(predicted))
    within = np.array([np.cov(outcome[mask], predicted[:, mask]) for mask in inside])  # (arm, 1+arm, 1+arm)
    cross = within[:, 0, 1:]  # cov(Y, mu_b | A=a) at [a, b]
    own = (within[:, 0, 0] + np.diag(spread) - 2.0 * np.diag(cross)) / share
    return (np.diag(own) + cross + cross.T - spread) / outcome.size if arms else spread


def _influence(
    trial: TrialData, fitted: glm.Fit, designs: np.ndarray, predicted: np.ndarray, slopes: np.ndarray, residual: np.ndarray,
    variance: str, fixed_covariates: bool,
) -> np.ndarray:  # fmt: skip
    arms, patients, _ = designs.shape
    inside = trial.arm == np.arange(arms)[:, None]
    away = predicted - predicted.mean(axis=1, keepdims=True)
    direct = inside / inside.mean(axis=1)[:, None] if trial.exposure is None else np.zeros(inside.shape)
    gradient = np.einsum("ap,apc->ac", slopes, designs) / patients
    own = designs[trial.arm, np.arange(patients)]
    rest = direct * residual
    if variance == "model":
        return gradient @ fitted.covariance @ gradient.T
    if variance == "influence":
        return (away + rest) @ (away + rest).T / (patients * (patients - 1.0))
    gradient = gradient - (slopes * direct) @ own / patients
    bread = np.linalg.inv((own * fitted.curvature[:, None]).T @ own / patients)
    rest = rest + gradient @ bread @ (own * (fitted.factor * (trial.outcome - fitted.mean))[:, None]).T
    power = {"HC0": 0.0, "HC2": 0.5, "HC3": 1.0}[variance]
    if power and (fitted.leverage > 1.0 - 1e-10).any():
        raise AnalysisError(
            "patients whom the model fits exactly (leverage 1)", expected="leverage below 1", where=variance,
            remedy="merge the small stratum or level",
        )  # fmt: skip
    rest = rest / (1.0 - fitted.leverage) ** power
    if fixed_covariates:
        return rest @ rest.T / patients**2
    between = away @ rest.T
    spread = away @ away.T * patients / (patients - 1.0)
    return (spread + between + between.T + rest @ rest.T) / patients**2


def _root(variance: float, of: str) -> float:
    if not variance >= 0.0:
        raise AnalysisError(
            f"a variance of {variance:g}",
            expected="at least 0",
            where=of,
            remedy="too few patients in the strata: merge some",
        )
    return math.sqrt(variance)
