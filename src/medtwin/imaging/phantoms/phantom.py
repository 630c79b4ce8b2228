"""A phantom: a heart drawn from a seed, scanned, with its exact truth.

``case(seed)`` draws everything; half of the combinations of lesion profile, section, plaque and kernel are held out
(``held_out``): they are for judging the method, not for tuning it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Segment, Tree
from medtwin.anatomy.vessel_tree import write as write_tree
from medtwin.imaging.phantoms.heart import LESION_LENGTHS, PLACES, Heart, heart, in_aorta
from medtwin.imaging.phantoms.render import Contrast, render
from medtwin.imaging.phantoms.scanner import KERNELS, Scanner, scan, slab_of
from medtwin.imaging.phantoms.vessels import PLAQUES, PROFILES, SECTIONS, Lesion, Vessel, curve
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
SHAPE, SPACING = (256, 256, 200), (0.4, 0.4, 0.5)


@dataclass(frozen=True)
class Phantom:
    """A scan and what is true of it."""

    seed: int
    volume: Volume
    mask: NDArray[np.bool_]  #: coronary lumen, on the volume's grid
    heart: Heart
    contrast: Contrast
    scanner: Scanner
    held_out: bool  #: shapes that are kept for judging


def combination(seed: int) -> tuple[int, int, int, int]:
    """Numbers of profile, section, plaque and kernel of a seed; consecutive seeds go through all of them."""
    sizes = (len(PROFILES), len(SECTIONS), len(PLAQUES), len(KERNELS))
    number = np.random.default_rng(7).permutation(int(np.prod(sizes)))[seed % int(np.prod(sizes))]
    a, b, c, d = np.unravel_index(int(number), sizes)
    return int(a), int(b), int(c), int(d)


def case(seed: int) -> tuple[dict[str, tuple[Lesion, ...]], Contrast, Scanner, bool]:
    """Lesions by vessel, CT numbers, scanner, and whether the shapes are held out."""
    rng = np.random.default_rng([seed, 1])
    profile, section, plaque, kernel = combination(seed)
    lesions: dict[str, list[Lesion]] = {}
    vessels = list(rng.permutation(["LAD", "LCX", "RCA"])) + list(rng.permutation(["OM1", "D1"]))
    for count, name in enumerate(vessels[: int(rng.integers(2, 5))]):
        low, high = PLACES[name]
        serial = count == 0 and rng.random() < 0.4
        places = (low + 0.1 * (high - low), high) if serial else (rng.uniform(low, high),)
        for share in places:
            lesions.setdefault(name, []).append(
                Lesion(
                    at=float(share), length=float(rng.uniform(*LESION_LENGTHS)), severity=float(rng.uniform(0.25, 0.8)),
                    profile=list(PROFILES)[profile], section=SECTIONS[section], plaque=PLAQUES[plaque],
                    eccentricity=float(rng.uniform(0.0, 0.8)), angle=float(rng.uniform(-np.pi, np.pi)),
                )
            )  # fmt: skip
    if rng.random() < 0.08:
        name = vessels[0]
        lesions[name][-1] = replace(lesions[name][-1], severity=1.0, profile="abrupt", plaque="soft", section="circle")
    contrast = Contrast(
        aorta=float(rng.uniform(350, 500)), left=float(rng.uniform(330, 480)), right=float(rng.uniform(120, 260)),
        calcium=float(rng.uniform(800, 1500)), vein=float(rng.uniform(110, 180)), fall=float(rng.uniform(0.2, 0.8)),
    )  # fmt: skip
    scanner = Scanner(kernel=list(KERNELS)[kernel], noise=float(rng.uniform(18, 35)))
    contrast = replace(contrast, thickness=float(rng.uniform(0.15, 0.4)))
    return (
        {k: tuple(v) for k, v in lesions.items()},
        contrast,
        scanner,
        sum((profile, section, plaque, kernel)) % 2 == 1,
    )


def make(
    seed: int, *, artefacts: dict[str, Any] | None = None, clean: bool = False,
    shape: tuple[int, int, int] = SHAPE, spacing: tuple[float, float, float] = SPACING,
) -> Phantom:  # fmt: skip
    """The phantom of a seed.

    Args:
        seed: of everything that is drawn.
        artefacts: fields of :class:`Scanner` to set, such as ``{"steps": (0, 1.0, 0)}``.
        clean: without lesions.
        shape, spacing: of the volume, voxels and mm; its middle is the heart's.
    """
    lesions, contrast, scanner, held_out = case(seed)
    rng = np.random.default_rng([seed, 2])
    empty = heart(np.random.default_rng([seed, 2]), {})
    lengths = {one.name: one.length for one in empty.vessels}
    placed = {name: tuple(replace(one, at=one.at * lengths[name]) for one in found) for name, found in lesions.items()}
    drawn = heart(rng, {} if clean else placed)
    size = np.asarray(spacing, float)
    origin = -size * (np.asarray(shape) - 1) / 2.0
    frame = Volume(np.zeros(shape, np.float32), origin, size, np.eye(3))
    scene = render(drawn, contrast, frame)
    scanner = replace(scanner, **(artefacts or {}))
    made = scan(scene, scanner, np.random.default_rng([seed, 3]))
    return Phantom(seed, made, scene.mask, drawn, contrast, scanner, held_out)


def trees(phantom: Phantom) -> dict[str, Tree]:
    """The truth as trees (``left``, ``right``), cut at branchings; steps of the scanner are in the centrelines."""
    by_name = {one.name: one for one in phantom.heart.vessels}
    made = {}
    for side, root in (("left", "LM"), ("right", "RCA")):
        if root not in by_name:
            continue
        segments: list[Segment] = []
        _cut(by_name[root], None, phantom, segments)
        made[side] = Tree(tuple(segments), label=f"{side} coronary tree, phantom {phantom.seed}", synthetic=True)
    return made


def _cut(vessel: Vessel, parent: int | None, phantom: Phantom, segments: list[Segment]) -> None:
    children = sorted(
        (one for one in phantom.heart.vessels if one.parent == vessel.name), key=lambda one: one.parent_at
    )
    begins = sorted({0.0, *(one.parent_at for one in children if one.parent_at < vessel.length - 1e-6)})
    centre = seen(phantom, vessel.centre)
    if vessel.parent is None and phantom.heart.bodies:
        begins[0] = float(vessel.arc[int(np.argmax(in_aorta(vessel.centre) >= 0.0))])
    for number, begin in enumerate(begins):
        end = begins[number + 1] if number + 1 < len(begins) else vessel.length
        inside = (vessel.arc >= begin - 1e-6) & (vessel.arc <= end + 1e-6)
        arc = vessel.arc[inside] - vessel.arc[inside][0]
        segments.append(
            Segment(
                name=vessel.name if len(begins) == 1 else f"{vessel.name}-{number + 1}", parent=parent, arc_length=arc,
                radius=vessel.radius[inside], reference=vessel.reference[inside], stated_reference=True,
                centreline=centre[inside],
            )
        )  # fmt: skip
        parent = len(segments) - 1
        for one in children:
            if abs(min(one.parent_at, vessel.length) - end) < 1e-6:
                _cut(one, parent, phantom, segments)


def seen(phantom: Phantom, points: Array) -> Array:
    """Where true points stand in the scan, whose slabs may be moved."""
    if not phantom.scanner.steps:
        return points
    slab = slab_of(points[:, 2], phantom.volume, phantom.scanner.steps)
    moved = points.copy()
    moved[:, 0] += np.asarray(phantom.scanner.steps)[slab]
    return moved


def save_truth(phantom: Phantom, folder: Path) -> list[Path]:
    """Trees, lesions, CT numbers and scanner as JSON, the mask as NPZ; the files made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for side, tree in trees(phantom).items():
        files.append(folder / f"truth-{side}.json")
        files[-1].write_text(write_tree(tree))
    files.append(folder / "truth.json")
    files[-1].write_text(
        json.dumps(
            {
                "dialect": "medtwin-coronary-phantom/1", "synthetic": True, "seed": phantom.seed, "held_out": phantom.held_out,
                "contrast": asdict(phantom.contrast), "scanner": asdict(phantom.scanner),
                "lesions": [
                    {"vessel": one.name, **asdict(lesion)} for one in phantom.heart.vessels for lesion in one.lesions
                ],
            }, indent=1,
        )
    )  # fmt: skip
    files.append(folder / "truth-mask.npz")
    np.savez_compressed(files[-1], mask=np.packbits(phantom.mask), shape=np.asarray(phantom.mask.shape))
    return files


