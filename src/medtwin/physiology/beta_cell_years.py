"""Years from obesity to type 2 diabetes and back: weight, fatty acids, insulin resistance, beta cells (Yildirim 2023).

Drawing
-------
::

    energy eaten --> weight --> inflammation --+--> insulin sensitivity --> glucose <-- liver
                       |                       |            ^               |   ^
                       +--> fatty acids -------+------------+               |   +-- insulin <-- beta cells
                                 |             |                            v                   (mass x function)
                                 +-------------+--> function of a cell <----+--> mass (grows with work, dies of glucose)

Equations
---------
Time in days; ``H_n(x, c) = x^n/(x^n + c^n)``, ``N_n = 1 - H_n``, ``X = S I`` the action of insulin (1/d)::

    G' = h0 + h1 c/(c + X) - (e + X) G                     I' = B R/V - k I
    M  = H_2(G, 140),  R = function H_2(M, 1.2)            FFA' = v (l0 + l2 fat)/V N_2(X, 11) - u W FFA
    fat = W (1.2 BMI + .23 age - 16.2)/100                 infl' = (H_6(BMI, 40) - infl)/T
    S' = (S0 1.8/(1.8 + infl) (1 - .8 H_6(FFA, 400)) - S)/T
    function' = (f (1.5 H_6(G, 81) - 1.2 H_6(G, 137) H_6(FFA, 357) - .25 H_4(infl, .6)) - function)/T
    B' = (new + 4.55 H_4(R, 35) B - (.9 + 5 H_6(M, .37)) B - s B^2)/TB
    W' = (E - E0 W)/(1.5 rho)

Glucose, insulin and fatty acids follow in minutes to hours what takes years, and glucose and insulin hold each other.
A step is therefore linearly implicit (Rosenbrock's method ROS2 of Verwer1999, order 2 and L-stable), ``J`` the
derivative of the rates ``f``, ``g = 1 + 1/sqrt(2)``::

    (1 - g h J) k1 = f(x)        (1 - g h J) k2 = f(x + h k1) - 2 k1        x(t + h) = x + h (3 k1 + k2)/2

At rest ``X`` is the root of one equation, since all else follows from it; of several roots the healthiest (largest
``X``) is taken.

Hooks of drugs, neutral by default, as in ``glucose_type_2``: ``production_factor`` on h0 and h1, ``secretion_factor`` on
the insulin that is released (not on the growth of the mass), ``sensitivity_factor`` on S0, and a loss with urine,
``excretion_clearance max(0, G - excretion_threshold)`` over the glucose volume. ``initial`` is untreated.

Parameters
----------
``Parameters``: the published set; weight, height, age and the target sensitivity differ between people.

Assumptions
-----------
One day's mean glucose; no meals. Weight follows energy without adaptation (``beta_cells`` takes weight from
``body_weight`` instead). Clearance of fatty acids grows with all of weight: below a body mass index of about 22 more
weight lowers fatty acids, and glucose by less than 1 mg/dL. Mass of beta cells turns over in years in adults. Age
stays. Equations and constants are those of Yildirim2023 as noted from it; the tests compare with another program of
that note.

Outputs
-------
blood_glucose (mg/dL), insulin_concentration (u[iU]/mL), body_weight (kg).

References
----------
Yildirim2023, Ha2016, Topp2000, Verwer1999, DallaMan2007 (see ``references``).
"""

# ruff: noqa: E501  (a variable, with its unit, prior, source and meaning, stands on one line)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology.exposures import DAY, Exposure
from medtwin.physiology.model import (
    DAYS,
    Accepts,
    Clock,
    Inputs,
    Ledger,
    Model,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    parameter,
    state,
)
from medtwin.physiology.prior import Covariate, Fixed, LogNormal, Normal, Uniform

CENTIMETRES_PER_METRE = 100.0
MINUTES_PER_DAY = 1440.0
PER_CENT = 100.0
SOUGHT = 160  #: actions of insulin that are tried for the state at rest, each 5 % below the one before
HALVINGS = 45
IMPLICIT = 1 + 0.5**0.5  #: the g of the step

