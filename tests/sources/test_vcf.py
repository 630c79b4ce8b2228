"""VCF: which build, which samples, which rows; what becomes a fact, what waits, what is refused."""

import gzip
import io

import pytest

from medtwin.errors import FormatError
from medtwin.record.event import Basis, Flag
from medtwin.sources.ingest import ingest
from medtwin.sources.pharmacogene_call import call
from medtwin.sources.pharmacogenes import genes, wanted
from medtwin.sources.vcf import Reader, alone, sample_rows
from medtwin.sources.vcf_header import header_of
from medtwin.sources.vcf_rows import Genotype, Silent, scan
from sources.reading import events, named, parts, reasons, unmapped

VCF = Reader()
LATE = ("10", 94781859)  # CYP2C19 rs4244285, which *2 has as A


def vcf(*rows: str, samples: str = "S1", head: str = "##reference=GRCh38\n##fileDate=20240105\n") -> bytes:
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    return f"##fileformat=VCFv4.2\n{head}{columns}{samples}\n{''.join(rows)}".encode()


def row(
    genotype: str = "0/1", *, place: tuple[str, int] = LATE, ref: str = "G", alt: str = "A", form: str = "GT",
    passed: str = "PASS", info: str = ".", prefix: str = "chr",
) -> str:  # fmt: skip
    return f"{prefix}{place[0]}\t{place[1]}\trs1\t{ref}\t{alt}\t50\t{passed}\t{info}\t{form}\t{genotype}\n"


def at(*rows: str, column: int = 0, **more: str) -> Genotype | Silent | None:
    lines = io.BytesIO(vcf(*rows, **more))
    header = header_of(lines)
    return scan(lines, header, wanted(), column).found.get(LATE)


def whole(gene: str = "CYP2C19", **other: str) -> list[str]:
    """Rows of all positions of a gene, the reference but for ``other`` by rsid."""
    found = []
    for position in genes()[gene].positions:
        genotype = other.get(position.rsid, "0/0")
        found.append(row(genotype, place=position.place, ref=position.reference, alt=",".join(position.alternates)))
    return found


# the build


@pytest.mark.parametrize(
    ("head", "build"),
    [
        ("##reference=hg38\n", "GRCh38"), ("##reference=file:///ref/Homo_sapiens_assembly38.fasta\n", "GRCh38"),
        ("##reference=human_g1k_v37.fasta\n", "GRCh37"), ("##reference=GCF_000001405.25\n", "GRCh37"),
        ("##reference=GCA_000001405.15_GRCh38_no_alt.fa\n", "GRCh38"), ("##reference=hs37d5.fa\n", "GRCh37"),
        ("##contig=<ID=chr1,length=248956422>\n", "GRCh38"), ("##contig=<ID=1,length=249250621>\n", "GRCh37"),
        ("##contig=<ID=NC_000010.11,length=133797422>\n", "GRCh38"),
        ('##contig=<ID=chr10,assembly=hg38,species="Homo sapiens">\n', "GRCh38"),
        ("##contig=<ID=HLA-A*01:01,length=3503>\n##reference=GRCh38\n", "GRCh38"),
    ],
)  # fmt: skip
def test_the_build_is_what_the_header_says(head: str, build: str) -> None:
    assert header_of(io.BytesIO(vcf(head=head))).build() == build


@pytest.mark.parametrize(
    "head",
    ["", "##reference=GRCh38\n##contig=<ID=1,length=249250621>\n", "##reference=NCBI36\n", "##contig=<ID=chr1,length=7>\n",
     "##reference=chm13v2.0\n"],
)  # fmt: skip
def test_an_unknown_or_contradicting_build_is_refused(head: str) -> None:
    with pytest.raises(FormatError):
        parts(vcf(row(), head=head), VCF)


def test_an_unknown_build_says_what_to_state() -> None:
    with pytest.raises(FormatError, match="##reference=GRCh38"):
        parts(vcf(row(), head=""), VCF)
    assert header_of(io.BytesIO(vcf(head=""))).build("GRCh37") == "GRCh37"
    with pytest.raises(FormatError, match="as stated"):
        header_of(io.BytesIO(vcf())).build("GRCh37")


def test_positions_of_the_other_build_are_no_facts() -> None:
    raw = vcf(row(), head="##reference=hg19\n")
    assert events(raw, VCF) == []
    (reason,) = reasons(raw, VCF)
    assert (reason.expected.startswith("GRCh38"), unmapped(raw, VCF)) == (True, {"variant on GRCh37": 1})


# rows


@pytest.mark.parametrize("prefix", ["chr", "", "CHR"])
def test_a_contig_is_found_under_each_of_its_names(prefix: str) -> None:
    found = at(row(prefix=prefix))
    assert isinstance(found, Genotype)
    assert (found.alleles, found.text) == (("G", "A"), "G/A")


