"""What is kept of a filter's trace: plain columns over the settled steps of a piece, and surprises read from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jax
import numpy as np

from medtwin.inference.problem import Problem
from medtwin.inference.tape import Tape
from medtwin.inference.trace import Trace
from medtwin.twin.axis import Axis
from medtwin.twin.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Surprise:
    """How one reading met its prediction. Calibration, alarms and dossiers read this."""

    quantity: str
    time: datetime
    innovation: float  #: reading minus predicted mean, in the quantity's unit
    sd: float  #: predicted standard deviation of the reading
    log_density: float
    rank: float  #: predictive probability of a lower reading
    explanation: str  #: the winning hypothesis


def columns(problem: Problem, trace: Trace, tape: Tape, first: int) -> dict[str, np.ndarray]:
    """Columns of one person's trace, one row per settled step: see :data:`names` in the page's timeline.

    ``boundary`` is the absolute step boundary. Columns are called ``mean:QUANTITY``, ``sd:QUANTITY``, ``z:PARAMETER``,
    ``zsd:PARAMETER``, ``p:HYPOTHESIS`` (by its number), ``innovation:QUANTITY`` and so on.
    """
    seen: Any = jax.tree.map(np.asarray, trace)
    rows = np.flatnonzero(seen.settled)
    made: dict[str, np.ndarray] = {"boundary": (first + 1 + rows).astype(np.int64)}
    for label, group in (
        ("mean", seen.mean), ("sd", seen.sd), ("z", seen.deviate_mean), ("zsd", seen.deviate_sd),
        ("amount", seen.amount_mean), ("amountsd", seen.amount_sd), ("ago", seen.minutes_ago),
        ("predicted", seen.predicted_mean), ("predictedsd", seen.predicted_sd),
    ):  # fmt: skip
        for name, values in group.items():
            made[f"{label}:{name}"] = values[rows].astype(np.float64)
    for quantity, surprise in seen.surprise.items():
        present = np.asarray(tape.readings[quantity].present)[rows]
        for label in ("innovation", "sd", "log_density", "rank"):
            values = np.where(present, getattr(surprise, label)[rows], np.nan)
            made[f"surprise_{label}:{quantity}"] = values.astype(np.float64)
    made["vector"] = seen.vector[rows].astype(np.float64)
    made["memory"] = seen.memory[rows].astype(np.float64)
    made["probability"] = seen.probability[rows].astype(np.float64)
    return made


def surprises(piece: Snapshot, axis: Axis, hypotheses: tuple[str, ...] = ()) -> tuple[Surprise, ...]:
    """The surprises of one piece in order of time."""
    found = []
    boundary = piece.columns["boundary"]
    best = np.argmax(piece.columns["probability"], axis=1)
    for name in sorted(piece.columns):
        if not name.startswith("surprise_innovation:"):
            continue
        quantity = name.partition(":")[2]
        part = {k: piece.columns[f"surprise_{k}:{quantity}"] for k in ("innovation", "sd", "log_density", "rank")}
        for i in np.flatnonzero(np.isfinite(part["log_density"])):
            winner = hypotheses[best[i]] if hypotheses else str(best[i])
            innovation, sd, density, rank = (float(column[i]) for column in part.values())
            found.append(Surprise(quantity, axis.moment(int(boundary[i])), innovation, sd, density, rank, winner))
    return tuple(sorted(found, key=lambda s: (s.time, s.quantity)))
