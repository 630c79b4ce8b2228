"""Wires between models, and what follows from them: joint names, joint types, who feeds whom. See ``coupled``."""

from __future__ import annotations

import dataclasses
import types
from functools import lru_cache
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from medtwin.errors import ModelError
from medtwin.physiology.balance import exponents
from medtwin.physiology.model import Model, Variable, parameter, state, variables
from medtwin.quantities import Kind, registry

Number = Float[Array, "..."]
_TIME = {1.0: "s", 60.0: "min", 3600.0: "h", 86400.0: "d"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """From ``model.observable`` or ``model.input`` to ``model.input`` or ``model.parameter``, times ``factor``."""

    source: str
    target: str
    factor: float = 1.0
    unit: str = "1"  #: of the factor: source times unit has the target's dimensions
    scales: bool = False  #: the target parameter is multiplied rather than set


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows from models and wires, worked out once."""

    fast: tuple[int, ...]
    slow: tuple[int, ...]
    parameters: tuple[dict[str, str], ...]  #: of each model: own name -> joint name
    states: tuple[dict[str, str], ...]
    Parameters: type
    State: type
    modulations: tuple[tuple[int, str, int, str, Wire], ...]  #: source model, observable, target model, parameter
    feeds: dict[tuple[int, str], tuple[int, str, bool, Wire]]  #: (model, input) <- model, name, whether it is an input


def gathered(models: tuple[Model, ...], slow: tuple[int, ...]) -> list[Variable]:
    """The states that carry what is given to slower models between exchanges."""
    unit = min(model.clock.unit for model in models)
    time, found = _TIME[unit], []
    for i in slow:
        label = models[i].name
        period = models[i].clock.step * models[i].clock.unit / unit
        found.append(
            Variable(name=f"{label}_elapsed", unit=time, scale=period, meaning=f"Since {label} last exchanged")
        )
        for one in models[i].accepts:
            quantity = registry.get(one.quantity)
            of = quantity.unit if quantity.kind is Kind.AMOUNT else f"{quantity.unit}.{time}"
            for word, meaning in (("pending", "gathered for"), ("delivered", "handed over to")):
                name = f"{label}_{one.quantity}_{word}"
                found.append(
                    Variable(name=name, unit=of, scale=period, meaning=f"{quantity.meaning}, {meaning} {label}")
                )
    return found


def _unique(models: tuple[Model, ...], kind: str) -> tuple[dict[str, str], ...]:
    """Own name -> joint name, of each model's Parameters or State."""
    names = [[v.name for v in variables(getattr(model, kind))] for model in models]
    every = [name for own in names for name in own]
    return tuple(
        {name: name if every.count(name) == 1 else f"{model.name}_{name}" for name in own}
        for model, own in zip(models, names, strict=True)
    )


def _joint_type(label: str, declared: list[Variable]) -> type:
    """A class of fields with these declarations, as if it had been written out."""

    def body(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {variable.name: Number for variable in declared}
        namespace["__module__"] = __name__
        for v in declared:
            if v.prior is None:
                namespace[v.name] = state(unit=v.unit, meaning=v.meaning, scale=v.scale)
            else:
                namespace[v.name] = parameter(unit=v.unit, prior=v.prior, source=v.source, meaning=v.meaning)

    return types.new_class(label, (eqx.Module,), {}, body)


@lru_cache(maxsize=64)
def planned(models: tuple[Model, ...], wires: tuple[Wire, ...]) -> Plan:
    names = [model.name for model in models]
    seen = [name for model in models for name in model.observes]
    for label, found in (("model", names), ("observable", seen)):
        twice = sorted({name for name in found if found.count(name) > 1})
        if twice:
            raise ModelError(f"the {label} {twice[0]!r} twice among coupled models", expected="each once")
    units = [model.clock.unit for model in models]
    if min(units) not in _TIME:
        raise ModelError(f"a clock whose unit is {min(units)} s", expected=f"one of {sorted(_TIME)}")
    quick = tuple(i for i, unit in enumerate(units) if unit == min(units))
    fast = tuple(i for i in quick if type(models[i]).step is Model.step) or quick  # a stiff one keeps its own step
    slow = tuple(i for i in range(len(models)) if i not in fast)
    parameters, states = _unique(models, "Parameters"), _unique(models, "State")

    modulations, feeds = [], {}
    for wire in wires:
        source, from_name, from_unit, is_input = _source(models, names, wire)
        target, to_name = _end(names, wire.target, wire)
        declared = {v.name: v.unit for v in variables(models[target].Parameters)}
        accepted = {one.quantity for one in models[target].accepts}
        if to_name in accepted:
            to_unit = registry.get(to_name).unit
            if is_input and registry.get(from_name).kind is not registry.get(to_name).kind:
                raise ModelError(
                    f"the wire {wire.source} -> {wire.target}", expected="an amount to an amount, a rate to a rate"
                )
            feeds[(target, to_name)] = (source, from_name, is_input, wire)
        elif to_name in declared and not is_input:
            to_unit = "1" if wire.scales else declared[to_name]
            modulations.append((source, from_name, target, to_name, wire))
        else:
            raise ModelError(f"the wire's target {wire.target!r}", expected="an input or a parameter of that model")
        if _product(from_unit, wire.unit) != exponents(to_unit):
            raise ModelError(
                f"the wire {wire.source} -> {wire.target} from {from_unit} by {wire.unit} to {to_unit}",
                expected="equal dimensions on both ends",
                remedy="state the unit of the factor",
            )
    joint = [
        dataclasses.replace(v, name=own[v.name])
        for model, own in zip(models, parameters, strict=True)
        for v in variables(model.Parameters)
    ]
    kept = [
        dataclasses.replace(v, name=own[v.name])
        for model, own in zip(models, states, strict=True)
        for v in variables(model.State)
    ]
    return Plan(
        fast=fast,
        slow=slow,
        parameters=parameters,
        states=states,
        Parameters=_joint_type("CoupledParameters", joint),
        State=_joint_type("CoupledState", [*kept, *gathered(models, slow)]),
        modulations=tuple(modulations),
        feeds=feeds,
    )


def _end(names: list[str], end: str, wire: Wire) -> tuple[int, str]:
    model, _, name = end.partition(".")
    if model not in names or not name:
        raise ModelError(
            f"the end {end!r} of the wire {wire.source} -> {wire.target}", expected=f"one of {names}, a dot, a name"
        )
    return names.index(model), name


def _source(models: tuple[Model, ...], names: list[str], wire: Wire) -> tuple[int, str, str, bool]:
    i, name = _end(names, wire.source, wire)
    if name in models[i].observes:
        return i, name, registry.get(name).unit, False
    if name in {one.quantity for one in models[i].accepts}:
        return i, name, registry.get(name).unit, True
    raise ModelError(f"the wire's source {wire.source!r}", expected="an observable or an input of that model")


def _product(a: str, b: str) -> dict[str, int]:
    found = dict(exponents(a))
    for base, power in exponents(b).items():
        found[base] = found.get(base, 0) + power
    return {base: power for base, power in found.items() if power}
