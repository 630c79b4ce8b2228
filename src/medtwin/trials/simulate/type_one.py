"""The type I error of every analysis of trials, by simulation: the page ``docs/evidence/trials-type-one.md``.

    python -m medtwin.trials.simulate.type_one [--scale 1] [--output FILE]

Each section simulates trials without an effect and lists how often each analysis rejects at 5 %, two-sided. ``--scale``
multiplies the numbers of trials. About eight minutes of one quiet core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.analysers.count import Count
from medtwin.trials.simulate.analysers.external import METHODS as EXTERNAL
from medtwin.trials.simulate.analysers.external import PRIORS, Borrowing, External
from medtwin.trials.simulate.analysers.external_more import MEAN_PRIORS, WEIGHTS, BorrowingMean, ExternalTimes
from medtwin.trials.simulate.analysers.logistic import Logistic
from medtwin.trials.simulate.analysers.logrank import Cox, Logrank
from medtwin.trials.simulate.analysers.missing import MissingOne, MissingRepeated
from medtwin.trials.simulate.analysers.mmrm import Mmrm
from medtwin.trials.simulate.analysers.survival import Kaplan
from medtwin.trials.simulate.fits import Analyser
from medtwin.trials.simulate.run import simulate
from medtwin.trials.simulate.scenario import Scenario
from medtwin.trials.simulate.tally import Characteristics

PAGE = Path("docs/evidence/trials-type-one.md")
LOW, HIGH = 0.044, 0.056  #: what the default analyses must keep within, three Monte Carlo errors allowed

#: the covariance of three visits
VISITS = ((1.0, 0.6, 0.36), (0.6, 1.0, 0.6), (0.36, 0.6, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Analyses (rows) in scenarios (columns) of one kind."""

    title: str
    words: str  #: what a reader must know
    scenarios: dict[str, Scenario]
    analyses: tuple[tuple[Analyser, int], ...]  #: each with its number of trials


def each(trials: int, analyses: Sequence[Analyser]) -> tuple[tuple[Analyser, int], ...]:
    """All with the same number of trials."""
    return tuple((one, trials) for one in analyses)


def continuous() -> Section:
    base = Scenario(n_control=15, n_treated=30, correlation=0.5)
    plain: list[Analyser] = [Ancova(adjust="none", variance=v) for v in ("classical", "HC2", "HC3")]
    for two in (False, True):
        for variance in ("classical", "HC0", "HC1", "HC2", "HC3", "HC4"):
            laws = ("residual", "normal") if variance == "classical" else ("bell-mccaffrey", "residual", "normal")
            plain += [Ancova(interactions=two, variance=variance, df=df) for df in laws]
    plain.append(Ancova(variance="influence"))
    scenarios = {
        "15+15": replace(base, n_treated=15),
        "15+30": base,
        "15+30, SD 1:2": replace(base, sd_treated=2.0),
        "15+30, slopes differ": replace(base, correlation_treated=0.0),
        "60+120": replace(base, n_control=60, n_treated=120),
        "15+30, squared score": replace(base, seen="squared"),
    }
    words = (
        "One score of correlation 0.5 with the outcome. ANCOVA I has one slope, II one in each arm. Default of ANCOVA I: "
        "HC2 with Bell-McCaffrey degrees of freedom; of II: HC2 with t(n-p)."
    )
    return Section(title="Continuous outcome: ANCOVA", words=words, scenarios=scenarios, analyses=each(10_000, plain))


def binary() -> Section:
    base = Scenario(endpoint="binary", n_control=15, n_treated=30, risk_control=0.4, risk_treated=0.4, correlation=0.4)
    fast = [
        Logistic(measure=m, variance=v)
        for m in ("difference", "ratio", "odds ratio")
        for v in ("HC0", "HC2", "HC3", "influence")
    ]
    fast += [Logistic(adjust="none", measure=m) for m in ("difference", "ratio", "odds ratio")]
    slow = [
        Logistic(variance="robust"),
        Logistic(variance="robust", df="residual"),
        Logistic(variance="model"),
        Logistic(interactions=True),
    ]
    scenarios = {
        "15+30": base,
        "30+30": replace(base, n_control=30),
        "100+100": replace(base, n_control=100, n_treated=100),
    }
    words = (
        "Risk 0.4, a score of correlation 0.4; ratios on the log scale. Default: HC2 with t(n-p). With fewer than 25 events in "
        "an arm a ratio or odds ratio rejects too seldom, and with fewer than 100 patients `influence` and `robust` too often; "
        "the analysis says so in a note."
    )
    return Section(
        title="Binary outcome: g-computation with a logistic model",
        words=words,
        scenarios=scenarios,
        analyses=each(10_000, fast) + each(1000, slow),
    )


