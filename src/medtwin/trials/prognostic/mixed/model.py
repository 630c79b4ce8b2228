"""A fitted multivariate mixed model, and joint draws from it, given baseline and any visits so far.

Draws include all that the model does not know: the covariance parameters θ by Laplace's approximation (:mod:`laplace`),
the coefficients β | θ ~ N(β̂(θ), C(θ)), the patient's random effects b | θ, β, visits so far, and the visit's error.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.mean import Mean
from medtwin.trials.prognostic.mixed.laplace import SplitNormal, split_normal
from medtwin.trials.prognostic.mixed.likelihood import Layout, check_design, precision, solve
from medtwin.trials.prognostic.mixed.optimise import Optimum, maximise
from medtwin.trials.prognostic.mixed.parameters import Packing, root
from medtwin.trials.prognostic.outcome import Outcome

Array = np.ndarray
RANDOM = ("intercept", "slope")

#: Sets of parameters that are drawn; more draws than these take them in turn.
WORLDS = 250

#: What every draw of this model holds under.
CONDITIONS = (
    "as if everybody were measured at every visit: death and drop-out are not drawn",
    "outcomes of training patients are missing at random, given baseline and the visits that were measured",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """``K`` sets of parameters, on the working scales: drawn, or one set, the estimate."""

    coefficients: Array  #: (K, q, d)
    lower: Array  #: (K, a q, a q), L of G = LL'
    residual: Array  #: (K, q, q), M of R = MM'


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedModel:
    """Coefficients per unit of their column; G of random effects outcome by outcome (intercept, slope per unit of time)."""

    outcomes: tuple[Outcome, ...]
    mean: Mean
    random: str
    names: tuple[str, ...]  #: of the columns of the mean, (d,)
    coefficients: Array  #: β, (q, d)
    standard_errors: Array  #: of β at the estimated covariances, (q, d)
    effects_covariance: Array  #: G, (a q, a q)
    residual_covariance: Array  #: R, (q, q)
    log_likelihood: float  #: restricted where ``reml``; in the outcomes' working units
    reml: bool
    last_time: float
    time_unit: str
    patients: int
    visits: int
    notes: tuple[str, ...]
    layout: Layout  #: scaled: outcomes by ``scale``, columns by ``column_scale``, time by ``time_scale``
    optimum: Optimum
    uncertainty: SplitNormal  #: of the optimum's θ
    scale: Array  #: (q,)
    column_scale: Array  #: (q, d)
    time_scale: float

    @property
    def name(self) -> str:
        """Of the generator."""
        return f"mixed model, random {self.random}, {'REML' if self.reml else 'ML'}"

    def parameters(self, draws: int | None, seed: int) -> Parameters:
        """``draws`` sets from the Laplace approximation; None: the estimate alone, once."""
        packing = Packing(len(self.effects_covariance), len(self.outcomes))
        rng = np.random.default_rng([seed, 1])
        theta = self.optimum.theta[None]
        if draws is not None:
            theta = self.uncertainty.draw(draws, rng)
        q, d = self.coefficients.shape
        beta, lower, residual = [], [], []
        grow = np.tile([1.0, 1.0 / self.time_scale][: len(self.effects_covariance) // q], q) * np.repeat(
            self.scale, len(self.effects_covariance) // q
        )
        for one in theta:
            low, error = packing.unpack(one)
            at = solve(self.layout, low, error @ error.T, reml=self.reml, gradient=False)
            b = at.coefficients
            if draws is not None:
                b = b + (root(at.covariance) @ rng.standard_normal(q * d)).reshape(q, d)
            beta.append(b * self.scale[:, None] / self.column_scale)
            lower.append(low * grow[:, None])
            residual.append(error * self.scale[:, None])
        return Parameters(coefficients=np.array(beta), lower=np.array(lower), residual=np.array(residual))

    def working(
        self, baseline: Baseline, subject: Array, time: Array, *, draws: int, seed: int, history: Cohort | None = None,
        mechanism: Array | None = None,
    ) -> Array:  # fmt: skip
        """(draws, V, q) on the working scale, visits in the order given; see :func:`medtwin.trials.prognostic.draw`."""
        drawn = self.parameters(min(draws, WORLDS), seed)
        world = np.arange(draws) % len(drawn.lower)
        x, z = self._rows(baseline, subject, time, mechanism)
        n, q, r = len(baseline.subjects), len(self.outcomes), len(self.effects_covariance)
        a = r // q
        effect, error = np.empty((draws, n, r)), np.empty((draws, len(time), q))
        for k, name in enumerate(baseline.subjects):
            rng = np.random.default_rng([seed, 2, zlib.crc32(name.encode())])
            effect[:, k] = rng.standard_normal((draws, r))
            rows = np.flatnonzero(subject == k)
            error[:, rows] = rng.standard_normal((draws, len(rows), q))
        result = np.einsum("vod,kod->kvo", x, drawn.coefficients, optimize=True)[world]
        past = None if history is None else self._past(baseline, history)
        for k in range(draws):
            low, m = drawn.lower[world[k]], drawn.residual[world[k]]
            centre, spread = self._given(past, drawn, int(world[k]), n)
            b = centre + (spread @ effect[k][:, :, None])[:, :, 0] if past is not None else effect[k] @ low.T
            result[k] += np.einsum("voa,va->vo", b[subject].reshape(len(time), q, a), z) + error[k] @ m.T
        return np.asarray(result)

    def moments(
        self, baseline: Baseline, subject: Array, time: Array, *, history: Cohort | None = None,
        mechanism: Array | None = None,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Mean (V, q) and covariance across outcomes (V, q, q) of each visit, at the estimate, without its uncertainty."""
        fixed = self.parameters(None, 0)
        x, z = self._rows(baseline, subject, time, mechanism)
        q, r = len(self.outcomes), len(self.effects_covariance)
        past = None if history is None else self._past(baseline, history)
        centre, spread = self._given(past, fixed, 0, len(baseline.subjects))
        shape = (len(time), q, r // q)
        mean = np.einsum("vod,od->vo", x, fixed.coefficients[0])
        mean += np.einsum("voa,va->vo", centre[subject].reshape(shape), z)
        reach = np.einsum("voar,va->vor", spread[subject].reshape(*shape, r), z)
        return mean, reach @ np.swapaxes(reach, 1, 2) + self.residual_covariance

    def _rows(self, baseline: Baseline, subject: Array, time: Array, mechanism: Array | None) -> tuple[Array, Array]:
        if (mechanism is not None) != (self.names[-1] == "mechanism"):
            raise AnalysisError(
                "a mechanism's forecast where the model has none" if mechanism is not None else "no mechanism's forecast",
                expected="one exactly where the model was fitted with one", where="mechanism",
            )  # fmt: skip
        x = self.mean.columns(baseline, subject, time, mechanism, len(self.outcomes))
        return x, random_columns(time, self.random)

    def _past(self, baseline: Baseline, history: Cohort) -> tuple[Array, Layout, Array]:
        """Design, layout and owner of the visits so far."""
        if history.outcomes != self.outcomes or history.baseline.subjects != baseline.subjects:
            raise AnalysisError("a history of other patients or outcomes", expected="those of the baseline, in its order",
                                where="history")  # fmt: skip
        x, z = self._rows(baseline, history.subject, history.time, history.mechanism)
        if not len(history.subject):
            raise AnalysisError("a history without visits", expected="some, or no history", where="history")
        return x, Layout.of(history.values, x, z, history.subject), np.unique(history.subject)

    def _given(
        self, past: tuple[Array, Layout, Array] | None, drawn: Parameters, k: int, n: int
    ) -> tuple[Array, Array]:
        """Mean (n, r) and a root of the covariance (n, r, r) of the random effects, given the visits so far."""
        low, m = drawn.lower[k], drawn.residual[k]
        r = len(low)
        centre, spread = np.zeros((n, r)), np.broadcast_to(low, (n, r, r)).copy()
        if past is None:
            return centre, spread
        _, layout, owner = past
        weight = precision(m @ m.T, layout.patterns)[0]
        w = weight[layout.pattern]
        rest = layout.y - np.einsum("jod,od->jo", layout.x, drawn.coefficients[k])
        wr = (w @ rest[:, :, None])[:, :, 0]
        c = np.add.reduceat((wr[:, :, None] * layout.z[:, None, :]).reshape(len(w), r), layout.starts, axis=0)
        inner = np.linalg.cholesky(np.eye(r) + low.T @ layout.crossed(weight) @ low)
        half = np.linalg.solve(inner, np.broadcast_to(low.T, inner.shape))  # H = half' half
        centre[owner] = (np.swapaxes(half, 1, 2) @ (half @ c[:, :, None]))[:, :, 0]
        spread[owner] = np.swapaxes(half, 1, 2)
        return centre, spread

    def conditions(self, time: Array, history: Cohort | None) -> tuple[str, ...]:
        """What draws at these times hold under."""
        told = [*CONDITIONS, "given baseline" if history is None else "given baseline and the visits of the history"]
        if len(time) and float(np.max(time)) > self.last_time:
            told.append(
                f"times beyond {self.last_time:g} {self.time_unit}s, the last that the model has seen, are extrapolated"
            )
        return tuple(told)


def random_columns(time: Array, random: str) -> Array:
    """(J, a): 1, or 1 and time."""
    one = np.ones((len(time), 1))
    return one if random == "intercept" else np.column_stack([one, time])


def fit_mixed(cohort: Cohort, mean: Mean | None = None, *, random: str = "slope", reml: bool = True) -> MixedModel:
    """The model of all the cohort's outcomes. Raises :class:`AnalysisError` where it cannot be told from these data."""
    mean = mean or Mean()
    if random not in RANDOM:
        raise AnalysisError(f"random {random!r}", expected=f"one of {RANDOM}", where="mixed model")
    q = len(cohort.outcomes)
    patients = len(np.unique(cohort.subject))
    if patients < 2 or len(cohort.subject) <= patients:
        raise AnalysisError(f"{len(cohort.subject)} visits of {patients} patients", where="mixed model",
                            expected="more visits than patients, to tell a patient from a visit")  # fmt: skip
    x = mean.columns(cohort.baseline, cohort.subject, cohort.time, cohort.mechanism, q)
    names = mean.names(cohort.baseline, cohort.mechanism is not None)
    seen = np.isfinite(cohort.values)
    check_design(x, seen, names, tuple(one.name for one in cohort.outcomes))
    scale, column_scale = np.empty(q), np.empty(x.shape[1:])
    rest = np.full_like(cohort.values, np.nan)
    for o in range(q):
        part = x[seen[:, o], o]
        column_scale[o] = np.sqrt((part**2).mean(0))
        beta = np.linalg.lstsq(part / column_scale[o], cohort.values[seen[:, o], o], rcond=None)[0]
        rest[seen[:, o], o] = cohort.values[seen[:, o], o] - part / column_scale[o] @ beta
        scale[o] = np.sqrt(np.nanmean(rest[:, o] ** 2))
        if not scale[o] > 1e-10 * np.sqrt(np.nanmean(cohort.values[:, o] ** 2)):
            raise AnalysisError(
                f"{cohort.outcomes[o].name} that its mean determines", expected="an outcome that varies"
            )
    time_scale = float(np.sqrt((cohort.time**2).mean())) if random == "slope" else 1.0
    z = random_columns(cohort.time / time_scale, random)
    layout = Layout.of(cohort.values / scale, x / column_scale, z, cohort.subject)
    a = z.shape[1]
    start = np.kron(np.eye(q), np.diag([0.4, 0.1][:a]))
    done = maximise(layout, start, 0.5 * np.eye(q), reml=reml, where=f"mixed model of {patients} patients")
    lower, residual = Packing(a * q, q).unpack(done.theta)
    at = solve(layout, lower, residual @ residual.T, reml=reml, gradient=False)
    grow = np.repeat(scale, a) * np.tile([1.0, 1.0 / time_scale][:a], q)
    measured = seen.sum(0)
    jacobian = float((measured * np.log(scale)).sum())
    if reml:  # N - p of them, and log|X'V⁻¹X| of scaled columns
        jacobian += float(np.log(column_scale).sum() - x.shape[2] * np.log(scale).sum())
    return MixedModel(
        outcomes=cohort.outcomes, mean=mean, random=random, names=names,
        coefficients=at.coefficients * scale[:, None] / column_scale,
        standard_errors=np.sqrt(np.diag(at.covariance)).reshape(q, -1) * scale[:, None] / column_scale,
        effects_covariance=(lower @ lower.T) * np.outer(grow, grow),
        residual_covariance=(residual @ residual.T) * np.outer(scale, scale),
        log_likelihood=done.log_likelihood - jacobian, reml=reml, last_time=float(cohort.time.max()),
        time_unit=cohort.time_unit, patients=patients, visits=len(cohort.subject),
        notes=(*cohort.notes, *done.notes), layout=layout, optimum=done,
        uncertainty=split_normal(layout, done, a * q, q, reml=reml), scale=scale, column_scale=column_scale,
        time_scale=time_scale,
    )  # fmt: skip
