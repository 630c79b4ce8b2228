"""Who they are: the same person whatever is asked, every limit kept, refusals counted."""

import jax
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.physiology.models import by_name
from medtwin.population.people import BLOCK, LIMITS, virtual_people


def test_a_person_does_not_depend_on_how_many_are_asked_for(people):
    more = virtual_people("t1d", BLOCK + 20, seed=5)
    assert more.candidates == 2 * BLOCK
    np.testing.assert_array_equal(more.number[: len(people)], people.number)
    for one, other in zip(jax.tree.leaves(people.parameters), jax.tree.leaves(more.parameters), strict=True):
        np.testing.assert_array_equal(one, other[: len(people)])
        assert one.dtype == np.float32
    assert not np.array_equal(virtual_people("t1d", 40, seed=6).parameters.body_weight, people.parameters.body_weight)


def test_filters_keep_their_limits_and_say_whom_they_refused(people):
    for what in ("basal", "carbohydrate_ratio", "correction_factor"):
        low, high, _ = LIMITS[what]
        values = getattr(people.therapy, what)
        assert low <= values.min() < values.max() <= high
    plausible = people.candidates - sum(people.refused.values())
    assert plausible >= len(people)
    assert 0 < sum(people.refused.values()) < 0.2 * people.candidates
    assert np.all(np.diff(people.number) >= 1)
    assert people.number[-1] - people.number[0] + 1 > len(people)  # somebody in between is missing


def test_fasting_is_that_of_the_kind():
    """Fasting medians of the prior's source: 92 and 159 mg/dL (Dalla Man 2007), within the error of 60 draws."""
    for kind, published in (("healthy", 92.0), ("t2d", 159.4)):
        made = virtual_people(kind, 60, seed=1)
        assert made.therapy is None
        assert np.median(made.parameters.fasting_glucose) == pytest.approx(published, rel=4 * 0.1 * 1.25 / 60**0.5)


def test_errors():
    with pytest.raises(ModelError, match="t1d, t2d, healthy"):
        virtual_people("t3d", 5)
    with pytest.raises(ModelError, match="0 people"):
        virtual_people("t1d", 0)


def test_a_prior_without_plausible_people_is_said():
    """A person whose insulin does nothing is refused, and where all are, there is no cohort."""
    from medtwin.physiology.glucose_insulin import GlucoseInsulin

    class Numb(GlucoseInsulin):
        def observe(self, t, state, parameters):
            return {name: 0.0 * value + 20.0 for name, value in super().observe(t, state, parameters).items()}

    with pytest.raises(ModelError, match="candidates refused"):
        virtual_people("t1d", 5, model=Numb())
    assert by_name("glucose_insulin")
