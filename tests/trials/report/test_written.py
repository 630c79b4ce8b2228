"""The report as HTML, PDF and files: sound, whole, the same again, and nothing in a table can inject."""

import re
import shutil
import stat
import subprocess
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.reports import save as whole
from medtwin.trials.report import html, pdf, save
from medtwin.trials.report.document import Document, Paragraph, Table
from medtwin.trials.report.figures.text import clean
from medtwin.trials.report.numbers import p_words, reported
from medtwin.trials.report.save import write_report
from medtwin.trials.report.write import FOOTER
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

    monkeypatch.setattr(whole.os, "fsync", fails)
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


def test_a_table_is_rectangular():
    with pytest.raises(AnalysisError, match="another width"):
        Table(caption="c", head=("a", "b"), rows=(("1",),))
    page = html.page(Document(title="t", label="", footer="f", made_at="", version="", blocks=(Paragraph("only"),)))
    assert "only" in "".join(Reader(page).words)
