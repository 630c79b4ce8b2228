"""Trace: what an update saw and thought, step by step; Surprise is its part about readings.

Rows exist at every step; numbers are finite only where the belief was brought up to date (``settled``: at every reading, at
least every ``interval`` steps, and at the last valid step), and not-a-number elsewhere. Shapes ``(steps, ..., *batch)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Surprise(eqx.Module):
    """How a reading met its prediction; not-a-number where there was no reading."""

    innovation: Float[Array, "steps ..."]  #: reading minus predicted mean, in the observable's unit
    sd: Float[Array, "steps ..."]  #: predicted standard deviation of the reading, its error included
    log_density: Float[Array, "steps ..."]  #: log predictive density (log probability, for a bound)
    rank: Float[Array, "steps ..."]  #: predictive probability of a lower reading (PIT); exact readings only
    nis: Float[Array, "steps ..."]  #: innovation squared over predicted variance; exact readings only


class Trace(eqx.Module):
    """Per step: predictions before readings, beliefs after them, the hypotheses before and after."""

    settled: Bool[Array, "steps ..."]
    predicted_mean: dict[str, Float[Array, "steps ..."]]  #: of each observable
    predicted_sd: dict[str, Float[Array, "steps ..."]]
    mean: dict[str, Float[Array, "steps ..."]]  #: of each observable (its unit), filtered
    sd: dict[str, Float[Array, "steps ..."]]
    deviate_mean: dict[str, Float[Array, "steps ..."]]  #: of each shown parameter's deviate
    deviate_sd: dict[str, Float[Array, "steps ..."]]
    vector: Float[Array, "steps component ..."]  #: mean of the augmented vector, filtered: where forecasts set out from
    memory: Float[Array, "steps kept ..."]  #: the model's bookkeeping, as expected: the rest of where forecasts set out
    probability_before: Float[Array, "steps hypotheses ..."]
    probability: Float[Array, "steps hypotheses ..."]
    amount_mean: dict[str, Float[Array, "steps ..."]]  #: by hypothesis that opens an input: how much, if it holds
    amount_sd: dict[str, Float[Array, "steps ..."]]
    minutes_ago: dict[str, Float[Array, "steps ..."]]  #: and how long ago
    surprise: dict[str, Surprise]
    repairs: Int[Array, "steps ..."]  #: covariances that had to be mended at this step


def concatenate(traces: Sequence[Trace]) -> Trace:
    """One trace of consecutive tapes."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *traces)


def nothing(row: Trace) -> Trace:
    """The same row without a number: what a step shows at which nothing was settled."""

    def none(leaf: Array) -> Array:
        return jnp.full_like(leaf, jnp.nan) if jnp.issubdtype(leaf.dtype, jnp.floating) else jnp.zeros_like(leaf)

    return jax.tree.map(none, row)