Number = Float[Array, "..."]


class BetaCellYearsParameters(eqx.Module):
    """The person, and the constants of the equations."""

    # fmt: off
    starting_weight: Number = parameter(unit="kg", prior=Covariate("body_weight", LogNormal(81.0, 0.12)), source="Yildirim2023: 81 kg; spread: judgement", meaning="Weight at the start, held by the habitual intake")
    height: Number = parameter(unit="cm", prior=Covariate("body_height", Normal(175.0, 8.0)), source="Yildirim2023: 1.80 m; adults, judgement", meaning="Body height")
    age: Number = parameter(unit="a", prior=Covariate("age", Uniform(30.0, 65.0)), source="Yildirim2023: 40 a; adults, judgement", meaning="Age")
    target_sensitivity: Number = parameter(unit="L/m[iU]/d", prior=LogNormal(1.2, 0.25), source="Yildirim2023: 1.4 healthy, .7 and below at risk; spread: judgement", meaning="Insulin sensitivity without inflammation and fatty acids (S0)")
    production_base: Number = parameter(unit="mg/dL/d", prior=Fixed(2000.0), source="Yildirim2023", meaning="Glucose production that insulin does not suppress (h0)")
    production_suppressed: Number = parameter(unit="mg/dL/d", prior=Fixed(3000.0), source="Yildirim2023", meaning="Glucose production that insulin suppresses (h1)")
    production_half: Number = parameter(unit="/d", prior=Fixed(4.0), source="Yildirim2023", meaning="Action of insulin at which half of it is suppressed (c)")
    glucose_effectiveness: Number = parameter(unit="/d", prior=Fixed(24.48), source="Yildirim2023, eg0", meaning="Uptake of glucose without insulin (e)")
    insulin_clearance: Number = parameter(unit="/d", prior=Fixed(700.0), source="Yildirim2023, k", meaning="Clearance of insulin (k)")
    blood_volume: Number = parameter(unit="L", prior=Fixed(5.0), source="Yildirim2023, bv", meaning="Blood volume (V)")
    workload_half: Number = parameter(unit="mg/dL", prior=Fixed(140.0), source="Yildirim2023", meaning="Glucose at half of a cell's metabolism (M)")
    secretion_half: Number = parameter(unit="1", prior=Fixed(1.2), source="Yildirim2023", meaning="Metabolism at half of a cell's secretion")
    lipolysis: Number = parameter(unit="umol/min", prior=Fixed(170.0), source="Yildirim2023, l0", meaning="Release of fatty acids by other than fat mass (l0)")
    lipolysis_of_fat: Number = parameter(unit="umol/kg/min", prior=Fixed(8.1), source="Yildirim2023, l2", meaning="Release of fatty acids per fat mass (l2)")
    lipolysis_scale: Number = parameter(unit="1", prior=Fixed(1.106), source="Yildirim2023", meaning="Release without insulin, as a multiple (v)")
    lipolysis_half: Number = parameter(unit="/d", prior=Fixed(11.0), source="Yildirim2023", meaning="Action of insulin at which release is halved")
    acid_clearance: Number = parameter(unit="/kg/d", prior=Fixed(2.0), source="Yildirim2023", meaning="Clearance of fatty acids per body weight (u)")
    fat_of_index: Number = parameter(unit="m2/kg", prior=Fixed(1.2), source="Yildirim2023, female form", meaning="Fat (% of weight) per body mass index")
    fat_of_age: Number = parameter(unit="/a", prior=Fixed(0.23), source="Yildirim2023, female form", meaning="Fat (% of weight) per year of age")
    fat_offset: Number = parameter(unit="1", prior=Fixed(16.2), source="Yildirim2023, female form", meaning="Fat (% of weight) that is taken off")
    inflammation_half: Number = parameter(unit="kg/m2", prior=Fixed(40.0), source="Yildirim2023", meaning="Body mass index at half of the greatest inflammation")
    resistance_of_inflammation: Number = parameter(unit="1", prior=Fixed(1.8), source="Yildirim2023", meaning="Inflammation that halves sensitivity")
    resistance_of_acids: Number = parameter(unit="1", prior=Fixed(0.8), source="Yildirim2023", meaning="Share of sensitivity that fatty acids can take")
    resistance_half: Number = parameter(unit="umol/L", prior=Fixed(400.0), source="Yildirim2023", meaning="Fatty acids that take half of it")
    function_scale: Number = parameter(unit="m[iU]/mg/d", prior=Fixed(536.0), source="Yildirim2023", meaning="Scale of a cell's greatest secretion (f)")
    function_gain: Number = parameter(unit="1", prior=Fixed(1.5), source="Yildirim2023", meaning="Gain of function with glucose")
    function_half: Number = parameter(unit="mg/dL", prior=Fixed(81.0), source="Yildirim2023", meaning="Glucose at half of that gain")
    function_loss: Number = parameter(unit="1", prior=Fixed(1.2), source="Yildirim2023", meaning="Loss of function by glucose and fatty acids together")
    loss_half_glucose: Number = parameter(unit="mg/dL", prior=Fixed(137.0), source="Yildirim2023", meaning="Glucose at half of that loss")
    loss_half_acids: Number = parameter(unit="umol/L", prior=Fixed(357.0), source="Yildirim2023", meaning="Fatty acids at half of that loss")
    function_inflamed: Number = parameter(unit="1", prior=Fixed(0.25), source="Yildirim2023", meaning="Loss of function by inflammation")
    inflamed_half: Number = parameter(unit="1", prior=Fixed(0.6), source="Yildirim2023", meaning="Inflammation at half of that loss")
    new_cells: Number = parameter(unit="mg", prior=Fixed(350.0), source="Yildirim2023, png", meaning="New beta cells in the time of turnover")
    growth: Number = parameter(unit="1", prior=Fixed(4.55), source="Yildirim2023", meaning="Greatest growth of the mass by division")
    growth_half: Number = parameter(unit="m[iU]/mg/d", prior=Fixed(35.0), source="Yildirim2023", meaning="Secretion of a cell at half of that growth")
    death: Number = parameter(unit="1", prior=Fixed(0.9), source="Yildirim2023", meaning="Death of beta cells at rest")
    death_of_work: Number = parameter(unit="1", prior=Fixed(5.0), source="Yildirim2023", meaning="Greatest further death of beta cells that work hard")
    death_half: Number = parameter(unit="1", prior=Fixed(0.37), source="Yildirim2023", meaning="Metabolism at half of that")
    crowding: Number = parameter(unit="/mg", prior=Fixed(2e-4), source="Yildirim2023, s", meaning="Death of beta cells per mass (s)")
    turnover: Number = parameter(unit="d", prior=Fixed(1800.0), source="Yildirim2023", meaning="Time of turnover of beta cells (TB)")
    adjustment: Number = parameter(unit="d", prior=Fixed(1.0), source="Yildirim2023", meaning="Time in which sensitivity, function and inflammation follow (T)")
    tissue_energy: Number = parameter(unit="kcal/kg", prior=Fixed(11550.0), source="Yildirim2023: 7700 times 1.5", meaning="Energy of a change of weight")
    expenditure: Number = parameter(unit="kcal/kg/d", prior=Fixed(2500.0 / 81.0), source="Yildirim2023: 2500 kcal/d at 81 kg", meaning="Energy spent per weight (E0)")
    production_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no drug", meaning="Hook: glucose production as a multiple of the untreated one")
    secretion_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no drug", meaning="Hook: insulin that a cell releases as a multiple of the untreated release")
    sensitivity_factor: Number = parameter(unit="1", prior=Fixed(1.0), source="no change", meaning="Hook: target sensitivity as a multiple of the untrained one")
    excretion_clearance: Number = parameter(unit="dL/kg/min", prior=Fixed(0.0), source="no drug", meaning="Hook: clearance of glucose by urine above excretion_threshold")
    excretion_threshold: Number = parameter(unit="mg/dL", prior=Fixed(90.0), source="as in glucose_type_2", meaning="Hook: threshold of that clearance")
    glucose_volume: Number = parameter(unit="dL/kg", prior=Fixed(1.49), source="DallaMan2007, VG in type 2", meaning="Distribution volume of glucose, for excretion only")
    # fmt: on


