"""The rows of a VCF: genotypes at the positions that are asked for, in one pass over the lines.

What is not certain is not there: a genotype that is absent (``./.``), fails a filter, is not of two alleles, or whose rows
contradict each other is a :class:`Silent` position with its reason; so is one without reads (a gVCF writes ``0/0`` there, with
a depth of 0), and one without a row of its own that a deletion or a structural variant further left covers, whether that was
called, fails a filter or is ``./.``. A multi-allelic position may stand in one row or in several.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from medtwin.sources.vcf_header import Header

Place = tuple[str, int]  #: (chromosome without ``chr``, position from 1)
_BLOCK = (".", "<NON_REF>", "<*>")  #: ALT of a stretch of the reference
_NONE = re.compile(r"-?0+(\.0*)?(,-?0+(\.0*)?)*")
_PASSED = ("PASS", ".", "", "0")
_PLAIN = {f"{one}{mark}{two}": (one, two) for one in range(3) for two in range(3) for mark in "/|"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Genotype:
    """Two alleles of one sample at one position, in letters."""

    reference: str  #: REF as the row has it
    alternates: tuple[str, ...]
    alleles: tuple[str, str]
    phase: str | None  #: name of its phase set, ``""`` for the one of the whole chromosome; None where it is not phased
    assumed: bool  #: the file's maker took it for the reference without having read it (INFO ``assume-default``)
    line: int

    @property
    def heterozygous(self) -> bool:
        return self.alleles[0] != self.alleles[1]

    @property
    def varies(self) -> bool:
        """Whether an allele is not the reference."""
        return self.alleles != (self.reference, self.reference)

    @property
    def text(self) -> str:
        return ("/" if self.phase is None else "|").join(self.alleles)


@dataclass(frozen=True, slots=True)
class Silent:
    """A position whose row says nothing that can be used."""

    why: str
    line: int
    reference: str = ""  #: REF as the row has it
    alternates: tuple[str, ...] = ()
    beneath: tuple[Place, ...] = ()  #: it has no row; the rows at these places cover it


@dataclass(slots=True)
class Rows:
    """What one pass found."""

    found: dict[Place, Genotype | Silent] = field(default_factory=dict)
    seen: int = 0  #: rows in all
    broken: list[tuple[int, str]] = field(default_factory=list)  #: (line, why) of rows that are none


def names_of(place: Place) -> tuple[bytes, ...]:
    """How a row may begin that is at this place."""
    chromosome, position = place
    return tuple(f"{prefix}{chromosome}\t{position}".encode() for prefix in ("", "chr", "Chr", "CHR"))


def scan(lines: Iterable[bytes], header: Header, wanted: Mapping[bytes, Place], column: int = 0) -> Rows:
    """Rows after the header. ``wanted`` maps the beginning of a row (:func:`names_of`) to its place; ``column`` counts samples.

    Rows need not be in order. Several rows at one place are put together.
    """
    rows = Rows()
    several: dict[Place, list[Genotype | Silent]] = {}
    found = rows.found
    blocks: dict[Place, tuple[int, list[str]]] = {}
    covers: dict[Place, dict[Place, int]] = {}  #: place -> places and lines of the rows that cover it
    places = _sorted(wanted)
    width = 9 + len(header.samples)
    get = wanted.get
    number = header.lines
    for number, line in enumerate(lines, start=header.lines + 1):
        tab = line.find(b"\t", line.find(b"\t") + 1)
        place = get(line[:tab])
        after = line.find(b"\t", tab + 1)  # REF lies between this tab and the next, ALT behind it
        other = line.find(b"\t", after + 1)
        reaches = other - after > 2 or line.find(b"<", other, line.find(b"\t", other + 1)) >= 0
        if (
            place is None
            and not (header.blocks and b"END=" in line)
            and not (reaches and _near(line, after, other, places))
        ):
            if tab < 1 and line.strip():
                rows.broken.append((number, "a row without tabs"))
            continue
        cells = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        if len(cells) != width:
            rows.broken.append((number, f"a row of {len(cells)} cells where {width} are expected"))
            continue
        if place is not None:
            one = _genotype(cells, column, number)
            if place not in found:
                found[place] = one
            else:
                several.setdefault(place, [found[place]]).append(one)
        if header.blocks and "END=" in cells[7]:
            for inside in _within(cells, places):
                blocks.setdefault(inside, (number, cells))
        if reaches and (beneath := _beneath(cells, places)):
            one = _genotype(cells, column, number)
            if isinstance(one, Silent) or one.varies:
                for inside in beneath:
                    covers.setdefault(inside, {})[inside[0], int(cells[1])] = number
    rows.seen = number - header.lines
    for place, those in several.items():
        found[place] = _together(those)
    for place, those_rows in covers.items():
        if place not in found:
            first, number = next(iter(those_rows.items()))
            why = f"the row at {first[1]} covers it with other alleles, or without a genotype"
            found[place] = Silent(why, number, beneath=tuple(those_rows))
    for place, (at, cells) in blocks.items():
        if place not in found:
            found[place] = _block(cells, column, at)
    return rows


def _sorted(wanted: Mapping[bytes, Place]) -> dict[str, list[int]]:
    places: dict[str, set[int]] = {}
    for chromosome, position in wanted.values():
        places.setdefault(chromosome, set()).add(position)
    return {chromosome: sorted(positions) for chromosome, positions in places.items()}


def _within(cells: list[str], places: dict[str, list[int]]) -> list[Place]:
    """Places after the first of a stretch of the reference, up to its END."""
    from medtwin.sources.vcf_header import chromosome

    end = _stated(cells[7], "END=")
    if cells[4] not in _BLOCK or not _whole(end) or not _whole(cells[1]):
        return []
    return _between(chromosome(cells[0]), int(cells[1]), int(end), places)


def _between(name: str, at: int, end: int, places: dict[str, list[int]]) -> list[Place]:
    here = places.get(name, [])
    return [(name, position) for position in here[bisect_right(here, at) : bisect_right(here, end)]]


def _stated(info: str, key: str) -> str:
    return next((part[len(key) :] for part in info.split(";") if part.startswith(key)), "")


def _near(line: bytes, after: int, other: int, places: dict[str, list[int]]) -> bool:
    """Whether a row may cover a place: without a symbolic allele its REF tells how far it reaches."""
    from medtwin.sources.vcf_header import chromosome

    name, _, position = line[: line.find(b"\t", line.find(b"\t") + 1)].partition(b"\t")
    here = places.get(chromosome(name.decode("utf-8", "replace")), [])
    if not here or not position.isdigit() or len(position) > 11:
        return False
    if line.find(b"<", other, line.find(b"\t", other + 1)) >= 0:
        return True
    return bisect_right(here, int(position)) < bisect_right(here, int(position) + other - after - 2)


def _beneath(cells: list[str], places: dict[str, list[int]]) -> list[Place]:
    """Places after the first that a row reaches: by its REF, and by END or SVLEN of a structural variant (VCF 4.4, 5.4)."""
    from medtwin.sources.vcf_header import chromosome

    if not _whole(cells[1]):
        return []
    at = int(cells[1])
    ends = [at + len(cells[3]) - 1]
    if any(one.startswith("<") and one not in _BLOCK for one in cells[4].split(",")):
        ends += [int(end) for end in (_stated(cells[7], "END="),) if _whole(end)]
        lengths = (one.lstrip("-") for one in _stated(cells[7], "SVLEN=").split(","))
        ends += [at + int(length) for length in lengths if _whole(length)]
    return _between(chromosome(cells[0]), at, max(ends), places)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12


def _block(cells: list[str], column: int, line: int) -> Genotype | Silent:
    """A place inside of a stretch: the reference allele, whose letter the file does not write (``""``)."""
    read = _genotype(cells, column, line)
    if isinstance(read, Silent):
        return read
    if read.varies:
        return Silent("a stretch of the reference with another genotype", line)
    return Genotype(reference="", alternates=(), alleles=("", ""), phase=None, assumed=read.assumed, line=line)


def _genotype(cells: list[str], column: int, line: int) -> Genotype | Silent:
    others = tuple(base.upper() for base in cells[4].split(",") if base != ".")

    def silent(why: str) -> Silent:
        return Silent(why, line, cells[3].upper(), tuple(base for base in others if base not in _BLOCK))

    failed, form, sample = cells[6].strip(), cells[8], cells[9 + column]
    if failed not in _PASSED:
        return silent(f"it fails the filter {failed[:40]}")
    set_name = ""
    if form != "GT" and (why := _unread(form, sample)):
        return silent(why)
    if form.startswith("GT") and ":FT" not in form and ":PS" not in form:
        written = sample.partition(":")[0]
    else:
        values = dict(zip(form.split(":"), sample.split(":"), strict=False))
        if values.get("FT", "PASS") not in _PASSED:
            return silent(f"it fails the filter {values['FT'][:40]}")
        written, set_name = values.get("GT", "."), values.get("PS", "")
    bases = (cells[3].upper(), *others)
    numbers = _PLAIN.get(written) or _numbers(written)
    if isinstance(numbers, str):
        return silent(numbers)
    if max(numbers) >= len(bases):
        return silent(f"the genotype {written[:20]!r} names no allele of the row")
    one, two = bases[numbers[0]], bases[numbers[1]]
    if "<" in cells[4]:
        others = tuple(base for base in others if base not in ("<NON_REF>", "<*>"))
    return Genotype(
        reference=bases[0], alternates=others, alleles=(one, two), line=line,
        phase=("" if set_name == "." else set_name) if "|" in written else None,
        assumed=one == two == bases[0] and "assume-default" in cells[7].split(";"),
    )  # fmt: skip


def _unread(form: str, sample: str) -> str:
    """Why a sample has no genotype whatever its GT says: callers write 0/0 where nothing was read."""
    for key, value in zip(form.split(":"), sample.split(":"), strict=False):
        if key in ("DP", "MIN_DP") and _NONE.fullmatch(value):
            return f"no reads ({key} 0)"
        if key in ("GQ", "RGQ") and _NONE.fullmatch(value):
            return f"no genotype is more probable than another ({key} 0)"
        if key == "PL" and _NONE.fullmatch(value):
            return "no genotype is more probable than another (PL all 0)"
    return ""


def _numbers(written: str) -> tuple[int, int] | str:
    """Numbers of two alleles, or why a GT is none."""
    indices = written.replace("|", "/").lstrip("/").split("/")
    if "." in indices:
        return "no genotype was called"
    if not all(map(_whole, indices)):
        return f"the genotype {written[:20]!r} names no allele of the row"
    if len(indices) != 2:
        return f"a genotype of {len(indices)} alleles where two are expected"
    return int(indices[0]), int(indices[1])


def _together(several: list[Genotype | Silent]) -> Genotype | Silent:
    """One genotype of the rows of one place: the same row again, or alternate alleles that stand in rows of their own."""
    called = [one for one in several if isinstance(one, Genotype)]
    if not called or len(several) == 1:
        return several[0]
    line, reference = several[0].line, called[0].reference
    if len(called) < len(several):
        longest = max((one.reference for one in several), key=len)
        others = tuple(dict.fromkeys(base for one in several for base in one.alternates))
        return Silent("several rows, of which one has no genotype", line, longest, others)
    distinct = list({(one.reference, one.alternates, one.alleles): one for one in called}.values())
    if len(distinct) == 1:
        return called[0]
    if any(one.reference != reference for one in distinct):
        return Silent("several rows with different reference alleles", line)
    named = [base for one in distinct for base in one.alternates]
    phases = {one.phase for one in distinct}
    phase = phases.pop() if len(phases) == 1 else None
    sides = [[base for one in distinct if (base := one.alleles[side]) != reference] for side in (0, 1)]
    if phase is None:  # which copy an unphased row names first means nothing
        carried = [*sides[0], *sides[1], reference, reference]
        sides = [carried[1:2], carried[:1]] if len(sides[0]) + len(sides[1]) <= 2 else [carried, carried]
    if len(set(named)) < len(named) or max(map(len, sides)) > 1:
        return Silent("several rows that contradict each other", line)
    one, two = (side[0] if side else reference for side in sides)
    return Genotype(
        reference=reference, alternates=tuple(named), alleles=(one, two), phase=phase,
        assumed=all(one.assumed for one in distinct), line=line,
    )  # fmt: skip
