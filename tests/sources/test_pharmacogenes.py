"""Calls of pharmacogenes: each defined allele is found again, and what is not known stays open."""

import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.quantities.genome import PHARMACOGENES
from medtwin.sources import pharmacogene_tables
from medtwin.sources.pharmacogene_call import Assume, Call, call, phenotype
from medtwin.sources.pharmacogenes import UNSTATED, Gene, consistent, content, genes, read_at
from medtwin.sources.recognise import dialects
from medtwin.sources.vcf_rows import Genotype, Silent
from sources.reading import events
from sources.test_fhir_r4 import bundle, observation

READERS = {dialect.name: dialect for dialect in dialects()}


def genotype(ref: str, one: str, two: str, phase: str | None = None, *, assumed: bool = False) -> Genotype:
    return Genotype(
        reference=ref, alternates=tuple({one, two} - {ref}), alleles=(one, two), phase=phase, assumed=assumed, line=1
    )


def rows(gene: Gene, first: str, second: str, phase: str | None = None, *, leave: tuple[str, ...] = ()) -> dict:
    """Genotypes of somebody with these two alleles: where a definition allows several bases, the first by letter."""
    found = {}
    for position, mine, other in zip(gene.positions, gene.alleles[first], gene.alleles[second], strict=True):
        if position.name not in leave:
            one, two = (position.reference if position.reference in bases else min(bases) for bases in (mine, other))
            found[position.place] = genotype(position.reference, one, two, phase)
    return found


def of(name: str, phase: str | None = None, assume: Assume = "nothing", **read: str) -> Call:
    """A call of a gene that is the reference but for the genotypes ``read`` by rsid, such as ``rs4244285="GA"``."""
    gene = genes()[name]
    found: dict = {}
    for position in gene.positions:
        said = read.get(position.rsid, position.reference * 2 if len(position.reference) == 1 else None)
        if said == "--":
            continue
        one, two = (position.reference,) * 2 if said is None else said.split(",") if "," in said else said
        found[position.place] = genotype(position.reference, one, two, phase)
    return call(gene, found, assume=assume)


def test_the_table_is_of_the_genes_that_have_quantities() -> None:
    assert tuple(genes()) == tuple(PHARMACOGENES) == pharmacogene_tables.GENES
    assert content()["dialect"] == pharmacogene_tables.DIALECT
    sources = content()["sources"]
    for name, entry in content()["genes"].items():
        assert all(row[4] in sources for row in entry["phenotypes"])
        assert entry["functions_source"] in sources
        scored = any(row[3] is not None for row in entry["phenotypes"])
        assert scored == PHARMACOGENES[name][1], name


@pytest.mark.shared
def test_the_shipped_definitions_are_made_from_the_folder(shared_data: Path) -> None:
    made = pharmacogene_tables.table(shared_data / "plumbing" / "pgx_allele_definitions")
    assert pharmacogene_tables.written(made) == pharmacogene_tables.SHIPPED.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in genes() if name != "DPYD"])
def test_every_allele_is_found_again(name: str) -> None:
    gene = genes()[name]
    for allele in gene.alleles:
        found = call(gene, rows(gene, allele, allele))
        assert f"{allele}/{allele}" in found.diplotypes, allele
        assert found.read == len(gene.positions)


@given(st.data())
def test_two_phased_alleles_are_found_again(data: st.DataObject) -> None:
    gene = genes()[data.draw(st.sampled_from(["CYP2C19", "CYP2C9", "CYP2D6", "SLCO1B1", "TPMT", "NUDT15", "UGT1A1"]))]
    one, two = (data.draw(st.sampled_from(sorted(gene.alleles))) for _ in range(2))
    leave = tuple(data.draw(st.lists(st.sampled_from([p.name for p in gene.positions]), max_size=3)))
    phased, open_ = call(gene, rows(gene, one, two, "", leave=leave)), call(gene, rows(gene, one, two, leave=leave))
    expected = {f"{one}/{two}", f"{two}/{one}"}
    assert expected & set(phased.diplotypes)
    assert set(phased.diplotypes) <= set(open_.diplotypes)  # what phase excludes, and nothing else, is added without it


