"""MAP with Laplace, and NUTS, against the exact posterior of a linear model's parameters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inference import linear
from inference.histories import history, kalman
from medtwin.errors import InferenceError
from medtwin.inference.nuts import nuts
from medtwin.inference.posterior import forward, posterior
from medtwin.inference.problem import problem
from medtwin.inference.reanchor import distance, reanchor
from medtwin.inference.unscented import Unscented
from medtwin.inference.update import run, start

MODEL = linear.Triple()
UPDATE = Unscented(interval=1)


@pytest.fixture(scope="module")
def case():
    made = problem(MODEL, walk=0.0, spread=0.6)
    tape = history(MODEL, 40, seed=1)
    mean, covariance, evidence, _ = kalman(
        made, MODEL, tape
    )  # parameters stand still: the filter's end is the posterior
    states = len(made.states)
    return made, tape, mean[states:], covariance[states:, states:], evidence


def test_laplace_is_exact_where_the_posterior_is_normal(case):
    made, tape, mean, covariance, evidence = case
    found = reanchor(posterior(made, UPDATE, tape), jax.random.PRNGKey(0), starts=3)
    np.testing.assert_allclose(found.mode, mean, atol=1e-7)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.log_evidence, evidence, atol=1e-6)
    np.testing.assert_allclose(found.modes, np.tile(mean, (3, 1)), atol=1e-6)


@pytest.mark.slow
def test_a_parameter_that_is_not_named_is_integrated_out(case):
    made, tape, mean, covariance, evidence = case
    found = reanchor(posterior(made, UPDATE, tape, ("offset",)), jax.random.PRNGKey(0), starts=1)
    np.testing.assert_allclose(found.mode, mean[1:], atol=1e-7)
    np.testing.assert_allclose(found.covariance, covariance[1:, 1:], rtol=1e-6)
    np.testing.assert_allclose(found.log_evidence, evidence, atol=1e-6)


def test_the_running_belief_is_compared(case):
    made, tape, *_ = case
    found = reanchor(posterior(made, UPDATE, tape), jax.random.PRNGKey(0), starts=1)
    belief, _ = run(UPDATE, made, start(UPDATE, made), tape)
    assert max(abs(d) for d in distance(made, belief, found).values()) < 1e-5
    states = len(made.states)
    sd = np.sqrt(belief.moments()[1][states, states] + found.covariance[0, 0])
    astray = eqx.tree_at(lambda b: b.mean, belief, belief.mean.at[states].add(3.0 * sd))
    np.testing.assert_allclose(distance(made, astray, found)["source_rate"], 3.0, atol=1e-5)


@pytest.mark.slow
def test_forward_gradient_is_the_gradient(case):
    made, tape, *_ = case
    density = posterior(made, UPDATE, tape)
    z = jnp.asarray([0.3, -0.4])
    step = 1e-5
    numeric = [(density(z + step * e) - density(z - step * e)) / (2 * step) for e in jnp.eye(2)]
    np.testing.assert_allclose(jax.grad(forward(density))(z), numeric, rtol=1e-6)


@pytest.mark.slow
def test_nuts_agrees_within_its_monte_carlo_error(case):
    made, tape, mean, covariance, _ = case
    density = posterior(made, UPDATE, tape)
    found = nuts(density, jax.random.PRNGKey(1), chains=2, warm_up=150, draws=300)
    sd = np.sqrt(np.diagonal(covariance))
    drawn = np.asarray(found.z).reshape(-1, 2)
    effective = np.minimum(np.asarray(found.effective), len(drawn))
    assert (effective > 80).all()
    assert (np.asarray(found.r_hat) < 1.05).all()
    assert int(found.divergences) == 0
    assert (np.abs(drawn.mean(0) - mean) < 4.5 * sd / np.sqrt(effective)).all()
    # relative standard error of a variance from n independent normal draws: sqrt(2/n)
    assert (np.abs(drawn.var(0) / sd**2 - 1) < 4.5 * np.sqrt(2 / effective)).all()


def test_what_cannot_be_asked_is_refused(case):
    made, tape, *_ = case
    with pytest.raises(InferenceError, match="expected among"):
        posterior(made, UPDATE, tape, ("pressure",))
    with pytest.raises(InferenceError, match="one person"):
        posterior(made, UPDATE, history(MODEL, 10, batch=(2,)))
