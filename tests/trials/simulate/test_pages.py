"""The pages of evidence: what they cover, how they mark, and that planned power agrees with simulation in a few cells."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from medtwin.trials.analysis.linear import VARIANCES
from medtwin.trials.missing.strategies import STRATEGIES
from medtwin.trials.mmrm import COVARIANCES, DEGREES, STRUCTURES
from medtwin.trials.simulate import Scenario, planned_power, simulate, type_one
from medtwin.trials.simulate.analysers import METHODS
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.analysers.contrast import Contrast
from medtwin.trials.simulate.draw import draw

PAGES = Path(__file__).parents[3] / "docs" / "evidence"


def test_every_family_and_option_has_a_row():
    every = [one for section in type_one.sections() for one, _ in section.analyses]
    kinds = {type(one).__name__ for one in every}
    assert kinds == {entry.partition(":")[2] for entry in METHODS.values()} - {"Contrast"}
    names = " | ".join(one.name for one in every)
    for words in (
        VARIANCES,
        STRUCTURES,
        DEGREES,
        COVARIANCES[1:],
        STRATEGIES,
        ("influence", "robust", "model", "minimisation"),
    ):
        for word in words:
            assert word in names, word
    for section in type_one.sections():
        assert len({one.name for one, _ in section.analyses}) == len(section.analyses)
        for scenario in section.scenarios.values():
            for one, _ in section.analyses:
                assert scenario.endpoint in one.endpoints
                assert one.truth(scenario) in (0.0, None), one.name  # nothing has an effect


def test_a_section_is_run_and_printed():
    section = type_one.continuous()
    section = replace(section, scenarios=dict(list(section.scenarios.items())[:2]))
    page = type_one.page([(section, type_one.run(section, 0.03, lambda words: None))], 0.03)
    assert "--scale 0.03" in page
    assert "| ANCOVA I, HC2, Bell-McCaffrey df, score | 300 |" in page
    made = simulate(Scenario(n_control=15, n_treated=15, effect=1.0), [Ancova(adjust="none")], trials=2000)[0]
    assert type_one.cell(made).endswith(" high")


def test_the_committed_page_of_type_one_error():
    text = (PAGES / "trials-type-one.md").read_text(encoding="utf-8")
    assert "`python -m medtwin.trials.simulate.type_one" in text
    for default in ("ANCOVA I, HC2, Bell-McCaffrey df, score", "ANCOVA II, HC2, t(n-p), score"):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {default} |")]
        for share, error in re.findall(
            r"([\d.]+) \(([\d.]+)\)", "|".join(row.split("|")[:8])
        ):  # all but the squared score
            assert 4.4 - 3.0 * float(error) < float(share) < 5.6 + 3.0 * float(error), row


def test_the_committed_page_of_planned_power():
    text = (PAGES / "trials-planned-power.md").read_text(encoding="utf-8")
    assert "`python -m medtwin.trials.simulate.planned_power" in text
    assert "| NO |" not in text
    assert text.count("| yes |") > 200


@pytest.mark.parametrize("place", range(7))
def test_planned_power_in_a_few_cells(place):
    title = list(planned_power.SECTIONS)[place]
    cells = planned_power.SECTIONS[title][0](4000)
    for cell in planned_power.run([cells[k] for k in (1, len(cells) // 2)]):
        assert cell.holds, (title, cell.what, cell.planned, cell.power(0), cell.allowed)


def test_adjusted_means_are_anhecova_with_another_df():
    scenario = Scenario(n_control=30, n_treated=50, correlation=0.4, correlation_treated=0.1, sd_treated=2.0)
    batch = draw(scenario, 0, 0).trials(6)
    ours, theirs = Contrast().fits(batch, scenario), Ancova(interactions=True, variance="HC2").fits(batch, scenario)
    assert ours.value == pytest.approx(theirs.value, rel=1e-9)
    assert ours.error == pytest.approx(theirs.error, rel=0.05)
    plain, welch = Contrast(adjust="none").fits(batch, scenario), Ancova(adjust="none").fits(batch, scenario)
    assert plain.value == pytest.approx(welch.value, rel=1e-9)
    assert plain.error == pytest.approx(welch.error, rel=1e-9)