def test_phase_is_kept_with_its_set() -> None:
    phased, in_set = at(row("1|0")), at(row("0|1:77", form="GT:PS"))
    assert isinstance(phased, Genotype)
    assert isinstance(in_set, Genotype)
    assert (phased.alleles, phased.phase, phased.text) == (("A", "G"), "", "A|G")
    assert in_set.phase == "77"


@pytest.mark.parametrize(
    "bad",
    [
        row("./."), row("."), row("0/."), row("0/2"), row("x/1"), row("1"), row("0/1/1"), row("0/1", passed="LowQual"),
        row("0/1:q10", form="GT:FT"), row("7", form="DP"), row("0/1") + row("1/1"), row("0/1") + row("./.", alt="C"),
        row("1/1") + row("0/1", alt="C"), row("0/1") + row("0/1", ref="GA", alt="T"),
    ],
)  # fmt: skip
def test_what_is_not_certain_says_nothing(bad: str) -> None:
    assert isinstance(at(bad), Silent)
    assert events(vcf(bad), VCF) == []


def test_a_position_in_several_rows_is_one_genotype() -> None:
    for rows in (
        (row("0/1"), row("0/1", alt="C")),
        (row("1/0"), row("0/1", alt="C")),
        (row("1|0"), row("0|1", alt="C")),
    ):
        found = at(*rows)
        assert isinstance(found, Genotype)
        assert sorted(found.alleles) == ["A", "C"]
    twice = at(row("0/1"), row("0/1"))
    assert isinstance(twice, Genotype)
    assert twice.alleles == ("G", "A")
    kept = at(row("1|0"), row("0|1", alt="C"))
    assert isinstance(kept, Genotype)
    assert (kept.alleles, kept.phase) == (("A", "C"), "")


def test_a_stretch_of_the_reference_covers_what_lies_in_it() -> None:
    head = '##reference=hg38\n##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'
    block = row("0/0", place=("10", LATE[1] - 50), ref="T", alt="<NON_REF>", info=f"END={LATE[1] + 9}")
    found = at(block, head=head)
    assert isinstance(found, Genotype)
    assert found.reference == ""
    texts = {event.value.code: event.text for event in events(vcf(block, head=head), VCF)}  # type: ignore[union-attr]
    assert texts["rs4244285"] == "G/G"
    short = row("0/0", place=("10", LATE[1] - 50), ref="T", alt="<NON_REF>", info=f"END={LATE[1] - 1}")
    assert at(short, head=head) is None
    assert isinstance(at(block, row("0/1", alt="A,<NON_REF>"), head=head), Genotype)
    assert isinstance(at(block.replace("0/0", "./."), head=head), Silent)


GVCF = '##reference=hg38\n##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'


@pytest.mark.parametrize(
    ("form", "sample"),
    [
        ("GT:DP:GQ:MIN_DP:PL", "0/0:0:0:0:0,0,0"), ("GT:DP", "0/0:0"), ("GT:GQ:MIN_DP", "0/0:9:0"), ("GT:DP:GQ", "0/0:4:0"),
        ("GT:DP:RGQ", "0/0:4:0"), ("GT:DP:PL", "0/0:4:0,0,0"), ("GT:FT:DP", "0/0:PASS:0"),
    ],
)  # fmt: skip
def test_where_nothing_was_read_there_is_no_genotype(form: str, sample: str) -> None:
    place = ("10", LATE[1] - 50)
    block = row(sample, place=place, ref="T", alt="<NON_REF>", info=f"END={LATE[1] + 9}", form=form)
    for silent in (at(block, head=GVCF), at(row(sample, form=form))):
        assert isinstance(silent, Silent)
        assert "0" in silent.why
    assert events(vcf(block, head=GVCF), VCF) == []
    for covered in ("0/0:30:99:21:0,63,900", "0/0:30:1:21:0,0,9", "0/0:.:.:.:."):
        read = row(covered, place=place, ref="T", alt="<NON_REF>", info=f"END={LATE[1] + 9}", form="GT:DP:GQ:MIN_DP:PL")
        assert isinstance(at(read, head=GVCF), Genotype)


