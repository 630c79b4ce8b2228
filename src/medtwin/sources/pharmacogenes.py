"""Pharmacogenes: named alleles as CPIC defines them, and which pairs of them a person's genotypes allow.

All pairs that agree with what was read are given, never the likeliest one. A position that was not read agrees with every
allele, so that it leaves several pairs and no default. What an allele's definition does not name is as the reference allele
has it: in CYP2C19 the reference is *38, so that *1 asks for a G at rs3758581. Letters such as Y in a definition allow several
bases (IUPAC).

Unphased genotypes are split between the two copies in each possible way; phased ones only as they stand, each phase set by
itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations_with_replacement
from typing import Any

from medtwin.sources.vcf_rows import Genotype, Place, Silent, names_of

_LETTERS = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
#: a phenotype that CPIC's tables do not give, of an allele that is defined there
UNSTATED = "function not stated by CPIC"
REACH = 30  #: bases to the right: repeats in the definitions are shorter (that of UGT1A1 has 14)
BEFORE = 20  #: bases to the left where a row is told from one that begins further off (``scan`` finds those that reach)
TWO_COPIES = "copies of the gene (deletion, duplication, hybrids) are not counted in a VCF: two are taken for granted"


@dataclass(frozen=True, slots=True)
class Position:
    """One position of a gene's definitions, on GRCh38."""

    place: Place
    rsid: str
    reference: str
    alternates: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.rsid or f"chr{self.place[0]}:{self.place[1]}"

    @property
    def right_of(self) -> tuple[Place, ...]:
        """Where else a file that is not aligned to the left may write an insertion or deletion that is meant here."""
        letters = {len(self.reference), *map(len, self.alternates)}
        return tuple((self.place[0], self.place[1] + step) for step in range(1, REACH + 1)) if letters != {1} else ()

    @property
    def left_of(self) -> tuple[Place, ...]:
        """Where a row may stand that covers this position, too."""
        return tuple((self.place[0], self.place[1] - step) for step in range(1, BEFORE + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gene:
    """What CPIC says of one gene."""

    name: str
    version: str
    reference: str
    positions: tuple[Position, ...]
    extra: tuple[Position, ...]  #: read and shown, part of no allele
    alleles: Mapping[str, tuple[frozenset[str], ...]]  #: allele -> bases that it may have, for each position
    functions: Mapping[str, tuple[str, float | None]]  #: allele -> (function, activity value)
    phenotypes: Mapping[tuple[str, str], tuple[str, float | None]]  #: functions, sorted -> (phenotype, activity score)
    drugs: tuple[str, ...]

    @property
    def copies_matter(self) -> bool:
        """Whether copies of the whole gene are lost or gained so often that a phenotype without them is none."""
        return self.name == "CYP2D6"


@dataclass(frozen=True, slots=True)
class Read:
    """What one person has at one position, in the alleles of the definitions."""

    alleles: tuple[str, str]
    phase: str | None
    assumed: bool = False

    @property
    def heterozygous(self) -> bool:
        return self.alleles[0] != self.alleles[1]


@cache
def content() -> dict[str, Any]:
    """The shipped file (:mod:`medtwin.sources.pharmacogene_tables` makes it)."""
    read: dict[str, Any] = json.loads(
        files("medtwin.sources").joinpath("pharmacogenes.json").read_text(encoding="utf-8")
    )
    return read


@cache
def genes() -> dict[str, Gene]:
    """The ten genes by name, in the order in which they are shown."""
    return {name: _gene(name, entry) for name, entry in content()["genes"].items()}


def _gene(name: str, entry: Mapping[str, Any]) -> Gene:
    def places(rows: list[Any]) -> tuple[Position, ...]:
        return tuple(Position((entry["chromosome"], at), rsid, ref, tuple(alts)) for at, rsid, ref, alts in rows)

    positions = places(entry["positions"])
    alleles = {}
    for allele, named in entry["alleles"].items():
        bases = (named.get(str(one.place[1]), one.reference) for one in positions)
        alleles[allele] = tuple(
            frozenset(_LETTERS.get(base, base)) if len(base) == 1 else frozenset({base}) for base in bases
        )
    return Gene(
        name=name, version=entry["version"], reference=entry["reference"], positions=positions, extra=places(entry["extra"]),
        alleles=alleles, functions={key: (said, value) for key, (said, value) in entry["functions"].items()},
        phenotypes={(one, two): (said, score) for one, two, said, score, _ in entry["phenotypes"]},
        drugs=tuple(entry["drugs"]),
    )  # fmt: skip


@cache
def wanted() -> dict[bytes, Place]:
    """How rows may begin that :func:`medtwin.sources.vcf_rows.scan` is to look at: at all positions, and beside them."""
    found = {}
    for name, gene in genes().items():
        contig = content()["genes"][name]["contig"]
        for position in (*gene.positions, *gene.extra):
            for place in (position.place, *position.right_of, *position.left_of):
                for start in (*names_of(place), f"{contig}\t{place[1]}".encode()):
                    found[start] = place
    return found


def read_at(position: Position, genotype: Genotype | Silent) -> Read | str:
    """A row's genotype in the alleles of the definitions, or why it is none."""
    if isinstance(genotype, Silent):
        return genotype.why
    if not genotype.reference:  # inside of a stretch of the reference
        return Read((position.reference, position.reference), None, genotype.assumed)
    one, two = (_allele(position, genotype.reference, base) for base in genotype.alleles)
    if one is None or two is None:
        return (
            f"the row's alleles {genotype.reference}>{'/'.join(genotype.alleles)} are not about {position.reference}, "
            "which the reference has there"
        )  # fmt: skip
    return Read((one, two), genotype.phase, genotype.assumed)


def elsewhere(position: Position, found: Mapping[Place, Genotype | Silent], own: AbstractSet[Place]) -> str | None:
    """Why a position without a row is not the reference for all that: another row covers it, or its insertion or deletion may
    stand right of it, called or not. ``own`` are the places that insertions and deletions of the gene's definitions have: those
    that were called are known for what they are."""
    for place in (*position.right_of, *position.left_of):
        row = found.get(place)
        called = isinstance(row, Genotype)
        if row is None or (place in own and called) or (isinstance(row, Genotype) and not row.varies):
            continue
        if place[1] < position.place[1]:
            if place[1] + len(row.reference) > position.place[1]:
                how = "with other alleles: divide it (bcftools norm --atomize)" if called else "without a genotype"
                return f"the row at {place[1]} covers it {how}"
        elif any(
            len(base) != len(row.reference) for base in (row.alleles if isinstance(row, Genotype) else row.alternates)
        ):
            return f"an insertion or deletion at {place[1]} may be the one meant here: align the file to the left (bcftools norm)"
    return None


def _allele(position: Position, reference: str, base: str) -> str | None:
    """``base`` of a row whose REF is ``reference``, with the reference bases of the definition's own stretch."""
    own = position.reference
    if base in ("*", "") or not re.fullmatch("[ACGTN]+", base):
        return None
    if reference == own:
        return base
    if own.startswith(reference):
        return base + own[len(reference) :]
    if reference.startswith(own):
        more = reference[len(own) :]
        if base.endswith(more) and len(base) > len(more):
            return base[: -len(more)]
        if all(len(one) == 1 for one in (own, *position.alternates)):
            return base[0]  # the row is about what comes after this base
    return None


def consistent(gene: Gene, read: Mapping[int, Read]) -> list[tuple[str, str]]:
    """Every pair of named alleles that agrees with what was read, by number of position. Order of two and of pairs: by name."""
    fitting = [
        name
        for name, bases in gene.alleles.items()
        if all(not bases[number].isdisjoint(one.alleles) for number, one in read.items())
    ]
    sets: dict[str, list[int]] = {}
    for number, one in read.items():
        if one.heterozygous:
            sets.setdefault(f"unphased {number}" if one.phase is None else f"set {one.phase}", []).append(number)

    def agree(first: str, second: str) -> bool:
        mine, other = gene.alleles[first], gene.alleles[second]
        return all(
            any(
                all(
                    read[number].alleles[turn] in mine[number] and read[number].alleles[1 - turn] in other[number]
                    for number in numbers
                )
                for turn in (0, 1)
            )
            for numbers in sets.values()
        )

    ordered = sorted(fitting, key=by_name)
    return [(one, two) for one, two in combinations_with_replacement(ordered, 2) if agree(one, two)]


def by_name(allele: str) -> tuple[object, ...]:
    """*2 before *10, the reference of a gene without stars first."""
    parts = tuple(int(part) if part.isdigit() else part for part in re.findall(r"\d+|\D+", allele))
    return (not re.match("Reference|.*reference", allele), *((isinstance(part, str), part) for part in parts))
