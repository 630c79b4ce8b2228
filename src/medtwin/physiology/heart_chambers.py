"""One chamber of the heart: how strongly it is activated at each moment of the beat, and what pressure it then has.

Activation is the double Hill curve of Mynard2012, one branch that rises and one that falls::

    a(s) = C g1/(1 + g1) / (1 + g2),    g1 = (s/rise)^rise_exponent,  g2 = (s/fall)^fall_exponent

with ``C`` such that the greatest value is 1. ``s`` is the time since the chamber's own activation began, in *beat times*:
seconds at one beat a second, stretched as the square root of the period, since systole shortens less than diastole when
the heart beats faster: electromechanical systole of 541 ms - 2.2 ms per beat a minute (Boudoulas1981, men at rest) falls
to 0.73 of itself from 60 to 110 beats a minute, the square root of the period to 0.74, the period to 0.55.

Pressure is the mixture of an active line and a passive exponential::

    P = a E (V - V0) + (1 - a) P0 (exp(k (V - V0)) - 1)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Number = Float[Array, "..."]

#: Exponents of the two branches and their times in beat times: Mynard2012 as in svZeroDSolver (shares of the beat there).
RISE_EXPONENT, FALL_EXPONENT = 1.32, 27.4
VENTRICLE_RISE, VENTRICLE_FALL = 0.269, 0.452
ATRIUM_RISE, ATRIUM_FALL = 0.110, 0.180
#: The atria begin this share of the beat before the ventricles. Source: judgement, a PQ time of about 0.16 s at 60/min.
ATRIUM_LEAD = 0.16


def _curve(time: Number, rise: float, fall: float) -> Number:
    """Both branches, not yet scaled to 1. Written in logarithms, so that neither branch overflows."""
    safe = jnp.where(time > 0.0, time, rise)
    first = jax.nn.sigmoid(RISE_EXPONENT * jnp.log(safe / rise))
    second = jax.nn.sigmoid(-FALL_EXPONENT * jnp.log(safe / fall))
    return jnp.where(time > 0.0, first * second, 0.0)


def _greatest(rise: float, fall: float) -> float:
    time = np.linspace(1e-4, 2.0 * fall, 200_001)
    first = 1.0 / (1.0 + (time / rise) ** -RISE_EXPONENT)
    return float((first / (1.0 + (time / fall) ** FALL_EXPONENT)).max())


_VENTRICLE_GREATEST = _greatest(VENTRICLE_RISE, VENTRICLE_FALL)
_ATRIUM_GREATEST = _greatest(ATRIUM_RISE, ATRIUM_FALL)


def ventricular_activation(phase: Number, stretch: Number) -> Number:
    """Activation of the ventricles (0 to 1) at a phase of the beat (0 where they begin).

    ``stretch``: beat times in one beat, the square root of the period over one second.
    """
    return _curve(jnp.mod(phase, 1.0) * stretch, VENTRICLE_RISE, VENTRICLE_FALL) / _VENTRICLE_GREATEST


def atrial_activation(phase: Number, stretch: Number) -> Number:
    """Activation of the atria (0 to 1); they begin ``ATRIUM_LEAD`` of the beat before the ventricles."""
    return _curve(jnp.mod(phase + ATRIUM_LEAD, 1.0) * stretch, ATRIUM_RISE, ATRIUM_FALL) / _ATRIUM_GREATEST


def pressure(
    activation: Number, stretched: Number, elastance: Number, passive_pressure: Number, stiffness: Number
) -> Number:
    """Pressure over that of the pericardium, mm[Hg].

    ``stretched``: volume above the unstressed one, mL; ``elastance`` mm[Hg]/mL; ``passive_pressure`` mm[Hg];
    ``stiffness`` 1/mL. The passive part alone is what a chamber without contraction has (the atria of Ursino1998).
    """
    passive = passive_pressure * (jnp.exp(stiffness * stretched) - 1.0)  # three times as fast as expm1
    return passive + activation * (elastance * stretched - passive)
