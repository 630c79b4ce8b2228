"""A document as one HTML file that needs nothing else: no script, no other origin, figures as SVG within it.

Whatever comes from a table or a plan is escaped; a content security policy in the file forbids what escaping could miss.
It reads in light and dark, prints on A4 and Letter with page numbers, and its tables name their heads.
"""

from __future__ import annotations

from html import escape as escaped

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
from medtwin.reports.figures.svg import dark_rules, svg
from medtwin.reports.figures.text import clean, one_line

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --muted: #595959; --line: #d4d4d4; --soft: #f4f5f7;
  --danger: #a4161a; --danger-soft: #fdf0f0; --caution: #8a5300; --caution-soft: #fdf6e9; --calm: #0b6b4f; --calm-soft: #eef8f4; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue",
  Arial, sans-serif; overflow-wrap: anywhere; }
main, .foot { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
main { padding-top: 1.5rem; }
.label { max-width: none; position: sticky; top: 0; z-index: 1; margin: 0; padding: .35rem 1rem; text-align: center;
  font-weight: 700; letter-spacing: .08em; background: var(--danger); color: #fff; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: .2rem 0 1rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.2rem 0 .6rem; padding-top: .4rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1rem 0 .2rem; }
.first h2 { border-top: 0; margin-top: 1.3rem; padding-top: 0; }
p { margin: .4rem 0; max-width: 75ch; white-space: pre-wrap; }
p.strong { font-size: 1.12rem; font-weight: 600; border-left: 4px solid var(--ink); padding: .2rem 0 .2rem .9rem; }
ul { margin: .3rem 0; padding-left: 1.3rem; max-width: 80ch; }
nav ul { columns: 2; list-style: none; padding: 0; }
a { color: inherit; }
.box { margin: .8rem 0; padding: .6rem .9rem; border: 1px solid; border-left-width: 6px; border-radius: 4px; }
.box > p:first-child { font-weight: 700; }
.danger { border-color: var(--danger); background: var(--danger-soft); }
.danger > p:first-child { color: var(--danger); }
.caution { border-color: var(--caution); background: var(--caution-soft); }
.caution > p:first-child { color: var(--caution); }
.calm { border-color: var(--calm); background: var(--calm-soft); }
.calm > p:first-child { color: var(--calm); }
.scroll { overflow-x: auto; margin: .6rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 40%; }
caption { text-align: left; font-weight: 600; padding: .2rem 0 .4rem; }
th, td { padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
th { font-weight: 400; min-width: 8rem; max-width: 28rem; }
thead th { font-weight: 600; min-width: 0; border-bottom: 2px solid var(--ink); vertical-align: bottom; }
td { max-width: 34rem; }
.number { text-align: right; }
tbody .number { white-space: nowrap; }
.text { min-width: 12rem; }
.token { min-width: 9rem; overflow-wrap: anywhere; }
.key td, .key th { font-weight: 700; }
figure { margin: 1.2rem 0; }
figure .scroll { margin: 0; border: 1px solid var(--line); border-radius: 4px; background: var(--paper); }
figure svg { display: block; width: 100%; min-width: 34rem; max-width: 46rem; height: auto; margin: 0 auto; }
figcaption { color: var(--muted); font-size: .9rem; padding: .4rem 0; }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: 4px; font-size: .82rem; white-space: pre-wrap; }
.foot { color: var(--muted); font-size: .85rem; padding-top: 1rem; padding-bottom: 2rem; margin-top: 2.5rem;
  border-top: 1px solid var(--line); }
@media screen and (prefers-color-scheme: dark) {
:root { --paper: #17191d; --ink: #e9e9e9; --muted: #a8adb4; --line: #3b3f46; --soft: #22252b; --danger: #ff8a85;
  --danger-soft: #331c1e; --caution: #f0b45c; --caution-soft: #2d2618; --calm: #6fd3ae; --calm-soft: #17291f; }
.label { background: #8f1d20; }
DARK
}
@media print {
:root { color-scheme: light; }
body { font-size: 10pt; }
main, .foot { max-width: none; padding-left: 0; padding-right: 0; }
.label, nav { display: none; }
.first { break-after: page; }
p, ul { max-width: none; }
h1 { font-size: 17pt; } h2 { font-size: 13pt; } h3 { font-size: 11pt; }
h2, h3, h4, caption { break-after: avoid; }
figure, tr, .box { break-inside: avoid; }
thead { display: table-header-group; }
.scroll { overflow: visible; }
figure svg { min-width: 0; max-width: 100%; }
table { font-size: 8pt; }
th, td { padding-right: .4rem; }
th { min-width: 0; }
.text, .token { min-width: 6rem; }
pre { font-size: 7.5pt; }
}
@page { margin: 16mm 14mm 18mm; @bottom-left { content: "FOOTER"; font: 7.5pt sans-serif; color: #595959; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 7.5pt sans-serif; color: #595959; }
  @top-right { content: "LABEL"; font: bold 8pt sans-serif; color: #a4161a; } }
"""


def page(made: Document) -> str:
    """A document as a page."""
    names = [block.words for block in made.blocks if isinstance(block, Heading) and block.level == 2]
    title = escaped(one_line(made.title))
    style = (
        _STYLE.replace("DARK", dark_rules())
        .replace("FOOTER", _quoted(made.footer))
        .replace("LABEL", _quoted(made.label))
    )
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
    ]
    if made.label:
        parts.append(f'<p class="label" role="note">{escaped(made.label)}</p>')
    parts += ["<main>", '<div class="first">']
    section, figure, open_first = 0, 0, True
    for block in made.blocks:
        if isinstance(block, PageBreak) and open_first:
            parts += [_contents(names), "</div>"]
            open_first = False
        elif isinstance(block, Heading) and block.level == 2:
            section += 1
            parts.append(f'<h2 id="section-{section}">{_words(block.words)}</h2>')
        elif isinstance(block, Figure):
            figure += 1
            parts.append(_figure(block, figure))
        else:
            parts.append(_block(block))
    if open_first:
        parts.append("</div>")
    parts += [
        "</main>",
        f'<footer class="foot"><p>{escaped(made.footer)}</p>',
        f"<p>medtwin {_words(made.version)}, {_words(made.made_at)}</p></footer>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_words(block.words)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f'<p class="strong">{_words(block.words)}</p>' if block.strong else f"<p>{_words(block.words)}</p>"
    if isinstance(block, Listing):
        return f"<ul>{''.join(f'<li>{_words(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Box):
        return _box(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Verbatim):
        return f"<pre>{escaped(clean(block.words))}</pre>"
    return ""


def _box(block: Box) -> str:
    items = [_words(item) for item in block.items]
    inner = f"<p>{items[0]}</p>" if len(items) == 1 else f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    return f'<div class="box {block.tone}" role="note"><p>{_words(block.title)}</p>{inner if items else ""}</div>'


def _table(table: Table) -> str:
    kinds = [_kind(table, column) for column in range(len(table.head))]

    def kind(column: int) -> str:
        return f' class="{kinds[column]}"' if kinds[column] else ""

    def row(cells: tuple[str, ...], strong: bool) -> str:
        first = f'<th scope="row"{kind(0)}>{_words(cells[0])}</th>' if cells else ""
        rest = "".join(f"<td{kind(at)}>{_words(words)}</td>" for at, words in enumerate(cells[1:], start=1))
        return f'<tr class="key">{first}{rest}</tr>' if strong else f"<tr>{first}{rest}</tr>"

    head = "".join(f'<th scope="col"{kind(at)}>{_words(words)}</th>' for at, words in enumerate(table.head))
    rows = "\n".join(row(cells, number in table.strong) for number, cells in enumerate(table.rows))
    return (
        f'<div class="scroll" role="region" aria-label="{escaped(one_line(table.caption))}" tabindex="0">'
        f"<table><caption>{_words(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _kind(table: Table, column: int) -> str:
    """How a column's cells are set: numbers, running text, or with words so long that they break anywhere."""
    cells = [row[column] for row in table.rows]
    if any(len(word) > 24 for cell in cells for word in cell.split()):
        return "token"
    if column in table.numbers:
        return "number"
    return "text" if any(len(cell) > 40 for cell in cells) else ""


def _figure(block: Figure, number: int) -> str:
    name = escaped(one_line(block.scene.title))
    return (
        f'<figure><div class="scroll" role="region" aria-label="{name}" tabindex="0">{svg(block.scene, f"figure-{number}")}</div>'
        f"<figcaption>Figure {number}. {_words(block.caption)}</figcaption></figure>"
    )


def _contents(names: list[str]) -> str:
    items = "".join(
        f'<li><a href="#section-{number}">{_words(name)}</a></li>' for number, name in enumerate(names, start=1)
    )
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>' if names else ""


def _words(words: str) -> str:
    return escaped(clean(words))


def _quoted(words: str) -> str:
    """Within a CSS string: the document's own constants, and still nothing that could end the string or the sheet."""
    return "".join(sign for sign in one_line(words) if sign.isalnum() or sign in " .,;:'-")
