"""Volumes know where their voxels lie."""

import numpy as np

from medtwin.imaging.volume import Volume


def turned():
    angle = np.radians(20.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    grid = np.mgrid[:20, :18, :16].astype(float)
    volume = Volume(np.zeros(grid.shape[1:], np.float32), np.array([3.0, -4, 5]), np.array([0.4, 0.5, 0.7]), turn)
    points = volume.world(np.stack([x.ravel() for x in grid], 1))
    values = (2.0 * points[:, 0] - points[:, 1] + 3.0 * points[:, 2]).reshape(grid.shape[1:])
    return Volume(values.astype(np.float32), volume.origin, volume.spacing, turn)


def test_indices_and_points_are_each_others_inverse():
    volume = turned()
    index = np.array([[0, 0, 0], [3.5, 2, 9], [19, 17, 15]])
    np.testing.assert_allclose(volume.index(volume.world(index)), index, atol=1e-12)


def test_a_plane_is_read_exactly_between_voxels_and_in_coarse_ones():
    volume = turned()
    points = volume.world(np.array([[3.3, 4.7, 5.1], [10.5, 8.25, 7.0]]))
    truth = 2.0 * points[:, 0] - points[:, 1] + 3.0 * points[:, 2]
    np.testing.assert_allclose(volume.sample(points), truth, atol=1e-4)
    np.testing.assert_allclose(volume.coarse(1.0).sample(points), truth, atol=1e-4)


def test_inside_keeps_a_margin():
    volume = turned()
    middle, corner = volume.world(np.array([[10, 9, 8.0], [0, 0, 0]]))
    assert volume.inside(np.stack([middle, corner])).tolist() == [True, True]
    assert volume.inside(np.stack([middle, corner]), margin=1.0).tolist() == [True, False]
