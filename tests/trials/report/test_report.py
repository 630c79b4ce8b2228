"""The report itself: what its first page says, that nothing in a table can inject, that each format holds every estimate."""

import re
import shutil
import stat
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials import files
from medtwin.trials.analysis_plan.analysed import Result
from medtwin.trials.estimate import Estimate
from medtwin.trials.report import html, pdf, save
from medtwin.trials.report.document import Box, Document, Figure, Heading, PageBreak, Paragraph, Table, Verbatim
from medtwin.trials.report.figures.text import clean
from medtwin.trials.report.numbers import p_words, reported
from medtwin.trials.report.save import write_report
from medtwin.trials.report.score import score
from medtwin.trials.report.sources import SOURCES, sources
from medtwin.trials.report.write import FOOTER, document, plan_text
from trials.report.example import example, hostile

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "p", "main", "div", "nav", "ul", "li", "a", "h1", "h2", "h3", "h4",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "pre", "footer", "svg", "desc", "rect",
    "text", "line", "polyline", "polygon", "circle",
}  # fmt: skip
VOID = {"meta", "rect", "line", "polyline", "polygon", "circle"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; raises where elements do not nest."""

    def __init__(self, text):
        HTMLParser.__init__(self, convert_charrefs=True)
        self.elements, self.open, self.words, self.heads = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
            if self.open and self.open[-1] in ("h1", "h2", "h3", "h4"):
                self.heads.append((self.open[-1], data))


def every_estimate():
    return [(r, e) for r in example().results if r.analysis for e in r.analysis.estimates]


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


def test_html_is_sound_and_asks_nobody():
    text = html.html(example())
    page = Reader(text)
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name in ("src", "style", "srcdoc") for name in attributes), (
            tag,
            attributes,
        )
        assert attributes.get("href", "#").startswith("#")
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "url(" not in text
    assert "@import" not in text
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    assert targets <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-4]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))  # no level is skipped
    assert "default-src 'none'" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert style.count("{") == style.count("}") > 40
    assert html.html(example()) == text


def test_html_holds_every_estimate():
    page = Reader(html.html(example()))
    said = "\n".join(page.words)
    for _, one in every_estimate():
        value, low, high = reported(one)
        assert f"{low} to {high}" in said
        assert value in said
        assert p_words(one.p_value) in said or not one.name.startswith(("drug - ", "difference"))
    assert "mean drug" in said, "an arm's own level is there, without a p value"
    assert FOOTER in said


@settings(max_examples=20, deadline=None)
@given(
    st.text(max_size=50)
    | st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</style><script>x</script>",
            '"><img src=x onerror=y>',
            "' onmouseover='z",
            "</title><b>",
            "</pre><iframe src=//x>",
            "&lt;b&gt;",
            "<!--",
            "]]>",
            "\\3c script",
            "</svg><script>1</script>",
            "a\x00\u202eb",
            "{}",
            "%s",
        ]
    )
)
def test_hostile_words_stay_words_in_html(words):
    made = hostile(words)
    page = Reader(html.html(made))
    assert {tag for tag, _ in page.elements} <= ALLOWED
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "src"
    ]
    if words.strip():
        assert clean(words).replace("\r\n", "\n").replace("\r", "\n").strip() in "".join(page.words).replace("\r", "\n")


def pages_of(content):
    """Checked without reportlab: header, cross references, and how many pages the tree counts."""
    assert content.startswith(b"%PDF-1.")
    assert content.rstrip().endswith(b"%%EOF")
    start = int(re.findall(rb"startxref\s+(\d+)\s+%%EOF", content)[-1])
    assert content[start : start + 4] == b"xref"
    entries = re.findall(rb"(\d{10}) (\d{5}) n", content[start:])
    for offset, _ in entries:
        assert re.match(rb"\d+ 0 obj", content[int(offset) : int(offset) + 12])
    return max(int(count) for count in re.findall(rb"/Count (\d+)", content))


def drawn(content):
    """Every page's operators, decompressed: what is drawn as vectors."""
    import base64

    out = []
    for kind, body in re.findall(rb"<<(.*?)>>\s*stream\r?\n(.*?)\r?\n?endstream", content, re.S):
        if b"/ASCII85Decode" in kind:
            body = base64.a85decode(body.strip().removesuffix(b"~>").strip(), adobe=False)
        if b"/FlateDecode" in kind:
            body = zlib.decompress(body)
        out.append(body)
    return b"\n".join(out)


def test_pdf_opens_and_repeats():
    content = pdf.pdf(example())
    assert pages_of(content) >= 5
    assert b"(Drug against placebo in major depression, week 12)" in content
    assert b"D:20260305093000Z" in content
    assert b"/Outlines" in content
    assert pdf.pdf(example()) == content
    letter = pdf.pdf(example(), "Letter")
    assert b"/MediaBox [ 0 0 612 792 ]" in letter
    assert b"/Subtype /Image" not in content
    assert len(re.findall(rb" [lc]\s", drawn(content))) > 500  # figures are lines, not pictures
    with pytest.raises(AnalysisError, match="A4"):
        pdf.pdf(example(), "A5")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_pdf_holds_every_estimate(tmp_path):
    (tmp_path / "r.pdf").write_bytes(pdf.pdf(example()))
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "r.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = text.split("\f")
    assert all(FOOTER in page for page in pages if page.strip())
    assert all("SYNTHETIC DATA" in page for page in pages if page.strip())
    count = len([page for page in pages if page.strip()])
    assert re.search(rf"\b1 ?/ ?{count}\b", pages[0])
    assert "deviation from the lock" in pages[0]
    flat = re.sub(r"\s+", " ", text)
    for _, one in every_estimate():
        value, low, high = reported(one)
        assert f"{low} to {high}" in flat
        assert value in flat
        assert p_words(one.p_value) in flat or not one.name.startswith(("drug - ", "difference"))
    for value in example().hashes.values():
        assert value in flat.replace(" ", "")


@pytest.mark.parametrize("words", [
    "<script>x</script>", "<img src='/etc/passwd'/>", "<a href='file:///etc/passwd'>x</a>", "x" * 3000, "a b " * 400, "\u202ex",
    "中文", "</para>", "&#0;", "",
])  # fmt: skip
def test_hostile_words_stay_words_in_pdf(words):
    content = pdf.pdf(hostile(words))
    assert pages_of(content) >= 2
    assert b"passwd" not in re.sub(rb"\(.*?\)", b"", content)
    assert b"/URI" not in content


def test_files_are_written_whole_and_private(tmp_path):
    folder = tmp_path / "made" / "here"
    paths = write_report(example(), folder)
    assert [path.name for path in paths] == [name for names in save.FILES.values() for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)  # nothing else is left
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_report(example(), folder)] == before
    (alone,) = write_report(example(), tmp_path / "one.html")
    assert alone.read_text(encoding="utf-8") == html.html(example())
    assert write_report(example(), tmp_path / "j", kinds=["json"]) == (tmp_path / "j" / "report.json",)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    (path,) = write_report(example(), tmp_path / "r.json")
    before = path.read_bytes()

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fails)
    with pytest.raises(AnalysisError, match="No space left"):
        write_report(replace(example(), title="new"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(AnalysisError, match="could not be written"):
        write_report(example(), path / "below", kinds=["json"])
    with pytest.raises(AnalysisError, match=r"kinds \['docx'\]"):
        write_report(example(), tmp_path, kinds=["docx"])


def test_an_empty_analysis_makes_every_file(tmp_path):
    empty = replace(
        example(), results=(), hashes={}, patients={}, historical={}, notes=(), plan={}, deviations=(), estimand="", title="",
        made_at="", version="", locked_at="",
    )  # fmt: skip
    assert len(write_report(empty, tmp_path)) == 6
    assert "No primary analysis" in html.html(empty)


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


def test_a_table_is_rectangular():
    with pytest.raises(AnalysisError, match="another width"):
        Table(caption="c", head=("a", "b"), rows=(("1",),))
    page = html.page(Document(title="t", label="", footer="f", made_at="", version="", blocks=(Paragraph("only"),)))
    assert "only" in "".join(Reader(page).words)


def test_planning_does_not_carry_the_report_along():
    code = "import sys, medtwin.trials.planning.curve, medtwin.trials.report.figures.power; sys.exit('reportlab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
