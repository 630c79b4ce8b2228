"""From a folder of CT images to trees, narrowings and FFR along them; a folder of results that can be looked at and gone on from.

What is computed of images is written as it comes (trees, quality, narrowings), with the hash of what it was made of: the
same images,
seeds and version find it again. Images and trees of a patient go into the record: each file as raw bytes under the patient's
key, each tree as an artifact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import medtwin
from medtwin.anatomy import vessel_tree
from medtwin.anatomy.vessel_tree import Tree
from medtwin.applications.coronary.bed import EXPONENT
from medtwin.applications.coronary.flow import Result, analyse
from medtwin.errors import AnalysisError, FormatError
from medtwin.governance.grant import Grant
from medtwin.imaging import coronary, series
from medtwin.record.event import SourcePatient
from medtwin.record.store import Store

Array = NDArray[np.float64]
DIALECT = "medtwin-coronary-images/1"
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Images:
    """What a series gave: trees by side, and the summary that stands in ``images.json``."""

    trees: dict[str, Tree]
    summary: dict[str, Any]
    resumed: bool


def extracted(
    folder: Path, *, name: str | None = None, seeds: Array | None = None, into: Path | None = None, tell: Tell = lambda *_: None
) -> Images:  # fmt: skip
    """Trees of the series in a folder.

    Args:
        folder: of DICOM files.
        name: which series, where there are several.
        seeds: ``(n, 3)``, mm, begins of the trees; None looks for the aorta.
        into: a folder of results; what is there of the same images, seeds and version is taken from it.
        tell: progress.

    Raises:
        ImageError: the images are no volume, or show no coronary tree.
    """
    mark = _mark(folder, name, seeds)
    if into is not None and (found := _resumed(into, mark)) is not None:
        return found
    read = series.read(folder, series=name, tell=lambda file, k, n: tell(f"reading {file}", k, n))
    made = coronary.extract(read.volume, seeds=seeds, label=read.description, synthetic=read.synthetic, tell=tell)
    summary = {
        **coronary.summary(made), "made_of": mark, "series": read.uid, "synthetic": read.synthetic,
        "shape": list(read.volume.values.shape), "notes": [*read.notes, *made.notes],
    }  # fmt: skip
    if into is not None:
        coronary.save(made, into)
        (into / "images.json").write_text(json.dumps(summary, indent=1, allow_nan=False))
    return Images({one.side: one.tree for one in made.sides}, summary, False)


def flows(
    images: Images, *, mass: float, pressure: float | None, samples: int = 1000, seed: int = 0, factor: float | None = None
) -> dict[str, Result]:  # fmt: skip
    """FFR along each tree.

    ``mass`` (g) is the whole heart's muscle, shared among the trees in proportion to the sum over their ends of reference
    radius to the
    power :data:`~medtwin.applications.coronary.bed.EXPONENT`. Segments that cannot be judged are in the network as measured;
    the summary names them, and FFR beyond them is worth as much as they are.

    Raises:
        AnalysisError: no pressure is known.
    """
    weight = {
        side: sum(float(np.median(tree.segments[place].reference)) ** EXPONENT for place in tree.leaves)
        for side, tree in images.trees.items()
    }
    total = sum(weight.values())
    return {
        side: analyse(
            replace(tree, myocardial_mass=mass * weight[side] / total), samples=samples, seed=seed,
            pressure=pressure, factor=factor,
        )
        for side, tree in images.trees.items()
    }  # fmt: skip


def beyond_refused(tree: Tree, refused: dict[str, str]) -> dict[str, str]:
    """Segments whose FFR rests on one that cannot be judged, with that one's name."""
    made = {}
    for place, one in enumerate(tree.segments):
        for above in tree.path(place):
            if tree.segments[above].name in refused:
                made[one.name] = tree.segments[above].name
                break
    return made


def keep(
    folder: Path, images: Images, patient: str, store: Store, grant: Grant, *, tell: Tell = lambda *_: None
) -> dict[str, str]:
    """Put the files and the trees into a patient's record; the artifacts' hashes by side. The same bytes are kept once.

    Raises:
        AnalysisError: the images are synthetic and the patient is not known to be, or the other way round.
    """
    synthetic = any(one.synthetic for one in store.patients(grant) if one.id == patient)
    known = any(one.id == patient for one in store.patients(grant))
    if known and bool(images.summary["synthetic"]) and not synthetic:
        raise AnalysisError(
            "synthetic images for a patient who is not synthetic", expected="a patient's own images", where=patient,
            remedy="analyse without --patient, or name a synthetic patient",
        )  # fmt: skip
    owner = SourcePatient("dicom", patient)
    store.link(owner, patient, grant)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for number, path in enumerate(files):
        tell(f"keeping {path.name}", number, len(files))
        store.keep_raw(path.read_bytes(), owner, grant, media_type="application/dicom", file=path.name, source="dicom")
    manifest = {
        "made by": f"medtwin {medtwin.__version__}",
        "units": "mm",
        "frame": "DICOM patient",
        "made of": images.summary["made_of"],
    }
    return {
        side: store.put_artifact(
            patient, "vessel-tree", vessel_tree.write(tree).encode(), {**manifest, "side": side}, grant
        )
        for side, tree in images.trees.items()
    }


def _mark(folder: Path, name: str | None, seeds: Array | None) -> str:
    """A hash of the files' names, sizes and times, and of what was asked."""
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(
        json.dumps([medtwin.__version__, name, None if seeds is None else np.asarray(seeds).tolist()]).encode()
    )
    for path in sorted(p for p in (folder.rglob("*") if folder.is_dir() else [folder]) if p.is_file()):
        stat = path.stat()
        hasher.update(f"{path.name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return hasher.hexdigest()


def _resumed(into: Path, mark: str) -> Images | None:
    try:
        summary = json.loads((into / "images.json").read_bytes())
        if summary.get("dialect") != DIALECT or summary.get("made_of") != mark:
            return None
        trees = {
            one["side"]: vessel_tree.read((into / f"tree-{one['side'].replace(' ', '-')}.json").read_bytes())
            for one in summary["sides"]
        }
    except (OSError, ValueError, KeyError, FormatError):
        return None
    return Images(trees, summary, True)
