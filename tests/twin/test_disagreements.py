"""Stretches of disagreement, read from what the filter left."""

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest

from medtwin.inference.hypotheses import GLUCOSE
from medtwin.twin.axis import EPOCH
from medtwin.twin.disagreements import disagreements

FIRST = 1000
NAMES = [h.name for h in GLUCOSE]


@dataclass
class Axis:
    length: float = 60.0

    def position(self, moment):
        return (moment - EPOCH).total_seconds() / 60.0

    def moment(self, step):
        return EPOCH + timedelta(minutes=step)


@dataclass
class Choice:
    headline: str = "glucose"
    update: object = field(default_factory=type("Bank", (), {"bank": GLUCOSE}))


@dataclass
class Piece:
    columns: dict


@dataclass
class Twin:
    pieces: list
    axis: Axis = field(default_factory=Axis)
    choice: Choice = field(default_factory=Choice)


def twin(shares, innovation=None, **more):
    """A twin whose filter gave hypothesis ``name`` the share ``shares[name]`` at each five-minute reading, cut in two."""
    rows = len(next(iter(shares.values())))
    probability = np.zeros((rows, len(GLUCOSE)))
    for name, column in shares.items():
        probability[:, NAMES.index(name)] = column
    probability[:, 0] = 1.0 - probability[:, 1:].sum(1)
    columns = {
        "boundary": FIRST + 5 * np.arange(rows),
        "probability": probability,
        "predicted:glucose": np.full(rows, 120.0),
        "surprise_innovation:glucose": np.full(rows, 10.0) if innovation is None else np.array(innovation, float),
        "surprise_sd:glucose": np.full(rows, 12.0),
        **more,
    }
    half = rows // 2
    cut = [{name: column[part] for name, column in columns.items()} for part in (slice(0, half), slice(half, None))]
    return Twin([Piece(part) for part in cut])


def found(made, since=EPOCH):
    return disagreements(made, since)


def test_agreement_asks_nothing():
    assert found(twin({"missed_meal": [0.1] * 20})) == ()


def test_one_stretch_with_hysteresis():
    shares = [0.0, 0.1, 0.7, 0.8, 0.5, 0.45, 0.9, 0.5, 0.2, 0.0]
    (one,) = found(twin({"missed_meal": shares}, innovation=[0, 0, 30, 40, 5, 5, 20, 5, 0, 0]))
    assert one.winner.name == "missed_meal"
    assert one.since == EPOCH + timedelta(minutes=FIRST + 10)
    assert one.until == EPOCH + timedelta(minutes=FIRST + 35)
    assert one.peak == EPOCH + timedelta(minutes=FIRST + 30)
    assert one.ended
    assert (one.measured, one.expected) == (160.0, 120.0)
    assert one.probability[0] == (one.winner, pytest.approx(0.9))


def test_a_stretch_that_goes_on():
    (one,) = found(twin({"sensor_low": [0.0, 0.2, 0.9, 0.95]}))
    assert not one.ended
    assert one.winner.name == "sensor_low"
    assert "lower than they can be" in one.question


def test_the_winner_holds_most_of_the_stretch():
    made = twin({"patient_change": [0.0, 0.6, 0.1, 0.1, 0.1, 0.0], "sensor_bias": [0.0, 0.2, 0.8, 0.8, 0.7, 0.0]})
    assert [one.winner.name for one in found(made)] == ["sensor_bias"]


def test_nobody_is_asked_where_no_hypothesis_is_sure():
    made = twin({"patient_change": [0.0, 0.35, 0.35, 0.0], "missed_meal": [0.0, 0.35, 0.35, 0.0]})
    assert found(made) == ()


def test_how_much_and_since_when():
    rows = 8
    made = twin(
        {"missed_meal": [0.0, 0.0, 0.6, 0.8, 0.95, 0.7, 0.1, 0.0]},
        **{
            "amount:missed_meal": np.arange(rows) * 10.0,
            "amountsd:missed_meal": np.full(rows, 6.0),
            "ago:missed_meal": np.full(rows, 45.0),
        },
    )
    (one,) = found(made)
    assert (one.opened.mean, one.opened.sd) == (40.0, 6.0)
    assert one.opened.time == EPOCH + timedelta(minutes=FIRST + 20 - 45)
    assert one.ask("07:40") == "Did you eat about 40 g of carbohydrate near 07:40?"


def test_a_filter_that_looks_back_too_far_is_not_believed():
    rows = 8
    made = twin(
        {"missed_meal": [0.0, 0.0, 0.6, 0.8, 0.95, 0.7, 0.1, 0.0]},
        **{
            "amount:missed_meal": np.full(rows, 40.0),
            "amountsd:missed_meal": np.full(rows, 6.0),
            "ago:missed_meal": np.full(rows, 700.0),
        },
    )
    (one,) = found(made)
    assert one.opened.time == one.since - timedelta(minutes=90)


def test_stretches_of_one_cause_that_lie_close_are_told_once():
    close = [0.9, 0.9, 0.0, 0.0, 0.8, 0.8, 0.0, 0.0]
    (one,) = found(twin({"missed_meal": close}))
    assert (one.since, one.until) == tuple(EPOCH + timedelta(minutes=FIRST + m) for m in (0, 25))
    far = [0.9, 0.9, *([0.0] * 12), 0.8, 0.8, 0.0, 0.0]
    assert len(found(twin({"missed_meal": far}))) == 2


def test_only_what_reaches_into_the_window():
    made = twin({"missed_meal": [0.9, 0.9, *([0.0] * 18)]})
    assert len(found(made, EPOCH + timedelta(minutes=FIRST))) == 1
    assert found(made, EPOCH + timedelta(minutes=FIRST + 60)) == ()
