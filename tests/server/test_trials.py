"""POST /trials/plan: the same numbers as the verb, every refusal with its field, bounded work, nobody without a grant."""

import asyncio
import json
import math
import threading
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.errors import AccessDenied
from medtwin.governance.grant import Grant, Purpose, Role
from medtwin.server import planner, shapes, trials
from medtwin.server.http import Refusal
from medtwin.trials.planning.inputs import USES, PlanInput, plan_input, read
from medtwin.trials.planning.plan import plan_trial
from medtwin.trials.planning.wording import analysis_plan
from server.test_contract import conforms
from trials.planning.test_plan import PLANS
from waiting import waited

SCORE = {"correlation": 0.5, "baseline_correlation": 0.3, "historical": 200}


def body(endpoint="continuous", **more):
    return {"endpoint": endpoint, **PLANS[endpoint], **more}


def ask(served, content, status=200):
    made = served.post("/trials/plan", content, status)
    conforms(made, shapes.TrialPlan if status == 200 else shapes.Problem)
    return made


@pytest.mark.parametrize("endpoint", PLANS)
@pytest.mark.parametrize("more", [{}, SCORE, {**SCORE, "looks": [0.5, 1.0], "allocation": 2.0}])
def test_the_answer_is_that_of_the_verb(served, tmp_path, endpoint, more):
    made = ask(served, body(endpoint, **more))
    known = plan_trial(plan_input(body(endpoint, **more)))
    assert (made["n_control"], made["n_treated"], made["power"]) == (known.n_control, known.n_treated, known.power)
    assert made["numbers"] == [msgspec.to_builtins(n) for n in known.numbers]
    assert made["methods"] == [msgspec.to_builtins(row) for row in known.methods]
    assert made["looks"] == [msgspec.to_builtins(look) for look in known.looks]
    assert made["text"] == analysis_plan(known)
    assert [f["kind"] for f in made["figures"]] == ["controls", "correlation", "dropout"]
    for told, figure in zip(made["figures"], known.figures, strict=True):
        assert told["curves"] == json.loads(msgspec.json.encode(figure.curves))
    if more:
        against = {one["against"]: one for one in made["savings"]}
        told = {(n["name"], n["unit"]): n["value"] for n in made["numbers"]}
        for name, one in against.items():
            total = f"total N saved at equal power, against {name}, same allocation"
            kept = f"controls saved at equal power, against {name}, {one['without_treated']} treated kept"
            assert told[total, "patients"] == one["total_saved"]
            assert told[kept, "patients"] == one["controls_saved"]
    path = tmp_path / "plan.yaml"
    path.write_text(made["file"], encoding="utf-8")
    assert plan_input(read(path)) == plan_input(body(endpoint, **more))


