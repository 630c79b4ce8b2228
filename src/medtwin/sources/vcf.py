"""VCF (4.1 to 4.4), plain, gzip or bgzip: genotypes of one or several people at the positions of pharmacogenes.

A genome has millions of variants; those at CPIC's positions become facts, the rest is counted, and the bytes are kept. From
the genotypes follow diplotypes, phenotypes and activity scores (derived facts) where they leave one answer; an open call is
kept in words. A sample's name names nobody, so facts wait for ``medtwin assign`` or ``--patient``; several samples are
several people.

Only the build GRCh38 has definitions here. Genotypes are true since birth; their time is the file's date, else that of
intake, flagged.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.record.event import Basis, Code, Event, Flag, SourcePatient
from medtwin.record.moment import Moment, Precision
from medtwin.sources.fact import Facts
from medtwin.sources.item import WHOLE_LIMIT, Intake, Item, Origin, Part, Payload, Reason, Unmapped
from medtwin.sources.pharmacogene_call import Call, calls
from medtwin.sources.pharmacogenes import Gene, Position, genes, wanted
from medtwin.sources.vcf_header import Header, header_of
from medtwin.sources.vcf_rows import Genotype, Rows, Silent, scan

DIALECT = "vcf/1"
BUILD = "GRCh38"  #: of the definitions
MOST_SAMPLES = 500
WHOLE = 256 * 1024 * 1024  #: bytes up to which a file is kept as one, else chromosome by chromosome
CPIC, DBSNP, POSITION = "https://cpicpgx.org", "https://www.ncbi.nlm.nih.gov/snp", "urn:medtwin:position"
_INDEX = (b"TBI\x01", b"CSI\x01")  #: tabix' indices, unpacked: they lie beside a file and hold nothing of their own


class Reader:
    """Dialect ``vcf``."""

    name, version = "vcf", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        start = head.removeprefix(b"\xef\xbb\xbf")
        vcf = start.startswith((b"##fileformat=VCF", b"BCF\x02", *_INDEX))
        return 0.95 if vcf or start.startswith(b"#CHROM\tPOS\tID\tREF\tALT") else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        with payload.open() as stream:
            start = stream.read(1 << 16)
        if start.startswith(_INDEX):
            return
        if start.startswith(b"BCF\x02"):
            raise FormatError("a BCF", expected="a VCF", remedy="bcftools view -Oz file.bcf -o file.vcf.gz")
        with payload.open() as stream:
            header = header_of(stream)
        header.build()
        if not header.samples:
            raise FormatError(
                "a VCF without samples", expected="a column of genotypes after FORMAT", where=f"line {header.lines}"
            )
        if len(header.samples) > MOST_SAMPLES:
            raise FormatError(
                f"a VCF of {len(header.samples)} samples", expected=f"at most {MOST_SAMPLES}", remedy="divide it: bcftools +split"
            )  # fmt: skip
        system, several = intake.source or "vcf", len(header.samples) > 1
        mark = _mark(payload) if several else ""
        for number, piece in enumerate(pieces(payload)):
            for column, sample in enumerate(header.samples):
                raw = alone(piece, column) if several else piece
                value = f"anonymous-{mark}/{sample[:80]}" if several else intake.anonymous
                owner = SourcePatient(system, value)
                whose = f"the sample {sample[:80]!r} names nobody: say whose it is with `medtwin assign`"
                yield Part(
                    owner=owner, system=system, raw=raw, named=False, media_type="text/plain", several=several,
                    keyed="" if number else whose + ("" if several else ", or --patient"), read=_reading(raw, owner, intake),
                )  # fmt: skip


def _mark(payload: Payload) -> str:
    """Of all of the content: what differs between two files of one pipeline may stand behind a long header."""
    mark = blake2b(digest_size=12)
    with payload.open() as stream:
        while chunk := stream.read(1 << 20):
            mark.update(chunk)
    return mark.hexdigest()


def pieces(payload: Payload) -> Iterator[bytes]:
    """The whole file, or, of a larger one, a VCF for each chromosome: no gene lies on two.

    Raises :class:`FormatError` where a large file has the rows of a chromosome in two places, or one that is too large itself.
    """
    with payload.open() as stream:
        content = stream.read(WHOLE + 1)
        if len(content) <= WHOLE:
            yield content
            return
    del content
    head, held, contig = b"", bytearray(), b""
    seen: set[bytes] = set()
    with payload.open() as stream:
        for line in stream:
            if line.startswith(b"#") and not seen:
                head += line
                continue
            name = line[: line.find(b"\t")]
            if name != contig:
                if held:
                    yield head + bytes(held)
                if name in seen:
                    raise FormatError(
                        f"rows of {name[:40].decode('utf-8', 'replace')} in two places of a file of more than {WHOLE >> 20} MiB",
                        expected="a sorted file", remedy="bcftools sort",
                    )  # fmt: skip
                seen.add(name)
                held, contig = bytearray(), name
            held += line
            if len(held) > WHOLE_LIMIT:
                raise FormatError(
                    f"more than {WHOLE_LIMIT >> 20} MiB of one chromosome", expected="less",
                    remedy="leave out what is not needed, say with bcftools annotate -x INFO,^FORMAT/GT,FORMAT/PS",
                )  # fmt: skip
    if held:
        yield head + bytes(held)


def _reading(raw: bytes, owner: SourcePatient, intake: Intake) -> Callable[[Origin], Iterable[Item]]:
    return lambda origin: _read(raw, Facts(owner, owner.system, DIALECT, origin, intake), intake)


def alone(content: bytes, column: int) -> bytes:
    """The bytes of one sample of several: all lines, with its column only."""
    kept = []
    for line in content.splitlines(keepends=True):
        if line.startswith(b"##") or not line.strip():
            kept.append(line)
            continue
        cells = line.rstrip(b"\r\n").split(b"\t")
        kept.append(b"\t".join([*cells[:9], *cells[9 + column : 10 + column]]) + b"\n")
    return b"".join(kept)


def sample_rows(content: bytes, column: int = 0) -> tuple[Header, Rows]:
    """Header and genotypes at all pharmacogenes' positions of one sample; raises :class:`FormatError`."""
    lines = io.BytesIO(content)
    header = header_of(lines)
    return header, scan(lines, header, wanted(), column)


