"""A filter follows virtual lives, as shipped: tape by tape, block by block; what it believed at each reading is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from medtwin.evidence.lives import Lives
from medtwin.inference import tape as tapes
from medtwin.inference.belief import Mixture
from medtwin.inference.problem import Problem
from medtwin.inference.trace import Trace
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start

Array = NDArray[np.float64]
CHUNK, READING, BLOCK = 360, 5, 50  # steps of a tape, steps between readings, people folded together


@dataclass(frozen=True)
class Followed:
    """Beliefs at every reading; ``rows`` is time in readings, the last axis people."""

    hypotheses: tuple[str, ...]
    problem: Problem  #: of everyone, body weights known
    probability: Array  #: ``(rows, hypotheses, n)``
    vector: Array  #: mean of the augmented vector ``(rows, component, n)``
    memory: Array  #: ``(rows, kept, n)``
    amount: dict[str, Array]  #: by hypothesis ``(rows, n)``
    minutes_ago: dict[str, Array]
    nis: Array  #: ``(rows, n)``
    reading_rank: Array
    rank: Array  #: of the true deviates at the end of each day ``(days, shown, n)``
    deviate_sd: Array  #: ``(days, shown, n)``
    repairs: int


def follow(
    lives: Lives, problem: Problem, update: Unscented, *, note: Callable[[int, int], None] | None = None
) -> Followed:
    """Fold each life from its first minute with ``update``; ``problem`` is completed by each person's body weight."""
    n = lives.deviates.shape[1]
    weight = np.asarray(lives.parameters.body_weight)
    known = problem.at(body_weight=jnp.asarray(weight))
    place = [lives.problem.inferred.index(name) for name in known.shown]
    blocks: list[dict[str, Any]] = []
    repairs = 0
    for begin in range(0, n, BLOCK):
        # the last block is filled up with its own first person, so that one compiled function serves all
        who = np.minimum(np.arange(begin, begin + BLOCK), n - 1)
        real = min(BLOCK, n - begin)
        own = problem.at(body_weight=jnp.asarray(weight[who]))
        belief = start(update, own, (BLOCK,))
        assert isinstance(belief, Mixture)
        tape = jax.tree.map(lambda x, who=who: x[..., who] if np.ndim(x) and x.shape[-1] == n else x, lives.tape)
        kept: list[dict[str, Any]] = []
        for k, piece in enumerate(tapes.cut(tape, CHUNK, 1.0)):
            moved, trace = run(update, own, belief, piece)
            assert isinstance(moved, Mixture)
            belief = moved
            repairs += int(np.asarray(trace.repairs)[..., :real].sum())
            kept.append(_columns(trace, real))
            if (k + 1) * CHUNK % (24 * 60) == 0:
                kept[-1]["rank"], kept[-1]["deviate_sd"] = placed(own, belief, lives.deviates[place][:, who], real)
        blocks.append(_join(kept))
        if note is not None:
            note(begin + real, n)
    every: dict[str, Any] = {
        key: np.concatenate([block[key] for block in blocks], axis=-1)
        for key in blocks[0]
        if not isinstance(blocks[0][key], dict)
    }
    inner: dict[str, Any] = {
        key: {name: np.concatenate([block[key][name] for block in blocks], axis=-1) for name in blocks[0][key]}
        for key in ("amount", "minutes_ago")
    }
    return Followed(hypotheses=tuple(h.name for h in update.bank), problem=known, repairs=repairs, **every, **inner)


def _columns(trace: Trace, real: int) -> dict[str, Any]:
    def rows(leaf: Any) -> Array:
        return np.asarray(leaf)[READING - 1 :: READING, ..., :real]

    glucose = trace.surprise["glucose"]
    return {
        "probability": rows(trace.probability),
        "vector": rows(trace.vector),
        "memory": rows(trace.memory),
        "amount": {name: rows(v) for name, v in trace.amount_mean.items()},
        "minutes_ago": {name: rows(v) for name, v in trace.minutes_ago.items()},
        "nis": rows(glucose.nis),
        "reading_rank": rows(glucose.rank),
    }


def _join(kept: list[dict[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for key in kept[-1]:
        parts = [piece[key] for piece in kept if key in piece]
        if isinstance(parts[0], dict):
            joined[key] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        elif key in ("rank", "deviate_sd"):
            joined[key] = np.stack(parts)
        else:
            joined[key] = np.concatenate(parts)
    return joined


def placed(problem: Problem, belief: Mixture, truth: Array, real: int) -> tuple[Array, Array]:
    """Rank of the true deviates in the mixture's marginals (exact, not by draws), and the marginals' sd."""
    begin, end = len(problem.states), len(problem.states) + len(problem.shown)
    mean = np.asarray(belief.mean)[begin:end]
    sd = np.sqrt((np.asarray(belief.root)[begin:end] ** 2).sum(1))
    weight = np.asarray(belief.probability)[None]
    rank = (weight * ndtr((truth[:, None] - mean) / sd)).sum(1)
    centre = (weight * mean).sum(1, keepdims=True)
    spread = np.sqrt((weight * (sd**2 + (mean - centre) ** 2)).sum(1))
    return rank[:, :real], spread[:, :real]