def brute(definition: dict, observed: dict[int, tuple[str, str]]) -> set[frozenset[str]]:
    """All pairs by each way of splitting the heterozygous positions, from the raw file: slow, and written apart from ours."""
    letters = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}
    variants = definition["variants"]
    places = [n for n, v in enumerate(variants) if v["position"] in observed]
    reference = next(a for a in definition["namedAlleles"] if a["reference"])["alleles"]

    def carriers(haplotype: tuple[str, ...]) -> set[str]:
        found = set()
        for allele in definition["namedAlleles"]:
            bases = [allele["alleles"][n] or reference[n] for n in places]
            if all(base == have or have in letters.get(base, "") for base, have in zip(bases, haplotype, strict=True)):
                found.add(allele["name"])
        return found

    pairs = [observed[variants[n]["position"]] for n in places]
    found = set()
    for split in itertools.product(*({pair, pair[::-1]} for pair in pairs)):
        mine, other = tuple(one for one, _ in split), tuple(two for _, two in split)
        found |= {frozenset({a, b}) for a in carriers(mine) for b in carriers(other)}
    return found


@pytest.mark.shared
@pytest.mark.parametrize("name", ["CYP2C19", "TPMT", "CYP2C9", "UGT1A1", "CYP3A5"])
def test_the_pairs_are_those_of_trying_every_split(name: str, shared_data: Path) -> None:
    path = shared_data / "plumbing" / "pgx_allele_definitions" / f"{name}_translation.json.gz"
    definition = json.loads(gzip.decompress(path.read_bytes()))
    gene = genes()[name]
    alleles = sorted(gene.alleles)
    for number in range(12):
        one, two = alleles[(7 * number) % len(alleles)], alleles[(11 * number + 3) % len(alleles)]
        leave = tuple(position.name for position in gene.positions[number::9])
        found = call(gene, rows(gene, one, two, leave=leave))
        read = {place[1]: row.alleles for place, row in rows(gene, one, two, leave=leave).items()}
        assert {frozenset(said.split("/")) for said in found.diplotypes} == brute(definition, read)


def test_the_reference_of_cyp2c19_is_38() -> None:
    assert of("CYP2C19").diplotypes == ("*38/*38",)
    assert of("CYP2C19", rs3758581="GG").diplotypes == ("*1/*1",)
    assert of("CYP2C19", rs3758581="--").diplotypes == ("*1/*1", "*1/*38", "*38/*38")


@pytest.mark.parametrize(
    ("gene", "read", "expected"),
    [
        ("SLCO1B1", {"rs2306283": "AG", "rs11045819": "CA", "rs4149056": "CT"}, ("*4/*15", "*5/*14")),
        ("SLCO1B1", {"rs2306283": "AG", "rs4149056": "CC"}, ("*5/*15",)),
        ("SLCO1B1", {"rs2306283": "AG", "rs4149056": "TC"}, ("*1/*15", "*5/*37")),
        ("SLCO1B1", {"rs2306283": "AG", "rs4149056": "TC", "rs140790673": "--"}, ("*1/*15", "*5/*29", "*5/*37")),
        ("CYP2C19", {"rs4244285": "GA", "rs3758581": "GG", "rs12769205": "--"}, ("*1/*2", "*2/*35")),
        ("CYP2C19", {"rs3758581": "GG", "rs12248560": "--"}, ("*1/*1", "*1/*17", "*17/*17")),
        ("CYP2C19", {"rs17882687": "CC", "rs113934938": "GA", "rs3758581": "--", "rs17885179": "--"}, ("*15/*28", "*28/*39")),
        ("CYP2C19", {"rs12248560": "TT", "rs28399504": "--"}, ()), ("CYP2C19", {"rs12769205": "AG", "rs4244285": "AA"}, ()),
    ],
)  # fmt: skip
def test_open_calls_are_those_of_pharmcat_s_own_tests(
    gene: str, read: dict[str, str], expected: tuple[str, ...]
) -> None:
    """NamedAlleleMatcherSlco1b1Test and NamedAlleleMatcherCyp2c19Test (PharmGKB/PharmCAT 5431bf1)."""
    assert of(gene, **read).diplotypes == expected


