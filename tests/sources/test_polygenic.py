"""Polygenic scores: cases made from the format's description, each sum reckoned by hand. The dialect was not seen in the wild."""

import gzip
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import FormatError
from medtwin.sources.polygenic_file import Score, parse, read_score
from medtwin.sources.polygenic_score import Result, result, wanted
from medtwin.sources.vcf_header import header_of
from medtwin.sources.vcf_rows import scan

HEAD = (
    "###PGS CATALOG SCORING FILE\n#format_version=2.0\n##POLYGENIC SCORE (PGS) INFORMATION\n#pgs_id=PGS000000\n#pgs_name=made\n"
    "#trait_reported=nothing\n#weight_type=beta\n#genome_build={build}\n#variants_number=3\n"
)
COLUMNS = "rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"


def score(*rows: str, columns: str = COLUMNS, build: str = "GRCh38", harmonised: str = "") -> bytes:
    head = HEAD.format(build=build) + (f"#HmPOS_build={harmonised}\n" if harmonised else "")
    return (head + columns + "\n" + "".join(f"{row}\n" for row in rows)).encode()


def vcf(*rows: str) -> bytes:
    head = "##fileformat=VCFv4.2\n##reference=GRCh38\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
    made = []
    for row in rows:
        chromosome, position, ref, alt, genotype = row.split()
        made.append(f"{chromosome}\t{position}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t{genotype}\n")
    return (head + "".join(made)).encode()


def of(raw: bytes, *rows: str) -> Result:
    read = parse(raw, "GRCh38")
    lines = io.BytesIO(vcf(*rows))
    header = header_of(lines)
    return result(read, scan(lines, header, wanted(read, "chr" if rows and rows[0].startswith("chr") else "")).found)


def counted(one: Result) -> dict[str, Any]:
    """The counts that are not zero; they add up to the number of variants."""
    names = ("used", "missing", "ambiguous", "other_alleles", "unplaced")
    assert sum(getattr(one, name) for name in names) == one.variants
    return {name: getattr(one, name) for name in (*names, "flipped", "one_allele") if getattr(one, name)}


def test_the_sum_counts_copies_of_the_effect_allele() -> None:
    raw = score("rs1\t1\t100\tA\tG\t0.5", "rs2\t2\t200\tT\tC\t-0.25", "rs3\t3\t300\tC\tA\t1")
    found = of(raw, "chr1 100 G A 0/1", "chr2 200 T C 0/0", "chr3 300 A C 0/0")
    assert found.sum == pytest.approx(0.5 - 0.5 + 0)  # the effect allele is ALT, REF, ALT
    assert counted(found) == {"used": 3}
    assert (found.coverage, found.weight_coverage, found.id) == (1.0, 1.0, "PGS000000")
    phased = of(raw, "1 100 G A 1|1", "2 200 T C 0|1", "3 300 A C 1|1")
    assert phased.sum == pytest.approx(1.0 - 0.25 + 2.0)


def test_what_is_missing_is_counted_and_not_taken_for_the_reference() -> None:
    raw = score("rs1\t1\t100\tA\tG\t0.5", "rs2\t2\t200\tT\tC\t-0.25", "rs3\t\t\tC\tA\t1")
    found = of(raw, "chr1 100 G A 0/1")
    assert found.sum == pytest.approx(0.5)
    assert counted(found) == {"used": 1, "missing": 1, "unplaced": 1}
    assert found.weight_coverage == pytest.approx(2 * 0.5 / (2 * 0.5 + 2 * 0.25))
    assert counted(of(raw, "chr1 100 G A ./.")) == {"missing": 2, "unplaced": 1}


def test_the_other_strand() -> None:
    raw = score("rs1\t1\t100\tA\tG\t0.5", "rs2\t2\t200\tAC\tA\t1")
    found = of(raw, "1 100 C T 0/1", "2 200 T GT 0/1")  # T is A on the other strand; GT is AC
    assert found.sum == pytest.approx(0.5 + 1)
    assert counted(found) == {"used": 2, "flipped": 2}


