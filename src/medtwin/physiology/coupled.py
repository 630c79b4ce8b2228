"""Several models of one body, wired together: itself a model.

Drawing
-------
::

    fast models (one clock):  rates merged, wires act within each stage of a step
         |  ^
         |  |  what a slower model shows is held between exchanges;
         v  |  what it is given is gathered, and handed over at the exchange
    slower models (own clock): one step at each exchange

Equations
---------
A :class:`~medtwin.physiology.wires.Wire` carries, times its factor: an observable into an input, an observable into a
parameter (which it then *sets*, or *scales*), or an input of one model into an input of another (one meal feeds glucose
and energy).

Models on the clock with the smallest unit are *fast*: their rates are merged into one system (a model that brings its
own step, as stiff ones do, is *slow* beside others, whatever its clock). Since ``observe`` never
sees inputs, there is no algebraic loop. Every other model is *slow*. With ``T`` its step times ``exchange``, and ``u``
what flows into one of its inputs::

    pending' = u           elapsed' = 1           (states of the fast system)
    when t passes a multiple of T:   slow state <- slow.step(elapsed) under the input pending/elapsed
                                     delivered <- delivered + pending,  pending <- 0,  elapsed <- 0

Amounts are therefore conserved whatever the steps are: what flowed in is pending or delivered. The error of holding
shows when the exchange is made twice as often: :func:`exchange_error`.

Parameters
----------
Those of the models; where two models name one alike, the model's name stands before it. A parameter that a wire sets
keeps its prior and is overruled.

Assumptions
-----------
A fast model sees a slower one as constant over an exchange. A wire into a parameter reads the observable under the
source model's parameters as they are after earlier wires: list wires in the order in which they depend on each other.

Outputs
-------
All observables of all models.

References
----------
Those of the models.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from medtwin.errors import ModelError
from medtwin.physiology.model import (
    Accepts,
    Clock,
    Inputs,
    Ledger,
    Model,
    Population,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    rk4,
    simulate,
)
from medtwin.physiology.wires import Plan, Wire, gathered, planned
from medtwin.quantities import Kind, registry

Number = Float[Array, "..."]


class Coupled(Model):
    """Models and wires; see the module's docstring. ``exchange``: in steps of each slower model."""

    models: tuple[Model, ...]
    wires: tuple[Wire, ...] = eqx.field(static=True, default=())
    exchange: float = eqx.field(static=True, default=1.0)
    shown: Scenario | None = eqx.field(
        static=True, default=None
    )  #: for the checks, instead of the models' own together

    def __check_init__(self) -> None:
        if self.exchange <= 0 or not self.models:
            raise ModelError(
                f"an exchange of {self.exchange} among {len(self.models)} models", expected="positive numbers"
            )
        _ = self._plan  # a wrong wire is refused here

    @property
    def _plan(self) -> Plan:
        return planned(self.models, self.wires)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "_and_".join(model.name for model in self.models)

    @property
    def clock(self) -> Clock:  # type: ignore[override]
        clocks = [self.models[i].clock for i in self._plan.fast]
        step = min(clock.step for clock in clocks)
        return Clock(unit=clocks[0].unit, step=step, substeps=max(clock.substeps for clock in clocks))

    @property
    def Parameters(self) -> type:  # type: ignore[override]
        return self._plan.Parameters

    @property
    def State(self) -> type:  # type: ignore[override]
        return self._plan.State

    @property
    def accepts(self) -> tuple[Accepts, ...]:  # type: ignore[override]
        """What comes from outside: what no wire brings."""
        found: dict[str, Accepts] = {}
        for i, model in enumerate(self.models):
            for one in model.accepts:
                if (i, one.quantity) in self._plan.feeds or one.quantity in found:
                    continue
                fast = i in self._plan.fast
                found[one.quantity] = dataclasses.replace(
                    one,
                    enters=self._plan.states[i][one.enters] if fast and isinstance(one.enters, str) else None,
                    shares=None,
                    divided_by=self._plan.parameters[i][one.divided_by] if fast and one.divided_by else None,
                )
        return tuple(found.values())

    @property
    def observes(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(name for model in self.models for name in model.observes)

    @property
    def inferred(self) -> tuple[str, ...]:  # type: ignore[override]
        set_by_wire = {(target, name) for _, _, target, name, wire in self._plan.modulations if not wire.scales}
        return tuple(
            self._plan.parameters[i][name]
            for i, model in enumerate(self.models)
            for name in model.inferred
            if (i, name) not in set_by_wire
        )

    @property
    def references(self) -> tuple[Reference, ...]:  # type: ignore[override]
        return tuple({reference.key: reference for model in self.models for reference in model.references}.values())

    @property
    def correlations(self) -> tuple[tuple[str, str, float], ...]:  # type: ignore[override]
        renamed = self._plan.parameters
        return tuple((renamed[i][a], renamed[i][b], r) for i, m in enumerate(self.models) for a, b, r in m.correlations)

    @property
    def bookkeeping(self) -> tuple[str, ...]:  # type: ignore[override]
        own = [self._plan.states[i][name] for i, model in enumerate(self.models) for name in model.bookkeeping]
        return (*own, *[variable.name for variable in gathered(self.models, self._plan.slow)])

    @property
    def speaks_for(self) -> Population | None:  # type: ignore[override]
        return next((model.speaks_for for model in self.models if model.speaks_for is not None), None)

    @property
    def scenario(self) -> Scenario | None:  # type: ignore[override]
        if self.shown is not None:
            return self.shown
        told = [self.models[i].scenario for i in self._plan.fast]
        known = [one for one in told if one is not None]
        if not known:
            return None
        given = tuple(dict.fromkeys(exposure for one in known for exposure in one.given))
        return Scenario(duration=max(one.duration for one in known), given=given)

    @property
    def smooth_case(self) -> SmoothCase | None:  # type: ignore[override]
        for i in self._plan.fast:
            case = self.models[i].smooth_case
            if case is not None:
                moved = {self._plan.states[i][name]: by for name, by in case.displaced.items()}
                return dataclasses.replace(case, displaced=moved)
        return None

    @property
    def ledgers(self) -> tuple[Ledger, ...]:  # type: ignore[override]
        """Those of the fast models, and one for each input of a slower one: pending and delivered is what flowed in."""
        found = [self._lifted(i, ledger) for i in self._plan.fast for ledger in self.models[i].ledgers]
        for i in self._plan.slow:
            found += [self._handed_over(i, one.quantity) for one in self.models[i].accepts]
        return tuple(found)

    @property
    def signs(self) -> tuple[Sign, ...]:  # type: ignore[override]
        found = []
        for i in self._plan.fast:
            outside = {one.quantity for one in self.models[i].accepts if (i, one.quantity) not in self._plan.feeds}
            for sign in self.models[i].signs:
                if sign.cause in outside:
                    found.append(sign)
                elif sign.cause in self._plan.parameters[i]:
                    found.append(dataclasses.replace(sign, cause=self._plan.parameters[i][sign.cause]))
        return tuple(found)

    @property
    def rests(self) -> bool:  # type: ignore[override]
        return not self._plan.feeds and all(model.rests for model in self.models)

    @property
    def own_numbers(self) -> str:  # type: ignore[override]
        wires = [f"the wire to {w.target} carries {w.factor:g} {w.unit}" for w in self.wires if w.unit != "1"]
        return "; ".join([model.own_numbers for model in self.models if model.own_numbers] + wires)

    def initial(self, parameters: Any) -> Any:
        """Each model at rest, under the parameters that the wires make at rest."""
        parts = [model.initial(self._own(i, parameters)) for i, model in enumerate(self.models)]
        own = self._modulated(jnp.zeros(()), parts, parameters)
        parts = [model.initial(p) for model, p in zip(self.models, own, strict=True)]
        like = jax.tree.leaves(parts[0])[0]
        memory = {variable.name: jnp.zeros_like(like) for variable in gathered(self.models, self._plan.slow)}
        return self._joined(parts, memory)

    def resting(self, parameters: Any) -> dict[str, Number]:
        """What each model rests with, for the inputs that come from outside."""
        parts = [model.initial(self._own(i, parameters)) for i, model in enumerate(self.models)]
        own = self._modulated(jnp.zeros(()), parts, parameters)
        found: dict[str, Number] = {}
        for i in (*self._plan.fast, *self._plan.slow):
            for name, value in self.models[i].resting(own[i]).items():
                per = self._per_fast(i, name)
                found.setdefault(name, value * per)
        return {one.quantity: found[one.quantity] for one in self.accepts}

    def rates(self, t: Any, state: Any, parameters: Any, inputs: Inputs) -> Any:
        """Merged rates of the fast models; slower ones stand still and are given to."""
        parts = self._parts(state)
        own = self._modulated(t, parts, parameters)
        seen = self._seen(t, parts, own)
        moved = []
        for i, model in enumerate(self.models):
            if i in self._plan.fast:
                moved.append(model.rates(t, parts[i], own[i], self._fed(i, inputs, seen)))
            else:
                moved.append(jax.tree.map(jnp.zeros_like, parts[i]))
        memory = {}
        for i in self._plan.slow:
            label, fed = self.models[i].name, self._fed(i, inputs, seen)
            like = getattr(state, f"{label}_elapsed")
            memory[f"{label}_elapsed"] = jnp.ones_like(like)
            for one in self.models[i].accepts:
                memory[f"{label}_{one.quantity}_pending"] = fed[one.quantity] + jnp.zeros_like(like)
                memory[f"{label}_{one.quantity}_delivered"] = jnp.zeros_like(like)
        return self._joined(moved, memory)

    def begin(self, t: Any, dt: Any, state: Any, parameters: Any, inputs: Inputs) -> Any:
        """Each fast model's own."""
        parts = self._parts(state)
        own = self._modulated(t, parts, parameters)
        seen = self._seen(t, parts, own)
        for i in self._plan.fast:
            parts[i] = self.models[i].begin(t, dt, parts[i], own[i], self._fed(i, inputs, seen))
        return self._joined(parts, self._memory(state))

    def project(self, state: Any, parameters: Any) -> Any:
        """Each fast model's own."""
        parts = self._parts(state)
        own = self._modulated(jnp.zeros(()), parts, parameters)
        for i in self._plan.fast:
            parts[i] = self.models[i].project(parts[i], own[i])
        return self._joined(parts, self._memory(state))

    def noise(self, state: Any, parameters: Any) -> Any:
        """Each model's own, per square root of the fast clock's unit."""
        parts = self._parts(state)
        own = self._modulated(jnp.zeros(()), parts, parameters)
        found = []
        for i, model in enumerate(self.models):
            per = (self.clock.unit / model.clock.unit) ** 0.5
            found.append(jax.tree.map(lambda x, per=per: per * x, model.noise(parts[i], own[i])))
        return self._joined(found, jax.tree.map(jnp.zeros_like, self._memory(state)))

    def observe(self, t: Any, state: Any, parameters: Any) -> dict[str, Number]:
        """All observables of all models."""
        parts = self._parts(state)
        seen = self._seen(t, parts, self._modulated(t, parts, parameters))
        return {name: value for found in seen for name, value in found.items()}

    def step(self, t: Any, dt: Any, state: Any, parameters: Any, inputs: Inputs) -> Any:
        """A step of the fast models; then, where ``t`` passes a multiple of its exchange, a step of a slower one."""
        clock = self.clock
        state = self.begin(t, dt, state, parameters, inputs)
        h = dt / clock.substeps
        for k in range(clock.substeps):
            state = self.project(rk4(self, t + k * h, h, state, parameters, inputs), parameters)
        for i in self._plan.slow:
            period = self.models[i].clock.step * self.exchange * self.models[i].clock.unit / clock.unit
            early = dt / 4  # a boundary is met also when rounding puts t + dt just before it
            due = jnp.floor((t + dt + early) / period) > jnp.floor((t + early) / period)
            state = jax.lax.cond(due, lambda s, i=i: self._exchanged(i, t + dt, s, parameters), lambda s: s, state)
        return state

    def _exchanged(self, i: int, t: Any, state: Any, parameters: Any) -> Any:
        model, parts, memory = self.models[i], self._parts(state), self._memory(state)
        own = self._modulated(t, parts, parameters)
        elapsed = memory[f"{model.name}_elapsed"]
        given = {}
        for one in model.accepts:
            pending = memory[f"{model.name}_{one.quantity}_pending"]
            given[one.quantity] = pending / elapsed / self._per_fast(i, one.quantity)
            memory[f"{model.name}_{one.quantity}_delivered"] += pending
            memory[f"{model.name}_{one.quantity}_pending"] = jnp.zeros_like(pending)
        memory[f"{model.name}_elapsed"] = jnp.zeros_like(elapsed)
        slower = self.clock.unit / model.clock.unit
        parts[i] = model.step((t - elapsed) * slower, elapsed * slower, parts[i], own[i], given)
        return self._joined(parts, memory)

    def _per_fast(self, i: int, name: str) -> float:
        """An amount per unit of model ``i``'s time, per unit of the fast time; 1 for a rate or a level."""
        amount = registry.get(name).kind is Kind.AMOUNT
        return self.clock.unit / self.models[i].clock.unit if amount else 1.0

    def _own(self, i: int, parameters: Any) -> Any:
        names = self._plan.parameters[i]
        return self.models[i].Parameters(**{own: getattr(parameters, joint) for own, joint in names.items()})

    def _parts(self, state: Any) -> list[Any]:
        return [
            model.State(**{own: getattr(state, joint) for own, joint in names.items()})
            for model, names in zip(self.models, self._plan.states, strict=True)
        ]

    def _memory(self, state: Any) -> dict[str, Any]:
        return {v.name: getattr(state, v.name) for v in gathered(self.models, self._plan.slow)}

    def _joined(self, parts: list[Any], memory: dict[str, Any]) -> Any:
        values = {
            joint: getattr(part, own)
            for part, names in zip(parts, self._plan.states, strict=True)
            for own, joint in names.items()
        }
        return self._plan.State(**values, **memory)

    def _modulated(self, t: Any, parts: list[Any], parameters: Any) -> list[Any]:
        """Each model's own parameters, as the wires set or scale them."""
        own = [self._own(i, parameters) for i in range(len(self.models))]
        for source, observable, target, name, wire in self._plan.modulations:
            when = t * (self.clock.unit / self.models[source].clock.unit)
            value = wire.factor * self.models[source].observe(when, parts[source], own[source])[observable]
            if wire.scales:
                value = value * getattr(own[target], name)
            own[target] = dataclasses.replace(own[target], **{name: value})
        return own

    def _seen(self, t: Any, parts: list[Any], own: list[Any]) -> list[dict[str, Number]]:
        return [
            model.observe(t * (self.clock.unit / model.clock.unit), part, p)
            for model, part, p in zip(self.models, parts, own, strict=True)
        ]

    def _fed(self, i: int, inputs: Inputs, seen: list[dict[str, Number]]) -> dict[str, Number]:
        """The inputs of model ``i``, amounts per unit of the fast time."""
        fed = {}
        for one in self.models[i].accepts:
            feed = self._plan.feeds.get((i, one.quantity))
            if feed is None:
                fed[one.quantity] = inputs[one.quantity]
                continue
            source, name, is_input, wire = feed
            value = self._fed(source, inputs, seen)[name] if is_input else seen[source][name]
            fed[one.quantity] = wire.factor * value
        return fed

    def _lifted(self, i: int, ledger: Ledger) -> Ledger:
        def amount(state: Any, parameters: Any) -> Array:
            parts = self._parts(state)
            return ledger.amount(parts[i], self._modulated(jnp.zeros(()), parts, parameters)[i])

        def flow(state: Any, parameters: Any, inputs: Inputs) -> Array:
            parts = self._parts(state)
            own = self._modulated(jnp.zeros(()), parts, parameters)
            return ledger.flow(parts[i], own[i], self._fed(i, inputs, self._seen(jnp.zeros(()), parts, own)))

        return dataclasses.replace(ledger, amount=amount, flow=flow)

    def _handed_over(self, i: int, quantity: str) -> Ledger:
        label = f"{self.models[i].name}_{quantity}"

        def flow(state: Any, parameters: Any, inputs: Inputs) -> Array:
            parts = self._parts(state)
            own = self._modulated(jnp.zeros(()), parts, parameters)
            return self._fed(i, inputs, self._seen(jnp.zeros(()), parts, own))[quantity]

        return Ledger(
            name=f"{quantity} on its way to {self.models[i].name}",
            unit=registry.get(quantity).unit,
            amount=lambda s, p: getattr(s, f"{label}_pending") + getattr(s, f"{label}_delivered"),
            flow=flow,
        )


def exchange_error(
    coupled: Coupled, parameters: Any, inputs: Inputs, *, state: Any = None, every: int = 1
) -> dict[str, float]:
    """Greatest change of each observable when slower models exchange twice as often: the error that holding them makes."""
    halved = Coupled(coupled.models, coupled.wires, coupled.exchange / 2)

    @eqx.filter_jit
    def run(model: Coupled, start: Any) -> dict[str, Array]:
        return simulate(model, start, parameters, inputs, every=every)[1]

    start = coupled.initial(parameters) if state is None else state
    once, twice = run(coupled, start), run(halved, start)
    return {name: float(np.abs(np.asarray(once[name]) - np.asarray(twice[name])).max()) for name in once}
