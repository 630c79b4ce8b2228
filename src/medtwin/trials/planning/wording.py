"""The plan as a block of text for the statistical analysis plan: every figure with its method and its assumption."""

from __future__ import annotations

from medtwin.trials.planning.discount import Discount
from medtwin.trials.planning.inputs import PlanInput
from medtwin.trials.planning.plan import TrialPlan


def analysis_plan(made: TrialPlan) -> str:
    """Sections: sample size, prognostic score, interim analyses, sensitivity; plain text."""
    plan = made.plan
    tail = "two-sided" if plan.sides == 2 else "one-sided"
    total = made.n_control + made.n_treated
    parts = [
        "Sample size",
        f"{made.n_control} control and {made.n_treated} treated patients ({total} in all) give a power of {made.power:.1%} "
        f"at a {tail} level of {plan.alpha:g} for {_effect(plan)}. Method: {made.method}.",
    ]
    if plan.margin is not None:
        parts.append(f"The null value of the effect is {plan.margin:g} (margin).")
    if plan.dropout:
        enrolled = next(n.value for n in made.numbers if n.name.startswith("enrolled"))
        parts.append(f"For {plan.dropout:.0%} of patients without an outcome {enrolled:.0f} patients are enrolled.")
    if plan.correlation:
        parts += ["", "Prognostic score", _score(plan)]
        parts += [f"- {n.name}: {_figure(n.value)}{'' if n.unit == '1' else ' ' + n.unit} [{n.method}]"
                  for n in made.numbers if "saved" in n.name]  # fmt: skip
    if made.looks:
        parts += ["", "Interim analyses", f"Boundaries: {made.boundary}."]
        what = "events" if plan.endpoint == "survival" else "patients"
        for number, look in enumerate(made.looks, start=1):
            low = "" if look.futility is None else f", futility below Z {look.futility:.4f}"
            stop = "no efficacy bound"
            if look.efficacy is not None:
                stop = f"efficacy at Z {look.efficacy:.4f} (one-sided level {look.nominal:.6f})"
            when = "" if look.time is None else f", expected at time {look.time:.1f}"
            at = f"at {look.information:.1%} of the information ({look.patients:.0f} {what}{when})"
            parts.append(f"- Analysis {number} {at}: {stop}{low}; level spent {look.alpha_spent:.6f}.")
    parts += ["", "Sensitivity", "Power of the planned trial by other methods:"]
    parts += [f"- {row.method}: {row.power:.1%}" for row in made.methods]
    parts += [f"- {n.name}: {n.value:.1%} [{n.method}]" for n in made.numbers if n.name == "assurance"]
    parts += [f"Note: {line}." for line in made.notes]
    return "\n".join(parts) + "\n"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def _score(plan: PlanInput) -> str:
    words = (
        f"The score is fixed before the trial and adjusted for as a covariate. Its correlation with the outcome within an arm "
        f"is taken as {plan.correlation:g} (R2 {plan.correlation**2:.3f})"
    )
    if plan.correlation_treated is not None:
        words += f" among controls and {plan.correlation_treated:g} among treated patients"
    if plan.baseline_correlation:
        base = plan.baseline_correlation**2
        beyond = (plan.correlation**2 - base) / (1.0 - base)
        words += f", that of the baseline alone as {plan.baseline_correlation:g}; partial R2 beyond it {beyond:.3f}"
    factors = Discount(inflation=plan.inflation, deflation=plan.deflation, convention=plan.convention).words
    return words + (f". For caution: {factors}." if factors else ".")


def _effect(plan: PlanInput) -> str:
    unit = "" if plan.unit == "1" else f" {plan.unit}"
    if plan.endpoint == "continuous":
        spread = f"standard deviation {plan.sd:g}{unit}"
        if plan.sd_treated is not None:
            spread += f" among controls and {plan.sd_treated:g}{unit} among the treated"
        if plan.heterogeneity is not None:
            spread += f", variance of the effect over the score {plan.heterogeneity:g}"
        return f"a difference of means of {plan.effect:g}{unit} ({spread})"
    if plan.endpoint == "binary":
        return f"risks of {plan.risk_control:g} (control) and {plan.risk_treated:g} (treated), contrast: {plan.scale}"
    if plan.endpoint == "count":
        law = f"negative binomial, dispersion {plan.dispersion:g}" if plan.dispersion else "Poisson"
        rates = f"a rate ratio of {plan.rate_ratio:g} at a control rate of {plan.rate_control:g}"
        return f"{rates} ({law}, exposure {plan.exposure:g})"
    if plan.endpoint == "survival":
        return f"a hazard ratio of {plan.hazard_ratio:g} (accrual {plan.accrual:g}, follow-up {plan.followup:g})"
    return f"a difference of means of {plan.effect:g}{unit} at the last of {len(plan.retention or [])} visits"
