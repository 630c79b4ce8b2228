"""A polygenic score as the PGS Catalog writes it: a header of ``#key=value`` lines, then tab-separated variants with weights.

Format 2.0 (pgscatalog.org/downloads, "Scoring files"; read in their public description, not seen in the wild): original
positions in ``chr_name`` and ``chr_position`` on ``genome_build``, harmonised ones in ``hm_chr`` and ``hm_pos`` on
``HmPOS_build``. A weight counts each copy of the effect allele; with ``is_recessive`` only two, with ``is_dominant`` one or
two alike, and ``dosage_0_weight`` to ``dosage_2_weight`` say the sum of each number of copies. Rows that are an interaction,
a haplotype or a diplotype make no sum over single variants: a file with one of them is refused whole.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from pathlib import Path

from medtwin.errors import FormatError
from medtwin.sources.vcf_header import BUILDS, CHROMOSOMES, chromosome
from medtwin.sources.vcf_rows import Place

LARGEST = 2 * 1024**3  #: bytes when unpacked: the largest scores of the catalogue have some millions of rows
_REFUSED = ("is_interaction", "is_haplotype", "is_diplotype")
_DOSAGES = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")


@dataclass(frozen=True, slots=True)
class Weight:
    """One variant: what 0, 1 and 2 copies of its effect allele add."""

    effect: str
    other: tuple[str, ...]  #: other alleles; empty where the file does not say
    add: tuple[float, float, float]

    @property
    def size(self) -> float:
        """How much it can matter: the largest difference between numbers of copies."""
        return max(self.add) - min(self.add)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A whole score on one build."""

    id: str
    name: str
    trait: str
    weight_type: str
    build: str
    harmonised: bool  #: whether its positions are harmonised ones
    weights: dict[Place, list[Weight]]
    rows: int  #: variants of the file
    unplaced: int  #: of them without a position on this build, or on no chromosome from 1 to 22, X, Y
    digest: str  #: of the unpacked bytes

    @property
    def size(self) -> float:
        return sum(weight.size for several in self.weights.values() for weight in several)


def read_score(path: Path, build: str) -> Score:
    """The score in ``path`` (plain or gzip) on ``build``; raises :class:`FormatError`, naming the line, for anything else."""
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as stream:
                content = stream.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(
                "a gzip that is broken", expected="a whole file", where=path.name, remedy="download it again"
            ) from error
    if len(content) > LARGEST:
        raise FormatError(f"more than {LARGEST >> 30} GiB", expected="a smaller score", where=path.name)
    return parse(content, build, path.name)


def parse(content: bytes, build: str, file: str = "the score") -> Score:
    """The same of unpacked bytes."""
    lines = content.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    said, start = _header(lines)
    if start == len(lines):
        raise FormatError(
            "a score without a line of columns", expected="rsID or chr_name, ..., effect_weight", where=file
        )
    columns = {name.strip(): number for number, name in enumerate(lines[start].split("\t"))}
    if len(columns) != len(lines[start].split("\t")):
        raise FormatError("two columns of one name", expected="names that differ", where=f"line {start + 1}")
    places = _places(said, columns, build, file)
    dosages = all(name in columns for name in _DOSAGES)
    if "effect_allele" not in columns or not (dosages or "effect_weight" in columns):
        raise FormatError(
            f"the columns {', '.join(columns)[:120]}", expected="effect_allele and effect_weight", where=f"line {start + 1}",
            remedy="take a scoring file of the PGS Catalog, not its metadata",
        )  # fmt: skip
    weights: dict[Place, list[Weight]] = {}
    rows = unplaced = 0
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise FormatError(
                f"a row of {len(cells)} cells", expected=f"{len(columns)}", where=f"line {number} of {file}"
            )
        row = {name: cells[place].strip() for name, place in columns.items()}
        rows += 1
        weight = _weight(row, dosages, f"line {number} of {file}")
        place = _place(row[places[0]], row[places[1]])
        if place is None:
            unplaced += 1
        else:
            weights.setdefault(place, []).append(weight)
    if not rows:
        raise FormatError("a score without variants", expected="one at least", where=file)
    return Score(
        id=said.get("pgs_id", "") or file.partition(".")[0], name=said.get("pgs_name", ""), trait=said.get("trait_reported", ""),
        weight_type=said.get("weight_type", ""), build=build, harmonised=places[0] == "hm_chr", weights=weights, rows=rows,
        unplaced=unplaced, digest=blake2b(content, digest_size=16).hexdigest(),
    )  # fmt: skip


