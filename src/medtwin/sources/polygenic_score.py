"""A polygenic score of one person: the raw sum over the variants that were read, and how much of the score that is.

A variant counts where a row has its two alleles, as they are or both on the other strand. Alleles that are each other's
complement (A/T, C/G) look the same on both strands and are left out, as the catalogue's own calculator does by default. A
variant without a row is missing: the file does not say which of its alleles is the reference, so that nothing can be taken
for granted. A raw sum has no meaning without the scores of a population measured the same way; the format carries none, so no
percentile is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum

from medtwin.sources.polygenic_file import Score, Weight
from medtwin.sources.vcf_rows import Genotype, Place, Silent

_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
RAW = "a raw sum: the file states no mean and standard deviation of a population, so there is no percentile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the score is and what it rests on; the counts add up to ``variants``."""

    id: str
    name: str
    trait: str
    build: str
    harmonised: bool
    sum: float
    variants: int
    used: int
    flipped: int  #: of ``used``, on the other strand
    one_allele: int  #: of ``used``, where the score does not name the other allele, so that the strand was not checked
    missing: int  #: no row, or none that can be used
    ambiguous: int  #: A/T or C/G
    other_alleles: int  #: the row is about other alleles
    unplaced: int  #: no position on this build
    weight_coverage: float  #: share of the sizes of all placed weights that is in ``used``

    @property
    def coverage(self) -> float:
        """Share of the score's variants that were used."""
        return self.used / self.variants


def wanted(score: Score, prefix: str) -> dict[bytes, Place]:
    """How the rows of all its variants begin in a file whose contigs are named with ``prefix`` (``chr`` or nothing)."""
    return {
        f"{prefix}{chromosome}\t{position}".encode(): (chromosome, position) for chromosome, position in score.weights
    }


def result(score: Score, found: Mapping[Place, Genotype | Silent]) -> Result:
    """The score of one sample whose rows at its places are ``found``."""
    parts: list[float] = []
    counts = dict.fromkeys(("used", "flipped", "one_allele", "missing", "ambiguous", "other_alleles"), 0)
    used_size = 0.0
    for place, weights in score.weights.items():
        row = found.get(place)
        for weight in weights:
            how, copies = _copies(weight, row)
            if copies is None:
                counts[how] += 1
                continue
            counts["used"] += 1
            if how in counts:
                counts[how] += 1
            parts.append(weight.add[copies])
            used_size += weight.size
    whole = score.size
    return Result(
        id=score.id, name=score.name, trait=score.trait, build=score.build, harmonised=score.harmonised, sum=fsum(parts),
        variants=score.rows, unplaced=score.unplaced, weight_coverage=used_size / whole if whole else 0.0, **counts,
    )  # fmt: skip


def _copies(weight: Weight, row: Genotype | Silent | None) -> tuple[str, int | None]:
    """(how it was matched, or why not; copies of the effect allele)."""
    if any(weight.effect == other.translate(_OTHER_STRAND)[::-1] for other in weight.other):
        return "ambiguous", None
    if not isinstance(row, Genotype) or not row.reference or row.assumed:
        return "missing", None
    here = {row.reference, *row.alternates}
    if not weight.other:
        if weight.effect not in here:
            return "other_alleles", None
        return "one_allele", row.alleles.count(weight.effect)
    fitting = []
    for flip in (False, True):
        mine = {_turned(base, flip) for base in (weight.effect, *weight.other)}
        if (
            row.reference in mine
            and mine.issuperset(row.alleles)
            and (not row.alternates or mine & set(row.alternates))
        ):
            fitting.append(flip)
    if len(fitting) != 1:
        return ("ambiguous" if fitting else "other_alleles"), None
    return ("flipped" if fitting[0] else "as it is"), row.alleles.count(_turned(weight.effect, fitting[0]))


def _turned(base: str, flip: bool) -> str:
    return base.translate(_OTHER_STRAND)[::-1] if flip else base
