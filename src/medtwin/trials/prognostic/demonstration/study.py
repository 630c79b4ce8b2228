"""The figures of the page: five folds of draws, judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.statistics.closeness import Privacy, privacy
from medtwin.statistics.clustered import ClusteredMean, ClusteredShare, clustered_mean, clustered_share
from medtwin.statistics.coverage import Share, share
from medtwin.statistics.scores import crps_members, rmse
from medtwin.trials.prognostic.boosting import fit_boosted
from medtwin.trials.prognostic.choose import patient_scores
from medtwin.trials.prognostic.conformal import conformal
from medtwin.trials.prognostic.demonstration.data import FOLDS, MEAN, OUTCOMES, WINDOWS, Patients, reported
from medtwin.trials.prognostic.departure import draw_with_departure, fit_departure, given_present
from medtwin.trials.prognostic.evaluation.accuracy import Accuracy, accuracy, better, correlation
from medtwin.trials.prognostic.evaluation.calibration import interval_coverage, rank_test
from medtwin.trials.prognostic.evaluation.dependence import Dependence, dependence
from medtwin.trials.prognostic.evaluation.discriminator import Discrimination, discriminate
from medtwin.trials.prognostic.generator import Generator, draw, draw_visits
from medtwin.trials.prognostic.linear import fit_linear
from medtwin.trials.prognostic.mixed import MixedModel, fit_mixed
from medtwin.trials.prognostic.persistence import fit_persistence, own_baseline

Array = np.ndarray
TWIN = "mixed model, who is still there"
EVERYBODY = "mixed model, as if everybody were"
PERSISTENCE = "persistence, resampled changes"
STEP = 0.5  #: years between looks at leaving
SPARE = 2  #: draws with leaving for each draw that is kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecasts:
    """Out-of-fold draws at every visit, on the working scale."""

    each: dict[str, Array]  #: generator -> (D, N, q), right for every visit alone
    joint: dict[str, Array]  #: the same as whole trajectories
    models: list[MixedModel]  #: of each fold
    departures: tuple[Array, Array]  #: coefficients and standard errors of leaving, from all patients
    departure_names: tuple[str, ...]
    conditions: dict[str, tuple[str, ...]]


def forecasts(data: Patients, draws: int, seed: int) -> Forecasts:
    """All generators, each patient by models that did not see him."""
    cohort = data.cohort
    names = (TWIN, EVERYBODY, "boosted trees, resampled residuals", "least squares, resampled residuals", PERSISTENCE)
    each = {name: np.empty((draws, *cohort.values.shape)) for name in names}
    joint, models, told = {TWIN: np.empty((draws, *cohort.values.shape))}, [], {}
    for k in range(FOLDS):
        inside = data.fold == k
        rows = inside[cohort.subject]
        train, test = cohort.take(~inside), cohort.take(inside)
        model = fit_mixed(train, MEAN)
        models.append(model)
        leaving = fit_departure(train, data.end[~inside], data.left[~inside], covariates=("age",))
        drawn = draw_with_departure(
            model, leaving, test.baseline, test.time, subject=test.subject, step=STEP, draws=SPARE * draws, seed=seed
        )  # fmt: skip
        one = given_present(drawn, seed=seed)
        each[TWIN][:, rows] = one.working[:draws]
        joint[TWIN][:, rows] = given_present(drawn, at="last", seed=seed).working[:draws]
        told[TWIN] = one.conditions
        boosted, linear, kept = (
            fit_boosted(train, seed=seed),
            fit_linear(train, MEAN, seed=seed),
            fit_persistence(train, seed=seed),
        )
        others: tuple[Generator, ...] = (model, boosted, linear, kept)
        for name, generator in zip(names[1:], others, strict=True):
            other = draw_visits(generator, test, draws=draws, seed=seed)
            each[name][:, rows] = other.working
            told[name] = other.conditions
    whole = fit_departure(cohort, data.end, data.left, covariates=("age",))
    return Forecasts(
        each=each, joint={**each, **joint}, models=models, departures=(whole.coefficients, whole.standard_errors),
        departure_names=whole.names, conditions=told,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A generator's joint score and its distance to the best."""

    name: str
    energy: ClusteredMean
    behind: ClusteredMean
    crps: float


