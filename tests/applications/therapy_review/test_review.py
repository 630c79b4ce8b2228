"""Reviews of made-up people whose settings are wrong in a known way, and a change's effect against the world's own truth."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from applications.therapy_review.people import DAYS, NOW, START, known, order, person
from medtwin.applications.therapy_review import write
from medtwin.applications.therapy_review.replay import Change, days, lived
from medtwin.applications.therapy_review.review import RISK, STEPS, review
from medtwin.errors import InferenceError
from medtwin.reports.html import page
from medtwin.worlds.counterfactual import redosed

MADE_AT = datetime.fromisoformat("2026-02-01T00:00:00Z")


@pytest.fixture(scope="module", autouse=True)
def few_members():
    """A quarter of the members, for time's sake."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medtwin.applications.therapy_review.replay.MEMBERS", 15)
        yield


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Half the basal rate that was needed."""
    someone = person(43, basal=0.5)
    return someone, *known(someone, tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def reviewed(short):
    _, record, twin = short
    told = []
    made = review(twin, record, NOW, count=7, synthetic=True, progress=lambda done, of: told.append((done, of)))
    assert (7, 7) in told
    return made


@pytest.mark.slow
def test_who_lacks_basal_insulin_is_suggested_more(reviewed):
    assert reviewed.withheld is None
    assert reviewed.now.in_range[1] < 60.0
    suggested = [one.suggested for one in reviewed.settings if one.suggested]
    assert suggested
    assert all(step.factor > 1.0 for step in suggested)
    for one in reviewed.settings:
        assert [step.factor for step in one.steps] == list(STEPS)
        gains = [step.change[1] for step in one.steps]
        assert gains == sorted(gains)  # of somebody who is high all day more is better
        if one.kind == "basal":
            assert all(step.allowed and 0.0 <= step.change[0] < step.change[1] for step in one.steps[2:])
            assert one.suggested or "not together" in one.why
    if reviewed.together is not None:
        assert reviewed.together.risk <= RISK


def test_a_made_basal_rate_is_read_off_the_record(short, reviewed):
    someone = short[0]
    outcome = someone.truth.outcome
    basal = [one for one in reviewed.settings if one.kind == "basal"]
    assert sum(one.daily for one in basal) == pytest.approx(24 * outcome.basal[1440:].mean(), rel=0.02)
    given = sum(units for minute, units in outcome.boluses if minute >= 1440)
    assert reviewed.total_daily * (1 - reviewed.basal_share) == pytest.approx(given / (DAYS - 1), rel=0.02)


def test_the_words(reviewed):
    said = write.content(reviewed)
    assert said["days"] == 7
    assert said["research_only"] is True
    assert said["limit"] == {"below_70_percent": 4.0, "below_54_percent": 1.0, "chance": 0.1, "greatest_step": 0.2}
    shown = page(write.document(reviewed, MADE_AT))
    assert "SYNTHETIC DATA" in shown
    assert write.headline(reviewed) in shown
    assert "no advice on treatment" in shown
    assert "intervals from resampled days are too narrow" in shown
    withheld = replace(reviewed, withheld="the model does not fit this person")
    assert write.headline(withheld) == "No suggestion: the model does not fit this person."


def test_nothing_is_suggested_where_the_twin_cannot_be_trusted(short, monkeypatch):
    _, record, twin = short
    module = "medtwin.applications.therapy_review.review"
    monkeypatch.setattr(f"{module}.lived", lambda twin, every, alternatives, progress=None: [
        [np.repeat(day.glucose[:, None], 2, 1) for day in every] for _ in alternatives
    ])  # fmt: skip
    monkeypatch.setattr(f"{module}.learn", lambda *_: None)
    made = review(twin, record, NOW, count=7)
    assert "not calibrated" in made.withheld
    monkeypatch.setattr(f"{module}.misfit", lambda _: "the model does not fit this person")
    made = review(twin, record, NOW, count=7)
    assert "does not fit" in made.withheld
    assert not any(one.suggested for one in made.settings)


def test_too_few_days(short):
    _, record, twin = short
    with pytest.raises(InferenceError, match="5 of the last 5 days"):
        review(twin, record, NOW, count=5)


def test_more_meal_insulin_changes_what_it_does_in_the_world(short):
    """Sign and rough size of +20 % of the boluses of meals, against the world's own equations."""
    someone, record, twin = short
    outcome = someone.truth.outcome
    meals = [meal.minute for meal in someone.truth.plan.meals if meal.stated_minute is not None]
    more = [(m, u * (1.2 if min(abs(m - at) for at in meals) <= 45 else 1.0)) for m, u in outcome.boluses]
    truth = redosed(order(43), outcome, [more])[0]
    every = days(twin, record, NOW, 7)
    (predicted,) = lived(twin, every, [[Change("meal bolus", 0.0, 24.0, 1.2)]])
    effect, true = [], []
    for day, future in zip(every, predicted, strict=True):
        first = round((day.begin - START) / timedelta(minutes=1))
        true.append(truth[first + day.minute.astype(int)].mean())
        effect.append((future - day.glucose[:, None]).mean(0))
    low, middle, high = np.quantile(np.mean(effect, 0), (0.05, 0.5, 0.95))
    assert low < np.mean(true) < high < 0.0
    assert 0.4 < middle / np.mean(true) < 2.5


@pytest.mark.slow
def test_who_has_many_lows_is_never_suggested_more(tmp_path):
    someone = person(43, basal=1.3, ratio=0.7)
    record, twin = known(someone, tmp_path)
    made = review(twin, record, NOW, count=7)
    assert made.risk > RISK
    assert made.now.below_70[1] > 4.0
    assert all(one.suggested is None or one.suggested.factor < 1.0 for one in made.settings)
    assert not any(step.allowed for one in made.settings for step in one.steps if step.factor > 1.0)
    if made.withheld is None:
        assert any(one.suggested for one in made.settings)