@pytest.mark.parametrize(
    "over",
    [
        row("0/1", place=("10", LATE[1] - 25), ref="A" * 40, alt="A"),
        row("0/1", place=("10", LATE[1] - 300), ref="A" * 301, alt="A"),
        row("1/1", place=("10", 94_000_000), ref="A", alt="<DEL>", info="SVTYPE=DEL;END=95000000"),
        row("0/1", place=("10", 94_000_000), ref="A", alt="<DEL>", info="SVTYPE=DEL;SVLEN=-1000000"),
        row("0/1", place=("10", 94_000_000), ref="A", alt="<DUP>,<NON_REF>", info="END=95000000", prefix=""),
        row("0/1", place=("10", LATE[1] - 4), ref="AAAAATG", alt="A", passed="LowQual"),
        row("./.", place=("10", LATE[1] - 4), ref="AAAAATG", alt="A"),
        row("./.", place=("10", LATE[1] - 40), ref="A" * 50, alt="A"),
        row("./.", place=("10", 94_000_000), ref="A", alt="<DEL>", info="END=95000000"),
    ],
)  # fmt: skip
def test_a_position_that_another_row_covers_is_not_assumed(over: str) -> None:
    rows = [one for one in whole() if f"\t{LATE[1]}\t" not in one]
    _, found = sample_rows(vcf(*rows, over))
    held = at(over)
    assert isinstance(held, Silent)
    assert "covers it" in held.why
    gene = genes()["CYP2C19"]
    assert "rs4244285" in call(gene, found.found, assume="reference").missing
    assert call(gene, sample_rows(vcf(*rows))[1].found, assume="reference").sure
    own = at(over, row("0/1"))  # a row of its own is read as before
    assert isinstance(own, Genotype)


def test_a_row_that_reaches_nothing_or_is_the_reference_covers_nothing() -> None:
    for short in (
        row("0/1", place=("10", LATE[1] - 25), ref="A" * 25, alt="A"),
        row("0/0", place=("10", LATE[1] - 25), ref="A" * 40, alt="A"),
        row("0/0", place=("10", 94_000_000), ref="A", alt="<DEL>", info="END=95000000"),
        row("1/1", place=("10", 94_000_000), ref="A", alt="<INS>", info="END=94000000"),
        row("1/1", place=("11", 94_000_000), ref="A", alt="<DEL>", info="END=95000000"),
    ):  # fmt: skip
        assert at(short) is None


def test_an_uncertain_insertion_to_the_right_is_not_taken_for_the_reference() -> None:
    gene = genes()["UGT1A1"]
    rows = [one for one in whole("UGT1A1") if "\t233760233\t" not in one]
    assert call(gene, sample_rows(vcf(*rows))[1].found, assume="reference").sure
    for bad in (row("./.", place=("2", 233760248), ref="A", alt="ATA"), row(
        "0/1", place=("2", 233760248), ref="A", alt="ATA", passed="LowQual"
    )):  # fmt: skip
        said = call(gene, sample_rows(vcf(*rows, bad))[1].found, assume="reference")
        assert "rs3064744" in said.missing
        assert "bcftools norm" in said.why[0]


def test_order_line_ends_and_packing_change_nothing() -> None:
    rows = whole(rs4244285="0/1")
    one = {event.id for event in events(vcf(*rows), VCF)}
    assert one == {event.id for event in events(vcf(*reversed(rows)), VCF)}
    assert one == {event.id for event in events(vcf(*rows).replace(b"\n", b"\r\n"), VCF)}
    assert len(one) > 30


def test_a_broken_row_is_told_with_its_line() -> None:
    raw = vcf(row().rstrip("\n") + "\textra\n", "no tabs here\n")
    assert sorted(reason.where for reason in reasons(raw, VCF)) == ["line 5", "line 6"]


# facts


def test_facts_of_one_sample() -> None:
    found = events(vcf(*whole(rs4244285="1/1", rs12769205="1/1", rs3758581="1/1"), row(place=("1", 5))), VCF)
    by = {event.quantity: event for event in found if event.quantity != "genotype"}
    assert by["cyp2c19_diplotype"].text == "*2/*2"
    assert by["cyp2c19_phenotype"].text == "Poor Metabolizer"
    assert {event.basis for event in by.values()} == {Basis.DERIVED}
    genotype = next(event for event in found if getattr(event.value, "code", "") == "rs4244285")
    assert genotype.text == "A/A"
    assert (genotype.basis, genotype.time.text, genotype.group) == (Basis.OBSERVED, "2024-01-05", "CYP2C19")
    assert genotype.flags == (Flag.OFFSET_UNKNOWN,)


def test_a_file_without_a_date_is_flagged() -> None:
    (event, *_) = events(vcf(row(), head="##reference=hg38\n"), VCF)
    assert Flag.TIME_ASSUMED in event.flags
    assert event.time.text == "2026-01-01"


def test_a_reference_that_the_file_assumes_is_no_fact() -> None:
    raw = vcf(row("0/0", alt=".", info="assume-default"))
    assert events(raw, VCF) == []
    assert unmapped(raw, VCF) == {"genotype that the file assumes (assume-default)": 1}
    assert len(events(vcf(row("0/1", info="assume-default")), VCF)) == 2  # not the reference: it was read