def randomised() -> Section:
    base = Scenario(
        endpoint="binary",
        n_control=60,
        n_treated=60,
        risk_control=0.4,
        risk_treated=0.4,
        correlation=0.3,
        strata=4,
        strata_correlation=0.5,
        randomisation="simple",
    )
    analyses = [
        Logistic(variance="robust", adjust=adjust, randomisation=how)
        for adjust in ("score", "all")
        for how in ("simple", "permuted-block")
    ]
    analyses.append(Logistic(variance="robust", adjust="all", randomisation="minimisation"))
    words = (
        "Four strata that matter (correlation 0.5). What a variance for permuted blocks takes off is earned only where "
        "randomisation was by blocks within strata. Minimisation (Pocock and Simon) is over the stratum and the trial, the "
        "better arm with probability 0.8."
    )
    scenarios = {
        "60+60, simple": base,
        "60+60, blocks in strata": replace(base, randomisation="stratified"),
        "60+60, minimisation": replace(base, randomisation="minimisation"),
        "120+120, minimisation": replace(base, randomisation="minimisation", n_control=120, n_treated=120),
    }
    analyses += [Logistic(adjust="all"), Logistic(adjust="score")]
    return Section(
        title="Randomisation and the variance", words=words, scenarios=scenarios, analyses=each(1500, analyses)
    )


def counts() -> Section:
    base = Scenario(endpoint="count", n_control=40, n_treated=40, rate_control=1.5, dispersion=0.6, correlation=0.4)
    fast = [Count(variance=v) for v in ("HC0", "HC2", "HC3", "influence")]
    fast += [
        Count(family="poisson", measure=m, variance=v)
        for m in ("ratio", "difference")
        for v in ("HC0", "HC2", "HC3", "influence")
    ]
    fast += [Count(measure="difference"), Count(adjust="none"), Count(adjust="none", family="poisson")]
    slow = [Count(variance="robust"), Count(variance="model")]
    scenarios = {
        "40+40": base,
        "40+40, Poisson": replace(base, dispersion=0.0),
        "150+150": replace(base, n_control=150, n_treated=150),
    }
    words = "Mean 1.5, dispersion 0.6 (variance mu + 0.6 mu^2), a score of correlation 0.4. Default: HC2 with t(n-p)."
    return Section(
        title="Counts: g-computation", words=words, scenarios=scenarios, analyses=each(3000, fast) + each(1000, slow)
    )


def survival() -> Section:
    base = Scenario(
        endpoint="survival",
        n_control=50,
        n_treated=50,
        hazard_control=0.1,
        accrual=6.0,
        followup=12.0,
        dropout_hazard=0.02,
        correlation=0.6,
        strata=2,
        strata_correlation=0.3,
        benefit="lower",
    )
    fast: list[Analyser] = [
        Logrank(adjust="none"),
        Logrank(adjust="none", stratified=True),
        Logrank(),
        Logrank(small_sample=False),
        Logrank(df="normal"),
        Logrank(stratified=True),
        Logrank(adjust="all"),
        Logrank(adjust="none", statistic="hazard ratio"),
        Logrank(statistic="hazard ratio"),
        Logrank(statistic="hazard ratio", small_sample=False),
        Kaplan(at=10.0, variance="greenwood"),
        Kaplan(tau=10.0, variance="greenwood"),
    ]
    middle: list[Analyser] = [
        Cox(adjust="none"),
        Cox(),
        Cox(stratified=True),
        Cox(ties="breslow"),
        Cox(variance="HC0"),
        Cox(variance="model"),
        Cox(stratified=True, variance="model"),
        Kaplan(at=10.0),
        Kaplan(tau=10.0),
    ]
    slow: list[Analyser] = [
        Kaplan(at=10.0, adjust="score"),
        Kaplan(tau=10.0, adjust="score"),
        Kaplan(tau=10.0, adjust="all"),
    ]
    scenarios = {
        "20+20": replace(base, n_control=20, n_treated=20),
        "50+50": base,
        "50+100": replace(base, n_treated=100),
    }
    words = (
        "Exponential times, entry over 6, follow-up 12, drop-out; two strata; a score of latent correlation 0.6. Survival and "
        "restricted mean at 10. The score does not act by proportional hazards, so that the model's variance of Cox's hazard "
        "ratio is wrong; the default (robust) is HC3, with t(n-p) where there are strata. Of survival and restricted mean "
        "without covariates the default is HC2 with Satterthwaite degrees of freedom."
    )
    return Section(
        title="Time to an event",
        words=words,
        scenarios=scenarios,
        analyses=each(10_000, fast) + each(6000, middle) + each(1000, slow),
    )


