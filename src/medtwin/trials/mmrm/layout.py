"""The measurements as arrays: one row a subject, one column a visit, subjects with the same visits side by side.

Everything that does not depend on the variance parameters is done here once: checks, weights, and a change of basis in
which the design's columns are orthonormal, so that neither their units nor their offsets disturb the numbers that follow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.structures.curve import Array

#: A column whose part that is not a combination of the others is shorter than this, against its own length, is collinear.
COLLINEAR = 1e-9


@dataclass(frozen=True)
class Block:
    """The subjects of one covariance group: ``n`` subjects, ``m`` visits, ``p`` columns, ``k`` patterns of visits."""

    label: str
    values: Array  #: (n, m, p + 1): orthonormal design, then the outcome less its least-squares fit; 0 where absent
    pattern: np.ndarray  #: (n,) ascending
    begins: np.ndarray  #: (k,) first subject of each pattern
    counts: Array  #: (k,) subjects of each pattern
    present: np.ndarray  #: (k, m) bool
    distance: Array | None  #: (k, m, m) between coordinates, for spatial structures


@dataclass(frozen=True)
class Layout:
    """Design, outcome and their order. ``N`` measurements used, ``p`` columns."""

    blocks: tuple[Block, ...]
    subjects: int
    observations: int
    visits: tuple[str, ...]
    names: tuple[str, ...]  #: of the columns, (p,)
    to_original: Array  #: R^-1, (p, p): coefficients = R^-1 (those of the orthonormal columns) + least_squares
    least_squares: Array  #: ordinary coefficients, (p,)
    log_weights: float  #: Σ log weight
    within: np.ndarray  #: (p,) bool: the column changes within a subject
    intercept: np.ndarray  #: (p,) bool: the column is constant
    notes: tuple[str, ...]


def lay_out(
    response: ArrayLike,
    design: ArrayLike,
    subject: Sequence[Any] | np.ndarray,
    visit: Sequence[Any] | np.ndarray,
    *,
    group: Sequence[Any] | np.ndarray | None,
    weights: ArrayLike | None,
    coordinates: ArrayLike | None,
    names: Sequence[str] | None,
    visits: Sequence[Any] | None,
    spatial: bool,
) -> Layout:
    """Check and arrange; arguments as in :func:`medtwin.trials.mmrm.fit.fit`. Raises :class:`AnalysisError`."""
    y, x = np.asarray(response, float), np.asarray(design, float)
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y) or len(subject) != len(y) or len(visit) != len(y):
        raise AnalysisError(
            f"response {y.shape}, design {x.shape}, {len(subject)} subjects, {len(visit)} visits",
            expected="one row for each measurement: (N,), (N, p), (N,), (N,)",
        )
    labels = tuple(names) if names is not None else tuple(f"x{j}" for j in range(x.shape[1]))
    if len(labels) != x.shape[1] or len(set(labels)) != len(labels):
        raise AnalysisError(f"{len(labels)} names for {x.shape[1]} columns", expected="one name of its own for each")
    w = np.ones_like(y) if weights is None else np.asarray(weights, float)
    places = None
    if spatial:
        if coordinates is None:
            raise AnalysisError("no coordinates", expected="coordinates, such as the day, of each measurement",
                                where="a spatial structure", remedy="name them, or choose another structure")  # fmt: skip
        places = np.asarray(coordinates, float).reshape(len(y), -1)
    if np.isinf(y).any() or np.isinf(x).any():
        raise AnalysisError("infinite numbers in outcome or design", expected="finite or missing (NaN)")
    visit_label, visit_code = _codes(visit, visits, "visit")
    everybody, subject_code = _distinct(subject, "subject")
    group_label, group_code = (("all",), np.zeros(len(y), int)) if group is None else _codes(group, None, "group")

    used, notes = np.isfinite(y) & np.isfinite(x).all(1), []
    lost_y, lost_x = int(np.isnan(y).sum()), int((np.isfinite(y) & ~used).sum())
    if lost_y:
        notes.append(f"{lost_y} of {len(y)} rows without an outcome are not used")
    if lost_x:
        notes.append(f"{lost_x} of {len(y)} rows with an outcome but without a covariate are not used")
    gone = len(everybody) - len(np.unique(subject_code[used]))
    if gone:
        notes.append(f"{gone} of {len(everybody)} subjects have no row that can be used")
    _complete(visit_label, visit_code[used], "visit")
    _complete(group_label, group_code[used], "group")
    if w.shape != y.shape or not (np.isfinite(w[used]).all() and (w[used] > 0.0).all()):
        raise AnalysisError(
            "weights that are missing, not positive or of another length", expected="a positive number each"
        )
    if places is not None and not np.isfinite(places[used]).all():
        raise AnalysisError("coordinates that are missing or infinite", expected="a number for each measurement")
    y, x, w = y[used], x[used], w[used]
    visit_code, group_code = visit_code[used], group_code[used]
    _, subject_code = np.unique(subject_code[used], return_inverse=True)
    n, m, p = int(subject_code.max()) + 1, len(visit_label), x.shape[1]
    _repeated(subject_code * m + visit_code, visit_label, m)
    of_subject = np.zeros(n, int)
    of_subject[subject_code] = group_code
    if (of_subject[subject_code] != group_code).any():
        raise AnalysisError(
            f"{len(np.unique(subject_code[of_subject[subject_code] != group_code]))} subjects in more than one group",
            expected="one arm and covariance group for each subject", remedy="correct the column that names the group",
        )  # fmt: skip
    if n < 2 or len(y) <= p:
        raise AnalysisError(
            f"{n} subject{'s' * (n != 1)} with {len(y)} measurements for {p} coefficients",
            expected="at least two subjects and more measurements than coefficients",
            remedy="fewer covariates, or more subjects",
        )
    slot = visit_code
    if spatial:  # a subject's measurements in their order of time: distances count, not names
        order = np.lexsort((visit_code, subject_code))
        first = np.concatenate([[0], np.flatnonzero(np.diff(subject_code[order])) + 1])
        slot = np.empty_like(visit_code)
        slot[order] = np.arange(len(y)) - np.repeat(first, np.diff(np.append(first, len(y))))
        m = int(slot.max()) + 1

    root = np.sqrt(w)
    basis, to_original = _orthonormal(x * root[:, None], labels)
    ordinary = basis.T @ (y * root)
    rest = y * root - basis @ ordinary
    if not float(rest @ rest) > 1e-24 * max(float((y * root) @ (y * root)), 1e-300):
        raise AnalysisError("an outcome that the design reproduces exactly", expected="variation about the means",
                            remedy="check that the outcome is not among the covariates and is not constant")  # fmt: skip
    values = np.zeros((n, m, p + 1))
    values[subject_code, slot, :p], values[subject_code, slot, p] = basis, rest
    present = np.zeros((n, m), bool)
    present[subject_code, slot] = True
    where = None
    if places is not None:
        where = np.zeros((n, m, places.shape[1]))
        where[subject_code, slot] = places[used]
    changes = _changes(x, subject_code, n)
    return Layout(
        blocks=tuple(_block(values, present, where, of_subject == g, label) for g, label in enumerate(group_label)),
        subjects=n,
        observations=len(y),
        visits=visit_label,
        names=labels,
        to_original=to_original,
        least_squares=to_original @ ordinary,
        log_weights=float(np.log(w).sum()),
        within=changes,
        intercept=np.ptp(x, axis=0) == 0.0,
        notes=tuple(notes),
    )


def _codes(
    given: Sequence[Any] | np.ndarray, order: Sequence[Any] | None, what: str
) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels in order and each row's place among them."""
    distinct, code = _distinct(given, what)
    labels = [str(label) for label in distinct]
    wanted = sorted(labels, key=natural) if order is None else [str(label) for label in order]
    place = {label: k for k, label in enumerate(wanted)}
    unknown = [label for label in labels if label not in place]
    if unknown or len(place) != len(wanted):
        raise AnalysisError(f"{what} {unknown[:3]}", expected=f"one of {wanted}",
                            remedy=f"name every {what} of the plan, in order and once, or correct the rows")  # fmt: skip
    return tuple(wanted), np.array([place[label] for label in labels], int)[code]