def test_those_enrolled_are_told(served):
    made = ask(served, body(dropout=0.1))
    assert made["enrolled"] == sum(math.ceil(made[arm] / 0.9) for arm in ("n_control", "n_treated"))
    plain = ask(served, body())
    assert plain["enrolled"] == plain["n_control"] + plain["n_treated"]


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (b"{", 400, None), (b"[]", 400, None), (b"{}", 400, "endpoint"), (b"\xff", 400, None),
        (b'{"endpoint": "continuous", "alpha": NaN}', 400, None),
        (b'{"endpoint": "continuous", "alpha": 1e999}', 400, None),
        (b"[" * 50_000, 400, None), (b'{"a":' * 10_000, 400, None),
        (b'{"endpoint": "continuous", "title": "' + b"a" * 70_000 + b'"}', 413, None),
        (body(colour=1), 400, "colour"), (body(alpha="0.05"), 400, "alpha"), (body(n_control=1.5), 400, "n_control"),
        (body(looks=[0.5, "a"]), 400, "looks"), (body(looks=0.5), 400, "looks"), (body(binding="yes"), 400, "binding"),
        (body(effect=None), 422, "effect"), (body(risk_control=0.3), 422, "risk_control"),
        (body(n_control=10**30, n_treated=10), 422, "n_control"), (body(n_control=10**400, n_treated=10), 422, "n_control"),
        (body(looks=[k / 40 for k in range(1, 41)]), 422, "looks"), (body(title="a" * 300), 422, "title"),
        (body("repeated", sds=[1.0] * 31), 422, "sds"), (body("repeated", covariance=[[1.0] * 31]), 422, "covariance"),
        (body(covariates=10**6), 422, "covariates"), (body(effect=1e300), 422, "effect"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_told(served, content, status, field):
    problem = ask(served, content, status)
    assert problem.get("field") == field
    assert problem["detail"]


@pytest.mark.parametrize(
    ("endpoint", "more", "field"),
    [
        ("continuous", {"alpha": 0.0}, "alpha"), ("continuous", {"alpha": 1.5}, "alpha"), ("continuous", {"sides": 3}, "sides"),
        ("continuous", {"power": 0.04}, "power"), ("continuous", {"power": 1.0}, "power"),
        ("continuous", {"allocation": 0.0}, "allocation"), ("continuous", {"cost_ratio": -1.0}, "cost_ratio"),
        ("continuous", {"correlation": 1.0}, "correlation"),
        ("continuous", {"baseline_correlation": 1.0}, "baseline_correlation"),
        ("continuous", {"correlation": 0.3, "baseline_correlation": 0.5}, "baseline_correlation"),
        ("continuous", {"dropout": 1.0}, "dropout"), ("continuous", {"effect": 0.0}, "effect"),
        ("continuous", {"effect": 1e-7}, "effect"), ("continuous", {"sd": 0.0}, "sd"), ("continuous", {"sd": -1.0}, "sd"),
        ("continuous", {"sd_treated": -1.0}, "sd_treated"),
        ("continuous", {"covariates": -1}, "covariates"), ("continuous", {"correlation": 0.3, "covariates": 0}, "covariates"),
        ("continuous", {"correlation_treated": 0.3}, "correlation_treated"),
        ("continuous", {"heterogeneity": 0.1}, "heterogeneity"),
        ("continuous", {"correlation": 0.3, "heterogeneity": -0.1}, "heterogeneity"),
        ("continuous", {"n_control": 10}, "n_control"), ("continuous", {"n_control": 1, "n_treated": 9}, "n_control"),
        ("continuous", {"n_control": 9, "n_treated": 1}, "n_treated"),
        ("continuous", {"historical": 50}, "historical"), ("continuous", {"correlation": 0.3, "historical": 3}, "historical"),
        ("continuous", {"correlation": 0.3, "correlation_se": -1.0}, "correlation_se"),
        ("continuous", {"effect_sd": -1.0}, "effect_sd"), ("continuous", {"inflation": 0.5}, "inflation"),
        ("continuous", {"deflation": 1.5}, "deflation"), ("continuous", {"convention": "sd"}, "convention"),
        ("continuous", {"looks": [0.5, 0.4, 1.0]}, "looks"), ("continuous", {"looks": []}, "looks"),
        ("continuous", {"looks": [0.5, 1.0], "boundary": "steep"}, "boundary"),
        ("continuous", {"looks": [0.5, 1.0], "spending": "all"}, "spending"),
        ("continuous", {"looks": [0.5, 1.0], "spending": "power", "parameter": -1.0}, "parameter"),
        ("continuous", {"looks": [0.5, 1.0], "futility": "pocock"}, "futility"),
        ("continuous", {"looks": [0.5, 1.0], "sides": 1, "futility_z": [0.0, 0.0]}, "futility_z"),
        ("binary", {"risk_control": 0.0}, "risk_control"), ("binary", {"risk_treated": 1.0}, "risk_treated"),
        ("binary", {"risk_treated": 0.3}, "risk_treated"), ("binary", {"scale": "hazard"}, "scale"),
        ("binary", {"inflation": 1.1}, "inflation"), ("binary", {"scale": "odds-ratio", "margin": -1.0}, "margin"),
        ("count", {"rate_control": 0.0}, "rate_control"), ("count", {"rate_ratio": 1.0}, "rate_ratio"),
        ("count", {"rate_ratio": -1.0}, "rate_ratio"), ("count", {"exposure": 0.0}, "exposure"),
        ("count", {"dispersion": -1.0}, "dispersion"), ("count", {"dropout_hazard": -1.0}, "dropout_hazard"),
        ("count", {"rate_control": 1e8}, "rate_control"),
        ("survival", {"hazard_ratio": 1.0}, "hazard_ratio"), ("survival", {"hazard_ratio": 0.0}, "hazard_ratio"),
        ("survival", {"accrual": 0.0}, "accrual"), ("survival", {"followup": -1.0}, "followup"),
        ("survival", {"median_control": 0.0}, "median_control"), ("survival", {"hazard_control": 0.1}, "median_control"),
        ("survival", {"dropout_hazard": -1.0}, "dropout_hazard"), ("survival", {"margin": -1.0}, "margin"),
        ("repeated", {"retention": [0.8, 0.9, 1.0]}, "retention"), ("repeated", {"retention": [1.0]}, "retention"),
        ("repeated", {"retention_treated": [0.8, 0.9, 1.0]}, "retention_treated"),
        ("repeated", {"visit_correlation": None}, "visit_correlation"),
        ("repeated", {"visit_correlation": 1.0}, "visit_correlation"),
        ("repeated", {"covariance_kind": "toeplitz"}, "covariance_kind"), ("repeated", {"sds": [8.0, 0.0, 9.0]}, "sds"),
        ("repeated", {"correlation": 0.5, "correlations": [0.5]}, "correlations"), ("repeated", {"effect": 0.0}, "effect"),
    ],
)  # fmt: skip
def test_a_refusal_names_its_field(served, endpoint, more, field):
    problem = ask(served, body(endpoint, **more), 422)
    assert problem.get("field") == field, problem


def test_numbers_that_nothing_can_be_made_of(served):
    for content in (
        body(effect=1e-9, sd=1e9, n_control=10, n_treated=10),
        body("count", rate_control=1e-300),
        body("survival", hazard_ratio=1e-300),
        body("survival", median_control=1e-300, accrual=1e9),
        body(sd=1e-300, effect=1e9, looks=[0.5, 1.0]),
    ):
        answered = served.client.post("/api/v1/trials/plan", json=content, headers={"X-Medtwin-Request": "1"})
        assert answered.status_code in (200, 422), answered.text


NUMBERS = st.one_of(
    st.none(), st.floats(allow_nan=False, allow_infinity=False), st.floats(-2, 2), st.integers(), st.booleans(),
    st.text(max_size=5), st.lists(st.floats(0, 1), max_size=4), st.lists(st.lists(st.floats(-1, 1), max_size=2), max_size=2),
)  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    endpoint=st.sampled_from(sorted(PLANS)),
    more=st.dictionaries(st.sampled_from(sorted(set(PlanInput.__struct_fields__) - {"endpoint"})), NUMBERS, max_size=3),
)
def test_any_body_is_answered_or_refused(served, endpoint, more):
    answered = served.client.post("/api/v1/trials/plan", json=body(endpoint) | more, headers={"X-Medtwin-Request": "1"})
    assert answered.status_code in (200, 400, 422), answered.text
    conforms(answered.json(), shapes.TrialPlan if answered.status_code == 200 else shapes.Problem)


