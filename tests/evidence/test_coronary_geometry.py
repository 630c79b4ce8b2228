"""Measures of centrelines, on lines whose answer can be written down by hand."""

import numpy as np
import pytest

from medtwin.evidence.coronary_geometry import overlap
from medtwin.evidence.coronary_geometry_page import page


def straight(length, shift=0.0):
    return np.array([[shift, 0.0, 0.0], [shift, 0.0, length]])


def truth(length=40.0):
    points = np.stack([np.zeros(401), np.zeros(401), np.linspace(0, length, 401)], 1)
    return points, np.full(401, 1.0)


def test_a_line_that_is_right_and_one_beside_it():
    points, radius = truth()
    assert overlap(points, radius, straight(40.0)) == pytest.approx({"ov": 1.0, "of": 1.0, "ot": 1.0, "ai": 0.0})
    beside = overlap(points, radius, straight(40.0, 0.4))
    assert beside["ai"] == pytest.approx(0.4, abs=0.01)
    assert beside["ov"] == 1.0


def test_a_line_that_ends_half_way():
    points, radius = truth()
    half = overlap(points, radius, straight(20.0))
    # all of its 20 mm is right, and 21 of 40 mm (within the radius of its end) are found
    assert half["ov"] == pytest.approx((20.0 + 21.0) / (20.0 + 40.0), abs=0.01)
    assert half["of"] == pytest.approx(21.0 / 40.0, abs=0.01)


def test_a_line_that_leaves_the_vessel():
    points, radius = truth()
    away = np.array([[0.0, 0, 0], [0, 0, 20.0], [20.0, 0, 20.0]])
    found = overlap(points, radius, away)
    # 20 mm and 1 mm of the 40 are within the radius on its side, 21 of the 40 on the true side
    assert found["ov"] == pytest.approx((21.0 + 21.0) / 80.0, abs=0.01)


def test_only_wide_parts_count_for_ot():
    points, radius = truth()
    radius = np.where(points[:, 2] < 20.0, 1.0, 0.6)
    assert overlap(points, radius, straight(20.0))["ot"] == pytest.approx(1.0, abs=0.01)


def test_the_page_names_what_was_missed():
    lesion = {"vessel": "LAD", "true": 70.0, "plaque": "soft", "section": "circle", "profile": "cosine", "found": None,
              "sd": None,
              "judged": True, "refused": False}  # fmt: skip
    line = {"vessel": "LAD", "ov": 0.9, "of": 0.8, "ot": 0.85, "ai": 0.2}
    row = {"seed": 4, "artefact": "none", "held_out": False, "version": "x", "seconds": 20.0, "steps_said": 0, "dice": 0.94,
           "lines": [line], "radius": [[1.2, 0.02, 0.05, 0.0]], "lesions": [lesion], "false": [55.0], "segments": 9, "refused": 1,
           "refused_small": 1}  # fmt: skip
    text = page([row, {"seed": 5, "artefact": "none", "held_out": True, "version": "x", "error": "found no aorta"}])
    assert "1 of 1 in segments that were judged" in text
    assert "70 % soft lesion of LAD (cosine, circle) was not told" in text
    assert "a narrowing of 55 % was told where none is" in text
    assert "found no aorta" in text
    assert "Phantoms are not patients" in text
