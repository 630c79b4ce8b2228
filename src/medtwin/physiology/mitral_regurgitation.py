"""The leak of the mitral valve: one of the leaflets, which stays, and one of the ventricle's size, which follows it.

::

    area = clip(fixed + growth (V_lv - reference), 0, greatest)

A ventricle that widens pulls the leaflets apart (functional regurgitation): the leak falls while it ejects and as it is
unloaded. The flow through it is :func:`medtwin.physiology.valves.leak`.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, "..."]


def leak_area(volume: Number, fixed: Number, growth: Number, reference: Number, greatest: Number) -> Number:
    """Effective regurgitant orifice area, cm2.

    ``volume`` of the left ventricle and ``reference`` mL; ``fixed`` and ``greatest`` cm2; ``growth`` cm2/mL.
    """
    area = fixed + growth * (volume - reference)
    return jnp.minimum(jnp.where(area > 0.0, area, 0.0), greatest)
