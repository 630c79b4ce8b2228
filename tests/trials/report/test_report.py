"""What the report says: its first page, every result, every note, figures, sources."""

import subprocess
import sys
from dataclasses import replace

import pytest

from medtwin.trials.analysis_plan.analysed import Result
from medtwin.trials.estimate import Estimate
from medtwin.trials.report.document import Box, Figure, Heading, PageBreak, Paragraph, Table, Verbatim
from medtwin.trials.report.numbers import p_words, reported
from medtwin.trials.report.save import write_report
from medtwin.trials.report.score import score
from medtwin.trials.report.sources import SOURCES, sources
from medtwin.trials.report.write import document, plan_text
from trials.report.example import example


def words_of(blocks):
    """All text of a document's blocks."""
    return "\n".join(
        str(part) for block in blocks for part in (
            (block.words,) if isinstance(block, Heading | Paragraph | Verbatim) else
            (block.title, *block.items) if isinstance(block, Box) else
            (block.caption, *block.head, *(cell for row in block.rows for cell in row)) if isinstance(block, Table) else
            (block.caption,) if isinstance(block, Figure) else getattr(block, "items", ())
        )
    )  # fmt: skip


def first_page(analysed):
    blocks = document(analysed).blocks
    return words_of(blocks[: next(number for number, block in enumerate(blocks) if isinstance(block, PageBreak))])


def test_the_first_page_has_what_must_be_known_first():
    said = first_page(example())
    parts = ["Drug against placebo", "SYNTHETIC DATA", "1 deviation from the lock", "2026-01-12", "data: The table is not",
             "Intercurrent events", "Primary result", "hamd17_week12", "1 analysis of 9 failed", "log-rank in women"]  # fmt: skip
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    one = example().results[0].analysis.estimates[0]
    value, low, high = reported(one)
    assert f"drug - placebo: {value} points, 95 % confidence interval {low} to {high}, p" in said
    assert one.method in said


def test_the_lock_is_told_in_every_case():
    made = example()
    assert "No deviation from the lock" in first_page(replace(made, deviations=()))
    assert "not locked" in first_page(replace(made, locked_at="", deviations=()))
    two = replace(made, deviations=made.deviations * 2)
    assert "2 deviations from the lock" in first_page(two)
    both = first_page(replace(made, locked_at=""))
    assert "not locked" in both
    assert made.deviations[0].words in both
    assert "SYNTHETIC" not in first_page(replace(made, synthetic=False))


def test_the_primary_result_is_told_in_every_case():
    made = example()
    none = replace(made, results=made.results[1:])
    assert "No primary analysis" in first_page(none)
    failed = replace(
        made, results=(replace(made.results[0], analysis=None, failure="found nothing"), *made.results[1:-1])
    )
    assert "The primary analysis failed" in first_page(failed)
    assert "1 analysis of 8 failed" in first_page(failed)
    two = replace(made, results=(made.results[0], replace(made.results[0], name="other")))
    assert first_page(two).count("confidence interval") == 2
    assert "Every analysis of the plan gave a result." in first_page(two)
    empty = Result(name="x", role="primary", method="m", outcome="y")
    assert "no estimate" in first_page(replace(made, results=(empty,)))


def test_everything_that_is_known_stands_in_the_document():
    made = example()
    said = words_of(document(made).blocks)
    for result in made.results:
        for note in result.analysis.notes if result.analysis else ():
            assert note in said
        for test in result.tests:
            assert test.name in said
            assert p_words(test.p_value) in said
        for row in result.balance.rows if result.balance else ():
            assert f"{row.difference_before:.3f}" in said
    for value in (*made.hashes.values(), *made.notes, "residual_sd", made.historical["context of use"]):
        assert str(value) in said
    assert plan_text(made.plan) in said
    assert "MMRM: Jennrich" in said
    assert "TMLE" not in said.upper().replace("DATA", "")
    assert sum(isinstance(block, Figure) for block in document(made).blocks) >= 5


def test_r2_never_stands_without_the_partial_one():
    rows = [block for block in score({"r2": 0.4, "context_of_use": "x"}) if isinstance(block, Table)][0].rows
    assert rows[0] == ("r2", "0.4")
    assert "unknown" in rows[1][1]
    both = [block for block in score(example().historical) if isinstance(block, Table)][0].rows
    assert both == (("r2", "0.44"), ("partial_r2", "0.12"))
    assert "No context of use" in words_of(score({"r2": 0.4}))
    deep = words_of(score({"training": {"r_squared": 0.3, "rows": [1, 2]}, "drift": {"age": {"smd": 0.1}}}))
    assert all(part in deep for part in ("training: r_squared", "1, 2", "age", "smd"))
    assert score({}) == ()


def test_sources_are_those_of_the_methods_used():
    listed = sources(example())
    assert any("Hainmueller" in one for one in listed)
    assert not any("LEAP" in one or "Schmidli" in one for one in listed)
    assert len({source for _, source in SOURCES}) == len(SOURCES)
    assert sources(replace(example(), results=(), estimand="")) == ()


def test_a_figure_that_cannot_be_drawn_is_said():
    made = example()
    survived = next(one for one in made.results if one.curves)
    broken = replace(survived, curves={"a": replace(next(iter(survived.curves.values())), followed_until=0.0)})
    said = words_of(document(replace(made, results=(broken,))).blocks)
    assert "no figure" in said
    assert "follow-up of no length" in said


def test_a_ratio_that_no_number_holds_is_said_to_be_infinite(tmp_path):
    made = example()
    wide = Estimate(name="odds ratio", value=3.0, standard_error=900.0, method="m", scale="log")
    first = replace(made.results[0], analysis=replace(made.results[0].analysis, estimates=(wide,)))
    assert "infinite" in first_page(replace(made, results=(first,)))
    assert len(write_report(replace(made, results=(first,)), tmp_path)) == 6


@pytest.mark.parametrize(("name", "compares"), [
    ("drug - placebo", True), ("mean drug", False), ("RMST to 24, drug", False), ("RMST ratio to 24 drug / placebo", True),
    ("difference", True), ("drug - placebo at week 4", True), ("drug at week 4", False), ("RMST to 24, T", False),
])  # fmt: skip
def test_an_arms_own_level_is_not_in_the_forest(name, compares):
    one = replace(example().results[0].analysis.estimates[0], name=name)
    held = replace(example().results[0].analysis, patients={"placebo": 1, "drug": 2, "T": 3}, estimates=(one, one))
    made = replace(example(), results=(replace(example().results[0], analysis=held, further={}),))
    scene = next(block for block in document(made).blocks if isinstance(block, Figure)).scene
    assert sum(shape.key.startswith("estimate ") for shape in scene.shapes) == 1 + compares  # the first is always there


def test_a_planned_power_curve_is_drawn():
    blocks = document(example()).blocks
    assert [
        one for one in blocks if isinstance(one, Figure) and one.scene.title == "Power against patients in each arm"
    ]
    assert "without (exact)" in words_of(blocks)
    assert "PowerCurves" not in words_of(blocks)


def test_planning_does_not_carry_the_report_along():
    code = "import sys, medtwin.trials.planning.curve, medtwin.trials.report.figures.power; sys.exit('reportlab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
