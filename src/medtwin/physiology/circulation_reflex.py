"""Many circulations settled near known ones, with the reflex at work: what a drug leaves when the beat and the reflex have
found rest.

Sought are a state x that repeats itself and a mean arterial pressure P that its own beat shows, while P moves the
parameters (:mod:`medtwin.physiology.baroreflex`)::

    f(x; parameters(P)) = x          P = mean aortic pressure of that beat

From the state of a neighbour (the person without the drug) a few turns with Newton's matrix of
:mod:`medtwin.physiology.periodic`, made anew every :data:`TURNS` turns; each turn reads its pressure, which moves the
parameters of the next, half-way (the reflex's loop gain is below one, so that half of each step closes on itself). ``open_by``
says how far the last turn was from closing, and ``adrift`` by how many mm[Hg] the pressure still moved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.baroreflex import answer, moved
from medtwin.physiology.circulation_beat import LOOP, turn
from medtwin.physiology.periodic import conserved, cycle_of, frame, newton_step, shorten, slopes

Number = Float[Array, "..."]

STEPS = 375  #: of a beat: at most 4 ms each at 40/min; longer ones do not hold
MATRICES = 3  #: how often Newton's matrix is made
TURNS = 5  #: turns with each
STEP = 0.5  #: share of each move of the pressure that is kept


class Rest(NamedTuple):
    """A settled circulation: its state at phase 0, what its beat shows, its parameters under the reflex."""

    state: Any
    seen: dict[str, Number]
    parameters: Any
    open_by: Number
    adrift: Number


def rest(near: Any, parameters: Any, usual: Number, strength: Number, *, steps: int = STEPS) -> Rest:
    """Settle ``parameters`` from the state ``near``; ``usual`` mean pressure of the reflex (mm[Hg]) and its ``strength``, both
    [person].

    All arrays have one axis of people. With strength 0 the parameters stay what they are.
    """
    at, amount = frame(LOOP), conserved(LOOP)

    def under(pressure: Array) -> Any:
        return moved(parameters, answer(pressure, usual, strength))

    def refined(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        x, pressure = carry
        now = under(pressure)
        apart = jax.tree.map(lambda leaf: leaf[None], now)
        _, slope = slopes(lambda rows: at.stack(cycle_of(LOOP, at.unstack(rows), apart, steps=steps)), x)
        w = jax.grad(lambda x: jnp.sum(amount(at.unstack(x), now)))(x)

        def one(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
            x, pressure = carry
            now = under(pressure)
            beat = turn(at.unstack(x), now, steps=steps)
            short = now.stressed_blood_volume - amount(at.unstack(x), now)
            dx = newton_step(x, at.stack(beat.after), slope, w, short)[:, 0]
            ahead = at.stack(LOOP.project(at.unstack(x + shorten(x, dx, at.signed)), now))
            return (ahead, pressure + STEP * (beat.seen["mean_arterial_pressure"] - pressure)), None

        return jax.lax.scan(one, (x, pressure), None, length=TURNS)[0], None

    (x, pressure), _ = jax.lax.scan(refined, (at.stack(near), usual), None, length=MATRICES)
    now = under(pressure)
    beat = turn(at.unstack(x), now, steps=steps)
    open_by = jnp.max(jnp.abs(at.stack(beat.after) - x), axis=0)
    return Rest(at.unstack(x), beat.seen, now, open_by, jnp.abs(beat.seen["mean_arterial_pressure"] - pressure))
