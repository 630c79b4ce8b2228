"""A control rate with history behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.analysis_plan.asked import Asked
from medtwin.trials.analysis_plan.methods.history import Study
from medtwin.trials.external.commensurate import commensurate_prior
from medtwin.trials.external.hybrid import hybrid_difference
from medtwin.trials.external.leap import leap_prior
from medtwin.trials.external.map_prior import map_prior
from medtwin.trials.external.power_prior import no_borrowing, normalised_power_prior, power_prior
from medtwin.trials.external.rates import RateDistribution
from medtwin.trials.external.worth import effective_patients

if TYPE_CHECKING:
    from medtwin.trials.analysis_plan.methods.borrowed import Borrowed


def borrow_rate(method: Borrowed, asked: Asked, history: list[Study]) -> tuple[Analysis, dict[str, Any]]:
    """Difference of rates, and what the prior is worth in patients. Two arms, outcome 0 or 1."""
    from dataclasses import replace

    trial = asked.trial()
    if len(trial.arm_names) != 2 or not np.isin(trial.outcome, (0.0, 1.0)).all():
        raise AnalysisError(f"arms {trial.arm_names}, or outcomes other than 0 and 1", where=asked.analysis.name,
                            expected="own controls and one treated arm, with 0 and 1")  # fmt: skip
    hits = [(float(trial.outcome[trial.arm == code].sum()), float((trial.arm == code).sum())) for code in (0, 1)]
    prior = rate_prior(method, history)
    made = hybrid_difference(hits[1], hits[0], prior, treated_prior=method.initial, name=words(method, history),
                             confidence=asked.plan.confidence)  # fmt: skip
    told = ("borrowing a rate does not adjust: the covariates were not used",) if trial.covariates.shape[1] else ()
    made = replace(made, patients=trial.patients, notes=(*trial.notes, *made.notes, *told))
    further = {"prior control rate": prior.mean(), "prior standard deviation": prior.standard_deviation(),
               "prior worth, in patients (moment)": effective_patients(prior, "moment")}  # fmt: skip
    try:
        further["prior worth, in patients (ELIR)"] = effective_patients(prior)
    except AnalysisError as error:
        made = replace(made, notes=(*made.notes, f"no ELIR effective size: {error.found}"))
    return made, further


def rate_prior(method: Borrowed, history: list[Study]) -> RateDistribution:
    """The prior of the control rate that the plan names; all but MAP take the studies together."""
    responders = np.array([study.responders or 0.0 for study in history])
    patients = np.array([study.patients for study in history])
    hits, size, start = float(responders.sum()), float(patients.sum()), method.initial
    if method.prior == "none":
        return no_borrowing(initial=start)
    if method.prior == "power":
        return power_prior(hits, size, method.discount, initial=start)
    if method.prior == "normalised-power":
        return normalised_power_prior(hits, size, initial=start).rate
    if method.prior == "commensurate":
        return commensurate_prior(hits, size, scale=method.scale or 0.5, initial=start)
    if method.prior == "leap":
        if hits != int(hits) or size != int(size):
            raise AnalysisError(
                f"{hits:g} of {size:g} historical patients", expected="whole counts", where="LEAP prior"
            )
        return leap_prior(int(hits), int(size), initial=start)
    return map_prior(responders, patients, heterogeneity_scale=method.heterogeneity_scale or 1.0).robust(
        method.vague_weight
    )


def words(method: Borrowed, history: list[Study]) -> str:
    """For the method's name."""
    if method.prior == "none":
        return "no borrowing"
    more = {"power": f" (discount {method.discount:g})", "map": f" (vague part {method.vague_weight:g})",
            "commensurate": f" (scale {method.scale or 0.5:g})"}.get(method.prior, "")  # fmt: skip
    return f"{'MAP' if method.prior == 'map' else method.prior} prior{more} of {len(history)} historical studies"
