"""Model: one physiological mechanism. This is all that a domain scientist writes.

A model is a file with a class: ``Parameters`` and ``State`` (each variable with its unit, meaning, and for parameters
prior and source, on its own line), what it ``accepts``, what it ``observes``, and its ``rates``. Inference, forecast,
what-if, virtual populations, sensitivity, dossier tables and charts follow from that.

Shapes: every variable is an array of shape ``(...)``; the trailing axes are patients or members (batch last). Equations
are elementwise, so the same code runs one person or a million without ``vmap``.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.errors import ModelError
from medtwin.physiology.exposures import Exposure
from medtwin.physiology.prior import Covariates, Fixed, Prior

Inputs = Mapping[str, Float[Array, "..."]]
_KEY = "medtwin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What is declared of one field of a model's ``Parameters`` or ``State``."""

    name: str
    unit: str
    meaning: str
    prior: Prior | None = None
    source: str = ""
    scale: float = 1.0


def parameter(*, unit: str, prior: Prior, source: str, meaning: str) -> Any:
    """Declare one parameter on its own line: its UCUM ``unit``, ``prior``, the ``source`` of the number, meaning."""
    return eqx.field(metadata={_KEY: {"unit": unit, "prior": prior, "source": source, "meaning": meaning}})


def state(*, unit: str, meaning: str, scale: float = 1.0) -> Any:
    """Declare one state variable; ``scale`` is its usual magnitude, used for tolerances and for filter scaling."""
    return eqx.field(metadata={_KEY: {"unit": unit, "meaning": meaning, "scale": scale}})


