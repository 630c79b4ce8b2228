"""Of a person whom the model does not fit no parameter is shown; of one whom it fits, all are."""

from dataclasses import replace
from datetime import timedelta

import equinox as eqx
import numpy as np
import pytest

from medtwin.twin.choice import choose
from medtwin.twin.fit import EDGE, at_edge, misfit
from medtwin.twin.twin import assimilate
from twin.people import NOW, event


@pytest.fixture(scope="module")
def twin(short):
    record = short.record()
    return assimilate("ada", choose(record), record, NOW)[0]


def moved(twin, names, to):
    place = np.array([twin.belief.names.index(name) for name in names])
    belief = eqx.tree_at(lambda b: b.mean, twin.belief, twin.belief.mean.at[place].set(to))
    return replace(twin, belief=belief)


def test_who_fits_is_shown(twin):
    assert len(at_edge(twin)) <= 0.2 * len(twin.problem.inferred)
    assert misfit(twin, "insulin_sensitivity") is None


def test_one_parameter_at_the_edge_is_withheld_alone(twin):
    pulled = moved(twin, ["sensor_bias"], -EDGE - 0.3)
    assert "sensor_bias" in at_edge(pulled)
    assert "edge of what is plausible" in misfit(pulled, "sensor_bias")
    assert misfit(pulled, "insulin_sensitivity") is None


def test_many_at_the_edge_withhold_all(twin):
    pulled = moved(twin, twin.problem.inferred[4:12], EDGE + 0.3)
    assert "the model does not fit this person" in misfit(pulled, "insulin_sensitivity")


def test_deviates_stay_within_what_the_prior_knows(short):
    """Readings 120 mg/dL above anything that this life can explain pull, day after day; the belief stops at three."""
    events = [replace(e, value=e.value + 120.0) if e.quantity == "glucose" else e for e in short.events]
    events += [
        event("glucose", 330.0 + 10.0 * np.sin(k / 9.0), NOW - timedelta(minutes=5 * k + 2.5), key=f"high{k}")
        for k in range(400)
    ]
    record = short.record(events)
    wrong, _ = assimilate("ada", choose(record), record, NOW)
    place = np.array([wrong.belief.names.index(name) for name in wrong.problem.inferred])
    assert np.abs(np.asarray(wrong.belief.mean)[place]).max() <= 3.0 + 1e-9
    assert np.isfinite(np.asarray(wrong.belief.mean)).all()
