"""A whole plan: numbers by every method, savings, interim analyses, assurance, curves and words, from one input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scipy.special import ndtr

from medtwin.errors import AnalysisError
from medtwin.trials.planning.allocation import Saving, controls_removable, optimal, saving, total_removable
from medtwin.trials.planning.ancova import Continuous
from medtwin.trials.planning.assurance import METHOD as ASSURANCE
from medtwin.trials.planning.assurance import assurance, fisher_spread
from medtwin.trials.planning.binary import Binary
from medtwin.trials.planning.counts import Counts
from medtwin.trials.planning.curve import Figure
from medtwin.trials.planning.discount import Discount
from medtwin.trials.planning.figures import figures_of
from medtwin.trials.planning.inputs import PlanInput
from medtwin.trials.planning.models import Model, effect_of, model, null_of, replace_covariates
from medtwin.trials.planning.planned import Planned
from medtwin.trials.planning.repeated import Repeated
from medtwin.trials.planning.sequential import GroupSequential, Looks, fixed_drift, group_sequential
from medtwin.trials.planning.survival import FREEDMAN, SCHOENFELD, Survival, freedman_events, schoenfeld_events
from medtwin.trials.planning.variance import ancova_1, ancova_2, unadjusted
from medtwin.trials.planning.wald import Power, real_n0, whole_arms

FEW = 20.0  #: expected events (or patients without) in an arm below which a plan is warned about


@dataclass(frozen=True, slots=True, kw_only=True)
class ByMethod:
    """What one method says."""

    method: str
    n_control: int | None  #: that it would plan; None where the numbers were given, or it reaches the power with none
    n_treated: int | None
    power: float  #: of the planned trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One analysis of a group-sequential trial."""

    information: float
    patients: float  #: in all; of a time to an event: events
    time: float | None  #: expected, since the first patient; of a time to an event alone
    efficacy: float | None  #: Z; None: too little level to stop
    nominal: float  #: one-sided level at this look
    futility: float | None  #: Z
    alpha_spent: float
    stops_null: float  #: probability to stop here without effect
    stops_planned: float  #: with the planned effect


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """The result; ``numbers`` hold every figure with the method that made it."""

    plan: PlanInput
    method: str  #: by which it is planned
    n_control: int
    n_treated: int
    power: float
    methods: tuple[ByMethod, ...]
    numbers: tuple[Planned, ...]
    savings: tuple[Saving, ...] = ()  #: of the score, at equal power; the same that ``numbers`` tell
    looks: tuple[Look, ...] = ()
    boundary: str = ""
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = field(default=())


