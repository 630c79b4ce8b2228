"""Numbers with their limits, for the options of methods."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Positive = Annotated[float, Meta(gt=0.0)]
Seed = Annotated[int, Meta(ge=0)]
Several = Annotated[int, Meta(ge=2)]  #: samples or sets
Whole = Annotated[int, Meta(ge=1)]
