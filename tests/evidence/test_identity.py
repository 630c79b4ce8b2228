"""Training without labels finds what made the data; the store's decisions meet their marks on FEBRL and on other errors."""

from itertools import pairwise

import numpy as np
import pytest

from medtwin.evidence import identity
from medtwin.evidence.identity_people import statements
from medtwin.evidence.identity_training import all_pairs, train
from medtwin.record.identity.compare import LEVELS, person
from medtwin.record.identity.score import weights

FIELDS = ("given", "family", "birth_date", "postal_code")


def drawn(share, pairs, seed):
    """Patterns of a known mixture: levels independent given whether a pair is of one person."""
    random = np.random.default_rng(seed)
    one = random.random(pairs) < share
    truth = {}
    columns = {}
    for field in FIELDS:
        count = len(LEVELS[field])
        m = np.array([0.8, *[0.2 / (count - 1)] * (count - 1)])
        u = np.array([*[0.02] * (count - 1), 1 - 0.02 * (count - 1)])
        truth[field] = m, u
        columns[field] = np.where(one, random.choice(count, pairs, p=m), random.choice(count, pairs, p=u))
    missing = {field: random.random(pairs) < 0.1 for field in FIELDS}
    patterns: dict[tuple, int] = {}
    for at in range(pairs):
        key = tuple((field, LEVELS[field][columns[field][at]]) for field in FIELDS if not missing[field][at])
        patterns[key] = patterns.get(key, 0) + 1
    return [(dict(key), count) for key, count in patterns.items()], truth, one.sum()


def test_em_finds_the_probabilities_that_made_the_pairs():
    patterns, truth, true = drawn(0.05, 60_000, 1)
    found = train(patterns)
    assert found.share * found.pairs == pytest.approx(true, rel=0.06)
    for field, (m, u) in truth.items():
        assert found.m[field] == pytest.approx(m, abs=0.04)  # about four standard errors of 3,000 pairs
        assert found.u[field] == pytest.approx(u, abs=0.01)


def test_the_posterior_never_falls():
    patterns, _, _ = drawn(0.02, 5_000, 2)
    told = train(patterns).log_posterior
    assert len(told) > 3
    assert all(after >= before - 1e-6 for before, after in pairwise(told))


@pytest.mark.shared
def test_febrl_is_found_without_its_labels(shared_data):
    outcome = identity.decide(identity.febrl(shared_data / "plumbing" / "identity_febrl" / "dataset1.csv"))
    assert len(outcome.true) == 500
    right = len(outcome.found & outcome.true)
    assert right / len(outcome.found) >= 0.999
    assert right / len(outcome.true) >= 0.97
    assert outcome.linked <= outcome.true


@pytest.mark.slow
@pytest.mark.shared
def test_the_weights_that_ship_are_those_of_febrl(shared_data):
    people = [person(one.said) for one in identity.febrl(shared_data / "plumbing" / "identity_febrl" / "dataset1.csv")]
    trained = train((dict(levels), count) for levels, count in all_pairs(people).items())
    assert identity.make(trained, weights().made) == weights()


def test_other_people_with_other_errors_are_told_apart():
    """Bounds fixed beforehand: one wrong link in a hundred at most, nine of ten pairs found."""
    outcome = identity.decide(statements(500, 0.5, 7))
    assert len(outcome.linked - outcome.true) <= 0.01 * len(outcome.linked)
    assert len(outcome.found & outcome.true) >= 0.9 * len(outcome.true)
    assert len(outcome.linked & outcome.true) >= 0.7 * len(outcome.true)
