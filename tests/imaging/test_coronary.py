"""From a volume to trees: the way, the names, the narrowings, and what is refused."""

import numpy as np
import pytest

from medtwin.anatomy import vessel_tree
from medtwin.errors import ImageError
from medtwin.imaging import aorta, coronary, names, quality, tree
from medtwin.imaging.names import Node
from medtwin.imaging.phantoms import phantom as phantoms
from medtwin.imaging.phantoms.phantom import tube
from medtwin.imaging.phantoms.vessels import Lesion
from medtwin.imaging.volume import Volume


@pytest.fixture(scope="module")
def small():
    made = tube((Lesion(26.0, 10.0, 0.55, profile="trapezoid"),), side=True)
    root = made.heart.vessels[0].axis[4]
    return made, coronary.extract(made.volume, seeds=root[None])


def test_a_vessel_with_a_branch_and_a_lesion(small):
    made, found = small
    (side,) = found.sides
    main, branch = made.heart.vessels
    assert len(side.tree.segments) == 3
    first = side.tree.segments[0]
    assert first.length == pytest.approx(branch.parent_at - 1.0, abs=2.0)
    (narrowing,) = side.narrowings
    assert narrowing.stenosis == pytest.approx(55.0, abs=8.0)
    throat = main.centre[np.argmin(np.abs(main.arc - 26.0))]
    assert np.linalg.norm(np.asarray(narrowing.place) - throat) < 4.0
    assert not narrowing.calcified
    assert first.radius_sd is not None
    assert 0.02 < first.radius_sd < 0.2


def test_the_tree_is_one_that_flow_reads(small, tmp_path):
    _, found = small
    files = coronary.save(found, tmp_path)
    again = vessel_tree.read(files[0].read_text())
    assert [x.name for x in again.segments] == [x.name for x in found.sides[0].tree.segments]


def test_a_seed_beside_all_vessels_is_refused(small):
    made, _ = small
    with pytest.raises(ImageError, match="lies in no vessel"):
        coronary.extract(made.volume, seeds=np.array([[15.0, 15.0, 0.0]]))
    with pytest.raises(ImageError, match="outside of the volume"):
        coronary.extract(made.volume, seeds=np.array([[150.0, 15.0, 0.0]]))


def test_without_an_aorta_it_says_so(small):
    made, _ = small
    with pytest.raises(ImageError, match=r"no ascending aorta.*--seed"):
        coronary.extract(made.volume)


def chest(**hu):
    """Two upright tubes: the ascending aorta in front, the descending one behind."""
    x, y = np.mgrid[:64, :64] * 1.2 - 38.0
    plane = np.full((64, 64), -50.0)
    plane[np.hypot(x + 5, y + 10) < 14.0] = hu.get("front", 400.0)
    plane[np.hypot(x - 15, y - 26) < 10.0] = hu.get("behind", 405.0)
    values = np.repeat(plane[:, :, None], 40, 2) + np.random.default_rng(0).normal(0, 20.0, (64, 64, 40))
    return Volume(values.astype(np.float32), np.array([-38.0, -38, 0]), np.array([1.2, 1.2, 1.0]), np.eye(3))


def test_the_aorta_in_front_is_the_ascending_one():
    found = aorta.find(chest())
    np.testing.assert_allclose(found.centres[:, :2].mean(0), [-5.0, -10.0], atol=1.0)
    assert np.median(found.radii) == pytest.approx(14.0, abs=1.5)
    assert found.hu == pytest.approx(400.0, abs=5.0)
    assert found.distance(np.array([[-5.0, -10, 20], [11.0, -10, 20]])) == pytest.approx([-14.0, 2.0], abs=1.6)


def test_without_contrast_there_is_no_aorta():
    with pytest.raises(ImageError, match="no ascending aorta"):
        aorta.find(chest(front=60.0, behind=60.0))