def ranking(data: Patients, made: Forecasts) -> list[Ranked]:
    """By energy score of the trajectories; the CRPS in units of each outcome's sd beside it."""
    energy = {name: patient_scores(drawn, data.cohort, "energy") for name, drawn in made.joint.items()}
    people = np.arange(len(next(iter(energy.values()))))
    best = min(energy, key=lambda name: float(energy[name].mean()))
    return [
        Ranked(
            name=name, energy=clustered_mean(energy[name], people), behind=clustered_mean(energy[name] - energy[best], people),
            crps=float(patient_scores(made.each[name], data.cohort, "crps").mean()),
        )
        for name in sorted(energy, key=lambda name: float(energy[name].mean()))
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One outcome in one window (None: all visits)."""

    outcome: int
    year: float | None
    twin: Accuracy
    everybody: Accuracy
    plain: Accuracy  #: persistence: the baseline value
    squared: ClusteredMean  #: twin's squared error less that of persistence
    crps: ClusteredMean  #: twin's CRPS less that of persistence with resampled changes
    other_crps: float
    coverage: ClusteredShare
    rank_p: float


def rows(data: Patients, made: Forecasts, seed: int) -> list[Row]:
    """Every outcome in every window."""
    cohort = data.cohort
    truth, who = reported(cohort.values), cohort.subject
    first = reported(own_baseline(cohort.baseline, OUTCOMES))[who]
    twin, everybody, kept = (reported(made.each[name]) for name in (TWIN, EVERYBODY, PERSISTENCE))
    found = []
    for o in range(3):
        for year in (None, *WINDOWS):
            held = np.ones(len(who), bool) if year is None else data.window(year)
            y, x, b, mine = truth[held, o], twin[:, held, o], first[held, o], who[held]
            low, high = np.quantile(x, [0.05, 0.95], axis=0, method="weibull")
            found.append(Row(
                outcome=o, year=year, twin=accuracy(x.mean(0), y, mine, draws=x, baseline=b),
                everybody=accuracy(everybody[:, held, o].mean(0), y, mine), plain=accuracy(b, y, mine),
                squared=better((x.mean(0) - y) ** 2, (b - y) ** 2, mine),
                crps=better(crps_members(x, y), crps_members(kept[:, held, o], y), mine),
                other_crps=float(crps_members(kept[:, held, o], y).mean()),
                coverage=interval_coverage(low, high, y, mine), rank_p=rank_test(x, y, mine, seed=seed).p_value,
            ))  # fmt: skip
    return found


def discriminations(data: Patients, made: Forecasts, seed: int) -> list[tuple[str, str, Discrimination]]:
    """(what, generator, result) of outcomes at one visit a patient, and of trajectories at years 1, 2 and 5."""
    cohort = data.cohort
    own = own_baseline(cohort.baseline, OUTCOMES)
    found = []
    for years in ((1.0,), (2.0,), (5.0,), (1.0, 2.0, 5.0)):
        visits = np.column_stack([data.nearest(year) for year in years])
        people = np.flatnonzero((visits >= 0).all(1))
        visits = visits[people]
        for name in (TWIN, EVERYBODY, "boosted trees, resampled residuals", PERSISTENCE):
            real = cohort.values[visits].reshape(len(people), -1)
            what = "all outcomes at year " + ", ".join(f"{year:g}" for year in years)
            nine = [
                discriminate(
                    real,
                    one[visits].reshape(len(people), -1),
                    people,
                    baseline=own[people],
                    permutations=399,
                    seed=seed,
                )
                for one in made.joint[name][:9]
            ]
            found.append((what, name, sorted(nine, key=lambda one: one.auc)[4]))
    return found


def dependences(data: Patients, made: Forecasts) -> list[tuple[str, Dependence]]:
    """Three outcomes at years 1, 2, 3 and 5: twelve columns."""
    visits = np.column_stack([data.nearest(year) for year in WINDOWS])
    people = np.flatnonzero((visits >= 0).any(1))
    visits = visits[people]
    gone = np.repeat(visits < 0, 3, 1)
    truth = np.where(gone, np.nan, data.cohort.values[visits].reshape(len(people), -1))
    return [
        (name, dependence(np.where(gone, 0.0, drawn[:, visits].reshape(len(drawn), len(people), -1)), truth))
        for name, drawn in made.joint.items()
    ]


@dataclass(frozen=True, kw_only=True)
class Conformed:
    """Split conformal: three folds train, one calibrates, one is judged."""

    each: list[ClusteredShare]  #: of each outcome
    raw: list[ClusteredShare]  #: central intervals of the same draws, for comparison
    factors: list[list[float]]  #: of each split: multiples of the sd, by outcome
    together: Share  #: patients with all outcomes at all visits inside their band
    factor: list[float]


def conformed(data: Patients, draws: int, seed: int, probability: float = 0.9) -> Conformed:
    """With the mixed model of who is still there."""
    cohort = data.cohort
    inside, central = np.empty(cohort.values.shape, bool), np.empty(cohort.values.shape, bool)
    band = np.empty(cohort.values.shape, bool)
    factors, factor = [], []
    for k in range(FOLDS):
        test, calibrate = data.fold == k, data.fold == (k + 1) % FOLDS
        train = ~(test | calibrate)
        model = fit_mixed(cohort.take(train), MEAN)
        leaving = fit_departure(cohort.take(train), data.end[train], data.left[train], covariates=("age",))
        parts = []
        for mask in (calibrate, test):
            mine = cohort.take(mask)
            drawn = draw_with_departure(model, leaving, mine.baseline, mine.time, subject=mine.subject, step=STEP,
                                        draws=SPARE * draws, seed=seed)  # fmt: skip
            parts.append((mine, given_present(drawn, seed=seed)))
        (known, ours), (fresh, theirs) = parts
        bands = conformal(ours.mean, ours.sd, known.values, known.subject, probability)
        rows = test[cohort.subject]
        low, high = bands.interval(theirs.mean, theirs.sd)
        inside[rows] = (fresh.values >= low) & (fresh.values <= high)
        low, high = bands.band(theirs.mean, theirs.sd)
        band[rows] = (fresh.values >= low) & (fresh.values <= high)
        low, high = theirs.interval(probability)
        central[rows] = (fresh.values >= low) & (fresh.values <= high)
        factors.append([float(one) for one in bands.each])
        factor.append(bands.all)
    people = np.unique(cohort.subject)
    whole = [bool(band[cohort.subject == one].all()) for one in people]
    return Conformed(
        each=[clustered_share(inside[:, o], cohort.subject) for o in range(3)],
        raw=[clustered_share(central[:, o], cohort.subject) for o in range(3)], factors=factors,
        together=share(sum(whole), len(whole)), factor=factor,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """Forecasts made at year two for a later year: RMSE and correlation of three, in the reported scale."""

    outcome: int
    year: float
    visits: int
    history: tuple[float, float]  #: the twin given all visits so far
    baseline: tuple[float, float]  #: the twin given baseline alone
    last: tuple[float, float]  #: the last value carried forward


def landmarks(data: Patients, made: Forecasts, draws: int, seed: int, at: float = 2.0) -> list[Landmark]:
    """Patients with a visit by ``at`` and one in the later window."""
    cohort = data.cohort
    shape = cohort.values.shape
    given, alone, last = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for k, model in enumerate(made.models):
        mask = data.fold == k
        past = cohort.take(mask).between(0.0, at)
        kept = np.isin(np.arange(int(mask.sum())), past.subject)
        mask = mask.copy()
        mask[np.flatnonzero(mask)[~kept]] = False
        test = cohort.take(mask)
        past, later = test.between(0.0, at), test.between(at, np.inf)
        rows = mask[cohort.subject] & (cohort.time > at)
        for held, history in ((given, past), (alone, None)):
            drawn = draw(
                model, test.baseline, later.time, subject=later.subject, history=history, draws=draws, seed=seed
            )
            held[rows] = reported(drawn.working).mean(0)
        carried = np.array([past.values[past.subject == one][-1] for one in range(len(test.baseline.subjects))])
        last[rows] = reported(carried[later.subject])
    truth = reported(cohort.values)
    found = []
    for o in range(3):
        for year in (3.0, 5.0):
            mine = data.window(year) & np.isfinite(given[:, o])
            y = truth[mine, o]
            three = [(rmse(one[mine, o] - y), correlation(one[mine, o], y)) for one in (given, alone, last)]
            found.append(Landmark(outcome=o, year=year, visits=int(mine.sum()), history=three[0], baseline=three[1],
                                  last=three[2]))  # fmt: skip
    return found


def copies(data: Patients, seed: int) -> list[tuple[str, int, Privacy]]:
    """Half of the patients train, the other half are drawn: six numbers (three outcomes at years 1 and 2) a record."""
    cohort = data.cohort
    visits = np.column_stack([data.nearest(1.0), data.nearest(2.0)])
    people = np.flatnonzero((visits >= 0).all(1))
    visits = visits[people]
    half = np.random.default_rng([seed, 11]).permutation(len(people)) % 2 == 0
    inside = np.zeros(len(data.end), bool)
    inside[people[half]] = True
    train, test = cohort.take(inside), cohort.take(people[~half])
    seen, unseen = (cohort.values[visits[who]].reshape(int(who.sum()), -1) for who in (half, ~half))
    times = cohort.time[visits[~half]]
    found = []
    for name, generator in (
        ("mixed model", fit_mixed(train, MEAN)), ("boosted trees, resampled residuals", fit_boosted(train, seed=seed)),
        ("persistence, resampled changes", fit_persistence(train, seed=seed)),
    ):  # fmt: skip
        drawn = draw(
            generator, test.baseline, times.ravel(), subject=np.repeat(np.arange(len(times)), 2), draws=2, seed=seed
        )  # fmt: skip
        made = drawn.working[0].reshape(len(times), -1)
        found.append((name, len(made), privacy(made, seen, unseen, np.ones(6, bool))))
    return found