def test_several_samples_are_several_people() -> None:
    raw = vcf(*(one.rstrip("\n") + "\t1/1\n" for one in whole()), samples="S1\tS2")
    found = parts(raw, VCF)
    assert [part.owner.value.rpartition("/")[2] for part in found] == ["S1", "S2"]
    assert all(part.several and not part.named for part in found)
    assert b"\tS2" not in found[0].raw
    assert b"1/1" not in found[0].raw
    assert found[1].raw.count(b"\n") == raw.count(b"\n")
    assert parts(found[1].raw, VCF, anonymous=found[1].owner.value)[0].owner == found[1].owner


@pytest.mark.parametrize("samples", ["S1", "S1\tS2"])
def test_files_of_one_long_header_are_different_people(store, grant, tmp_path, samples) -> None:
    head = "##reference=GRCh38\n##fileDate=20240105\n" + "##note=the same for everybody\n" * 3000
    for name, genotype in (("one.vcf", "0/1"), ("two.vcf", "1/1")):
        rest = "\t0/0" * samples.count("\t")
        (tmp_path / name).write_bytes(vcf(row(genotype).rstrip("\n") + rest + "\n", head=head, samples=samples))
        ingest([tmp_path / name], store, grant)
    assert len(store.unassigned(grant)) == 2 * (1 + samples.count("\t"))


def test_several_samples_wait_whoever_is_stated(store, grant, tmp_path) -> None:
    (tmp_path / "two.vcf").write_bytes(vcf(*(one.rstrip("\n") + "\t1/1\n" for one in whole()), samples="S1\tS2"))
    report = ingest([tmp_path / "two.vcf"], store, grant, patient="anna")
    assert report.patients == []
    assert report.sources[0].unassigned == report.sources[0].read > 60
    assert len({key.value for key in store.unassigned(grant)}) == 2
    assert sum("medtwin assign" in one for one in report.notes) == 2
    assert sum("--patient was not used" in one for one in report.notes) == 1


def test_a_packed_file_with_its_index_beside_it(store, grant, tmp_path) -> None:
    """bgzip is a row of gzip members; a tabix index holds nothing of its own."""
    content = vcf(*whole())
    middle = content.index(b"chr10")
    (tmp_path / "a.vcf.gz").write_bytes(
        gzip.compress(content[:middle]) + gzip.compress(content[middle:]) + gzip.compress(b"")
    )
    (tmp_path / "a.vcf.gz.tbi").write_bytes(gzip.compress(b"TBI\x01" + bytes(32)))
    report = ingest([tmp_path], store, grant, patient="anna")
    assert (report.patients, report.quarantine, report.not_stored) == (["anna"], [], [])
    assert store.record("anna", grant).of("cyp2c19_diplotype")
    again = ingest([tmp_path], store, grant, patient="anna")
    assert again.new == 0


def test_a_large_file_is_kept_chromosome_by_chromosome(store, grant, tmp_path, monkeypatch) -> None:
    rows = [*whole("DPYD"), *whole("TPMT", rs1142345="0/1"), *whole("CYP2C19"), *whole("CYP2C9")]
    content = vcf(*rows)
    facts = {event.id for event in events(content, VCF)}
    monkeypatch.setattr("medtwin.sources.vcf.WHOLE", 4000)
    found = parts(content, VCF)
    assert len(found) == 3  # both CYP2C genes are on chromosome 10
    assert len({part.owner for part in found}) == 1
    assert b"".join(part.raw.partition(b"S1\n")[2] for part in found) == content.partition(b"S1\n")[2]
    assert {event.id for event in events(content, VCF)} == facts
    (tmp_path / "large.vcf").write_bytes(content)
    report = ingest([tmp_path / "large.vcf"], store, grant, patient="anna")
    assert (report.raw_kept, report.patients, report.new) == (3, ["anna"], len(facts))
    with pytest.raises(FormatError, match="bcftools sort"):
        parts(vcf(*whole("TPMT"), *whole("CYP2C19"), *whole("TPMT")), VCF)


@pytest.mark.parametrize(
    "raw",
    [b"##fileformat=VCFv4.2\nchr1\t1\n", b"BCF\x02\x02rest", vcf(samples="S\tS"), b"##fileformat=VCFv4.2\n",
     vcf().replace(b"\tFORMAT\tS1", b""), b"##fileformat=VCFv4.2\n#CHROM POS ID\n", vcf(samples="\t".join(map(str, range(501))))],
)  # fmt: skip
def test_what_is_no_vcf_is_refused(raw: bytes) -> None:
    assert named(raw) == "vcf"
    with pytest.raises(FormatError):
        parts(raw, VCF)


def test_the_bytes_of_a_sample_are_a_vcf() -> None:
    raw = vcf(row("0/1\t1/1\t./."), samples="A\tB\tC")
    assert header_of(io.BytesIO(alone(raw, 1))).samples == ("B",)
    assert alone(raw, 1).endswith(b"GT\t1/1\n")