class BetaCellYearsState(eqx.Module):
    """What follows within hours, within days, and over years."""

    glucose: Number = state(unit="mg/dL", scale=100.0, meaning="Mean glucose in plasma (G)")
    insulin: Number = state(unit="m[iU]/L", scale=12.0, meaning="Insulin in plasma (I)")
    fatty_acids: Number = state(unit="umol/L", scale=450.0, meaning="Free fatty acids in plasma (FFA)")
    sensitivity: Number = state(unit="L/m[iU]/d", scale=0.7, meaning="Insulin sensitivity (S)")
    function: Number = state(unit="m[iU]/mg/d", scale=500.0, meaning="Greatest secretion of a beta cell")
    inflammation: Number = state(unit="1", scale=0.1, meaning="Inflammation (infl)")
    beta_mass: Number = state(unit="mg", scale=1000.0, meaning="Mass of beta cells (B)")
    weight: Number = state(unit="kg", scale=80.0, meaning="Body weight (W)")


class BetaCellYears(Model):
    """Years from obesity to type 2 diabetes and back; the module's docstring is its paper."""

    name: ClassVar[str] = "beta_cell_years"
    clock: ClassVar[Clock] = DAYS
    Parameters: ClassVar[type] = BetaCellYearsParameters
    State: ClassVar[type] = BetaCellYearsState
    accepts: ClassVar[tuple[Accepts, ...]] = (Accepts(quantity="energy_intake"),)
    observes: ClassVar[tuple[str, ...]] = ("blood_glucose", "insulin_concentration", "body_weight")
    inferred: ClassVar[tuple[str, ...]] = ("target_sensitivity",)
    scenario: ClassVar[Scenario] = Scenario(
        duration=360 * DAY,
        given=(
            Exposure(quantity="energy_intake", time=0.0, amount=800.0 * 200, until=200 * DAY),
            Exposure(quantity="energy_intake", time=200 * DAY, amount=-800.0 * 120, until=320 * DAY),
        ),
    )
    smooth_case: ClassVar[SmoothCase] = SmoothCase(
        duration=0.02 * DAY, steps=20, order=2.0, displaced={"glucose": 0.3, "insulin": 0.3, "fatty_acids": 0.2}
    )
    ledgers: ClassVar[tuple[Ledger, ...]] = (
        Ledger(
            name="energy in the body",
            unit="kcal",
            amount=lambda s, p: p.tissue_energy * s.weight,
            flow=lambda s, p, u: u["energy_intake"] - p.expenditure * s.weight,
        ),
    )
    signs: ClassVar[tuple[Sign, ...]] = (
        Sign(cause="energy_intake", effect="body_weight", direction=1, size=30000.0),
        Sign(cause="target_sensitivity", effect="blood_glucose", direction=-1),
    )
    rests: ClassVar[bool] = True
    references: ClassVar[tuple[Reference, ...]] = (
        Reference(
            key="Yildirim2023",
            text="Yildirim V, Sheraton VM, Brands R, et al. A data-driven computational model for obesity-driven diabetes "
            "onset and remission through weight loss. iScience 2023;26:108324.",
            doi="10.1016/j.isci.2023.108324",
        ),
        Reference(
            key="Ha2016",
            text="Ha J, Satin LS, Sherman AS. A mathematical model of the pathogenesis, prevention, and reversal of type 2 "
            "diabetes. Endocrinology 2016;157:624-635 (the line of models; from memory).",
        ),
        Reference(
            key="Topp2000",
            text="Topp B, Promislow K, deVries G, Miura RM, Finegood DT. A model of beta-cell mass, insulin, and glucose "
            "kinetics: pathways to diabetes. J Theor Biol 2000;206:605-619 (the line of models; from memory).",
        ),
        Reference(
            key="DallaMan2007",
            text="Dalla Man C, Rizza RA, Cobelli C. Meal simulation model of the glucose-insulin system. IEEE Trans "
            "Biomed Eng 2007;54:1740-1749.",
            doi="10.1109/TBME.2007.893506",
        ),
        Reference(
            key="Verwer1999",
            text="Verwer JG, Spee EJ, Blom JG, Hundsdorfer W. A second-order Rosenbrock method applied to photochemical "
            "dispersion problems. SIAM J Sci Comput 1999;20:1456-1480 (from memory; its order is measured by the checks).",
        ),
    )

    def initial(self, parameters: BetaCellYearsParameters) -> BetaCellYearsState:
        """The healthiest state at rest at ``starting_weight``."""
        untreated = _untreated(parameters)
        return _settled(untreated, _action_at_rest(untreated))

    def resting(self, parameters: BetaCellYearsParameters) -> dict[str, Number]:
        """The intake that holds ``starting_weight``, kcal/d."""
        return {"energy_intake": parameters.expenditure * parameters.starting_weight}

    def rates(
        self, t: Number, state: BetaCellYearsState, parameters: BetaCellYearsParameters, inputs: Inputs
    ) -> BetaCellYearsState:
        """The eight published rates."""
        s, p = state, parameters
        action = s.sensitivity * s.insulin
        metabolism, secretion = _secretion(s.glucose, s.function, p)
        excess = _excess_death(metabolism, secretion, p) + p.crowding * s.beta_mass
        released = _released(action, s.weight, p)
        return BetaCellYearsState(
            glucose=_production(action, p) - (p.glucose_effectiveness + action) * s.glucose - excreted(s.glucose, p),
            insulin=p.secretion_factor * s.beta_mass * secretion / p.blood_volume - p.insulin_clearance * s.insulin,
            fatty_acids=released - p.acid_clearance * s.weight * s.fatty_acids,
            sensitivity=(_sensitivity(s.fatty_acids, s.inflammation, p) - s.sensitivity) / p.adjustment,
            function=(_function(s.glucose, s.fatty_acids, s.inflammation, p) - s.function) / p.adjustment,
            inflammation=(_hill(_index(s.weight, p), p.inflammation_half, 6) - s.inflammation) / p.adjustment,
            beta_mass=(p.new_cells - excess * s.beta_mass) / p.turnover,
            weight=(inputs["energy_intake"] - p.expenditure * s.weight) / p.tissue_energy,
        )

    def step(
        self, t: Number, dt: Number, state: BetaCellYearsState, parameters: BetaCellYearsParameters, inputs: Inputs
    ) -> BetaCellYearsState:
        """Rosenbrock's ROS2: see the module's equations."""

        def moving(now: BetaCellYearsState) -> BetaCellYearsState:
            return self.rates(t, now, parameters, inputs)

        return implicit_step(moving, state, dt)

    def noise(self, state: BetaCellYearsState, parameters: BetaCellYearsParameters) -> BetaCellYearsState:
        """2 % of glucose, 0.1 % of weight and 0.05 % of the mass per root of a day. Judgement."""
        quiet = jax.tree.map(jnp.zeros_like, state)
        return eqx.tree_at(
            lambda s: (s.glucose, s.weight, s.beta_mass),
            quiet,
            (0.02 * state.glucose, 0.001 * state.weight, 0.0005 * state.beta_mass),
        )

    def observe(self, t: Number, state: BetaCellYearsState, parameters: BetaCellYearsParameters) -> dict[str, Number]:
        """Mean glucose (mg/dL), insulin (u[iU]/mL, the same number as mU/L) and weight (kg)."""
        return {"blood_glucose": state.glucose, "insulin_concentration": state.insulin, "body_weight": state.weight}


