"""The simulator's own promises: seeds, sums, moments of what it draws, decisions at looks, files."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.simulate import Scenario, simulate
from medtwin.trials.simulate.analysers import analysers_of
from medtwin.trials.simulate.analysers.ancova import Ancova
from medtwin.trials.simulate.draw import draw
from medtwin.trials.simulate.grid import figure, frame, grid_of, run_grid
from medtwin.trials.simulate.run import Task, work
from medtwin.trials.simulate.scenario import scenario_of
from medtwin.trials.simulate.seeds import chunk_trials, memory

SMALL = Scenario(n_control=20, n_treated=40, correlation=0.5)


def many(scenario, chunks=20):
    """(outcome, score, arm), each (patient of any trial,)."""
    found = [draw(scenario, 3, chunk) for chunk in range(chunks)]
    arm = np.concatenate([np.broadcast_to(one.arm, one.score.shape).ravel() for one in found])
    return (
        np.concatenate([one.outcome.ravel() for one in found]),
        np.concatenate([one.score.ravel() for one in found]),
        arm,
    )


def test_any_chunk_alone_and_any_number_of_processes_give_the_same():
    alone = draw(SMALL, 7, 3)
    assert np.array_equal(alone.outcome, draw(SMALL, 7, 3).outcome)
    assert not np.array_equal(alone.outcome, draw(SMALL, 8, 3).outcome)
    assert not np.array_equal(alone.outcome, draw(SMALL, 7, 4).outcome)
    trials = 12 * chunk_trials(SMALL) + 17
    here = simulate(SMALL, [Ancova()], trials=trials, seed=7)
    assert here == simulate(SMALL, [Ancova()], trials=trials, seed=7, processes=2)
    (first,) = work(Task(scenario=SMALL, analyses=(Ancova(),), seed=7, first=0, trials=trials))
    assert first.trials == trials
    assert here[0].rejection.value == first.rejected / trials
    assert memory(SMALL) < 4.0


def test_moments_of_a_continuous_outcome():
    scenario = Scenario(
        n_control=30, n_treated=60, effect=0.4, sd=2.0, sd_treated=3.0, correlation=0.6, correlation_treated=-0.2, baseline=2,
        baseline_correlation=0.5, strata=3, strata_correlation=0.3, randomisation="stratified",
    )  # fmt: skip
    y, m, arm = many(scenario, 60)
    for code, mean, sd, r in ((0, 0.0, 2.0, 0.6), (1, 0.4, 3.0, -0.2)):
        mine = arm == code
        error = 4.0 / math.sqrt(mine.sum())
        assert y[mine].mean() == pytest.approx(mean, abs=sd * error)
        assert y[mine].std() == pytest.approx(sd, rel=error)
        assert np.corrcoef(y[mine], m[mine])[0, 1] == pytest.approx(r, abs=error)
    assert arm.mean() == pytest.approx(2 / 3, abs=0.01)


def test_minimisation_balances_the_trial_and_its_strata():
    scenario = Scenario(n_control=30, n_treated=30, randomisation="minimisation", strata=4)
    batch = draw(scenario, 0, 0)
    coin = draw(replace(scenario, randomisation="simple"), 0, 0)
    for level in (None, 0, 3):
        away = []
        for one in (batch, coin):
            mine = np.ones(one.arm.shape, bool) if level is None else one.strata == level
            away.append(np.abs(np.where(mine, one.arm - 0.5, 0.0).sum(axis=1)).mean())
        assert away[0] < 0.6 * away[1]
    assert batch.arm.mean() == pytest.approx(0.5, abs=0.01)
    uneven = draw(replace(scenario, n_treated=60), 0, 0)
    assert uneven.arm.mean() == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("randomisation", ["fixed", "simple", "permuted-block", "stratified"])
def test_randomisation(randomisation):
    scenario = Scenario(n_control=20, n_treated=40, randomisation=randomisation, strata=2, block=6)
    batch = draw(scenario, 0, 0)
    arm = np.broadcast_to(batch.arm, batch.outcome.shape)
    assert set(np.unique(arm)) == {0.0, 1.0}
    if randomisation == "simple":
        assert arm.sum(axis=1).var() == pytest.approx(60 * 2 / 9, rel=0.3)
        return
    if randomisation in ("fixed", "permuted-block"):
        assert (arm.sum(axis=1) == 40).all()
        assert (arm[:, :6].sum(axis=1) == 4).all()
        return
    for level in (0, 1):
        mine = batch.strata == level
        count, treated = mine.sum(axis=1), (mine & (arm == 1.0)).sum(axis=1)
        assert (np.abs(treated - count * 2 / 3) <= 2).all()  # a block that was broken off


@pytest.mark.parametrize(
    ("seen", "by", "expected"),
    [("as it is", 1.0, 0.6), ("scaled", -3.0, -0.6), ("biased", 5.0, 0.6), ("shuffled", 1.0, 0.0), ("squared", 1.0, 0.0),
     ("noisy", 0.6, 0.48), ("exponential", 1.0, 0.6 / math.sqrt(math.e - 1.0))],
)  # fmt: skip
def test_what_is_seen_of_the_score(seen, by, expected):
    y, m, _ = many(Scenario(n_control=30, n_treated=30, correlation=0.6, seen=seen, seen_by=by))
    assert np.corrcoef(y, m)[0, 1] == pytest.approx(expected, abs=0.015)


def test_a_misspecified_score_costs_power_and_not_the_level():
    for seen, by in (("squared", 1.0), ("shuffled", 1.0), ("exponential", 1.0), ("biased", 3.0)):
        null = replace(SMALL, correlation=0.7, seen=seen, seen_by=by)
        (got,) = simulate(null, [Ancova()], trials=6000)
        assert got.rejection.value == pytest.approx(0.05, abs=3.5 * 0.0028), seen
    drifted = replace(SMALL, correlation=0.7, training_decay=0.8, training_shift=1.5, effect=0.6)
    true, lost = (simulate(one, [Ancova()], trials=3000)[0].rejection.value for one in (
        replace(drifted, training_decay=0.0), drifted))  # fmt: skip
    assert true > lost + 0.1


def test_characteristics_by_hand():
    scenario = replace(SMALL, effect=0.5)
    got = simulate(scenario, [Ancova(variance="classical")], trials=5000)[0]
    error = math.sqrt(0.75 * (1 / 20 + 1 / 40))
    assert got.bias.value == pytest.approx(0.0, abs=4.0 * got.bias.error)
    assert got.empirical_se.value == pytest.approx(error * math.sqrt(1.0 + 1.0 / 57.0), rel=0.04)
    assert got.mean_se.value == pytest.approx(got.empirical_se.value, rel=0.04)
    assert got.coverage.value == pytest.approx(0.95, abs=4.0 * got.coverage.error)
    assert got.rejection.error == pytest.approx(math.sqrt(got.rejection.value * (1 - got.rejection.value) / 5000))
    assert got.expected_patients == 60.0


def test_looks_stop_as_planned():
    scenario = Scenario(n_control=300, n_treated=300, effect=0.25, looks=(0.4, 0.7, 1.0), sides=1, alpha=0.025,
                        futility="obrien-fleming", correlation=0.4)  # fmt: skip
    design = scenario.design
    drift = 0.25 / math.sqrt((1 - 0.16) * 2 / 300)
    for effect in (0.0, 0.25):
        got = simulate(replace(scenario, effect=effect), [Ancova(variance="classical")], trials=6000)[0]
        exact = design.at(drift if effect else 0.0)
        for k in range(3):
            for ours, theirs in ((got.stopping[k], exact.stopping[k]), (got.stopping_rejected[k], exact.upper[k])):
                assert ours == pytest.approx(theirs, abs=0.005 + 3.5 * math.sqrt(theirs * (1 - theirs) / 6000))
        assert got.expected_patients == pytest.approx(600 * design.expected(drift if effect else 0.0), rel=0.02)


def test_two_sided_looks_keep_the_level():
    scenario = Scenario(n_control=150, n_treated=150, looks=(0.5, 1.0), spending="pocock")
    got = simulate(scenario, [Ancova(adjust="none")], trials=8000)[0]
    assert got.rejection.value == pytest.approx(0.05, abs=3.5 * 0.0025)
    assert got.wrong_side.value == pytest.approx(0.025, abs=3.5 * 0.0018)


def test_lost_patients_are_said_and_failed_trials_counted():
    scenario = Scenario(n_control=8, n_treated=8, dropout=0.6)
    got = simulate(scenario, [Ancova(variance="classical")], trials=200)[0]
    assert got.failed > 0
    assert sum(got.reasons.values()) == got.failed
    assert got.trials == 200
    scenario = Scenario(n_control=2, n_treated=3, randomisation="simple")
    got = simulate(scenario, [Ancova(adjust="none")], trials=1000)[0]
    assert got.failed == pytest.approx(1000 * (0.4**5 + 0.6**5 + 5 * 0.6 * 0.4**4 + 5 * 0.4 * 0.6**4), abs=80)


def test_grid_resumes(tmp_path):
    grid = grid_of({"base": {"n_control": 20, "n_treated": 20}, "vary": {"effect": [0.0, 1.0], "correlation": [0.0, 0.5]},
                    "analyses": [{"method": "ancova"}, {"method": "ancova", "adjust": "none"}], "trials": 300})  # fmt: skip
    store = tmp_path / "done.jsonl"
    told = []
    whole = run_grid(grid, processes=1, store=store, tell=lambda name, done, total: told.append((done, total)))
    assert told[-1] == (1200, 1200)
    lines = store.read_text().splitlines()
    assert len(lines) == 5
    assert json.loads(lines[0]) == {"dialect": "medtwin-trial-grid-store/1", "made_with": medtwin.__version__}
    store.write_text("\n".join(lines[:3]) + "\n" + lines[3][:50])  # broken off
    told.clear()
    again = run_grid(grid, processes=1, store=store, tell=lambda name, done, total: told.append(done))
    assert again == whole
    assert told[0] > 600
    assert store.read_text().splitlines() == lines
    assert run_grid(grid, processes=1, store=store) == whole
    held = frame(whole)
    assert held.shape[0] == 8
    assert held["rejection"][0] == whole[0].results[0].rejection.value
    assert figure(whole).startswith("<svg")
    store.write_text(lines[0] + "\n{}\n")
    with pytest.raises(AnalysisError, match="line 2 that is no result"):
        run_grid(grid, processes=1, store=store)


ONE_CELL = {"base": {"n_control": 20, "n_treated": 20}, "vary": {"effect": [0.0]}, "analyses": [{"method": "ancova"}],
            "trials": 50}  # fmt: skip


@pytest.mark.parametrize("content", [
    b"a will, without its last line's end", b"patient,arm\n1,A\n2,B", b"{}\n", b"\xff\xfe\x00", b"\n", b"[1]\n{",
    b"[" * 9000 + b"\n", b'{"dialect": "medtwin-trial-grid-store/2"}\n',
    b'{"dialect": "medtwin-trial-grid-store/1"}\nnull\n{"key"',
])  # fmt: skip
def test_a_foreign_file_is_not_touched(tmp_path, content):
    store = tmp_path / "dear.txt"
    store.write_bytes(content)
    with pytest.raises(AnalysisError, match="it was not changed"):
        run_grid(grid_of(ONE_CELL), processes=1, store=store)
    assert store.read_bytes() == content


def test_a_store_begins_anew_where_only_its_first_line_was_begun(tmp_path):
    store, grid = tmp_path / "done.jsonl", grid_of(ONE_CELL)
    whole = run_grid(grid, processes=1, store=store)
    content = store.read_bytes()
    for part in (b"", content[:10], content[: content.index(b"\n")]):
        store.write_bytes(part)
        assert run_grid(grid, processes=1, store=store) == whole
        assert store.read_bytes() == content
    with pytest.raises(AnalysisError, match="cannot be read"):
        run_grid(grid, processes=1, store=tmp_path)


def test_cells_of_another_version_are_done_again(tmp_path, monkeypatch):
    store, told = tmp_path / "done.jsonl", []
    grid = grid_of(ONE_CELL)
    run_grid(grid, processes=1, store=store)
    run_grid(grid, processes=1, store=store, tell=lambda *one: told.append(one))
    assert not told
    monkeypatch.setattr(medtwin, "__version__", "9.9.9")
    run_grid(grid, processes=1, store=store, tell=lambda *one: told.append(one))
    assert told
    assert len(store.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [({"n_contrl": 3}, "n_contrl"), ({"n_control": 3}, "n_treated"), ({"endpoint": "binary"}, "risk_control"),
     ({"hazard_ratio": 0.5}, "only what this endpoint"),
     ({"correlation": 0.9, "baseline": 1, "baseline_correlation": 0.9}, "explain"),
     ({"seen": "cubed"}, "one of"), ({"randomisation": "permuted-block", "block": 5}, "multiple"), ({"dropout": 1.0}, "dropout"),
     ({"looks": [0.5, 1.0], "dropout": 0.1}, "fixed design"), ({"n_control": "many"}, "cannot be read")],
)  # fmt: skip
def test_bad_scenarios(given, words):
    base = {} if given == {"n_control": 3} else {"n_control": 10, "n_treated": 10}
    with pytest.raises(AnalysisError, match=words):
        draw(scenario_of(base | given), 0, 0)


def test_bad_analyses():
    for given, words in (([{"method": "anova"}], "one of"), ([{"method": "ancova", "varianc": 1}], "varianc"),
                         ([{"method": "ancova"}] * 2, "each once")):  # fmt: skip
        with pytest.raises(AnalysisError, match=words):
            analysers_of(given, "continuous")


def test_results_are_plain():
    got = simulate(SMALL, [Ancova()], trials=50)[0].as_dict()
    assert json.loads(json.dumps(got, allow_nan=False))["trials"] == 50
