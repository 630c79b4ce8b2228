"""A document as plain blocks, which every format renders in its own way."""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.errors import AnalysisError
from medtwin.reports.figures.drawing import Scene


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 is the title."""

    words: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """``strong``: what must not be missed."""

    words: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Items, each a line or more."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Set apart by an edge and a word: ``tone`` is danger, caution or calm. Never by colour alone."""

    title: str
    items: tuple[str, ...] = ()
    tone: str = "caution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``numbers``: columns that are aligned to the right. The first column names the row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    strong: frozenset[int] = frozenset()  #: rows in bold

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise AnalysisError(
                "rows of another width than the head", expected=f"{len(self.head)} cells", where=self.caption
            )


@dataclass(frozen=True, slots=True)
class Figure:
    """A scene with its caption."""

    scene: Scene
    caption: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text whose line breaks and indents count."""

    words: str


@dataclass(frozen=True, slots=True)
class PageBreak:
    """Where a new page begins in print."""


Block = Heading | Paragraph | Listing | Box | Table | Figure | Verbatim | PageBreak


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Blocks in their order."""

    title: str
    label: str  #: shown on every page: "SYNTHETIC DATA", or empty
    footer: str
    made_at: str
    version: str
    blocks: tuple[Block, ...]
