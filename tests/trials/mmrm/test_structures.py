"""Each structure's derivatives against finite differences; what it starts from; always positive definite."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.structures import STRUCTURES, structure

DISTANCE = (
    np.abs(np.subtract.outer([0.0, 1.0, 2.5, 7.0], [0.0, 1.0, 2.5, 7.0]))[None] * np.array([1.0, 0.3])[:, None, None]
)


def at(name, seed=0, m=4):
    own = STRUCTURES[name]
    theta = np.random.default_rng(seed).normal(size=own.size(m)) * 0.7
    return own, theta, DISTANCE if own.shape.spatial else None


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives(name):
    own, theta, distance = at(name)
    curve, step = own.curve(theta, 4, distance), 1e-5
    moved = [
        [own.curve(theta + sign * step * unit, 4, distance) for sign in (1, -1)] for unit in np.eye(len(theta))
    ]  # fmt: skip
    first = np.array([(up.value - down.value) / (2 * step) for up, down in moved])
    second = np.array([(up.first - down.first) / (2 * step) for up, down in moved])
    np.testing.assert_allclose(curve.first, first, atol=1e-7)
    rng = np.random.default_rng(1)
    weight = rng.normal(size=curve.value.shape)
    weight = weight + np.swapaxes(weight, -1, -2)
    np.testing.assert_allclose(curve.against(weight), np.tensordot(second, weight, weight.ndim), atol=1e-6)
    pairs = rng.normal(size=(len(theta),) * 2)
    pairs = pairs + pairs.T
    np.testing.assert_allclose(curve.along(pairs), np.tensordot(pairs, second, 2), atol=1e-6)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("seed", range(5))
def test_positive_definite_and_of_its_form(name, seed):
    own, theta, distance = at(name, seed)
    sigma = own.curve(theta, 4, distance).value
    assert (np.linalg.eigvalsh(sigma) > 0).all()
    sd = np.sqrt(np.diagonal(sigma, 0, -2, -1))
    correlation = sigma / (sd[..., :, None] * sd[..., None, :])
    if "heterogeneous" not in name and name != "unstructured":
        np.testing.assert_allclose(sd, sd.flat[0])
    if name.startswith("ar1"):
        np.testing.assert_allclose(correlation[0, 3], correlation[0, 1] ** 3)
    if name.startswith("compound"):
        np.testing.assert_allclose(correlation[np.triu_indices(4, 1)], correlation[0, 1])
    if name.startswith("toeplitz"):
        np.testing.assert_allclose(correlation[0, :3], correlation[1, 1:])
    if name.startswith("ante"):
        np.testing.assert_allclose(correlation[0, 3], np.prod(np.diag(correlation, 1)))
    if own.shape.spatial:
        np.testing.assert_allclose(correlation[0, 0, 2] ** 0.4**own.shape.exponent, correlation[0, 0, 1])


@pytest.mark.parametrize("name", [name for name in STRUCTURES if not name.startswith("spatial")])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_a_start_is_found_again(name, m):
    own = STRUCTURES[name]
    theta = np.random.default_rng(3).normal(size=own.size(m)) * 0.3
    sigma = own.curve(theta, m, None).value
    np.testing.assert_allclose(own.curve(own.start(sigma, None), m, None).value, sigma, atol=1e-12)


def test_an_unknown_name():
    with pytest.raises(AnalysisError, match="unstructured"):
        structure("banded")
