"""The one root of every error that medtwin raises on purpose.

A message says what was found, what was expected, where, and what to do. It never holds a patient's data beyond the
offending token, since messages reach logs.
"""

from __future__ import annotations


class MedtwinError(Exception):
    """Root of all errors of medtwin. ``found``, ``expected``, ``where`` and ``remedy`` make one sentence each."""

    def __init__(self, found: str, *, expected: str = "", where: str = "", remedy: str = "") -> None:
        self.found, self.expected, self.where, self.remedy = found, expected, where, remedy
        parts = [
            f"found {found}",
            f"expected {expected}" if expected else "",
            f"at {where}" if where else "",
            remedy,
        ]
        super().__init__("; ".join(part for part in parts if part))


class UnitError(MedtwinError):
    """A unit that cannot be read, or cannot be converted to the quantity's own unit."""


class FormatError(MedtwinError):
    """Bytes that are not what their format promises."""


class AccessDenied(MedtwinError):
    """A read or write for which no grant was given, or whose grant is of an older epoch."""


class UnknownPatient(MedtwinError):
    """A patient that this home does not hold."""


class ModelError(MedtwinError):
    """A model that breaks its contract."""


class InferenceError(MedtwinError):
    """An update that cannot be made honestly; nothing was changed."""


class StoreError(MedtwinError):
    """The store could not keep a fact; the fact is not acknowledged."""


class AnalysisError(MedtwinError):
    """A trial's data or plan that an analysis cannot answer honestly."""


class ImageError(MedtwinError):
    """Images that cannot be read as one volume, or that an analysis cannot answer honestly."""