def _hill(x: Number, half: Number, power: int) -> Number:
    relative = (x / half) ** power
    return relative / (1 + relative)


def implicit_step(moving: Callable[[Any], Any], state: Any, dt: Number) -> Any:
    """One step of ROS2 of a stiff system of positive states whose rates are ``moving``: see the module's equations."""
    start = jax.tree.map(lambda x, y: x + jnp.zeros_like(y), state, moving(state))
    first, slope = jax.linearize(moving, start)
    leaves, shape = jax.tree.flatten(start)
    columns = []
    for j in range(len(leaves)):
        unit = [jnp.ones_like(x) if i == j else jnp.zeros_like(x) for i, x in enumerate(leaves)]
        columns.append(jax.tree.leaves(slope(jax.tree.unflatten(shape, unit))))
    matrix = [
        [
            (jnp.ones_like(x) if i == j else jnp.zeros_like(x)) - IMPLICIT * dt * columns[j][i]
            for j in range(len(leaves))
        ]
        for i, x in enumerate(leaves)
    ]
    one = _solved(matrix, jax.tree.leaves(first))
    ahead = jax.tree.unflatten(shape, [jnp.maximum(x + dt * k, 0.0) for x, k in zip(leaves, one, strict=True)])
    second = jax.tree.leaves(moving(ahead))
    two = _solved(matrix, [f - 2 * k for f, k in zip(second, one, strict=True)])
    ends = [x + dt * (3 * k + m) / 2 for x, k, m in zip(leaves, one, two, strict=True)]
    return jax.tree.map(lambda x: jnp.maximum(x, 0.0), jax.tree.unflatten(shape, ends))


