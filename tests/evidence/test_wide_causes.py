"""The wide bank's planted causes: what is planted, what counts as named, and what the page states."""

import numpy as np

from medtwin.evidence import wide_causes
from medtwin.evidence.causes import Ask, Cause
from medtwin.evidence.lives import DAY
from medtwin.inference.problem import problem
from medtwin.physiology.glucose_insulin import GlucoseInsulin


def ask(hypothesis, begin=500.0, end=560.0, person=0):
    return Ask(person, hypothesis, begin, end, begin + 10, 4.0, begin - 60)


def test_a_drift_is_named_by_whoever_asks_for_a_finger_prick():
    cause = Cause(0, "sensor_drift", 450.0, 600.0)
    assert wide_causes.named([cause], [ask("sensor_bias")]) == [ask("sensor_bias")]
    first, later = ask("sensor_drift", 460.0), ask("sensor_bias", 520.0)
    assert wide_causes.named([cause], [later, first]) == [first]
    assert wide_causes.named([cause], [ask("missed_meal")]) == [None]
    assert wide_causes.overlapped([cause], [ask("missed_meal")]) == [True]
    assert wide_causes.overlapped([cause], [ask("missed_meal", person=1)]) == [False]
    bolus = Cause(0, "lost_bolus", 450.0, 600.0, 4.0)
    assert wide_causes.named([bolus], [ask("missed_bolus")]) == [None]
    assert wide_causes.named([], []) == []


def test_what_is_planted_is_in_the_life_and_not_in_the_record():
    posed = problem(GlucoseInsulin())
    told, planted = wide_causes.scene("nothing", posed, 3, 7)
    assert planted == []
    for name, hypothesis in (("untold", "missed_bolus"), ("lost", "lost_bolus")):
        lives, causes = wide_causes.scene(name, posed, 3, 7)
        assert causes
        recorded = np.asarray(lives.tape.inputs["insulin_bolus"])
        for one in causes:
            assert (one.hypothesis, one.amount >= wide_causes.LEAST_BOLUS) == (hypothesis, True)
            assert bool(recorded[int(one.begin), one.person] == 0.0) == (name == "untold")
        who = np.unique([one.person for one in causes])
        apart = np.abs(lives.glucose - told.glucose)[:, who].max()
        assert apart == 0.0 if name == "untold" else apart > 20.0  # what was recorded and lost does not act
    fault, causes = wide_causes.drifted(3, 2 * DAY, np.random.default_rng(0))
    for one in causes:
        assert fault[int(one.begin), one.person] == 0.0
        assert 20.0 <= abs(fault[-1, one.person]) <= 35.0
        assert np.abs(np.diff(fault[:, one.person])).max() < 0.1


def test_the_page_states_both_banks():
    rows = [
        wide_causes.Figures(
            model="glucose_insulin", bank=bank, scene="lost", people=50, planted=80, named=named, named_low=0.1,
            named_high=0.3, mistaken=8, minutes_to_ask=120.0, false_asks_per_day=0.05, false_by={}, hour_rmse=9.0,
        )
        for bank, named in (("shipped", 0), ("wide", 20))
    ]  # fmt: skip
    text = wide_causes.page(rows, "python -m x")
    assert (
        "| a quarter of the boluses is recorded and does not arrive | wide | 80 | 25% (10% to 30%) | 10% | 120 |"
        in text
    )
    assert "| shipped | 80 | 0% (10% to 30%) |" in text
