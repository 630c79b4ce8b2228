"""The shipped table of pharmacogenes, made from CPIC's allele definitions.

    python -m medtwin.sources.pharmacogene_tables DEFINITIONS --phenotypes FOLDER --report FILE

``DEFINITIONS`` holds ``GENE_translation.json.gz`` as PharmCAT carries them (source ClinPGx). ``--phenotypes`` is PharmCAT's
folder ``phenotype`` (functions of alleles, activity values, phenotypes of diplotypes), ``--report`` one of its example
reports, which names for each drug with a CPIC guideline the genes it is about. Without the latter two the definitions alone
are made anew and the rest stays as it is in the shipped file. What is read is CPIC's content, which is CC0-1.0
(cpicpgx.org/license).

In PharmCAT's files the phenotype follows from the functions of the two alleles alone: the command asserts it of every row, and
keeps one row for each pair of functions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).with_name("pharmacogenes.json")
GENES = ("CYP2C19", "CYP2C9", "CYP2D6", "SLCO1B1", "DPYD", "TPMT", "NUDT15", "VKORC1", "CYP3A5", "UGT1A1")
DIALECT = "medtwin-pharmacogenes/1"
COMMIT = "5431bf1187e50383df7e7db18ef67b36fc8b562e"
SOURCES = {
    "definitions": f"PharmGKB/PharmCAT {COMMIT[:7]}, definition/alleles: CPIC's allele definitions by ClinPGx",
    "phenotypes": f"PharmGKB/PharmCAT {COMMIT[:7]}, phenotype: CPIC's allele functionality and diplotype-phenotype tables",
    "cyp2d6": "PharmCAT's phenotype/CYP2D6.json of 2026-07-05 (read in the copy phonegor95/PharmCAT 1697910): CPIC's values",
    "cyp2d6-bands": f"PharmGKB/PharmCAT {COMMIT[:7]}, tests Cyp2d6Test and PipelineTest (0.25 to 1 intermediate, 1.25 normal), "
    "phenotype/CYP2D6.json (2 normal); 0 poor: Caudle 2020, Clin Transl Sci 13:116 (from memory)",
    "drugs": f"PharmGKB/PharmCAT {COMMIT[:7]}, docs/examples/pharmcat.example.report.json: CPIC guideline annotations",
}
#: activity score of two copies -> phenotype, for the gene whose table of diplotypes is too large to read
_BANDS = ((0.0, "Poor Metabolizer"), (1.0, "Intermediate Metabolizer"), (2.25, "Normal Metabolizer"))


def definitions(folder: Path, gene: str) -> dict[str, Any]:
    """Positions and alleles of one gene: what an allele does not name is left out, as the reference has it."""
    content = json.loads(gzip.decompress((folder / f"{gene}_translation.json.gz").read_bytes()))
    variants = content["variants"]
    reference = [allele for allele in content["namedAlleles"] if allele["reference"]]
    if len(reference) != 1 or not content["genomeBuild"].startswith("GRCh38"):
        raise SystemExit(
            f"{gene}: expected one reference allele and GRCh38, found {len(reference)}, {content['genomeBuild']}"
        )
    exempt = json.loads(gzip.decompress((folder / "exemptions.json.gz").read_bytes())).get(gene, {})
    if unread := [key for key in ("requiredPositions", "ignoredPositions", "ignoredAlleles") if exempt.get(key)]:
        raise SystemExit(f"{gene}: the exemptions state {unread}, which the caller does not know")
    extra = [[one["position"], one["rsid"] or "", one["ref"], one["alts"]] for one in exempt.get("extraPositions", [])]
    alleles = {}
    for allele in content["namedAlleles"]:
        if allele["structuralVariant"]:
            continue
        places = zip(variants, allele["alleles"], strict=True)
        alleles[allele["name"]] = {str(one["position"]): base for one, base in places if base is not None}
    return {
        "chromosome": content["chromosome"].removeprefix("chr"), "contig": content["refSeqChromosomeId"],
        "version": content["version"], "modified": content["modificationDate"][:10], "reference": reference[0]["name"],
        "positions": [[one["position"], one["rsid"] or "", one["ref"], one["alts"]] for one in variants], "alleles": alleles,
        "extra": extra,
        "wholes": content["suballelesMap"],
    }  # fmt: skip


def functions(folder: Path, gene: str, made: dict[str, Any]) -> dict[str, Any]:
    """Function and activity value of each defined allele, and the phenotype of each pair of functions."""
    content = json.loads((folder / f"{gene}.json").read_text(encoding="utf-8"))
    named = {one["name"]: (one["functionValue"], one["activityValue"]) for one in content.get("namedAlleles", [])}
    named = named or {name: (f"activity {value}", value) for name, value in content["activityValues"].items()}
    wholes = made["wholes"]
    pairs: dict[tuple[str, str], tuple[str, str | None]] = {}
    for one in content["diplotypes"]:
        names = [name for name, count in one["diplotypekey"].items() for _ in range(count)]
        key = tuple(sorted(_key(*named[name]) for name in names))
        said = (one["phenotype"], one["activityScore"])
        if pairs.setdefault((key[0], key[-1]), said) != said:
            raise SystemExit(f"{gene}: the functions {key} have several phenotypes")
    source = "phenotypes"
    if not pairs:
        source = "cyp2d6-bands"
        values = sorted({value for _, value in named.values() if value != "n/a"}, key=float)
        for one in values:
            for two in (value for value in values if float(value) >= float(one)):
                score = float(one) + float(two)
                phenotype = next(name for most, name in _BANDS if score <= most)
                key = tuple(sorted((f"activity {one}", f"activity {two}")))
                pairs[(key[0], key[-1])] = (phenotype, f"{score:g}")
    stated = {name: named[wholes.get(name, name)] for name in made["alleles"] if wholes.get(name, name) in named}
    return {
        "functions": {name: [_key(*one), None if one[1] in (None, "n/a") else float(one[1])] for name, one in stated.items()},
        "functions_source": "phenotypes" if source == "phenotypes" else "cyp2d6", "functions_version": content["version"],
        "phenotypes": [
            [*key, said, None if score in (None, "n/a") else float(score), source]
            for key, (said, score) in sorted(pairs.items())
        ],
    }  # fmt: skip


def _key(function: str, activity: str | None) -> str:
    """A function; where activity values decide, with the value, since two functions of one name may differ in it."""
    return function if activity in (None, "n/a") or function.startswith("activity") else f"{function} ({activity})"


def drugs(report: Path) -> dict[str, list[str]]:
    """Drugs with a CPIC guideline by gene, as an example report of PharmCAT names them."""
    found: dict[str, list[str]] = {gene: [] for gene in GENES}
    for name, entry in json.loads(report.read_text(encoding="utf-8"))["drugs"]["CPIC Guideline Annotation"].items():
        titles = " ".join(guideline["name"] for guideline in entry["guidelines"]).replace(",", " ").split()
        for gene in GENES:
            if gene in titles:
                found[gene].append(name)
    return {gene: sorted(names) for gene, names in found.items()}


def table(folder: Path, phenotypes: Path | None = None, report: Path | None = None) -> dict[str, Any]:
    """The whole content of the shipped file."""
    before = json.loads(SHIPPED.read_text(encoding="utf-8"))["genes"] if SHIPPED.exists() else {}
    genes = {}
    named = drugs(report) if report else {gene: before.get(gene, {}).get("drugs", []) for gene in GENES}
    kept = ("functions", "functions_source", "functions_version", "phenotypes")
    for gene in GENES:
        made = definitions(folder, gene)
        said = functions(phenotypes, gene, made) if phenotypes else {key: before[gene][key] for key in kept}
        del made["wholes"]
        genes[gene] = {**made, **said, "drugs": named[gene]}
    return {
        "dialect": DIALECT, "build": "GRCh38", "licence": "CC0-1.0 (CPIC content, cpicpgx.org/license)",
        "origin": "CPIC, by way of ClinPGx and PharmCAT; changed: ten genes, one row for each pair of functions",
        "made_by": "python -m medtwin.sources.pharmacogene_tables", "sources": SOURCES, "genes": genes,
    }  # fmt: skip


def written(content: dict[str, Any]) -> str:
    """One line for each part of a gene, so that a change shows in a comparison."""
    head = {key: value for key, value in content.items() if key != "genes"}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    genes = []
    for gene, entry in content["genes"].items():
        rows = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entry.items()]
        genes.append(f" {json.dumps(gene)}: {{\n" + ",\n".join(rows) + "\n }")
    return "{\n" + "\n".join(lines) + '\n "genes": {\n' + ",\n".join(genes) + "\n }\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m medtwin.sources.pharmacogene_tables", description=__doc__)
    parser.add_argument("definitions", type=Path)
    parser.add_argument("--phenotypes", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    given = parser.parse_args()
    given.out.write_text(written(table(given.definitions, given.phenotypes, given.report)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
