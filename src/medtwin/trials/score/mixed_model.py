"""Repeated measures of the historical controls: the mean at the endpoint's visit, given covariates and earlier visits.

The mixed model for repeated measures (:mod:`medtwin.trials.mmrm`) with a constant and slopes of each covariate at each visit,

    y_iv ~ N(a_v + x_i'b_v, S),      s_i = a_T + x_i'b_T + S_TE S_EE^-1 (y_iE - a_E - X_i b_E)

T the endpoint's visit, E those of the visits named ``earlier`` that were seen in the patient before randomisation (the
conditional mean of the normal law). Patients whose outcome at T is missing still inform the model, at random given what
was observed of them.
"""

from __future__ import annotations

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials import mmrm
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.linear import independent


class MixedModel(msgspec.Struct, tag="mixed_model", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Frozen. Unit of the outcome."""

    scale: str
    visits: tuple[str, ...]
    at: int  #: number of the endpoint's visit
    constants: tuple[float, ...]  #: (visit,)
    slopes: tuple[tuple[float, ...], ...]  #: (visit, column)
    covariance: tuple[tuple[float, ...], ...]  #: (visit, visit)
    structure: str

    def predict(self, known: Known) -> np.ndarray:
        """(patient,) at the endpoint's visit."""
        return np.asarray(self.means(known)[:, self.at])

    def means(self, known: Known) -> np.ndarray:
        """(patient, visit), given the earlier visits: time-matched scores for an analysis of repeated measures."""
        slopes = np.asarray(self.slopes, float).reshape(len(self.visits), -1)
        mean = np.asarray(self.constants) + known.design @ slopes.T
        made = mean.copy()
        if known.earlier is None:
            return made
        law = np.asarray(self.covariance, float)
        seen = np.isfinite(known.earlier)
        for pattern in np.unique(seen, axis=0):
            if not pattern.any():
                continue
            mine, visits = np.flatnonzero((seen == pattern).all(axis=1)), np.flatnonzero(pattern)
            weight = np.linalg.solve(law[np.ix_(visits, visits)], law[visits])
            made[mine] += (known.earlier[np.ix_(mine, visits)] - mean[np.ix_(mine, visits)]) @ weight
        return made

    def check(self, columns: int) -> str:
        """What is wrong with it as a model of so many columns, or nothing."""
        count = len(self.visits)
        law = np.zeros((0, 0))
        if all(len(row) == count for row in self.covariance) and len(self.covariance) == count:
            law = np.asarray(self.covariance, float)
        if not (0 <= self.at < count == len(self.constants) == len(self.slopes) == len(law)):
            return "a mixed model whose visits differ in number"
        if any(len(row) != columns for row in self.slopes):
            return "a mixed model with slopes of other columns"
        if not np.allclose(law, law.T) or np.linalg.eigvalsh(law)[0] <= 0.0:
            return "a covariance of visits that is none"
        return ""


def fit(history: History, *, structure: str = "unstructured") -> tuple[MixedModel, tuple[str, ...]]:
    """The model, and notes."""
    if history.repeated is None or len(history.visits) < 2:
        raise AnalysisError(f"{len(history.visits)} visits", expected="at least two", where="mixed-model score")
    count = len(history.visits)
    seen = np.isfinite(history.repeated).any(axis=1)
    kept, notes = independent(history.known.design[seen], history.known.names)
    centre = history.known.design[seen][:, kept].mean(axis=0)
    base = np.column_stack([np.ones(history.size), history.known.design[:, kept] - centre])
    visit = np.tile(np.arange(count), history.size)
    rows = np.repeat(base, count, axis=0)
    design = ((visit[:, None] == np.arange(count))[:, :, None] * rows[:, None, :]).reshape(len(visit), -1)
    names = [f"{history.visits[v]}:{name}" for v in range(count)
             for name in ("(constant)", *(history.known.names[k] for k in kept))]  # fmt: skip
    done = mmrm.fit(
        history.repeated.ravel(), design, np.repeat(np.arange(history.size), count), visit, names=names,
        visits=list(range(count)), structure=structure, degrees="residual",
        fallbacks=() if structure != "unstructured" else ("toeplitz heterogeneous", "compound symmetry"),
    )  # fmt: skip
    beta = done.coefficients.reshape(count, -1)
    slopes = np.zeros((count, len(history.known.names)))
    slopes[:, kept] = beta[:, 1:]
    law = next(iter(done.sigma.values()))
    constants = beta[:, 0] - beta[:, 1:] @ centre
    return MixedModel(
        scale="outcome", visits=history.visits, at=history.at, constants=tuple(float(c) for c in constants),
        slopes=tuple(tuple(float(b) for b in row) for row in slopes), structure=done.structure,
        covariance=tuple(tuple(float(c) for c in row) for row in (law + law.T) / 2.0),
    ), (*notes, *done.notes, done.method)  # fmt: skip
