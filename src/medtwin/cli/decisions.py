"""Decisions and what came of them."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from medtwin.cli.common import Home, Json, PatientId, command, emit, is_synthetic, note, opened, table, titled
from medtwin.cli.people import unit_shown


def register(app: typer.Typer) -> None:
    command(app, decisions, "medtwin decisions anna", "medtwin decisions anna --json")


def decisions(patient: PatientId, home: Home = None, as_json: Json = False) -> None:
    """List decisions: what was suggested, what was decided, what happened, how far it surprised the twin.

    A decision is kept by `medtwin what-if ... --decide accepted` or on the page. What was promised stays as it was shown. An
    outcome counts where the record shows that the decision was carried out and nothing else was given; of each one reading,
    that nearest two hours, counts.
    """
    from medtwin.applications.decisions.decision import decisions as found_in
    from medtwin.applications.decisions.outcome import kept, outcome

    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        synthetic = is_synthetic(store, grant, patient)
        found = [outcome(record, one, datetime.now(UTC)) for one in found_in(store, grant, record)]
    held = kept(found)
    if as_json:
        emit("decisions", {
            "patient": patient, "synthetic": synthetic, "research_only": True, "decisions": found,
            "kept": {"decisions": held.decisions, "counted": held.counted, "inside": held.inside, "interval": held.interval},
        })  # fmt: skip
        return
    titled(patient, synthetic)
    rows = []
    for one in found:
        near, told = one.counted, ""
        if near is not None:
            unit = unit_shown(one.decision.quantity)
            told = f"{near.value:.0f} of {near.lower:.0f} to {near.upper:.0f} {unit}, place {near.place:.2f}"
        because = f" ({one.decision.because})" if one.decision.because else ""
        rows.append((
            f"{one.decision.decided_at:%Y-%m-%d %H:%M}", one.decision.question, f"{one.decision.verdict}{because}",
            f"{one.carried}: {one.why}", told, "" if one.inside is None else f"{one.inside:.0%}",
        ))  # fmt: skip
    head = ("decided (UTC)", "question", "verdict", "what happened", "after 2 h", "in 90 %")
    table("Decisions", head, rows, right=(5,))
    if held.interval is not None:
        low, high = held.interval
        typer.echo(
            f"{held.inside} of {held.counted} counted outcomes within the promised 90 % (exact 95 % interval of the share: "
            f"{low:.0%} to {high:.0%})."
        )
    note("research output, no treatment decision")
