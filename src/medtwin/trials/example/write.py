"""The example as files: historical controls, the trial, its visits, a score's specification, plans, and the truth."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.example.people import ENDPOINT, TWO_YEARS, WEEKS, gain, leave, long, patients

HISTORICAL, CONTROL, TREATED = 500, 120, 240
FOLDER = Path(__file__).parent / "files"


def write_example(folder: Path, *, seed: int = 1) -> tuple[Path, ...]:
    """All files of the example, synthetic; the same seed, the same bytes. Raises where one is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    history, trial, truth = make(seed)
    content = {
        "historical.csv": history.write_csv(),
        "trial.csv": trial.write_csv(),
        "visits.csv": long(trial).write_csv(),
        "truth.json": json.dumps(truth, indent=1) + "\n",
        **{
            file.name: file.read_text(encoding="utf-8")
            for file in sorted(FOLDER.iterdir())
            if file.suffix in (".yaml", ".txt")
        },
    }
    paths = [folder / name for name in content]
    if there := [path.name for path in paths if path.exists()]:
        raise AnalysisError(f"files that are there already: {there}", where=str(folder), expected="a new folder")
    for path in paths:
        path.write_text(content[path.name], encoding="utf-8")
    return tuple(paths)


def make(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, object]]:
    """(historical controls, the trial, what is true)."""
    rng = np.random.default_rng([20_260, seed])
    history = leave(rng, patients(rng, HISTORICAL, np.zeros(HISTORICAL), dt.date(1989, 3, 1), "H"))
    size = CONTROL + TREATED
    treated = rng.permutation(np.repeat([0.0, 1.0], [CONTROL, TREATED]))
    trial = leave(rng, patients(rng, size, treated, dt.date(1991, 12, 2), "T"))
    arm = pl.Series("arm", ["combination" if one else "monotherapy" for one in treated])
    trial = trial.insert_column(1, arm)
    x = {name: trial[name].to_numpy() for name in ("karnofsky", "symptoms")}
    truth: dict[str, object] = {
        "note": "SYNTHETIC: invented patients from a known truth, see medtwin.trials.example.people",
        "seed": seed,
        "effect on the CD4 count at week 20, mean over the trial's patients, cells/mm3": round(float(gain(x).mean()), 4),
        "log hazard ratio given everything (conditional)": -0.6 * 1.3,
        "weeks of visits": list(WEEKS), "week of the primary outcome": ENDPOINT, "days of the binary outcome": TWO_YEARS,
    }  # fmt: skip
    return history, _binary(rng, trial), truth


def _binary(rng: np.random.Generator, trial: pl.DataFrame) -> pl.DataFrame:
    """Progression within two years, through which everybody was followed; one in twenty records was lost."""
    lost = pl.Series(rng.random(trial.height) < 0.05)
    seen = ((pl.col("progressed") == 1) & (pl.col("days") <= TWO_YEARS)).cast(pl.Int64)
    return trial.with_columns(pl.when(lost).then(None).otherwise(seen).alias("progressed_2y"))
