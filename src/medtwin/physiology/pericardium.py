"""The sac around the heart: all four chambers share its room, so that each presses on the others.

::

    P = reference_pressure exp((V_heart - reference_volume)/volume_scale)

on all chambers alike. Through it a full right ventricle stiffens the left one, and unloading the right side lets the left
one fill: with the functional leak of the mitral valve this is why a vasodilator can raise the flow of a failing heart.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, "..."]


def pressure(
    heart_volume: Number, reference_pressure: Number, reference_volume: Number, volume_scale: Number
) -> Number:
    """Pressure of the pericardium, mm[Hg], round four chambers of ``heart_volume`` mL in all."""
    return reference_pressure * jnp.exp((heart_volume - reference_volume) / volume_scale)
