"""Words in a figure or a page: what may not stand in them, how wide they are, how they are shortened and wrapped.

Names come from tables that nobody has read: characters that XML forbids, and those that turn the direction of reading and
could make a text look like another, are shown as U+FFFD.
"""

from __future__ import annotations

import re

#: Of the characters 32 to 126 of Bitstream Vera Sans, in thousandths of the size. Other common faces are no wider.
_WIDTHS = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656,
    557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613,
    635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818,
    592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip
LONGEST = 600  #: characters of a name that are looked at: no line is as long
_FORBIDDEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069"
    "\\ud800-\\udfff\\ufdd0-\\ufdef\\ufffe\\uffff]"
)
_SPACES = re.compile(r"\s+")


def clean(words: object) -> str:
    """Text that every format can hold, line breaks kept."""
    return _FORBIDDEN.sub("\ufffd", str(words))


def one_line(words: object) -> str:
    """The same with every run of white space a single space."""
    return _SPACES.sub(" ", clean(words)).strip()


def width(words: str, size: float = 10.0, bold: bool = False) -> float:
    """In points, on the safe side: a character beyond ASCII counts as a full square unless it is a Latin letter."""
    thousandths = sum(
        _WIDTHS[code - 32] if 32 <= code < 127 else 760 if code < 0x250 else 1000 for code in map(ord, words)
    )
    return thousandths * size / 1000.0 * (1.12 if bold else 1.0)


def fitted(words: object, room: float, size: float = 10.0, bold: bool = False) -> str:
    """One line that fits into ``room``, shortened at its end with an ellipsis where it must be."""
    text = one_line(words)[:LONGEST]
    if width(text, size, bold) <= room:
        return text
    while text and width(text + "...", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "..."


def wrapped(words: object, room: float, size: float = 10.0, lines: int = 2, bold: bool = False) -> tuple[str, ...]:
    """At most ``lines`` lines that fit into ``room``, broken between words where it can be; the last one shortened."""
    left = one_line(words)[:LONGEST]
    made: list[str] = []
    while left and len(made) < lines - 1:
        if width(left, size, bold) <= room:
            break
        cut = _reach(left, room, size, bold)
        space = left.rfind(" ", 0, cut + 1)
        at = space if space > cut // 2 else cut
        made.append(left[:at].rstrip())
        left = left[at:].lstrip()
    return (*made, fitted(left, room, size, bold)) if left or not made else tuple(made)


def _reach(words: str, room: float, size: float, bold: bool) -> int:
    """How many characters fit, one at the least."""
    count = 1
    while count < len(words) and width(words[: count + 1], size, bold) <= room:
        count += 1
    return count