def test_phase_tells_what_is_else_open() -> None:
    read = {"rs1800460": "CT", "rs1142345": "TC"}  # TPMT *3B and *3C, or *3A and none
    both = of("TPMT", **read)
    assert both.diplotypes == ("*1/*3A", "*3B/*3C")
    assert both.phenotypes == ("Intermediate Metabolizer", "Poor Metabolizer")
    assert (both.phenotype, both.said) == (None, "cannot tell between *1/*3A or *3B/*3C")
    assert of("TPMT", "", **read).diplotypes == ("*1/*3A",)
    assert of("TPMT", "", rs1800460="CT", rs1142345="CT").diplotypes == ("*3B/*3C",)
    apart = rows(genes()["TPMT"], "*1", "*3A", "1")
    (place,) = [p.place for p in genes()["TPMT"].positions if p.rsid == "rs1142345"]
    apart[place] = genotype("T", "T", "C", "2")
    assert call(genes()["TPMT"], apart).diplotypes == ("*1/*3A", "*3B/*3C")  # two phase sets say nothing of each other


def test_letters_allow_several_bases() -> None:
    """*4 has Y at rs12248560: with T and with C."""
    both = {"rs28399504": "GG", "rs3758581": "GG"}
    for said in ("CC", "CT", "TT"):
        assert of("CYP2C19", rs12248560=said, **both).diplotypes == ("*4/*4",)


def test_a_missing_position_is_no_default() -> None:
    found = of("CYP2C9", rs1799853="--", rs1057910="--")
    assert not found.sure
    assert {"*1/*1", "*2/*3", "*1/*2"} <= set(found.diplotypes)
    assert found.missing == ("rs1799853", "rs1057910")
    assert (found.phenotype, found.activity) == (None, None)
    nothing = call(genes()["CYP2C9"], {})
    assert (nothing.diplotypes, nothing.phenotypes, nothing.said) == ((), (), "no call")
    sure = of("CYP2C9", "", "reference", rs1799853="--", rs1057910="--")
    assert (sure.diplotypes, sure.assumed, sure.activity) == (("*1/*1",), 2, 2.0)
    assert "taken for the reference" in " ".join(sure.why)


def test_a_row_that_cannot_be_used_is_never_assumed() -> None:
    gene = genes()["VKORC1"]
    (position,) = gene.positions
    for assume in ("nothing", "stated", "reference"):
        found = call(gene, {position.place: Silent("no genotype was called", 3)}, assume=assume)
        assert found.diplotypes == ()
        assert "no genotype was called" in found.why[0]


def test_what_a_file_assumes_counts_only_where_it_is_asked_for() -> None:
    gene = genes()["VKORC1"]
    (position,) = gene.positions
    assumed = {position.place: genotype("C", "C", "C", assumed=True)}
    assert call(gene, assumed).diplotypes == ()
    assert call(gene, assumed, assume="stated").phenotype == "-1639 GG"


def test_an_allele_that_nobody_named_is_no_call() -> None:
    found = of("CYP2C19", rs12248560="TT", rs28399504="AC", rs3758581="GG")
    assert found.diplotypes == ()
    assert found.why[0] == "rs28399504: no named allele has C"


def test_without_copies_cyp2d6_has_no_phenotype() -> None:
    found = of("CYP2D6")
    assert found.diplotypes == ("*1/*1",)
    assert (found.phenotypes, found.phenotype, found.activity) == (("Normal Metabolizer",), None, None)
    assert "copies" in " ".join(found.why)


# phenotypes: pairs written down from CPIC's tables by hand, not from the shipped file


