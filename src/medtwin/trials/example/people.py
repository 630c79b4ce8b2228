"""Synthetic patients with HIV infection, in the manner of the trials of nucleosides of the early 1990s: nobody is real.

Invented from a known truth; only the order of size of the numbers follows published trials of that time. A patient's CD4
count drifts by a curved function of baseline, with a lasting level of his own, so that no linear score is exactly right, and
the treatment raises it by an amount that varies between patients. Progression has a Weibull hazard that falls with the count.

    drift      m(x) = 0.62 cd4 - 40 symptoms - 1.5 (100 - karnofsky) - 28 log(1 + months)/log(13) + 40 tanh((cd4 - 350)/120) + 125
    count      y(t) = cd4 + (m(x) - cd4) (1 - exp(-t/12)) + level + treated * gain(x) * min(t, 20)/20 + noise      t in weeks
    gain       g(x) = 25 + 10 (karnofsky = 100) - 10 symptoms                                       cells/mm3
    hazard     Weibull, shape 1.3, log rate = -8.4 - 0.004 (m(x) - 350 + level) + 0.5 symptoms - 0.6 treated     per day
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

WEEKS = (8, 20, 32, 48)
ENDPOINT = 20  #: week of the primary outcome
TWO_YEARS = 730  #: days


def baseline(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """What is known before randomisation."""
    months = np.where(rng.random(size) < 0.4, 0.0, rng.exponential(13.0, size))
    cd4 = np.clip(rng.normal(350.0, 110.0, size) - 2.0 * np.minimum(months, 20.0), 60.0, 900.0)
    return {
        "age": np.clip(np.round(rng.normal(35.0, 8.5, size)), 18, 70),
        "weight": np.round(np.clip(rng.normal(75.0, 13.0, size), 40.0, 140.0), 1),
        "karnofsky": rng.choice([70.0, 80.0, 90.0, 100.0], size, p=[0.01, 0.04, 0.37, 0.58]),
        "symptoms": (rng.random(size) < 0.17).astype(float),
        "sex": np.where(rng.random(size) < 0.18, "F", "M"),
        "months_treated": np.round(months, 1),
        "cd4": np.round(cd4),
        "cd8": np.round(np.clip(rng.lognormal(6.8, 0.45, size), 150.0, 4000.0)),
    }


def settled(x: dict[str, np.ndarray]) -> np.ndarray:
    """m(x), cells/mm3."""
    return np.asarray(
        0.62 * x["cd4"] - 40.0 * x["symptoms"] - 1.5 * (100.0 - x["karnofsky"])
        - 28.0 * np.log1p(x["months_treated"]) / np.log(13.0) + 40.0 * np.tanh((x["cd4"] - 350.0) / 120.0) + 125.0
    )  # fmt: skip


def gain(x: dict[str, np.ndarray]) -> np.ndarray:
    """g(x), what treatment adds by week 20, cells/mm3."""
    return np.asarray(25.0 + 10.0 * (x["karnofsky"] == 100.0) - 10.0 * x["symptoms"])


def patients(rng: np.random.Generator, size: int, treated: np.ndarray, begun: dt.date, label: str) -> pl.DataFrame:
    """One row a patient: baseline, the count at each visit (complete), time to progression and whether it was seen."""
    x = baseline(rng, size)
    level = rng.normal(0.0, 60.0, size)
    counts = {
        f"cd4_week{week}": np.round(np.maximum(
            x["cd4"] + (settled(x) - x["cd4"]) * (1.0 - np.exp(-week / 12.0)) + level
            + treated * gain(x) * min(week, 20) / 20.0 + rng.normal(0.0, 55.0, size), 5.0,
        ))
        for week in WEEKS
    }  # fmt: skip
    log_rate = -8.4 - 0.004 * (settled(x) - 350.0 + level) + 0.5 * x["symptoms"] - 0.6 * treated
    event = (rng.exponential(1.0, size) / np.exp(1.3 * (log_rate + 0.35))) ** (1.0 / 1.3)
    follow = rng.uniform(735.0, 1150.0, size)
    days = np.maximum(np.round(np.minimum(event, follow)), 1.0)
    entry = rng.integers(0, 300, size)
    return pl.DataFrame(
        {"patient": [f"{label}-{number:04d}" for number in range(1, size + 1)], **x, **counts, "days": days,
         "progressed": (event <= follow).astype(int),
         "randomised": [begun + dt.timedelta(days=int(one)) for one in entry],
         "week20_on": [begun + dt.timedelta(days=int(one) + 7 * ENDPOINT) for one in entry]}
    ).with_columns(
        prior_treatment=pl.when(pl.col("months_treated") == 0).then(pl.lit("none"))
        .when(pl.col("months_treated") <= 12).then(pl.lit("up to a year")).otherwise(pl.lit("longer"))
    )  # fmt: skip


def leave(rng: np.random.Generator, table: pl.DataFrame) -> pl.DataFrame:
    """Counts missing from a visit on for those who left: likelier after a low count (missing at random)."""
    gone = np.zeros(table.height, bool)
    before = table["cd4"].to_numpy()
    out = table
    for week in WEEKS:
        chance = 0.015 + 0.05 / (1.0 + np.exp((before - 220.0) / 60.0))
        gone = gone | (rng.random(table.height) < chance)
        before = table[f"cd4_week{week}"].to_numpy()
        seen = [None if lost else value for lost, value in zip(gone, before, strict=True)]
        out = out.with_columns(pl.Series(f"cd4_week{week}", seen, dtype=pl.Float64))
    return out


def long(table: pl.DataFrame) -> pl.DataFrame:
    """One row for each patient and visit."""
    kept = [name for name in table.columns if not name.startswith("cd4_week")]
    parts = [
        table.select(*kept, pl.lit(f"week {week}").alias("visit"), pl.col(f"cd4_week{week}").alias("cd4_count"))
        for week in WEEKS
    ]
    return pl.concat(parts).sort("patient", maintain_order=True)
