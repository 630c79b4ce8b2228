"""A document as a PDF by reportlab: the same document, figures as vectors, page numbers, an outline, the same bytes again.

The date in the file is that of the analysis, its identifier follows from its content. Laid out twice, since the first page
already says how many there are.
"""

from __future__ import annotations

import io
import re
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import CallerMacro, CondPageBreak, KeepTogether, SimpleDocTemplate, Spacer
from reportlab.platypus import PageBreak as NewPage
from reportlab.platypus import Paragraph as Words
from reportlab.platypus import Table as Grid

from medtwin.errors import AnalysisError
from medtwin.reports.document import (
    Block,
    Box,
    Document,
    Figure,
    Heading,
    Listing,
    PageBreak,
    Paragraph,
    Table,
    Verbatim,
)  # fmt: skip
from medtwin.reports.figures.drawing import COLOURS
from medtwin.reports.figures.pdf import BOLD, FACE, drawing, fonts, printable
from medtwin.reports.figures.text import one_line, width

PAGES = {"A4": A4, "Letter": LETTER}
MARGIN = 48.0
LONGEST, LONGEST_NAME = 4000, 240  #: characters of a text, of a name in a table or heading
TONES = {"danger": ("#a4161a", "#fdf0f0"), "caution": ("#8a5300", "#fdf6e9"), "calm": ("#0b6b4f", "#eef8f4")}
_INK, _MUTED = HexColor(COLOURS["ink"][0]), HexColor(COLOURS["muted"][0])
_RULE = HexColor("#d4d4d4")


def paginated(made: Document, page: str = "A4") -> bytes:
    """A document as a PDF."""
    if page not in PAGES:
        raise AnalysisError(f"a page of {page!r}", expected=f"one of {sorted(PAGES)}")
    fonts()
    _, pages = _build(made, PAGES[page], 0)
    return _build(made, PAGES[page], pages)[0]


def _build(made: Document, size: tuple[float, float], pages: int) -> tuple[bytes, int]:
    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=size, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=54.0, bottomMargin=54.0, invariant=1,
        title=one_line(made.title), author="medtwin", subject=made.footer, lang="en", pageCompression=1,
        creator=f"medtwin {one_line(made.version)}", keywords=made.label,
    )  # fmt: skip
    last = [0]
    draw = partial(_frame, made=made, pages=pages, last=last)
    room = size[0] - 2.0 * MARGIN - 12.0
    template.build(_story(made, room, size[1] - 130.0), onFirstPage=draw, onLaterPages=draw)
    return out.getvalue(), last[0]


def _frame(canvas: Any, template: Any, *, made: Document, pages: int, last: list[int]) -> None:
    """What every page has at its edges; the date of the file."""
    width_of, height = template.pagesize
    number = canvas.getPageNumber()
    last[0] = number
    stamp = re.sub(r"[^0-9]", "", made.made_at)[:14].ljust(14, "0")
    if len(re.sub(r"[^0-9]", "", made.made_at)) >= 8:
        canvas.setDateFormatter(lambda *_: f"D:{stamp}Z")
    canvas.saveState()
    canvas.setFont(FACE, 7.0)
    canvas.setFillColor(_MUTED)
    canvas.drawString(MARGIN, 30.0, printable(made.footer))
    canvas.drawRightString(width_of - MARGIN, 30.0, f"{number} / {pages or number}")
    if made.label:
        canvas.setFont(BOLD, 8.0)
        canvas.setFillColor(HexColor(TONES["danger"][0]))
        canvas.drawRightString(width_of - MARGIN, height - 36.0, printable(made.label))
    canvas.restoreState()


def _story(made: Document, room: float, height: float) -> list[Any]:
    story: list[Any] = []
    headings = figures = 0
    for block in made.blocks:
        if isinstance(block, Heading):
            headings += 1
            if block.level > 1:
                story.append(CondPageBreak(90.0))
            story.append(_mark(block, headings))
            story.append(_words(block.words, _style(f"h{block.level}")))
        elif isinstance(block, Figure):
            figures += 1
            scale = min(room / block.scene.width, (height - 60.0) / block.scene.height, 1.0)
            caption = _words(f"Figure {figures}. {block.caption}", _style("caption"))
            story.append(KeepTogether([drawing(block.scene, scale), caption]))
        else:
            story += _block(block, room)
    return story


def _block(block: Block, room: float) -> list[Any]:
    if isinstance(block, Paragraph):
        return [_words(block.words, _style("strong" if block.strong else "body"))]
    if isinstance(block, Listing):
        return [_words(item, _style("item"), bullet="-") for item in block.items]
    if isinstance(block, Box):
        edge, paper = TONES[block.tone]
        inner = [_words(block.title, _style("box", edge))]
        inner += [_words(item, _style("item" if len(block.items) > 1 else "body"), bullet="-" if len(block.items) > 1 else "")
                  for item in block.items]  # fmt: skip
        rows = [[one] for one in inner]
        ruled = [("BACKGROUND", (0, 0), (-1, -1), HexColor(paper)), ("LINEBEFORE", (0, 0), (0, -1), 4.0, HexColor(edge)),
                 ("TOPPADDING", (0, 0), (-1, -1), 2.0), ("BOTTOMPADDING", (0, 0), (-1, -1), 3.0),
                 ("LEFTPADDING", (0, 0), (-1, -1), 10.0)]  # fmt: skip
        return [Spacer(1, 4), Grid(rows, colWidths=[room], style=ruled, hAlign="LEFT", splitInRow=1), Spacer(1, 6)]
    if isinstance(block, Table):
        return _table(block, room)
    if isinstance(block, Verbatim):
        return [_words(line or " ", _style("code")) for line in block.words.split("\n")]
    return [NewPage()] if isinstance(block, PageBreak) else []


