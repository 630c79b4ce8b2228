"""Type I error of the adjusted analyses of event times in small trials: the tables of logrank.py and survival_adjusted.py.

    PYTHONPATH=src python tests/trials/analysis/small_samples.py 6000        (some minutes)

Null trials: covariates x normal, of which the first is prognostic with hazard exp(x + 0.3 (x^2 - 1)) - no model of the
analyses holds - and censoring at min(3, 0.2 + an exponential of mean 3.3), about one patient in four. A trial in
which an arm has nobody left before the time 1 is left out, and counted (few, and of 15 patients only).
"""

from __future__ import annotations

import sys

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


def inflated(statistic: float, patients: int, covariates: int) -> float:
    """Two-sided p with the variance times n/(n-k) (n-3)/(n-k-3): Magirr's correction (a blog post of April 2026, for 1:1)."""
    rest = patients - covariates
    factor = patients / rest * (patients - 3.0) / (rest - 3.0)
    return float(2.0 * stats.norm.sf(abs(statistic) / np.sqrt(factor)))


def one(trial: TrialData) -> dict[str, float]:
    """p values."""
    paper, ours = logrank(trial, small_sample=False), logrank(trial)
    plain = survival_effects(trial, times=(0.6,), tau=1.0)
    out = {
        "log-rank, paper": paper["log-rank 1"].p_value,
        "log-rank, ours": ours["log-rank 1"].p_value,
        "log-rank, n/(n-k) (n-3)/(n-k-3)": inflated(
            paper["log-rank 1"].statistic, len(trial.arm), trial.covariates.shape[1]
        ),
        "hazard ratio, paper": paper["hazard ratio 1 / 0"].p_value,
        "hazard ratio, ours": ours["hazard ratio 1 / 0"].p_value,
    }
    for variance in ("HC0", "HC2", "HC3"):
        found = adjusted_survival_effects(trial, times=(0.6,), tau=1.0, variance=variance)
        for name, short in (("survival at 0.6 1 - 0", "survival"), ("RMST to 1 1 - 0", "RMST")):
            out[f"{short}, {variance}, t(n-p)"] = found[name].p_value
            if variance == "HC2":
                out[f"{short}, Kaplan-Meier"] = plain[name].p_value
    return out


def main(trials: int) -> None:
    random = np.random.default_rng(20_261_130)
    rows: dict[str, list[float]] = {}
    for control, treated, covariates in DESIGNS:
        found: dict[str, list[float]] = {}
        left_out = 0
        for _ in range(trials):
            try:
                each = one(null_trial(random, control, treated, covariates))
            except AnalysisError as error:
                if "last follow-up" not in str(error):
                    raise
                left_out += 1
                continue
            for name, p in each.items():
                found.setdefault(name, []).append(p)
        for name, held in found.items():
            rows.setdefault(name, []).append(float(np.mean(np.array(held) < 0.05)))
        print(control, treated, covariates, {name: held[-1] for name, held in rows.items()}, flush=True)
    print(" " * 34, *(f"{a}+{b},{q}".rjust(8) for a, b, q in DESIGNS))
    for name, held in rows.items():
        print(name.ljust(34), *(f"{x:8.3f}" for x in held))
    print(f"{trials} trials a column, Monte Carlo error {np.sqrt(0.05 * 0.95 / trials):.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
