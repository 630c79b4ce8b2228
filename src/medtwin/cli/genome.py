"""Genome: pharmacogenes and polygenic scores from a VCF, and what a record holds of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import (
    Commands,
    Home,
    Json,
    PatientId,
    command,
    emit,
    is_synthetic,
    note,
    opened,
    table,
    titled,
)

if TYPE_CHECKING:
    from medtwin.sources.pharmacogene_call import Call

NO_ADVICE = "research output; names of drugs only: this is no prescribing advice"
Vcf = Annotated[Path, typer.Argument(metavar="FILE.vcf", help="A VCF, plain, gzip or bgzip.")]
Build = Annotated[
    str | None, typer.Option("--build", metavar="GRCh37|GRCh38", help="The build, where the file does not say it.")
]
SampleName = Annotated[
    str | None, typer.Option("--sample", metavar="NAME", help="Only this sample of the file; otherwise all.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="Pharmacogenes and polygenic scores from a VCF."
    )
    command(
        group, pharmacogenes, "medtwin genome pharmacogenes anna.vcf.gz",
        "medtwin genome pharmacogenes anna.vcf.gz --assume reference   # a whole genome whose reference sites are left out",
        "medtwin genome pharmacogenes family.vcf --sample S1 --build GRCh38 --json",
    )  # fmt: skip
    command(
        group, score, "medtwin genome score anna.vcf.gz PGS000001_hmPOS_GRCh38.txt.gz",
        "medtwin genome score anna.vcf.gz PGS000001_hmPOS_GRCh38.txt.gz --patient anna   # kept as a fact",
    )  # fmt: skip
    command(group, show, "medtwin genome show anna", "medtwin genome show anna --json")
    app.add_typer(group, name="genome")


def _build(name: str | None) -> str | None:
    from medtwin.sources.vcf_header import BUILDS

    if name is not None and name not in BUILDS:
        raise typer.BadParameter(" or ".join(BUILDS), param_hint="--build")
    return name


def pharmacogenes(
    file: Vcf,
    assume: Annotated[
        str,
        typer.Option(
            "--assume", metavar="nothing|stated|reference",
            help="What counts as the reference unread: nothing; what the file assumes; what it lacks, too.",
        ),
    ] = "nothing",
    sample: SampleName = None,
    build: Build = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Call ten pharmacogenes by CPIC's definitions: diplotypes, phenotypes, what could not be called and why.

    All diplotypes that agree with the genotypes are given, never the likeliest. A position that was not read leaves them open: a
    file of variants only answers little unless --assume reference says that what it leaves out was looked at. CYP2D6 is called
    without copies of the gene, so its phenotype holds only if there are two. Nothing is kept; `medtwin ingest` makes facts.
    """
    from medtwin.applications.genome.read import pharmacogenes_of
    from medtwin.sources.pharmacogene_call import ASSUMED
    from medtwin.sources.pharmacogenes import content

    chosen = next((one for one in ASSUMED if one == assume), None)
    if chosen is None:
        raise typer.BadParameter(" or ".join(ASSUMED), param_hint="--assume")
    found = pharmacogenes_of(file, build=_build(build), sample=sample, assume=chosen)
    versions = sorted({entry["version"] for entry in content()["genes"].values()})
    if as_json:
        emit("genome-pharmacogenes", {
            "file": file.name, "assume": assume, "definitions": versions, "research_only": True,
            "samples": {name: [_said(call) for call in calls] for name, calls in found.items()},
        })  # fmt: skip
        return
    for name, calls in found.items():
        titled(f"sample {name}", False)
        table(f"Pharmacogenes by CPIC's definitions of {', '.join(versions)}", _HEAD, (_row(call) for call in calls))
        _drugs([call for call in calls if call.read or call.assumed])
    note(NO_ADVICE)


_HEAD = ("gene", "diplotypes", "phenotype", "read", "what keeps it open")


def _row(call: Call) -> tuple[str, ...]:
    """One row of the table."""
    phenotypes = " or ".join(call.phenotypes[:4]) + (" or others" if len(call.phenotypes) > 4 else "")
    if call.phenotypes and call.phenotype is None and call.sure:
        phenotypes += ", if there are two copies" if call.gene == "CYP2D6" else ""
    if call.activity is not None:
        phenotypes += f" (activity score {call.activity:g})"
    return call.gene, call.said, phenotypes, f"{call.read} of {call.positions}", "; ".join(call.why[:5])


def _drugs(calls: list[Call]) -> None:
    if calls:
        rows = ((call.gene, ", ".join(call.drugs)) for call in calls)
        table("Drugs for which CPIC has a guideline with this gene: names only", ("gene", "drugs"), rows)


def _said(call: Call) -> dict[str, Any]:
    return {
        "gene": call.gene, "diplotypes": call.diplotypes, "said": call.said, "phenotypes": call.phenotypes,
        "phenotype": call.phenotype, "activity_scores": call.activities, "activity_score": call.activity, "read": call.read,
        "positions": call.positions, "assumed": call.assumed, "missing": call.missing, "why": call.why, "drugs": call.drugs,
    }  # fmt: skip


