"""Which dialect a payload is written in: decided by its content; a name only chooses between mappings."""

from __future__ import annotations

from functools import cache

from medtwin.sources.archives import HEAD
from medtwin.sources.item import Dialect, Intake, Payload

_SURE = 0.9  #: confidence from which on no other dialect is asked


@cache
def dialects() -> tuple[Dialect, ...]:
    """Every dialect that medtwin reads. A new one is a new sibling file, added here."""
    from medtwin.sources import (
        apple_health,
        ccda,
        dexcom_clarity,
        fhir_r4,
        fit,
        hl7v2,
        libreview,
        nightscout,
        open_mhealth,
        table,
        vcf,
    )  # fmt: skip

    return (
        fhir_r4.Reader(), hl7v2.Reader(), ccda.Reader(), dexcom_clarity.Reader(), libreview.Reader(), apple_health.Reader(),
        open_mhealth.Reader(), nightscout.Reader(), fit.Reader(), vcf.Reader(), table.Reader(),
    )  # fmt: skip


def recognise(payload: Payload, intake: Intake, likely: Dialect | None = None) -> tuple[Dialect | None, bytes]:
    """The likeliest dialect (None: none of them) and the first 64 KiB; ``likely`` at once where it is sure."""
    with payload.open() as stream:
        head = stream.read(HEAD).removeprefix(b"\xef\xbb\xbf")
    if likely is not None and likely.recognise(head, payload.name, intake) > _SURE:
        return likely, head
    best, confidence = None, 0.0
    for dialect in dialects():
        found = dialect.recognise(head, payload.name, intake)
        if found > confidence:
            best, confidence = dialect, found
    return best, head
