"""One valve of the heart: blood with inertia through an orifice that opens, narrows or leaks.

Forward flow ``q`` obeys ::

    L q' = dP - R q - B q |q|        L = rho length/area,  B = loss/area^2

while the pressure drives it or it still flows; else it stands. After each step ``q = max(q, 0)``, so that no
blood goes back but through a leak. ``B`` is the simplified Bernoulli law dP = 4 v^2 (v in m/s), that is
``q = 50 area sqrt(dP)`` (mL/s, cm2, mm[Hg]): a stenosis is a smaller effective orifice area, nothing else. The
smaller the orifice, the greater the inertia of its jet, so that the time constant L/(2 B q) = length/(2 v) stays that of the
length: at a jet of 5 m/s and 1.5 cm it is 1.5 ms, for which RK4 needs steps below 4.2 ms.

A leak has the same law without inertia, backward while the pressure behind is greater::

    leak = area dP/sqrt(loss (dP + smoothing)),   dP = max(P_behind - P_before, 0)

``smoothing`` (mm[Hg]) keeps the slope finite at the turn of the pressure; it lowers the flow at 100 mm[Hg] by 0.05 %.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, "..."]


def acceleration(
    drop: Number, flow: Number, area: Number, resistance: Number, *, loss: Number, inertia: Number, length: Number
) -> Number:
    """Rate of the forward flow, mL/s2.

    ``drop``: pressure before less behind, mm[Hg]; ``area`` cm2; ``resistance`` mm[Hg].s/mL; ``loss``
    mm[Hg].s2.cm4/mL2; ``inertia`` (of blood) mm[Hg].s2.cm/mL; ``length`` (of the column that is accelerated) cm.
    A closing valve goes on closing within a step, below zero, and :func:`forward` stops it: so the step is a
    continuous function of the state.
    """
    opened = (drop > 0.0) | (flow != 0.0)
    lost = resistance * flow + loss * flow * jnp.abs(flow) / (area * area)
    return jnp.where(opened, (drop - lost) * area / (inertia * length), 0.0)


def forward(flow: Number) -> Number:
    """What passes: nothing goes back."""
    return jnp.where(flow > 0.0, flow, 0.0)


def leak(drop: Number, area: Number, *, loss: Number, smoothing: Number) -> Number:
    """Flow back through a leak of ``area`` (cm2), mL/s, under ``drop`` (pressure behind less before, mm[Hg])."""
    driving = jnp.where(drop > 0.0, drop, 0.0)
    square = loss * (driving + smoothing)
    return area * driving * jnp.sqrt(square) / square  # a quotient by a root would be made a slow reciprocal root
