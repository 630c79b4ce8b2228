"""A synthetic person's told facts as the files that a real person's data comes in.

Each fact that could be known by ``person.now`` goes into exactly one file, as it does in life: a pump's log comes with
the clinic's FHIR, a sensor's with its maker's CSV, a watch's with the phone's export. ``files`` decides which by the
kind of person; ``write`` puts them into a folder. Nothing of the truth is written. ``PLAN`` says what goes where.
"""

from __future__ import annotations

from pathlib import Path

from medtwin.worlds.export import apple_health, clarity, fhir, libreview, open_mhealth, table
from medtwin.worlds.facts import Fact, Person

# file name -> (source, quantity) pairs; "*" takes every quantity of that source
PLAN: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "type_1": {
        "clinic.fhir.json": (("clinic", "*"), ("pump", "*"), ("cuff", "*"), ("scale", "*")),
        "dexcom_clarity.csv": (("cgm", "*"), ("diary", "*")),
        "apple_health_export.xml": (("watch", "*"),),
    },
    "type_1_unannounced": {
        "clinic.fhir.json": (("clinic", "*"), ("pump", "insulin_basal_rate")),
        "dexcom_clarity.csv": (("cgm", "*"), ("diary", "*"), ("pump", "insulin_bolus")),
        "apple_health_export.xml": (("watch", "*"), ("scale", "*")),
        "open_mhealth.json": (("cuff", "*"),),
    },
    "heart_failure": {
        "clinic.fhir.json": (("clinic", "*"),),
        "open_mhealth.json": (("cuff", "*"), ("scale", "*")),
        "apple_health_export.xml": (("watch", "*"),),
    },
    "type_2": {
        "clinic.fhir.json": (("clinic", "*"),),
        "libreview.csv": (("cgm", "*"),),
        "home_readings.csv": (("cuff", "*"), ("scale", "*")),
    },
}
PLAN["no_diabetes"] = PLAN["type_2"]
PLAN["type_2_logging"] = {**PLAN["type_2"], "libreview.csv": (("cgm", "*"), ("diary", "*"))}


def chosen(person: Person, name: str) -> tuple[Fact, ...]:
    """The told facts that go into the file ``name``, by time."""
    wanted = PLAN[person.kind][name]
    return tuple(f for f in person.told() if any(f.source == s and q in ("*", f.quantity) for s, q in wanted))


def files(person: Person) -> dict[str, bytes]:
    """File name -> bytes of everything told by ``person.now``; a CSV of one's own comes with its mapping file."""
    out: dict[str, bytes] = {}
    for name in PLAN[person.kind]:
        facts = chosen(person, name)
        if name.endswith(".fhir.json"):
            out[name] = fhir.write(person, facts)
        elif name == "dexcom_clarity.csv":
            out[name] = clarity.write(person, facts)
        elif name == "libreview.csv":
            out[name] = libreview.write(person, facts)
        elif name.endswith(".xml"):
            out[name] = apple_health.write(person, facts)
        elif name == "open_mhealth.json":
            out[name] = open_mhealth.write(person, facts)
        else:
            out[name] = table.write(person, facts)
            out[name.replace(".csv", ".mapping.yaml")] = table.mapping(person)
    return out


def write(person: Person, folder: Path) -> list[Path]:
    """Write ``files`` into ``folder`` (made if missing) and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in files(person).items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    return paths


__all__ = ["PLAN", "chosen", "files", "write"]