def test_alleles_that_look_the_same_on_both_strands_are_left_out() -> None:
    raw = score("rs1\t1\t100\tA\tT\t0.5", "rs2\t1\t200\tC\tG\t0.5", "rs3\t1\t300\tA\tG\t0.5")
    found = of(raw, "1 100 A T 1/1", "1 200 C G 1/1", "1 300 A G 0/0")
    assert counted(found) == {"used": 1, "ambiguous": 2}
    assert found.sum == pytest.approx(1.0)


def test_another_variant_at_the_place_does_not_count() -> None:
    raw = score("rs1\t1\t100\tA\tG\t0.5")
    for row in ("1 100 A T 0/0", "1 100 G C 0/1", "1 100 A G,T 1/2", "1 100 GA G 0/1"):
        assert counted(of(raw, row)) == {"other_alleles": 1}
    assert of(raw, "1 100 A T,G 0/2").sum == pytest.approx(0.5)  # one of several alternates is the score's


def test_without_the_other_allele_the_strand_is_not_checked_and_that_is_told() -> None:
    columns = "rsID\tchr_name\tchr_position\teffect_allele\teffect_weight"
    found = of(score("rs1\t1\t100\tA\t0.5", columns=columns), "1 100 G A 0/1")
    assert counted(found) == {"used": 1, "one_allele": 1}
    assert counted(of(score("rs1\t1\t100\tT\t0.5", columns=columns), "1 100 G A 0/1")) == {"other_alleles": 1}


@pytest.mark.parametrize(
    ("flags", "sums"),
    [
        ("False\tFalse", (0.0, 0.5, 1.0)), ("True\tFalse", (0.0, 0.0, 0.5)), ("TRUE\tFALSE", (0.0, 0.0, 0.5)),
        ("False\tTrue", (0.0, 0.5, 0.5)),
    ],
)  # fmt: skip
def test_recessive_and_dominant_weights(flags: str, sums: tuple[float, ...]) -> None:
    raw = score(f"rs1\t1\t100\tA\tG\t0.5\t{flags}", columns=f"{COLUMNS}\tis_recessive\tis_dominant")
    for genotype, expected in zip(("0/0", "0/1", "1/1"), sums, strict=True):
        assert of(raw, f"1 100 G A {genotype}").sum == pytest.approx(expected)


def test_weights_of_each_number_of_copies() -> None:
    columns = COLUMNS.replace("effect_weight", "dosage_0_weight\tdosage_1_weight\tdosage_2_weight")
    raw = score("rs1\t1\t100\tA\tG\t0.1\t0.7\t-2", columns=columns)
    for genotype, expected in (("0/0", 0.1), ("0/1", 0.7), ("1/1", -2.0)):
        assert of(raw, f"1 100 G A {genotype}").sum == pytest.approx(expected)


def test_harmonised_positions_are_those_of_their_build() -> None:
    columns = f"{COLUMNS}\thm_source\thm_rsID\thm_chr\thm_pos\thm_inferOtherAllele"
    raw = score("rs1\t1\t50\tA\tG\t0.5\tENSEMBL\trs1\t1\t100\t", columns=columns, build="GRCh37", harmonised="GRCh38")
    assert (parse(raw, "GRCh38").harmonised, list(parse(raw, "GRCh38").weights)) == (True, [("1", 100)])
    assert (parse(raw, "GRCh37").harmonised, list(parse(raw, "GRCh37").weights)) == (False, [("1", 50)])
    inferred = columns.replace("\tother_allele", "")
    without = score(
        "rs1\t1\t50\tA\t0.5\tENSEMBL\trs1\t1\t100\tG", columns=inferred, build="GRCh37", harmonised="GRCh38"
    )
    assert counted(of(without, "1 100 C T 0/1")) == {"used": 1, "flipped": 1}


