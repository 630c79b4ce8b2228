"""trial reestimate: the blinded and the unblinded way, from the plan's own file."""

import math

import pytest

from cli.conftest import Run

PLAN = "dialect: medtwin-trial-plan/1\nendpoint: continuous\neffect: 3\nsd: 10\ncorrelation: 0.5\nallocation: 2\n"


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "home")


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def test_a_wider_spread_asks_for_more(run, plan):
    said = run.json("trial", "reestimate", plan, "--blinded-sd", 12, "--seen", "40,80")
    within = math.sqrt(144 - 40 * 80 / (120 * 119) * 9)
    assert said["now"]["standard deviation within an arm"] == pytest.approx(within)
    assert said["planned"]["patients in all"] < said["now"]["patients in all"]
    ratio = said["now"]["patients in all"] / said["planned"]["patients in all"]
    assert ratio == pytest.approx(within**2 / 100, rel=0.01), "patients go with the variance"
    residual = run.json(
        "trial", "reestimate", plan, "--blinded-sd", 12 * math.sqrt(0.75), "--seen", "40,80", "--residual"
    )
    assert residual["now"]["patients in all"] == pytest.approx(said["now"]["patients in all"], rel=0.02)
    assert "as planned" in run("trial", "reestimate", plan, "--blinded-sd", 12, "--seen", "40,80").stdout


def test_a_promising_look(run, plan):
    said = run.json("trial", "reestimate", plan, "--z", 1.5, "--at", 200)
    assert said["zone"] == "promising"
    assert said["planned"] < said["now"] <= 1.5 * said["planned"] + 1
    assert said["reached"] > said["conditional_power"]
    assert run.json("trial", "reestimate", plan, "--z", 0.1, "--at", 200)["now"] == said["planned"]
    assert "promising" in run("trial", "reestimate", plan, "--z", 1.5, "--at", 200).stdout


@pytest.mark.parametrize(
    ("more", "found", "code"),
    [
        ([], "neither", 1), (["--z", 1.0], "--at N", 1), (["--blinded-sd", 10, "--z", 1], "neither", 1),
        (["--blinded-sd", 10, "--seen", "40"], "two numbers", 2), (["--blinded-sd", 1, "--seen", "40,80"], "blinded variance", 1),
        (["--z", 1.0, "--at", 9999], "before the end", 1),
    ],
)  # fmt: skip
def test_what_cannot_be(run, plan, more, found, code):
    assert found in run("trial", "reestimate", plan, *more, code=code).stderr
