"""Virtual people: draws from a model's prior that pass named filters, each with a key of their own.

Candidate ``i`` of a seed is the same person however many are asked for. The filters refuse combinations of a broad
prior that no body has (independent priors make some); how many were refused, and why, is part of the result. The limits
are judgement: wide ranges of what clinics see in adults, not statistics of a population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medtwin.errors import ModelError
from medtwin.physiology.model import Model, draw
from medtwin.physiology.models import by_name
from medtwin.population.therapy import HOURS, Therapy, find_therapy

#: What the command line calls them: the model, and the covariates of its prior.
KINDS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "t1d": ("glucose_insulin", {}),
    "t2d": ("glucose_type_2", {"type_2_diabetes": 1.0}),
    "healthy": ("glucose_type_2", {"type_2_diabetes": 0.0}),
}
BLOCK = 500  #: candidates looked at together
MOST_REFUSED = 0.9  #: of the candidates; beyond it the prior and the filters do not belong together

#: Least and most of what is looked at, with the words for a refusal.
LIMITS: Mapping[str, tuple[float, float, str]] = {
    "fasting": (60.0, 250.0, "glucose at rest outside 60 to 250 mg/dL"),
    "drift": (-1.0, 1.0, "glucose that moves by more than 1 mg/dL in 12 h at rest"),
    "basal": (0.1, 4.0, "a basal rate outside 0.1 to 4 U/h"),
    "carbohydrate_ratio": (3.0, 40.0, "a carbohydrate ratio outside 3 to 40 g/U"),
    "correction_factor": (8.0, 250.0, "a correction factor outside 8 to 250 mg/dL/U"),
    "without_insulin": (70.0, float("inf"), "12 h without insulin that raise glucose by less than 70 mg/dL"),
}


@dataclass(frozen=True)
class People:
    """``n`` virtual people: ``parameters`` (each leaf ``(n,)``), ``therapy`` (where they need insulin), ``number`` (n,) of
    the candidate. ``refused``: how many candidates fell to each filter (the first that fits counts)."""

    model: Model
    kind: str
    seed: int
    parameters: Any
    therapy: Therapy | None
    number: np.ndarray
    refused: Mapping[str, int]
    candidates: int

    def __len__(self) -> int:
        return int(self.number.size)

    def some(self, chosen: Any) -> People:
        """Those that a slice or an index array chooses."""
        parameters, therapy = jax.tree.map(lambda leaf: leaf[chosen], (self.parameters, self.therapy))
        return People(self.model, self.kind, self.seed, parameters, therapy, self.number[chosen], {}, 0)


def virtual_people(kind: str, n: int, seed: int = 0, model: Model | None = None) -> People:
    """The first ``n`` candidates of this seed that pass every filter, in 32 bit.

    ``kind``: ``t1d``, ``t2d`` or ``healthy``; ``model`` replaces the kind's own (it must accept carbohydrate and, for
    ``t1d``, bolus and basal insulin). Raises :class:`ModelError` where nearly all candidates are refused.
    """
    if kind not in KINDS:
        raise ModelError(f"people of kind {kind!r}", expected=f"one of {', '.join(KINDS)}")
    if n < 1:
        raise ModelError(f"{n} people", expected="one or more")
    name, covariates = KINDS[kind]
    model = by_name(name) if model is None else model
    parts: list[tuple[Any, np.ndarray]] = []
    refused: dict[str, int] = dict.fromkeys((words for _, _, words in LIMITS.values()), 0)
    found = candidates = 0
    with jax.enable_x64(False):
        while found < n:
            number = np.arange(candidates, candidates + BLOCK)
            made, looked = _candidates(model, tuple(covariates.items()), kind == "t1d", seed, jnp.asarray(number))
            fine = np.ones(BLOCK, bool)
            for what, values in looked.items():
                low, high, words = LIMITS[what]
                value = np.asarray(values)
                falls = fine & ~((value >= low) & (value <= high))
                fine &= ~falls
                if found < n:
                    refused[words] += int(falls.sum())
            candidates += BLOCK
            found += int(fine.sum())
            parts.append((jax.tree.map(lambda leaf, held=fine: np.asarray(leaf)[held], made), number[fine]))
            if candidates >= 4 * BLOCK and found < (1.0 - MOST_REFUSED) * candidates:
                raise ModelError(
                    f"{candidates - found} of {candidates} candidates refused", where=model.name,
                    expected="a prior of which most draws are plausible",
                )  # fmt: skip
    whole = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n], *(made for made, _ in parts))
    numbers = np.concatenate([number for _, number in parts])[:n]
    parameters, therapy = whole
    return People(model, kind, seed, parameters, therapy, numbers, refused, candidates)


def keys_of(seed: int, number: Any, stream: int) -> Any:
    """A key for each person of a seed: (n,). Streams are independent: who they are, how they live."""
    base = jax.random.fold_in(jax.random.key(seed), stream)
    return jax.vmap(partial(jax.random.fold_in, base))(number)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _candidates(model: Model, covariates: tuple[tuple[str, float], ...], insulin: bool, seed: int, number: Any) -> Any:
    keys = keys_of(seed, number, stream=0)
    drawn = jax.vmap(lambda key: draw(model, key, 1, dict(covariates)))(keys)
    parameters = jax.tree.map(lambda leaf: leaf[:, 0] if leaf.ndim == 2 else leaf, drawn)
    start = model.initial(parameters)
    resting = model.resting(parameters)
    seen = _after(model, start, parameters, resting, 12 * HOURS)
    began = model.observe(jnp.zeros(()), start, parameters)["blood_glucose"]
    looked = {"fasting": began, "drift": seen - began}
    if not insulin:
        return (parameters, None), looked
    therapy = find_therapy(model, parameters)
    none = {**resting, "insulin_basal_rate": jnp.zeros_like(began)}
    looked |= {
        "basal": therapy.basal, "carbohydrate_ratio": therapy.carbohydrate_ratio,
        "correction_factor": therapy.correction_factor,
        "without_insulin": _after(model, start, parameters, none, 12 * HOURS) - began,
    }  # fmt: skip
    return (parameters, therapy), looked


def _after(model: Model, state: Any, parameters: Any, held: Any, minutes: int) -> Any:
    """Plasma glucose after so many minutes of the same inputs."""

    def advance(carry: Any, _: None) -> tuple[Any, None]:
        return model.step(jnp.zeros(()), jnp.ones(()), carry, parameters, held), None

    final, _ = jax.lax.scan(advance, state, None, length=minutes)
    return model.observe(jnp.zeros(()), final, parameters)["blood_glucose"]
