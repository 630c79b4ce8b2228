"""Moved to :mod:`medtwin.reports.document`; kept here for those who import it by this name."""

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
)

__all__ = ["Block", "Box", "Document", "Figure", "Heading", "Listing", "PageBreak", "Paragraph", "Table", "Verbatim"]
