"""What trials saw when weight was lost: whom they took, what they did, and what came of it.

One line of numbers each, with where it was read. ``FITTED`` sets two numbers of ``organ_fat`` (its ``half_fat``); the rest was
held out: no number of the model was chosen with it in view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WEEKS = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Recruited:
    """Whom a trial took: kg, cm, years, HbA1c (%), most and least years of diabetes, drugs as (share, mg a day)."""

    weight: float
    height: float
    age: float
    female: float
    hba1c: float
    spread: float
    longest: float = 10.0
    shortest: float = 0.0
    drugs: tuple[tuple[float, Mapping[str, float]], ...] = ((0.25, {}), (0.75, {"metformin": 2000.0}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What was done: weight lost (mean and spread, kg), whether drugs were kept, for how many weeks; and what was seen."""

    name: str
    people: Recruited
    lost: float
    lost_spread: float = 0.0
    kept: bool = False
    begun: Mapping[str, float] = field(default_factory=dict)  #: mg a day
    weeks: int = WEEKS
    remission: tuple[int, int] | None = None  #: below 6.5 % without drugs: of how many
    hba1c: tuple[float, float, float] | None = None  #: mean at the end, and its 95 % interval
    source: str = ""


#: Taylor 2018, Diabetologia 61:589: 54.4 years, 3.0 years of diabetes, HbA1c 7.6 % (sd 1.2); three in four on metformin:
#: judgement
DIRECT = Recruited(weight=100.0, height=169.0, age=54.0, female=0.41, hba1c=7.6, spread=1.2, longest=6.0)
#: Steven 2015 and 2016: weight, HbA1c, duration; height, age and drugs: judgement
SHORT = Recruited(weight=99.0, height=169.0, age=52.0, female=0.5, hba1c=7.2, spread=0.7, longest=4.0)
LONG = Recruited(weight=97.0, height=171.0, age=62.0, female=0.5, hba1c=8.6, spread=1.4, shortest=6.0)
#: Taheri 2020: age 18 to 50, at most three years; weight 101 kg, HbA1c 7.0 % (sd 1.3): from memory
DIADEM = Recruited(weight=101.0, height=170.0, age=42.0, female=0.27, hba1c=7.0, spread=1.3, longest=3.0)
#: Look AHEAD 2007: HbA1c 7.3 %; weight 100.5 kg, sd of HbA1c 1.2: from memory; insulin (one in seven): left out
AHEAD = Recruited(weight=100.5, height=167.0, age=59.0, female=0.59, hba1c=7.3, spread=1.2)
#: STEP 2: HbA1c 8.1 %, 99.8 kg, 55 years, 8 years of diabetes: from memory
STEP = Recruited(
    weight=99.8, height=167.0, age=55.0, female=0.5, hba1c=8.1, spread=0.8, drugs=((1.0, {"metformin": 2000.0}),)
)

LEAN_2018 = "Lean 2018, abstract, counts from memory"
FITTED = (
    Arm(name="DiRECT, 1 year, 0 to 5 kg", people=DIRECT, lost=2.5, remission=(6, 89), source=LEAN_2018),
    Arm(name="DiRECT, 1 year, 5 to 10 kg", people=DIRECT, lost=7.5, remission=(19, 56), source=LEAN_2018),
    Arm(name="DiRECT, 1 year, 10 to 15 kg", people=DIRECT, lost=12.5, remission=(16, 28), source=LEAN_2018),
    Arm(name="DiRECT, 1 year, 15 kg and more", people=DIRECT, lost=18.0, remission=(31, 36), source=LEAN_2018),
)
HELD_OUT = (
    Arm(
        name="DiRECT, 2 years, more than 10 kg", people=DIRECT, lost=14.5, weeks=104, remission=(29, 36),
        source="Lean 2024, abstract; 14.5 kg: judgement",
    ),
    Arm(
        name="DiRECT, 2 years, 15 kg and more", people=DIRECT, lost=18.0, weeks=104, remission=(14, 20),
        source="Lean 2019: 70 % of 17 and 3 people; the share by a report of it",
    ),
    Arm(
        name="DIADEM-I, 1 year, diet", people=DIADEM, lost=11.98, lost_spread=9.6, remission=(43, 70),
        source="Taheri 2020: 61 %; spread and count from memory",
    ),
    Arm(
        name="DIADEM-I, 1 year, usual care (without drugs at the end)", people=DIADEM, lost=3.98, lost_spread=5.4,
        remission=(9, 77), source="Taheri 2020: 12 %; spread and count from memory",
    ),
    Arm(
        name="Counterbalance, below 4 years of diabetes", people=SHORT, lost=14.5, weeks=26, hba1c=(6.2, 5.8, 6.6),
        source="Steven 2015, abstract, at week 8",
    ),
    Arm(
        name="Counterbalance, above 8 years (the model's: 6 to 10)", people=LONG, lost=14.0, weeks=26,
        hba1c=(8.0, 7.0, 9.0), source="Steven 2015, abstract, at week 8",
    ),
    Arm(
        name="Look AHEAD, 1 year, lifestyle", people=AHEAD, lost=8.6, lost_spread=6.9, kept=True, hba1c=(6.6, 6.56, 6.65),
        source="Look AHEAD 2007; interval of 2500 people",
    ),
    Arm(
        name="Look AHEAD, 1 year, education", people=AHEAD, lost=0.7, lost_spread=4.8, kept=True, hba1c=(7.2, 7.15, 7.25),
        source="Look AHEAD 2007; interval of 2500 people",
    ),
    Arm(
        name="STEP 2, week 68, semaglutide 2.4 mg", people=STEP, lost=9.6, lost_spread=7.0, kept=True, weeks=68,
        begun={"semaglutide": 2.4 / 7}, hba1c=(6.5, 6.35, 6.65), source="Davies 2021: -1.6 from 8.1; spread: judgement",
    ),
)  # fmt: skip
