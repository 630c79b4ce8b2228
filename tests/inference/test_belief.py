"""Members: the one door, against the moments that they must have."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from inference import linear
from medtwin.inference.belief import Members, members, vectors
from medtwin.inference.hypotheses import AS_EXPECTED, Hypothesis
from medtwin.inference.problem import problem
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import start

MODEL = linear.Triple()
BANK = (AS_EXPECTED, Hypothesis(name="a", meaning="", per_day=1.0, minutes=60.0))


def mixture(batch=()):
    made = problem(MODEL, spread=0.6)
    belief = start(Unscented(bank=BANK), made, batch)
    ways = jnp.asarray([0.7, 0.3]).reshape((2,) + (1,) * len(batch))
    return made, eqx.tree_at(
        lambda b: (b.log_probability, b.mean),
        belief,
        (jnp.broadcast_to(jnp.log(ways), belief.log_probability.shape), belief.mean.at[:, 1].add(3.0)),
    )


def test_draws_of_a_mixture_have_its_moments_and_its_shares():
    _, belief = mixture()
    n = 4000
    drawn, _ = vectors(belief, n, jax.random.PRNGKey(0))
    mean, covariance = belief.moments()
    sd = np.sqrt(np.diagonal(covariance))
    assert (np.abs(drawn.mean(1) - mean) < 4.5 * sd / np.sqrt(n)).all()
    # the standard error of a sample covariance of normals is at most sd_i sd_j sqrt(2/n); these have lighter tails
    assert (np.abs(np.cov(drawn) - covariance) < 5 * np.outer(sd, sd) * np.sqrt(2 / n)).all()
    # each hypothesis gets its share to within one draw
    means = np.asarray(belief.mean)
    tight = eqx.tree_at(lambda b: b.root, belief, belief.root * 1e-6)
    few, _ = vectors(tight, 101, jax.random.PRNGKey(1))
    far = np.isclose(few, means[:, 1][:, None], atol=1e-3).all(0)
    near = np.isclose(few, means[:, 0][:, None], atol=1e-3).all(0)
    assert far.sum() in (30, 31)
    assert far.sum() + near.sum() == 101


def test_the_same_key_gives_the_same_members_and_batches_stand_last():
    made, belief = mixture((3,))
    state, parameters = members(made, belief, 64, jax.random.PRNGKey(2))
    again, _ = members(made, belief, 64, jax.random.PRNGKey(2))
    assert state.first.shape == parameters.offset.shape == (64, 3)
    assert np.array_equal(state.first, again.first)
    other, _ = members(made, belief, 64, jax.random.PRNGKey(3))
    assert not np.array_equal(state.first, other.first)


def test_an_ensemble_gives_its_own_members():
    made, belief = mixture()
    drawn, memory = vectors(belief, 256, jax.random.PRNGKey(0))
    ensemble = Members(names=made.names, vectors=drawn, memory=memory, evidence=jnp.zeros(()), step=jnp.asarray(0))
    some, _ = vectors(ensemble, 100, jax.random.PRNGKey(4))
    known = {tuple(v) for v in np.asarray(drawn).T}
    assert len({tuple(v) for v in np.asarray(some).T} & known) == 100
    more, _ = vectors(ensemble, 512, jax.random.PRNGKey(4))
    counts = dict.fromkeys(known, 0)
    for v in np.asarray(more).T:
        counts[tuple(v)] += 1
    assert set(counts.values()) == {2}
