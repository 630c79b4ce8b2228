"""The arterial baroreflex: what heart rate, resistance, veins and heart muscle answer when arterial pressure moves.

Drawing
-------
::

    arterial pressure --> carotid fibres --> sympathetic fibres --> muscle of the ventricles, resistance, veins, heart period
                                        \\-> vagus ----------------------------------------------------------> heart period

Equations
---------
Of Ursino1998, settled (all derivatives zero; delays and lags of 2 to 20 s pass unseen between hours and weeks)::

    f_cs = (f_least + f_greatest e)/(1 + e)                       e = exp((P - P_middle)/width)
    f_es = f_es_far + (f_es_0 - f_es_far) exp(-slope f_cs)
    f_ev = (f_ev_0 + f_ev_far g)/(1 + g)                          g = exp((f_cs - f_cs_0)/vagal_width)
    s    = ln(max(f_es - f_es_least, 0) + 1)
    effector = its rest + gain s             heart period = rest + gain_s s + gain_v f_ev

``P`` is the mean arterial pressure of a beat. A person's circulation was measured with the reflex at work, so that what is used here
is the *difference* to it at the person's own pressure, with the middle of the curve moved to that pressure (:func:`answer`).

Parameters
----------
:class:`Baroreflex`, the values of Ursino1998. ``strength`` of :func:`answer` multiplies every gain: 1 is health; of heart failure see
:data:`STRENGTH_IN_HEART_FAILURE`.

Assumptions
-----------
The curve resets to a lasting change of pressure, as an exponential of :data:`RESETTING_DAYS`; then the answer is over. No reflex of
the filling pressures (cardiopulmonary), no hormones: what they do lies in the measured effects of each drug.

Outputs
-------
Factors on heart rate, systemic resistance and the elastances, and an addition to the stressed blood volume.

References
----------
Ursino1998: Ursino M. Am J Physiol 1998;275:H1733-H1747; values as in section 3.3 of the transcription by Bonnemain 2021 (doi
10.3389/fcvm.2021.752088). Mortara1997: Mortara A, La Rovere MT, Pinna GD et al. Circulation 1997;96:3450-3458 (abstract read).
"""

# ruff: noqa: E501  (a value, with its unit, source and meaning, stands on one line)

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.circulation_four_chambers import CirculationFourChambersParameters
from medtwin.physiology.prior import LogNormal

Number = Float[Array, "..."]

#: Gains against health. Mortara1997: 3.9 ms per mm[Hg] in 282 people with heart failure (sd 4.0, so the spread is wide); the curve of
#: Ursino1998 has 16.7 at its settled pressure (test_baroreflex).
STRENGTH_IN_HEART_FAILURE = LogNormal(0.23, 0.6)
RESETTING_DAYS = 2.0  #: time constant with which the curve follows a lasting pressure (judgement: one to two days in animals, from memory)


class Baroreflex(NamedTuple):
    """Ursino1998, table of the reflex."""

    middle: float = 92.0  #: mm[Hg], pressure at the middle of the carotid curve
    width: float = 11.758  #: mm[Hg]
    carotid_least: float = 2.52  #: /s
    carotid_greatest: float = 47.78  #: /s
    sympathetic_far: float = 2.1  #: /s
    sympathetic_zero: float = 16.11  #: /s
    sympathetic_least: float = 2.66  #: /s
    sympathetic_slope: float = 0.0675  #: s
    vagal_zero: float = 3.2  #: /s
    vagal_far: float = 6.3  #: /s
    vagal_middle: float = 25.0  #: /s
    vagal_width: float = 7.06  #: /s
    left_elastance: float = 2.392  #: mm[Hg]/mL without the reflex
    left_elastance_gain: float = 0.475  #: mm[Hg]/mL
    right_elastance: float = 1.412  #: mm[Hg]/mL without the reflex
    right_elastance_gain: float = 0.282  #: mm[Hg]/mL
    splanchnic_resistance: float = 2.49  #: mm[Hg].s/mL without the reflex
    splanchnic_resistance_gain: float = 0.695  #: mm[Hg].s/mL
    other_resistance: float = 0.78  #: mm[Hg].s/mL, extrasplanchnic, without the reflex
    other_resistance_gain: float = 0.53  #: mm[Hg].s/mL
    splanchnic_volume_gain: float = -265.4  #: mL, unstressed volume of the splanchnic veins
    other_volume_gain: float = -132.5  #: mL, unstressed volume of the other veins
    period: float = 0.58  #: s without the reflex
    period_sympathetic_gain: float = -0.13  #: s
    period_vagal_gain: float = 0.09  #: s2


