"""Checks of what a model says of itself, without running it (but for one look at what it observes)."""

from __future__ import annotations

import inspect
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np

from medtwin.errors import UnitError
from medtwin.physiology.balance import exponents
from medtwin.physiology.check_result import Outcome, Result, listed
from medtwin.physiology.model import Model, Variable, parameters_at, variables
from medtwin.physiology.prior import Fixed
from medtwin.quantities import registry

#: The outline of every model's docstring, in this order.
HEADINGS = ("Drawing", "Equations", "Parameters", "Assumptions", "Outputs", "References")


def paper(model: Model) -> str:
    """The docstring that is the model's paper: of its class, or of the module that it stands in."""
    own = inspect.cleandoc(type(model).__doc__ or "")
    if _headings(own):
        return own
    return inspect.cleandoc(sys.modules[type(model).__module__].__doc__ or "")


def _headings(text: str) -> list[str]:
    return re.findall(r"^(\w[^\n]*)\n-{3,}$", text, flags=re.MULTILINE)


def docstring(model: Model) -> Outcome:
    """All headings, in order, each with text under it; every reference key is named."""
    text = paper(model)
    found = _headings(text)
    sections = re.split(r"^\w[^\n]*\n-{3,}$", text, flags=re.MULTILINE)[1:]
    empty = [name for name, body in zip(found, sections, strict=True) if not body.strip()]
    missing = [name for name in HEADINGS if name not in found]
    papers = "\n".join([text, *[paper(member) for member in getattr(model, "models", ())]])  # of coupled models
    unnamed = [reference.key for reference in model.references if reference.key not in papers]
    ordered = [name for name in found if name in HEADINGS] == [name for name in HEADINGS if name in found]
    faults = [f"no heading {name}" for name in missing] + [f"nothing under {name}" for name in empty]
    faults += [f"reference {key} not named" for key in unnamed] + ([] if ordered else ["another order"])
    have = len(HEADINGS) - len(missing)
    return Result(f"{have} headings", ", ".join(HEADINGS), listed(faults)), not faults


def declarations(model: Model) -> Outcome:
    """Unit and meaning of each variable; prior and source of each parameter."""
    faults = []
    parameters, states = variables(model.Parameters), variables(model.State)
    for variable in (*parameters, *states):
        faults += [f"{variable.name} has no {part}" for part in ("unit", "meaning") if not getattr(variable, part)]
        if variable.scale <= 0:
            faults.append(f"{variable.name} has no positive scale")
    for variable in parameters:
        faults += [f"{variable.name} has no source"] if not variable.source.strip() else []
        faults += [f"{variable.name} has no prior"] if variable.prior is None else []
    return Result(f"{len(parameters)} parameters, {len(states)} states", "all declared", listed(faults)), not faults


def units_readable(model: Model) -> Outcome:
    """Each declared unit, of variables and of the quantities that are accepted and observed."""
    named = [(variable.name, variable.unit) for variable in (*variables(model.Parameters), *variables(model.State))]
    named += [(name, registry.get(name).unit) for name in _quantities(model) if registry.find(name)]
    faults = []
    for name, unit in named:
        try:
            exponents(unit)
        except UnitError:
            faults.append(f"{name}: {unit!r}")
    return Result(f"{len(named) - len(faults)} of {len(named)} units", "all", listed(faults)), not faults


def _quantities(model: Model) -> list[str]:
    return [accepted.quantity for accepted in model.accepts] + list(model.observes)


def contract(model: Model) -> Outcome:
    """Names that a model uses are names of something, and its joint prior is one."""
    parameters: dict[str, Variable] = {v.name: v for v in variables(model.Parameters)}
    states = {v.name for v in variables(model.State)}
    faults = [f"unknown quantity {name}" for name in _quantities(model) if registry.find(name) is None]
    for accepted in model.accepts:
        faults += [
            f"{accepted.quantity} enters {name}, which is no state" for name in accepted.states if name not in states
        ]
        if (len(accepted.states) > 1) != (accepted.shares is not None):
            faults.append(f"{accepted.quantity}: several states that it enters and their shares go together")
        if accepted.divided_by is not None and accepted.divided_by not in parameters:
            faults.append(f"{accepted.quantity} is divided by {accepted.divided_by}, which is no parameter")
    faults += [f"inferred {name} is no parameter" for name in model.inferred if name not in parameters]
    faults += [f"bookkeeping {name} is no state" for name in model.bookkeeping if name not in states]
    faults += [
        f"inferred {name} is fixed"
        for name in model.inferred
        if name in parameters and isinstance(parameters[name].prior, Fixed)
    ]
    faults += _joint_prior(model, parameters)
    if not faults:
        at = parameters_at(model, {})
        start = model.initial(at)
        seen = set(model.observe(jnp.asarray(0.0), start, at))
        if seen != set(model.observes):
            faults.append(f"observe() returns {sorted(seen)}, declared are {sorted(model.observes)}")
        if set(model.resting(at)) != {accepted.quantity for accepted in model.accepts}:
            faults.append("resting() does not return each accepted quantity")
        faults += [
            f"initial() returns a {type(leaf).__name__}, not an array"
            for leaf in jax.tree.leaves(start)
            if not isinstance(leaf, jax.Array)
        ]
    return Result(f"{len(faults)} faults", "0", listed(faults)), not faults


def _joint_prior(model: Model, parameters: dict[str, Variable]) -> list[str]:
    names = list(parameters)
    faults = [
        f"correlation of {name}, which is no parameter"
        for pair in model.correlations
        for name in pair[:2]
        if name not in names
    ]
    if faults or not model.correlations:
        return faults
    matrix = np.eye(len(names))
    for a, b, rho in model.correlations:
        i, j = names.index(a), names.index(b)
        matrix[i, j] = matrix[j, i] = rho
    return [] if np.linalg.eigvalsh(matrix).min() > 0 else ["correlations that no joint prior can have"]
