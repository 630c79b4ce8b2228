"""What a reader must be told, each in one sentence: differences, faults, hints, and the trial's distance from its target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medtwin.trials.fair.compare import Comparison, Heterogeneity, holm
from medtwin.trials.fair.decision import DecisionCurve
from medtwin.trials.fair.groups import EVERYBODY
from medtwin.trials.fair.number import Number, reach
from medtwin.trials.fair.overlap import Representativeness
from medtwin.trials.fair.rules import Rules

#: Standardised difference, stability index, index of generalisability and share out of reach from which a sentence is due:
#: customs (Austin 2009; credit scoring, without a published ground; Tipton 2014), not tests.
SMD_LIMIT, PSI_LIMIT, INDEX_LIMIT, REACH_LIMIT = 0.1, 0.25, 0.8, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Three families hold the level of the rules: differences, faults of everybody, faults of groups. A ``hint`` holds the
    false discovery rate only; the other kinds describe.
    """

    kind: str  #: difference | fault | hint | benefit | decision | representation
    column: str
    level: str
    name: str
    words: str
    p_value: float | None = None  #: adjusted as the kind says; none: a description, not a test


def differences(tests: Sequence[Heterogeneity], comparisons: Sequence[Comparison], rules: Rules) -> tuple[Flag, ...]:
    """Flags of comparisons, and hints."""
    open_to = {(test.column, test.name) for test in tests if test.p_holm <= rules.alpha}
    flags = []
    for one in comparisons:
        if (one.column, one.name) in open_to and one.p_holm <= rules.alpha:
            flags.append(Flag(
                kind="difference", column=one.column, level=one.level, name=one.name, p_value=one.p_holm,
                words=f"{one.name} of {label(one.column, one.level)} ({one.value:.3g}) differs from {one.others}:"
                f" p {one.p_holm:.2g} after Holm over {len(comparisons)} comparisons",
            ))  # fmt: skip
        elif one.p_false_discovery <= rules.alpha:
            flags.append(Flag(
                kind="hint", column=one.column, level=one.level, name=one.name, p_value=one.p_false_discovery,
                words=f"{one.name} of {label(one.column, one.level)} ({one.value:.3g}) may differ from {one.others}:"
                f" false discovery p {one.p_false_discovery:.2g}, not below {rules.alpha:g} family-wise",
            ))  # fmt: skip
    return tuple(flags)


def faults(numbers: Sequence[tuple[str, str, Number]], rules: Rules) -> tuple[Flag, ...]:
    """Figures away from their ideal among ``rules.ideal``: Holm over those of everybody, and over those of all groups."""
    everybody = [one for one in numbers if one[0] == EVERYBODY]
    others = [one for one in numbers if one[0] != EVERYBODY]
    return (*_faults(everybody, rules), *_faults(others, rules))


def _faults(numbers: Sequence[tuple[str, str, Number]], rules: Rules) -> tuple[Flag, ...]:
    tested = [
        (column, level, number, number.p_value, number.ideal) for column, level, number in numbers
        if number.p_value is not None and number.ideal is not None and number.name.startswith(rules.ideal)
    ]  # fmt: skip
    adjusted = holm([p for *_, p, _ideal in tested]) if tested else ()
    return tuple(
        Flag(
            kind="fault", column=column, level=level, name=number.name, p_value=p,
            words=f"{number.name} of {label(column, level)} is {number.value:.3g} ({number.low:.3g} to {number.high:.3g}),"
            f" ideal {ideal:g}: p {p:.2g} after Holm over {len(tested)} figures",
        )
        for (column, level, number, _, ideal), p in zip(tested, adjusted, strict=True) if p <= rules.alpha
    )  # fmt: skip


def benefits(numbers: Sequence[tuple[str, str, Number]], power: float = 0.8) -> tuple[Flag, ...]:
    """Groups in which no benefit is shown although there is one over all: power would be bought from the others.

    Only groups large enough to show the benefit over all with this ``power``: of a smaller one nothing follows.
    """
    flags = []
    for name in ("partial correlation beyond baseline", "correlation"):
        held = [(column, level, number) for column, level, number in numbers if number.name == name]
        over_all = next((number for column, _, number in held if column == EVERYBODY), None)
        if over_all is None:
            continue
        needed = reach(0.95) + reach(2.0 * power - 1.0)  # standard errors from 0
        flags += [
            Flag(kind="benefit", column=column, level=level, name=name,
                 words=f"no benefit of the score shown in {label(column, level)}: {name} {number.value:.2f}"
                 f" ({number.low:.2f} to {number.high:.2f}), {over_all.value:.2f} over all, which a group of this size shows in"
                 f" {power:.0%} of trials or more")
            for column, level, number in held
            if over_all.low > 0.0 and column != EVERYBODY and number.low <= 0.0
            and (over_all.scaled or 0.0) >= needed * (number.scaled_error or math.inf)
        ]  # fmt: skip
        break
    return tuple(flags)


def decisions(curves: Sequence[DecisionCurve], thresholds: Sequence[float]) -> tuple[Flag, ...]:
    """Groups for whom a stated threshold is worth less than treating all, or none."""
    flags = []
    for curve in curves:
        for t, model, everybody in zip(curve.thresholds, curve.model, curve.treat_all, strict=True):
            if t in thresholds and model < max(everybody, 0.0):
                better = "everybody" if everybody > 0.0 else "nobody"
                flags.append(Flag(
                    kind="decision", column=curve.column, level=curve.level, name=f"net benefit at {t:g}",
                    words=f"at {t:g} acting on the score is worth {model:.3g} for {label(curve.column, curve.level)}, less than"
                    f" acting on {better} ({max(everybody, 0.0):.3g})",
                ))  # fmt: skip
    return tuple(flags)


def representation(found: Representativeness) -> tuple[Flag, ...]:
    """Covariates away from the target, little overlap."""
    flags = []

    def say(name: str, words: str) -> None:
        flags.append(Flag(kind="representation", column=EVERYBODY, level=EVERYBODY, name=name, words=words))

    for row in found.rows:
        if row.smd is not None and abs(row.smd.value) > SMD_LIMIT:
            say(row.name, f"{row.name} is {row.trial:.3g} in the trial and {row.target:.3g} in the target: {row.smd.value:+.2f}"
                f" standard deviations ({row.smd.low:+.2f} to {row.smd.high:+.2f})")  # fmt: skip
        if row.smd is None and row.trial != row.target:
            say(row.name, f"{row.name} does not vary: {row.trial:.3g} in the trial, {row.target:.3g} in the target")
        if row.psi is not None and row.psi > PSI_LIMIT:
            say(
                row.name, f"the distribution behind {row.name} differs from the target's: stability index {row.psi:.2f}"
            )
    if found.generalisability is not None and found.generalisability < INDEX_LIMIT:
        say("generalisability", f"generalisability index {found.generalisability:.2f}, below {INDEX_LIMIT:g}")
    if found.target_within_reach is not None and found.target_within_reach < REACH_LIMIT:
        say("overlap", f"{1.0 - found.target_within_reach:.0%} of the target are unlike anybody in the trial")
    for note in found.notes:
        if note.startswith(("no weights reach", "no probability of being in the trial: found")):
            say("overlap", note)
    return tuple(flags)


def label(column: str, level: str) -> str:
    """A group in words."""
    return "everybody" if column == EVERYBODY else level if " x " in column else f"{column} {level}"
