"""What a scanner does to an object: nothing to an even one, the spread that it promises to a point, and its artefacts."""

import numpy as np
import pytest
from scipy.special import j0

from medtwin.imaging.phantoms.render import Scene
from medtwin.imaging.phantoms.scanner import KERNELS, Scanner, scan, width
from medtwin.imaging.volume import Volume

SPACING = np.array([0.2, 0.2, 0.5])


def scene(values):
    frame = Volume(values.astype(np.float32), -SPACING * (np.asarray(values.shape) - 1) / 2, SPACING, np.eye(3))
    return Scene(frame, np.zeros(values.shape, np.float32), np.zeros(values.shape, bool))


def seen(values, **how):
    return scan(scene(values), Scanner(**{"noise": 0.0, "thickness": 0.5, **how}), np.random.default_rng(0)).values


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_an_even_object_stays_as_it_is(kernel):
    np.testing.assert_allclose(seen(np.full((32, 32, 8), 300.0), kernel=kernel), 300.0, atol=1.0)


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_a_point_is_spread_as_the_transfer_function_says(kernel):
    point = np.zeros((64, 64, 5))
    point[32, 32, :] = 1e5
    line = seen(point, kernel=kernel)[32, 32:44, 2]
    f0, transfer = KERNELS[kernel]
    f = np.linspace(0.0, 1.0 / (2 * 0.2) * 1.2, 6000)
    r = 0.2 * np.arange(12)
    # Hankel transform: the spread of a round transfer function
    truth = (transfer(f / f0) * f * j0(2 * np.pi * f * r[:, None])).sum(1) * (f[1] - f[0]) * 2 * np.pi * 1e5 * 0.04
    np.testing.assert_allclose(line, truth, atol=0.02 * truth[0])
    assert 0.7 < width(kernel) < 0.9


def test_the_sharp_kernel_undershoots():
    edge = np.zeros((64, 64, 5))
    edge[:32] = 400.0
    assert seen(edge, kernel="sharp")[:, 32, 2].min() < -8.0
    assert seen(edge, kernel="soft")[8:56, 32, 2].min() > -2.0


def test_noise_has_its_size_and_texture():
    noise = seen(np.zeros((64, 64, 12)), noise=25.0)
    assert noise.std() == pytest.approx(25.0, rel=0.05)
    beside = np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]
    assert beside > 0.5  # voxels are smaller than the spread


def test_steps_move_their_slab_alone():
    edge = np.zeros((64, 64, 12))
    edge[:32] = 400.0
    stepped, plain = seen(edge, steps=(0.0, 1.0, 0.0)), seen(edge)
    np.testing.assert_allclose(stepped[:, :, :4], plain[:, :, :4])
    np.testing.assert_allclose(stepped[8:, :, 4:8], plain[3:-5, :, 4:8], atol=1.0)


def test_motion_blurs_where_it_is():
    edge = np.zeros((64, 64, 12))
    edge[:32] = 400.0
    how = {"motion": (2.0, 0.0, 0.0), "motion_at": (0.0, -6.0, 0.0), "motion_reach": 2.0}
    moved, plain = seen(edge, **how), seen(edge)
    slope = lambda values, j: np.abs(np.diff(values[20:44, j, 6])).max()  # noqa: E731
    assert slope(moved, 2) < 0.6 * slope(plain, 2)
    assert slope(moved, 32) == pytest.approx(slope(plain, 32), rel=0.05)
