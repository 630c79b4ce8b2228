"""DPYD, which is called by variants and not by haplotypes.

CPIC (Amstutz 2018, PMID 29152729, as PharmCAT's "Gene Definition Exceptions" quotes it) takes the two variants with the
lowest activity values; two of them that are not phased are presumed to lie on different copies. Phased, the lowest of each
copy counts. HapB3 is told by its intronic variant rs75017182, and by the exonic rs56038477 only where the intronic one was
not read.
"""

from __future__ import annotations

from collections.abc import Mapping

from medtwin.sources.pharmacogenes import UNSTATED, Gene, Read, by_name

_INTRONIC, _EXONIC = "rs75017182", "rs56038477"
_HAPB3 = "c.1129-5923C>G, c.1236G>A (HapB3)"
_ALONE = "c.1129-5923C>G"

Said = tuple[str, float | None]


def call(gene: Gene, read: Mapping[int, Read]) -> tuple[tuple[str, ...], tuple[Said, ...]]:
    """(diplotypes: one, or none; all phenotypes that remain possible with their activity scores)."""
    copies = _copies(gene, read)
    if not read or copies is None:
        return (), ()
    name = "/".join(" + ".join(sorted(set(one), key=by_name)) or gene.reference for one in copies)
    settled = _settled(read)
    if not settled:
        carried = sorted((allele for one in copies for allele in one), key=by_name)
        name = " and ".join(carried) + " (not phased)"
    if any(_value(gene, allele) is None for one in copies for allele in one):
        return (name,), ((UNSTATED, None),)
    values = [sorted(_value(gene, allele) or 0.0 for allele in one) for one in copies]
    if settled:
        lowest = [(one or [1.0])[0] for one in values]
    else:
        lowest = sorted([*values[0], *values[1], 1.0, 1.0])[:2]
    open_values = _open(gene, read)
    possible = {round(sum(lowest), 2)}
    for value in open_values:  # an unread variant may lower either copy, or both
        possible |= {round(min(lowest[0], value) + lowest[1], 2), round(lowest[0] + min(lowest[1], value), 2)}
        possible |= {round(min(lowest[0], value) + min(lowest[1], other), 2) for other in open_values}
    by_score = {score: said for said, score in gene.phenotypes.values()}
    said = tuple((by_score[score], score) for score in sorted(possible, reverse=True))
    return (name,) if not open_values else (f"{name}, unless a position that was not read differs",), said


def notes(gene: Gene, read: Mapping[int, Read]) -> list[str]:
    """What is presumed in this call."""
    at = {position.rsid: number for number, position in enumerate(gene.positions)}
    found = []
    if not _settled(read):
        found.append("variants that are not phased are presumed to lie on different copies, as CPIC does")
    exonic, intronic = read.get(at[_EXONIC]), read.get(at[_INTRONIC])
    if intronic is None and exonic is not None and _carries(gene, at[_EXONIC], exonic):
        found.append("HapB3 by its exonic variant: rs75017182 was not read and should be")
    elif intronic is not None and exonic is not None and _both(gene, at, intronic, exonic):
        found.append("the exonic and the intronic variant of HapB3 disagree: the intronic one counts")
    return found


def _both(gene: Gene, at: Mapping[str, int], intronic: Read, exonic: Read) -> bool:
    return _carries(gene, at[_INTRONIC], intronic) != _carries(gene, at[_EXONIC], exonic)


def _carries(gene: Gene, number: int, one: Read) -> int:
    return sum(base != gene.positions[number].reference for base in one.alleles)


def _settled(read: Mapping[int, Read]) -> bool:
    """Whether it is known which variants lie together: all in one phase set, or at most one position is heterozygous."""
    hetero = [one for one in read.values() if one.heterozygous]
    return len(hetero) <= 1 or (len({one.phase for one in hetero}) == 1 and hetero[0].phase is not None)


def _copies(gene: Gene, read: Mapping[int, Read]) -> tuple[list[str], list[str]] | None:
    """Variants on each copy (of unphased ones: in any order); None where an allele is none that is defined."""
    singles = _singles(gene)
    numbers = {position.rsid: number for number, position in enumerate(gene.positions)}
    copies: tuple[list[str], list[str]] = ([], [])
    for number, one in read.items():
        rsid = gene.positions[number].rsid
        if rsid == _EXONIC and numbers[_INTRONIC] in read:
            continue
        for side, base in enumerate(one.alleles):
            if base == gene.positions[number].reference:
                continue
            name = _HAPB3 if rsid == _EXONIC else singles.get((number, base))
            if name is None:
                return None
            exonic = read.get(numbers[_EXONIC])
            if name == _ALONE and exonic is not None and _carries(gene, numbers[_EXONIC], exonic):
                name = _HAPB3
            copies[side].append(name)
    return copies


def _singles(gene: Gene) -> dict[tuple[int, str], str]:
    """(position, base) -> the variant that is this base alone."""
    found = {}
    for name, bases in gene.alleles.items():
        differs = [
            (number, next(iter(one)))
            for number, one in enumerate(bases)
            if one != frozenset({gene.positions[number].reference})
        ]
        if len(differs) == 1:
            found[differs[0]] = name
    return found


def _value(gene: Gene, allele: str) -> float | None:
    """The activity value that CPIC states, if it does."""
    return gene.functions[allele][1] if allele in gene.functions else None


def _open(gene: Gene, read: Mapping[int, Read]) -> list[float]:
    """Activity values below normal of variants at positions that were not read."""
    found = {_value(gene, name) or 0.0 for (number, _), name in _singles(gene).items() if number not in read}
    return sorted(value for value in found if value < 1.0)
