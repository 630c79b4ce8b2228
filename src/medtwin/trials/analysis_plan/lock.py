"""The lock: what was fixed before the outcomes were looked at, and where an analysis is not what was fixed.

``medtwin trial lock PLAN`` writes ``PLAN.lock.json`` (``dialect: medtwin-analysis-lock/1``): the plan's whole content with
its hash, the estimand in words, the hash of the frozen score, the hash of the data or their cut, the program's version, the
time. A lock is not written over; it is amended, with a reason, and keeps what it said before. ``sha256`` over the content
shows a change by accident or by hand; it is no signature: register it where others can see it (a protocol, a registry), and
they can tell a lock that was made anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.reports.save import write_whole
from medtwin.trials.analysis_plan.analysed import Amendment, Deviation
from medtwin.trials.analysis_plan.plan import AnalysisPlan, plain, plan_hash

DIALECT = "medtwin-analysis-lock/1"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Content of a lock file; every ``sha256`` in hexadecimal."""

    locked_at: str  #: ISO 8601, UTC
    version: str  #: of medtwin
    plan: dict[str, Any]
    plan_sha256: str
    estimand: str  #: in words; empty: the plan states none
    score_sha256: str = ""  #: of the frozen score's content
    data_sha256: str = ""  #: of the table's bytes; empty: there were no data yet
    data_rows: int = 0
    data_cut: str = ""  #: date
    reason: str = ""  #: of an amendment
    before: tuple[dict[str, Any], ...] = ()  #: earlier locks, the first first

    @property
    def sha256(self) -> str:
        """Of all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def lock(
    plan: AnalysisPlan, *, version: str, score_sha256: str = "", data_sha256: str = "", data_rows: int = 0,
    earlier: Lock | None = None, reason: str = "", now: dt.datetime | None = None,
) -> Lock:  # fmt: skip
    """Of a plan, as it stands now. ``earlier``: the lock that is amended, for a ``reason``."""
    if reason and len(reason.split()) < 3:
        raise AnalysisError(
            f"the reason {reason!r}", expected="a sentence that a reader of the report understands", where="lock"
        )
    if (earlier is None) != (not reason):
        raise AnalysisError("a lock that is there already" if earlier else "a reason without a lock to amend",
                            expected="a reason to amend it", where="lock", remedy="--amend 'why the plan changed'")  # fmt: skip
    before: tuple[dict[str, Any], ...] = ()
    if earlier is not None:
        before = (*earlier.before, {**asdict(replace(earlier, before=())), "sha256": earlier.sha256})
    return Lock(
        locked_at=(now or dt.datetime.now(dt.UTC)).replace(microsecond=0).isoformat(), version=version, plan=plain(plan),
        plan_sha256=plan_hash(plan), estimand=plan.estimand.text() if plan.estimand else "", score_sha256=score_sha256,
        data_sha256=data_sha256, data_rows=data_rows, data_cut=str(plan.data_cut or ""), reason=reason, before=before,
    )  # fmt: skip


def amendments(held: Lock) -> tuple[Amendment, ...]:
    """What took the place of what, and why."""
    every = [*held.before, asdict(held)]
    return tuple(
        Amendment(at=now["locked_at"], reason=now["reason"], changes=tuple(
            f"{path} was {_short(old)} and became {_short(new)}." for path, old, new in changes(was["plan"], now["plan"])
        ))
        for was, now in pairwise(every)
    )  # fmt: skip


def write_lock(held: Lock, path: Path) -> None:
    """Whole or not at all."""
    content = {"dialect": DIALECT, **asdict(held), "sha256": held.sha256}
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(), "a lock")


def read_lock(path: Path) -> tuple[Lock, bool]:
    """(the lock, whether its content is the one that its hash was made of). Raises where it is no lock."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written.pop("dialect") != DIALECT:
            raise ValueError("another dialect")
        stated = written.pop("sha256")
        held = msgspec.convert(written, Lock)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise AnalysisError(f"a file that is not a lock ({type(error).__name__})", where=path.name,
                            expected=f"what `medtwin trial lock` wrote, {DIALECT}") from error  # fmt: skip
    return held, stated == held.sha256


def deviations(
    held: Lock, *, whole: bool, plan: AnalysisPlan, version: str, score_sha256: str, data_sha256: str, late_rows: int,
    undated_rows: int = 0,
) -> tuple[Deviation, ...]:  # fmt: skip
    """Each difference between what was locked and what is analysed, a sentence each."""
    found: list[Deviation] = []

    def add(of: str, locked: Any, now: Any, words: str) -> None:
        found.append(Deviation(of=of, locked=str(locked), found=str(now), words=words))

    if not whole:
        add(
            "lock",
            held.sha256,
            "another content",
            "The lock file was changed after it was written: its hash does not fit.",
        )
    if held.plan_sha256 != plan_hash(plan):
        for path, was, now in changes(held.plan, plain(plan)):
            of = "estimand" if path.startswith("estimand") else "plan"
            add(of, was, now, f"{path} was locked as {_short(was)} and is {_short(now)}.")
        if not found or all(one.of == "lock" for one in found):
            add(
                "plan",
                held.plan_sha256,
                plan_hash(plan),
                "The plan is not the one that was locked: its hash is another.",
            )
    if held.score_sha256 and held.score_sha256 != score_sha256:
        add("score", held.score_sha256, score_sha256 or "none", "The prognostic score is not the one that was locked.")
    if held.data_sha256 and held.data_sha256 != data_sha256:
        add("data", held.data_sha256, data_sha256, "The data are not those that were locked.")
    for count, words in ((late_rows, "are dated after"), (undated_rows, "have no date to hold against")):
        if count:
            add("data", plan.data_cut, f"{count} rows", f"{count} rows {words} the data cut of {plan.data_cut}.")
    if held.version != version:
        add("program", held.version, version, f"Locked with medtwin {held.version}, analysed with {version}.")
    return tuple(found)


def changes(was: Any, now: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(path, was, now) of each leaf that differs; analyses are told apart by their names."""
    if isinstance(was, dict) and isinstance(now, dict):
        out = []
        for key in [*was, *(key for key in now if key not in was)]:
            out += changes(was.get(key), now.get(key), f"{path}.{key}" if path else str(key))
        return out
    if (
        isinstance(was, list)
        and isinstance(now, list)
        and all(isinstance(x, dict) and "name" in x for x in [*was, *now])
    ):
        names = [[x["name"] for x in side] for side in (was, now)]
        turned = sorted(names[0]) == sorted(names[1]) and names[0] != names[1]
        order: list[tuple[str, Any, Any]] = [(f"{path}, their order", names[0], names[1])] if turned else []
        return order + changes({x["name"]: x for x in was}, {x["name"]: x for x in now}, path)
    return [] if was == now and type(was) is type(now) else [(path, was, now)]


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "..."
