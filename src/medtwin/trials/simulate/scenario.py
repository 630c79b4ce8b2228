"""What is simulated: one trial's design and truth, as a value; from Python or a YAML file.

    dialect: medtwin-trial-scenario/1
    endpoint: continuous
    n_control: 60
    n_treated: 120
    effect: 0.4
    correlation: 0.5

Every outcome stands on a latent normal variable ``L = r m + b x + c g + sqrt(1 - r^2 - b^2 - c^2) e`` of score m, baseline
covariates (x their standardised sum), a normal g whose quantiles are the strata, and noise e: its marginal law, so every
marginal effect, stays exactly what is written here, whatever explains it. ``correlation`` is that of the score with the
outcome itself for continuous, binary, count and repeated outcomes; with L for times to an event.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import correlation, level, positive, share
from medtwin.trials.planning.sequential import GroupSequential, Looks, group_sequential

DIALECT = "medtwin-trial-scenario/1"
ENDPOINTS = ("continuous", "binary", "count", "survival", "repeated")
RANDOMISATIONS = ("fixed", "simple", "permuted-block", "stratified", "minimisation")
SEEN = ("as it is", "exponential", "squared", "shuffled", "scaled", "biased", "noisy")
MECHANISMS = ("MCAR", "MAR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A trial to be simulated. Fields of another endpoint are refused where they are set."""

    n_control: int
    n_treated: int
    endpoint: str = "continuous"
    title: str = ""
    alpha: float = 0.05  #: of the whole test
    sides: int = 2
    benefit: str = "higher"  #: higher | lower: the side on which a one-sided test rejects
    # randomisation
    randomisation: str = (
        "fixed"  #: fixed: exact numbers; simple: a coin; permuted-block; stratified: blocks in strata; minimisation
    )
    block: int = 0  #: patients a block; 0: the smallest that holds the allocation, at least 4
    strata: int = 1  #: equally likely levels of a prognostic factor
    strata_correlation: float = 0.0  #: c above
    # score and covariates
    correlation: float = 0.0  #: of score and outcome within an arm (control)
    correlation_treated: float | None = None  #: default: the same
    baseline: int = 0  #: independent standard normal covariates besides the score
    baseline_correlation: float = 0.0  #: b above: their multiple correlation with the outcome
    seen: str = "as it is"  #: what the analysis gets for the score; see ``randomise.seen_score``
    seen_by: float = 1.0  #: factor, bias in SD, or share of noise
    training_decay: float = 0.0  #: drift between training and trial: the score's share lost to a direction that moved
    training_shift: float = 0.0  #: the trial's patients lie so many SD off those of training, in every covariate
    # continuous, repeated
    effect: float = 0.0  #: treated - control; repeated: at the last visit
    sd: float = 1.0
    sd_treated: float | None = None
    heterogeneity: float = 0.0  #: SD of the effect over the score, added to the treated outcome
    dropout: float = 0.0  #: share without an outcome, at random; not survival or repeated
    # binary
    risk_control: float | None = None
    risk_treated: float | None = None
    # count
    rate_control: float | None = None
    rate_ratio: float = 1.0
    exposure: float = 1.0
    dispersion: float = 0.0  #: k, variance mu + k mu^2; 0: Poisson
    # survival: hazard h(t) = hazard_control shape t^(shape-1) factor(t); times in one unit
    hazard_control: float | None = None
    hazard_ratio: float = 1.0
    shape: float = 1.0  #: of the Weibull law; 1: exponential
    cuts: tuple[float, ...] = ()  #: where a piecewise hazard changes
    factors: tuple[float, ...] = ()  #: what it is multiplied with after each cut
    accrual: float = 0.0  #: entry is uniform over it
    followup: float | None = None  #: after the last patient came in; none: everyone until the event
    dropout_hazard: float = 0.0
    # repeated
    covariance: tuple[tuple[float, ...], ...] = ()  #: of the outcome over visits, within an arm
    retention: tuple[float, ...] = ()  #: share observed at each visit, control; none: everyone
    retention_treated: tuple[float, ...] = ()  #: default: the same
    mechanism: str = "MCAR"  #: of drop-out; MAR: the chance to leave rises with the value at the visit before
    mar_slope: float = 1.0  #: log odds to leave per SD of it (MAR)
    # external controls
    n_external: int = 0
    external_drift: float = 0.0  #: their outcome differs by so many SD (continuous), or on the latent scale
    external_shift: float = 0.0  #: their covariates' means differ by so many SD
    # group-sequential looks
    looks: tuple[float, ...] = ()  #: share of patients (survival: of events) at each; the last is 1
    boundary: str = "spending"
    spending: str = "obrien-fleming"
    parameter: float | None = None
    futility: str | None = None
    futility_z: tuple[float, ...] | None = None
    binding: bool = False
    planned_power: float = 0.9  #: that beta spending counts on

    def __post_init__(self) -> None:
        check(self)

    @property
    def patients(self) -> int:
        """Of the trial, external controls not counted."""
        return self.n_control + self.n_treated

    @property
    def share(self) -> float:
        """Treated."""
        return self.n_treated / self.patients

    @property
    def correlations(self) -> tuple[float, float]:
        """Of the score with the outcome, (control, treated)."""
        treated = self.correlation if self.correlation_treated is None else self.correlation_treated
        return self.correlation, treated

    @property
    def sds(self) -> tuple[float, float]:
        """(control, treated)."""
        return self.sd, self.sd if self.sd_treated is None else self.sd_treated

    @property
    def design(self) -> GroupSequential | None:
        """The boundaries of its looks."""
        if not self.looks:
            return None
        chosen = Looks(
            information=self.looks, kind=self.boundary, function=self.spending, parameter=self.parameter,
            futility=self.futility, futility_z=self.futility_z, binding=self.binding,
        )  # fmt: skip
        return group_sequential(chosen, alpha=self.alpha, sides=self.sides, power=self.planned_power)

    def digest(self) -> str:
        """Of everything that is drawn or decided here; the title does not count."""
        return _digest(self)

    def with_fields(self, **changed: Any) -> Scenario:
        """Another scenario, by name of field, checked; integers and lists are taken for floats and tuples."""
        held = {name: value for name, value in asdict(self).items() if name not in changed}
        return scenario_of(held | changed)


