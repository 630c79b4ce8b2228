"""A cohort after its days: what came out for each person, the profile of all, and a paired comparison of two controllers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.population.controllers.controller import Controller
from medtwin.population.controllers.python import PythonController
from medtwin.population.days import SLOT, SLOTS, Scenario
from medtwin.population.metrics import outcomes
from medtwin.population.people import People
from medtwin.population.sensor import Sensor
from medtwin.population.simulate import BLOCK, course_of, simulate
from medtwin.statistics.glucose.profile import EVERY, HALF_WINDOW, LEVELS, Profile
from medtwin.statistics.glucose.risk import ZONES

HIGHEST = 600  #: mg/dL; what is beyond counts there


@dataclass(frozen=True)
class Cohort:
    """``outcomes``: by name, of each person (n,), see ``metrics.outcomes``. ``profile`` pools people and days."""

    people: People
    controller: str
    days: int
    measured: str
    scenario: Scenario
    outcomes: Mapping[str, np.ndarray]
    profile: Profile
    sensor: str = "autoregressive"

    @property
    def zones(self) -> Mapping[str, int]:
        """People in each zone of the glycaemia risk index."""
        at = np.clip(np.ceil(self.outcomes["risk_index"] / 20.0) - 1, 0, 4).astype(int)
        return {zone: int((at == number).sum()) for number, zone in enumerate(ZONES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Over people: mean with its standard error, sd, and percentiles."""

    mean: float
    error: float
    sd: float
    percentiles: Mapping[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean over the same people of one outcome less the other's, with an interval of Student's t; ``people`` for whom it
    rose and fell, as shares."""

    value: float
    lower: float
    upper: float
    level: float
    rose: float
    fell: float


def cohort(
    people: People, controller: Controller | None, days: int, *, scenario: Scenario | None = None,
    sensor: Sensor | None = None, measured: str = "blood_glucose", block: int = BLOCK,
    tell: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Cohort:  # fmt: skip
    """Simulate; traces are counted into the profile block by block and not kept."""
    course = course_of(people, controller, scenario, sensor, measured)
    parts: list[dict[str, np.ndarray]] = []
    counts = np.zeros((SLOTS, HIGHEST + 1), np.int64)
    for lived in simulate(people, course, days, keep=True, block=block, tell=tell):
        parts.append(outcomes(lived.tally))
        counts += counted(lived.trace)
    name = (
        "none"
        if controller is None
        else controller.label
        if isinstance(controller, PythonController)
        else controller.name
    )
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Cohort(people, name, days, measured, course.scenario, whole, profile_of(counts, days), course.sensor.name)


def counted(trace: np.ndarray) -> np.ndarray:
    """Readings (days x 288, n) by slot of the day and whole mg/dL: (288, HIGHEST + 1)."""
    value = np.clip(trace, 0, HIGHEST).astype(np.int64).reshape(-1, SLOTS, trace.shape[1])
    index = value + (np.arange(SLOTS) * (HIGHEST + 1))[None, :, None]
    return np.bincount(index.ravel(), minlength=SLOTS * (HIGHEST + 1)).reshape(SLOTS, HIGHEST + 1)


def profile_of(counts: np.ndarray, days: int) -> Profile:
    """Percentiles at each quarter of an hour of what was read within ``HALF_WINDOW`` of it, to 0.5 mg/dL."""
    near, every = int(HALF_WINDOW / SLOT), int(EVERY / SLOT)
    wrapped = np.concatenate([counts[-near:], counts, counts[:near]])
    total = np.concatenate([np.zeros((1, counts.shape[1]), np.int64), np.cumsum(wrapped, axis=0)])
    window = (total[2 * near + 1 :] - total[: -2 * near - 1])[::every]
    made = np.empty((len(LEVELS), window.shape[0]))
    for n, row in enumerate(window):
        upto = np.cumsum(row)
        place = np.asarray(LEVELS) / 100.0 * (upto[-1] - 1)
        first, second = (np.searchsorted(upto, at, side="right") for at in (np.floor(place), np.ceil(place)))
        made[:, n] = first + (place - np.floor(place)) * (second - first) + 0.5  # the middle of its bin
    minute = np.append(np.arange(0.0, 1440.0, EVERY), 1440.0)
    return Profile(minute, LEVELS, np.concatenate([made, made[:, :1]], axis=1), np.full(minute.size, days))


def described(values: np.ndarray) -> Described:
    """Of one outcome over people."""
    sd = float(np.std(values, ddof=1)) if values.size > 1 else float("nan")
    return Described(
        mean=float(values.mean()), error=sd / values.size**0.5, sd=sd,
        percentiles=dict(zip(LEVELS, np.percentile(values, LEVELS).tolist(), strict=True)),
    )  # fmt: skip


def compared(one: Cohort, other: Cohort, level: float = 0.95) -> dict[str, Difference]:
    """``one`` less ``other`` for each outcome. Raises :class:`AnalysisError` unless both are the same people (of one model)
    and days."""
    same, others = (
        (c.people.seed, c.people.kind, c.people.model.name, c.days, c.scenario, c.measured, c.sensor)
        for c in (one, other)
    )
    if same != others or not np.array_equal(one.people.number, other.people.number):
        raise AnalysisError("two cohorts of other people or days", expected="one cohort under two controllers")
    if len(one.people) < 2:
        raise AnalysisError("a comparison of one person", expected="two people or more: the interval is over people")
    made = {}
    for name, values in one.outcomes.items():
        apart = values - other.outcomes[name]
        half = float(stats.t.ppf(0.5 + level / 2.0, apart.size - 1) * np.std(apart, ddof=1) / apart.size**0.5)
        middle = float(apart.mean())
        made[name] = Difference(
            value=middle, lower=middle - half, upper=middle + half, level=level,
            rose=float((apart > 0).mean()), fell=float((apart < 0).mean()),
        )  # fmt: skip
    return made
