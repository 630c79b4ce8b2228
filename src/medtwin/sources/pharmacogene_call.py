"""A call of one pharmacogene: the diplotypes, phenotypes and activity scores that genotypes allow, and what keeps one open.

A phenotype is said where all diplotypes that remain have the same one; else it is a list. CPIC states functions of alleles
and phenotypes of pairs of functions (the shipped table names the source of each row); of alleles without a stated function
there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from medtwin.sources import dpyd
from medtwin.sources.pharmacogenes import TWO_COPIES, UNSTATED, Gene, Read, consistent, elsewhere, genes, read_at
from medtwin.sources.vcf_rows import Genotype, Place, Silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of one gene of one person."""

    gene: str
    diplotypes: tuple[str, ...]  #: all that agree with what was read; none: see ``why``
    phenotypes: tuple[str, ...]  #: of those diplotypes, each once
    activities: tuple[float, ...]  #: activity scores of those, each once; none where the gene has none
    positions: int  #: of the definitions
    read: int  #: of them, read in the file
    assumed: int  #: taken for the reference without having been read, as the caller asked for
    missing: tuple[str, ...]  #: names of positions that are neither
    why: tuple[str, ...]  #: what is in the way of an answer, or of a surer one
    drugs: tuple[str, ...]  #: that CPIC has a guideline for with this gene

    @property
    def sure(self) -> bool:
        return len(self.diplotypes) == 1

    @property
    def phenotype(self) -> str | None:
        """The one phenotype, where there is one that does not hang on copies of the gene that nobody counted."""
        one = self.phenotypes[0] if len(self.phenotypes) == 1 else None
        return None if one == UNSTATED or genes()[self.gene].copies_matter else one

    @property
    def activity(self) -> float | None:
        """The one activity score, under the same conditions."""
        return self.activities[0] if len(self.activities) == 1 and self.phenotype is not None else None

    @property
    def said(self) -> str:
        """The diplotypes in words."""
        if not self.diplotypes:
            return "no call"
        if len(self.diplotypes) > MOST:
            return f"cannot tell between {len(self.diplotypes)} diplotypes"
        return self.diplotypes[0] if self.sure else f"cannot tell between {' or '.join(self.diplotypes)}"


MOST = 6  #: diplotypes that are listed; more are counted
#: what is taken for the reference without having been read: nothing; what the file itself assumes; what it lacks, too
Assume = Literal["nothing", "stated", "reference"]
ASSUMED: tuple[Assume, ...] = ("nothing", "stated", "reference")


def call(gene: Gene, found: Mapping[Place, Genotype | Silent], *, assume: Assume = "nothing") -> Call:
    """Call one gene from the rows of one sample.

    ``assume="reference"`` is right only where it is known that what the file leaves out was looked at and is the reference. A
    position whose row cannot be used is never assumed.
    """
    read: dict[int, Read] = {}
    why: list[str] = []
    unread = []
    own = {position.place for position in gene.positions if position.right_of}
    for number, position in enumerate(gene.positions):
        row = found.get(position.place)
        if (
            isinstance(row, Silent)
            and row.beneath
            and all(_known(found.get(place)) and place in own for place in row.beneath)
        ):
            row = None  # under a called insertion or deletion of the definitions themselves
        one = read_at(position, row) if row is not None else elsewhere(position, found, own)
        if one is None and assume == "reference":
            one = Read((position.reference, position.reference), None, assumed=True)
        if isinstance(one, str):
            why.append(f"{position.name}: {one}")
        if isinstance(one, Read) and (assume != "nothing" or not one.assumed):
            read[number] = one
            if odd := set(one.alleles) - {position.reference, *position.alternates}:
                why.append(f"{position.name}: no named allele has {' or '.join(sorted(odd))}")
        else:
            unread.append(position.name)
    assumed = sum(one.assumed for one in read.values())
    names, pairs = dpyd.call(gene, read) if gene.name == "DPYD" else _pairs(gene, read)
    if not read:
        why.append("none of its positions was read")
    elif not names and not any("no named allele" in reason for reason in why):
        why.append("no two named alleles together have these genotypes")
    if unread and read:
        named = f" ({', '.join(unread)})" if len(unread) <= 3 else ""
        why.append(f"{len(unread)} of {len(gene.positions)} positions were not read{named}")
    if assumed:
        why.append(f"{assumed} of {len(gene.positions)} positions are taken for the reference, not read")
    if gene.name == "DPYD" and read:
        why += dpyd.notes(gene, read)
    if gene.copies_matter and names:
        why.append(TWO_COPIES)
    return Call(
        gene=gene.name, diplotypes=names, phenotypes=tuple(dict.fromkeys(said for said, _ in pairs)),
        activities=tuple(sorted({score for _, score in pairs if score is not None})), positions=len(gene.positions),
        read=len(read) - assumed, assumed=assumed, missing=tuple(unread), why=tuple(why), drugs=gene.drugs,
    )  # fmt: skip


def _known(row: Genotype | Silent | None) -> bool:
    return isinstance(row, Genotype) and not any(allele.startswith("<") for allele in row.alleles)


def _pairs(gene: Gene, read: Mapping[int, Read]) -> tuple[tuple[str, ...], tuple[tuple[str, float | None], ...]]:
    if not read:
        return (), ()
    found = consistent(gene, read)
    said = dict.fromkeys(phenotype(gene, one, two) for one, two in found)
    return tuple(f"{one}/{two}" for one, two in found), tuple(said)


def phenotype(gene: Gene, one: str, two: str) -> tuple[str, float | None]:
    """Phenotype and activity score of two alleles by CPIC's tables."""
    if one not in gene.functions or two not in gene.functions:
        return UNSTATED, None
    key = sorted((gene.functions[one][0], gene.functions[two][0]))
    found = gene.phenotypes.get((key[0], key[1]))
    if found is None:
        return ("Indeterminate", None) if gene.copies_matter else (UNSTATED, None)
    return found


def calls(found: Mapping[Place, Genotype | Silent], *, assume: Assume = "nothing") -> list[Call]:
    """All ten genes of one sample."""
    return [call(gene, found, assume=assume) for gene in genes().values()]
