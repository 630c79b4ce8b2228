"""A phantom's truth is what its equations say: areas, centroids, stenoses."""

import numpy as np
import pytest

from medtwin.imaging.phantoms.heart import heart, in_aorta
from medtwin.imaging.phantoms.phantom import combination
from medtwin.imaging.phantoms.vessels import PROFILES, Lesion, Vessel, curve, lumen


def straight(*lesions):
    axis = curve(np.array([[0.0, 0, 0], [0, 0, 40.0]]))
    return Vessel("LAD", None, 0.0, axis, np.full(len(axis), 1.5), np.tile([1.0, 0, 0], (len(axis), 1)), lesions)


@pytest.mark.parametrize("section", ["circle", "ellipse", "cut"])
def test_sections_have_the_area_and_the_centroid_that_the_truth_states(section):
    vessel = straight(Lesion(20.0, 12.0, 0.5, section=section, eccentricity=0.6, angle=0.7))
    at = int(np.argmin(vessel.radius))
    assert vessel.radius[at] == pytest.approx(0.75, abs=1e-3)
    side = np.arange(-2.0, 2.0, 0.01) + 0.005
    u, v = np.meshgrid(side, side, indexing="ij")
    inside = lumen(vessel, np.full(u.shape, at), np.zeros_like(u), u, v)
    assert inside.sum() * 1e-4 == pytest.approx(np.pi * 0.75**2, rel=0.01)
    assert abs(u[inside].mean()) < 0.01
    assert abs(v[inside].mean()) < 0.01


@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_lesion_is_as_severe_and_as_long_as_it_says(profile):
    vessel = straight(Lesion(20.0, 10.0, 0.6, profile=profile))
    stenosis = 1.0 - vessel.radius / vessel.reference
    assert stenosis.max() == pytest.approx(0.6, abs=0.01)
    assert (stenosis[np.abs(vessel.arc - 20.0) > 5.01] == 0).all()


def test_an_eccentric_lumen_leaves_the_axis_and_stays_in_the_vessel():
    vessel = straight(Lesion(20.0, 10.0, 0.5, eccentricity=1.0))
    away = np.linalg.norm(vessel.centre - vessel.axis, axis=1)
    assert away.max() == pytest.approx(0.75, abs=0.01)
    assert (away + vessel.radius <= vessel.reference + 1e-9).all()


def test_hearts_hang_together_and_differ_by_seed():
    one = heart(np.random.default_rng(1), {})
    by_name = {x.name: x for x in one.vessels}
    for vessel in one.vessels:
        if vessel.parent is None:
            assert in_aorta(vessel.axis[:1])[0] < 0 < in_aorta(vessel.axis[-1:])[0]
        else:
            above = by_name[vessel.parent]
            point = above.axis[np.argmin(np.abs(above.arc - vessel.parent_at))]
            assert np.linalg.norm(vessel.axis[0] - point) < 0.3
            assert vessel.reference[0] <= above.reference.max()
    other = heart(np.random.default_rng(2), {})
    ends = [np.stack([x.axis[-1] for x in heart_.vessels]) for heart_ in (one, other)]
    assert np.abs(ends[0] - ends[1]).max() > 1.0


def test_seeds_go_through_all_combinations_of_shapes():
    assert len({combination(seed) for seed in range(72)}) == len(PROFILES) * 3 * 2 * 3
