"""The methods that a plan may name: ``kind`` in the plan, its options, the endpoints that it takes, how it is carried out."""

from __future__ import annotations

from typing import Any, Protocol

from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods import (
    ancova,
    borrowed,
    cox,
    doubly_robust,
    imputed,
    logrank,
    maic,
    marginal,
    repeated,
    survival,
    unseen,
    weighted,
)

#: Any of them; ``kind`` tells which.
Method = (
    ancova.Ancova | marginal.Marginal | logrank.LogRank | cox.Cox | survival.Survival | repeated.Repeated | imputed.Imputed
    | unseen.ImputedBinary | unseen.ImputedCount | unseen.ImputedSurvival | weighted.Weighted | doubly_robust.Aipw
    | doubly_robust.Tmle | maic.Maic | borrowed.Borrowed
)  # fmt: skip


class Run(Protocol):
    """Carries a method out."""

    def __call__(self, method: Any, asked: Asked) -> Done: ...


RUNS: dict[type, Run] = {
    ancova.Ancova: ancova.run, marginal.Marginal: marginal.run, logrank.LogRank: logrank.run, cox.Cox: cox.run,
    survival.Survival: survival.run, repeated.Repeated: repeated.run, imputed.Imputed: imputed.run,
    unseen.ImputedBinary: unseen.run_binary, unseen.ImputedCount: unseen.run_count,
    unseen.ImputedSurvival: unseen.run_survival, weighted.Weighted: weighted.run, doubly_robust.Aipw: doubly_robust.run,
    doubly_robust.Tmle: doubly_robust.run, maic.Maic: maic.run, borrowed.Borrowed: borrowed.run,
}  # fmt: skip
#: Those that put values in for missing outcomes.
IMPUTING = (imputed.Imputed, unseen.ImputedBinary, unseen.ImputedCount, unseen.ImputedSurvival)
ENDPOINTS: dict[type, tuple[str, ...]] = {
    ancova.Ancova: ("continuous",), marginal.Marginal: ("continuous", "binary", "count"), logrank.LogRank: ("survival",),
    cox.Cox: ("survival",), survival.Survival: ("survival",), repeated.Repeated: ("repeated",), imputed.Imputed: ("repeated",),
    unseen.ImputedBinary: ("binary",), unseen.ImputedCount: ("count",), unseen.ImputedSurvival: ("survival",),
    weighted.Weighted: ("continuous", "binary", "survival"), doubly_robust.Aipw: ("continuous", "binary"),
    doubly_robust.Tmle: ("continuous", "binary"), maic.Maic: ("continuous", "binary", "survival"),
    borrowed.Borrowed: ("binary", "continuous"),
}  # fmt: skip
