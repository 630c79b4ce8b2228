"""What the record knows of a person, for the road."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from medtwin.applications.metabolic_road.members import Person
from medtwin.applications.metabolic_road.plan import DRUGS, INCRETINS, Dose
from medtwin.errors import AnalysisError
from medtwin.physiology.metabolism import metabolism
from medtwin.record import Basis, Intent, Record
from medtwin.twin.choice import INSULIN, TYPE_1, diagnosed
from medtwin.twin.covariates import known

HBA1C_WITHIN, SENSOR_WITHIN, DOSES_WITHIN = timedelta(days=120), timedelta(days=28), timedelta(days=28)
INSULIN_WITHIN = timedelta(days=90)
LEAST_READINGS = 1000  #: of a sensor, about four days at five minutes


def person(record: Record, now: datetime, taking: dict[str, Dose]) -> tuple[Person, dict[str, Dose]]:
    """As known now, and what is taken: as stated in ``taking``, else the recorded doses of four weeks.

    Raises :class:`AnalysisError` where no weight is known, with type 1 diabetes, and where insulin is injected.
    """
    if diagnosed(record, TYPE_1, now):
        raise AnalysisError(
            "type 1 diabetes in the record", expected="an adult with type 2 diabetes", where=f"patient {record.patient}",
            remedy="the road has no model of type 1 diabetes",
        )  # fmt: skip
    if any(e.instant <= now for e in record.of(*INSULIN, since=now - INSULIN_WITHIN)):
        raise AnalysisError(
            f"insulin within {INSULIN_WITHIN.days} days", expected="a person who injects none",
            where=f"patient {record.patient}", remedy="the road has no insulin in it: its HbA1c would be that of another person",
        )  # fmt: skip
    held = {
        name: [
            (e.instant, float(e.value))
            for e in record.of(name, until=now)
            if isinstance(e.value, float) and e.basis is Basis.OBSERVED and e.intent is Intent.HAPPENED
        ]
        for name in ("body_weight", "hba1c", "glucose", *DRUGS)
    }
    if not held["body_weight"]:
        raise AnalysisError("no body weight", remedy="state one: medtwin state PATIENT body_weight '98 kg'")
    found = dict(taking)
    for name in DRUGS:
        doses = [value for when, value in held[name] if when > now - DOSES_WITHIN]
        if doses and name not in found:
            days = 7 if name in INCRETINS else 1
            found[name] = Dose(drug=name, amount=sum(doses) / DOSES_WITHIN.days * days, days=days)
    labs = [value for when, value in held["hba1c"] if when > now - HBA1C_WITHIN]
    sensor = [value for when, value in held["glucose"] if when > now - SENSOR_WITHIN]
    covariates = known(metabolism(), record)(now)
    made = Person(
        weight=held["body_weight"][-1][1],
        hba1c=labs[-1] if labs else None,
        sensor_mean=float(np.mean(sensor)) if len(sensor) >= LEAST_READINGS else None,
        covariates=covariates,
        daily={name: one.daily for name, one in found.items()},
    )
    return made, found
