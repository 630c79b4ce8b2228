"""Planned power against simulated trials: the page ``docs/evidence/trials-planned-power.md``.

    python -m medtwin.trials.simulate.planned_power [--scale 1] [--output FILE]

Of each endpoint the method that plans go by (the first of its ``methods()``) is held to one point and three Monte Carlo errors in
every cell, for the test that it is a formula of; asymptotic formulas stand beside it and are not gated. Where the analysis that a
plan of analysis runs by default is another test, its power stands beside it too, and every cell in which it is further off than
that is marked. Exits 1 where a gated cell fails.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medtwin.trials.analysis.logrank import Score
from medtwin.trials.planning.ancova import Continuous
from medtwin.trials.planning.binary import Binary
from medtwin.trials.planning.counts import Counts
from medtwin.trials.planning.repeated import Repeated, covariance_of
from medtwin.trials.planning.survival import Survival
from medtwin.trials.planning.variance import Arms
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.analysers.contrast import Contrast
from medtwin.trials.simulate.analysers.count import Count
from medtwin.trials.simulate.analysers.logistic import Logistic
from medtwin.trials.simulate.analysers.logrank import Logrank
from medtwin.trials.simulate.analysers.mmrm import Mmrm
from medtwin.trials.simulate.draw import draw
from medtwin.trials.simulate.fits import Analyser
from medtwin.trials.simulate.run import simulate
from medtwin.trials.simulate.scenario import Scenario
from medtwin.trials.simulate.tally import Characteristics

PAGE = Path("docs/evidence/trials-planned-power.md")
NUMBERS = ((40, 40), (60, 60), (40, 80), (80, 40), (120, 120), (100, 200))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One planned trial. Power by simulation is that of rejections on the planned side."""

    what: str
    scenario: Scenario
    planned: float
    beside: float  #: by the asymptotic method
    analyses: tuple[Analyser, ...]  #: the planned test, then the default analysis
    trials: int
    results: tuple[Characteristics, ...] = field(default=())

    def power(self, place: int) -> float:
        """Share that rejects; the planned methods count one tail where ``wrong_side`` is nil."""
        return self.results[place].rejection.value

    @property
    def allowed(self) -> float:
        """One point and three Monte Carlo errors."""
        return 0.01 + 3.0 * self.results[0].rejection.error

    @property
    def default_away(self) -> float | None:
        """Of the default analysis, power - planned, where it is another test and further off than one point and three errors."""
        if (
            len(self.results) < 2 or self.scenario.endpoint == "survival"
        ):  # of times to an event it is the log-rank test itself
            return None
        made = self.results[1].rejection
        away = made.value - self.planned
        return away if abs(away) > 0.01 + 3.0 * made.error else None

    @property
    def verdict(self) -> str:
        """Of the last column."""
        if not self.holds:
            return "NO"
        away = self.default_away
        if away is None:
            return "yes"
        return f"yes for the test planned; the default analysis has {abs(away) * 100:.1f} points {'more' if away > 0 else 'LESS'}"

    @property
    def holds(self) -> bool:
        """Within what is allowed."""
        return abs(self.planned - self.power(0)) <= self.allowed


def continuous(trials: int) -> list[Cell]:
    """Exact: classical ANCOVA with random normal covariates; and ANCOVA II where the arms differ."""
    out = []
    numbers = ((15, 15), (20, 20), (15, 45), *NUMBERS[1:5])
    for (n0, n1), r, q in itertools.product(numbers, (0.0, 0.3, 0.5, 0.7), (1, 3)):
        effect = 2.7 * math.sqrt((1.0 - r * r) * (1.0 / n0 + 1.0 / n1))
        planned = Continuous(effect=effect, arms=Arms(sd0=1, sd1=1, correlation0=r, correlation1=r), covariates=q)
        scenario = Scenario(n_control=n0, n_treated=n1, effect=effect, baseline=q, baseline_correlation=r)
        out.append(
            Cell(
                what=f"r {r:g}, {q} covariates",
                scenario=scenario,
                planned=planned.exact(n0, n1),
                beside=planned.asymptotic(n0, n1),
                trials=trials,
                analyses=(Ancova(adjust="baseline", variance="classical"), Ancova(adjust="baseline")),
            )
        )
    return out


