"""The plan's prognostic score: read, held against its hash, kept from seeing the outcome, put beside the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from medtwin.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl

    from medtwin.trials.analysis_plan.plan import AnalysisPlan, PlannedAnalysis
    from medtwin.trials.score import TrainedScore


def plan_score(plan: AnalysisPlan, folder: Path | None) -> TrainedScore | None:
    """The frozen score that the plan names, from beside the plan; none where it names no file."""
    from medtwin.trials.score import read_score

    if plan.score is None or plan.score.file is None:
        return None
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
            worth(frame, plan, None),
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
    return scored, {**told, "leak check": leaks, **worth(scored, plan, score)}, applied.notes


def worth(frame: pl.DataFrame, plan: AnalysisPlan, score: TrainedScore | None) -> dict[str, Any]:
    """Correlation with the primary outcome within arms, and beyond the baseline value: R2 and partial R2, by arm.

    Only of a primary outcome that is a number for each patient; the text says so otherwise.
    """
    import polars as pl

    assert plan.score is not None
    primary = next(one for one in plan.analyses if one.role == "primary")
    columns = [plan.score.column, *([plan.score.baseline] if plan.score.baseline else [])]
    if primary.endpoint not in ("continuous", "binary", "count") or any(name not in frame.columns for name in columns):
        return {"in the trial": "R2 and partial R2 are counted of a primary outcome with one number a patient"}
    found = {}
    for label, rows in sorted(frame.group_by(plan.arm), key=lambda pair: str(pair[0])):
        held = rows.select(pl.col(primary.outcome, *columns).cast(pl.Float64)).drop_nulls().to_numpy()
        if len(held) > 5 and (held.std(axis=0) > 0.0).all():
            found[str(label[0])] = _r2(held)
    return {"R2 in the trial, by arm": found}


def _r2(held: np.ndarray) -> dict[str, float]:
    """Columns outcome, score and, if there is one, baseline."""
    both = np.corrcoef(held, rowvar=False)
    out = {"patients": float(len(held)), "R2 of the score": float(both[0, 1] ** 2)}
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
    report = refuse_leaks(score, table, **(asked if single else {}), randomised=plan.randomised)
    return {"suspicions": [one.words for one in report.findings], "looked at": list(report.looked_at),
            "not looked at": list(report.not_looked_at)}  # fmt: skip