URSINO = Baroreflex()
URSINO_SETTLED = 90.7  #: mm[Hg], where the published basal effectors stand on the curve


class Effectors(NamedTuple):
    """What the reflex sets: ``d`` of each is what it adds to the value without it."""

    d_left_elastance: Number
    d_right_elastance: Number
    d_splanchnic_resistance: Number
    d_other_resistance: Number
    d_splanchnic_unstressed: Number
    d_other_unstressed: Number
    period: Number


def effectors(pressure: Number, reflex: Baroreflex = URSINO) -> Effectors:
    """The settled effectors at a mean arterial pressure in mm[Hg]: elastances mm[Hg]/mL, resistances mm[Hg].s/mL, mL, s."""
    r = reflex
    e = jnp.exp((pressure - r.middle) / r.width)
    carotid = (r.carotid_least + r.carotid_greatest * e) / (1.0 + e)
    nerve = r.sympathetic_far + (r.sympathetic_zero - r.sympathetic_far) * jnp.exp(-r.sympathetic_slope * carotid)
    s = jnp.log(jnp.maximum(nerve - r.sympathetic_least, 0.0) + 1.0)
    g = jnp.exp((carotid - r.vagal_middle) / r.vagal_width)
    vagus = (r.vagal_zero + r.vagal_far * g) / (1.0 + g)
    return Effectors(
        r.left_elastance_gain * s,
        r.right_elastance_gain * s,
        r.splanchnic_resistance_gain * s,
        r.other_resistance_gain * s,
        r.splanchnic_volume_gain * s,
        r.other_volume_gain * s,
        r.period + r.period_sympathetic_gain * s + r.period_vagal_gain * vagus,
    )


class Answer(NamedTuple):
    """How the reflex moves a circulation: factors, and mL that the veins give to the stressed volume."""

    heart_rate: Number
    systemic_resistance: Number
    left_elastance: Number
    right_elastance: Number
    stressed_volume: Number


def answer(pressure: Number, usual: Number, strength: Number, reflex: Baroreflex = URSINO) -> Answer:
    """The answer to ``pressure`` of a person whose ``usual`` mean arterial pressure the curve has reset to (mm[Hg]).

    ``strength`` multiplies all gains; 0 is no reflex. At the usual pressure the answer is 1, 1, 1, 1 and 0 mL whatever the strength.
    """
    settled = URSINO_SETTLED
    now, rest = effectors(settled + pressure - usual, reflex), effectors(jnp.full_like(pressure, settled), reflex)
    r = reflex

    def conductance(at: Effectors) -> Number:
        return 1.0 / (r.splanchnic_resistance + at.d_splanchnic_resistance) + 1.0 / (
            r.other_resistance + at.d_other_resistance
        )

    def stronger(factor: Number) -> Number:
        return jnp.exp(strength * jnp.log(factor))

    given = (
        rest.d_splanchnic_unstressed - now.d_splanchnic_unstressed + rest.d_other_unstressed - now.d_other_unstressed
    )
    return Answer(
        stronger(rest.period / now.period),
        stronger(conductance(rest) / conductance(now)),
        stronger((r.left_elastance + now.d_left_elastance) / (r.left_elastance + rest.d_left_elastance)),
        stronger((r.right_elastance + now.d_right_elastance) / (r.right_elastance + rest.d_right_elastance)),
        strength * given,
    )


def moved(parameters: CirculationFourChambersParameters, by: Answer) -> CirculationFourChambersParameters:
    """A circulation under the answer of its reflex."""
    p = parameters
    return eqx.tree_at(
        lambda p: (
            p.heart_rate, p.systemic_resistance, p.left_ventricular_elastance, p.right_ventricular_elastance, p.stressed_blood_volume,
        ),
        p,
        (
            p.heart_rate * by.heart_rate, p.systemic_resistance * by.systemic_resistance,
            p.left_ventricular_elastance * by.left_elastance, p.right_ventricular_elastance * by.right_elastance,
            p.stressed_blood_volume + by.stressed_volume,
        ),
    )  # fmt: skip
