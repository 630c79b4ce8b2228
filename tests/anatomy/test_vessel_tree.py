"""A tree is read as it was written, and what is wrong is named with its place."""

import json

import numpy as np
import pytest

from medtwin.anatomy import vessel_tree
from medtwin.errors import FormatError


def told(**changed):
    return {
        "dialect": "medtwin-vessel-tree/1",
        "segments": [
            {"name": "child", "parent": "root", "arc_length_mm": [0, 20], "radius_mm": [1.5, 1.2]},
            {"name": "root", "parent": None, "arc_length_mm": [0, 10], "radius_mm": [2, 2], "reference_radius_mm": 2},
        ],
        **changed,
    }


def read(content):
    return vessel_tree.read(json.dumps(content))


def test_parents_come_before_children_and_what_is_written_is_read_again():
    tree = read(told(outlets={"child": {"flow_ml_per_min": 60}}, aortic_pressure_mmhg=93, label="a", synthetic=True))
    assert [one.name for one in tree.segments] == ["root", "child"]
    assert [one.parent for one in tree.segments] == [None, 0]
    assert tree.leaves == (1,)
    assert tree.path(1) == (0, 1)
    again = vessel_tree.read(vessel_tree.write(tree))
    assert again.outlets == tree.outlets
    assert (again.label, again.synthetic, again.aortic_pressure) == ("a", True, 93.0)
    for one, other in zip(tree.segments, again.segments, strict=True):
        np.testing.assert_array_equal(one.radius, other.radius)
        np.testing.assert_allclose(one.reference, other.reference)
        assert one.stated_reference == other.stated_reference


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dialect": "medtwin-vessel-tree/9"}, "medtwin-vessel-tree/9"),
        ({"segments": []}, "no list of segments"),
        ({"aortic_pressure_mmHg": 93}, "aortic_pressure_mmHg"),
        ({"aortic_pressure_mmhg": -3}, "-3"),
        ({"outlets": {"root": {"flow_ml_per_min": 3}}}, "has children"),
        ({"outlets": {"other": {"flow_ml_per_min": 3}}}, "no segment 'other'"),
        ({"outlets": {"child": {"flow": 3}}}, "other keys"),
        ({"collaterals": []}, "collaterals"),
    ],
)
def test_what_is_wrong_in_the_tree_is_named(change, words):
    with pytest.raises(FormatError, match=words):
        read(told(**change))


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (0, {"parent": "nobody"}, "nobody"),
        (0, {"parent": None}, "2 segments without a parent"),
        (1, {"parent": "child"}, "0 segments without a parent"),
        (0, {"name": "root"}, "two segments called 'root'"),
        (0, {"arc_length_mm": [0, 0]}, "do not grow"),
        (0, {"arc_length_mm": [1, 2]}, "do not grow"),
        (0, {"radius_mm": [1.5]}, "1 radii"),
        (0, {"radius_mm": [1.5, "x"]}, "no list of finite numbers"),
        (0, {"radius_mm": [1.5, 1500.0]}, "radii, not diameters"),
        (0, {"radius_mm": [-1, 1]}, "radius of -1"),
        (0, {"radius_mm": [0, 0]}, "occluded"),
        (0, {"reference_radius_mm": [1.0]}, "do not fit"),
        (0, {"centreline_mm": [[0, 0]]}, "centreline"),
        (0, {"diameter_mm": [3, 3]}, "diameter_mm"),
    ],
)
def test_what_is_wrong_in_a_segment_is_named(place, change, words):
    content = told()
    content["segments"][place].update(change)
    with pytest.raises(FormatError, match=words):
        read(content)


def test_segments_in_a_ring_are_named():
    content = told()
    ring = {"arc_length_mm": [0, 1], "radius_mm": [1, 1]}
    content["segments"] += [{"name": "a", "parent": "b", **ring}, {"name": "b", "parent": "a", **ring}]
    with pytest.raises(FormatError, match="ring: a, b"):
        read(content)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff", b'{"dialect": 3}'])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(FormatError):
        vessel_tree.read(text)


def test_a_lesion_falls_out_of_the_reference():
    arc = np.linspace(0.0, 50.0, 101)
    healthy = 1.8 - 0.008 * arc
    lumen = healthy * (1.0 - 0.6 * np.exp(-(((arc - 25.0) / 4.0) ** 2)))
    np.testing.assert_allclose(vessel_tree.taper(arc, lumen), healthy, rtol=0.03)
    assert (np.diff(vessel_tree.taper(arc, healthy[::-1].copy())) <= 1e-12).all()


def test_further_points_change_nothing():
    tree = read(told())
    more = tree.with_points({1: [5.0, 5.1, 40.0, -1.0]})
    assert more.segments[1].arc_length.tolist() == [0.0, 5.0, 5.1, 20.0]
    assert more.segments[1].radius[1] == pytest.approx(1.425)
    assert more.segments[0] is tree.segments[0]