def plan_trial(plan: PlanInput, *, figures: bool = True, watch: Callable[[], None] | None = None) -> TrialPlan:
    """Work the plan out. Raises AnalysisError where it asks for what no trial can give.

    ``watch`` is called before each evaluation of a power: what it raises ends the work.
    """

    def functions_of(one: Model) -> dict[str, Power]:
        return one.methods() if watch is None else {name: _watched(f, watch) for name, f in one.methods().items()}

    planned = model(plan)
    functions = functions_of(planned)
    method, primary = next(iter(functions.items()))
    design = _design(plan)
    inflation = design.inflation if design else 1.0
    notes: list[str] = []
    numbers: list[Planned] = []
    if plan.n_control is None or plan.n_treated is None:
        fixed = _arms(plan, planned, primary)
        n0, n1 = fixed if design is None else _planned_arms(plan, planned, primary, inflation)
    else:
        fixed, (n0, n1) = (plan.n_control, plan.n_treated), (plan.n_control, plan.n_treated)
    ratio = n1 / n0

    def achieved(function: Power) -> float:
        return _with_looks(plan, design, function(n0, n1))

    power = achieved(primary)
    rows = []
    for name, function in functions.items():
        own: tuple[int | None, int | None] = (None, None)
        if plan.n_control is None:
            try:
                own = (n0, n1) if name == method else _planned_arms(plan, planned, function, inflation)
            except AnalysisError:
                notes.append(f"no number of patients reaches the power by: {name}")
        rows.append(ByMethod(method=name, n_control=own[0], n_treated=own[1], power=achieved(function)))
    numbers.append(Planned("power", power, method + (f"; {design.looks.method}" if design else "")))
    numbers += [Planned("controls", n0, method, "patients"), Planned("treated", n1, method, "patients"),
                Planned("patients in all", n0 + n1, method, "patients")]  # fmt: skip
    if plan.dropout:
        more = [math.ceil(n / (1.0 - plan.dropout) - 1e-9) for n in (n0, n1)]
        numbers.append(
            Planned("enrolled in all, drop-out included", sum(more), f"n / (1 - {plan.dropout:g})", "patients")
        )
    numbers += _particulars(plan, planned, n0, n1, ratio, notes)
    savings = _savings(plan, planned, primary, fixed, method, functions_of, notes)
    numbers += _removable(plan, planned, savings)
    numbers += [number for one in savings for number in one.numbers()]
    numbers += _assured(plan, n0, n1, achieved, functions_of)

    def reaches(one: Model, a: float, b: float) -> tuple[float, str]:
        how, function = next(iter(functions_of(one).items()))
        return _with_looks(plan, design, function(a, b)), how

    looks: tuple[Look, ...] = ()
    if design is not None:
        drift = _drift(plan, primary(n0, n1))
        looks = _looks(plan, planned, design, drift, n0, n1)
        whole = planned.events(n0, n1) if isinstance(planned, Survival) else float(n0 + n1)
        what = "events" if isinstance(planned, Survival) else "patients"
        numbers += [
            Planned("inflation factor", design.inflation, design.looks.method),
            Planned(f"{what} expected without effect", design.expected(0.0) * whole, design.looks.method, what),
            Planned(
                f"{what} expected with the planned effect",
                design.expected(drift) * whole,
                design.looks.method,
                what,
            ),
        ]
    return TrialPlan(
        plan=plan, method=method, n_control=n0, n_treated=n1, power=power, methods=tuple(rows), numbers=tuple(numbers),
        looks=looks, boundary=design.looks.method if design else "", notes=tuple(notes),
        savings=savings, figures=figures_of(plan, n0, n1, _least(plan, planned), reaches) if figures else (),
    )  # fmt: skip


def _watched(function: Power, watch: Callable[[], None]) -> Power:
    def watched(n0: float, n1: float) -> float:
        watch()
        return function(n0, n1)

    return watched


def _design(plan: PlanInput) -> GroupSequential | None:
    if plan.looks is None:
        return None
    chosen = Looks(
        information=tuple(plan.looks), kind=plan.boundary, function=plan.spending, parameter=plan.parameter,
        futility=plan.futility, futility_parameter=plan.futility_parameter,
        futility_z=tuple(plan.futility_z) if plan.futility_z else None, binding=plan.binding,
    )  # fmt: skip
    return group_sequential(chosen, alpha=plan.alpha, sides=plan.sides, power=plan.power)


def _drift(plan: PlanInput, fixed: float) -> float:
    """``E Z`` of a trial whose power without interim analyses is ``fixed``."""
    return 0.0 if fixed <= plan.alpha else fixed_drift(plan.alpha, plan.sides, min(fixed, 1.0 - 1e-12))


def _with_looks(plan: PlanInput, design: GroupSequential | None, fixed: float) -> float:
    """Power with interim analyses of a trial whose power without them is ``fixed``."""
    return fixed if design is None or fixed <= plan.alpha else design.rejects(_drift(plan, fixed))


def _least(plan: PlanInput, planned: Model) -> float:
    """Fewest controls for which every method has degrees of freedom."""
    q = getattr(planned, "covariates", 0)
    kept = min(planned.retention0[-1], planned.retention1[-1]) if isinstance(planned, Repeated) else 1.0
    return max(2.0, (q + 3.5) / (1.0 + plan.allocation) / kept)


def _arms(plan: PlanInput, planned: Model, function: Power) -> tuple[int, int]:
    steady = 8 if isinstance(planned, Binary) else 0
    return whole_arms(function, plan.allocation, plan.power, _least(plan, planned), steady)


