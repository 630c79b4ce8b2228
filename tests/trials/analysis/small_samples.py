"""Type I error of the adjusted analyses of event times in small trials: the tables of logrank.py and survival_adjusted.py.

    PYTHONPATH=src python tests/trials/analysis/small_samples.py 6000        (some minutes)

Null trials: covariates x normal, of which the first is prognostic with hazard exp(x + 0.3 (x^2 - 1)) - no model of the
analyses holds - and censoring at min(3, 0.2 + an exponential of mean 3.3), about one patient in four. Where an analysis is
refused (nobody followed up to the time 1, a variance that is not positive) the trial does not count for it; how many, is said.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects

#: patients of control and treated arm, covariates
DESIGNS = ((15, 15, 1), (20, 20, 1), (15, 30, 1), (30, 30, 3), (50, 50, 3), (50, 50, 6))


def null_trial(random: np.random.Generator, control: int, treated: int, covariates: int) -> TrialData:
    patients = control + treated
    x = random.standard_normal((patients, covariates))
    time = random.exponential(np.exp(-x[:, 0] - 0.3 * (x[:, 0] ** 2 - 1.0)))
    ends = np.minimum(0.2 + random.exponential(1.0 / 0.3, patients), 3.0)
    arm = np.repeat([0, 1], [control, treated])
    return TrialData.of(np.minimum(time, ends), arm, event=(time <= ends).astype(float), covariates=x)


def inflated(trial: TrialData) -> float:
    """Two-sided p with the paper's variance times n/(n-k) (n-3)/(n-k-3): Magirr's correction (April 2026, for 1:1)."""
    statistic = logrank(trial, small_sample=False, hazard_ratio=False)["log-rank 1"].statistic
    patients, covariates = trial.covariates.shape
    rest = patients - covariates
    factor = patients / rest * (patients - 3.0) / (rest - 3.0)
    return float(2.0 * stats.norm.sf(abs(statistic) / np.sqrt(factor)))


def _survival(name: str, variance: str) -> Callable[[TrialData], float]:
    def p(trial: TrialData) -> float:
        if not variance:
            return survival_effects(trial, times=(0.6,), tau=1.0)[name].p_value
        return adjusted_survival_effects(trial, times=(0.6,), tau=1.0, variance=variance)[name].p_value

    return p


METHODS: dict[str, Callable[[TrialData], float]] = {
    "log-rank, unadjusted": lambda t: logrank(t, adjusted=False, hazard_ratio=False)["log-rank 1"].p_value,
    "log-rank, paper": lambda t: logrank(t, small_sample=False, hazard_ratio=False)["log-rank 1"].p_value,
    "log-rank, ours, normal": lambda t: logrank(t, hazard_ratio=False, df="normal")["log-rank 1"].p_value,
    "log-rank, ours, t": lambda t: logrank(t, hazard_ratio=False)["log-rank 1"].p_value,
    "log-rank, n/(n-k) (n-3)/(n-k-3)": inflated,
    "hazard ratio, paper": lambda t: logrank(t, small_sample=False)["hazard ratio 1 / 0"].p_value,
    "hazard ratio, ours, normal": lambda t: logrank(t, df="normal")["hazard ratio 1 / 0"].p_value,
    "hazard ratio, ours, t": lambda t: logrank(t)["hazard ratio 1 / 0"].p_value,
    **{
        f"{short}, {variance or 'Kaplan-Meier'}": _survival(name, variance)
        for short, name in (("survival", "survival at 0.6 1 - 0"), ("RMST", "RMST to 1 1 - 0"))
        for variance in ("", "HC0", "HC2", "HC3")
    },
}


def main(trials: int) -> None:
    random = np.random.default_rng(20_261_130)
    rows: dict[str, list[str]] = {name: [] for name in METHODS}
    for control, treated, covariates in DESIGNS:
        held: dict[str, list[float]] = {name: [] for name in METHODS}
        for _ in range(trials):
            trial = null_trial(random, control, treated, covariates)
            for name, method in METHODS.items():
                try:
                    held[name].append(method(trial))
                except AnalysisError:
                    continue
        for name, p in held.items():
            refused = f" ({trials - len(p)})" if len(p) < trials else ""
            rows[name].append(f"{np.mean(np.array(p) < 0.05):.3f}{refused}")
    print(f"{'control + treated, covariates':34}", *(f"{a}+{b},{q}".rjust(12) for a, b, q in DESIGNS))
    for name, found in rows.items():
        print(f"{name:34}", *(one.rjust(12) for one in found))
    error = np.sqrt(0.05 * 0.95 / trials)
    print(f"{trials} trials a column, refused ones in brackets; Monte Carlo error {error:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
