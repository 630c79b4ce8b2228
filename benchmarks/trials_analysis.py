"""Whole trials simulated and analysed, per trial and CPU second, against one trial after the other.

    python -m benchmarks.trials_analysis [--json] [--peers PYTHON]

ANCOVA with HC3 (400 patients, 2 covariates), logistic g-computation with influence-function variance (the same), and the
log-rank test cut at 300 events of 500 patients, each with its simulation; best of several; CPU time, of however many
threads (set OMP_NUM_THREADS=1). Peers: statsmodels and
lifelines, which are no dependencies, where this interpreter or that of ``--peers`` has them; else a plain loop over trials of
numpy's linear algebra, or for the log-rank test our own exact function, each called so. Gates: 15x statsmodels (ANCOVA), 20x
statsmodels (logistic) and 300x lifelines (log-rank), peers timed without their simulation but for ANCOVA; against the plain
loops 2x, 2x and 5x.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.batch import ancova_batch, logrank_batch, normals
from medtwin.trials.analysis.batch_logistic import logistic_batch
from medtwin.trials.analysis.logrank import logrank

TRIALS, LOT, PATIENTS, COVARIATES = 10_000, 100, 400, 2
SURVIVAL_PATIENTS, EVENTS = 500, 300
ARM = (np.arange(PATIENTS) % 2).astype(float)
SURVIVAL_ARM = np.arange(SURVIVAL_PATIENTS) % 2
GATES = {
    "ancova": ("statsmodels", 15.0, 2.0),
    "logistic": ("statsmodels", 20.0, 2.0),
    "logrank": ("lifelines", 300.0, 5.0),
}

#: Run by the peers' interpreter: milliseconds of CPU a trial, by (peer, analysis).
PEERS = r"""
import json, time, warnings
import numpy as np
warnings.simplefilter("ignore")
rng, n = np.random.default_rng(0), 400
arm = (np.arange(n) % 2).astype(float)
def best(action, count, times=5):
    took = []
    for _ in range(times):
        began = time.process_time()
        for _ in range(count):
            action()
        took.append((time.process_time() - began) / count * 1e3)
    return min(took)
out = {}
try:
    import statsmodels, statsmodels.api as sm
    def ancova():
        x = rng.standard_normal((n, 2))
        y = x[:, 0] + rng.standard_normal(n)
        fit = sm.OLS(y, np.column_stack([np.ones(n), arm, x])).fit(cov_type="HC3")
        return fit.params[1], fit.bse[1], fit.pvalues[1]
    x = rng.standard_normal((n, 2))
    y = (rng.random(n) < 1 / (1 + np.exp(-x @ [0.5, 0.5]))).astype(float)
    def logistic():
        design = np.column_stack([np.ones(n), arm, x])
        fit = sm.GLM(y, design, family=sm.families.Binomial()).fit()
        with_arm = [np.column_stack([np.ones(n), np.full(n, a), x]) for a in (0.0, 1.0)]
        mu = [fit.predict(each) for each in with_arm]
        influence = (arm / 0.5 - (1 - arm) / 0.5) * (y - fit.fittedvalues) + mu[1] - mu[0]
        return influence.mean(), influence.std(ddof=1) / n**0.5
    out["statsmodels"] = {"version": statsmodels.__version__, "ancova": best(ancova, 200), "logistic": best(logistic, 100)}
except ImportError:
    pass
try:
    import lifelines
    from lifelines.statistics import logrank_test
    group, t, d = np.arange(500) % 2 == 1, rng.exponential(size=500), rng.random(500) < 0.6
    test = lambda: logrank_test(t[group], t[~group], d[group], d[~group]).test_statistic
    out["lifelines"] = {"version": lifelines.__version__, "logrank": best(test, 20)}
except ImportError:
    pass
print(json.dumps(out))
"""


def best(action: Callable[[], Any], trials: int, times: int = 5) -> float:
    """Milliseconds of CPU a trial."""
    took = []
    for _ in range(times):
        began = time.process_time()
        action()
        took.append((time.process_time() - began) / trials * 1e3)
    return min(took)


def ancova() -> float:
    """Share of null trials that HC3 rejects."""
    rng, limit, rejected = np.random.default_rng(1), stats.t.ppf(0.975, PATIENTS - 2 - COVARIATES), 0
    for _ in range(TRIALS // LOT):
        x, y = normals(rng, (LOT, COVARIATES, PATIENTS)), normals(rng, (LOT, PATIENTS))
        y += x[:, 0]
        fit = ancova_batch(y, ARM, x, variance="HC3")
        rejected += int((np.abs(fit.value) > limit * fit.standard_error).sum())
    return rejected / TRIALS


def logistic(trials: int = 2000) -> float:
    """Share of null trials that the influence-function variance rejects."""
    rng, limit, rejected = np.random.default_rng(2), stats.norm.ppf(0.975), 0
    for _ in range(trials // LOT):
        x = normals(rng, (LOT, COVARIATES, PATIENTS))
        y = rng.random((LOT, PATIENTS)) < special.expit(0.5 * x.sum(axis=1))
        fit = logistic_batch(y, ARM, x, variance="influence")
        rejected += int((np.abs(fit.value) > limit * fit.standard_error).sum())
    return rejected / trials


def survival(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(time, event) of trials that enrol uniformly over a year and end with event 300; median survival half a year."""
    entry = rng.random((count, SURVIVAL_PATIENTS), dtype=np.float32).astype(float)
    life = -np.log1p(-rng.random((count, SURVIVAL_PATIENTS))) * (0.5 / np.log(2.0))
    calendar = entry + life
    end = np.partition(calendar, EVENTS - 1, axis=-1)[:, EVENTS - 1 : EVENTS]
    return np.clip(np.minimum(life, end - entry), 0.0, None), calendar <= end


