"""What several classes share: target doses and the form of the dose-response of the renin-angiotensin system."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.model import Reference

TABLE = "Yancy2018, table 1: target dose"
HALF_OF_RENIN = (
    "judgement: lisinopril 2.5 to 10 mg (target 20 to 40) showed a dose-response in 55 patients, and losartan none beyond 25 mg of 150 in 66 "
    "(abstracts read), so that half lies near a tenth of the target"
)
YANCY = Reference(
    key="Yancy2018",
    text="Starting and target doses of guideline-directed therapy, J Am Coll Cardiol 2018 (table read at "
    "onlinejacc.org/highwire/markup/111973; year and first author from memory).",
)