def _header(lines: list[str]) -> tuple[dict[str, str], int]:
    said: dict[str, str] = {}
    for number, line in enumerate(lines):
        if not line.startswith("#"):
            return said, number
        key, equals, value = line.lstrip("#").partition("=")
        if equals:
            said[key.strip()] = value.strip()
    return said, len(lines)


def _places(said: dict[str, str], columns: dict[str, int], build: str, file: str) -> tuple[str, str]:
    """The two columns that hold positions on ``build``."""
    harmonised, own = _build(said.get("HmPOS_build", "")), _build(said.get("genome_build", ""))
    if harmonised == build and {"hm_chr", "hm_pos"} <= set(columns):
        return "hm_chr", "hm_pos"
    if own == build and {"chr_name", "chr_position"} <= set(columns):
        return "chr_name", "chr_position"
    stated = " and ".join(
        f"{one} ({words})" for one, words in ((own, "original"), (harmonised, "harmonised")) if one is not None
    )
    raise FormatError(
        f"a score on {stated or 'no build that it states'}", expected=f"{build}, as the genotypes are", where=file,
        remedy=f"take the catalogue's harmonised file for {build} (..._hmPOS_{build}.txt.gz)",
    )  # fmt: skip


def _build(text: str) -> str | None:
    known = {"hg19": "GRCh37", "hg38": "GRCh38", **{build.lower(): build for build in BUILDS}}
    return known.get(text.strip().lower())


def _place(name: str, position: str) -> Place | None:
    bare = chromosome(name)
    whole = position.removesuffix(".0")
    if bare not in CHROMOSOMES or not (whole.isascii() and whole.isdigit()) or len(whole) > 10:
        return None
    return bare, int(whole)


def _true(text: str) -> bool:
    return text.lower() in ("true", "1", "yes")


def _weight(row: dict[str, str], dosages: bool, where: str) -> Weight:
    for flag in _REFUSED:
        if _true(row.get(flag, "")):
            raise FormatError(
                f"a row with {flag}", expected="single variants only", where=where,
                remedy="such a score is no sum over variants and is not computed here",
            )  # fmt: skip
    recessive, dominant = _true(row.get("is_recessive", "")), _true(row.get("is_dominant", ""))
    if recessive and dominant:
        raise FormatError("a row that is recessive and dominant", expected="one of them", where=where)
    effect = row["effect_allele"].upper()
    if _letters(effect) != (effect,):
        raise FormatError(
            f"the effect allele {row['effect_allele'][:20]!r}", expected="letters A, C, G, T", where=where
        )
    stated = row.get("other_allele", "") or row.get("hm_inferOtherAllele", "") or row.get("reference_allele", "")
    other = _letters(stated)
    if dosages and all(row[name] for name in _DOSAGES):
        zero, one, two = (_number(row[name], where) for name in _DOSAGES)
        return Weight(effect, other, (zero, one, two))
    weight = _number(row.get("effect_weight", ""), where)
    if recessive:
        return Weight(effect, other, (0.0, 0.0, weight))
    return Weight(effect, other, (0.0, weight, weight if dominant else 2 * weight))


@lru_cache(maxsize=4096)
def _letters(text: str) -> tuple[str, ...]:
    """Alleles in letters, of one or several that are written in one cell; any other is left out."""
    return tuple(base for base in re.split(r"[/|,]", text.upper()) if base and not set(base) - set("ACGT"))


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise FormatError(f"the weight {text[:20]!r}", expected="a number", where=where)
    return value
