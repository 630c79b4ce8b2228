"""Type I error of the adjusted analyses of event times in small trials: the tables of logrank.py and survival_adjusted.py.

    PYTHONPATH=src python tests/trials/analysis/small_samples.py 4000        (some minutes)

Null trials: covariates x normal, of which the first is prognostic with hazard exp(x + 0.3 (x^2 - 1)) - no model of the
analyses holds - and censoring at min(3, 0.2 + an exponential of mean 3.3), about one patient in four. Where an analysis is
refused (nobody followed up to the time 1, a variance that is not positive) the trial does not count for it; how many, is said.
"""

from __future__ import annotations

import sys
from contextlib import suppress

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


def one(trial: TrialData) -> dict[str, float]:
    """Two-sided p values, by method; those that were refused are not there."""
    out: dict[str, float] = {}
    with suppress(AnalysisError):
        out["log-rank, unadjusted"] = logrank(trial, adjusted=False, hazard_ratio=False)["log-rank 1"].p_value
    for whose, small in (("paper", False), ("ours", True)):
        with suppress(AnalysisError):
            found = logrank(trial, small_sample=small)
            test, ratio = found["log-rank 1"], found["hazard ratio 1 / 0"]
            out[f"log-rank, {whose}, normal"] = normal(test.statistic)
            out[f"hazard ratio, {whose}, normal"] = normal(ratio.statistic)
            if small:
                out["log-rank, ours, t"], out["hazard ratio, ours, t"] = test.p_value, ratio.p_value
            else:
                out["log-rank, Magirr"] = inflated(test.statistic, *trial.covariates.shape)
    for variance in ("", "HC0", "HC2", "HC3"):
        with suppress(AnalysisError):
            asked = {"times": (0.6,), "tau": 1.0}
            made = (
                adjusted_survival_effects(trial, variance=variance, **asked)
                if variance
                else survival_effects(trial, variance="greenwood", df="normal", **asked)
            )
            for short, name in (("survival", "survival at 0.6 1 - 0"), ("RMST", "RMST to 1 1 - 0")):
                out[f"{short}, {variance or 'Kaplan-Meier'}"] = made[name].p_value
    return out


def normal(statistic: float) -> float:
    return float(2.0 * stats.norm.sf(abs(statistic)))


def inflated(statistic: float, patients: int, covariates: int) -> float:
    """With the paper's variance times n/(n-k) (n-3)/(n-k-3): Magirr's correction (April 2026, for 1:1)."""
    rest = patients - covariates
    return normal(statistic / np.sqrt(patients / rest * (patients - 3.0) / (rest - 3.0)))


def main(trials: int) -> None:
    random = np.random.default_rng(20_261_130)
    rows: dict[str, list[str]] = {}
    for number, design in enumerate(DESIGNS):
        held: dict[str, list[float]] = {}
        for _ in range(trials):
            for name, p in one(null_trial(random, *design)).items():
                held.setdefault(name, []).append(p)
        for name, p in held.items():
            refused = f" ({trials - len(p)})" if len(p) < trials else ""
            rows.setdefault(name, [""] * number).append(f"{np.mean(np.array(p) < 0.05):.3f}{refused}")
        print(design, {name: found[-1] for name, found in rows.items()}, file=sys.stderr, flush=True)
    print(f"{'control + treated, covariates':34}", *(f"{a}+{b},{q}".rjust(12) for a, b, q in DESIGNS))
    for name in sorted(rows):
        print(f"{name:34}", *(found.rjust(12) for found in rows[name]))
    error = np.sqrt(0.05 * 0.95 / trials)
    print(f"{trials} trials a column, refused ones in brackets; Monte Carlo error {error:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
