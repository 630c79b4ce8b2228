"""ANCOVA in the simulator: the batched kernel is the scalar analysis, and has the type I error found elsewhere."""

import itertools
import json
import math

import numpy as np
import pytest

from medtwin.trials.simulate import Scenario, simulate
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.draw import draw
from medtwin.trials.simulate.fits import loop

CHOICES = [
    Ancova(adjust=adjust, interactions=interactions, variance=variance, df=df)
    for (adjust, interactions), (variance, df) in itertools.product(
        [("none", False), ("score", False), ("score", True), ("all", False)],
        [("classical", ""), ("HC0", "normal"), ("HC2", ""), ("HC3", "residual"), ("HC4", "bell-mccaffrey")],
    )
]


@pytest.mark.parametrize("analyser", CHOICES, ids=lambda one: one.name)
def test_batched_is_scalar(analyser):
    scenario = Scenario(n_control=12, n_treated=24, correlation=0.4, baseline=2, baseline_correlation=0.3, strata=2,
                        randomisation="permuted-block", sd_treated=2.0)  # fmt: skip
    batch = draw(scenario, 0, 0).trials(4)
    fast, slow = analyser.fits(batch, scenario), loop(analyser.one, batch, scenario)
    assert fast.value == pytest.approx(slow.value, rel=1e-9)
    assert fast.error == pytest.approx(slow.error, rel=1e-9)
    assert np.array_equal(fast.df, slow.df) or fast.df == pytest.approx(slow.df, rel=1e-9)


@pytest.mark.shared
def test_type_one_error_of_the_reference(shared_data):
    reference = json.loads((shared_data / "trials" / "reference_type1_small_sample.json").read_text())
    names = {"cls": ("classical", ""), "HC0": ("HC0", "residual"), "HC1": ("HC1", "residual"), "HC2": ("HC2", "residual"),
             "HC3": ("HC3", "residual"), "IF": ("influence", "")}  # fmt: skip
    trials, away = 20_000, []
    for row in reference["rows"]:
        scenario = Scenario(n_control=row["n0"], n_treated=row["n1"], baseline=row["q"], baseline_correlation=row["R2"] ** 0.5,
                            sd_treated=row["sd_ratio_treated"])  # fmt: skip
        analyses = [Ancova(adjust="baseline", variance=v, df=df) for v, df in names.values()]
        analyses += [Ancova(adjust="none", variance="classical"), Ancova(adjust="baseline")]
        got = simulate(scenario, analyses, trials=trials, seed=1)
        for name, one in zip([*names, "unadj_t"], got, strict=False):
            theirs = row["type1"][name]
            away.append((one.rejection.value - theirs) / math.sqrt(theirs * (1 - theirs) * (1 / trials + 1 / row["B"])))
            assert abs(away[-1]) < 4.0, (row, name)
        allowance = 3.0 * math.sqrt(0.05 * 0.95 / trials)
        assert 0.044 - allowance < got[-1].rejection.value < 0.056 + allowance, row  # the default
    assert np.mean(np.square(away)) < 2.0


@pytest.mark.parametrize(
    ("n0", "n1", "q"), [(15, 15, 1), (15, 15, 3), (15, 45, 1), (45, 15, 2), (30, 60, 1), (100, 200, 1)]
)
def test_the_default_keeps_the_level(n0, n1, q):
    scenario = Scenario(n_control=n0, n_treated=n1, baseline=q, baseline_correlation=0.5)
    got = simulate(
        scenario, [Ancova(adjust="baseline"), Ancova(adjust="baseline", interactions=True)], trials=8000, seed=2
    )
    for one in got:
        assert 0.044 - 3.0 * one.rejection.error < one.rejection.value < 0.056 + 3.0 * one.rejection.error
