"""A VCF's samples read for a purpose: pharmacogenes, or the variants of a score. A file of any length is streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medtwin.errors import FormatError
from medtwin.sources import archives
from medtwin.sources.archives import Plain, Refused
from medtwin.sources.pharmacogene_call import Assume, Call, calls
from medtwin.sources.pharmacogenes import wanted as pharmacogenes
from medtwin.sources.polygenic_file import Score, read_score
from medtwin.sources.polygenic_score import Result, result
from medtwin.sources.polygenic_score import wanted as of_score
from medtwin.sources.vcf import BUILD
from medtwin.sources.vcf_header import Header, header_of
from medtwin.sources.vcf_rows import Place, Rows, scan


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a file and its rows at the places asked for."""

    name: str
    header: Header
    build: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Genome:
    """A VCF, plain or packed; opened afresh for each pass."""

    payload: Plain
    header: Header
    build: str
    prefix: str  #: of its contigs' names: ``chr`` or nothing

    def samples(self, wanted: Mapping[bytes, Place], name: str | None = None) -> Iterator[Sample]:
        """All samples, or the one of that name; raises :class:`FormatError` where there is none."""
        known = self.header.samples
        if not known or (name is not None and name not in known):
            raise FormatError(
                f"the sample {name!r}" if name else "a VCF without samples",
                expected=", ".join(known[:8]) or "a column of genotypes after FORMAT", where=self.payload.name,
            )  # fmt: skip
        for column, sample in enumerate(known):
            if name in (None, sample):
                with self.payload.open() as stream:
                    header = header_of(stream)
                    yield Sample(sample, header, self.build, scan(stream, header, wanted, column))


def opened(path: Path, build: str | None = None) -> Genome:
    """The VCF in ``path``; ``build`` is what the caller states where the file does not say it.

    Raises :class:`FormatError` for anything that is no VCF, or whose build is not known or contradicts what is stated.
    """
    if not path.is_file():
        raise FormatError("no such file", expected="a VCF", where=str(path))
    found = list(archives.walk(next(iter(archives.files([path])))))
    if len(found) != 1 or isinstance(found[0], Refused):
        raise FormatError("an archive of several files", expected="one VCF, plain, gzip or bgzip", where=path.name)
    payload = found[0]
    with payload.open() as stream:
        start = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
        if start.startswith(b"BCF"):
            raise FormatError("a BCF", expected="a VCF", remedy="bcftools view -Oz file.bcf -o file.vcf.gz")
        header = header_of(stream)
        contig = stream.readline().partition(b"\t")[0].decode("utf-8", "replace")
    return Genome(payload, header, header.build(build), contig[:3] if contig[:3].lower() == "chr" else "")


def pharmacogenes_of(
    path: Path, *, build: str | None = None, sample: str | None = None, assume: Assume = "nothing"
) -> dict[str, list[Call]]:
    """Calls of all ten genes by sample; raises :class:`FormatError` for a file of another build than the definitions are of."""
    genome = opened(path, build)
    if genome.build != BUILD:
        raise FormatError(
            f"a VCF of {genome.build}", expected=f"{BUILD}, which CPIC's definitions are of", where=path.name,
            remedy="lift it over (bcftools +liftover, CrossMap)",
        )  # fmt: skip
    return {one.name: calls(one.rows.found, assume=assume) for one in genome.samples(pharmacogenes(), sample)}


def scores_of(
    path: Path, score_path: Path, *, build: str | None = None, sample: str | None = None
) -> tuple[Genome, Score, dict[str, Result]]:
    """The file, the score on its build, and the results by sample."""
    genome = opened(path, build)
    score = read_score(score_path, genome.build)
    wanted = of_score(score, genome.prefix)
    return genome, score, {one.name: result(score, one.rows.found) for one in genome.samples(wanted, sample)}