def _solved(matrix: list[list[Number]], right: list[Number]) -> list[Number]:
    """The solution of a small linear system whose entries are arrays; no rows are exchanged."""
    rows, count = [[*row, value] for row, value in zip(matrix, right, strict=True)], len(right)
    for k in range(count):
        for i in range(k + 1, count):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    found: list[Number] = []
    for k in reversed(range(count)):
        known = sum((rows[k][count - 1 - n] * value for n, value in enumerate(found)), 0.0 * rows[k][count])
        found.append((rows[k][count] - known) / rows[k][k])
    return found[::-1]


def _index(weight: Number, p: BetaCellYearsParameters) -> Number:
    """Body mass index, kg/m2."""
    return weight / (p.height / CENTIMETRES_PER_METRE) ** 2


def _released(action: Number, weight: Number, p: BetaCellYearsParameters) -> Number:
    """Release of fatty acids, umol/L/d."""
    fat = weight * (p.fat_of_index * _index(weight, p) + p.fat_of_age * p.age - p.fat_offset) / PER_CENT
    made = (p.lipolysis + p.lipolysis_of_fat * fat) * MINUTES_PER_DAY / p.blood_volume
    return p.lipolysis_scale * made * (1 - _hill(action, p.lipolysis_half, 2))


def _sensitivity(acids: Number, inflammation: Number, p: BetaCellYearsParameters) -> Number:
    """Where insulin sensitivity settles."""
    inflamed = p.resistance_of_inflammation / (p.resistance_of_inflammation + inflammation)
    return (
        p.sensitivity_factor
        * p.target_sensitivity
        * inflamed
        * (1 - p.resistance_of_acids * _hill(acids, p.resistance_half, 6))
    )


