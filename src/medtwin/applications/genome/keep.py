"""A polygenic score as facts: its sum, and its coverage in the same group. The raw bytes say what it was computed from."""

from __future__ import annotations

from datetime import datetime

import msgspec

from medtwin.governance.grant import Grant
from medtwin.record import Event, Moment, Source, SourcePatient
from medtwin.record.event import Basis, Flag
from medtwin.record.store import Store
from medtwin.sources.polygenic_file import Score
from medtwin.sources.polygenic_score import RAW, Result

SYSTEM, DIALECT = "medtwin-polygenic-score", "medtwin-polygenic-score/1"


def keep(
    store: Store,
    grant: Grant,
    patient: str,
    score: Score,
    found: Result,
    *,
    file: str,
    date: Moment | None,
    now: datetime,
) -> list[Event]:
    """Keep the bytes of a computed score under the patient's key; the two facts, to be appended.

    ``date`` is that of the VCF; where it states none, the facts stand at ``now`` and are flagged so.
    """
    owner = SourcePatient(SYSTEM, patient)
    said = {"dialect": DIALECT, "file": file, "score": score.digest, "rule": RAW, "result": found}
    kept = store.keep_raw(
        msgspec.json.encode(said),
        owner,
        grant,
        media_type="application/json",
        file="polygenic-score.json",
        source=SYSTEM,
    )
    store.link(owner, patient, grant)
    time = date or Moment.of(now.replace(microsecond=0))
    flags: tuple[Flag, ...] = () if date else (Flag.TIME_ASSUMED,)
    if not time.offset_known:
        flags = (*flags, Flag.OFFSET_UNKNOWN)
    source = Source(system=SYSTEM, dialect=DIALECT, raw=kept.hash, locator="result", file=file)
    stamp = date.text if date else "undated"
    return [
        Event(
            subject=owner, quantity=quantity, value=value, text=text, unit_text=unit, time=time, available=max(now, time.latest),
            key=f"{quantity}|{found.id}|{score.digest}|{stamp}", group=found.id, source=source, basis=Basis.DERIVED, flags=flags,
        )
        for quantity, value, text, unit in (
            ("polygenic_score", found.sum, f"{found.sum:.6g} ({found.id}, raw sum)", "1"),
            ("polygenic_score_coverage", 100 * found.coverage, f"{found.used} of {found.variants} variants", "%"),
        )
    ]  # fmt: skip
