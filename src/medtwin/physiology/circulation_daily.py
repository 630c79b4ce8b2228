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

    tone' = -tone/2 + noise            resistance = systemic_resistance exp(tone)
    pulse' = -pulse/0.5 + noise        rate       = heart_rate exp(pulse)

Each observation runs the loop of :mod:`medtwin.physiology.circulation` for
``CYCLES`` = 7 beats of ``STEPS`` = 200 steps of RK4 from a closed-form guess, and sums up the last. Mean atrial pressures
follow from the mean flow, which in a settled beat is the same everywhere: left atrium = pulmonary artery -
pulmonary_resistance flow. Systemic resistance is shared between large and small arteries, compliance between aorta and
small arteries, as in the published set of the loop.

Over 1,000 prior draws the last beat is open by less than 0.05 % of a state's scale (99th centile), and differs from
30 beats of 2,000 steps by less than 0.3 mm[Hg] in the cuff's pressures and 0.3 % in volumes and flow (99th centile).

Parameters
----------
``CirculationDailyParameters``; their medians follow body weight, height and age where these are known: compliance, flow
and volumes grow with body surface (Mosteller), resistance and elastance fall with it. A joint prior: who has more
volume or a faster heart has less resistance, which is what keeps pressures within 93 +- 12 mm[Hg] mean although flow
and resistance vary by 20 % each.

What data tell: see :func:`medtwin.physiology.circulation_evidence.shrinkage`. Ten days of cuff and pulse narrow
{SHRINKAGE}

Assumptions
-----------
All of :mod:`medtwin.physiology.circulation`. Cuff pressure is aortic pressure (the arm's systolic pressure is higher in the
young). A person at rest, seated: a change of heart rate does not change resistance or contraction, so readings during exertion
are not described. Right ventricle and pulmonary compliance scale with the body and are otherwise everybody's. Heart
rates of 34 to 200 per minute. No valve disease, no shunt.

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
from medtwin.physiology.model import Accepts, Clock, Inputs, Model, Reference, parameter, state, variables
from medtwin.physiology.prior import Covariates, Fixed, LogNormal, Prior

Number = Float[Array, "..."]

CYCLES = 7
STEPS = 200
TONE_DAYS = 2.0  #: after which arterial tone has returned to 37 % of a deviation
PULSE_DAYS = 0.5
TONE_SPREAD = 0.06  #: sd of the logarithm of resistance about the person's own, over weeks
PULSE_SPREAD = 0.08
LOOP = Circulation()


def _published(prior: Prior | None) -> float:
    """Median of a prior of the loop as a plain number, so that it takes the width of what it meets."""
    return prior.value if isinstance(prior, Fixed) else prior.median  # type: ignore[union-attr, return-value]


#: The published value of each parameter of the loop.
PUBLISHED = {variable.name: _published(variable.prior) for variable in variables(CirculationParameters)}
#: Shares of the large arteries in systemic resistance, and of the aorta in arterial compliance.
LARGE_ARTERIES = 1.0 / (1.0 + PUBLISHED["peripheral_resistance"] / PUBLISHED["arterial_resistance"])
AORTA = 1.0 / (1.0 + PUBLISHED["peripheral_compliance"] / PUBLISHED["aortic_compliance"])


def body_surface(known: Covariates) -> float:
    """Body surface (Mosteller), as a ratio to that of 75 kg and 172 cm (1.89 m2)."""
    return float((known.get("body_weight", 75.0) * known.get("body_height", 172.0) / (75.0 * 172.0)) ** 0.5)


def _older(known: Covariates) -> float:
    """Years above 50."""
    return known.get("age", 50.0) - 50.0


def _resistance(known: Covariates) -> float:
    return 0.97 * 1.004 ** _older(known) / body_surface(known)


def _compliance(known: Covariates) -> float:
    return 1.27 * 0.992 ** _older(known) * body_surface(known)


def _systolic_elastance(known: Covariates) -> float:
    return 2.2 * 1.004 ** _older(known) / body_surface(known)


def _diastolic_elastance(known: Covariates) -> float:
    return 0.065 * 1.003 ** _older(known) / body_surface(known)


def _stressed_volume(known: Covariates) -> float:
    return 455.0 * body_surface(known)


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
    # fmt: on


class CirculationDailyState(eqx.Module):
    """What changes from day to day."""

    tone: Number = state(unit="1", scale=0.25, meaning="Logarithm of resistance over the person's own")
    pulse: Number = state(unit="1", scale=0.30, meaning="Logarithm of heart rate over the person's own")


def loop_parameters(state: CirculationDailyState, parameters: CirculationDailyParameters) -> CirculationParameters:
    """The fast loop of this person today; what the days' model does not know stands at its published value."""
    p = parameters
    resistance = p.systemic_resistance * jnp.exp(state.tone)
    known: dict[str, Any] = {
        "heart_rate": p.heart_rate * jnp.exp(state.pulse),
        "stressed_blood_volume": p.stressed_blood_volume,
        "left_ventricular_elastance": p.left_ventricular_elastance,
        "left_ventricular_diastolic_elastance": p.left_ventricular_diastolic_elastance,
        "right_ventricular_elastance": p.right_ventricular_elastance,
        "right_ventricular_diastolic_elastance": p.right_ventricular_diastolic_elastance,
        "pulmonary_resistance": p.pulmonary_resistance,
        "pulmonary_compliance": p.pulmonary_compliance,
        "arterial_resistance": LARGE_ARTERIES * resistance,
        "peripheral_resistance": (1.0 - LARGE_ARTERIES) * resistance,
        "aortic_compliance": AORTA * p.arterial_compliance,
        "peripheral_compliance": (1.0 - AORTA) * p.arterial_compliance,
    }
    return CirculationParameters(**(PUBLISHED | known))


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
            text="Carlsson M, Andersson R, Bloch KM, et al. Cardiac output and cardiac index measured with cardiovascular "
            "magnetic resonance in healthy subjects, elite athletes and patients with congestive heart failure. "
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
        return CirculationDailyState(tone=-state.tone / TONE_DAYS, pulse=-state.pulse / PULSE_DAYS)

    def noise(self, state: CirculationDailyState, parameters: Any) -> CirculationDailyState:
        """What keeps the stationary spread of an Ornstein-Uhlenbeck process: sd sqrt(2/time)."""
        return CirculationDailyState(
            tone=jnp.full_like(state.tone, TONE_SPREAD * (2.0 / TONE_DAYS) ** 0.5),
            pulse=jnp.full_like(state.pulse, PULSE_SPREAD * (2.0 / PULSE_DAYS) ** 0.5),
        )

    def observe(
        self, t: Number, state: CirculationDailyState, parameters: CirculationDailyParameters
    ) -> dict[str, Number]:
        loop = loop_parameters(state, parameters)
        return seen(beat(loop), loop)
