"""A drug as it is written: ``sacubitril/valsartan:200mg:bid``, ``nitroprusside:1.5ug/kg/min``.

A name, a dose with its unit, and how often; an infusion is a rate and has no frequency. A combination's dose is the sum of its
parts (``97/103mg`` is 200 mg). What is not understood is refused with what would be.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medtwin.errors import FormatError
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug

#: Times a day by the word for it.
OFTEN = {
    "qd": 1, "od": 1, "daily": 1, "once": 1, "once daily": 1, "qam": 1, "bid": 2, "bd": 2, "twice daily": 2, "tid": 3, "tds": 3,
    "three times daily": 3, "qid": 4, "qds": 4,
}  # fmt: skip
_MASS = {"g": 1000.0, "mg": 1.0, "ug": 1e-3, "mcg": 1e-3, "µg": 1e-3, "μg": 1e-3}
_DOSE = re.compile(r"^([0-9.]+(?:/[0-9.]+)*)\s*([a-zµμ]+)((?:/(?:kg|min))*)$")
#: Questions that are no drugs of this list, and why they are not answered.
NOT_ASKED = {
    "crt": "resynchronisation needs walls of the heart that move apart; this circulation has none",
    "lbbb": "bundle branch block needs walls of the heart that move apart; this circulation has none",
    "lvad": "an assist device is no drug, and its pump is not in this circulation",
    "impella": "an assist device is no drug, and its pump is not in this circulation",
    "ecmo": "an assist device is no drug, and its pump is not in this circulation",
    "pacemaker": "pacing is not in this circulation",
    "infarct": "an infarction needs walls of the heart; this circulation has none",
    "amiodarone": "rhythm is not in this circulation: a regular beat is assumed",
    "norepinephrine": "shock is outside what this circulation answers",
    "vasopressin": "shock is outside what this circulation answers",
}


@dataclass(frozen=True, slots=True)
class Regimen:
    """A drug taken each day, or infused: ``dose`` in the agent's unit (mg/d or ug/kg/min)."""

    drug: Drug
    agent: Agent
    dose: float

    @property
    def share(self) -> float:
        """Of the agent's target dose."""
        return self.dose / self.agent.target

    @property
    def longest_days(self) -> float:
        """How long it was studied, days."""
        return self.agent.longest_days or self.drug.longest_days

    @property
    def words(self) -> str:
        """As people say it."""
        return f"{self.agent.name} {self.dose:g} {self.agent.unit}"


def agents() -> dict[str, tuple[Drug, Agent]]:
    """Every name by which an agent is known."""
    return {
        name: (drug, agent)
        for drug in DRUGS.values()
        for agent in drug.agents
        for name in (agent.name, agent.name.replace(" ", "-"), *agent.other_names)
    }


def parse(text: str) -> Regimen:
    """The regimen that ``text`` states. Raises FormatError with what was found, what is understood, and what to write."""
    parts = [part.strip().lower() for part in text.split(":")]
    example = "expected such as carvedilol:25mg:bid, or nitroprusside:1.5ug/kg/min"
    name = parts[0]
    refused = next((why for key, why in NOT_ASKED.items() if key in name), None)
    if refused is not None:
        raise FormatError(f"{parts[0][:40]!r}: {refused}", expected=f"one of {_known()}", where=text[:60])
    found = agents().get(name) or agents().get(_same_parts(name))
    if found is None:
        near = difflib.get_close_matches(name, agents(), n=1)
        raise FormatError(
            f"the drug {name[:40]!r}", expected=f"one of {_known()}", where=text[:60],
            remedy=f"was {near[0]} meant?" if near else "use its generic name",
        )  # fmt: skip
    drug, agent = found
    if len(parts) < 2 or not (read := _DOSE.match(parts[1].replace("\u00a0", ""))):
        raise FormatError(
            f"{parts[1][:30]!r} as a dose" if len(parts) > 1 else "no dose", expected=example, where=text[:60]
        )
    numbers, mass, per = read.groups()
    if "/" in numbers and "/" not in agent.name:
        raise FormatError(
            f"a dose in parts, {parts[1][:30]!r}, of {agent.name}",
            expected="one dose: only a combination has parts",
            where=text[:60],
        )
    try:
        amount = sum(float(number) for number in numbers.split("/"))
    except ValueError:
        raise FormatError(f"{parts[1][:30]!r} as a dose", expected=example, where=text[:60]) from None
    if mass not in _MASS:
        raise FormatError(f"the unit {mass[:10]!r}", expected="mg, ug, mcg or g", where=text[:60])
    if agent.infused:
        dose = _rate(amount, mass, per, agent, parts, text)
    else:
        if per or len(parts) != 3 or parts[2] not in OFTEN:
            said = parts[2][:20] if len(parts) > 2 else "no frequency"
            raise FormatError(
                f"{said!r} of {agent.name}", expected=f"how often: {', '.join(OFTEN)}", where=text[:60], remedy=example
            )
        dose = amount * _MASS[mass] * OFTEN[parts[2]]
    if dose and not agent.low * (1 - 1e-9) <= dose <= agent.high * (1 + 1e-9):
        raise FormatError(
            f"{dose:g} {agent.unit} of {agent.name}",
            expected=f"{agent.low:g} to {agent.high:g} {agent.unit}, what was studied", where=text[:60],
            remedy="nothing can be said beyond it",
        )  # fmt: skip
    return Regimen(drug, agent, dose)


def _rate(amount: float, mass: str, per: str, agent: Agent, parts: Sequence[str], text: str) -> float:
    if per != "/kg/min" or len(parts) > 2:
        raise FormatError(
            f"{parts[1][:30]!r} of {agent.name}, which is infused",
            expected=f"a rate such as {agent.target:g}ug/kg/min and no frequency",
            where=text[:60],
        )
    return amount * _MASS[mass] * 1000.0


def combination(texts: Iterable[str]) -> tuple[Regimen, ...]:
    """Several together, sorted by class: no class twice, none beside one that it excludes. Raises FormatError."""
    found = [parse(text) for text in texts]
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            if one.drug.name == other.drug.name:
                raise FormatError(
                    f"{one.agent.name} and {other.agent.name}, both of the class {one.drug.name}", expected="one of a class",
                    remedy="write one of them with the dose of both",
                )  # fmt: skip
            if other.drug.name in one.drug.excludes:
                raise FormatError(
                    f"{one.agent.name} with {other.agent.name}",
                    expected="one of an ACE inhibitor, a receptor blocker and sacubitril/valsartan",
                    remedy="they are not combined: angioedema, high potassium and kidney failure (labels; guideline)",
                )  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.drug.name))


def _same_parts(name: str) -> str:
    """A combination in any order."""
    wanted = frozenset(name.split("/"))
    return next((known for known in agents() if "/" in known and frozenset(known.split("/")) == wanted), name)


def _known() -> str:
    return ", ".join(sorted(agent.name for drug in DRUGS.values() for agent in drug.agents))
