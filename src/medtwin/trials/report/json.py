"""The whole analysis as JSON: every number at full precision, every hash, and the dialect and version of the file itself.

What is not finite is null: the degrees of freedom of a normal quantile, the variance of a survival curve that has come to
zero. Strict JSON: no NaN, no duplicate names.
"""

from __future__ import annotations

import json as standard
from typing import Any

from medtwin.trials.analysis.kaplan import Curve
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.estimate import Estimate
from medtwin.trials.report.first_page import SYNTHETIC
from medtwin.trials.report.numbers import exact
from medtwin.trials.report.plain import plain
from medtwin.trials.report.sources import sources
from medtwin.trials.report.write import FOOTER, versions

DIALECT, VERSION = "medtwin-trial-report", 1


def json(analysed: Analysed) -> str:
    """The file's text, ending in a line break."""
    return standard.dumps(content(analysed), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def content(analysed: Analysed) -> dict[str, Any]:
    """As plain values."""
    return {
        "dialect": DIALECT, "version": VERSION, "label": SYNTHETIC if analysed.synthetic else "", "notice": FOOTER,
        "title": plain(analysed.title), "synthetic": analysed.synthetic, "made_at": plain(analysed.made_at),
        "medtwin": plain(analysed.version), "versions": plain(versions(analysed)), "estimand": plain(analysed.estimand),
        "locked": bool(analysed.locked_at), "locked_at": plain(analysed.locked_at) or None,
        "first_locked_at": plain(analysed.first_locked_at) or None, "amendments": plain(analysed.amendments),
        "deviations": plain(analysed.deviations), "hashes": plain(analysed.hashes), "patients": plain(analysed.patients),
        "notes": plain(analysed.notes), "results": [_result(result) for result in analysed.results],
        "score": plain(analysed.historical), "plan": plain(analysed.plan), "sources": plain(sources(analysed)),
    }  # fmt: skip


def estimate(one: Estimate) -> dict[str, Any]:
    """One estimate with what follows from it: ``interval`` on its own scale, ``reported`` as a ratio where it is one."""
    value, low, high = exact(one)
    return {
        **plain(one), "statistic": plain(one.statistic), "p_value": one.p_value, "interval": plain(one.interval),
        "reported": {"value": plain(value), "low": plain(low), "high": plain(high)},
    }  # fmt: skip


def _result(result: Result) -> dict[str, Any]:
    held = result.analysis
    return {
        "name": plain(result.name), "role": plain(result.role), "method": plain(result.method),
        "outcome": plain(result.outcome), "failure": plain(result.failure) or None,
        "analysis": None if held is None else {
            "method": plain(held.method), "patients": plain(held.patients), "notes": plain(held.notes),
            "estimates": [estimate(one) for one in held.estimates], "means": plain(held.means),
            "covariance": plain(held.covariance),
        },
        "tests": [{**plain(test), "p_value": plain(test.p_value)} for test in result.tests],
        "balance": None if result.balance is None else {
            **plain(result.balance), "largest_before": plain(result.balance.largest_before),
            "largest_after": plain(result.balance.largest_after),
        },
        "curves": {plain(arm): _curve(curve) for arm, curve in result.curves.items()},
        "tipping": None if result.tipping is None else {
            **plain(result.tipping),
            "at_tips": [[estimate(one) for one in analysis.estimates] for analysis in result.tipping.at_tips],
        },
        "further": plain(result.further),
    }  # fmt: skip


def _curve(curve: Curve) -> dict[str, Any]:
    return dict(plain(curve))