def tube(
    lesions: tuple[Lesion, ...] = (), *, radius: tuple[float, float] = (1.6, 1.2), side: bool = False,
    scanner: Scanner | None = None, contrast: Contrast | None = None, shape: tuple[int, int, int] = (96, 96, 96),
    spacing: tuple[float, float, float] = (0.4, 0.4, 0.5), seed: int = 0,
) -> Phantom:  # fmt: skip
    """A small volume with one slightly bent vessel (``RCA``) in muscle, upright, and on demand a side branch (``AM``).

    ``radius``: at begin and end, mm. The vessel begins 4 mm above the lower border and ends 4 mm below the upper one.
    """
    size = np.asarray(spacing, float)
    origin = -size * (np.asarray(shape) - 1) / 2.0
    contrast, scanner = contrast or Contrast(), scanner or Scanner()
    half = float(-origin[2]) - 4.0
    axis = curve(np.array([[-2.0, 0.0, -half], [0.5, 1.0, -half / 3], [0.0, -0.5, half / 3], [-1.0, 0.5, half]]))
    reference = np.linspace(*radius, len(axis))
    out = np.tile([0.0, 1.0, 0.0], (len(axis), 1))
    vessels = [Vessel("RCA", None, 0.0, axis, reference, out, lesions)]
    if side:
        at = len(axis) // 3
        way = axis[at] + np.array([[0.0, 0.0, 0.0], [4.0, 0.5, 2.0], [9.0, 1.0, 8.0], [12.0, 0.0, 14.0]])
        branch = curve(way)
        vessels.append(Vessel("AM", "RCA", float(vessels[0].arc[at]), branch, np.linspace(1.0, 0.8, len(branch)),
                              np.tile([0.0, 1.0, 0.0], (len(branch), 1))))  # fmt: skip
    frame = Volume(np.zeros(shape, np.float32), origin, size, np.eye(3))
    drawn = Heart(tuple(vessels), (), ())
    scene = render(drawn, contrast, frame, background=contrast.muscle)
    made = scan(scene, scanner, np.random.default_rng([seed, 3]))
    return Phantom(seed, made, scene.mask, drawn, contrast, scanner, held_out=False)