def _table(table: Table, room: float) -> list[Any]:
    widths = _widths(table, room)
    head = [
        _words(words, _style("head_number" if at in table.numbers else "head")) for at, words in enumerate(table.head)
    ]
    rows = [
        [_words(words, _style(("key" if number in table.strong else "cell") + ("_number" if at in table.numbers else "")))
         for at, words in enumerate(row)]
        for number, row in enumerate(table.rows)
    ]  # fmt: skip
    ruled = [("LINEBELOW", (0, 0), (-1, 0), 1.0, _INK), ("LINEBELOW", (0, 1), (-1, -1), 0.4, _RULE),
             ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0.0),
             ("RIGHTPADDING", (0, 0), (-1, -1), 6.0), ("TOPPADDING", (0, 0), (-1, -1), 2.0),
             ("BOTTOMPADDING", (0, 0), (-1, -1), 3.0)]  # fmt: skip
    grid = Grid([head, *rows], colWidths=widths, repeatRows=1, style=ruled, hAlign="LEFT", splitInRow=1)
    return [CondPageBreak(70.0), _words(table.caption, _style("caption")), grid, Spacer(1, 10)]


def _widths(table: Table, room: float) -> list[float]:
    """As wide as their content, shared out in proportion where that is too much; no column below what a number needs."""
    size = 7.6
    wanted = []
    for at, head in enumerate(table.head):
        whole = max([width(one_line(row[at])[:400], size, True) for row in table.rows] or [0.0])
        word = max([width(part[:40], size, True) for part in one_line(head).split(" ")] or [0.0])
        wanted.append(max(whole, word, 18.0) + 8.0)
    if sum(wanted) <= room:
        return wanted
    fixed = [min(want, 62.0 if at in table.numbers else 48.0) for at, want in enumerate(wanted)]
    left = room - sum(fixed)
    if left <= 0.0:
        return [room * one / sum(fixed) for one in fixed]
    more = [want - held for want, held in zip(wanted, fixed, strict=True)]
    numbers = sum(one for at, one in enumerate(more) if at in table.numbers)
    if numbers <= 0.6 * left:  # numbers whole, the words share the rest
        words = sum(more) - numbers
        share = (left - numbers) / words if words else 0.0
        return [held + one * (1.0 if at in table.numbers else min(share, 1.0))
                for at, (held, one) in enumerate(zip(fixed, more, strict=True))]  # fmt: skip
    return [held + left * one / sum(more) for held, one in zip(fixed, more, strict=True)]


def _words(words: str, style: Any, bullet: str = "") -> Any:
    """Escaped for reportlab's own markup; line breaks and leading spaces are kept. What is too long says so."""
    most = LONGEST if style.name.partition("_")[0] in ("body", "item", "strong", "code") else LONGEST_NAME
    if len(words) > most:
        words = f"{words[:most]}... [of {len(words)} characters; the JSON has them all]"
    lines = escape(printable(words).replace("\t", "    ")).split("\n")
    kept = [re.sub(r"^ +", lambda found: "&nbsp;" * len(found.group()), line) for line in lines]
    return Words("<br/>".join(kept), style, bulletText=bullet or None)


def _mark(block: Heading, number: int) -> Any:
    """An entry of the outline."""

    def draw(macro: Any) -> None:
        key = f"heading-{number}"
        macro.canv.bookmarkPage(key)
        if block.level in (2, 3):
            macro.canv.addOutlineEntry(
                printable(one_line(block.words))[:120], key, block.level - 2, closed=block.level == 2
            )

    return CallerMacro(draw)


def _style(name: str, colour: str = "") -> Any:
    plain, _, number = name.partition("_")
    size, leading, bold, before, after = {
        "h1": (17.0, 21.0, True, 0.0, 8.0), "h2": (12.5, 16.0, True, 12.0, 4.0), "h3": (10.0, 13.0, True, 9.0, 3.0),
        "h4": (8.6, 11.0, True, 5.0, 2.0), "body": (8.6, 12.0, False, 1.0, 3.0), "strong": (10.0, 14.0, True, 3.0, 5.0),
        "item": (8.6, 12.0, False, 0.0, 2.0), "box": (9.4, 12.0, True, 0.0, 0.0), "caption": (7.8, 10.5, False, 3.0, 4.0),
        "code": (7.0, 9.2, False, 0.0, 0.0), "head": (7.6, 9.6, True, 0.0, 0.0), "cell": (7.6, 9.6, False, 0.0, 0.0),
        "key": (7.6, 9.6, True, 0.0, 0.0),
    }[plain]  # fmt: skip
    return ParagraphStyle(
        name, fontName=BOLD if bold else FACE, fontSize=size, leading=leading, spaceBefore=before, spaceAfter=after,
        textColor=HexColor(colour) if colour else _MUTED if plain == "caption" else _INK, alignment=2 if number else 0,
        leftIndent=12.0 if plain == "item" else 0.0, bulletIndent=2.0, bulletFontName=FACE, bulletFontSize=size,
        splitLongWords=1,
    )  # fmt: skip
