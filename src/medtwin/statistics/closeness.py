"""Are made-up records copies of those that they were learned from? Distances, attacks, and a verdict from the tails.

Columns of numbers are in units of the training set's sd (divisor n), codes of categories as they are; Euclidean distances.
``train``: what the generator saw; ``holdout``: real records of the same source that it never saw, as the null.

* distance to the closest record (DCR) of each made-up record to ``train``; beside it that of each training record to the
  others; nearest-neighbour distance ratio (NNDR): nearest over second nearest, 0 of a copy;
* share closer to ``train`` than to ``holdout`` (one half where nothing was memorised; ties half);
* membership inference: how well the distance to the nearest made-up record tells ``train`` from ``holdout`` (AUC), and the
  true positives at 1 % false ones.

**Averages are blind.** One record in twenty copied word for word hardly moves a median or an AUC. So the verdict asks of the
tails: exact copies and near copies (nearer, or with a smaller ratio, than 99 in 100 of the holdout's) against how many the
*holdout* has, by Fisher's exact test, one-sided; then the share closer to ``train`` (binomial test where the two sets are of
one size) and the attack (Mann-Whitney). It fails where any p value, times the number of tests (Bonferroni), is below
``level``. To pass is no proof: it says that these tests found nothing, with records as many as these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.spatial import cKDTree

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """Distances in units of the training sd."""

    median: float  #: of the distance to the closest training record
    fifth_percentile: float
    real_median: float  #: of a training record to the closest other one
    real_fifth_percentile: float
    ratio_median: float
    ratio_fifth_percentile: float
    closer_to_train: float
    exact_copies: float  #: share of made-up records
    near_copies: float  #: share nearer to a training record than 99 in 100 of the holdout's
    attack_auc: float
    attack_true_positives: float  #: at 1 % false positives


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question of the verdict: what was found, beside what unseen real records give."""

    name: str
    found: float
    expected: float
    p_value: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The verdict, with the measures behind it."""

    closeness: Closeness
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return not any(check.failed for check in self.checks)


def standardised(records: ArrayLike, train: ArrayLike, numbers: ArrayLike) -> Array:
    """Records with columns ``numbers`` (mask) less the training mean, over its sd; a column that does not vary becomes 0."""
    x, reference, mask = np.asarray(records, float), np.asarray(train, float), np.asarray(numbers, bool)
    if x.ndim != 2 or x.shape[1:] != reference.shape[1:] or mask.shape != x.shape[1:] or not np.isfinite(x).all():
        raise ValueError(f"records {x.shape}, training {reference.shape}; expected as many columns, nothing missing")
    sd = reference.std(0)
    return np.where(mask, (x - reference.mean(0)) / np.where(sd > 0.0, sd, np.inf), x)


def privacy(
    synthetic: ArrayLike, train: ArrayLike, holdout: ArrayLike, numbers: ArrayLike, *, level: float = 0.01
) -> Privacy:
    """Of records ``(n, k)`` each, all of the same columns."""
    made, seen, unseen = (standardised(one, train, numbers) for one in (synthetic, train, holdout))
    if min(len(made), len(seen), len(unseen)) < 20:
        raise ValueError(
            f"{len(made)} made-up, {len(seen)} training, {len(unseen)} holdout records; expected 20 or more each"
        )
    tree = cKDTree(seen)
    of_made, of_unseen = tree.query(made, k=2)[0], tree.query(unseen, k=2)[0]
    of_seen = tree.query(seen, k=2)[0][:, 1]
    to_holdout = cKDTree(unseen).query(made)[0]
    ratio, unseen_ratio = _ratio(of_made), _ratio(of_unseen)
    nearest, unseen_nearest = of_made[:, 0], of_unseen[:, 0]
    near, low_ratio = np.quantile(unseen_nearest, 0.01), np.quantile(unseen_ratio, 0.01)
    closer = (nearest < to_holdout) + 0.5 * (nearest == to_holdout)
    made_tree = cKDTree(made)
    member, other = -made_tree.query(seen)[0], -made_tree.query(unseen)[0]
    attack = stats.mannwhitneyu(member, other, alternative="greater", method="asymptotic")
    auc = float(attack.statistic) / (len(seen) * len(unseen))
    copies, unseen_copies = nearest == 0.0, unseen_nearest == 0.0
    closeness = Closeness(
        median=float(np.median(nearest)), fifth_percentile=float(np.quantile(nearest, 0.05)),
        real_median=float(np.median(of_seen)), real_fifth_percentile=float(np.quantile(of_seen, 0.05)),
        ratio_median=float(np.median(ratio)), ratio_fifth_percentile=float(np.quantile(ratio, 0.05)),
        closer_to_train=float(closer.mean()), exact_copies=float(copies.mean()),
        near_copies=float((nearest < near).mean()), attack_auc=auc,
        attack_true_positives=float((member > np.quantile(other, 0.99)).mean()),
    )  # fmt: skip
    found = [
        ("exact copies", copies.mean(), unseen_copies.mean(), _more(copies, unseen_copies)),
        ("near copies, by distance", (nearest < near).mean(), (unseen_nearest < near).mean(),
         _more(nearest < near, unseen_nearest < near)),
        ("near copies, by distance ratio", (ratio < low_ratio).mean(), (unseen_ratio < low_ratio).mean(),
         _more(ratio < low_ratio, unseen_ratio < low_ratio)),
        ("membership inference AUC", auc, 0.5, float(attack.pvalue)),
    ]  # fmt: skip
    if len(seen) == len(unseen):
        apart = nearest != to_holdout
        p = stats.binomtest(int((nearest < to_holdout).sum()), max(int(apart.sum()), 1), alternative="greater").pvalue
        found.append(("closer to training than to holdout", closeness.closer_to_train, 0.5, float(p)))
    checks = [
        Check(name=name, found=float(value), expected=float(null), p_value=p, failed=p * len(found) < level)
        for name, value, null, p in found
    ]
    return Privacy(closeness=closeness, checks=tuple(checks))


def _ratio(two: Array) -> Array:
    """Nearest over second nearest; 1 where both are 0, as of a record that the training set holds twice."""
    return np.where(two[:, 1] > 0.0, two[:, 0] / np.where(two[:, 1] > 0.0, two[:, 1], 1.0), 1.0)


def _more(made: Array, unseen: Array) -> float:
    """One-sided Fisher p value that the made-up records have a greater share than the unseen real ones."""
    table = [[int(made.sum()), int((~made).sum())], [int(unseen.sum()), int((~unseen).sum())]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)