def repeated() -> tuple[Section, ...]:
    base = Scenario(
        endpoint="repeated", n_control=20, n_treated=20, covariance=VISITS, correlation=0.5, retention=(1.0, 0.9, 0.8)
    )
    structures = (
        "unstructured",
        "ar1",
        "ar1 heterogeneous",
        "compound symmetry",
        "compound symmetry heterogeneous",
        "toeplitz",
        "toeplitz heterogeneous",
        "ante-dependence",
        "ante-dependence heterogeneous",
        "spatial exponential",
        "spatial gaussian",
    )
    analyses = [Mmrm(structure=structure) for structure in structures]
    analyses += [Mmrm(degrees=d) for d in ("kenward-roger", "satterthwaite", "between-within", "residual")]
    analyses += [Mmrm(covariance=c, degrees="satterthwaite") for c in ("CR0", "CR2", "CR3")]
    analyses += [
        Mmrm(structure="compound symmetry", covariance="CR2", degrees="satterthwaite"),
        Mmrm(by_visit=False),
        Mmrm(adjust="none"),
    ]
    words = (
        "Three visits, correlation 0.6 between neighbours (AR(1)), a score with a slope at each visit; 20 % have left by the "
        "last visit. Compound symmetry is a wrong structure here. The test is that of the last visit."
    )
    biased = [
        Mmrm(),
        Mmrm(degrees="satterthwaite"),
        Mmrm(structure="ar1"),
        Mmrm(structure="compound symmetry"),
        Mmrm(adjust="none"),
    ]
    complete = [Mmrm(), Mmrm(degrees="satterthwaite"), Mmrm(adjust="none")]
    return (
        Section(
            title="Repeated measures: MMRM, complete data",
            words="As below, but everyone stays: an exact test.",
            scenarios={
                "20+20": replace(base, retention=()),
                "15+30": replace(base, retention=(), n_control=15, n_treated=30),
            },
            analyses=each(10_000, complete),
        ),
        Section(
            title="Repeated measures: MMRM, drop-out at random",
            words=words,
            scenarios={"20+20": base},
            analyses=each(1000, analyses),
        ),
        Section(
            title="Repeated measures: MMRM, drop-out that depends on what was seen",
            analyses=each(1000, biased),
            words="As above, but the higher a value the likelier the patient leaves before the next visit (MAR).",
            scenarios={"20+20": replace(base, mechanism="MAR")},
        ),
    )


def missing() -> Section:
    base = Scenario(
        endpoint="repeated", n_control=20, n_treated=20, covariance=VISITS, correlation=0.5, retention=(1.0, 0.85, 0.7)
    )
    strategies = ("MAR", "JR", "CR", "CIR", "LMCF")
    words = (
        "Three visits, 30 % have left by the last. Rubin's standard error keeps the information that the missing outcomes "
        "would have had, so that under reference-based strategies it rejects too seldom; the jackknife's is meant for the "
        "spread in repeated trials."
    )
    return Section(
        title="Missing data, repeated measures",
        words=words,
        scenarios={"20+20, MCAR": base},
        analyses=each(300, [MissingRepeated(strategy=s) for s in strategies])
        + each(60, [MissingRepeated(strategy=s, method="rubin", sets=5) for s in strategies]),
    )