def unequal(trials: int) -> list[Cell]:
    """ANCOVA II where spreads and slopes differ: quadrature with Satterthwaite df."""
    out = []
    for (n0, n1), (s1, r0, r1) in itertools.product(
        ((60, 60), (40, 80), (80, 320)), ((1.5, 0.5, 0.5), (1.3, 0.65, -0.2), (1.0, 0.6, 0.2))
    ):
        arms = Arms(sd0=1.0, sd1=s1, correlation0=r0, correlation1=r1)
        effect = 2.7 * math.sqrt((1.0 - r0 * r0) / n0 + s1**2 * (1.0 - r1 * r1) / n1)
        planned = Continuous(effect=effect, arms=arms)
        scenario = Scenario(
            n_control=n0, n_treated=n1, effect=effect, sd_treated=s1, correlation=r0, correlation_treated=r1
        )
        out.append(
            Cell(
                what=f"SD 1 and {s1:g}, r {r0:g} and {r1:g}",
                scenario=scenario,
                planned=planned.exact(n0, n1),
                beside=planned.asymptotic_1(n0, n1),
                trials=trials,
                analyses=(Contrast(), Ancova(interactions=True)),
            )
        )
    return out


def binary(trials: int) -> list[Cell]:
    """Enumeration of all counts (exact without a score)."""
    out = []
    names = {"risk-difference": "difference", "risk-ratio": "ratio", "odds-ratio": "odds ratio"}
    for (n0, n1), (p0, p1), scale, r in itertools.product(NUMBERS, ((0.3, 0.5), (0.6, 0.4)), names, (0.0, 0.3, 0.5)):
        planned = Binary(risk0=p0, risk1=p1, scale=scale, correlation0=r, correlation1=r)
        scenario = Scenario(
            endpoint="binary", n_control=n0, n_treated=n1, risk_control=p0, risk_treated=p1, correlation=r
        )
        adjust = "score" if r else "none"
        out.append(
            Cell(
                what=f"risks {p0:g}, {p1:g}, {names[scale]}, r {r:g}",
                scenario=scenario,
                planned=planned.enumerated(n0, n1),
                beside=planned.contrast().asymptotic(n0, n1),
                trials=trials,
                analyses=(Contrast(adjust=adjust, measure=names[scale]), Logistic(adjust=adjust, measure=names[scale])),
            )
        )
    return out


def counts(trials: int) -> list[Cell]:
    """Second order (Edgeworth)."""
    out = []
    for (n0, n1), k, r in itertools.product(NUMBERS, (0.0, 0.5, 1.5), (0.0, 0.3, 0.5)):
        planned = Counts(rate0=2.0, ratio=0.7, dispersion=k, correlation0=r, correlation1=r).contrast()
        scenario = Scenario(
            endpoint="count", n_control=n0, n_treated=n1, rate_control=2.0, rate_ratio=0.7, dispersion=k, correlation=r
        )
        adjust = "score" if r else "none"
        out.append(
            Cell(
                what=f"dispersion {k:g}, r {r:g}",
                scenario=scenario,
                planned=planned.second_order(n0, n1),
                beside=planned.asymptotic(n0, n1),
                trials=trials,
                analyses=(Contrast(adjust=adjust, measure="ratio"), Count(adjust=adjust, family="poisson")),
            )
        )
    return out


def martingale_correlation(scenario: Scenario) -> float:
    """Of the score with the log-rank contributions within arms, in 40,000 patients of the scenario."""
    large = scenario.with_fields(n_control=20_000, n_treated=20_000)
    trial = draw(large, 5, 0).trial(0, "score")
    score = Score(trial, adjusted=False, small_sample=False)
    own, x = score.contributions(0.0), trial.covariates[:, 0]
    kept = whole = 0.0
    for arm in (0, 1):
        mine = trial.arm == arm
        o, m = own[mine] - own[mine].mean(), x[mine] - x[mine].mean()
        slope = (m @ o) / (m @ m)
        kept, whole = kept + float(((o - slope * m) ** 2).sum()), whole + float(o @ o)
    return math.sqrt(max(1.0 - kept / whole, 0.0))


