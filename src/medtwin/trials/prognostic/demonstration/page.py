"""The page: every number from the run, no patient's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medtwin.statistics.closeness import Privacy
from medtwin.trials.prognostic.demonstration.data import FOLDS, HALF, OUTCOMES, REFERENCE, SCALES, WINDOWS, Patients
from medtwin.trials.prognostic.demonstration.study import (
    TWIN,
    Conformed,
    Forecasts,
    Landmark,
    Ranked,
    Row,
)
from medtwin.trials.prognostic.evaluation.dependence import Dependence
from medtwin.trials.prognostic.evaluation.discriminator import Discrimination

SHORT = ("log bilirubin", "albumin", "prothrombin time")


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Markdown."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(one) + " |" for one in lines),
        "",
    ]


def best_marked(held: Sequence[tuple[float, float]]) -> list[str]:
    """``RMSE, r`` of each tool, the least RMSE and the largest r of them bold as they are printed, ties all."""
    least, most = min(round(rmse, 3) for rmse, _ in held), max(round(r, 3) for _, r in held)
    return [
        ", ".join(
            f"**{value:.3f}**" if round(value, 3) == best else f"{value:.3f}"
            for value, best in ((rmse, least), (r, most))
        )
        for rmse, r in held
    ]


def when(year: float | None) -> str:
    return "all" if year is None else f"{year:g}"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def page(
    data: Patients, made: Forecasts, ranked: Sequence[Ranked], judged: Sequence[Row],
    told_apart: Sequence[tuple[str, str, Discrimination]], tied: Sequence[tuple[str, Dependence]], bands: Conformed,
    later: Sequence[Landmark], near: Sequence[tuple[str, int, Privacy]], command: str, draws: int,
) -> str:  # fmt: skip
    """Markdown of the whole page."""
    cohort = data.cohort
    with_visits = len(np.unique(cohort.subject))
    lines = [
        "# Prognostic twins on public data", "",
        f"Written by `{command}`; every number is of that run. Data: the Mayo Clinic's trial in primary biliary cholangitis with "
        "its visits (`pbcseq` of R's survival package, LGPL), of which only sums are here.", "",
        f"From **baseline alone** (age, sex, treatment, signs, stage and five laboratory values) {draws} joint draws of serum "
        "bilirubin (log), albumin and prothrombin time (log of the seconds above "
        f"{OUTCOMES[2].floor:g}) for each of {len(cohort.time)} visits of {with_visits} patients in the first six years; {FOLDS} "
        f"folds by patient number, everything out of fold. {len(data.end) - with_visits} of {len(data.end)} patients were never "
        "seen again and cannot be judged. Two things were decided after a look at these data: that floor, since the plain log "
        "left far too heavy tails, and to draw leaving, since the model without it (beside it below) is biased at year five.", "",
        "## Who is judged", "",
    ]  # fmt: skip
    lines += table(
        ["year", f"measured within {HALF:g} year: patients (visits)", "died or transplanted before", "lost, or not measured"],
        [
            [
                f"{year:g}", f"{(data.nearest(year) >= 0).sum()} ({data.window(year).sum()})",
                str(int((data.left & (data.end < year - HALF)).sum())),
                str(int(len(data.end) - (data.nearest(year) >= 0).sum() - (data.left & (data.end < year - HALF)).sum())),
            ]
            for year in WINDOWS
        ],
    )  # fmt: skip
    slopes = ", ".join(
        f"{name} {value:+.2f} ({error:.2f})"
        for name, value, error in zip(
            made.departure_names[1:], made.departures[0][1:], made.departures[1][1:], strict=True
        )
    )
    lines += [
        f"The sick leave first: the log hazard of death or transplantation by the values at the last visit is {slopes} "
        "(standard errors). A model of the outcomes alone forecasts everybody as if nobody had left; what is measured at year "
        "five is of those who stayed. The twin therefore draws leaving too and is asked for those who are still there. "
        "What its draws hold under (counts of the last fold):", "",
        *(f"- {one}" for one in made.conditions[TWIN]), "",
        "## Which generator", "",
        "Energy score of whole trajectories (all outcomes, all visits, each in its sd; lower is better), mean over patients with "
        "95 % interval, difference to the best with its interval; CRPS in sd beside it. The first is of draws of patients who "
        "are there at their last visit. Choosing the best of five on the patients that judge it flatters it a little.", "",
    ]  # fmt: skip
    lines += table(
        ["generator", "energy score", "behind the best", "CRPS"],
        [
            [
                one.name, f"{one.energy.value:.3f} ({one.energy.low:.3f} to {one.energy.high:.3f})",
                f"{one.behind.value:.3f} ({one.behind.low:.3f} to {one.behind.high:.3f})", f"{one.crps:.3f}",
            ]
            for one in ranked
        ],
    )  # fmt: skip
    lines += [
        "## Error beside other tools", "",
        "RMSE and correlation r of the mean of the draws. Persistence: the baseline value. OLS, LightGBM and mixed model: the "
        "reference figures of other tools on the same folds and visits (statsmodels, lightgbm; their covariates differ). "
        f"Twin: {TWIN}. As if everybody: the same model without leaving. Bold: the best of the row, in each "
        "figure, whoever's.", "",
    ]  # fmt: skip
    body = []
    for row in judged:
        theirs = data.reference[REFERENCE[row.outcome]]
        theirs = theirs if row.year is None else theirs[f"year{row.year:g}"]
        body.append([
            SCALES[row.outcome], when(row.year), f"{row.twin.visits} ({row.twin.patients})",
            *best_marked([
                *((one.rmse, one.correlation) for one in (row.twin, row.everybody, row.plain)),
                *((theirs[name]["rmse"], theirs[name]["r"]) for name in ("ols", "gbm", "lmm")),
            ]),
            f"{row.twin.bias.value:+.3f} ({row.twin.bias.low:+.3f} to {row.twin.bias.high:+.3f})",
            f"{row.everybody.bias.value:+.3f}",
        ])  # fmt: skip
    lines += table(
        [
            "outcome", "year", "visits (patients)", "twin RMSE, r", "as if everybody", "persistence", "OLS", "LightGBM",
            "mixed model", "bias of the twin (95 %)", "bias as if everybody",
        ],
        body,
    )  # fmt: skip
    lines += [*won(judged), "", "## Calibration, and what the score adds", "",
              "CRPS in the outcome's unit; its difference to draws around persistence with other patients' changes (negative: "
              "the twin is better; patients clustered). Coverage of central 90 % intervals with an exact binomial interval at "
              "the effective size. PIT: p value that ranks are uniform, patients clustered. Partial: squared partial correlation "
              "of score and outcome given the outcome's own baseline value, which is what a covariate adds to a trial that "
              "adjusts for baseline anyway; beside it that of the reference's mixed model.", ""]  # fmt: skip
    body = []
    for row in judged:
        assert row.twin.crps is not None
        assert row.twin.partial is not None
        theirs = data.reference[REFERENCE[row.outcome]]
        other = "-" if row.year is None else f"{theirs[f'year{row.year:g}'][PARTIAL]:.3f}"
        body.append([
            SCALES[row.outcome], when(row.year), f"{row.twin.crps.value:.3f}", f"{row.other_crps:.3f}",
            f"{row.crps.value:+.3f} ({row.crps.low:+.3f} to {row.crps.high:+.3f})",
            f"{row.coverage.value:.3f} ({row.coverage.low:.3f} to {row.coverage.high:.3f})", p_value(row.rank_p),
            f"{row.twin.partial:.3f}", other,
        ])  # fmt: skip
    lines += table(
        ["outcome", "year", "CRPS", "of persistence", "difference (95 %)", "coverage of 90 %", "PIT p", "partial", "reference"],
        body,
    )  # fmt: skip
    off = [
        f"{SHORT[r.outcome]} {'over all visits' if r.year is None else f'at year {r.year:g}'}"
        for r in judged
        if r.rank_p < 0.01
    ]
    lines += [
        f"Ranks are not uniform (p < 0.01) for {'; '.join(off)}." if off else "No ranks depart from uniform (p < 0.01).", "",
        "## Can a classifier tell twin from patient?", "",
        "One draw a patient beside what was measured, with the three baseline values; ridge classifier on numbers, squares and "
        "products, cross-validated by patient. Of nine such draws that with the median AUC; the range is what labels swapped at "
        "random give.", "",
    ]  # fmt: skip
    lines += table(
        ["of", "generator", "patients", "AUC", "range of chance (95 %)", "p"],
        [
            [what, name, str(one.patients), f"{one.auc:.3f}", f"{one.null_low:.3f} to {one.null_high:.3f}", p_value(one.p_value)]
            for what, name, one in told_apart
        ],
    )  # fmt: skip
    lines += ["## Dependence across outcomes and time", "",
              "Three outcomes at years 1, 2, 3 and 5. Error: Frobenius norm of the difference between measured and drawn matrix "
              "over that of the measured one; p: how often a draw in the patients' place is as far from the other draws.",
              ""]  # fmt: skip
    lines += table(
        ["generator", "covariance error", "p", "correlation error", "p"],
        [
            [name, f"{one.covariance_error:.2f}", p_value(one.covariance_p), f"{one.correlation_error:.2f}",
             p_value(one.correlation_p)]
            for name, one in tied
        ],
    )  # fmt: skip
    lines += [
        "## Intervals with a promise", "",
        "Split conformal by patient (three folds train, one calibrates, one is judged). At least 90 % is promised for an outcome "
        "at a visit, and for the band that holds all outcomes at all visits of a patient at once.", "",
    ]  # fmt: skip
    body = [
        [
            f"{SHORT[o]}, each visit", f"{raw.value:.3f} ({raw.low:.3f} to {raw.high:.3f})",
            f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})",
            f"{min(f[o] for f in bands.factors):.2f} to {max(f[o] for f in bands.factors):.2f}",
        ]
        for o, (one, raw) in enumerate(zip(bands.each, bands.raw, strict=True))
    ]  # fmt: skip
    both = bands.together
    body.append([
        "all outcomes and visits of a patient", "-", f"{both.value:.3f} ({both.low:.3f} to {both.high:.3f})",
        f"{min(bands.factor):.2f} to {max(bands.factor):.2f}",
    ])  # fmt: skip
    lines += table(["what", "central interval of the draws", "conformal", "multiples of the sd (five splits)"], body)
    lines += [
        "## Given visits so far", "",
        "At year two, of those who were seen by then and again later: RMSE, r of the mixed model (as if everybody were measured) "
        "given all visits so far, given baseline alone, and of the last value carried forward.", "",
    ]  # fmt: skip
    lines += table(
        ["outcome", "year", "visits", "given visits so far", "baseline alone", "last value"],
        [
            [
                SCALES[one.outcome], f"{one.year:g}", str(one.visits),
                *(f"{a:.3f}, {b:.3f}" for a, b in (one.history, one.baseline, one.last)),
            ]
            for one in later
        ],
    )  # fmt: skip
    worse = [one for one in later if one.history[0] >= one.last[0]]
    if worse:
        lines += ["The last value carried forward is as good or better (RMSE) for "
                  + "; ".join(f"{SHORT[one.outcome]} at year {one.year:g}" for one in worse) + ".", ""]  # fmt: skip
    return "\n".join([*lines, *privacy_part(near)]) + "\n"


PARTIAL = "squared_partial_corr_of_lmm_score_given_baseline_value"


def place(row: Row) -> str:
    return f"{SHORT[row.outcome]} {'over all visits' if row.year is None else f'at year {row.year:g}'}"


def won(judged: Sequence[Row]) -> list[str]:
    """One sentence where persistence wins, and one where the twin does beyond chance."""
    by_error = [place(row) for row in judged if row.plain.rmse <= row.twin.rmse]
    by_rank = [place(row) for row in judged if row.plain.correlation >= row.twin.correlation]
    by_crps = [place(row) for row in judged if row.crps.value >= 0.0]
    sure = [place(row) for row in judged if row.squared.high < 0.0]
    return [
        "**Where persistence wins**: by RMSE " + ("; ".join(by_error) or "nowhere") + ". By correlation "
        + ("; ".join(by_rank) or "nowhere") + ". As a distribution (CRPS, with other patients' changes around it) "
        + ("; ".join(by_crps) or "nowhere") + ".", "",
        "The twin's squared error is smaller beyond chance (95 % interval over patients, each comparison alone) for "
        + ("; ".join(sure) or "nothing") + ".",
    ]  # fmt: skip


def privacy_part(near: Sequence[tuple[str, int, Privacy]]) -> list[str]:
    """Are draws copies of training patients?"""
    lines = [
        "## Are any draws copies of training patients?", "",
        "Half of the patients with visits at years 1 and 2 train, one draw is made for each of the other half, and the latter's "
        "own outcomes are the null: a record is six numbers (sd units). The check that fails says so; passing is no proof.", "",
    ]  # fmt: skip
    body = []
    for name, count, one in near:
        close = one.closeness
        failed = ", ".join(check.name for check in one.checks if check.failed)
        body.append([
            name, str(count), f"{close.exact_copies:.3f}", f"{close.near_copies:.3f}",
            f"{close.median:.2f} / {close.fifth_percentile:.2f}", f"{close.real_median:.2f} / {close.real_fifth_percentile:.2f}",
            f"{close.ratio_median:.2f} / {close.ratio_fifth_percentile:.2f}", f"{close.closer_to_train:.2f}",
            f"{close.attack_auc:.2f}",
            failed or "passed",
        ])  # fmt: skip
    return lines + table(
        [
            "generator", "draws", "exact copies", "near copies", "distance median / 5 %", "real to real", "ratio median / 5 %",
            "closer to training", "attack AUC", "verdict",
        ],
        body,
    )  # fmt: skip
