"""The patients of ``pbcseq.csv``, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Cohort
from medtwin.trials.prognostic.mean import Mean
from medtwin.trials.prognostic.outcome import Outcome
from medtwin.trials.prognostic.table import read_cohort

Array = np.ndarray
UNTIL = 6.0  #: years
WINDOWS = (1.0, 2.0, 3.0, 5.0)  #: years, plus or minus half a year
HALF = 0.5
FOLDS = 5  #: patient number modulo 5, as in the reference
OUTCOMES = (Outcome("bili", "mg/dL", "log"), Outcome("albumin", "g/dL"), Outcome("protime", "s", "log", 8.0))
COVARIATES = (
    "age", "sex", "trt", "ascites", "hepato", "spiders", "edema", "stage", Outcome("ast", "U/L", "log"),
    Outcome("alk.phos", "U/L", "log"),
)  # fmt: skip
#: All covariates at baseline; these may change the slope as well.
MEAN = Mean(changing=(*(f"baseline {one.label}" for one in OUTCOMES), "age", "stage"))
#: As figures are reported, and as the reference has them: log mg/dL, g/dL, s.
SCALES = ("log bilirubin", "albumin, g/dL", "prothrombin time, s")
REFERENCE = ("lb", "albumin", "protime")


@dataclass(frozen=True, kw_only=True, eq=False)
class Patients:
    """Visits after baseline up to year six."""

    cohort: Cohort
    end: Array  #: (n,) years of follow-up, at most six
    left: Array  #: (n,) died or was transplanted by then
    fold: Array  #: (n,)
    reference: dict[str, Any]

    def window(self, year: float) -> Array:
        """Mask of visits."""
        return np.asarray(np.abs(self.cohort.time - year) <= HALF)

    def nearest(self, year: float) -> Array:
        """(n,) visit of each patient nearest to the year within its window, -1 where there is none."""
        place = np.full(len(self.end), -1)
        away = np.where(self.window(year), np.abs(self.cohort.time - year), np.inf)
        for visit in np.argsort(-away, kind="stable"):
            if np.isfinite(away[visit]):
                place[self.cohort.subject[visit]] = visit
        return place


def read(folder: Path) -> Patients:
    """From the folder with ``pbcseq.csv`` and ``reference_pbcseq_twin_baselines.json``."""
    if not (folder / "pbcseq.csv").is_file():
        raise AnalysisError(
            f"no pbcseq.csv in {folder}", expected="the folder with the data of R's survival::pbcseq as CSV"
        )
    table = pl.read_csv(folder / "pbcseq.csv", null_values="NA").with_columns(year=pl.col("day") / 365.25)
    cohort = read_cohort(
        table, subject="id", time="year", outcomes=OUTCOMES, covariates=COVARIATES, levels={"sex": ("f", "m")}
    ).between(0.0, UNTIL)  # fmt: skip
    first = table.filter(pl.col("day") == 0)
    until = first["futime"].to_numpy() / 365.25
    return Patients(
        cohort=cohort, end=np.minimum(until, UNTIL), left=(first["status"].to_numpy() > 0) & (until <= UNTIL),
        fold=np.array([int(one) % FOLDS for one in cohort.baseline.subjects]),
        reference=json.loads((folder / "reference_pbcseq_twin_baselines.json").read_text()),
    )  # fmt: skip


def reported(working: Array) -> Array:
    """(..., 3) from the working scales to those that are reported: only the prothrombin time goes back to seconds."""
    values = np.array(working)
    values[..., 2] = OUTCOMES[2].natural(values[..., 2])
    return values
