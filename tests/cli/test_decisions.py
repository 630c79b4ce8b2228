"""decisions: the table states each value's own unit."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
from scipy.stats import norm

from medtwin.applications.decisions.decision import decide, facts
from medtwin.record import Event, Intent, Moment, Record, Source, SourcePatient
from medtwin.record.home import open_store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TIMES = tuple(NOW + timedelta(minutes=5 * n) for n in range(1, 49))


def fact(quantity, value, minutes, **more):
    time = NOW + timedelta(minutes=minutes)
    return Event(
        subject=SourcePatient("pump", "1"), quantity=quantity, value=value, time=Moment.of(time), available=time,
        key=f"{quantity}@{minutes}", source=Source("pump", "made/1", "raw", "line"), **more,
    )  # fmt: skip


def test_each_cell_has_the_unit_of_its_decision(run):
    done = [fact("insulin_bolus", 4.0, 10), fact("glucose", 150.0, 120), fact("ketone", 0.6, 120)]
    with open_store(run.home) as store:
        grant = store.issue_grant()
        store.link(SourcePatient("pump", "1"), "anna", grant)
        store.append(done, grant)
        for seconds, quantity, middle in ((0, "glucose", 140.0), (1, "ketone", 0.5)):
            one = SimpleNamespace(
                quantity=quantity, made_at=NOW, label="test", times=TIMES, withheld=None, physiological=True,
                at=lambda level, middle=middle: np.full(len(TIMES), middle * (1 + 0.1 * norm.ppf(level))),
            )  # fmt: skip
            made = decide(
                Record("anna", (), None), SimpleNamespace(baseline=one, scenario=one),
                [fact("insulin_bolus", 4.0, 10, intent=Intent.PLANNED)], "accepted", "tester", NOW + timedelta(seconds=seconds),
            )  # fmt: skip
            store.append(facts(store, grant, "anna", made), grant)
    assert len(run.json("decisions", "anna")["decisions"]) == 2
    said = " ".join(run("decisions", "anna").stdout.split())
    assert "mg/dL" in said
    assert "mmol/L" in said
