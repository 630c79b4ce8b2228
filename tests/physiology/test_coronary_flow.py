"""Pressure and flow in trees, against answers by hand, an independent root finder, and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from medtwin.anatomy.vessel_tree import Segment, Tree
from medtwin.physiology import coronary_flow as network
from medtwin.physiology.coronary_flow import MMHG, Law

PLAIN = Law()


def segment(name, parent, arc, radius, reference=None):
    arc, radius = np.asarray(arc, float), np.asarray(radius, float)
    return Segment(
        name,
        parent,
        arc,
        radius,
        radius if reference is None else np.broadcast_to(reference, arc.shape).astype(float),
        True,
    )


def losses(tree, law=PLAIN):
    grid = network.grid(tree)
    lumen = jnp.asarray(grid.radius)[:, :, None]
    return grid, network.viscous(grid, lumen, law), network.expansion(grid, lumen, law)


def solved(tree, beds, aortic=90.0, venous=5.0, law=PLAIN):
    grid, linear, square = losses(tree, law)
    beyond = jnp.asarray([beds.get(k, 1.0) for k in range(len(tree.segments))])[:, None]
    pa, pv = jnp.asarray([aortic]), jnp.asarray([venous])
    flow = network.solve(grid.parents, linear[:, -1], square[:, -1], beyond, pa, pv)
    return flow[:, 0], network.pressures(grid.parents, linear, square, flow, pa)[:, :, 0]


def test_a_straight_tube_is_poiseuille():
    tree = Tree((segment("a", None, [0, 15, 40], [1.5, 1.5, 1.5]),))
    flow, pressure = solved(tree, {0: 50.0})
    resistance = 8 * 3.5e-3 * 40e-3 / (np.pi * 1.5e-3**4) * 1e-6 / MMHG  # SI, then mmHg s/mL
    assert flow[0] == pytest.approx(85.0 / (50.0 + resistance), rel=1e-12)
    assert pressure[0, 1] == pytest.approx(90.0 - float(flow[0]) * resistance * 15 / 40, rel=1e-12)


def test_a_cone_is_integrated_exactly():
    tree = Tree((segment("a", None, [0, 30], [2.0, 1.0]),))
    _, linear, _ = losses(tree)
    fine = np.linspace(0, 30, 200_001)
    area = np.pi * (2.0 - fine / 30.0) ** 2
    assert linear[0, -1, 0] == pytest.approx(8 * np.pi * 3.5 / MMHG * np.trapezoid(1 / area**2, fine), rel=1e-8)


def test_a_narrowing_costs_a_quadratic_whose_answer_is_known():
    arc, radius = [0, 10, 10.001, 15, 15.001, 30], [1.5, 1.5, 0.6, 0.6, 1.5, 1.5]
    tree = Tree((segment("a", None, arc, radius, 1.5),))
    flow, pressure = solved(tree, {0: 30.0})
    a = 8 * np.pi * 3.5 / MMHG * (25 / (np.pi * 1.5**2) ** 2 + 5 / (np.pi * 0.6**2) ** 2)
    b = 1.52 * 530 / MMHG * (1 / (np.pi * 0.6**2) - 1 / (np.pi * 1.5**2)) ** 2
    expected = (-(a + 30) + np.sqrt((a + 30) ** 2 + 4 * b * 85)) / (2 * b)
    assert flow[0] == pytest.approx(expected, rel=1e-4)  # the steps of 0.001 mm
    assert pressure[0, -1] / 90 == pytest.approx((5 + 30 * expected) / 90, abs=1e-4)


def forked(narrow=1.0):
    """Two generations; a lesion in the first child and, of a grandchild, another."""
    lesion = np.asarray([1.6, 1.6, 0.7 * narrow, 1.55, 1.5])
    return Tree((
        segment("root", None, [0, 8], [2.2, 2.1]),
        segment("left", 0, [0, 8, 12, 16, 30], lesion, [1.6, 1.6, 1.58, 1.55, 1.5]),
        segment("right", 0, [0, 40], [1.5, 1.3]),
        segment("left one", 1, [0, 10, 12, 14, 30], [1.3, 1.3, 0.6, 1.28, 1.2], [1.3, 1.3, 1.29, 1.28, 1.2]),
        segment("left two", 1, [0, 25], [1.1, 1.0]),
    ))  # fmt: skip


BEDS = {2: 40.0, 3: 60.0, 4: 80.0}


@pytest.mark.parametrize("branching", [0.0, 0.3])
def test_a_tree_agrees_with_a_root_finder_that_knows_nothing_of_it(branching):
    tree, law = forked(), Law(branching=branching)
    flow, pressure = solved(tree, BEDS, law=law)
    _, linear, square = losses(tree, law)
    a, b = np.asarray(linear[:, -1, 0]), np.asarray(square[:, -1, 0])

    def residual(x):
        q, (p_root, p_left) = x[:5], x[5:]
        return [
            90 - a[0] * q[0] - b[0] * q[0] ** 2 - p_root, p_root - a[1] * q[1] - b[1] * q[1] ** 2 - p_left,
            q[0] - q[1] - q[2], q[1] - q[3] - q[4], p_root - (a[2] + BEDS[2]) * q[2] - b[2] * q[2] ** 2 - 5,
            p_left - (a[3] + BEDS[3]) * q[3] - b[3] * q[3] ** 2 - 5, p_left - (a[4] + BEDS[4]) * q[4] - b[4] * q[4] ** 2 - 5,
        ]  # fmt: skip

    found = optimize.fsolve(residual, [3, 2, 1, 1, 1, 85, 70], xtol=1e-13)
    np.testing.assert_allclose(flow, found[:5], rtol=1e-9)
    np.testing.assert_allclose([pressure[0, -1], pressure[1, -1]], found[5:], rtol=1e-9)


def test_what_flows_in_flows_out_and_pressure_falls_all_the_way():
    tree = forked()
    flow, pressure = solved(tree, BEDS)
    assert flow[0] == pytest.approx(float(flow[1] + flow[2]), rel=1e-12)
    assert flow[1] == pytest.approx(float(flow[3] + flow[4]), rel=1e-12)
    assert (np.diff(np.asarray(pressure), axis=1) <= 1e-12).all()
    for place, bed in BEDS.items():
        assert (pressure[place, -1] - 5.0) / bed == pytest.approx(float(flow[place]), rel=1e-9)


def test_an_occlusion_lets_next_to_nothing_through_and_spares_its_sister():
    flow, _ = solved(forked(narrow=0.0), BEDS)
    assert 0 < flow[1] < 0.02 * flow[2]
    assert flow[2] > 1.5


def test_losses_that_are_not_there_are_not_counted():
    _, _, square = losses(Tree((segment("a", None, [0, 10, 20], [1.5, 2.5, 1.5], 1.5),)))  # an aneurysm
    assert float(jnp.abs(square).max()) == 0.0


def test_two_throats_in_a_row_are_two_narrowings_and_a_ripple_is_one():
    arc = np.arange(9.0)
    apart = Tree((segment("a", None, arc, [2, 1.7, 1.0, 1.4, 1.75, 1.4, 1.1, 1.7, 2], 2.0),))
    assert [(one.first, one.last) for one in network.narrowings(apart)] == [(1, 4), (4, 7)]
    ripple = Tree((segment("a", None, arc, [2, 1.7, 1.0, 1.1, 1.2, 1.1, 1.0, 1.7, 2], 2.0),))
    assert [(one.first, one.last) for one in network.narrowings(ripple)] == [(1, 7)]


def test_gradients_are_those_of_central_differences():
    tree = forked()
    grid = network.grid(tree)

    def end(x):
        radius = jnp.asarray(grid.radius)[:, :, None].at[1, 2, 0].add(x[0])
        law = Law(expansion=1.52 + x[1])
        linear, square = network.viscous(grid, radius, law), network.expansion(grid, radius, law)
        beyond = jnp.asarray([BEDS.get(k, 1.0) for k in range(5)])[:, None] * (1.0 + x[2])
        one = jnp.asarray([90.0])
        flow = network.solve(grid.parents, linear[:, -1], square[:, -1], beyond, one, jnp.asarray([5.0]))
        return network.pressures(grid.parents, linear, square, flow, one)[3, -1, 0] / 90.0

    at = jnp.zeros(3)
    slope = jax.grad(end)(at)
    for k in range(3):
        step = jnp.zeros(3).at[k].set(1e-5)
        assert slope[k] == pytest.approx(float((end(step) - end(-step)) / 2e-5), rel=1e-5)
    assert slope[0] > 0 > slope[1]
    assert slope[2] > 0