def logrank_trials(trials: int = 4000) -> float:
    """Share of null trials that the log-rank test rejects."""
    rng, rejected = np.random.default_rng(3), 0
    for _ in range(trials // LOT):
        rejected += int((np.abs(logrank_batch(*survival(rng, LOT), SURVIVAL_ARM).statistic) > 1.959964).sum())
    return rejected / trials


def plain_ancova() -> None:
    """One trial, with its simulation, as one would write it with numpy."""
    x = RNG.standard_normal((PATIENTS, COVARIATES))
    y = x[:, 0] + RNG.standard_normal(PATIENTS)
    design = np.column_stack([np.ones(PATIENTS), ARM, x])
    inverse = np.linalg.inv(design.T @ design)
    e = (y - design @ (inverse @ (design.T @ y))) / (1.0 - ((design @ inverse) * design).sum(axis=1))
    lifted = (design @ inverse) * e[:, None]
    _ = np.sqrt(np.diag(lifted.T @ lifted))


def plain_logistic() -> None:
    """One trial by Newton's method."""
    x = RNG.standard_normal((PATIENTS, COVARIATES))
    y = (RNG.random(PATIENTS) < special.expit(0.5 * x.sum(axis=1))).astype(float)
    design = np.column_stack([np.ones(PATIENTS), ARM, x])
    beta = np.zeros(design.shape[1])
    for _ in range(6):
        mu = special.expit(design @ beta)
        beta += np.linalg.solve((design * (mu * (1.0 - mu))[:, None]).T @ design, design.T @ (y - mu))
    mu0, mu1 = (special.expit(design @ beta + beta[1] * (a - ARM)) for a in (0.0, 1.0))
    each = (4.0 * ARM - 2.0) * (y - special.expit(design @ beta)) + mu1 - mu0
    _ = each.std(ddof=1) / PATIENTS**0.5


def plain_logrank() -> None:
    """One trial by the exact function."""
    time_, event = survival(RNG, 1)
    logrank(TrialData.of(time_[0], SURVIVAL_ARM, event=event[0]), hazard_ratio=False)


RNG = np.random.default_rng(4)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials_analysis", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", default=sys.executable, help="an interpreter that has statsmodels and lifelines")
    given = parser.parse_args()
    done = subprocess.run([given.peers, "-c", PEERS], capture_output=True, text=True, check=True)
    peers = json.loads(done.stdout)
    ours = {
        "ancova": best(ancova, TRIALS), "logistic": best(logistic, 2000), "logrank": best(logrank_trials, 4000),
    }  # fmt: skip
    plain = {
        name: best(lambda action=action: [action() for _ in range(300)], 300, 3)  # type: ignore[misc]
        for name, action in (("ancova", plain_ancova), ("logistic", plain_logistic), ("logrank", plain_logrank))
    }
    figures: dict[str, Any] = {
        "null_rejected": {"ancova": ancova(), "logistic": logistic(), "logrank": logrank_trials()}
    }
    passed = True
    for name, (peer, gate, plain_gate) in GATES.items():
        figure: dict[str, Any] = {"ms_a_trial": ours[name], "plain_loop_ms": plain[name]}
        figure["times_plain_loop"] = plain[name] / ours[name]
        passed &= figure["times_plain_loop"] >= plain_gate
        if peer in peers:
            figure |= {"peer": f"{peer} {peers[peer]['version']}", "peer_ms": peers[peer][name]}
            figure["times_peer"] = peers[peer][name] / ours[name]
            passed &= figure["times_peer"] >= gate
        else:
            figure["peer"] = f"{peer} is not installed: compared with a plain loop only"
        figures[name] = figure
    if given.json:
        print(json.dumps({"schema": "medtwin/benchmarks/trials_analysis/1", "passed": passed, **figures}, indent=1))
    else:
        print(json.dumps(figures, indent=1))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
