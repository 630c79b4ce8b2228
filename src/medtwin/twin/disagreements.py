"""Where readings and twin disagree: stretches of time in which a named hypothesis won over "as expected".

The filter scores its hypotheses at every reading. A stretch begins where "as expected" falls below ``OPEN`` and ends
where it rises above ``CLOSE`` again: between the two nothing changes, so that one event of life makes one question and
not five. The winner is the hypothesis that holds most of the probability over the stretch; what it says (how much was
eaten, since when) is read at the reading where it was surest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from medtwin.inference.hypotheses import Hypothesis
from medtwin.quantities import registry
from medtwin.quantities.units import written
from medtwin.twin.twin import Twin

OPEN, CLOSE = 0.35, 0.65  #: probability of "as expected" below which a stretch begins, above which it ends
SURE = 0.5  #: the winner's probability at its best reading, below which nobody is asked
#: A filter's own "how long ago" is believed up to FURTHEST before the stretch; beyond it, what began is put USUAL before it:
#: on planted untold meals of other equations the stretch began 90 min (58 to 167) after the first bite.
FURTHEST, USUAL = timedelta(hours=3), timedelta(minutes=90)
APART = timedelta(minutes=45)  #: two stretches of one winner that lie closer than this are one


@dataclass(frozen=True, slots=True)
class Opened:
    """How much of an unrecorded input the winner says, and since when; negative: so much of what is recorded did not arrive."""

    quantity: str
    mean: float
    sd: float
    time: datetime


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One stretch. ``probability`` holds each hypothesis at the reading where the winner was surest (``peak``)."""

    quantity: str
    since: datetime
    until: datetime
    peak: datetime
    winner: Hypothesis
    probability: tuple[tuple[Hypothesis, float], ...]  #: most probable first
    measured: float
    expected: float
    expected_sd: float
    opened: Opened | None
    ended: bool  #: False: "as expected" has not won back yet

    @property
    def question(self) -> str:
        """The winner's question about this stretch, times in UTC; see :meth:`ask` for another zone."""
        return self.ask(f"{self.since:%H:%M} UTC")

    def ask(self, time: str) -> str:
        """The winner's question, with its time written as ``time``."""
        amount = abs(self.opened.mean) if self.opened else 0.0
        unit = written(registry.get(self.opened.quantity).unit) if self.opened else ""
        return self.winner.question.format(amount=amount, unit=unit, time=time)


def disagreements(twin: Twin, since: datetime) -> tuple[Disagreement, ...]:
    """The stretches that reach into the time after ``since``, oldest first."""
    bank: tuple[Hypothesis, ...] = getattr(twin.choice.update, "bank", ())
    if len(bank) < 2:
        return ()
    first = int(twin.axis.position(since))
    pieces = [p.columns for p in twin.pieces if len(p.columns["boundary"]) and p.columns["boundary"][-1] >= first]
    if not pieces:
        return ()
    boundary = np.concatenate([columns["boundary"] for columns in pieces])
    probability = np.concatenate([columns["probability"] for columns in pieces])
    found = []
    for begin, end, ended in stretches(probability[:, 0]):
        if boundary[end] < first:
            continue
        mass = np.nansum(probability[begin : end + 1, 1:], axis=0)
        winner = int(np.argmax(mass)) + 1
        peak = begin + int(np.nanargmax(probability[begin : end + 1, winner]))
        if probability[peak, winner] < SURE:
            continue
        made = _disagreement(twin, bank, pieces, boundary, probability, begin, end, peak, winner, ended)
        if made is not None:
            found.append(made)
    return tuple(_joined(found))


def stretches(expected: np.ndarray) -> list[tuple[int, int, bool]]:
    """(first row, last row, whether it ended) of each stretch, with hysteresis."""
    found, begin = [], -1
    for row, share in enumerate(expected):
        if begin < 0 and share < OPEN:
            begin = row
        elif begin >= 0 and share > CLOSE:
            found.append((begin, row - 1, True))
            begin = -1
    if begin >= 0:
        found.append((begin, len(expected) - 1, False))
    return found


def _disagreement(
    twin: Twin, bank: tuple[Hypothesis, ...], pieces: list, boundary: np.ndarray, probability: np.ndarray,
    begin: int, end: int, peak: int, winner: int, ended: bool,
) -> Disagreement | None:  # fmt: skip
    quantity = twin.choice.headline

    def column(name: str) -> np.ndarray:
        return np.concatenate([columns.get(name, np.full(len(columns["boundary"]), np.nan)) for columns in pieces])

    innovation, sd = column(f"surprise_innovation:{quantity}"), column(f"surprise_sd:{quantity}")
    read = np.flatnonzero(np.isfinite(innovation[begin : end + 1])) + begin
    if not len(read):
        return None
    worst = int(read[np.argmax(np.abs(innovation[read] / sd[read]))])
    expected = float(column(f"predicted:{quantity}")[worst])
    opened = None
    if bank[winner].opens is not None:
        name = bank[winner].name
        amount, spread, ago = (float(column(f"{label}:{name}")[peak]) for label in ("amount", "amountsd", "ago"))
        if np.isfinite(amount):
            begun = twin.axis.moment(int(boundary[begin]))
            time = twin.axis.moment(int(boundary[peak])) - timedelta(minutes=ago if np.isfinite(ago) else 1e4)
            if not begun - FURTHEST <= time <= twin.axis.moment(int(boundary[peak])):
                time = begun - USUAL
            opened = Opened(bank[winner].opens.quantity, amount, spread, time)  # type: ignore[union-attr]
    shares = sorted(zip(bank, probability[peak], strict=True), key=lambda pair: -pair[1])
    return Disagreement(
        quantity=quantity,
        since=twin.axis.moment(int(boundary[begin])),
        until=twin.axis.moment(int(boundary[end])),
        peak=twin.axis.moment(int(boundary[peak])),
        winner=bank[winner],
        probability=tuple((hypothesis, float(share)) for hypothesis, share in shares),
        measured=expected + float(innovation[worst]),
        expected=expected,
        expected_sd=float(sd[worst]),
        opened=opened,
        ended=ended,
    )


def _joined(found: list[Disagreement]) -> list[Disagreement]:
    """Stretches of one winner that lie close together are told once, by the surer one."""
    kept: list[Disagreement] = []
    for one in found:
        if kept and kept[-1].winner.name == one.winner.name and one.since - kept[-1].until <= APART:
            before = kept[-1]
            surer = max((before, one), key=lambda d: d.probability[0][1])
            kept[-1] = Disagreement(
                quantity=surer.quantity, since=before.since, until=one.until, peak=surer.peak, winner=surer.winner,
                probability=surer.probability, measured=surer.measured, expected=surer.expected,
                expected_sd=surer.expected_sd, opened=surer.opened, ended=one.ended,
            )  # fmt: skip
        else:
            kept.append(one)
    return kept