def variables(declared: type) -> tuple[Variable, ...]:
    """The declared variables of a ``Parameters`` or ``State`` class, in order; raises ModelError for a bare field."""
    found = []
    for declaration in fields(declared):
        if _KEY not in declaration.metadata:
            raise ModelError(
                f"the bare field {declaration.name!r} in {declared.__qualname__}",
                expected="a field made with parameter(...) or state(...)",
            )
        found.append(Variable(name=declaration.name, **declaration.metadata[_KEY]))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time unit of a model and its default step, both in seconds; ``substeps`` RK4 steps make one step."""

    unit: float  #: seconds per unit of model time: 60 for minutes, 86400 for days, 1 for seconds
    step: float  #: one step, in units of model time
    substeps: int = 1


MINUTES = Clock(unit=60.0, step=1.0)
DAYS = Clock(unit=86400.0, step=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """An input. An amount arrives as amount per unit of model time, a level or a rate in the quantity's own unit.

    ``enters`` names the state that an amount enters, and ``per`` how much of that state's unit one unit of the input
    makes, divided by the parameter ``divided_by`` where one is named: a missed input is a hypothesis about that state.
    Where the state depends on the time, ``enters`` names all that it can be, and ``shares`` says, of a model time and the
    parameters, which share of an amount enters each.
    """

    quantity: str
    enters: str | tuple[str, ...] | None = None
    per: float = 1.0
    divided_by: str | None = None
    resting: float = 0.0  #: value that holds when nothing is recorded
    shares: Callable[[Any, Any], tuple[Any, ...]] | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """The states that an amount can enter."""
        return (self.enters,) if isinstance(self.enters, str) else (self.enters or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A publication that a model uses; printed for exactly what was used."""

    key: str
    text: str
    doi: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The people for whom a model speaks: those with one of these SNOMED CT diagnoses, and why no one else."""

    snomed: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A usual stretch of life on which a model is checked: ``duration`` in seconds, and what is given in it.

    Amounts come on top of what the model rests with; a rate or a level that is given replaces it.
    """

    duration: float
    given: tuple[Exposure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothCase:
    """A case without kinks on which the order of accuracy is measured, at the median of the prior.

    It starts at rest with states ``displaced`` by that many times their scale, and inputs raised by ``given``.
    """

    duration: float  #: seconds
    steps: int  #: of the coarsest run; the others halve the step twice, the reference is much finer
    order: float = 4.0
    displaced: Mapping[str, float] = field(default_factory=dict)
    given: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Something that is conserved: ``amount(state, parameters)`` changes by ``flow(state, parameters, inputs)`` only."""

    name: str
    unit: str
    amount: Callable[[Any, Any], Array]
    flow: Callable[[Any, Any, Inputs], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """More of ``cause`` (an input, or a parameter by one deviate) moves the mean of ``effect`` up (+1) or down (-1)."""

    cause: str
    effect: str
    direction: int
    size: float = 1.0  #: how much more: of the quantity's unit, or deviates


class Model(eqx.Module):
    """Abstract base of every mechanism. See ``docs/write-a-model.md``."""

    name: ClassVar[str]
    clock: ClassVar[Clock]
    Parameters: ClassVar[type]
    State: ClassVar[type]
    accepts: ClassVar[tuple[Accepts, ...]]
    observes: ClassVar[tuple[str, ...]]  #: quantity names that observe() returns
    inferred: ClassVar[tuple[str, ...]]  #: parameters that data correct and the page shows
    references: ClassVar[tuple[Reference, ...]]
    correlations: ClassVar[tuple[tuple[str, str, float], ...]] = ()  #: joint prior: correlations of deviates
    bookkeeping: ClassVar[tuple[str, ...]] = ()  #: states that remember (a meal's size); filters pass them through
    speaks_for: ClassVar[Population | None] = None  #: the people whom the equations describe; None: everyone

    # what check_model needs to know (docs/write-a-model.md)
    scenario: ClassVar[Scenario | None] = None  #: None: 24 steps at rest
    smooth_case: ClassVar[SmoothCase | None] = None
    ledgers: ClassVar[tuple[Ledger, ...]] = ()
    signs: ClassVar[tuple[Sign, ...]] = ()
    rests: ClassVar[bool] = False  #: whether initial() is a steady state under resting()
    own_numbers: ClassVar[str] = ""  #: why rates hold numbers with a unit that are no parameters, if they must

    @abc.abstractmethod
    def initial(self, parameters: Any) -> Any:
        """State at rest (fasting, steady) for these parameters."""

    @abc.abstractmethod
    def rates(self, t: Float[Array, ""], state: Any, parameters: Any, inputs: Inputs) -> Any:
        """Time derivative of the state, per unit of model time, as a State. ``t``: model time since local midnight."""

    @abc.abstractmethod
    def observe(self, t: Float[Array, ""], state: Any, parameters: Any) -> dict[str, Float[Array, "..."]]:
        """What can be measured, by quantity name, in the quantity's own unit. It never sees inputs."""

    def resting(self, parameters: Any) -> dict[str, Float[Array, "..."]]:
        """The inputs that hold :meth:`initial` where it is (a basal insulin rate), by quantity name."""
        like = jax.tree.leaves(parameters)[0]
        return {accepted.quantity: jnp.full_like(like, accepted.resting) for accepted in self.accepts}

    def project(self, state: Any, parameters: Any) -> Any:
        """Put a state back where physics allows it (valves, positivity), after each step."""
        return state

    def noise(self, state: Any, parameters: Any) -> Any:
        """Process noise: standard deviation per square root of model time, as a State."""
        return jax.tree.map(jnp.zeros_like, state)

    def begin(self, t: Float[Array, ""], dt: Float[Array, ""], state: Any, parameters: Any, inputs: Inputs) -> Any:
        """Bookkeeping at the start of a step, before the inputs of that step act (a meal begins)."""
        return state

    def step(self, t: Float[Array, ""], dt: Float[Array, ""], state: Any, parameters: Any, inputs: Inputs) -> Any:
        """Advance by ``dt`` with inputs held: begin, ``clock.substeps`` steps of RK4 on rates, each then projected."""
        state = self.begin(t, dt, state, parameters, inputs)
        h = dt / self.clock.substeps
        for i in range(self.clock.substeps):
            state = self.project(rk4(self, t + i * h, h, state, parameters, inputs), parameters)
        return state


def rk4(model: Model, t: Any, h: Any, state: Any, parameters: Any, inputs: Inputs) -> Any:
    """One classical Runge-Kutta step of order 4 with inputs held constant over the step."""

    def ahead(factor: Any, slope: Any) -> Any:
        return jax.tree.map(lambda x, k: x + factor * k, state, slope)

    k1 = model.rates(t, state, parameters, inputs)
    k2 = model.rates(t + h / 2, ahead(h / 2, k1), parameters, inputs)
    k3 = model.rates(t + h / 2, ahead(h / 2, k2), parameters, inputs)
    k4 = model.rates(t + h, ahead(h, k3), parameters, inputs)
    return jax.tree.map(lambda x, a, b, c, d: x + h / 6 * (a + 2 * b + 2 * c + d), state, k1, k2, k3, k4)


class _Asked(dict[str, float]):
    """An empty mapping that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def __contains__(self, name: object) -> bool:
        self.names[str(name)] = None
        return False

    def __missing__(self, name: str) -> float:
        self.names[name] = None
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names[name] = None
        return default


def covariates(model: Model) -> tuple[str, ...]:
    """Names of the covariates that the model's priors look at when nothing is known."""
    asked = _Asked()
    priors(model, asked)
    return tuple(asked.names)


def priors(model: Model, covariates: Covariates | None = None) -> dict[str, Prior]:
    """Prior of each parameter of ``model`` for a person with these covariates (quantity name -> value)."""
    return {
        variable.name: variable.prior.given({} if covariates is None else covariates)  # type: ignore[union-attr]
        for variable in variables(model.Parameters)
    }


def parameters_at(model: Model, deviates: Mapping[str, Array], covariates: Covariates | None = None) -> Any:
    """Parameters whose named deviates are given; all others stand at their prior's median (deviate 0).

    ``deviates[name]`` has any batch shape; medians broadcast against it.
    """
    zero = jnp.zeros_like(next(iter(deviates.values()))) if deviates else jnp.zeros(())
    resolved = priors(model, covariates)
    unknown = set(deviates) - set(resolved)
    if unknown:
        raise ModelError(f"deviates of {sorted(unknown)}", expected=f"parameters of {model.name}")
    return model.Parameters(**{name: prior.from_deviate(deviates.get(name, zero)) for name, prior in resolved.items()})


def draw(model: Model, key: Array, n: int, covariates: Covariates | None = None) -> Any:
    """``n`` draws of all parameters from the (joint) prior, as Parameters of shape ``(n,)``."""
    resolved = priors(model, covariates)
    names = [name for name, prior in resolved.items() if not isinstance(prior, Fixed)]
    z = jax.random.normal(key, (len(names), n))
    if model.correlations:
        correlation = jnp.eye(len(names))
        for a, b, rho in model.correlations:
            if a in names and b in names:
                i, j = names.index(a), names.index(b)
                correlation = correlation.at[i, j].set(rho).at[j, i].set(rho)
        z = jnp.linalg.cholesky(correlation) @ z
    deviates = dict(zip(names, z, strict=True)) or {next(iter(resolved)): jnp.zeros(n)}
    return parameters_at(model, deviates, covariates)


def simulate(
    model: Model,
    state: Any,
    parameters: Any,
    inputs: Mapping[str, Float[Array, "steps ..."]],
    *,
    t0: Any = 0.0,
    dt: Any = None,
    every: int = 1,
    steps: int | None = None,
) -> tuple[Any, dict[str, Float[Array, "seen ..."]]]:
    """Run ``steps`` steps with the inputs of each step held.

    Returns the final state and the observations *after* each ``every`` steps, so that a day of minutes read every five
    is not stored minute by minute. ``inputs[q]`` has shape ``(steps, ...)``; ``every`` divides ``steps``.
    ``steps`` is needed where there are no inputs.
    """
    dt = jnp.asarray(model.clock.step if dt is None else dt, dtype=float)
    t0 = jnp.asarray(t0, dtype=float)
    if steps is None:
        steps = len(next(iter(inputs.values())))
    if steps % every:
        raise ModelError(f"{steps} steps to be observed every {every}", expected="a divisor of the number of steps")
    grouped = {name: value.reshape(steps // every, every, *value.shape[1:]) for name, value in inputs.items()}

    def advance(carry: tuple[Any, Array], now: Mapping[str, Array]) -> tuple[tuple[Any, Array], None]:
        current, i = carry
        return (model.step(t0 + i * dt, dt, current, parameters, now), i + 1), None

    def see(carry: tuple[Any, Array], group: Mapping[str, Array]) -> tuple[tuple[Any, Array], dict[str, Array]]:
        carry, _ = jax.lax.scan(advance, carry, group, length=every)
        return carry, model.observe(t0 + carry[1] * dt, carry[0], parameters)

    (final, _), observed = jax.lax.scan(see, (state, jnp.asarray(0)), grouped, length=steps // every)
    return final, observed
