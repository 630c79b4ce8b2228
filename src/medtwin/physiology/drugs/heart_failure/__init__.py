"""Drugs of heart failure, one file a class; :data:`DRUGS` holds all. See ``drug.py`` for the equations."""

from __future__ import annotations

from collections.abc import Mapping

from medtwin.physiology.drugs.heart_failure import (
    ace_inhibitors,
    angiotensin_receptor_blockers,
    beta_blockers,
    digoxin,
    dobutamine,
    hydralazine,
    ivabradine,
    loop_diuretics,
    milrinone,
    mineralocorticoid_antagonists,
    neprilysin_inhibitors,
    nitrates,
    nitroprusside,
    sglt2_inhibitors,
)
from medtwin.physiology.drugs.heart_failure.drug import Drug

DRUGS: Mapping[str, Drug] = {
    module.DRUG.name: module.DRUG
    for module in (
        ace_inhibitors, angiotensin_receptor_blockers, neprilysin_inhibitors, beta_blockers, mineralocorticoid_antagonists,
        sglt2_inhibitors, loop_diuretics, nitrates, hydralazine, ivabradine, digoxin, nitroprusside, dobutamine, milrinone,
    )
}  # fmt: skip