def survival(trials: int) -> list[Cell]:
    """Log-rank integral at the alternative; with a score its correlation with the martingale residuals, as simulated."""
    out = []
    hazard = math.log(2.0) / 12.0
    for ratio, rho in itertools.product((0.75, 0.6), (0.0, 0.5)):
        for n0, n1 in ((60, 60), (100, 100), (75, 150), (150, 75), (200, 200)):
            scenario = Scenario(
                endpoint="survival",
                n_control=n0,
                n_treated=n1,
                hazard_control=hazard,
                hazard_ratio=ratio,
                accrual=12.0,
                followup=12.0,
                dropout_hazard=0.004,
                correlation=rho,
                benefit="lower",
            )
            held = martingale_correlation(scenario) if rho else 0.0
            planned = Survival(
                hazard0=hazard,
                hazard_ratio=ratio,
                accrual=12.0,
                followup=12.0,
                dropout_hazard0=0.004,
                dropout_hazard1=0.004,
                correlation=held,
            )
            adjust = "score" if rho else "none"
            out.append(
                Cell(
                    what=f"HR {ratio:g}, latent r {rho:g}, martingale r {held:.3f}",
                    scenario=scenario,
                    planned=planned.integral(n0, n1),
                    beside=planned.schoenfeld(n0, n1),
                    trials=trials,
                    analyses=(Logrank(adjust=adjust), Logrank(adjust=adjust, statistic="hazard ratio")),
                )
            )
    return out