@pytest.mark.parametrize(
    ("gene", "one", "two", "said", "score"),
    [
        ("CYP2C19", "*1", "*17", "Rapid Metabolizer", None), ("CYP2C19", "*17", "*17", "Ultrarapid Metabolizer", None),
        ("CYP2C19", "*2", "*17", "Intermediate Metabolizer", None), ("CYP2C19", "*2", "*3", "Poor Metabolizer", None),
        ("CYP2C9", "*1", "*3", "Intermediate Metabolizer", 1.0), ("CYP2C9", "*2", "*3", "Poor Metabolizer", 0.5),
        ("CYP2C9", "*2", "*2", "Intermediate Metabolizer", 1.0), ("CYP2C9", "*1", "*1", "Normal Metabolizer", 2.0),
        ("CYP2D6", "*1", "*4", "Intermediate Metabolizer", 1.0), ("CYP2D6", "*1", "*10", "Normal Metabolizer", 1.25),
        ("CYP2D6", "*4", "*4", "Poor Metabolizer", 0.0), ("CYP2D6", "*4", "*41", "Intermediate Metabolizer", 0.25),
        ("SLCO1B1", "*1", "*5", "Decreased Function", None), ("SLCO1B1", "*5", "*15", "Poor Function", None),
        ("TPMT", "*3A", "*3C", "Poor Metabolizer", None), ("NUDT15", "*1", "*3", "Intermediate Metabolizer", None),
        ("CYP3A5", "*3", "*3", "Poor Metabolizer", None), ("CYP3A5", "*1", "*3", "Intermediate Metabolizer", None),
        ("UGT1A1", "*28", "*28", "Poor Metabolizer", None), ("UGT1A1", "*1", "*80+*28", "Intermediate Metabolizer", None),
    ],
)  # fmt: skip
def test_phenotypes_are_cpic_s(gene: str, one: str, two: str, said: str, score: float | None) -> None:
    assert phenotype(genes()[gene], one, two) == (said, score)
    assert phenotype(genes()[gene], two, one) == (said, score)


def test_an_allele_without_a_stated_function_has_no_phenotype() -> None:
    assert phenotype(genes()["CYP2C19"], "*1", "*41") == (UNSTATED, None)


# insertions and deletions, written in several ways


@pytest.mark.parametrize(
    ("ref", "one", "two", "expected"),
    [
        ("CAT", "CAT", "CATAT", "*1/*28"), ("C", "C", "CAT", "*1/*28"), ("CAT", "CAT", "C", "*1/*36"),
        ("CATATATAT", "CATATATAT", "CATATATATAT", "*1/*28"), ("CATA", "CATA", "CA", "*1/*36"),
    ],
)  # fmt: skip
def test_a_repeat_is_read_however_long_its_row_is(ref: str, one: str, two: str, expected: str) -> None:
    gene = genes()["UGT1A1"]
    found = rows(gene, "*1", "*1")
    (place,) = [position.place for position in gene.positions if position.rsid == "rs3064744"]
    found[place] = genotype(ref, one, two)
    assert call(gene, found).diplotypes == (expected,)


def test_an_insertion_that_is_not_aligned_to_the_left_is_not_taken_for_the_reference() -> None:
    gene = genes()["UGT1A1"]
    found: dict = rows(gene, "*1", "*1", leave=("rs3064744",))
    assert call(gene, found, assume="reference").diplotypes == ("*1/*1",)
    found["2", 233760248] = genotype("A", "A", "ATA")  # the repeat's last base: one TA more, as *28
    for assume in ("nothing", "reference"):
        right = call(gene, found, assume=assume)
        assert "*1/*28" in right.diplotypes
        assert "bcftools norm" in right.why[0]
    found["2", 233760248] = genotype("A", "A", "G")
    assert call(gene, found, assume="reference").diplotypes == ("*1/*1",)


def test_a_position_under_another_row_is_not_taken_for_the_reference() -> None:
    gene = genes()["CYP2C19"]
    found: dict = rows(gene, "*1", "*1", leave=("rs12248560",))
    at = 94761900  # *17 has another base here, and is else as *1
    for place, row in (("10", at - 1), genotype("CG", "CG", "TA")), (("10", at - 4), genotype("ACGTG", "ACGTG", "A")):
        covered = call(gene, found | {place: row}, assume="reference")
        assert not covered.sure
        assert "covers it" in covered.why[0]
    for place, row in (("10", at - 1), genotype("CG", "CG", "CG")), (("10", at - 4), genotype("AC", "AC", "A")):
        assert call(gene, found | {place: row}, assume="reference").sure


def test_a_row_about_something_else_says_nothing() -> None:
    position = next(one for one in genes()["CYP2C19"].positions if one.rsid == "rs4244285")
    assert "are not about" in str(read_at(position, genotype("T", "T", "C")))
    assert "are not about" in str(read_at(position, genotype("G", "G", "<DEL>")))
    assert "are not about" in str(read_at(position, genotype("G", "G", "*")))
    deletion = read_at(position, genotype("GC", "GC", "G"))  # of the base after it: this one is as it was
    assert not isinstance(deletion, str)
    assert deletion.alleles == ("G", "G")


