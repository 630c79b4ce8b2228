"""check_model passes what is sound, and catches each planted fault by exactly the check that is meant to.

Every fault is one edit of the model on the page "Write a model in an afternoon".
"""

import json
from io import StringIO

import pytest
from rich.console import Console

from medtwin.physiology import check_values
from medtwin.physiology.balance import exponents, scale
from medtwin.physiology.check import CHECKS, Verdict, check_model
from medtwin.physiology.models import all_models
from physiology.written import load, model_source

EULER = """
    def step(self, t, dt, state, parameters, inputs):
        slope = self.rates(t, state, parameters, inputs)
        return CreatinineState(gut=state.gut + dt * slope.gut, body=state.body + dt * slope.body)

    def observe("""

#: what is wrong, the check that must say so, what the page has, what the fault makes of it
FAULTS = [
    ("a wrong unit", "unit balance", 'unit="dL/h"', 'unit="dL"'),
    ("a number with a unit in the equations", "unit balance",
     "p.clearance * p.kidney_function", "p.clearance * p.kidney_function + 1.0"),
    ("a missing source", "declarations", 'source="judgement"', 'source=""'),
    ("a missing unit", "declarations", 'unit="mg", scale=200.0', 'unit="", scale=200.0'),
    ("an unreadable unit", "units readable", 'unit="dL/h"', 'unit="dL/fortnight"'),
    ("a flipped sign", "signs", "p.clearance * p.kidney_function", "p.clearance / p.kidney_function"),
    ("a leak", "conservation", "+ absorbed - removed", "+ 0.97 * absorbed - removed"),
    ("a gradient that is not a number", "gradients", "state.body / parameters.body_water}",
     "state.body / parameters.body_water + 0.0 * jnp.sqrt(state.gut)}"),
    ("a missing heading", "docstring", "Assumptions\n-----------\n", ""),
    ("a reference that the paper does not name", "docstring", "Cockcroft1976, Mayersohn1983.", "Cockcroft1976."),
    ("an implausible observable", "plausible", '{"creatinine": state.body', '{"creatinine": 1000.0 * state.body'),
    ("a first-order step", "order", "    def observe(", EULER.lstrip("\n")),
    ("a retrace per call", "traces", "gut=jnp.zeros_like(body)", "gut=jnp.full(body.shape, 0.0)"),
    ("a prior that overflows", "finite", "LogNormal(1.0, 0.3)", "LogNormal(1.0, 900.0)"),
    ("a state at rest that moves", "rest", "body=body)", "body=1.1 * body)"),
    ("an input that enters nothing", "contract", 'enters="gut"', 'enters="stomach"'),
    ("an observable that is not declared", "contract", 'observes: ClassVar[tuple[str, ...]] = ("creatinine",)',
     'observes: ClassVar[tuple[str, ...]] = ("creatinine", "urea_nitrogen")'),
]  # fmt: skip


@pytest.mark.parametrize("what, check, old, new", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_caught_by_its_check_alone(what, check, old, new):
    source = model_source()
    assert source.count(old) == 1, f"{what}: the page has {source.count(old)} times {old!r}"
    report = check_model(load(source.replace(old, new)).Creatinine())
    assert report.failed == (check,), [
        (c.name, c.measured, c.detail) for c in report.checks if c.verdict is Verdict.FAILED
    ]
    assert not report.passed
    assert next(c.detail for c in report.checks if c.name == check)


def test_the_clean_model_passes_and_declares_everything():
    report = check_model(load(model_source()).Creatinine())
    assert report.passed, report.failed
    assert [check.name for check in report.checks] == list(CHECKS)
    assert {check.verdict for check in report.checks} == {Verdict.PASSED}


@pytest.mark.slow
@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.name)
def test_every_model_passes(model, monkeypatch):
    if (
        model.name == "beta_cell_years"
    ):  # years in quarters of a day: a fifth of the draws here, all of them for its page
        monkeypatch.setattr(check_values, "DRAWS", 200)
    report = check_model(model)
    assert report.passed, [(c.name, c.measured, c.detail) for c in report.checks if c.verdict is Verdict.FAILED]
    ran = [check for check in report.checks if check.verdict is Verdict.PASSED]
    assert len(ran) >= 10  # little may be left undeclared


def test_a_report_is_a_table_and_json():
    report = check_model(load(model_source().replace('source="judgement"', 'source=""')).Creatinine())
    found = json.loads(report.as_json())
    assert found["dialect"] == "medtwin.check/1"
    assert found["passed"] is False
    assert {check["name"]: check["verdict"] for check in found["checks"]}["declarations"] == "failed"
    assert {check["name"]: check["verdict"] for check in found["checks"]}["unit balance"] == "blocked"
    shown = StringIO()
    Console(width=200, file=shown).print(report.table())
    assert "creatinine: FAILED" in shown.getvalue()
    assert "kidney_function has no source" in shown.getvalue()


@pytest.mark.parametrize(
    "unit, powers",
    [
        ("mg/kg/min", {"mass": 1, "body": -1, "time": -1}),
        ("mm[Hg].s2/mL", {"pressure": 1, "time": 2, "volume": -1}),
        ("u[iU]/mL", {"substance": 1, "volume": -1}),
        ("/min", {"time": -1}),
        ("%", {}),
        ("{steps}", {}),
        ("10*3/uL", {"volume": -1}),
        ("mL/min/{1.73_m2}", {"volume": 1, "time": -1}),
    ],
)
def test_dimensions_of_units(unit, powers):
    assert exponents(unit) == powers


def test_scaling_is_of_the_bases():
    assert scale("mg/mg") == 1.0
    assert scale("mg/kg") != 1.0  # a body's kilogram is no substance
    assert scale("mg/min") == scale("g/h")