def _planned_arms(plan: PlanInput, planned: Model, function: Power, inflation: float) -> tuple[int, int]:
    if inflation == 1.0:
        return _arms(plan, planned, function)
    if isinstance(planned, Binary):  # a power that rises in teeth has no real solution
        real = inflation * _arms(plan, planned, function)[0]
    else:
        real = inflation * real_n0(function, plan.allocation, plan.power, _least(plan, planned))
    return math.ceil(real - 1e-9), math.ceil(real * plan.allocation - 1e-9)


def _particulars(plan: PlanInput, planned: Model, n0: int, n1: int, ratio: float, notes: list[str]) -> list[Planned]:
    """What belongs to one kind of endpoint."""
    made: list[Planned] = []
    discount = Discount(inflation=plan.inflation, deflation=plan.deflation, convention=plan.convention)
    if discount.words:
        notes.append(f"discounted: {discount.words}")
    if isinstance(planned, Survival):
        events = planned.events(n0, n1)
        made.append(Planned("expected events", events, "exponential times, uniform accrual", "events"))
        if plan.n_control is None:
            wanted: dict[str, Any] = {"power": plan.power, "alpha": plan.alpha, "sides": plan.sides,
                                      "correlation": planned.correlation}  # fmt: skip
            needed = schoenfeld_events(planned.hazard_ratio, ratio, margin=planned.margin, **wanted)
            made.append(Planned("events needed without interim analyses", needed, SCHOENFELD, "events"))
            if planned.margin == 1.0:
                needed = freedman_events(planned.hazard_ratio, ratio, **wanted)
                made.append(Planned("events needed without interim analyses", needed, FREEDMAN, "events"))
        if planned.correlation:
            saved = 100.0 * planned.correlation**2
            made.append(
                Planned("events saved by the score", saved, "squared correlation with martingale residuals", "%")
            )
        if events < FEW:
            notes.append(f"only {events:.0f} events are expected: the normal law of the log-rank test is doubtful")
    if isinstance(planned, Continuous):
        v, one, two = unadjusted(planned.arms, ratio), ancova_1(planned.arms, ratio), ancova_2(planned.arms, ratio)
        made += [
            Planned("n Var, unadjusted", v, "asymptotic"),
            Planned("n Var, ANCOVA I", one, "asymptotic"),
            Planned("n Var, ANCOVA II", two, "asymptotic"),
        ]
        if one > v * (1.0 + 1e-9):
            notes.append("ANCOVA I would be worse than no adjustment here: analyse by ANCOVA II")
        k0, k1 = planned.arms.residual()
        made.append(_best(k0, k1, plan))
        if not planned.arms.alike or planned.heterogeneity is not None:
            made.append(
                Planned("heterogeneity of the effect", planned.varied(), "stated, or as the arms' slopes imply")
            )
    if isinstance(planned, Binary | Counts):
        contrast = planned.contrast()
        k0, k1 = (arm.slope**2 * arm.residual for arm in (contrast.control, contrast.treated))
        made += [_best(k0, k1, plan), Planned("n Var", contrast.variance(ratio), "influence function, asymptotic")]
        if plan.correlation:
            made += [
                Planned("n Var, worst-case heterogeneity", contrast.worst_variance(ratio), "asymptotic"),
                Planned("n Var, published bound for slopes of one sign", contrast.bound(ratio), "arXiv 2503.22284"),
                Planned("heterogeneity of the effect", contrast.varied(), "stated, or as the correlations imply"),
            ]
        few = _fewest(planned, n0, n1)
        if few < FEW:
            notes.append(
                f"an arm expects only {few:.1f} events (or patients without one): confirm the power by simulation"
            )
    if isinstance(planned, Repeated):
        phi0, phi1 = planned.last_variances()
        made += [Planned("n Var of the last visit's contrast", planned.variance(ratio), "Lu, Luo & Chen 2008"),
                 _best(phi0, phi1, plan)]  # fmt: skip
    if plan.baseline_correlation:
        own, base = plan.correlation**2, plan.baseline_correlation**2
        made += [Planned("R2 of all that is adjusted for", own, "stated"),
                 Planned("partial R2 of the score beyond the baseline", (own - base) / (1.0 - base), "stated")]  # fmt: skip
    return made


def _best(k0: float, k1: float, plan: PlanInput) -> Planned:
    best = optimal(math.sqrt(k0), math.sqrt(k1), 1.0, plan.cost_ratio)
    return Planned("optimal allocation", best, f"Neyman, cost ratio {plan.cost_ratio:g}", "treated per control")


