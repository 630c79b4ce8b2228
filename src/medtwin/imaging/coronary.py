"""From a volume to coronary trees: all stages in order, each told, with what cannot be judged named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy import vessel_tree
from medtwin.anatomy.vessel_tree import Tree
from medtwin.errors import ImageError
from medtwin.imaging import aorta as aortas
from medtwin.imaging import centrelines, lumen, measure, names, quality, tree
from medtwin.imaging.aorta import Aorta
from medtwin.imaging.measure import Measured, Point
from medtwin.imaging.quality import Quality
from medtwin.imaging.tree import Narrowing
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
STAGES = ("aorta", "lumen", "centrelines", "radius", "tree")


@dataclass(frozen=True)
class Side:
    """One coronary tree."""

    side: str  #: left or right
    tree: Tree
    narrowings: tuple[Narrowing, ...]
    refused: dict[str, str]  #: segments that cannot be judged, with the reason
    measured: tuple[Measured, ...]
    point: Point


@dataclass(frozen=True)
class Extracted:
    """What a volume gave."""

    quality: Quality
    aorta: Aorta | None
    sides: tuple[Side, ...]
    notes: tuple[str, ...]


def extract(
    volume: Volume, *, seeds: Array | None = None, label: str = "", synthetic: bool = False,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> Extracted:  # fmt: skip
    """Trees of a volume in HU.

    Args:
        volume: third axis to the head.
        seeds: ``(n, 3)``, mm, one at the begin of each tree; None looks for the aorta.
        label: of the trees.
        synthetic: whether the images are made up.
        tell: called with a stage's name, its number and how many there are.

    Raises:
        ImageError: no aorta, no vessel at it or at a seed, or none that is wide enough to measure.
    """
    tell("aorta", 0, len(STAGES))
    if seeds is None:
        aorta: Aorta | None = aortas.find(volume)
        assert aorta is not None
        hu, noise = aorta.hu, aorta.noise
    else:
        aorta = None
        hu, noise = _around(volume, seeds)
    found = quality.judge(volume, aorta, hu, noise)
    tell("lumen", 1, len(STAGES))
    trees = lumen.from_aorta(volume, aorta) if aorta is not None else lumen.from_seeds(volume, np.asarray(seeds), hu)
    sides = []
    notes = []
    for one in trees:
        tell("centrelines", 2, len(STAGES))
        branches = centrelines.trace(volume, one)
        if not branches:
            notes.append(f"what leaves at {_words(one.root)} is too short to be a coronary artery and is left out")
            continue
        if aorta is not None:
            branches = centrelines.to_wall(branches, aorta)
        tell("radius", 3, len(STAGES))
        measured, point = measure.measure(volume, branches, hu, aorta)
        sides.append((measured, point, tree.referenced(tree.stretches(measured))))
    if not sides:
        raise ImageError("no coronary tree", expected="vessels that can be followed", where="at the aorta or the seeds")
    tell("tree", 4, len(STAGES))
    called = names.left_first([[one.node for one in parts] for _, _, parts in sides[:2]])
    called += [f"tree {k + 1}" for k in range(2, len(sides))]
    made = []
    for (measured, point, parts), side in zip(sides, called, strict=True):
        words = names.name([one.node for one in parts], "right" if side == "right" else "left")
        title = f"{side} coronary tree{', ' + label if label else ''}"
        made.append(
            Side(
                side, tree.as_tree(parts, words, title, synthetic=synthetic), tuple(tree.narrowings(parts, words)),
                tree.refused(parts, words), tuple(measured), point,
            )
        )  # fmt: skip
    if seeds is None:
        notes.extend(f"no {side} coronary tree was found" for side in ("left", "right") if side not in called)
    tell("tree", len(STAGES), len(STAGES))
    return Extracted(found, aorta, tuple(made), tuple(notes))


def save(found: Extracted, folder: Path) -> list[Path]:
    """Trees, quality and narrowings as JSON, to be looked at; the files made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for one in found.sides:
        files.append(folder / f"tree-{one.side.replace(' ', '-')}.json")
        files[-1].write_text(vessel_tree.write(one.tree))
    files.append(folder / "images.json")
    files[-1].write_text(json.dumps(summary(found), indent=1, allow_nan=False))
    return files


def summary(found: Extracted) -> dict[str, object]:
    """What was found, without the trees themselves."""
    return {
        "dialect": "medtwin-coronary-images/1",
        "quality": asdict(found.quality),
        "aorta": None if found.aorta is None else {
            "centres_mm": found.aorta.centres.tolist(), "radii_mm": found.aorta.radii.tolist(),
        },
        "sides": [
            {
                "side": one.side, "narrowings": [asdict(x) for x in one.narrowings], "refused": one.refused,
                "point_spread": asdict(one.point),
            }
            for one in found.sides
        ],
        "notes": list(found.notes),
    }  # fmt: skip


def _around(volume: Volume, seeds: Array) -> tuple[float, float]:
    """Lumen's CT number and noise near seeds: the brightest that is no calcium, within 1.5 mm."""
    if not volume.inside(seeds).all():
        bad = seeds[~volume.inside(seeds)][0]
        corner = volume.world(np.array([[0, 0, 0], np.asarray(volume.values.shape) - 1]))
        raise ImageError(
            f"a seed at {_words(bad)} outside of the volume",
            expected=f"between {_words(corner.min(0))} and {_words(corner.max(0))}",
            remedy="coordinates are the patient's, in mm",
        )  # fmt: skip
    offsets = np.stack(np.meshgrid(*[np.arange(-1.5, 1.6, 0.5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets, axis=1) <= 1.5]
    near = np.concatenate([volume.sample(seed + offsets) for seed in seeds])
    hu = float(np.percentile(near[near < 900.0], 90)) if (near < 900.0).any() else 400.0
    if hu < aortas.DIMMEST:
        raise ImageError(
            f"{hu:.0f} HU around the seeds, which lies in no vessel with contrast", expected=f"more than {aortas.DIMMEST:.0f} HU",
            remedy="coordinates are the patient's: x to the left, y to the back, z to the head, mm",
        )  # fmt: skip
    differ = np.diff(volume.values[::4, ::4], axis=2)
    return hu, float(1.48 * np.median(np.abs(differ - np.median(differ))) / np.sqrt(2.0))


def _words(place: Array) -> str:
    return ", ".join(f"{x:.1f}" for x in place)
