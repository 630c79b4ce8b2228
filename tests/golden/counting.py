"""Golden counts: how many facts of which quantity each sample file gives, so that "ingested" cannot mean "ignored".

    python tests/golden/counting.py            # show what differs from the committed counts
    python tests/golden/counting.py --write    # write them anew; check the difference by hand before you commit it

The samples are the real files beside the checkout (MEDTWIN_SHARED_DATA). The counts of the main series are checked a
second way, by the csv and json modules alone, in tests/sources/test_golden.py.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtwin.errors import FormatError
from medtwin.record.event import Event
from medtwin.sources import archives
from medtwin.sources.archives import Refused
from medtwin.sources.item import Intake, Origin, Reason
from medtwin.sources.mapping import Table, load
from medtwin.sources.recognise import recognise

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("MEDTWIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)

EXPECTED = "expected_fhir"  #: a folder of answers beside samples, not of samples
#: golden file to (folder of samples, mapping)
SAMPLES: dict[str, tuple[str, str | None]] = {
    "exports": ("metabolism/exports", None),
    "t1d_uom": ("metabolism/t1d_uom", "t1d_uom"),
    "bigideas": ("metabolism/bigideas", "bigideas"),
    "hall2018": ("metabolism/hall2018", "hall2018"),
    "shanghai_t2dm": ("metabolism/shanghai_t2dm", "shanghai_t2dm"),
    "fhir_r4_synthea": ("plumbing/fhir_r4_synthea", None),
    "fhir_r4_hl7_examples": ("plumbing/fhir_r4_hl7_examples", None),
    "fhir_us_core_examples": ("plumbing/fhir_us_core_examples", None),
    "openmhealth": ("plumbing/openmhealth", None),
    "ccda_hl7_examples": ("plumbing/ccda_hl7_examples", None),
    "ccda_ms_fhir_converter": ("plumbing/ccda_ms_fhir_converter", None),
    "ccda_sample_docs": ("plumbing/ccda_sample_docs", None),
    "hl7v2": ("plumbing/hl7v2_ms_fhir_converter", None),
    "fit": ("plumbing/fit_wearable", None),
    "vcf": ("plumbing/vcf_pharmcat", None),
}


def count(path: Path, name: str, tables: tuple[Table, ...]) -> dict[str, Any]:
    """One file: dialect, persons, facts by quantity, distinct facts, flags, unmapped by kind, quarantined by reason."""
    facts: dict[str, int] = {}
    flags: dict[str, int] = {}
    unmapped: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    ids: set[str] = set()
    persons: set[str] = set()
    dialect_name = None
    for payload in archives.walk(next(archives.files([path]))):
        if isinstance(payload, Refused):
            quarantined[payload.error.found] = quarantined.get(payload.error.found, 0) + 1
            continue
        intake = Intake(file=name, now=NOW, anonymous="nobody", tables=tables)
        dialect, _ = recognise(payload, intake)
        if dialect is None:
            quarantined["no dialect"] = quarantined.get("no dialect", 0) + 1
            continue
        dialect_name = dialect.name
        try:
            for part in dialect.parts(payload, intake):
                if part.named:
                    persons.add(part.owner.value)
                for item in part.read(Origin(raw="", file=name)):
                    if isinstance(item, Event):
                        facts[item.quantity] = facts.get(item.quantity, 0) + 1
                        ids.add(item.id)
                        for flag in item.flags:
                            flags[flag.value] = flags.get(flag.value, 0) + 1
                    elif isinstance(item, Reason):
                        quarantined[item.found] = quarantined.get(item.found, 0) + 1
                    else:
                        unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
        except FormatError as error:
            quarantined[error.found] = quarantined.get(error.found, 0) + 1
    found: dict[str, Any] = {"dialect": dialect_name, "persons": len(persons), "distinct": len(ids)}
    counted = {"facts": facts, "flags": flags, "unmapped": unmapped, "quarantined": quarantined}
    return found | {key: dict(sorted(value.items())) for key, value in counted.items() if value}


def counts(name: str, shared: Path = SHARED) -> dict[str, Any]:
    """All files of one sample folder."""
    folder, mapping = SAMPLES[name]
    tables = load(ROOT / "docs" / "mappings" / f"{mapping}.yaml") if mapping else ()
    files = sorted(path for path in (shared / folder).rglob("*") if path.is_file() and EXPECTED not in path.parts)
    return {str(path.relative_to(shared / folder)): count(path, path.name, tables) for path in files}


def golden(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def main() -> int:
    write = "--write" in sys.argv[1:]
    differs = 0
    for name in SAMPLES:
        found = counts(name)
        path = FOLDER / f"{name}.json"
        before = golden(name) if path.exists() else {}
        for file in sorted({*found, *before}):
            if found.get(file) != before.get(file):
                differs += 1
                print(f"{name}/{file}\n  committed {before.get(file)}\n  found     {found.get(file)}")
        if write:
            lines = [f"{json.dumps(file)}: {json.dumps(entry, ensure_ascii=False)}" for file, entry in found.items()]
            path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{differs} files differ" + (", written" if write else ""))
    return 0 if write else min(differs, 1)


if __name__ == "__main__":
    sys.exit(main())
