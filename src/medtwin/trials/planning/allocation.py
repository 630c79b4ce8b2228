"""How to share patients between the arms, and what a score saves: controls at equal power, and patients in all.

- optimal allocation: ``n1/n0 = (k1/k0) sqrt(c0/c1)`` with k the spread that the score leaves and c the cost of a patient
  (Neyman 1934; Cochran 1977, section 5.5)
- treated arm fixed at the size of a 1:1 trial without score: of the controls the share ``1 - 1/(2/(1 - r^2) - 1)`` is saved,
  which is 50 % at r = 0.577, where the total falls by 25 %; with the arms kept 1:1 the total falls by ``r^2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from medtwin.trials.planning.checks import correlation, positive
from medtwin.trials.planning.planned import Planned
from medtwin.trials.planning.wald import Power, smallest_control_arm


def optimal(k0: float, k1: float, cost0: float = 1.0, cost1: float = 1.0) -> float:
    """Treated patients per control that make the variance least for the cost; k: standard deviation left by the score."""
    ratio = positive("k1", k1) / positive("k0", k0)
    return ratio * math.sqrt(positive("cost of a control", cost0) / positive("cost of a treated patient", cost1))


def controls_removable(r: float) -> float:
    """Share of controls saved at equal power where the treated arm stays as in a 1:1 trial without score (asymptotic)."""
    left = 1.0 - correlation("correlation", r) ** 2
    return 1.0 - 1.0 / (2.0 / left - 1.0)


def total_removable(r: float) -> float:
    """Share of all patients saved at equal power with the arms kept 1:1 (asymptotic): ``r^2``."""
    return correlation("correlation", r) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What the score saves against a trial without it, in whole patients."""

    against: str  #: "no adjustment", "adjustment for the baseline value"
    without: tuple[int, int]  #: (n0, n1) of the trial without score
    same_allocation: tuple[int, int]  #: (n0, n1) with score
    treated_kept: int | None  #: controls with score beside the treated arm of the trial without; None: no number does
    method: str

    def numbers(self) -> tuple[Planned, ...]:
        """Both savings, each in patients and as a share."""
        n0, n1 = self.without
        total, kept = n0 + n1, self.same_allocation[0] + self.same_allocation[1]
        at = f"against {self.against}"
        made = [
            Planned(f"patients in all, {self.against}", total, self.method, "patients"),
            Planned(f"total N saved at equal power, {at}, same allocation", total - kept, self.method, "patients"),
            Planned(
                f"total N saved at equal power, {at}, same allocation", 100.0 * (total - kept) / total, self.method, "%"
            ),
        ]
        if self.treated_kept is not None:
            fewer = n0 - self.treated_kept
            made += [
                Planned(f"controls saved at equal power, {at}, {n1} treated kept", fewer, self.method, "patients"),
                Planned(
                    f"controls saved at equal power, {at}, {n1} treated kept", 100.0 * fewer / n0, self.method, "%"
                ),
                Planned(
                    f"total N saved at equal power, {at}, {n1} treated kept", 100.0 * fewer / total, self.method, "%"
                ),
            ]
        return tuple(made)


def saving(with_score: Power, arms: tuple[int, int], without: tuple[int, int], power: float, against: str, method: str,
           least: int = 2) -> Saving:  # fmt: skip
    """Compare (n0, n1) with and without score at ``power``."""
    kept = smallest_control_arm(with_score, without[1], power, least)
    return Saving(against=against, without=without, same_allocation=arms, treated_kept=kept, method=method)