def missing_one() -> tuple[Section, ...]:
    words = "Drop-out at random; multiple imputation of 5 sets, Rubin. Under JR Rubin's rules reject too seldom."
    lost = Scenario(
        endpoint="binary", n_control=40, n_treated=40, risk_control=0.4, risk_treated=0.4, correlation=0.4, dropout=0.25
    )
    count = Scenario(
        endpoint="count", n_control=40, n_treated=40, rate_control=1.5, dispersion=0.6, correlation=0.4, dropout=0.3
    )
    time_ = Scenario(
        endpoint="survival",
        n_control=50,
        n_treated=50,
        hazard_control=0.1,
        accrual=6.0,
        followup=12.0,
        dropout_hazard=0.03,
        correlation=0.5,
    )

    def made(kind: str, scenario: Scenario, strategies: Sequence[str], trials: int) -> Section:
        rows = each(trials, [MissingOne(strategy=s, sets=5) for s in strategies])
        size = f"{scenario.n_control}+{scenario.n_treated}"
        return Section(title=f"Missing data, {kind}", words=words, scenarios={size: scenario}, analyses=rows)

    return (
        made("binary outcome", lost, ("MAR", "JR"), 1000),
        made("counts", count, ("MAR", "JR", "CR"), 1000),
        made("time to an event", time_, ("MAR", "JR"), 1000),
    )


def external() -> Section:
    base = Scenario(
        n_control=20,
        n_treated=60,
        n_external=120,
        correlation=0.5,
        baseline=1,
        baseline_correlation=0.3,
        external_shift=0.3,
    )
    analyses = [External(method=method) for method in EXTERNAL] + [
        External(method=m, variance="influence") for m in ("AIPW", "TMLE")
    ]
    words = (
        "60 treated patients against 120 external controls whose covariates lie 0.3 SD off. Weights held as known give too wide "
        "an error (see `external/effect.py`); with a drift of 0.3 SD in the outcome that no covariate explains, every method "
        "is wrong, as it must be. Anchored MAIC has both comparisons within trials: drift cancels."
    )
    scenarios = {"no drift": base, "drift 0.3 SD": replace(base, external_drift=0.3)}
    return Section(title="External controls", words=words, scenarios=scenarios, analyses=each(1000, analyses))


def borrowing() -> Section:
    base = Scenario(endpoint="binary", n_control=25, n_treated=50, n_external=60, risk_control=0.3, risk_treated=0.3)
    fast = [Borrowing(prior=prior) for prior in PRIORS if prior not in ("normalised power", "robust MAP")]
    slow = [Borrowing(prior=prior) for prior in ("normalised power", "robust MAP")]
    words = (
        "25 own controls with 60 external ones behind them. Posterior mean and standard deviation, taken as normal. The drift is "
        "0.5 on the latent scale (the external risk falls from 0.30 to 0.15). Without borrowing drift changes nothing."
    )
    scenarios = {"no drift": base, "external risk lower": replace(base, external_drift=0.5, external_shift=0.0)}
    scenarios["external risk higher"] = replace(base, external_drift=-0.5)
    return Section(title="Borrowing", words=words, scenarios=scenarios, analyses=each(1000, fast) + each(120, slow))


def external_times() -> Section:
    base = Scenario(
        endpoint="survival",
        n_control=20,
        n_treated=60,
        n_external=120,
        hazard_control=0.1,
        accrual=6.0,
        followup=12.0,
        dropout_hazard=0.02,
        correlation=0.4,
        external_shift=0.3,
        benefit="lower",
    )
    analyses: list[Analyser] = [ExternalTimes(weights=one, adjust="score") for one in WEIGHTS]
    for one in ("IPTW ATT", "entropy", "matching"):
        analyses += [
            ExternalTimes(weights=one, adjust="score", at=10.0),
            ExternalTimes(weights=one, adjust="score", tau=10.0),
        ]
    words = (
        "60 treated patients against 120 external controls whose score lies 0.3 SD off. Robust variances with the "
        "weights held as known. Drift: the external controls' latent variable lies 0.3 SD off, which no covariate explains."
    )
    return Section(
        title="External controls, times to an event",
        words=words,
        scenarios={"no drift": base, "drift 0.3 SD": replace(base, external_drift=0.3)},
        analyses=each(1000, analyses),
    )