@lru_cache(maxsize=4096)
def _digest(scenario: Scenario) -> str:
    held = {name: value for name, value in asdict(scenario).items() if name != "title"}
    return hashlib.sha256(msgspec.json.encode(held, order="deterministic")).hexdigest()


_OWN = {
    "continuous": {"effect", "sd", "sd_treated", "heterogeneity", "dropout"},
    "binary": {"risk_control", "risk_treated", "dropout"},
    "count": {"rate_control", "rate_ratio", "exposure", "dispersion", "dropout"},
    "survival": {"hazard_control", "hazard_ratio", "shape", "cuts", "factors", "accrual", "followup", "dropout_hazard"},
    "repeated": {"effect", "covariance", "retention", "retention_treated", "mechanism", "mar_slope"},
}
_NEEDED = {"binary": ("risk_control", "risk_treated"), "count": ("rate_control",), "survival": ("hazard_control",),
           "repeated": ("covariance",)}  # fmt: skip


def check(made: Scenario) -> None:
    """Raises :class:`AnalysisError` for what cannot be simulated, or would not be used."""
    one_of("endpoint", made.endpoint, ENDPOINTS)
    one_of("randomisation", made.randomisation, RANDOMISATIONS)
    one_of("seen", made.seen, SEEN)
    one_of("mechanism", made.mechanism, MECHANISMS)
    one_of("benefit", made.benefit, ("higher", "lower"))
    level(made.alpha, made.sides)
    if min(made.n_control, made.n_treated) < 2 or made.n_external < 0 or made.baseline < 0 or made.strata < 1:
        raise AnalysisError(
            f"{made.n_control} + {made.n_treated} patients, {made.n_external} external, {made.baseline} covariates, "
            f"{made.strata} strata", expected="at least 2 an arm; none negative; 1 stratum or more", where="scenario",
        )  # fmt: skip
    default = {item.name: item.default for item in fields(Scenario)}
    everywhere = set().union(*_OWN.values())
    strange = sorted(n for n in everywhere - _OWN[made.endpoint] if getattr(made, n) != default[n])
    if strange:
        raise AnalysisError(f"{', '.join(strange)} with endpoint {made.endpoint}", where="scenario",
                            expected="only what this endpoint uses", remedy="remove it, or name another endpoint")  # fmt: skip
    absent = [name for name in _NEEDED.get(made.endpoint, ()) if not getattr(made, name)]
    if absent:
        raise AnalysisError(f"no {', '.join(absent)}", expected=f"it, for {made.endpoint}", where="scenario")
    for r in made.correlations:
        correlation("correlation", r)
        left = 1.0 - r**2 - made.baseline_correlation**2 - made.strata_correlation**2
        if not left > 0.0:
            raise AnalysisError(f"correlations that explain {1.0 - left:g} of the outcome", expected="less than 1",
                                where="scenario")  # fmt: skip
    if (made.baseline_correlation and not made.baseline) or (made.strata_correlation and made.strata == 1):
        raise AnalysisError("a correlation of what is not there", expected="baseline, strata: as many as wanted")
    for name in ("sd", "rate_ratio", "exposure", "hazard_ratio", "shape"):
        positive(name, getattr(made, name))
    for name in ("dispersion", "accrual", "dropout_hazard", "heterogeneity"):
        positive(name, getattr(made, name), zero=True)
    for name in ("rate_control", "hazard_control", "sd_treated"):
        if getattr(made, name) is not None:
            positive(name, getattr(made, name))
    for name in ("risk_control", "risk_treated"):
        if getattr(made, name) is not None:
            share(name, getattr(made, name))
    if not (0.0 <= made.dropout < 1.0 and 0.0 <= made.training_decay < 1.0):
        raise AnalysisError(
            f"dropout {made.dropout:g}, decay {made.training_decay:g}", expected="0 or more, less than 1"
        )
    if len(made.cuts) != len(made.factors) or any(b <= a for a, b in zip((0.0, *made.cuts), made.cuts, strict=False)):
        raise AnalysisError(f"cuts {made.cuts}, factors {made.factors}", expected="rising times above 0, a factor each")
    if made.looks and (made.endpoint == "repeated" or made.dropout or made.n_external):
        raise AnalysisError("looks with repeated measures, drop-out or external controls", expected="a fixed design",
                            where="scenario")  # fmt: skip
    _ = made.design


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises :class:`AnalysisError` for a word that is not known."""
    if value not in known:
        raise AnalysisError(f"{name} {value!r}", expected=f"one of {known}", where="scenario")


def scenario_of(given: dict[str, Any], where: str = "scenario") -> Scenario:
    """From the keys of a file. Raises :class:`AnalysisError` for a name that is unknown."""
    names = {item.name for item in fields(Scenario)}
    held = {name: value for name, value in given.items() if name != "dialect"}
    if strange := sorted(set(held) - names):
        raise AnalysisError(f"{', '.join(strange)}", expected=f"some of {', '.join(sorted(names))}", where=where)
    try:
        return msgspec.convert(held, Scenario)
    except msgspec.ValidationError as error:
        raise AnalysisError(f"a scenario that cannot be read ({error})", where=where) from error