def _fewest(planned: Binary | Counts, n0: int, n1: int) -> float:
    if isinstance(planned, Binary):
        return min(n * min(p, 1.0 - p) for n, p in ((n0, planned.risk0), (n1, planned.risk1)))
    contrast = planned.contrast()
    return min(n0 * contrast.control.mean, n1 * contrast.treated.mean)


def _removable(plan: PlanInput, planned: Model, savings: tuple[Saving, ...]) -> list[Planned]:
    """What the correlation alone says, by the asymptotic formulas."""
    if not savings or isinstance(planned, Repeated) or plan.correlation_treated is not None:
        return []
    r = Discount(inflation=plan.inflation, deflation=plan.deflation, convention=plan.convention).correlation(
        plan.correlation
    )
    return [
        Planned("controls saved at equal power, no adjustment, treated kept, 1:1", 100.0 * controls_removable(r),
                "1 - 1/(2/(1 - r^2) - 1), asymptotic", "%"),
        Planned("total N saved at equal power, no adjustment, 1:1", 100.0 * total_removable(r), "r^2, asymptotic", "%"),
    ]  # fmt: skip


def _savings(plan: PlanInput, planned: Model, primary: Power, fixed: tuple[int, int], method: str,
             functions_of: Callable[[Model], dict[str, Power]], notes: list[str]) -> tuple[Saving, ...]:  # fmt: skip
    if not plan.correlation or plan.n_control is not None:
        return ()
    made: list[Saving] = []
    others = [("no adjustment", 0.0)]
    if plan.baseline_correlation:
        others.append(("adjustment for the baseline alone", plan.baseline_correlation))
    else:
        notes.append(
            "savings are against no adjustment; state baseline_correlation for those against the baseline value"
        )
    for against, other in others:
        alone = model(replace_covariates(plan, other), correlation=other)
        without = _arms(plan, alone, next(iter(functions_of(alone).values())))
        least = math.ceil(_least(plan, planned))
        made.append(saving(primary, fixed, without, plan.power, against, method, least))
    if plan.looks is not None:
        notes.append("savings compare the designs without interim analyses")
    return tuple(made)


def _assured(plan: PlanInput, n0: int, n1: int, achieved: Callable[[Power], float],
             functions_of: Callable[[Model], dict[str, Power]]) -> list[Planned]:  # fmt: skip
    spread = 0.0
    if plan.correlation:
        spread = fisher_spread(plan.correlation, historical=plan.historical, standard_error=plan.correlation_se)
    elif plan.historical is not None or plan.correlation_se is not None:
        raise AnalysisError(
            "an uncertain correlation of 0", expected="a correlation", remedy="give the correlation, too"
        )
    if not spread and not plan.effect_sd:
        return []

    def power_of(r: float, effect: float) -> float:
        functions = functions_of(model(plan, correlation=r, effect=effect))
        return float(achieved(next(iter(functions.values()))))

    found = assurance(
        power_of, plan.correlation, effect_of(plan), null_of(plan), spread=spread, effect_sd=plan.effect_sd
    )
    return [Planned("assurance", found, ASSURANCE)]


def _looks(
    plan: PlanInput, planned: Model, design: GroupSequential, drift: float, n0: int, n1: int
) -> tuple[Look, ...]:
    whole = planned.events(n0, n1) if isinstance(planned, Survival) else float(n0 + n1)
    null, real, spent = design.at(0.0).stopping, design.at(drift).stopping, design.alpha_spent
    made = []
    for k, rate in enumerate(design.looks.information):
        low, high = float(design.lower[k]), float(design.upper[k])
        time = planned.time_of(n0, n1, rate * whole) if isinstance(planned, Survival) else None
        made.append(Look(
            information=rate, patients=rate * whole, time=time, efficacy=high if math.isfinite(high) else None,
            nominal=float(ndtr(-design.upper[k])), futility=low if plan.sides == 1 and math.isfinite(low) else None,
            alpha_spent=float(spent[k]), stops_null=float(null[k]), stops_planned=float(real[k]),
        ))  # fmt: skip
    return tuple(made)
