"""What a cuff sees of a heart from day to day: the settled beat of the four-chamber loop, and how it drifts.

Drawing
-------
::

    days     arterial tone, pulse drift (each returns to zero)
                  |  multiply resistance and heart rate
                  v
    seconds  the closed loop of heart and vessels, run until the beat repeats itself
                  |  mean, greatest and least pressures and volumes of that beat
                  v
    seen     cuff pressures, heart rate; shown as well: flows, volumes, filling pressures

Equations
---------
Time in days; a year has 8.6e7 heartbeats, so the beat is always settled::

    tone' = -tone/tone_time + noise        resistance = systemic_resistance exp(tone)
    pulse' = -pulse/pulse_time + noise     rate       = heart_rate exp(pulse)

Each observation runs the loop of :mod:`medtwin.physiology.circulation` for ``CYCLES`` = 7 beats of ``STEPS`` = 200
steps of RK4 from a closed-form guess, and sums up the last. Mean atrial pressures follow from the mean flow, which in a
settled beat is the same everywhere: left atrium = pulmonary artery - pulmonary_resistance flow. Systemic resistance is
shared between large and small arteries, compliance between aorta and small arteries, as in the published set of the
loop.

Over 1,000 prior draws the last beat is open by at most 0.05 % of a state's scale; against 30 beats of 2,000 steps cuff
pressures differ by at most 0.15 mm[Hg], other pressures by 0.02 mm[Hg], volumes, flow and ejection fraction by 0.03 %.

Parameters
----------
``CirculationDailyParameters``; their medians follow body weight, height and age where these are known: compliance, flow
and volumes grow with body surface (Mosteller), resistance and elastance fall with it. A joint prior: who has more
volume or a faster heart has less resistance, which is what keeps the mean pressure within 93 +- 13 mm[Hg] although
flow and resistance vary by 20 % each. Draws of the prior then have cuff pressures of 118 +- 18 over 67 +- 12 mm[Hg], a
flow of 5.8 +- 1.2 L/min, an ejection fraction of 57 +- 8 % and a mean pulmonary artery pressure of 14.3 +- 2.9 mm[Hg].

What data tell. Posterior over prior sd of each deviate at the median person (Laplace; importance sampling agrees):
twenty cuff readings with their pulse (8, 8, 5 mm[Hg], 3/min each), then with stroke volume and ejection fraction of
one echocardiogram (10 %, 5 points), then with mean pressures of both atria and the pulmonary artery of one catheter
(1.5, 2, 3 mm[Hg])::

                                            cuff    echo    catheter
    heart_rate                              0.06    0.06    0.06
    systemic_resistance                     0.68    0.39    0.37
    arterial_compliance                     0.49    0.34    0.33
    left_ventricular_elastance              0.87    0.57    0.56
    left_ventricular_diastolic_elastance    0.97    0.96    0.83
    stressed_blood_volume                   0.86    0.61    0.53
    pulmonary_resistance                    0.99    0.99    0.86

A parameter whose posterior is as wide as its prior (0.8 and more) is unknown and to be called so: a cuff knows
resistance and compliance and, beyond their correlation with these, nothing of the ventricle, the volume or the lungs.

Assumptions
-----------
All of :mod:`medtwin.physiology.circulation`. Cuff pressure is aortic pressure (the arm's systolic pressure is higher in
the young). A person at rest, seated: a change of heart rate does not change resistance or contraction, so readings
during exertion are not described. Right ventricle and pulmonary compliance scale with the body and are otherwise
everybody's. Heart rates of 34 to 200 per minute. No valve disease, no shunt.

Outputs
-------
heart_rate (/min); systolic_pressure, diastolic_pressure, mean_arterial_pressure (mm[Hg]); stroke_volume,
left_ventricular_end_diastolic_volume (mL); cardiac_output (L/min); left_ventricular_ejection_fraction (%);
left_atrial_mean_pressure, right_atrial_mean_pressure, pulmonary_artery_systolic_pressure,
pulmonary_artery_diastolic_pressure, pulmonary_artery_mean_pressure (mm[Hg]).

References
----------
Sankaran2012, svZeroDSolver, Mosteller1987, Carlsson2012, Wright2011, Borlaug2013, DeSimone1997, Kovacs2009, Avram2019
(see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.circulation import Circulation, CirculationParameters, CirculationState
from medtwin.physiology.cycle import Cycle, settle
from medtwin.physiology.model import (
    Accepts,
    Clock,
    Inputs,
    Model,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
    variables,
)
from medtwin.physiology.prior import Covariates, Fixed, LogNormal

Number = Float[Array, "..."]

CYCLES = 7
STEPS = 200
LOOP = Circulation()
_LOOP_VARIABLES = {variable.name: variable for variable in variables(CirculationParameters)}


def _as_published(name: str) -> Any:
    """A parameter of the loop that stands at its published value here."""
    published = _LOOP_VARIABLES[name]
    prior = published.prior
    value = prior.median if isinstance(prior, LogNormal) else prior.value  # type: ignore[union-attr]
    return parameter(unit=published.unit, prior=Fixed(value), source=published.source, meaning=published.meaning)


def body_surface(known: Covariates) -> float:
    """Body surface (Mosteller), as a ratio to that of 75 kg and 172 cm (1.89 m2)."""
    return float((known.get("body_weight", 75.0) * known.get("body_height", 172.0) / (75.0 * 172.0)) ** 0.5)


def _older(known: Covariates) -> float:
    """Years above 50."""
    return known.get("age", 50.0) - 50.0


def _resistance(known: Covariates) -> float:
    return 0.94 * 1.006 ** _older(known) / body_surface(known)


def _compliance(known: Covariates) -> float:
    return 1.27 * 0.992 ** _older(known) * body_surface(known)


def _systolic_elastance(known: Covariates) -> float:
    return 2.2 * 1.004 ** _older(known) / body_surface(known)


def _diastolic_elastance(known: Covariates) -> float:
    return 0.065 * 1.003 ** _older(known) / body_surface(known)


def _stressed_volume(known: Covariates) -> float:
    return 455.0 * 0.998 ** _older(known) * body_surface(known)


def _pulmonary_resistance(known: Covariates) -> float:
    return 0.060 * 1.004 ** _older(known) / body_surface(known)


def _right_systolic(known: Covariates) -> float:
    return 0.55 / body_surface(known)


def _right_diastolic(known: Covariates) -> float:
    return 0.030 / body_surface(known)


def _pulmonary_compliance(known: Covariates) -> float:
    return 4.0 * body_surface(known)


class CirculationDailyParameters(eqx.Module):
    """Heart, vessels and blood of a person at rest, over weeks."""

    # fmt: off
    heart_rate: Number = parameter(unit="/min", prior=LogNormal(70.0, 0.15), source="Avram2019: 79 +- 14.5 of single readings by phone, resting means are lower", meaning="Heart rate at rest")
    systemic_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=LogNormal(_resistance, 0.20), source="mean pressure of Wright2011 over the flow of Carlsson2012", meaning="Resistance from the aorta to the right atrium")
    arterial_compliance: Number = parameter(unit="mL/mm[Hg]", prior=LogNormal(_compliance, 0.24), source="pulse pressure of Wright2011; falls with age as DeSimone1997 found, by our judgement 0.8 % a year", meaning="Compliance of the systemic arteries")
    left_ventricular_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(_systolic_elastance, 0.30), source="Borlaug2013: 2.10 +- 0.67, four years later 2.26 +- 0.70", meaning="Greatest elastance of the left ventricle, at the end of systole")
    left_ventricular_diastolic_elastance: Number = parameter(unit="mm[Hg]/mL", prior=LogNormal(_diastolic_elastance, 0.25), source="8 mm[Hg] at 130 mL; spread as Borlaug2013's 0.13 +- 0.03 of the end-diastolic slope", meaning="Least elastance of the left ventricle")
    stressed_blood_volume: Number = parameter(unit="mL", prior=LogNormal(_stressed_volume, 0.12), source="flow of Carlsson2012, 3.2 +- 0.5 L/min/m2", meaning="Blood that stretches heart and vessels in this loop (veins as part of the atria)")
    pulmonary_resistance: Number = parameter(unit="mm[Hg].s/mL", prior=LogNormal(_pulmonary_resistance, 0.35), source="Kovacs2009: 74 +- 30 dyn s/cm5", meaning="Resistance from the pulmonary artery to the left atrium")
    right_ventricular_elastance: Number = parameter(unit="mm[Hg]/mL", prior=Fixed(_right_systolic), source="22 mm[Hg] at an end-systolic volume of 50 mL", meaning="Greatest elastance of the right ventricle")
    right_ventricular_diastolic_elastance: Number = parameter(unit="mm[Hg]/mL", prior=Fixed(_right_diastolic), source="4 mm[Hg] at 140 mL", meaning="Least elastance of the right ventricle")
    pulmonary_compliance: Number = parameter(unit="mL/mm[Hg]", prior=Fixed(_pulmonary_compliance), source="stroke volume over pulmonary pulse pressure, 80/12 mL/mm[Hg], less the outflow in systole", meaning="Compliance of the pulmonary arteries")
    large_artery_share: Number = parameter(unit="1", prior=Fixed(0.0920), source="svZeroDSolver's closed loop", meaning="Share of the large arteries in systemic resistance")
    aortic_share: Number = parameter(unit="1", prior=Fixed(0.7002), source="svZeroDSolver's closed loop", meaning="Share of the aorta in arterial compliance")
    tone_time: Number = parameter(unit="d", prior=Fixed(2.0), source="judgement", meaning="Time in which a deviation of tone falls to 37 %")
    tone_spread: Number = parameter(unit="1", prior=Fixed(0.06), source="judgement: cuff pressure of a day varies by 6 to 8 %", meaning="Spread of tone over weeks")
    pulse_time: Number = parameter(unit="d", prior=Fixed(0.5), source="judgement", meaning="Time in which a deviation of the pulse falls to 37 %")
    pulse_spread: Number = parameter(unit="1", prior=Fixed(0.08), source="judgement: a resting pulse varies by 5 to 6 per minute", meaning="Spread of the pulse over weeks")
    left_ventricular_unstressed_volume: Number = _as_published("left_ventricular_unstressed_volume")
    right_ventricular_unstressed_volume: Number = _as_published("right_ventricular_unstressed_volume")
    left_atrial_elastance: Number = _as_published("left_atrial_elastance")
    left_atrial_passive_pressure: Number = _as_published("left_atrial_passive_pressure")
    left_atrial_stiffness: Number = _as_published("left_atrial_stiffness")
    left_atrial_unstressed_volume: Number = _as_published("left_atrial_unstressed_volume")
    right_atrial_elastance: Number = _as_published("right_atrial_elastance")
    right_atrial_passive_pressure: Number = _as_published("right_atrial_passive_pressure")
    right_atrial_stiffness: Number = _as_published("right_atrial_stiffness")
    right_atrial_unstressed_volume: Number = _as_published("right_atrial_unstressed_volume")
    tricuspid_resistance: Number = _as_published("tricuspid_resistance")
    tricuspid_inertance: Number = _as_published("tricuspid_inertance")
    pulmonary_valve_resistance: Number = _as_published("pulmonary_valve_resistance")
    pulmonary_valve_inertance: Number = _as_published("pulmonary_valve_inertance")
    mitral_resistance: Number = _as_published("mitral_resistance")
    mitral_inertance: Number = _as_published("mitral_inertance")
    aortic_valve_resistance: Number = _as_published("aortic_valve_resistance")
    aortic_valve_inertance: Number = _as_published("aortic_valve_inertance")
    arterial_inertance: Number = _as_published("arterial_inertance")
    # fmt: on


class CirculationDailyState(eqx.Module):
    """What changes from day to day."""

    tone: Number = state(unit="1", scale=0.25, meaning="Logarithm of resistance over the person's own")
    pulse: Number = state(unit="1", scale=0.30, meaning="Logarithm of heart rate over the person's own")


def loop_parameters(state: CirculationDailyState, parameters: CirculationDailyParameters) -> CirculationParameters:
    """The fast loop of this person today."""
    p = parameters
    resistance = p.systemic_resistance * jnp.exp(state.tone)
    today = {
        "heart_rate": p.heart_rate * jnp.exp(state.pulse),
        "arterial_resistance": p.large_artery_share * resistance,
        "peripheral_resistance": (1.0 - p.large_artery_share) * resistance,
        "aortic_compliance": p.aortic_share * p.arterial_compliance,
        "peripheral_compliance": (1.0 - p.aortic_share) * p.arterial_compliance,
    }
    return CirculationParameters(
        **{name: today[name] if name in today else getattr(p, name) for name in _LOOP_VARIABLES}
    )


def _watch(loop: CirculationState) -> dict[str, Number]:
    return {
        "aorta": loop.aortic_pressure,
        "small_arteries": loop.small_artery_pressure,
        "pulmonary_artery": loop.pulmonary_artery_pressure,
        "left_ventricle": loop.left_ventricular_volume,
        "flow": loop.arterial_flow,
    }


def beat(loop: CirculationParameters, *, cycles: int = CYCLES, steps: int = STEPS) -> Cycle:
    """The settled beat of these parameters, in sum."""
    return settle(LOOP, LOOP.initial(loop), loop, cycles=cycles, steps=steps, watch=_watch)


def seen(cycle: Cycle, loop: CirculationParameters) -> dict[str, Number]:
    """The observables of a settled beat, by quantity name."""
    mean, low, high = cycle.mean, cycle.low, cycle.high
    stroke = mean["flow"] * 60.0 / loop.heart_rate
    return {
        "heart_rate": loop.heart_rate,
        "systolic_pressure": high["aorta"],
        "diastolic_pressure": low["aorta"],
        "mean_arterial_pressure": mean["aorta"],
        "stroke_volume": stroke,
        "cardiac_output": 0.06 * mean["flow"],
        "left_ventricular_ejection_fraction": 100.0 * (1.0 - low["left_ventricle"] / high["left_ventricle"]),
        "left_ventricular_end_diastolic_volume": high["left_ventricle"],
        "left_atrial_mean_pressure": mean["pulmonary_artery"] - loop.pulmonary_resistance * mean["flow"],
        "right_atrial_mean_pressure": mean["small_arteries"] - loop.peripheral_resistance * mean["flow"],
        "pulmonary_artery_systolic_pressure": high["pulmonary_artery"],
        "pulmonary_artery_diastolic_pressure": low["pulmonary_artery"],
        "pulmonary_artery_mean_pressure": mean["pulmonary_artery"],
    }


class CirculationDaily(Model):
    """The settled beat of a person's heart and vessels, from day to day; the module's docstring is its paper."""

    name: ClassVar[str] = "circulation_daily"
    clock: ClassVar[Clock] = Clock(unit=86400.0, step=1.0 / 24.0)
    Parameters: ClassVar[type] = CirculationDailyParameters
    State: ClassVar[type] = CirculationDailyState
    accepts: ClassVar[tuple[Accepts, ...]] = ()
    observes: ClassVar[tuple[str, ...]] = (
        "heart_rate",
        "systolic_pressure",
        "diastolic_pressure",
        "mean_arterial_pressure",
        "stroke_volume",
        "cardiac_output",
        "left_ventricular_ejection_fraction",
        "left_ventricular_end_diastolic_volume",
        "left_atrial_mean_pressure",
        "right_atrial_mean_pressure",
        "pulmonary_artery_systolic_pressure",
        "pulmonary_artery_diastolic_pressure",
        "pulmonary_artery_mean_pressure",
    )
    inferred: ClassVar[tuple[str, ...]] = (
        "heart_rate",
        "systemic_resistance",
        "arterial_compliance",
        "left_ventricular_elastance",
        "left_ventricular_diastolic_elastance",
        "stressed_blood_volume",
        "pulmonary_resistance",
    )
    scenario: ClassVar[Scenario] = Scenario(duration=6 * 3600.0)
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=2 * 86400.0, steps=8, displaced={"tone": 0.5, "pulse": -0.4}
    )
    rests: ClassVar[bool] = True
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="systemic_resistance", effect="mean_arterial_pressure", direction=1),
        Sign(cause="systemic_resistance", effect="cardiac_output", direction=-1),
        Sign(cause="arterial_compliance", effect="systolic_pressure", direction=-1),
        Sign(cause="stressed_blood_volume", effect="mean_arterial_pressure", direction=1),
        Sign(cause="stressed_blood_volume", effect="left_atrial_mean_pressure", direction=1),
        Sign(cause="left_ventricular_elastance", effect="left_ventricular_ejection_fraction", direction=1),
        Sign(cause="left_ventricular_diastolic_elastance", effect="left_atrial_mean_pressure", direction=1),
        Sign(cause="heart_rate", effect="stroke_volume", direction=-1),
        Sign(cause="pulmonary_resistance", effect="pulmonary_artery_systolic_pressure", direction=1),
    )
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = (
        ("systemic_resistance", "stressed_blood_volume", -0.5),
        ("systemic_resistance", "heart_rate", -0.3),
    )
    references: ClassVar[tuple[Reference, ...]] = (
        *(reference for reference in LOOP.references if reference.key in ("Sankaran2012", "svZeroDSolver")),
        Reference(
            key="Mosteller1987",
            text="Mosteller RD. Simplified calculation of body-surface area. N Engl J Med 1987;317:1098.",
            doi="10.1056/NEJM198710223171717",
        ),
        Reference(
            key="Carlsson2012",
            text="Carlsson M, Andersson R, Bloch KM, et al. Cardiac output and cardiac index measured with "
            "cardiovascular magnetic resonance in healthy subjects, elite athletes and patients with congestive heart failure. "
            "J Cardiovasc Magn Reson 2012;14:51.",
            doi="10.1186/1532-429X-14-51",
        ),
        Reference(
            key="Wright2011",
            text="Wright JD, Hughes JP, Ostchega Y, Yoon SS, Nwankwo T. Mean systolic and diastolic blood pressure in "
            "adults aged 18 and over in the United States, 2001-2008. Natl Health Stat Report 2011;35:1-22.",
        ),
        Reference(
            key="Borlaug2013",
            text="Borlaug BA, Redfield MM, Melenovsky V, et al. Longitudinal changes in left ventricular stiffness: a "
            "community-based study. Circ Heart Fail 2013;6:944-952.",
            doi="10.1161/CIRCHEARTFAILURE.113.000383",
        ),
        Reference(
            key="DeSimone1997",
            text="de Simone G, Roman MJ, Daniels SR, et al. Age-related changes in total arterial capacitance from "
            "birth to maturity in a normotensive population. Hypertension 1997;29:1213-1217.",
        ),
        Reference(
            key="Kovacs2009",
            text="Kovacs G, Berghold A, Scheidl S, Olschewski H. Pulmonary arterial pressure during rest and exercise "
            "in healthy subjects: a systematic review. Eur Respir J 2009;34:888-894.",
            doi="10.1183/09031936.00145608",
        ),
        Reference(
            key="Avram2019",
            text="Avram R, Tison GH, Aschbacher K, et al. Real-world heart rate norms in the Health eHeart study. "
            "npj Digit Med 2019;2:58.",
            doi="10.1038/s41746-019-0134-9",
        ),
    )

    def initial(self, parameters: CirculationDailyParameters) -> CirculationDailyState:
        none = jnp.zeros_like(parameters.heart_rate)
        return CirculationDailyState(tone=none, pulse=none)

    def rates(self, t: Number, state: CirculationDailyState, parameters: Any, inputs: Inputs) -> CirculationDailyState:
        return CirculationDailyState(
            tone=-state.tone / parameters.tone_time, pulse=-state.pulse / parameters.pulse_time
        )

    def noise(self, state: CirculationDailyState, parameters: Any) -> CirculationDailyState:
        """What keeps the stationary spread of an Ornstein-Uhlenbeck process: sd sqrt(2/time)."""
        p = parameters
        tone, pulse = p.tone_spread * jnp.sqrt(2.0 / p.tone_time), p.pulse_spread * jnp.sqrt(2.0 / p.pulse_time)
        return CirculationDailyState(tone=tone + 0.0 * state.tone, pulse=pulse + 0.0 * state.pulse)

    def observe(
        self, t: Number, state: CirculationDailyState, parameters: CirculationDailyParameters
    ) -> dict[str, Number]:
        loop = loop_parameters(state, parameters)
        return seen(beat(loop), loop)