def _function(glucose: Number, acids: Number, inflammation: Number, p: BetaCellYearsParameters) -> Number:
    """Where the greatest secretion of a cell settles."""
    gained = p.function_gain * _hill(glucose, p.function_half, 6)
    poisoned = p.function_loss * _hill(glucose, p.loss_half_glucose, 6) * _hill(acids, p.loss_half_acids, 6)
    return p.function_scale * (gained - poisoned - p.function_inflamed * _hill(inflammation, p.inflamed_half, 4))


def _secretion(glucose: Number, function: Number, p: BetaCellYearsParameters) -> tuple[Number, Number]:
    """A cell's metabolism (1) and secretion (mU/mg/d)."""
    metabolism = _hill(glucose, p.workload_half, 2)
    return metabolism, function * _hill(metabolism, p.secretion_half, 2)


def _excess_death(metabolism: Number, secretion: Number, p: BetaCellYearsParameters) -> Number:
    """Death less growth of beta cells by division, per turnover, without crowding."""
    dying = p.death + p.death_of_work * _hill(metabolism, p.death_half, 6)
    return dying - p.growth * _hill(secretion, p.growth_half, 4)


def _production(action: Number, p: BetaCellYearsParameters) -> Number:
    """Glucose production, mg/dL/d."""
    suppressed = p.production_suppressed * p.production_half / (p.production_half + action)
    return p.production_factor * (p.production_base + suppressed)