def _distinct(given: Sequence[Any] | np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and each row's place among them; a row without one is an error."""
    raw = np.asarray(given)
    missing = [value is None or value != value for value in raw] if raw.dtype.kind in "fO" else [False]
    if np.any(missing):
        raise AnalysisError(f"{int(np.sum(missing))} rows without a {what}", expected=f"a {what} in every row")
    distinct, code = np.unique(raw.astype(str) if raw.dtype == object else raw, return_inverse=True)
    return distinct, code


def natural(label: str) -> tuple[tuple[bool, float, str], ...]:
    """Sorts numbers in labels by their value: week 2 before week 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", label)
    return tuple((not part[:1].isdigit(), float(part) if part[:1].isdigit() else 0.0, part) for part in parts if part)


def _complete(labels: tuple[str, ...], code: np.ndarray, what: str) -> None:
    seen = set(np.unique(code).tolist())
    absent = [label for k, label in enumerate(labels) if k not in seen]
    if absent:
        raise AnalysisError(f"no usable measurement for {what} {absent[:5]}", expected=f"some for every {what}",
                            remedy=f"leave the {what} out of the analysis by name, or find its data")  # fmt: skip


def _repeated(cell: np.ndarray, labels: tuple[str, ...], m: int) -> None:
    distinct, count = np.unique(cell, return_counts=True)
    if (count > 1).any():
        at = sorted({labels[int(c) % m] for c in distinct[count > 1]})
        raise AnalysisError(f"{int((count > 1).sum())} subject-visit pairs with more than one row", expected="one row each",
                            where=f"visits {at[:5]}", remedy="decide which measurement of the visit counts")  # fmt: skip


def _orthonormal(x: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    """``x = Q R``: ``(Q, R^-1)``; a column that is a combination of others is named."""
    length = np.sqrt((x**2).sum(0))
    scaled = x / np.where(length > 0.0, length, 1.0)
    basis, upper = linalg.qr(scaled, mode="economic", check_finite=False)
    short = np.abs(np.diag(upper)) < COLLINEAR
    if short.any():
        j = int(np.argmax(short))
        if length[j] == 0.0:
            raise AnalysisError(f"column {names[j]} is zero in every usable row", expected="columns that vary",
                                remedy="a level, arm or visit without data: leave it out by name")  # fmt: skip
        weight = linalg.lstsq(scaled[:, :j], scaled[:, j])[0]
        with_ = [names[k] for k in np.flatnonzero(np.abs(weight) > 1e-6)]
        raise AnalysisError(f"column {names[j]} is a combination of {with_}", expected="columns that are not collinear",
                            remedy="a constant or repeated covariate, or a cell without data: leave one out")  # fmt: skip
    return basis, linalg.solve_triangular(upper, np.eye(len(upper))) / length[:, None]


def _changes(x: Array, subject: np.ndarray, n: int) -> np.ndarray:
    """Whether each column takes more than one value in some subject."""
    first = np.empty((n, x.shape[1]))
    first[subject] = x
    return np.asarray((first[subject] != x).any(0))


def _block(values: Array, present: np.ndarray, places: Array | None, mine: np.ndarray, label: str) -> Block:
    values, present = values[mine], present[mine]
    key = present if places is None else np.concatenate([present, places[mine].reshape(len(present), -1)], 1)
    if places is None and present.shape[1] <= 62:
        _, first, pattern = np.unique(
            present @ (1 << np.arange(present.shape[1])), return_index=True, return_inverse=True
        )  # fmt: skip
    else:
        _, first, pattern = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(pattern, kind="stable")
    counts = np.bincount(pattern)
    distance = None
    if places is not None:
        at = places[mine][first]
        distance = np.sqrt(((at[:, :, None] - at[:, None]) ** 2).sum(-1))
    return Block(
        label, values[order], pattern[order], np.concatenate([[0], np.cumsum(counts)[:-1]]), counts.astype(float),
        present[first], distance,
    )  # fmt: skip