def score(
    file: Vcf,
    score_file: Annotated[Path, typer.Argument(metavar="SCORE.txt.gz", help="A scoring file of the PGS Catalog.")],
    sample: SampleName = None,
    build: Build = None,
    patient: Annotated[
        str | None, typer.Option("--patient", metavar="PATIENT", help="Whose it is: the score is kept as a fact.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compute a polygenic score: a raw sum, with how much of the score the file covers.

    A build that differs is refused. Variants that were not read, that look the same on both strands (A/T, C/G) or have other
    alleles do not count, and are told. There is no percentile: the file states no population. Interactions and haplotypes are
    refused. One whose reference sites are left out covers little, since nobody says which allele is the reference.
    """
    from medtwin.applications.genome.keep import keep
    from medtwin.applications.genome.read import scores_of
    from medtwin.errors import FormatError
    from medtwin.sources.polygenic_score import RAW

    genome, read, found = scores_of(file, score_file, build=_build(build), sample=sample)
    if patient is not None:
        if len(found) != 1:
            raise FormatError(
                f"{len(found)} samples",
                expected="one person's",
                where=file.name,
                remedy="name the sample with --sample",
            )
        (only,) = found.values()
        with opened(home, make=True) as (store, grant):
            events = keep(
                store, grant, patient, read, only, file=file.name, date=genome.header.date, now=datetime.now(UTC)
            )
            store.append(events, grant)
    if as_json:
        rows = {name: {**_fields(one), "coverage": one.coverage} for name, one in found.items()}
        emit("genome-score", {
            "file": file.name, "score": read.id, "rule": RAW, "kept_for": patient, "research_only": True, "samples": rows,
        })  # fmt: skip
        return
    title = f"{read.id} {read.trait or read.name}, {genome.build}" + (" (harmonised)" if read.harmonised else "")
    head = ("sample", "raw sum", "used", "of", "coverage", "of weights", "flipped", "missing", "A/T, C/G", "other alleles",
            "no position")  # fmt: skip
    table(title, head, (
        (name, f"{one.sum:.6g}", one.used, one.variants, f"{one.coverage:.1%}", f"{one.weight_coverage:.1%}", one.flipped,
         one.missing, one.ambiguous, one.other_alleles, one.unplaced)
        for name, one in found.items()
    ), right=range(1, 11))  # fmt: skip
    note(f"{RAW}; research output, no advice on treatment")


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def show(patient: PatientId, home: Home = None, as_json: Json = False) -> None:
    """Show what the record holds of a genome: diplotypes, phenotypes, activity scores and polygenic scores, with their dates."""
    from medtwin.quantities.genome import PHARMACOGENES
    from medtwin.sources.pharmacogenes import genes

    with opened(home) as (store, grant):
        record = store.record(patient, grant)
        synthetic = is_synthetic(store, grant, patient)
    rows = []
    for gene in PHARMACOGENES:
        names = [f"{gene.lower()}_{kind}" for kind in ("diplotype", "phenotype", "activity_score")]
        files: dict[tuple[str, str], dict[str, Any]] = {}
        for event in record.of(*(name for name in names if _is_known(name))):
            entry = files.setdefault((event.time.text, event.source.file), {"gene": gene})
            entry |= {"date": event.time.text, "file": event.source.file, "basis": event.source.locator}
            entry[event.quantity.removeprefix(f"{gene.lower()}_")] = event.text
        rows += [{**entry, "drugs": genes()[gene].drugs} for entry in files.values()]
    scores: list[dict[str, Any]] = [
        {
            "score": event.group,
            "date": event.time.text,
            "sum": event.value,
            "text": event.text,
            "file": event.source.file,
        }
        for event in record.of("polygenic_score")
    ]
    coverage = {(event.group, event.time.text): event for event in record.of("polygenic_score_coverage")}
    for one in scores:
        share = coverage.get((str(one["score"]), str(one["date"])))
        one["coverage"] = None if share is None else share.value
        one["coverage_text"] = None if share is None else share.text
    genotypes = len(record.of("genotype"))
    if as_json:
        emit("genome-show", {
            "patient": patient, "synthetic": synthetic, "research_only": True, "genotypes": genotypes, "pharmacogenes": rows,
            "scores": scores,
        })  # fmt: skip
        return
    titled(patient, synthetic)
    typer.echo(f"{genotypes} genotypes at positions of pharmacogenes.")
    table("Pharmacogenes", ("gene", "date of the file", "diplotypes", "phenotype", "activity score", "rests on"), (
        (row["gene"], row["date"][:10], row.get("diplotype"), row.get("phenotype", "open"), row.get("activity_score"),
         row["basis"]) for row in rows
    ))  # fmt: skip
    if scores:
        head = ("score", "date of the file", "raw sum", "coverage", "")
        table("Polygenic scores", head, (
            (one["score"], one["date"][:10], f"{one['sum']:.6g}",
             "" if one["coverage"] is None else f"{one['coverage']:.1f} %", one["coverage_text"]) for one in scores
        ), right=(2, 3))  # fmt: skip
    note(NO_ADVICE)


def _is_known(name: str) -> bool:
    from medtwin.quantities import registry

    return registry.find(name) is not None