def repeated(trials: int) -> list[Cell]:
    """Lu-Luo-Chen variance with quadrature over the covariates and the df of the patients at the last visit."""
    out = []
    for kind, r, kept in itertools.product(
        ("ar1", "compound-symmetry"), (0.0, 0.5), ((1.0, 1.0, 1.0), (1.0, 0.9, 0.75))
    ):
        for n0, n1 in ((25, 25), (30, 60)):
            matrix = covariance_of(kind, (1.0, 1.1, 1.2), 0.6)
            planned = Repeated(
                effect=1.0,
                covariance=matrix,
                retention0=kept,
                retention1=kept,
                correlations=(r,) * 3 if r else (),
                covariates=int(r > 0.0),
            )
            effect = 2.7 * math.sqrt(planned.variance(n1 / n0) / (n0 + n1))
            planned = Repeated(
                effect=effect,
                covariance=matrix,
                retention0=kept,
                retention1=kept,
                correlations=(r,) * 3 if r else (),
                covariates=int(r > 0.0),
            )
            whole = min(kept) == 1.0
            scenario = Scenario(
                endpoint="repeated",
                n_control=n0,
                n_treated=n1,
                effect=effect,
                covariance=matrix,
                correlation=r,
                retention=() if whole else kept,
            )
            test = Mmrm(adjust="score" if r else "none", degrees="satterthwaite")
            out.append(
                Cell(
                    what=f"{kind}, r {r:g}, {kept[-1]:.0%} at the last visit",
                    scenario=scenario,
                    planned=planned.quadrature(n0, n1),
                    beside=planned.asymptotic(n0, n1),
                    analyses=(test,),
                    trials=trials if whole else max(trials // 12, 20),
                )
            )
    return out


def sequential(trials: int) -> list[Cell]:
    """Crossing probabilities of group-sequential boundaries by recursive integration."""
    out = []
    for function, looks, (n0, n1) in itertools.product(
        ("obrien-fleming", "pocock"), ((0.5, 1.0), (0.3, 0.6, 1.0)), ((200, 200), (150, 300))
    ):
        error = math.sqrt(0.75 * (1.0 / n0 + 1.0 / n1))
        for sides, futility in ((2, None), (1, "obrien-fleming")):
            scenario = Scenario(
                n_control=n0,
                n_treated=n1,
                effect=2.9 * error,
                correlation=0.5,
                looks=looks,
                spending=function,
                sides=sides,
                alpha=0.025 * sides,
                futility=futility,
            )
            design = scenario.design
            assert design is not None
            words = f"{function}, {len(looks)} looks, {sides}-sided{', futility' if futility else ''}"
            out.append(
                Cell(
                    what=words,
                    scenario=scenario,
                    planned=design.rejects(2.9),
                    beside=float("nan"),
                    trials=trials,
                    analyses=(Ancova(variance="classical"), Ancova()),
                )
            )
    return out


SECTIONS: dict[str, tuple[Callable[[int], list[Cell]], int, str]] = {
    "Continuous, ANCOVA, arms alike: exact": (continuous, 10_000, "asymptotic normal"),
    "Continuous, ANCOVA II, arms that differ: quadrature with Satterthwaite df": (
        unequal,
        10_000,
        "asymptotic, ANCOVA I",
    ),
    "Binary: enumeration of all counts": (binary, 10_000, "asymptotic normal"),
    "Counts: second order": (counts, 10_000, "asymptotic normal"),
    "Time to an event: log-rank integral": (survival, 10_000, "Schoenfeld"),
    "Repeated measures: Lu-Luo-Chen variance, quadrature": (repeated, 12_000, "asymptotic normal"),
    "Group-sequential: recursive integration": (sequential, 10_000, "-"),
}


def run(cells: Sequence[Cell], seed: int = 21) -> list[Cell]:
    """With results."""
    from dataclasses import replace

    return [
        replace(cell, results=simulate(cell.scenario, cell.analyses, trials=cell.trials, seed=seed)) for cell in cells
    ]


def page(done: dict[str, list[Cell]], scale: float) -> str:
    """The document."""
    command = "python -m medtwin.trials.simulate.planned_power" + (f" --scale {scale:g}" if scale != 1.0 else "")
    every = [cell for cells in done.values() for cell in cells]
    failed = [cell for cell in every if not cell.holds]
    away = np.array([cell.planned - cell.power(0) for cell in every])
    apart = [cell.default_away for cell in every if cell.default_away is not None]
    less = sum(one < 0.0 for one in apart)
    lines = [
        "# Planned power against simulation",
        "",
        f"Generated by `{command}`; do not edit. Of each endpoint the method that plans go by is held to one point and three "
        "Monte Carlo errors in every cell of a grid over allocation, correlation and numbers, for the test that it is a formula "
        "of: classical ANCOVA; means, risks and rates adjusted within arms, with Satterthwaite degrees of freedom (which no "
        "plan of analysis names: it runs the default analysis); the log-rank test; MMRM. Beside it, not gated, an asymptotic "
        "formula, and the power of the default analysis (of times to an event: of the hazard ratio). Powers in percent, Monte "
        "Carlo errors in brackets. Repeated measures with drop-out are fitted one trial at a time, hence fewer of them.",
        "",
        f"{len(every) - len(failed)} of {len(every)} cells hold; largest distance {np.abs(away).max() * 100:.2f} points, "
        "root mean square "
        f"{math.sqrt(float((away**2).mean())) * 100:.2f}. In {len(apart)} of them the default analysis is further off than one "
        f"point and three Monte Carlo errors: more powerful than planned in {len(apart) - less}, less in {less}, at most "
        f"{max((abs(one) for one in apart), default=0.0) * 100:.1f} points; each is marked.",
        "",
    ]
    for title, cells in done.items():
        beside = SECTIONS[title][2]
        lines += [
            f"## {title}",
            "",
            f"| trial | n | trials | planned | simulated | distance | {beside} | default analysis | holds |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for cell in cells:
            made = cell.results[0].rejection
            other = (
                f"{cell.power(1) * 100:.2f} ({cell.results[1].rejection.error * 100:.2f})"
                if len(cell.results) > 1
                else ""
            )
            shown = "" if math.isnan(cell.beside) else f"{cell.beside * 100:.2f}"
            lines.append(
                f"| {cell.what} | {cell.scenario.n_control}+{cell.scenario.n_treated} | {cell.results[0].trials} | "
                f"{cell.planned * 100:.2f} | {made.value * 100:.2f} ({made.error * 100:.2f}) | "
                f"{(cell.planned - made.value) * 100:+.2f} | {shown} | {other} | "
                f"{cell.verdict} |"
            )
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page; 1 where a gated cell fails."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.trials.simulate.planned_power", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="times the numbers of trials")
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    done = {}
    for title, (cells, trials, _) in SECTIONS.items():
        done[title] = run(cells(max(50, round(trials * given.scale))))
        print(
            f"{title}: {sum(cell.holds for cell in done[title])} of {len(done[title])} hold",
            file=sys.stderr,
            flush=True,
        )
    given.output.write_text(page(done, given.scale), encoding="utf-8")
    return 0 if all(cell.holds for cells in done.values() for cell in cells) else 1


if __name__ == "__main__":
    sys.exit(main())