def _read(content: bytes, facts: Facts, intake: Intake) -> Iterator[Item]:
    header, rows = sample_rows(content)
    for line, why in rows.broken:
        yield Reason(
            found=why, expected="cells as the line #CHROM has them", where=f"line {line}", remedy="get the file again"
        )
    build = header.build()
    if build != BUILD:
        yield Reason(
            found=f"positions of {build}", expected=f"{BUILD}, which CPIC's definitions are of", where="the header",
            remedy="lift the file over (bcftools +liftover, CrossMap) and take it in again",
        )  # fmt: skip
        yield Unmapped(f"variant on {build}", rows.seen)
        return
    time, flags = header.date, tuple[Flag, ...]()
    if time is None:
        time, flags = Moment(intake.now.replace(tzinfo=None), Precision.DAY, 0), (Flag.TIME_ASSUMED,)
    elif time.zone is None and time.offset is None and intake.zone:
        time = Moment(time.local, time.precision, None, intake.zone)
    for event in _facts(rows, facts, time, header.date.text if header.date else "undated"):
        yield replace(event, flags=(*event.flags, *flags)) if isinstance(event, Event) and flags else event
    own = {position.place for gene in genes().values() for position in (*gene.positions, *gene.extra)}
    mine = [one for place, one in rows.found.items() if place in own]
    silent = sum(isinstance(one, Silent) for one in mine)
    assumed = sum(isinstance(one, Genotype) and one.assumed for one in mine)
    rest = rows.seen - len({one.line for one in mine}) - len(rows.broken)
    for kind, count in (
        ("variant at no position of a pharmacogene", rest), ("genotype that was not called or is not certain", silent),
        ("genotype that the file assumes (assume-default)", assumed),
    ):  # fmt: skip
        if count > 0:
            yield Unmapped(kind, count)


def _facts(rows: Rows, facts: Facts, time: Moment, file: str) -> Iterator[Event | Unmapped]:
    """``file`` tells files apart: one of another date is another statement, which stands beside the first."""
    done = set()
    for gene in genes().values():
        for position in (*gene.positions, *gene.extra):
            row = rows.found.get(position.place)
            if isinstance(row, Genotype) and not row.assumed and position.place not in done:
                done.add(position.place)
                yield _genotype(gene, position, row, facts, time, file)
    for call in calls(rows.found):
        yield from call_facts(call, facts, time, file)
        if call.read and not call.diplotypes:
            yield Unmapped(f"{call.gene} without a call: {call.why[0]}"[:200])


def _genotype(gene: Gene, position: Position, row: Genotype, facts: Facts, time: Moment, file: str) -> Event:
    text = row.text if row.reference else f"{position.reference}/{position.reference}"
    chromosome, at = position.place
    code = Code(DBSNP, position.rsid, f"{gene.name} {position.rsid} {text}")
    if not position.rsid:
        code = Code(POSITION, f"{BUILD}:{chromosome}:{at}", f"{gene.name} chr{chromosome}:{at} {text}")
    return facts.coded(
        "genotype",
        code,
        time,
        f"genotype|{BUILD}|{chromosome}:{at}|{file}",
        f"line {row.line}",
        text=text,
        group=gene.name,
    )


def call_facts(call: Call, facts: Facts, time: Moment, file: str) -> Iterable[Event]:
    """What a call says as derived facts; a gene none of whose positions was read, or without a call, has none."""
    if not call.read or not call.diplotypes:
        return
    name, where = call.gene.lower(), f"{call.read} of {call.positions} positions"
    words = f"{call.gene} {call.said}"
    made = [
        facts.coded(
            f"{name}_diplotype", Code(CPIC, words, words), time, f"diplotype|{call.gene}|{file}", where, text=call.said,
            group=call.gene,
        )
    ]  # fmt: skip
    if (said := call.phenotype) is not None:
        code, key = Code(CPIC, said, f"{call.gene} {said}"), f"phenotype|{call.gene}|{file}"
        made.append(facts.coded(f"{name}_phenotype", code, time, key, where, text=said, group=call.gene))
    if (score := call.activity) is not None:
        quantity = registry.get(f"{name}_activity_score")
        event = facts.number(quantity, f"{score:g}", "1", time, f"activity|{call.gene}|{file}", where, group=call.gene)
        assert isinstance(event, Event)
        made.append(event)
    yield from (replace(event, basis=Basis.DERIVED) for event in made)
