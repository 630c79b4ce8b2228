"""The plan's prognostic score: read, held against its hash, kept from seeing the outcome, put beside the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import ask

if TYPE_CHECKING:
    import polars as pl

    from medtwin.trials.analysis_plan.plan import AnalysisPlan, PlannedAnalysis
    from medtwin.trials.score import TrainedScore


#: Standard errors between randomised arms beyond which a score is suspected: one trial in 1,700 by chance.
APART = 3.5


def plan_score(plan: AnalysisPlan, folder: Path | None) -> TrainedScore | None:
    """The frozen score that the plan names, from beside the plan; none where it names no file."""
    from medtwin.trials.score import read_score

    if plan.score is None or plan.score.file is None:
        return None
    if Path(plan.score.file).is_absolute() or ".." in Path(plan.score.file).parts:
        raise AnalysisError(
            f"a score at {plan.score.file!r}", where="the plan's score", expected="a file beside the plan"
        )
    path = (folder or Path()) / plan.score.file
    if not path.is_file():
        raise AnalysisError(f"no score {plan.score.file!r}", where="the plan's score", expected="a frozen score beside the plan",
                            remedy="medtwin trial score train HISTORICAL --spec score.yaml --out score.json")  # fmt: skip
    score = read_score(path)
    if plan.score.sha256 is not None and plan.score.sha256 != score.sha256:
        raise AnalysisError(f"a score with sha256 {score.sha256[:16]}...", where="the plan's score",
                            expected=f"{plan.score.sha256[:16]}..., as the plan says")  # fmt: skip
    return score


def with_score(
    frame: pl.DataFrame, plan: AnalysisPlan, score: TrainedScore | None
) -> tuple[pl.DataFrame, dict[str, Any], tuple[str, ...]]:
    """(the table with the score's column, what the report says of the score, notes).

    Raises :class:`AnalysisError` where the score saw the outcome, or its column is missing or there already.
    """
    import polars as pl

    if plan.score is None:
        return frame, {}, ()
    column = plan.score.column
    if score is None:
        if column not in frame.columns:
            raise AnalysisError(
                f"no column {column!r}", where="the plan's score", expected="the score's values, or its file"
            )
        return (
            frame,
            worth(frame, plan),
            (f"the score is the table's column {column}: who made it is not known here",),
        )
    if column in frame.columns:
        raise AnalysisError(f"a column {column!r} in the table", where="the plan's score", expected="a name that is free",
                            remedy="column: ANOTHER_NAME, or leave out file to use the table's")  # fmt: skip
    applied = score.apply(frame)
    scored = frame.with_columns(pl.Series(column, applied.values))
    context = msgspec.to_builtins(score.specification.context)
    told: dict[str, Any] = {
        "score": score.name, "sha256": score.sha256, "unit": applied.unit, "context of use": context,
        "trained on": f"{score.training.patients} patients, {score.training.source}",
        "cross-validated in the historical data": score.figures.sentence,
    }  # fmt: skip
    leaks = _leaks(score, frame, plan)
    leaks["suspicions"] += _unbalanced(scored, plan)
    return scored, {**told, "leak check": leaks, **worth(scored, plan)}, applied.notes


def worth(frame: pl.DataFrame, plan: AnalysisPlan) -> dict[str, Any]:
    """R2 of the score with the primary outcome within each arm, and what it adds to the baseline value: partial R2.

    Of the primary analysis's own rows; only of an outcome that is one number for each patient, else the text says so.
    """
    import polars as pl

    assert plan.score is not None
    primary = next(one for one in plan.analyses if one.role == "primary")
    columns = [primary.outcome, plan.score.column, *([plan.score.baseline] if plan.score.baseline else [])]
    silent = {"in the trial": "R2 and partial R2 are counted of a primary outcome with one number a patient"}
    try:
        asked = ask(frame, plan, primary)
    except AnalysisError:
        return silent
    rows = asked.frame
    numbers = all(
        name in rows.columns and (rows.schema[name].is_numeric() or rows.schema[name] == pl.Boolean) for name in columns
    )
    if (
        primary.endpoint not in ("continuous", "binary", "count")
        or not numbers
        or rows[plan.subject].n_unique() < rows.height
    ):
        return silent
    found: dict[str, dict[str, float]] = {}
    for label in (asked.control, *asked.treated):
        mine = rows.filter(pl.col(plan.arm) == label).select(pl.col(columns).cast(pl.Float64))
        held = mine.drop_nulls().to_numpy()
        found[label] = {"patients": float(len(held)), "without a value": float(mine.height - len(held))}
        if len(held) > 5 and (held.std(axis=0) > 0.0).all():
            found[label] |= _r2(held)
    return {"R2 in the trial, by arm": found}


def _unbalanced(frame: pl.DataFrame, plan: AnalysisPlan) -> list[str]:
    """Randomised arms have the same score on average, unless a column of it was touched by the treatment."""
    assert plan.score is not None
    try:
        asked = ask(frame, plan, next(one for one in plan.analyses if one.role == "primary"))
    except AnalysisError:
        return []
    people = asked.frame.unique(subset=[plan.subject], keep="first", maintain_order=True)
    values = [people.filter(people[plan.arm] == arm)[plan.score.column].drop_nulls().to_numpy()
              for arm in (asked.control, *asked.treated)]  # fmt: skip
    told = []
    for arm, mine in zip(asked.treated, values[1:], strict=True):
        if min(len(mine), len(values[0])) < 2:
            continue
        spread = float(np.sqrt(mine.var(ddof=1) / len(mine) + values[0].var(ddof=1) / len(values[0])))
        away = float(mine.mean() - values[0].mean()) / spread if spread > 0.0 else 0.0
        if abs(away) > APART:
            told.append(f"the score of {arm} lies {away:+.1f} standard errors from that of {asked.control}: were all its columns "
                        "measured before randomisation?")  # fmt: skip
    return told


def _r2(held: np.ndarray) -> dict[str, float]:
    """Columns outcome, score and, if there is one, baseline."""
    both = np.corrcoef(held, rowvar=False)
    out = {"R2 of the score": float(both[0, 1] ** 2)}
    if held.shape[1] > 2:
        partial = (both[0, 1] - both[0, 2] * both[1, 2]) ** 2 / ((1.0 - both[0, 2] ** 2) * (1.0 - both[1, 2] ** 2))
        out |= {
            "R2 of the baseline value": float(both[0, 2] ** 2),
            "partial R2 beyond the baseline value": float(partial),
        }
    return out


def _leaks(score: TrainedScore, frame: pl.DataFrame, plan: AnalysisPlan) -> dict[str, Any]:
    """Refuses what certainly saw the outcome; of a table with several rows a patient dates and columns are looked at alone."""
    from medtwin.trials.score.leak import refuse_leaks

    primary: PlannedAnalysis = next(one for one in plan.analyses if one.role == "primary")
    single = frame[plan.subject].n_unique() == frame.height
    table = frame if single else frame.unique(subset=[plan.subject], keep="first", maintain_order=True)
    asked: dict[str, Any] = {"arm": plan.arm}
    if score.specification.outcome not in table.columns and primary.endpoint == score.specification.endpoint:
        asked |= {"outcome": primary.outcome, "event": primary.event, "exposure": primary.exposure}
    report = refuse_leaks(score, table, **(asked if single else {}), randomised=plan.randomised,
                           measured=plan.score.measured if plan.score else None)  # fmt: skip
    return {"suspicions": [one.words for one in report.findings], "looked at": list(report.looked_at),
            "not looked at": list(report.not_looked_at)}  # fmt: skip
