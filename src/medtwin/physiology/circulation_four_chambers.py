"""Four chambers with valves that narrow and leak, a pericardium, arteries and veins: the circulation of heart failure.

Drawing
-------
::

         +-- pulmonary arteries --pulmonary resistance--> pulmonary veins --+
         |                                                                  v
    [pulmonary valve]                                                  left atrium
         |                                                                  |  ^ leak (fixed, or of the ventricle's size)
    right ventricle                pericardium                        [mitral valve]
         ^                    (presses on all four)                         v  |
    [tricuspid valve]                                                left ventricle
         |  ^ leak                                                          |  ^ leak
    right atrium                                                       [aortic valve]
         ^                                                                  v  |
         +-- systemic veins <--systemic resistance-- systemic arteries <----+

Equations
---------
Time in seconds; ``V`` volume, ``q`` flow forward through a valve, ``l`` leak back through it::

    V_ra' = q_back - q_t + l_t               q_back  = (P_sv - P_ra)/systemic_venous_resistance
    V_rv' = q_t - l_t - q_p                  q_body  = (P_sa - P_sv)/systemic_resistance
    V_la' = q_home - q_m + l_m               q_lungs = (P_pa - P_pv)/pulmonary_resistance
    V_lv' = q_m - l_m - q_a + l_a            q_home  = (P_pv - P_la)/pulmonary_venous_resistance
    V_sa' = q_a - l_a - q_body               V_sv' = q_body - q_back
    V_pa' = q_p - q_lungs                    V_pv' = q_lungs - q_home
    vessels    P = V/compliance, V the stressed volume
    chambers   P = a E (V - V0) + (1 - a) P0 (exp(k (V - V0)) - 1) + P_peri     (heart_chambers)
    valves     L q' = dP - R q - B q|q|, L and B of the orifice area            (valves)
    arteries   in front of a great artery stands its characteristic resistance: P_root = P + resistance q
    pericardium  P_peri = P_ref exp((V_heart - V_ref)/scale)                    (pericardium)
    mitral leak  area = clip(fixed + growth (V_lv - V_ref), 0, greatest)        (mitral_regurgitation)

The activations are tabulated once a beat for each person (:meth:`CirculationFourChambers.drive_of`). Conserved is the
stressed blood volume: the sum of ``V - V0`` of the chambers and of the vessels' stressed volumes.

Parameters
----------
``CirculationFourChambersParameters``. Vessels follow Ursino1998 with neighbouring compartments joined (arteries and
small vessels before a resistance, veins behind it). The medians are a healthy adult of 1.9 m2; parameter sets
of disease are in :mod:`medtwin.physiology.circulation_sets`. Spreads are wide, since the same prior serves the healthy and
the sick.

Assumptions
-----------
A regular beat; no baroreflex (heart rate and resistance are what they are), no breathing, no coronary bed. The ventricles share
the pericardium and the blood, no septum: nothing is said of infarction, bundle branch block or resynchronisation, for
which walls are needed. Veins have no valves and no collapse. Wedge pressure is mean left atrial pressure.
RK4 is stable while the step is below 2.78 L/(R + 2 B q) of the narrowest valve: 250 steps a beat serve
orifices down to 0.5 cm2 at 50 beats a minute, 100 steps a beat serve valves without stenosis.

Outputs
-------
Of the instant: arterial_pressure (aortic root), pulmonary_artery_pressure, left_ventricular_pressure (mm[Hg]),
left_ventricular_volume (mL), aortic_flow (mL/s). Of a settled beat: :mod:`medtwin.physiology.circulation_beat`.

References
----------
Ursino1998, Mynard2012, Boudoulas1981, Sankaran2012, KorakianitisShi2006, BonnemainVAD2021 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology import heart_chambers, mitral_regurgitation, pericardium, valves
from medtwin.physiology.cycle import Cyclic
from medtwin.physiology.model import (
    Accepts,
    Clock,
    Inputs,
    Ledger,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
)
from medtwin.physiology.prior import Fixed, LogNormal

Number = Float[Array, "..."]

_URSINO = "Ursino1998, compartments joined; spread: judgement"
_WIDE = "judgement: a ventricle of 60 % ejection at normal pressures; spread: judgement, healthy and failing hearts"
_ORIFICE = "judgement: a normal adult orifice"
_COLUMN = "judgement: inertance of Sankaran2012's valve at this orifice, rounded"


class CirculationFourChambersParameters(eqx.Module):
    """Heart, valves, pericardium, vessels and the blood in them."""

    # fmt: off
    heart_rate: Number = parameter(unit="/min", prior=LogNormal(72.0, 0.2), source="judgement: an adult at rest", meaning="Heart rate")
    stressed_blood_volume: Number = parameter(unit="mL", prior=LogNormal(1200.0, 0.35), source="judgement: fills a median loop to a left atrial pressure of 8 mm[Hg], a fourth of blood volume; spread: judgement", meaning="Blood that stretches the walls of heart and vessels")
    left_ventricular_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(2.95, 0.6), source="Ursino1998, with the settled baroreflex; spread: judgement, healthy and failing hearts", meaning="Greatest elastance of the left ventricle")
    left_ventricular_stiffness: Number = parameter(unit="/mL", prior=LogNormal(0.0145, 0.4), source=_WIDE, meaning="Exponent of the relaxed left ventricle")
    left_ventricular_passive_pressure: Number = parameter(unit="mm[Hg]", prior=Fixed(1.5), source="Ursino1998", meaning="Pressure scale of the relaxed left ventricle")
    left_ventricular_unstressed_volume: Number = parameter(unit="mL", prior=Fixed(10.0), source="judgement: Ursino1998 has 16.77", meaning="Left ventricular volume at zero pressure")
    right_ventricular_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(0.65, 0.5), source=_WIDE, meaning="Greatest elastance of the right ventricle")
    right_ventricular_stiffness: Number = parameter(unit="/mL", prior=LogNormal(0.0105, 0.4), source="Ursino1998 has 0.011 without V0 in the exponent; spread: judgement", meaning="Exponent of the relaxed right ventricle")
    right_ventricular_passive_pressure: Number = parameter(unit="mm[Hg]", prior=Fixed(1.5), source="Ursino1998", meaning="Pressure scale of the relaxed right ventricle")
    right_ventricular_unstressed_volume: Number = parameter(unit="mL", prior=Fixed(20.0), source="judgement: Ursino1998 has 40.8", meaning="Right ventricular volume at zero pressure")
    left_atrial_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(0.25, 0.2), source="KorakianitisShi2006; spread: judgement", meaning="Greatest elastance of the left atrium")
    left_atrial_stiffness: Number = parameter(unit="/mL", prior=LogNormal(0.020, 0.2), source="judgement: 60 mL at 8 mm[Hg]", meaning="Exponent of the relaxed left atrium")
    left_atrial_passive_pressure: Number = parameter(unit="mm[Hg]", prior=Fixed(4.0), source="judgement: 60 mL at 8 mm[Hg]", meaning="Pressure scale of the relaxed left atrium")
    left_atrial_unstressed_volume: Number = parameter(unit="mL", prior=Fixed(4.0), source="KorakianitisShi2006", meaning="Left atrial volume at zero pressure")
    right_atrial_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(0.25, 0.2), source="KorakianitisShi2006; spread: judgement", meaning="Greatest elastance of the right atrium")
    right_atrial_stiffness: Number = parameter(unit="/mL", prior=LogNormal(0.015, 0.2), source="judgement: 50 mL at 4 mm[Hg]", meaning="Exponent of the relaxed right atrium")
    right_atrial_passive_pressure: Number = parameter(unit="mm[Hg]", prior=Fixed(4.0), source="judgement: 50 mL at 4 mm[Hg]", meaning="Pressure scale of the relaxed right atrium")
    right_atrial_unstressed_volume: Number = parameter(unit="mL", prior=Fixed(4.0), source="KorakianitisShi2006", meaning="Right atrial volume at zero pressure")
    tricuspid_area: Number = parameter(unit="cm2", prior=Fixed(6.0), source=_ORIFICE, meaning="Effective orifice area of the open tricuspid valve")
    pulmonary_valve_area: Number = parameter(unit="cm2", prior=Fixed(4.0), source=_ORIFICE, meaning="Effective orifice area of the open pulmonary valve")
    mitral_area: Number = parameter(unit="cm2", prior=Fixed(5.0), source=_ORIFICE, meaning="Effective orifice area of the open mitral valve")
    aortic_valve_area: Number = parameter(unit="cm2", prior=Fixed(3.5), source=_ORIFICE, meaning="Effective orifice area of the open aortic valve")
    inflow_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(2.5e-3), source="Ursino1998", meaning="Resistance of an open mitral or tricuspid valve")
    outflow_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(3.75e-3), source="judgement: Ursino1998's 3.75e-4 s/mL times 10 mm[Hg]", meaning="Resistance of an open aortic or pulmonary valve")
    inflow_length: Number = parameter(unit="cm", prior=Fixed(2.0), source=_COLUMN, meaning="Length of the column of blood that a mitral or tricuspid valve accelerates")
    outflow_length: Number = parameter(unit="cm", prior=Fixed(1.0), source=_COLUMN, meaning="Length of the column of blood that an aortic or pulmonary valve accelerates")
    orifice_loss: Number = parameter(unit="mm[Hg].s2.cm4/mL2", prior=Fixed(4e-4), source="simplified Bernoulli law, 4 mm[Hg] at 1 m/s", meaning="Pressure lost in a jet, per square of its speed")
    blood_inertia: Number = parameter(unit="mm[Hg].s2.cm/mL", prior=Fixed(7.951e-4), source="density 1.06 g/mL over 1333.22", meaning="Density of blood")
    leak_smoothing: Number = parameter(unit="mm[Hg]", prior=Fixed(0.1), source="judgement: numerical", meaning="Pressure below which the law of a leak is linear")
    mitral_leak_area: Number = parameter(unit="cm2", prior=Fixed(0.0), source="a valve that holds", meaning="Leak of the mitral valve at the reference volume")
    mitral_leak_growth: Number = parameter(unit="cm2/mL", prior=Fixed(0.0), source="a valve that holds", meaning="Leak of the mitral valve per volume of the left ventricle")
    mitral_leak_reference: Number = parameter(unit="mL", prior=Fixed(150.0), source="judgement", meaning="Left ventricular volume at which the mitral leak is mitral_leak_area")
    mitral_leak_greatest: Number = parameter(unit="cm2", prior=Fixed(1.0), source="judgement: the greatest of the prototype", meaning="Greatest leak of the mitral valve")
    aortic_leak_area: Number = parameter(unit="cm2", prior=Fixed(0.0), source="a valve that holds", meaning="Leak of the aortic valve")
    tricuspid_leak_area: Number = parameter(unit="cm2", prior=Fixed(0.0), source="a valve that holds", meaning="Leak of the tricuspid valve")
    pericardial_pressure: Number = parameter(unit="mm[Hg]", prior=Fixed(6.0), source="judgement: prototype", meaning="Pericardial pressure at the reference volume")
    pericardial_reference: Number = parameter(unit="mL", prior=Fixed(560.0), source="judgement: prototype", meaning="Volume of the whole heart at the reference pericardial pressure")
    pericardial_scale: Number = parameter(unit="mL", prior=Fixed(70.0), source="judgement: prototype", meaning="Volume over which pericardial pressure grows e-fold")
    systemic_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=LogNormal(1.0, 0.35), source=_URSINO, meaning="Resistance of the body from arteries to veins")
    arterial_compliance: Number = parameter(unit="mL/mm[Hg]", prior=LogNormal(1.35, 0.4), source="judgement: pulse pressure 45 mm[Hg] at a stroke of 85 mL; spread: judgement", meaning="Compliance of the systemic arteries")
    arterial_root_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(0.045), source="judgement: Ursino1998 has 0.06 in series with an inertance", meaning="Characteristic resistance of the aorta")
    systemic_venous_compliance: Number = parameter(unit="mL/mm[Hg]", prior=Fixed(111.0), source="Ursino1998, splanchnic and extrasplanchnic veins", meaning="Compliance of the systemic veins")
    systemic_venous_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(0.0113), source="Ursino1998, 0.038 and 0.016 side by side", meaning="Resistance from the systemic veins to the right atrium")
    pulmonary_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=LogNormal(0.045, 0.6), source="judgement: with root and veins 0.0626, 83 dyn.s/cm5, a normal vascular resistance; spread: judgement, healthy and pulmonary hypertension", meaning="Resistance of the lungs from arteries to veins")
    pulmonary_compliance: Number = parameter(unit="mL/mm[Hg]", prior=LogNormal(4.0, 0.5), source="judgement: pulse pressure 14 mm[Hg] at a stroke of 85 mL; spread: judgement", meaning="Compliance of the pulmonary arteries")
    pulmonary_root_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(0.012), source="judgement: Ursino1998 has 0.023 in series with an inertance", meaning="Characteristic resistance of the pulmonary artery")
    pulmonary_venous_compliance: Number = parameter(unit="mL/mm[Hg]", prior=Fixed(25.37), source="Ursino1998", meaning="Compliance of the pulmonary veins")
    pulmonary_venous_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=Fixed(0.0056), source="Ursino1998", meaning="Resistance from the pulmonary veins to the left atrium")
    beat_time: Number = parameter(unit="s", prior=Fixed(1.0), source="Mynard2012: times of the activation as shares of a beat, of one second here", meaning="Period at which the activation's times are those of the curve")
    # fmt: on


class CirculationFourChambersState(eqx.Module):
    """Volumes of chambers and vessels, forward flows of the valves."""

    # fmt: off
    right_atrial_volume: Number = state(unit="mL", scale=50.0, meaning="Blood in the right atrium")
    right_ventricular_volume: Number = state(unit="mL", scale=100.0, meaning="Blood in the right ventricle")
    left_atrial_volume: Number = state(unit="mL", scale=50.0, meaning="Blood in the left atrium")
    left_ventricular_volume: Number = state(unit="mL", scale=100.0, meaning="Blood in the left ventricle")
    systemic_arterial_volume: Number = state(unit="mL", scale=100.0, meaning="Stressed volume of the systemic arteries")
    systemic_venous_volume: Number = state(unit="mL", scale=500.0, meaning="Stressed volume of the systemic veins")
    pulmonary_arterial_volume: Number = state(unit="mL", scale=50.0, meaning="Stressed volume of the pulmonary arteries")
    pulmonary_venous_volume: Number = state(unit="mL", scale=200.0, meaning="Stressed volume of the pulmonary veins")
    tricuspid_flow: Number = state(unit="mL/s", scale=300.0, meaning="Forward flow through the tricuspid valve")
    pulmonary_valve_flow: Number = state(unit="mL/s", scale=300.0, meaning="Forward flow through the pulmonary valve")
    mitral_flow: Number = state(unit="mL/s", scale=300.0, meaning="Forward flow through the mitral valve")
    aortic_valve_flow: Number = state(unit="mL/s", scale=300.0, meaning="Forward flow through the aortic valve")
    # fmt: on


class Pressures(NamedTuple):
    """mm[Hg], where the blood is at this instant."""

    right_atrium: Number
    right_ventricle: Number
    left_atrium: Number
    left_ventricle: Number
    aortic_root: Number
    pulmonary_root: Number
    systemic_arteries: Number
    systemic_veins: Number
    pulmonary_arteries: Number
    pulmonary_veins: Number
    pericardium: Number


class Leaks(NamedTuple):
    """Flow back through each valve that can leak, mL/s."""

    tricuspid: Number
    mitral: Number
    aortic: Number


Drive = tuple[Number, Number]  #: activation of the atria, of the ventricles


def pressures(drive: Drive, s: CirculationFourChambersState, p: CirculationFourChambersParameters) -> Pressures:
    """All pressures at these activations."""
    atria, ventricles = drive
    heart = s.right_atrial_volume + s.right_ventricular_volume + s.left_atrial_volume + s.left_ventricular_volume
    sac = pericardium.pressure(heart, p.pericardial_pressure, p.pericardial_reference, p.pericardial_scale)
    arteries = s.systemic_arterial_volume / p.arterial_compliance
    lungs = s.pulmonary_arterial_volume / p.pulmonary_compliance
    return Pressures(
        sac + heart_chambers.pressure(atria, s.right_atrial_volume - p.right_atrial_unstressed_volume,
                                      p.right_atrial_elastance, p.right_atrial_passive_pressure, p.right_atrial_stiffness),
        sac + heart_chambers.pressure(ventricles, s.right_ventricular_volume - p.right_ventricular_unstressed_volume,
                                      p.right_ventricular_elastance, p.right_ventricular_passive_pressure,
                                      p.right_ventricular_stiffness),
        sac + heart_chambers.pressure(atria, s.left_atrial_volume - p.left_atrial_unstressed_volume,
                                      p.left_atrial_elastance, p.left_atrial_passive_pressure, p.left_atrial_stiffness),
        sac + heart_chambers.pressure(ventricles, s.left_ventricular_volume - p.left_ventricular_unstressed_volume,
                                      p.left_ventricular_elastance, p.left_ventricular_passive_pressure,
                                      p.left_ventricular_stiffness),
        arteries + p.arterial_root_resistance * valves.forward(s.aortic_valve_flow),
        lungs + p.pulmonary_root_resistance * valves.forward(s.pulmonary_valve_flow),
        arteries,
        s.systemic_venous_volume / p.systemic_venous_compliance,
        lungs,
        s.pulmonary_venous_volume / p.pulmonary_venous_compliance,
        sac,
    )  # fmt: skip


def leaks(at: Pressures, s: CirculationFourChambersState, p: CirculationFourChambersParameters) -> Leaks:
    """What flows back through the valves."""
    mitral = mitral_regurgitation.leak_area(
        s.left_ventricular_volume, p.mitral_leak_area, p.mitral_leak_growth, p.mitral_leak_reference, p.mitral_leak_greatest
    )  # fmt: skip

    def back(drop: Number, area: Number) -> Number:
        return valves.leak(drop, area, loss=p.orifice_loss, smoothing=p.leak_smoothing)

    return Leaks(
        back(at.right_ventricle - at.right_atrium, p.tricuspid_leak_area),
        back(at.left_ventricle - at.left_atrium, mitral),
        back(at.systemic_arteries - at.left_ventricle, p.aortic_leak_area),
    )


def stressed_blood_volume(s: CirculationFourChambersState, p: CirculationFourChambersParameters) -> Number:
    """What the loop conserves, mL: blood above the unstressed volume of each chamber and vessel."""
    return (
        s.right_atrial_volume - p.right_atrial_unstressed_volume
        + s.right_ventricular_volume - p.right_ventricular_unstressed_volume
        + s.left_atrial_volume - p.left_atrial_unstressed_volume
        + s.left_ventricular_volume - p.left_ventricular_unstressed_volume
        + s.systemic_arterial_volume + s.systemic_venous_volume
        + s.pulmonary_arterial_volume + s.pulmonary_venous_volume
    )  # fmt: skip


class CirculationFourChambers(Cyclic):
    """The closed loop with valves that leak, and a pericardium; the module's docstring is its paper."""

    name: ClassVar[str] = "circulation_four_chambers"
    clock: ClassVar[Clock] = Clock(unit=1.0, step=0.001)
    Parameters: ClassVar[type] = CirculationFourChambersParameters
    State: ClassVar[type] = CirculationFourChambersState
    personal: ClassVar[bool] = True
    accepts: ClassVar[tuple[Accepts, ...]] = ()
    observes: ClassVar[tuple[str, ...]] = (
        "arterial_pressure",
        "pulmonary_artery_pressure",
        "left_ventricular_pressure",
        "left_ventricular_volume",
        "aortic_flow",
    )
    inferred: ClassVar[tuple[str, ...]] = ()
    scenario: ClassVar[Scenario] = Scenario(duration=1.0)
    #: Atria and ventricles relaxed (0.7 s after the beat began, at the median 72/min): inflow valves wide open into
    #: ventricles that are slack, outflow valves shut.
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=0.03,
        steps=4,
        displaced={
            "left_ventricular_volume": -0.7,
            "right_ventricular_volume": -0.7,
            "mitral_flow": 1.0,
            "tricuspid_flow": 1.0,
        },
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="stressed blood volume",
            unit="mL",
            amount=stressed_blood_volume,
            flow=lambda s, p, u: jnp.zeros_like(s.left_ventricular_volume),
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="systemic_resistance", effect="arterial_pressure", direction=1),
        Sign(cause="pulmonary_resistance", effect="pulmonary_artery_pressure", direction=1),
        Sign(cause="left_ventricular_elastance", effect="left_ventricular_volume", direction=-1),
        Sign(cause="left_ventricular_elastance", effect="aortic_flow", direction=1),
    )
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Ursino1998",
            text="Ursino M. Interaction between carotid baroregulation and the pulsating heart: a mathematical model. "
            "Am J Physiol 1998;275:H1733-H1747.",
        ),
        Reference(
            key="Mynard2012",
            text="Mynard JP, Davidson MR, Penny DJ, Smolich JJ. A simple, versatile valve model for use in lumped "
            "parameter and one-dimensional cardiovascular models. Int J Numer Methods Biomed Eng 2012;28:626-641. The "
            "activation's numbers as in svZeroDSolver (two-hill), doi 10.1007/s10439-022-03047-3.",
        ),
        Reference(
            key="Boudoulas1981",
            text="Boudoulas H, Geleris P, Lewis RP, Rittgers SE. Linear relationship between electrical systole, "
            "mechanical systole, and heart rate. Chest 1981;80:613-617.",
            doi="10.1378/chest.80.5.613",
        ),
        Reference(
            key="Sankaran2012",
            text="Sankaran S, Esmaily Moghadam M, Kahn AM, Tseng EE, Guccione JM, Marsden AL. Patient-specific "
            "multiscale modeling of blood flow for coronary artery bypass graft surgery. Ann Biomed Eng "
            "2012;40:2228-2242.",
            doi="10.1007/s10439-012-0579-3",
        ),
        Reference(
            key="KorakianitisShi2006",
            text="Korakianitis T, Shi Y. Numerical simulation of cardiovascular dynamics with healthy and diseased heart "
            "valves. J Biomech 2006;39:1964-1982. Atrial values from memory of their table; check before relying on them.",
        ),
        Reference(
            key="BonnemainVAD2021",
            text="Bonnemain J, Zeller M, Pegolotti L, Deparis S, Liaudet L. Deep neural network to accurately predict left "
            "ventricular systolic function under mechanical assistance. Front Cardiovasc Med 2021;8:752088. Transcription "
            "of Ursino1998's values.",
            doi="10.3389/fcvm.2021.752088",
        ),
    )

    def period(self, parameters: CirculationFourChambersParameters) -> Number:
        """Duration of a beat, s."""
        return 60.0 / parameters.heart_rate

    def drive(self, phase: Number) -> Drive:
        """Activations at one beat a second."""
        return heart_chambers.atrial_activation(phase, jnp.ones_like(phase)), heart_chambers.ventricular_activation(
            phase, jnp.ones_like(phase)
        )

    def drive_of(self, phase: Number, parameters: CirculationFourChambersParameters) -> Drive:
        """Activations of the atria and the ventricles of each person."""
        stretch = jnp.sqrt(self.period(parameters) / parameters.beat_time)
        return heart_chambers.atrial_activation(phase, stretch), heart_chambers.ventricular_activation(phase, stretch)

    def driven(
        self, drive: Drive, s: CirculationFourChambersState, p: CirculationFourChambersParameters
    ) -> CirculationFourChambersState:
        at = pressures(drive, s, p)
        back_through = leaks(at, s, p)
        body = (at.systemic_arteries - at.systemic_veins) / p.systemic_resistance
        back = (at.systemic_veins - at.right_atrium) / p.systemic_venous_resistance
        lungs = (at.pulmonary_arteries - at.pulmonary_veins) / p.pulmonary_resistance
        home = (at.pulmonary_veins - at.left_atrium) / p.pulmonary_venous_resistance
        tricuspid = valves.forward(s.tricuspid_flow) - back_through.tricuspid
        mitral = valves.forward(s.mitral_flow) - back_through.mitral
        aortic = valves.forward(s.aortic_valve_flow) - back_through.aortic
        pulmonary = valves.forward(s.pulmonary_valve_flow)

        def inflow(drop: Number, flow: Number, area: Number) -> Number:
            return valves.acceleration(drop, flow, area, p.inflow_resistance, loss=p.orifice_loss,
                                       inertia=p.blood_inertia, length=p.inflow_length)  # fmt: skip

        def outflow(drop: Number, flow: Number, area: Number) -> Number:
            return valves.acceleration(drop, flow, area, p.outflow_resistance, loss=p.orifice_loss,
                                       inertia=p.blood_inertia, length=p.outflow_length)  # fmt: skip

        return CirculationFourChambersState(
            right_atrial_volume=back - tricuspid,
            right_ventricular_volume=tricuspid - pulmonary,
            left_atrial_volume=home - mitral,
            left_ventricular_volume=mitral - aortic,
            systemic_arterial_volume=aortic - body,
            systemic_venous_volume=body - back,
            pulmonary_arterial_volume=pulmonary - lungs,
            pulmonary_venous_volume=lungs - home,
            tricuspid_flow=inflow(at.right_atrium - at.right_ventricle, s.tricuspid_flow, p.tricuspid_area),
            pulmonary_valve_flow=outflow(at.right_ventricle - at.pulmonary_root, s.pulmonary_valve_flow,
                                         p.pulmonary_valve_area),
            mitral_flow=inflow(at.left_atrium - at.left_ventricle, s.mitral_flow, p.mitral_area),
            aortic_valve_flow=outflow(at.left_ventricle - at.aortic_root, s.aortic_valve_flow, p.aortic_valve_area),
        )  # fmt: skip

    def rates(
        self,
        t: Number,
        state: CirculationFourChambersState,
        parameters: CirculationFourChambersParameters,
        inputs: Inputs,
    ) -> CirculationFourChambersState:
        return self.driven(self.drive_of(t / self.period(parameters), parameters), state, parameters)

    def project(
        self, state: CirculationFourChambersState, parameters: CirculationFourChambersParameters
    ) -> CirculationFourChambersState:
        """Closed valves: no flow goes back but through a leak."""

        def flows(s: CirculationFourChambersState) -> tuple[Number, ...]:
            return s.tricuspid_flow, s.pulmonary_valve_flow, s.mitral_flow, s.aortic_valve_flow

        return eqx.tree_at(flows, state, tuple(valves.forward(flow) for flow in flows(state)))

    def observe(
        self, t: Number, state: CirculationFourChambersState, parameters: CirculationFourChambersParameters
    ) -> dict[str, Number]:
        at = pressures(self.drive_of(t / self.period(parameters), parameters), state, parameters)
        return {
            "arterial_pressure": at.aortic_root,
            "pulmonary_artery_pressure": at.pulmonary_root,
            "left_ventricular_pressure": at.left_ventricle,
            "left_ventricular_volume": state.left_ventricular_volume,
            "aortic_flow": state.aortic_valve_flow - leaks(at, state, parameters).aortic,
        }

    def initial(self, parameters: CirculationFourChambersParameters) -> CirculationFourChambersState:
        """A guess of the beat at phase 0 with exactly the stressed volume of the parameters.

        Ventricles and atria at a few times their passive pressure, vessels at 75 (arteries), 5, 13 and 8 mm[Hg], all less full
        where the blood does not suffice; where there is more, the systemic veins hold it. Shooting does the rest.
        """
        p = parameters

        def filled(times: float, stiffness: Number) -> Number:  # passive pressure there: times - 1 passive pressures
            return jnp.log(times) / stiffness

        atria_left, atria_right = filled(2.8, p.left_atrial_stiffness), filled(2.0, p.right_atrial_stiffness)
        left, right = filled(4.0, p.left_ventricular_stiffness), filled(3.0, p.right_ventricular_stiffness)
        unit = p.right_atrial_passive_pressure / 4.0
        arteries, veins = 75.0 * unit * p.arterial_compliance, 5.0 * unit * p.systemic_venous_compliance
        lungs, lung_veins = 13.0 * unit * p.pulmonary_compliance, 8.0 * unit * p.pulmonary_venous_compliance
        elsewhere = atria_left + atria_right + left + right + arteries + lungs + lung_veins
        share = jnp.minimum(p.stressed_blood_volume / (elsewhere + veins), 1.0)
        shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(p)))
        share = jnp.broadcast_to(share, shape)
        none = jnp.zeros_like(share)
        return CirculationFourChambersState(
            right_atrial_volume=p.right_atrial_unstressed_volume + share * atria_right,
            right_ventricular_volume=p.right_ventricular_unstressed_volume + share * right,
            left_atrial_volume=p.left_atrial_unstressed_volume + share * atria_left,
            left_ventricular_volume=p.left_ventricular_unstressed_volume + share * left,
            systemic_arterial_volume=share * arteries,
            systemic_venous_volume=p.stressed_blood_volume - share * elsewhere,
            pulmonary_arterial_volume=share * lungs,
            pulmonary_venous_volume=share * lung_veins,
            tricuspid_flow=none,
            pulmonary_valve_flow=none,
            mitral_flow=none,
            aortic_valve_flow=none,
        )