# DPYD


def test_dpyd_by_its_variants() -> None:
    none = of("DPYD")
    assert (none.diplotypes, none.phenotype, none.activity) == (("Reference/Reference",), "Normal Metabolizer", 2.0)
    one = of("DPYD", rs3918290="CT")  # c.1905+1G>A (*2A), no function
    assert (one.diplotypes, one.phenotype, one.activity) == (
        ("Reference/c.1905+1G>A (*2A)",), "Intermediate Metabolizer", 1.0,
    )  # fmt: skip
    assert of("DPYD", rs3918290="TT").activity == 0.0
    two = of(
        "DPYD", rs3918290="CT", rs67376798="TA"
    )  # and c.2846A>T, decreased: not phased, presumed on different copies
    assert (two.activity, two.phenotype) == (0.5, "Poor Metabolizer")
    assert "presumed" in " ".join(two.why)
    together = of("DPYD", "", rs3918290="CT", rs67376798="TA")  # phased on one copy: the lower of the two counts there
    assert (together.activity, together.phenotype) == (1.0, "Intermediate Metabolizer")
    assert of("DPYD", rs3918290="CT", rs1801265="GG").activity == 1.0  # *9A does nothing


def test_dpyd_hapb3_goes_by_the_intron() -> None:
    both = of("DPYD", "", rs75017182="GC", rs56038477="CT")
    assert (both.diplotypes, both.activity) == (("Reference/c.1129-5923C>G, c.1236G>A (HapB3)",), 1.5)
    assert of("DPYD", rs75017182="GC").diplotypes == ("Reference/c.1129-5923C>G",)
    assert of("DPYD", rs75017182="GC").activity == 1.5
    exon = of("DPYD", rs56038477="CT")
    assert exon.activity == 2.0
    assert "disagree" in " ".join(exon.why)
    alone = of("DPYD", rs75017182="--", rs56038477="CT")
    assert alone.activities[-1] == 1.5
    assert "should be" in " ".join(alone.why)


def test_dpyd_stays_open_where_a_variant_may_hide() -> None:
    """An unread position can only lower the score, and only if its variant does something."""
    lower = of("DPYD", rs3918290="--")
    assert (lower.phenotype, lower.activities) == (None, (0.0, 1.0, 2.0))
    harmless = of("DPYD", rs1801265="--")
    assert (harmless.phenotype, harmless.activity) == ("Normal Metabolizer", 2.0)
    poor = of("DPYD", rs3918290="TT", rs67376798="--")
    assert poor.phenotype == "Poor Metabolizer"


def test_dpyd_with_a_variant_of_no_stated_activity_has_no_phenotype() -> None:
    gene = genes()["DPYD"]
    less = {name: said for name, said in gene.functions.items() if name != "c.85T>C (*9A)"}
    found = call(replace(gene, functions=less), rows(gene, "Reference", "c.85T>C (*9A)"))
    assert (found.phenotypes, found.activities, found.phenotype) == ((UNSTATED,), (), None)
    open_ = call(replace(gene, functions=less), rows(gene, "Reference", "Reference", leave=("rs1801265",)))
    assert open_.phenotype is None


def test_consistent_pairs_of_nothing_read_are_all() -> None:
    gene = genes()["CYP3A5"]
    assert len(consistent(gene, {})) == 6 * 7 / 2


def test_a_phenotype_that_comes_by_fhir_is_the_same_quantity() -> None:
    """The codes are those of HL7's observation-example-phenotype: LOINC 79716-7, LA25391-6."""
    resource = observation(subject={"reference": "Patient/p1"})
    del resource["valueQuantity"]
    resource["code"] = {"coding": [{"system": "http://loinc.org", "code": "79716-7"}]}
    said = {"system": "http://loinc.org", "code": "LA25391-6", "display": "Normal metabolizer"}
    (event,) = events(bundle(resource | {"valueCodeableConcept": {"coding": [said]}}), READERS["fhir_r4"])
    assert event.quantity == "cyp2c9_phenotype"
    assert getattr(event.value, "display", "") == "Normal metabolizer"
