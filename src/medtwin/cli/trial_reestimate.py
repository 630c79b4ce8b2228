"""For people in the middle of a trial: how many patients now, from the blinded spread or from an interim look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, table


def register(app: typer.Typer) -> None:
    command(app, reestimate, "medtwin trial reestimate plan.yaml --blinded-sd 11.2 --seen 60,118",
            "medtwin trial reestimate plan.yaml --z 1.4 --at 180 --most 1.5",
            "medtwin trial reestimate plan.yaml --blinded-sd 8.1 --seen 60,118 --residual --json", name="reestimate")  # fmt: skip


def reestimate(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file that the trial was planned by (YAML).")],
    blinded_sd: Annotated[
        float | None, typer.Option("--blinded-sd", metavar="SD", help="Of all outcomes so far, arms unknown.")
    ] = None,
    seen: Annotated[
        str | None, typer.Option("--seen", metavar="N0,N1", help="Controls and treated behind it, by allocation.")
    ] = None,
    residual: Annotated[
        bool, typer.Option("--residual", help="The spread is that of the residuals on the score.")
    ] = False,
    z: Annotated[
        float | None, typer.Option("--z", metavar="Z", help="Interim statistic, positive in the planned direction.")
    ] = None,
    at: Annotated[float | None, typer.Option("--at", metavar="N", help="Patients in all behind it.")] = None,
    lowest: Annotated[
        float, typer.Option("--lowest", metavar="SHARE", help="Conditional power at which a result is promising.")
    ] = 0.3,
    most: Annotated[
        float, typer.Option("--most", metavar="FACTOR", help="At most this times the planned number.")
    ] = 1.5,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Estimate the sample size again: from the blinded spread, or from an interim result (promising zone).

    The blinded way (Gould and Shih 1992) looks at no arm and keeps the level but for a trace. The unblinded way (Mehta and Pocock
    2011) gives the last bound that keeps the level exactly whatever the number becomes; the look must be made by people who
    are not in the trial.
    """
    from medtwin.errors import AnalysisError
    from medtwin.trials.planning.inputs import plan_input, read
    from medtwin.trials.planning.plan import plan_trial
    from medtwin.trials.planning.reestimation import planned_anew, promising_zone

    if (blinded_sd is None) == (z is None):
        raise AnalysisError(
            "a blinded spread and an interim Z, or neither", expected="--blinded-sd with --seen, or --z with --at"
        )
    plan = plan_input(read(file), str(file))
    before = plan_trial(plan, figures=False)
    planned = before.n_control + before.n_treated
    if blinded_sd is not None:
        n0, n1 = _pair(seen)
        now = plan_trial(planned_anew(plan, blinded_sd, n0, n1, residual=residual), figures=False)
        rows = [("standard deviation within an arm", plan.sd, now.plan.sd), ("controls", before.n_control, now.n_control),
                ("treated", before.n_treated, now.n_treated),
                ("patients in all", planned, now.n_control + now.n_treated)]  # fmt: skip
        if as_json:
            emit("trial-reestimate", {"way": "blinded variance", "planned": {name: one for name, one, _ in rows},
                                      "now": {name: one for name, _, one in rows}, "power": now.power})  # fmt: skip
            return
        shown = [(name, f"{one:.5g}", f"{other:.5g}") for name, one, other in rows]
        table("Blinded re-estimation (Gould & Shih 1992)", ("what", "as planned", "now"), shown, right=(1, 2))
        note("a number below the planned one is shown, not advised: most protocols only ever raise it")
        return
    if at is None or z is None:
        raise AnalysisError("an interim Z without its patients", expected="--at N")
    alpha = plan.alpha / 2.0 if plan.sides == 2 else plan.alpha
    found = promising_zone(z, at, planned, power=plan.power, lowest=lowest, most=most, alpha=alpha)
    if as_json:
        emit("trial-reestimate", {"way": found.method, "zone": found.zone, "planned": planned, "now": found.n,
                                  "conditional_power": found.conditional_power, "reached": found.reached,
                                  "final_bound": found.final})  # fmt: skip
        return
    rows_ = [("zone", found.zone), ("conditional power as planned", f"{found.conditional_power:.1%}"),
             ("patients in all, planned", str(planned)), ("patients in all, now", f"{found.n:.0f}"),
             ("conditional power with that", f"{found.reached:.1%}"), ("last bound (Z)", f"{found.final:.4f}")]  # fmt: skip
    table("Promising zone (Mehta & Pocock 2011)", ("what", "value"), rows_, right=(1,))


def _pair(listed: str | None) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in (listed or "").split(","))
    except ValueError:
        raise typer.BadParameter("two numbers with a comma between them: 60,118", param_hint="--seen") from None
    return first, second