def excreted(glucose: Number, p: BetaCellYearsParameters) -> Number:
    """Glucose lost with urine under an SGLT2 inhibitor, mg/dL/d."""
    clearance = p.excretion_clearance * MINUTES_PER_DAY / p.glucose_volume
    return clearance * jnp.maximum(glucose - p.excretion_threshold, 0.0)


def _untreated(p: BetaCellYearsParameters) -> BetaCellYearsParameters:
    one = jnp.ones_like(p.target_sensitivity)
    return eqx.tree_at(
        lambda q: (q.production_factor, q.secretion_factor, q.excretion_clearance), p, (one, one, 0.0 * one)
    )


def _settled(p: BetaCellYearsParameters, action: Number) -> BetaCellYearsState:
    """The state in which all but insulin's own balance is settled, at this action of insulin (1/d)."""
    weight = p.starting_weight
    glucose = _production(action, p) / (p.glucose_effectiveness + action)
    inflammation = _hill(_index(weight, p), p.inflammation_half, 6)
    acids = _released(action, weight, p) / (p.acid_clearance * weight)
    function = _function(glucose, acids, inflammation, p)
    metabolism, secretion = _secretion(glucose, function, p)
    excess = _excess_death(metabolism, secretion, p)
    root = jnp.sqrt(excess * excess + 4 * p.crowding * p.new_cells)
    # the positive root of s B^2 + excess B - new = 0, in the form that does not cancel
    mass = jnp.where(excess > 0, 2 * p.new_cells / (excess + root), (root - excess) / (2 * p.crowding))
    sensitivity = _sensitivity(acids, inflammation, p)
    return BetaCellYearsState(
        glucose=glucose,
        insulin=action / sensitivity,
        fatty_acids=acids,
        sensitivity=sensitivity,
        function=function,
        inflammation=inflammation,
        beta_mass=mass,
        weight=weight + jnp.zeros_like(glucose),
    )


def _surplus(action: Number, p: BetaCellYearsParameters) -> Number:
    """Action of the insulin that is made in the settled state, less the action that it was settled at (1/d)."""
    s = _settled(p, action)
    _, secretion = _secretion(s.glucose, s.function, p)
    made = s.beta_mass * secretion / (p.blood_volume * p.insulin_clearance)
    return s.sensitivity * made - action


def _action_at_rest(p: BetaCellYearsParameters) -> Number:
    """The largest action of insulin that maintains itself; exact to rounding, with the exact gradient.

    Actions are tried from far above any that is seen downwards until insulin suffices, the interval is halved, and a
    Newton step ends the search: its gradient is that of the root.
    """
    held = jax.lax.stop_gradient(p)
    rate = jax.lax.stop_gradient(p.glucose_effectiveness) + 0 * _surplus(held.glucose_effectiveness, held)
    highest = 4 * rate

    def try_lower(_: Array, found: tuple[Number, Number]) -> tuple[Number, Number]:
        low, high = found
        suffices = _surplus(low, held) > 0
        return jnp.where(suffices, low, 0.95 * low), jnp.where(suffices, high, low)

    def halve(_: Array, found: tuple[Number, Number]) -> tuple[Number, Number]:
        low, high = found
        middle = (low + high) / 2
        suffices = _surplus(middle, held) > 0
        return jnp.where(suffices, middle, low), jnp.where(suffices, high, middle)

    found = jax.lax.fori_loop(0, SOUGHT, try_lower, (highest, highest))
    found = jax.lax.fori_loop(0, HALVINGS, halve, found)
    action = jax.lax.stop_gradient(found[0])
    _, slope = jax.jvp(lambda x: _surplus(x, held), (action,), (jnp.ones_like(action),))
    return action - _surplus(action, p) / slope