def test_it_is_described_with_every_name_of_a_plan(served):
    told = served.get("/openapi.json")
    operation = told["paths"]["/trials/plan"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/PlanInput")
    schema = told["components"]["schemas"]["PlanInput"]
    assert set(schema["properties"]) == set(PlanInput.__struct_fields__)
    assert schema["required"] == ["endpoint"]
    assert schema["additionalProperties"] is False
    assert set(USES) == set(PLANS)
    assert {"400", "403", "413", "422", "503"} <= set(operation["responses"])


def grant(role, patients=None, epoch=3):
    return Grant(who="somebody", role=role, purpose=Purpose.RESEARCH, epoch=epoch, patients=patients)


def test_who_may_plan():
    for role in (Role.OWNER, Role.CLINICIAN, Role.RESEARCHER, Role.PATIENT):
        trials.allowed(grant(role), 3)
        trials.allowed(grant(role, frozenset({"ada"})), 3)
        for refused in (grant(role, epoch=2), grant(role, frozenset())):
            with pytest.raises(AccessDenied):
                trials.allowed(refused, 3)
    with pytest.raises(AccessDenied):
        trials.allowed(grant(Role.DEVICE), 3)


def test_who_may_not_is_told(served, monkeypatch):
    allowed = trials.allowed
    monkeypatch.setattr(trials, "allowed", lambda held, epoch: allowed(grant(Role.DEVICE), 3))
    assert ask(served, body(), 403)["title"] == "Not allowed"


def test_nothing_is_left_behind_and_the_header_is_asked_for(served):
    before = served.store.sequence()
    ask(served, body())
    assert served.store.sequence() == before
    assert served.client.post("/api/v1/trials/plan", json=body()).status_code == 403


def test_work_has_an_end(served, monkeypatch):
    monkeypatch.setattr(planner, "SECONDS", 0.0)
    problem = ask(served, body("binary", risk_treated=0.31), 422)
    assert "takes more than" in problem["detail"]
    assert served.context.planner.waiting == 0


def test_too_many_at_once_are_sent_away(served, monkeypatch):
    monkeypatch.setattr(served.context.planner, "waiting", planner.WAITING)
    assert ask(served, body(), 503)["title"] == "Busy"


class Gone:
    """A request whose sender goes away after a moment."""

    def __init__(self):
        self.asked = 0

    async def is_disconnected(self):
        self.asked += 1
        return self.asked > 1


def test_the_event_loop_stays_free_and_nobody_is_planned_for_who_is_gone(monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def slow(asked, *, watch):
        begun.set()
        try:
            for _ in range(2000):
                watch()
                time.sleep(0.005)
        finally:
            ended.set()

    monkeypatch.setattr("medtwin.trials.planning.plan.plan_trial", slow)
    mine, request = planner.Planner(), Gone()

    async def run():
        beats = 0
        work = asyncio.create_task(mine.plan(plan_input(body()), request))
        while not work.done():
            await asyncio.sleep(0.01)
            beats += 1
        with pytest.raises(Refusal):
            await work
        return beats

    assert waited(run()) > 5
    assert begun.is_set()
    assert ended.is_set()
    assert request.asked >= 2
    mine.close()


def test_closing_ends_the_work(monkeypatch):
    begun, told = threading.Event(), threading.Event()

    def slow(asked, *, watch):
        begun.set()
        try:
            for _ in range(6000):  # a plan that nobody ends takes half a minute, and is an answer
                watch()
                time.sleep(0.005)
        except BaseException:
            told.set()
            raise

    monkeypatch.setattr("medtwin.trials.planning.plan.plan_trial", slow)
    mine = planner.Planner()

    async def run():
        class Here:
            async def is_disconnected(self):
                return False

        work = asyncio.create_task(mine.plan(plan_input(body()), Here()))
        assert await asyncio.to_thread(begun.wait, 30)
        await asyncio.to_thread(mine.close)
        with pytest.raises(Refusal):
            await work

    waited(run())
    assert told.is_set()  # it ended since it was told to, not because it was through
