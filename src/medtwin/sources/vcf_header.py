"""The header of a VCF (VCF 4.1 to 4.4): whose genotypes, of which build, made when.

The build decides which position is meant, so it is never guessed: what the lines ``##reference``, ``##contig`` (length,
assembly) and ``##assembly`` say must agree, and where none says anything the file waits until somebody states it. hg19 and
GRCh37 (hg38 and GRCh38) have the same positions on the chromosomes 1 to 22, X and Y, which are all that is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from medtwin.errors import FormatError
from medtwin.record.moment import Moment
from medtwin.sources.clock import by_pattern, iso

BUILDS = ("GRCh37", "GRCh38")
#: lengths of the chromosomes 1 to 22, X, Y (GCF_000001405.13 and .26)
_GRCH37 = (
    249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431, 135534747, 135006516,
    133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248, 59128983, 63025520, 48129895, 51304566, 155270560,
    59373566,
)  # fmt: skip
_GRCH38 = (
    248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717, 133797422, 135086622,
    133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285, 58617616, 64444167, 46709983, 50818468, 156040895,
    57227415,
)  # fmt: skip
CHROMOSOMES = (*(str(number) for number in range(1, 23)), "X", "Y")
LENGTHS = {
    build: dict(zip(CHROMOSOMES, lengths, strict=True))
    for build, lengths in zip(BUILDS, (_GRCH37, _GRCH38), strict=True)
}
_WORDS = (
    ("GRCh38", r"grch38|hg38|hs38|b38|assembly38|gca_000001405\.(?:1[5-9]|2\d)|gcf_000001405\.(?:2[6-9]|[34]\d)"),
    ("GRCh37", r"grch37|hg19|hs37|b37|g1k_v37|assembly19|gca_000001405\.(?:[1-9]|1[0-4])(?!\d)|gcf_000001405\.(?:1[3-9]|2[0-5])"),
    ("another build", r"ncbi3[56]|ncbi build 3[56]|hg1[678]|b36|chm13|hs1\b|t2t"),
)  # fmt: skip
_NAMED = tuple((build, re.compile(pattern, re.I)) for build, pattern in _WORDS)
_CONTIG = re.compile(r"##contig=<(.*)>\s*$", re.I)
_FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
STATE = "state it: a line ##reference=GRCh38 (or GRCh37) in the header, or --build of `medtwin genome`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the lines before the first variant say."""

    samples: tuple[str, ...]
    builds: frozenset[str]  #: what the lines say of it: empty, one, or several that disagree
    date: Moment | None  #: of the file, not of the sample
    blocks: bool  #: whether a row may stand for a stretch of the reference (gVCF)
    source: str  #: the program that made it, as written
    lines: int

    def build(self, stated: str | None = None) -> str:
        """The one build; raises :class:`FormatError` where none, several or a contradicting one are said."""
        said = " and ".join(sorted(self.builds))
        if stated is not None and self.builds and self.builds != {stated}:
            raise FormatError(f"a VCF of {said}", expected=f"{stated}, as stated", where="the header")
        known = self.builds or ({stated} if stated else frozenset())
        if len(known) > 1:
            raise FormatError(
                f"a VCF that says {said}", expected="one build", where="the header", remedy="ask whoever made it"
            )
        if not known:
            raise FormatError(
                "a VCF that does not say its build", expected="GRCh37 or GRCh38", where="the header", remedy=STATE
            )
        (only,) = known
        if only not in BUILDS:
            raise FormatError(
                f"a VCF of {only}", expected="GRCh37 or GRCh38", remedy="lift it over, say with bcftools +liftover"
            )
        return only


@lru_cache(maxsize=4096)
def chromosome(name: str) -> str:
    """A contig's name without ``chr``, a RefSeq accession (NC_000010.11) as its number; other contigs as they are."""
    if found := re.fullmatch(r"NC_0000(\d\d)\.\d+", name):
        number = int(found[1])
        return CHROMOSOMES[number - 1] if 1 <= number <= 24 else name
    bare = name[3:] if name[:3].lower() == "chr" else name
    return bare.upper() if bare.upper() in CHROMOSOMES else name


def header_of(lines: Iterable[bytes]) -> Header:
    """Read up to and with the line ``#CHROM``; raises :class:`FormatError` where there is none."""
    builds: set[str] = set()
    date: Moment | None = None
    blocks, source, number = False, "", 0
    for number, raw in enumerate(lines, start=1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
        if line.startswith("#CHROM"):
            return Header(
                samples=_samples(line, number), builds=frozenset(builds), date=date, blocks=blocks, source=source, lines=number
            )  # fmt: skip
        if not line.startswith("##"):
            break
        key, _, value = line[2:].partition("=")
        low = key.lower()
        if low in ("reference", "assembly"):
            builds |= {build for build, words in _NAMED if words.search(value)}
        elif low == "contig" and (found := _CONTIG.fullmatch(line)) is not None:
            builds |= _of_contig(found[1])
        elif low == "filedate" and date is None:
            date = _date(value.strip())
        elif low == "source" and not source:
            source = value.strip()[:200]
        blocks = (
            blocks or "<NON_REF>" in line or line.startswith(("##INFO=<ID=END,", "##ALT=<ID=NON_REF", "##ALT=<ID=*"))
        )
    raise FormatError(
        "a VCF without its line of columns", expected="a line that begins with #CHROM", where=f"line {number}"
    )


def _samples(line: str, number: int) -> tuple[str, ...]:
    columns = line.split("\t")
    if columns[:8] != _FIXED:
        raise FormatError(
            f"the columns {' '.join(columns[:8])[:80]!r}", expected=" ".join(_FIXED) + ", divided by tabs", where=f"line {number}"
        )  # fmt: skip
    samples = tuple(name.strip() for name in columns[9:])
    if len(set(samples)) != len(samples):
        raise FormatError(
            "two samples of one name", expected="names that differ (VCF 4.2, 1.4)", where=f"line {number}"
        )
    return samples


def _of_contig(fields: str) -> set[str]:
    """What one contig says: by its assembly in words, and by its length where only one build has it."""
    said = {}
    for part in re.findall(r'([A-Za-z0-9_]+)=("[^"]*"|[^,]*)', fields):
        said[part[0].lower()] = part[1].strip('"')
    builds = {build for build, words in _NAMED if words.search(said.get("assembly", ""))}
    name, length = chromosome(said.get("id", "")), said.get("length", "")
    if name in CHROMOSOMES and length.isascii() and length.isdigit() and len(length) < 12:
        fitting = {build for build in BUILDS if LENGTHS[build][name] == int(length)}
        builds |= fitting or {"another build"}
    return builds


def _date(text: str) -> Moment | None:
    """VCF 4.2 recommends nothing: 20090805, 2015-08-04 and full ISO 8601 are seen."""
    for read in (lambda: iso(text), lambda: by_pattern(text, "%Y%m%d")):
        try:
            return read()
        except FormatError:
            continue
    return None