@pytest.mark.parametrize("build", ["GRCh37", "hg19", "NR", ""])
def test_a_build_that_is_not_the_genotypes_is_refused(build: str) -> None:
    with pytest.raises(FormatError, match="hmPOS_GRCh38"):
        parse(score("rs1\t1\t100\tA\tG\t0.5", build=build), "GRCh38")


@pytest.mark.parametrize("flag", ["is_interaction", "is_haplotype", "is_diplotype"])
def test_what_is_no_sum_over_variants_is_refused(flag: str) -> None:
    rows = ("rs1\t1\t100\tA\tG\t0.5\tFalse", "rs2\t1\t200\tA\tG\t0.5\tTrue")
    with pytest.raises(FormatError, match=f"{flag}.*line 12") as caught:
        parse(score(*rows, columns=f"{COLUMNS}\t{flag}"), "GRCh38")
    assert "not computed" in caught.value.remedy
    assert parse(score(rows[0], columns=f"{COLUMNS}\t{flag}"), "GRCh38").rows == 1


@pytest.mark.parametrize(
    "raw",
    [
        score(), score("rs1\t1\t100\tA\tG"), score("rs1\t1\t100\tA\tG\tnan"), score("rs1\t1\t100\tA\tG\tx"),
        score("rs1\t1\t100\tHLA-A\tG\t1"), score("rs1\t1\t100\tA,*\tG\t1"),
        score("rs1\t1\t100\tA\tG\t1", columns="a\tb\tc\td\te\tf"),
        score("rs1\t1\t100\tA\tG\t1\tTrue\tTrue", columns=f"{COLUMNS}\tis_recessive\tis_dominant"), b"", b"#pgs_id=1\n",
        score("rs1\t1\t100\tA\tG\t1", columns=COLUMNS.replace("rsID", "chr_name")),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        parse(raw, "GRCh38")


def test_packed_and_plain_are_the_same(tmp_path: Path) -> None:
    raw = score("rs1\t1\t100\tA\tG\t0.5")
    (tmp_path / "a.txt").write_bytes(raw)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(raw))
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(raw)[:-9])
    one: Score = read_score(tmp_path / "a.txt", "GRCh38")
    assert one == read_score(tmp_path / "a.txt.gz", "GRCh38")
    with pytest.raises(FormatError):
        read_score(tmp_path / "cut.txt.gz", "GRCh38")


@given(st.data())
def test_any_score_is_the_sum_over_its_variants(data: st.DataObject) -> None:
    """The dosages are known beforehand: rows, strands and order are made from them."""
    other_strand = str.maketrans("ACGT", "TGCA")
    rows, weights, expected, missing = [], [], 0.0, 0
    for number in range(data.draw(st.integers(1, 8))):
        ref, alt = data.draw(st.sampled_from([("A", "G"), ("C", "T"), ("G", "T"), ("AC", "A"), ("T", "TGG")]))
        of_ref, flip, read = (data.draw(st.booleans()) for _ in range(3))
        copies, weight = data.draw(st.integers(0, 2)), data.draw(st.integers(-9, 9)) / 4
        effect, other = (ref, alt) if of_ref else (alt, ref)
        if flip:
            effect, other = (base.translate(other_strand)[::-1] for base in (effect, other))
        weights.append(f"rs{number}\t3\t{100 + number}\t{effect}\t{other}\t{weight}")
        carried = 2 - copies if of_ref else copies  # of the alternate allele
        if read:
            rows.append(f"chr3 {100 + number} {ref} {alt} {('0/0', '0/1', '1/1')[carried]}")
            expected += copies * weight
        missing += not read
    found = of(score(*data.draw(st.permutations(weights))), *rows)
    assert found.sum == pytest.approx(expected)
    assert (found.missing, found.used) == (missing, len(rows))


@given(st.data())
def test_damaged_scores_give_a_score_or_a_format_error(data: st.DataObject) -> None:
    raw = bytearray(score("rs1\t1\t100\tA\tG\t0.5", "rs2\t2\t200\tT\tC\t-0.25"))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
        raw = raw or bytearray(b"\n")
    with suppress(FormatError):
        parse(bytes(raw), "GRCh38")
