"""Names of segments after the model of the Society of Cardiovascular Computed Tomography, as far as the tree's shape tells.

Leipsic et al., J Cardiovasc Comput Tomogr 2014;8:342 (segments from memory): 1 to 3 proximal, mid and distal RCA, 4 R-PDA,
16 R-PLB; 5 LM; 6
to 8 proximal, mid and distal LAD, 9 D1, 10 D2; 11 proximal LCx, 12 OM1, 13 mid to distal LCx, 14 OM2; 17 ramus intermedius.

What is used: of two trees the one whose vessels run further to the patient's left is the left one; of the branches of the
left main
the one that runs further to the front is the LAD, the one furthest to the back the LCx; a vessel goes on where it turns
least and stays wide. Rules that hold for usual anatomy: anomalous origins are named wrongly, so names carry no measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LOOK = 45.0  #: mm along a branch that tell where it runs
SHORTEST_MAIN = 25.0  #: mm, of a branch of the left main that may be LAD, LCx or ramus


@dataclass
class Node:
    """A stretch between branchings: points ``(n, 3)``, radius ``(n,)``, mm, and what follows."""

    points: Array
    radius: Array
    parent: int | None
    children: list[int]

    @property
    def length(self) -> float:
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())


def left_first(trees: list[list[Node]]) -> list[str]:
    """``left`` or ``right`` for each of one or two trees."""
    if len(trees) == 1:
        shift = _away(trees[0])
        return ["left" if shift[0] > 0 else "right"]
    sideways = [_away(one)[0] for one in trees]
    return ["left" if sideways[0] > sideways[1] else "right", "right" if sideways[0] > sideways[1] else "left"]


def name(nodes: list[Node], side: str) -> list[str]:
    """A name for each node, all different; nodes have their parents before them."""
    made: dict[int, str] = {}
    if side == "right":
        way = _main(nodes, 0)
        _proximal_to_distal(made, way, "RCA")
        last = nodes[way[-1]]
        before = nodes[way[-1]].parent
        # at the crux the vessel that runs down is the R-PDA, the others are posterolateral
        if before is not None and len(way) > 1:
            ends = {k: nodes[k].points for k in nodes[before].children}
            if min(len(x) for x in ends.values()) > 4 and nodes[before].points[-1, 1] > nodes[0].points[0, 1]:
                down = min(ends, key=lambda k: float(ends[k][min(len(ends[k]) - 1, 60), 2]))
                made.pop(way[-1])
                _proximal_to_distal(made, way[:-1], "RCA")
                made[down] = "R-PDA"
                _rest(made, nodes, before, "R-PLB")
        del last
        for parent in way[:-1]:
            _rest(made, nodes, parent, "AM")
    else:
        made[0] = "LM"
        main = [k for k in nodes[0].children if _reach(nodes, k) >= SHORTEST_MAIN]
        if len(main) < 2:
            made[0] = "LCA"
            way = _main(nodes, 0)
            _proximal_to_distal(made, way, "LCA")
            for parent in way:
                _rest(made, nodes, parent, "side")
        else:
            front = {k: float(_at(nodes, k)[1]) for k in main}
            lad, lcx = min(front, key=lambda k: front[k]), max(front, key=lambda k: front[k])
            for begin, vessel, branch in ((lad, "LAD", "D"), (lcx, "LCx", "OM")):
                way = _main(nodes, begin)
                _proximal_to_distal(made, way, vessel)
                for parent in way:
                    _rest(made, nodes, parent, branch)
            _rest(made, nodes, 0, "RI")
    for k, one in enumerate(nodes):
        if k not in made:
            assert one.parent is not None
            siblings = [x for x in nodes[one.parent].children if x not in made or x == k]
            made[k] = (
                f"{made[one.parent]}.{siblings.index(k) + 1 + sum(1 for x in nodes[one.parent].children if x in made)}"
            )
    found = [made[k] for k in range(len(nodes))]
    return [one if found.count(one) == 1 else f"{one}({found[: k + 1].count(one)})" for k, one in enumerate(found)]


def _away(nodes: list[Node]) -> Array:
    """mm from the root to the tree's middle."""
    points = np.concatenate([one.points for one in nodes])
    return np.asarray(points.mean(0) - nodes[0].points[0])


def _reach(nodes: list[Node], k: int) -> float:
    """mm to the farthest end beyond the begin of a node."""
    return nodes[k].length + max((_reach(nodes, x) for x in nodes[k].children), default=0.0)


def _at(nodes: list[Node], k: int) -> Array:
    """The place ``LOOK`` mm along the main way of a node."""
    way = np.concatenate([nodes[x].points for x in _main(nodes, k)])
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    return np.asarray(way[min(int(np.searchsorted(arc, LOOK)), len(way) - 1)])


def _main(nodes: list[Node], begin: int) -> list[int]:
    """The vessel's own way: at each branching the child that turns least and is wide and long."""
    way = [begin]
    while nodes[way[-1]].children:
        above = nodes[way[-1]]
        ahead = _unit(above.points[-1] - above.points[max(len(above.points) - 9, 0)])

        def worth(k: int, ahead: Array = ahead) -> float:
            one = nodes[k]
            turn = float(_unit(one.points[min(len(one.points) - 1, 10)] - one.points[0]) @ ahead)
            wide = float(np.percentile(one.radius[: min(len(one.radius), 40)], 75))
            return wide + 0.4 * turn + 0.006 * _reach(nodes, k)

        way.append(max(above.children, key=worth))
    return way


def _unit(x: Array) -> Array:
    return np.asarray(x / max(float(np.linalg.norm(x)), 1e-9))


def _proximal_to_distal(made: dict[int, str], way: list[int], vessel: str) -> None:
    """p, m, d before the vessel's name; more than three stretches share the middle."""
    if len(way) == 1:
        made[way[0]] = vessel
        return
    for number, k in enumerate(way):
        made[k] = f"{'p' if number == 0 else 'd' if number == len(way) - 1 else 'm'}{vessel}"


def _rest(made: dict[int, str], nodes: list[Node], parent: int, word: str) -> None:
    for k in nodes[parent].children:
        if k not in made:
            count = sum(1 for x in made.values() if x.startswith(word) and x[len(word) :].isdigit())
            made[k] = f"{word}{count + 1}"
