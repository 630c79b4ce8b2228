"""The blurred disc against its own integral, and the radius of vessels that another kernel blurred."""

import numpy as np
import pytest
from scipy import ndimage

from medtwin.imaging import radius
from medtwin.imaging.blurred_disc import share
from medtwin.imaging.phantoms.phantom import tube
from medtwin.imaging.phantoms.render import Contrast
from medtwin.imaging.phantoms.scanner import Scanner
from medtwin.imaging.phantoms.vessels import Lesion


@pytest.mark.parametrize("size", [0.3, 0.8, 1.6, 4.5])
def test_a_blurred_disc_is_what_blurring_a_disc_gives(size):
    step, spread = 0.02, 0.3
    side = np.arange(-6.5, 6.5, step)
    x, y = np.meshgrid(side, side, indexing="ij")
    blurred = ndimage.gaussian_filter((np.hypot(x, y) < size).astype(float), spread / step)
    row = blurred[:, len(side) // 2]
    truth = share(np.abs(side), np.array(size), np.array(spread))
    keep = np.abs(side) < 5.5
    assert np.abs(row - truth)[keep].max() < 0.006


def fitted(phantom, spread):
    vessel = phantom.heart.vessels[0]
    inner = slice(20, len(vessel.arc) - 20, 4)
    points, tangent = vessel.centre[inner], vessel.tangent[inner]
    level = np.full(len(points), phantom.contrast.aorta) - phantom.contrast.fall * vessel.arc[inner]
    guess = radius.half_maximum(phantom.volume, points, tangent, level)
    found = radius.fit(
        phantom.volume, points, tangent, guess, lumen=level, lumen_sd=12.0, spread=np.full(len(points), spread)
    )
    return found, vessel.radius[inner]


@pytest.mark.parametrize("kernel", ["airy", "sharp"])
def test_radii_of_a_tapering_vessel_and_its_lesion(kernel):
    lesion = Lesion(20.0, 14.0, 0.5, profile="cosine", eccentricity=0.4)
    phantom = tube((lesion,), radius=(1.7, 1.3), scanner=Scanner(kernel=kernel, noise=25.0))
    found, truth = fitted(phantom, 0.33 if kernel == "airy" else 0.25)
    error = found.radius - truth
    assert np.abs(error).mean() < 0.05  # the aim of docs/evidence/coronary-geometry.md
    throat = int(np.argmin(truth))
    assert abs(error[throat]) < 0.08
    assert (np.abs(error) < 3.0 * found.sd).mean() > 0.95
    assert np.abs(found.centre - phantom.heart.vessels[0].centre[20:-20:4]).max() < 0.3


def test_noise_widens_the_stated_error():
    calm, _ = fitted(tube(scanner=Scanner(noise=10.0)), 0.33)
    loud, _ = fitted(tube(scanner=Scanner(noise=60.0)), 0.33)
    assert np.median(loud.sd) > 1.3 * np.median(calm.sd)


def test_calcium_is_left_out():
    lesion = Lesion(20.0, 12.0, 0.4, plaque="calcified", eccentricity=0.5, profile="trapezoid")
    phantom = tube((lesion,), radius=(1.7, 1.5), scanner=Scanner(noise=20.0), contrast=Contrast(calcium=1200.0))
    found, truth = fitted(phantom, 0.33)
    inside = found.calcium > 0.1
    assert inside.any()
    assert (found.seen[inside] < 0.9).all()
    assert (
        np.abs(found.radius - truth)[inside].mean() < 0.12
    )  # 8 points of the diameter: the aim where there is calcium