def borrowing_mean() -> Section:
    base = Scenario(n_control=25, n_treated=50, n_external=60)
    words = (
        "25 own controls with 60 external ones behind them. Posterior mean and standard deviation, taken as normal, each mean "
        "with its standard error as known. The drift is 0.5 SD: a prior that trusts history is then wrong, as it must be."
    )
    return Section(
        title="Borrowing a mean",
        words=words,
        scenarios={"no drift": base, "drift 0.5 SD": replace(base, external_drift=0.5)},
        analyses=each(2000, [BorrowingMean(prior=prior) for prior in MEAN_PRIORS]),
    )


def sections() -> tuple[Section, ...]:
    """All, in the order of the page."""
    return (
        continuous(),
        binary(),
        randomised(),
        counts(),
        survival(),
        *repeated(),
        missing(),
        *missing_one(),
        external(),
        external_times(),
        borrowing(),
        borrowing_mean(),
    )


def run(section: Section, scale: float, tell: Callable[[str], None]) -> dict[tuple[str, str], Characteristics]:
    """(analysis, scenario) -> what it does there."""
    out: dict[tuple[str, str], Characteristics] = {}
    for name, scenario in section.scenarios.items():
        for trials in dict.fromkeys(trials for _, trials in section.analyses):
            group = [one for one, count in section.analyses if count == trials]
            began = time.process_time()
            for made in simulate(scenario, group, trials=max(20, round(trials * scale)), seed=11):
                out[made.analysis, name] = made
            tell(f"{section.title}, {name}, {trials} trials: {time.process_time() - began:.1f} s CPU")
    return out


def cell(made: Characteristics) -> str:
    """Percent, Monte Carlo error, failures, and a word where it is off by more than three errors."""
    share, error = made.rejection.value, made.rejection.error
    mark = " high" if share - 3.0 * error > HIGH else " low" if share + 3.0 * error < LOW else ""
    failed = f", {made.failed} failed" if made.failed else ""
    return f"{share * 100:.2f} ({error * 100:.2f}){mark}{failed}"


def page(done: Sequence[tuple[Section, dict[tuple[str, str], Characteristics]]], scale: float) -> str:
    """The document."""
    command = "python -m medtwin.trials.simulate.type_one" + (f" --scale {scale:g}" if scale != 1.0 else "")
    lines = [
        "# Type I error of every trial analysis",
        "",
        f"Generated by `{command}`; do not edit. Each number is the share, in percent, of simulated trials without "
        "an effect in which "
        "the analysis rejects at 5 %, two-sided, with its Monte Carlo standard error in brackets. `high` and `low`: beyond "
        f"{LOW:.1%} to {HIGH:.1%} by more than three Monte Carlo errors. A failed trial counts as not rejected "
        "and is shown. Analyses of "
        "a table see the same trials.",
        "",
    ]
    for section, found in done:
        names = list(section.scenarios)
        lines += [
            f"## {section.title}",
            "",
            section.words,
            "",
            "| analysis | trials | " + " | ".join(names) + " |",
            "|---|---|" + "---|" * len(names),
        ]
        for one, _ in section.analyses:
            held = [found[one.name, name] for name in names]
            lines.append(f"| {one.name} | {held[0].trials} | " + " | ".join(cell(made) for made in held) + " |")
        alike: Counter[tuple[str, str, int]] = Counter()
        for (_, name), made in found.items():
            alike.update((name, reason, count) for reason, count in made.reasons.items())
        if alike:
            said = (
                f"{name}: {reason} ({count} trials of each of {many} analyses)"
                for (name, reason, count), many in alike.items()
            )
            lines += ["", f"Failed: {'; '.join(said)}."]
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.trials.simulate.type_one", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="times the numbers of trials")
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args(arguments)

    def tell(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    done = []
    for section in sections():
        done.append((section, run(section, given.scale, tell)))
        given.output.write_text(page(done, given.scale), encoding="utf-8")  # whatever is ready, for who looks in
    return 0


if __name__ == "__main__":
    sys.exit(main())
