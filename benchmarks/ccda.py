"""C-CDA documents to facts against the mere parsing of their XML, the same whole documents, CPU time, in one run.

    python -m benchmarks.ccda [--json] [--documents FOLDER ...]

Gate: facts at least at half the rate (MB a CPU second) of the parser alone that we use, the standard library's. Where ``lxml`` is
installed its parsing is printed beside, with no gate: it is not a dependency.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.hl7v2 import best

GATES = {"ratio": 0.5}
SHARED = Path(os.environ.get("MEDTWIN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FOLDERS = tuple(SHARED / "plumbing" / name for name in ("ccda_ms_fhir_converter", "ccda_sample_docs"))
LEAST = 20_000  #: bytes: smaller ones are fragments


def measure(folders: list[Path], rounds: int = 9) -> dict[str, float]:
    from xml.etree.ElementTree import XMLParser

    from medtwin.record.event import Event
    from medtwin.sources.archives import Plain
    from medtwin.sources.ccda import Reader
    from medtwin.sources.item import Intake, Origin

    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    raw = [content for content in (path.read_bytes() for path in files) if len(content) >= LEAST]
    if not raw:
        raise SystemExit(f"no documents in {folders[0]}: set MEDTWIN_SHARED_DATA, or name folders with --documents")
    megabytes = sum(map(len, raw)) / 1e6
    intake = Intake(file="document", now=datetime(2026, 1, 1, tzinfo=UTC), anonymous="nobody")

    def alone() -> None:
        for content in raw:
            parser = XMLParser()
            parser.feed(content)
            parser.close()

    def facts() -> int:
        found = 0
        for content in raw:
            for part in Reader().parts(
                Plain("document", len(content), lambda content=content: io.BytesIO(content)), intake
            ):
                found += sum(isinstance(item, Event) for item in part.read(Origin(raw="", file="document")))
        return found

    number = facts()  # warm
    parse_s, facts_s = best(alone, rounds), best(facts, rounds)
    figures = {
        "documents": len(raw), "megabytes": megabytes, "facts": number, "parse_mb_per_cpu_s": megabytes / parse_s,
        "facts_mb_per_cpu_s": megabytes / facts_s, "documents_per_cpu_s": len(raw) / facts_s, "ratio": parse_s / facts_s,
    }  # fmt: skip
    try:
        from lxml import etree
    except ImportError:
        return figures
    figures["lxml_mb_per_cpu_s"] = megabytes / best(lambda: [etree.fromstring(content) for content in raw], rounds)
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--documents", type=Path, nargs="+", default=list(FOLDERS))
    options = parser.parse_args(arguments)
    figures = measure(options.documents)
    passed = figures["ratio"] >= GATES["ratio"]
    if options.json:
        print(json.dumps({"benchmark": "ccda", "figures": figures, "gates": GATES, "passed": passed}))
    else:
        print(f"{figures['documents']:.0f} documents, {figures['megabytes']:.2f} MB, {figures['facts']:.0f} facts")
        print(f"parsing alone      {figures['parse_mb_per_cpu_s']:8.1f} MB/CPU-s")
        print(
            f"to facts           {figures['facts_mb_per_cpu_s']:8.1f} MB/CPU-s, "
            f"{figures['documents_per_cpu_s']:,.0f} documents/CPU-s"
        )
        print(f"ratio              {figures['ratio']:8.2f}   gate >= {GATES['ratio']:g}")
        if "lxml_mb_per_cpu_s" in figures:
            print(f"lxml, parsing alone{figures['lxml_mb_per_cpu_s']:8.1f} MB/CPU-s (not a dependency)")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