def test_quality_names_what_is_poor():
    volume = chest(front=220.0)
    said = quality.judge(volume, None, 220.0, 40.0).findings
    assert any("contrast in the aorta is 220 HU" in x for x in said)
    assert any("times the noise" in x for x in said)
    assert any("mm high" in x for x in said)


def test_a_step_is_found_where_it_is():
    volume = chest()
    stepped = volume.values.copy()
    stepped[:, :, 20:] = np.roll(stepped[:, :, 20:], 1, 0)
    assert quality.jumps(volume) == []
    assert quality.jumps(Volume(stepped, volume.origin, volume.spacing, np.eye(3))) == [19.5]


def node(begin, end, radius, parent, children):
    points = np.linspace(begin, end, 60)
    return Node(points, np.full(60, radius), parent, children)


def test_names_of_a_usual_left_tree():
    nodes = [
        node((0, 0, 0), (10, -5, -2), 2.2, None, [1, 4]),
        node((10, -5, -2), (15, -25, -20), 1.7, 0, [2, 3]),  # to the front: LAD
        node((15, -25, -20), (16, -35, -50), 1.4, 1, []),
        node((15, -25, -20), (35, -25, -40), 1.0, 1, []),
        node((10, -5, -2), (35, 15, -10), 1.6, 0, []),  # to the back: LCx
    ]
    assert names.name(nodes, "left") == ["LM", "pLAD", "dLAD", "D1", "LCx"]
    assert names.left_first([nodes, [node((-10, -10, 0), (-40, 0, -10), 1.5, None, [])]]) == ["left", "right"]


def stretch(radius, judged=None, sd=0.05):
    points = np.stack([np.zeros(len(radius)), np.zeros(len(radius)), 0.5 * np.arange(len(radius))], 1)
    count = len(radius)
    good = np.ones(count, bool) if judged is None else judged
    return tree.Stretch(Node(points, radius, None, []), points[:, 2], np.full(count, sd), good, np.zeros(count), radius)


def test_the_reference_is_the_healthy_wall():
    arc = 0.5 * np.arange(120)
    healthy = 1.8 - 0.01 * arc
    lesion = healthy * (1.0 - 0.6 * np.exp(-(((arc - 25.0) / 4.0) ** 2)))
    (found,) = tree.referenced([stretch(lesion + 0.02 * np.random.default_rng(0).standard_normal(120))])
    assert np.abs(found.reference - healthy).max() < 0.08
    (told,) = tree.narrowings([found], ["LAD"])
    assert told.stenosis == pytest.approx(60.0, abs=5.0)
    assert told.throat == pytest.approx(25.0, abs=1.5)


def test_segments_that_nobody_can_judge_are_named():
    unseen = np.ones(60, bool)
    unseen[20:55] = False
    said = tree.refused(
        tree.referenced([stretch(np.full(60, 1.5), unseen), stretch(np.full(60, 0.6)), stretch(np.full(60, 1.5), sd=0.5),
                         stretch(np.full(60, 1.5))]),
        ["a", "b", "c", "d"],
    )  # fmt: skip
    assert set(said) == {"a", "b", "c"}
    assert "no lumen" in said["a"]
    assert "narrower than 1.5 mm" in said["b"]
    assert "known to 0.50 mm only" in said["c"]


@pytest.mark.slow
def test_a_whole_heart():
    made = phantoms.make(3)
    found = coronary.extract(made.volume)
    assert [x.side for x in found.sides] == ["left", "right"]
    left, right = ({x.name for x in side.tree.segments} for side in found.sides)
    assert {"LM", "pLAD", "mLAD", "dLAD", "pLCx", "D1", "OM1"} <= left
    assert {"pRCA", "R-PDA"} <= right
    truth = {"LAD": 43.0, "LCx": 41.0, "RCA": 66.0}
    for vessel, stenosis in truth.items():
        told = [x.stenosis for side in found.sides for x in side.narrowings if x.segment.endswith(vessel)]
        assert max(told) == pytest.approx(stenosis, abs=8.0)
