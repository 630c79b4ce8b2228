"""The rise of glucose after a meal, expected of this person: a regression on what was eaten, when, and from where.

    rise = b0 + carbohydrate + fat + protein + fibre + level before + slope before + morning + evening
              + steps in the hour after + sleep before + what is left

Coefficients are one person's; their prior comes from other people (:data:`PRIOR`), so that a few meals are enough to begin
and many overrule it. Each column is centred on a usual meal, so that ``b0`` is that meal's rise. A nutrient that nobody
noted, steps and sleep of days without a record stand at the person's own mean, or the usual one: they then say nothing.
The coefficient of something that never varies in the record stays its prior, and is called unknown.

A dish that was eaten before has something of its own: of what is left, a share (``DISH`` of :mod:`.prior`) is
common to the same dish (by its name). With ``k`` rises measured whose mean is off by ``d``, the next is expected to be off by
``k share/(k share + 1 - share) d``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from medtwin.applications.day_plan.meals import Meal, Response
from medtwin.statistics.random_effects import CoefficientPosterior, CoefficientPrior, posterior

Array = NDArray[np.float64]
#: name, unit of the effect, the usual value, and how much of it one coefficient stands for
COLUMNS = (
    ("carbohydrate", "10 g", 45.0, 10.0), ("fat", "10 g", 15.0, 10.0), ("protein", "10 g", 20.0, 10.0),
    ("fibre", "5 g", 4.0, 5.0), ("before", "10 mg/dL", 105.0, 10.0), ("slope", "10 mg/dL in 15 min", 0.0, 10.0),
    ("morning", "5 to 11 h", 0.0, 1.0), ("evening", "17 to 4 h", 0.0, 1.0), ("steps", "1000 steps in the hour after", 0.5, 1.0),
    ("sleep", "hour of sleep", 7.0, 1.0),
)  # fmt: skip
NAMES = ("usual meal", *(name for name, *_ in COLUMNS))
#: before anything is learnt: judgement, wide. The signs are those of postprandial studies; of no person's data.
START = CoefficientPrior(
    mean=np.array([30.0, 4.0, -1.0, -1.0, -2.0, -4.0, 3.0, 0.0, 0.0, -3.0, 0.0]),
    sd=np.array([12.0, 3.0, 3.0, 3.0, 4.0, 3.0, 4.0, 8.0, 8.0, 4.0, 3.0]),
    noise=20.0,
)


def nutrients(meal: Meal) -> tuple[float | None, float | None, float | None, float | None]:
    """Grams of carbohydrate, fat, protein and fibre."""
    return meal.carbohydrate, meal.fat, meal.protein, meal.fibre


@dataclass(frozen=True)
class Person:
    """What was learnt of one person; ``usual (10,)`` fills what is not told."""

    belief: CoefficientPosterior
    usual: Array
    varied: tuple[bool, ...]  #: by column: whether the record says anything about it
    dishes: Mapping[str, tuple[int, float]] = field(
        default_factory=dict
    )  #: name -> times measured, mean of what was left
    share: float = 0.0  #: of what is left, that is common to one dish

    def rows(self, told: Sequence[tuple[float | None, ...]]) -> Array:
        """Design ``(n, 11)`` of rows of the ten columns, in their own units."""
        filled = [[u if v is None else v for v, u in zip(row, self.usual, strict=True)] for row in told]
        return design(np.array(filled, float).reshape(-1, len(COLUMNS)))

    def expected(self, told: Sequence[tuple[float | None, ...]], names: Sequence[str]) -> tuple[Array, Array]:
        """Mean and standard deviation ``(n,)`` of the rise that is expected on average of these meals."""
        middle, sd = self.belief.expected(self.rows(told))
        shift, own = self._own(names)
        return middle + shift, np.sqrt(sd**2 + own)

    def next(self, told: Sequence[tuple[float | None, ...]], names: Sequence[str]) -> tuple[Array, Array]:
        """Mean and scale ``(n,)`` of the next rise, which is Student's t with ``belief.degrees``."""
        middle, sd = self.expected(told, names)
        return middle, np.sqrt(sd**2 + (1.0 - self.share) * self.belief.noise**2)

    def quantiles(
        self, told: Sequence[tuple[float | None, ...]], names: Sequence[str], levels: Sequence[float]
    ) -> Array:
        """Quantiles ``(n, levels)`` of the next rise."""
        middle, sd = self.next(told, names)
        return np.asarray(middle[:, None] + sd[:, None] * stats.t.ppf(np.asarray(levels), self.belief.degrees)[None])

    def _own(self, names: Sequence[str]) -> tuple[Array, Array]:
        """What these dishes have of their own: mean and variance ``(n,)``."""
        shift, variance = [], []
        for name in names:
            times, left = self.dishes.get(name, (0, 0.0)) if name else (0, 0.0)
            drawn = times * self.share / (times * self.share + 1.0 - self.share)
            shift.append(drawn * left)
            variance.append((1.0 - drawn) * self.share * self.belief.noise**2)
        return np.array(shift), np.array(variance)


def design(values: Array) -> Array:
    """``(n, 11)`` from the ten columns in their own units ``(n, 10)``."""
    centre, per = (np.array([column[i] for column in COLUMNS], float) for i in (2, 3))
    return np.column_stack([np.ones(len(values)), (values - centre) / per])


def told_of(response: Response) -> tuple[float | None, ...]:
    """The ten columns of a meal that was eaten."""
    return (*nutrients(response.meal), response.before, response.slope, *clock(response.meal.hour),
            None if response.steps is None else response.steps / 1000.0, response.sleep)  # fmt: skip


def clock(hour: float) -> tuple[float, float]:
    """Morning and evening, 0 or 1."""
    return float(5.0 <= hour < 11.0), float(hour >= 17.0 or hour < 4.0)


def person(eaten: Sequence[Response], prior: CoefficientPrior, share: float = 0.0) -> Person:
    """Learn from meals with their responses; ``share`` of what is left belongs to the dish."""
    told = [told_of(one) for one in eaten]
    usual, varied = [], []
    for k, (name, _, centre, per) in enumerate(COLUMNS):
        known = np.array([row[k] for row in told if row[k] is not None], float)
        usual.append(float(known.mean()) if len(known) and name not in ("morning", "evening") else centre)
        varied.append(bool(len(known) >= 5 and known.std() > 0.1 * per))
    made = Person(posterior(prior, np.zeros((0, len(NAMES))), np.zeros(0)), np.array(usual), tuple(varied))
    x, rises = made.rows(told), np.array([one.rise for one in eaten])
    belief = posterior(prior, x, rises)
    left: dict[str, list[float]] = {}
    for one, off in zip(eaten, rises - x @ belief.mean, strict=True):
        left.setdefault(one.meal.name, []).append(float(off))
    dishes = {name: (len(offs), float(np.mean(offs))) for name, offs in left.items() if name}
    return Person(belief, made.usual, made.varied, dishes, share)


def effect(learnt: Person, name: str) -> tuple[float, float, float, bool]:
    """Median, 90 % interval and whether the record says anything, of one column's coefficient (per its unit), mg/dL."""
    k = NAMES.index(name)
    low, high = learnt.belief.interval(k)
    return float(learnt.belief.mean[k]), low, high, learnt.varied[k - 1]
