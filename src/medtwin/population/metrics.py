"""Glucose metrics that run along with a simulation: sums and counters of each person, so that no trace is kept.

Definitions are those of ``statistics/glucose`` (ranges, LBGI and HBGI, episodes) for a reading every five minutes
without gaps; the tests hold one to the other.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.population.days import SLOT
from medtwin.statistics.glucose.episodes import END, KINDS

Number = Float[Array, "n"]
SHARES = ("below_54", "below_70", "tight", "in_range", "above_180", "above_250")


class Running(eqx.Module):
    """An episode counter: how long beyond, how long within, whether one runs, how many began."""

    beyond: Number
    within: Number
    runs: Number
    count: Number

    def add(self, is_beyond: Array, least: float) -> Running:
        """One reading more."""
        beyond = jnp.where(is_beyond, self.beyond + 1.0, 0.0)
        within = jnp.where(is_beyond, 0.0, self.within + 1.0)
        begins = (self.runs < 0.5) & (beyond >= least)
        ends = within >= END / SLOT
        runs = jnp.where(begins, 1.0, jnp.where(ends, 0.0, self.runs))
        return Running(beyond, within, runs, self.count + begins.astype(self.count.dtype))


class Tally(eqx.Module):
    """Sums over the readings of each person, all ``(n,)``."""

    readings: Number
    total: Number  #: of glucose less 140 mg/dL, and of its square: 32 bit keep their digits
    squares: Number
    lowest: Number
    shares: dict[str, Number]  #: counts
    low_risk: Number
    high_risk: Number
    episodes: dict[str, Running]
    basal: Number  #: U
    bolus: Number  #: U
    eaten: Number  #: g, with what was eaten against lows
    rescue: Number  #: g of it


CENTRE = 140.0


def begin(like: Number) -> Tally:
    """Nothing yet."""
    zero = jnp.zeros_like(like)
    return Tally(
        readings=zero, total=zero, squares=zero, lowest=jnp.full_like(like, jnp.inf), shares=dict.fromkeys(SHARES, zero),
        low_risk=zero, high_risk=zero, episodes={name: Running(zero, zero, zero, zero) for name in KINDS},
        basal=zero, bolus=zero, eaten=zero, rescue=zero,
    )  # fmt: skip


def risk(glucose: Number) -> tuple[Number, Number]:
    """Risk of low and of high glucose of each value (mg/dL): :func:`medtwin.statistics.glucose.risk.risk_of` in JAX."""
    f = 1.509 * (jnp.log(jnp.maximum(glucose, 1.0)) ** 1.084 - 5.381)
    each = 10.0 * f * f
    return jnp.where(f < 0.0, each, 0.0), jnp.where(f > 0.0, each, 0.0)


def add(tally: Tally, glucose: Number, basal: Number, bolus: Number, eaten: Number, rescue: Number) -> Tally:
    """One reading (mg/dL), and what was given (U) and eaten (g) in its slot."""
    held = jnp.maximum(glucose, 1.0)
    low, high = risk(held)
    inside = {
        "below_54": held < 54.0, "below_70": held < 70.0, "tight": (held >= 70.0) & (held <= 140.0),
        "in_range": (held >= 70.0) & (held <= 180.0), "above_180": held > 180.0, "above_250": held > 250.0,
    }  # fmt: skip
    apart = held - CENTRE
    return Tally(
        readings=tally.readings + 1.0, total=tally.total + apart, squares=tally.squares + apart * apart,
        lowest=jnp.minimum(tally.lowest, held),
        shares={name: tally.shares[name] + is_in.astype(held.dtype) for name, is_in in inside.items()},
        low_risk=tally.low_risk + low, high_risk=tally.high_risk + high,
        episodes={
            name: tally.episodes[name].add(held < limit if below else held > limit, points(least, name))
            for name, (limit, below, least) in KINDS.items()
        },
        basal=tally.basal + basal, bolus=tally.bolus + bolus, eaten=tally.eaten + eaten, rescue=tally.rescue + rescue,
    )  # fmt: skip


def points(least: float, name: str) -> float:
    """Readings beyond that make an episode: the extended one lasts more than its minutes."""
    return least / SLOT + 1.0 if name == "hypo_extended" else float(np.ceil(least / SLOT))


def outcomes(tally: Tally) -> dict[str, np.ndarray]:
    """Of each person (n,): percent of time, mg/dL, episodes and U and g a day; 64 bit."""
    held: Any = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tally)
    count = held.readings
    days = count * SLOT / 1440.0
    mean = held.total / count
    variance = np.maximum(held.squares - held.total * mean, 0.0) / np.maximum(count - 1.0, 1.0)
    share = {name: 100.0 * counted / count for name, counted in held.shares.items()}
    low = share["below_54"] + 0.8 * (share["below_70"] - share["below_54"])
    high = share["above_250"] + 0.5 * (share["above_180"] - share["above_250"])
    return share | {
        "mean": mean + CENTRE, "standard_deviation": np.sqrt(variance), "variation": 100.0 * np.sqrt(variance) / (mean + CENTRE),
        "lowest": held.lowest, "low_index": held.low_risk / count, "high_index": held.high_risk / count,
        "risk_index": np.minimum(3.0 * low + 1.6 * high, 100.0), "risk_low": low, "risk_high": high,
        **{f"{name}_a_day": one.count / days for name, one in held.episodes.items()},
        "basal_a_day": held.basal / days, "bolus_a_day": held.bolus / days, "insulin_a_day": (held.basal + held.bolus) / days,
        "eaten_a_day": held.eaten / days, "rescue_a_day": held.rescue / days,
    }  # fmt: skip
