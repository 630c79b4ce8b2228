"""What a column of a table looks like: its words, the unit in its title, its numbers, its moments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from medtwin.errors import FormatError
from medtwin.sources.clock import iso
from medtwin.sources.mapping import MISSING
from medtwin.sources.suggest_words import UNITS

DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
)
CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f")
FORMATS = (*(f"{day}{gap}{clock}" for gap in (" ", "T") for day in DATES for clock in CLOCKS), *DATES)
ENOUGH = 0.98  #: share of a column's cells that must be of its kind
YEARS = (1900, 2100)
#: epochs that are moments of the years 1990 to 2100
SECONDS, MILLISECONDS = (6.3e8, 4.2e9), (6.3e11, 4.2e12)


@dataclass(frozen=True, slots=True)
class Column:
    """A column, looked at: ``words`` of its title without the unit; sorted ``numbers``; ``formats`` that read all its moments."""

    title: str
    words: tuple[str, ...]
    unit: str | None
    cells: int  #: that hold something
    distinct: int
    numbers: tuple[float, ...]
    odd: tuple[str, ...]  #: texts among numbers
    formats: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def numeric(self) -> bool:
        return self.cells > 0 and len(self.numbers) >= 0.5 * self.cells and len(self.odd) <= 5

    def at(self, share: float) -> float:
        """A quantile of the numbers."""
        return self.numbers[min(int(share * len(self.numbers)), len(self.numbers) - 1)]


def column(title: str, cells: Sequence[str], decimal: str = ".") -> Column:
    """Look at one column, whose cells may be empty."""
    held = [cell.strip() for cell in cells if cell.strip() not in MISSING]
    words, unit = named(title)
    numbers, odd = [], dict[str, None]()
    for cell in held:
        text = cell.replace(",", ".") if decimal == "," else cell
        try:
            numbers.append(float(text))
        except ValueError:
            odd[cell] = None
    return Column(
        title, words, unit, len(held), len(set(held)), tuple(sorted(number for number in numbers if number == number)),
        tuple(odd)[:50], moments(held, title), tuple(dict.fromkeys(held))[:3],
    )  # fmt: skip


def named(title: str) -> tuple[tuple[str, ...], str | None]:
    """(words, unit) of a title: ``Sensor Glucose (mg/dL)``, ``glucose_value_mg_dl``, ``bodyWeightKg``, ``hba1c_%``."""
    unit, rest = None, title.strip()
    for found in re.finditer(r"[(\[]([^)\]]*)[)\]]", rest):
        if (held := UNITS.get(found[1].replace(" ", "").lower())) is not None:
            unit, rest = held, rest[: found.start()] + " " + rest[found.end() :]
            break
    split = re.sub(r"([a-z]{2})([A-Z])", r"\1 \2", rest)
    words = [word for word in re.split(r"[^0-9A-Za-z%/°µ²]+", split.lower()) if word]
    for length in (2, 1):
        tail = words[-length:]
        for joined in ("/".join(tail), "".join(tail)):
            if unit is None and len(words) > length and joined in UNITS:
                unit, words = UNITS[joined], words[:-length]
    words = [re.sub(r"(?<=[a-z]{4})\d+$", "", word) for word in words]
    return tuple(word for word in words if not word.isdigit()), unit


def moments(cells: Sequence[str], title: str = "") -> tuple[str, ...]:
    """The formats, as a mapping writes them, in which (nearly) all cells are moments; several where none can be told apart."""
    if not cells:
        return ()
    sample = list(dict.fromkeys(cells))
    sample = sample[:: max(len(sample) // 2000, 1)]
    least = ENOUGH * len(sample)
    if all(re.fullmatch(r"\d{9,13}(\.\d+)?", cell) for cell in sample):
        values = [float(cell) for cell in sample]
        timely = re.search(r"time|date|stamp|epoch|ts\b|unix", title.lower()) is not None
        for name, (low, high) in (("epoch_s", SECONDS), ("epoch_ms", MILLISECONDS)):
            if timely and min(values) >= low and max(values) <= high:
                return (name,)
        return ()
    if sum("-" in cell and _is_iso(cell) for cell in sample) >= least:
        return ("iso",)
    found = []
    for form in FORMATS:
        if not _reads(sample[0], form) and len(sample) < 3:
            continue
        hits = sum(_reads(cell, form) for cell in sample[:50])
        if hits >= ENOUGH * len(sample[:50]) and sum(_reads(cell, form) for cell in sample) >= least:
            found.append(form)
    return tuple(found)


def clock_only(cells: Sequence[str]) -> str | None:
    """The format of a column that holds times of day."""
    held = [cell.strip() for cell in cells if cell.strip() not in MISSING][:500]
    return next((form for form in CLOCKS if held and all(_reads(cell, form) for cell in held)), None)


def _reads(cell: str, form: str) -> bool:
    try:
        return YEARS[0] <= datetime.strptime(cell, form).year <= YEARS[1]  # noqa: DTZ007
    except ValueError:
        return False


def _is_iso(cell: str) -> bool:
    try:
        iso(cell)
    except FormatError:
        return False
    return True
