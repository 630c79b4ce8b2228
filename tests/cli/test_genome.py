"""genome: what the tables and documents say, and what is kept."""

import pytest

from medtwin.record.home import open_store
from sources.test_polygenic import score
from sources.test_vcf import row, vcf, whole

TWO = {"rs4244285": "1/1", "rs12769205": "1/1", "rs3758581": "1/1"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes(vcf(*whole(**TWO), *whole("TPMT", rs1800460="0/1", rs1142345="0/1"), row("0/1", place=("1", 100))))
    return path


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "PGS.txt"
    path.write_bytes(score("rs1\t1\t100\tA\tG\t0.5", "rs2\t2\t200\tT\tC\t-0.25"))
    return path


def said(run, *arguments, code=0):
    return " ".join(run.plain("genome", *arguments, code=code).split())


def test_pharmacogenes_of_a_file(run, file):
    found = run.document("genome", "pharmacogenes", file)
    assert found["schema"] == "medtwin/genome-pharmacogenes/1"
    calls = {one["gene"]: one for one in found["samples"]["S1"]}
    assert (calls["CYP2C19"]["said"], calls["CYP2C19"]["phenotype"]) == ("*2/*2", "Poor Metabolizer")
    assert calls["TPMT"]["diplotypes"] == ["*1/*3A", "*3B/*3C"]
    assert calls["TPMT"]["phenotype"] is None
    assert calls["DPYD"]["why"] == ["none of its positions was read"]
    words = said(run, "pharmacogenes", file)
    assert "cannot tell between *1/*3A or *3B/*3C" in words
    assert "clopidogrel" in words
    assert "capecitabine" not in words  # DPYD was not read
    assert "no prescribing advice" in words


def test_assumptions_are_asked_for_and_told(run, file):
    found = run.document("genome", "pharmacogenes", file, "--assume", "reference")
    dpyd = next(one for one in found["samples"]["S1"] if one["gene"] == "DPYD")
    assert (dpyd["phenotype"], dpyd["assumed"]) == ("Normal Metabolizer", 83)
    assert "taken for the reference, not read" in said(run, "pharmacogenes", file, "--assume", "reference")
    run.plain("genome", "pharmacogenes", file, "--assume", "all", code=2)


def test_a_build_or_a_sample_that_is_not_there(run, file, tmp_path):
    (tmp_path / "b.vcf").write_bytes(vcf(row(), head=""))
    assert "--build" in said(run, "pharmacogenes", tmp_path / "b.vcf", code=1)
    assert run.document("genome", "pharmacogenes", tmp_path / "b.vcf", "--build", "GRCh38")["samples"]["S1"]
    assert "lift it over" in said(run, "pharmacogenes", tmp_path / "b.vcf", "--build", "GRCh37", code=1)
    assert "as stated" in said(run, "pharmacogenes", file, "--build", "GRCh37", code=1)
    assert "expected S1" in said(run, "pharmacogenes", file, "--sample", "S9", code=1)
    assert "no such file" in said(run, "pharmacogenes", tmp_path / "c.vcf", code=1)
    run.plain("genome", "pharmacogenes", file, "--build", "hg18", code=2)


def test_a_score_is_told_as_a_raw_sum_with_its_coverage(run, file, weights):
    found = run.document("genome", "score", file, weights, "--home", run.home)
    (one,) = found["samples"].values()
    assert (one["sum"], one["used"], one["variants"], one["missing"], one["coverage"]) == (0.5, 1, 2, 1, 0.5)
    assert found["kept_for"] is None
    words = said(run, "score", file, weights, "--home", run.home)
    assert "50.0%" in words
    assert "no percentile" in words


def test_a_score_is_kept_once_as_a_fact(run, file, weights):
    for _ in range(2):
        run.document("genome", "score", file, weights, "--patient", "anna", "--home", run.home)
    with open_store(run.home) as store:
        record = store.record("anna", store.issue_grant())
    (kept,), (share,) = record.of("polygenic_score"), record.of("polygenic_score_coverage")
    assert (kept.value, kept.group, kept.basis, kept.time.text) == (0.5, "PGS000000", "derived", "2024-01-05")
    assert (share.value, share.text) == (50.0, "1 of 2 variants")


def test_the_record_shows_what_was_taken_in(run, file, weights):
    run("ingest", file, "--patient", "anna")
    run.document("genome", "score", file, weights, "--patient", "anna", "--home", run.home)
    found = run.document("genome", "show", "anna", "--home", run.home)
    by = {one["gene"]: one for one in found["pharmacogenes"]}
    assert set(by) == {"CYP2C19", "TPMT"}
    assert (by["CYP2C19"]["diplotype"], by["CYP2C19"]["phenotype"]) == ("*2/*2", "Poor Metabolizer")
    assert "phenotype" not in by["TPMT"]
    assert found["scores"][0]["coverage"] == 50.0
    words = said(run, "show", "anna", "--home", run.home)
    assert "*2/*2 Poor Metabolizer" in words
    assert "open" in words
    assert {"cyp2c19_phenotype", "genotype"} <= {one["quantity"] for one in run.json("show", "anna")["latest"]}


def test_several_samples_are_told_one_by_one_and_never_kept_together(run, weights, tmp_path):
    path = tmp_path / "two.vcf"
    path.write_bytes(vcf(row("0/1\t1/1", place=("1", 100)), samples="A\tB"))
    found = run.document("genome", "score", path, weights)
    assert {name: one["sum"] for name, one in found["samples"].items()} == {"A": 0.5, "B": 1.0}
    assert "--sample" in said(run, "score", path, weights, "--patient", "anna", "--home", run.home, code=1)
    kept = run.document("genome", "score", path, weights, "--patient", "anna", "--sample", "B", "--home", run.home)
    assert kept["kept_for"] == "anna"
