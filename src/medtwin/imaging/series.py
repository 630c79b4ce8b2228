"""A folder of DICOM files to one volume in HU, or a refusal that says what is wrong.

Files are sorted by where they say that they lie (ImagePositionPatient along the normal of ImageOrientationPatient; PS3.3
C.7.6.2.1.1), never
by name or number. Pixels are read by pydicom: uncompressed and run-length by itself, JPEG family where its plugins are installed.

Refused, each with what was found, where, and what to do: no DICOM; not CT; several series and none named; files that end
early; slices
missing, twice or unevenly spaced; orientations that differ; no pixel spacing; no rescale to HU. A leaning stack (gantry tilt) is
resampled onto upright slices, and that is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from scipy import ndimage

from medtwin.errors import ImageError
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
FEWEST = 20  #: slices
LEANS = 0.3  #: degrees, from which a stack counts as leaning
UNEVEN = 0.02  #: of the usual distance, or 0.02 mm
AXIAL = (
    30.0  #: degrees between the slices' normal and the patient's axis, from which coordinates would be something else
)
HEADER = ["SeriesInstanceUID", "Modality", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
          "RescaleSlope", "RescaleIntercept", "SyntheticData", "SeriesDescription", "ImageType", "SOPInstanceUID",
          "StudyDate", "SeriesNumber", "PatientID"]  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A series that became one volume."""

    volume: Volume
    uid: str
    description: str
    synthetic: bool
    files: tuple[Path, ...]  #: from the feet up
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Slice:
    path: Path
    header: Dataset
    along: float  #: mm along the normal


def read(folder: Path, *, series: str | None = None, tell: Callable[[str, int, int], None] = lambda *_: None) -> Series:
    """The volume of a folder (looked through with its subfolders), or of one file's folder.

    Args:
        folder: with the files of one series, or of several.
        series: SeriesInstanceUID or number of the one that is meant.
        tell: called with a file's name, its number and how many there are.

    Raises:
        ImageError: as the module says.
    """
    if not folder.exists():
        raise ImageError("no such folder", expected="a folder of DICOM files", where=str(folder))
    paths = sorted(p for p in (folder.rglob("*") if folder.is_dir() else [folder]) if p.is_file())
    found, other = _headers(paths)
    if not found:
        raise ImageError(
            f"no DICOM image among {len(paths)} files" if paths else "no files", expected="DICOM files (PS3.10) of a CT series",
            where=str(folder), remedy="unpack archives first; NIfTI and NRRD are not read",
        )  # fmt: skip
    chosen = _chosen(found, series, folder)
    notes = [f"{other} files that are no DICOM images were passed over"] if other else []
    slices, lean = _ordered(chosen)
    values = _pixels(slices, tell)
    volume = _placed(slices, values)
    if abs(lean[1]) > 0:
        volume = _upright(volume, lean[0])
        notes.append(
            f"the stack leans by {lean[1]:.1f} degrees (gantry tilt): resampled onto upright slices, which blurs a little"
        )
    volume = _to_head(volume)
    header = slices[0].header
    return Series(
        volume=volume, uid=str(header.SeriesInstanceUID), description=str(header.get("SeriesDescription", "")),
        synthetic=str(header.get("SyntheticData", "NO")) == "YES", files=tuple(one.path for one in slices), notes=tuple(notes),
    )  # fmt: skip


def _headers(paths: list[Path]) -> tuple[list[tuple[Path, Dataset]], int]:
    """Headers of all images, and how many files are none."""
    found: list[tuple[Path, Dataset]] = []
    other = 0
    for path in paths:
        try:
            one = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER)
        except (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError, TypeError, OSError):
            other += 1
            continue
        if "Rows" in one and "SeriesInstanceUID" in one:
            found.append((path, one))
        elif path.name != "DICOMDIR" and path.suffix.lower() in (".dcm", ".ima"):
            raise ImageError(
                "a DICOM file that ends before its image", expected="a whole file", where=path.name,
                remedy="copy the series again; a volume with a slice missing is not read",
            )  # fmt: skip
        else:
            other += 1
    return found, other


def _chosen(found: list[tuple[Path, Dataset]], series: str | None, folder: Path) -> list[tuple[Path, Dataset]]:
    by_uid: dict[str, list[tuple[Path, Dataset]]] = {}
    for path, one in found:
        by_uid.setdefault(str(one.SeriesInstanceUID), []).append((path, one))
    if series is not None:
        wanted = [u for u, x in by_uid.items() if u == series or str(x[0][1].get("SeriesNumber", "")) == series]
        if len(wanted) != 1:
            raise ImageError(
                f"{len(wanted)} series {series!r}", expected=f"one of {'; '.join(_told(u, x) for u, x in by_uid.items())}",
                where=str(folder),
            )  # fmt: skip
    else:
        wanted = list(by_uid)
    if len(wanted) > 1:
        ct = [u for u in wanted if str(by_uid[u][0][1].get("Modality", "")) == "CT" and len(by_uid[u]) >= FEWEST]
        if len(ct) != 1:
            raise ImageError(
                f"{len(wanted)} series mixed: {'; '.join(_told(u, by_uid[u]) for u in wanted)}", expected="one series",
                where=str(folder), remedy="name the one that is meant with --series",
            )  # fmt: skip
        wanted = ct
    chosen = by_uid[wanted[0]]
    modality = str(chosen[0][1].get("Modality", "none"))
    if modality != "CT":
        raise ImageError(f"modality {modality}", expected="CT", where=_told(wanted[0], chosen))
    patients = {str(one.get("PatientID", "")) for _, one in chosen}
    if len(patients) > 1:
        raise ImageError(
            f"{len(patients)} patients in one series", expected="one", where=str(folder),
            remedy="do not use this series before it is known whose it is",
        )  # fmt: skip
    if len(chosen) < FEWEST:
        raise ImageError(
            f"{len(chosen)} slices", expected=f"{FEWEST} and more", where=_told(wanted[0], chosen),
            remedy="a coronary angiogram has some 200 to 400 thin slices; look for the thin series",
        )  # fmt: skip
    return chosen


def _told(uid: str, files: list[tuple[Path, Dataset]]) -> str:
    one = files[0][1]
    words = str(one.get("SeriesDescription", "")) or "no description"
    return (
        f"{len(files)} files of series {one.get('SeriesNumber', '?')} ({one.get('Modality', 'no modality')}, {words})"
    )


def _ordered(chosen: list[tuple[Path, Dataset]]) -> tuple[list[Slice], tuple[Array, float]]:
    """Slices along their normal; how the stack's step leans in the plane (mm per mm), and by how many degrees."""
    for tag, remedy in (
        ("ImagePositionPatient", "slices without a place cannot be ordered"),
        ("ImageOrientationPatient", "slices without a direction cannot be placed"),
        ("PixelSpacing", "lengths would be guessed"),
        ("RescaleIntercept", "values cannot be told in HU"),
    ):
        without = [path for path, one in chosen if one.get(tag) in (None, "")]
        if without:
            raise ImageError(f"no {tag} in {len(without)} of {len(chosen)} files", expected="it in each", where=without[0].name,
                             remedy=f"{remedy}; export the original series again")  # fmt: skip
    for tag in ("ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"):
        kinds = Counter(str(np.round(np.atleast_1d(np.asarray(one[tag].value, float)), 3)) for _, one in chosen)
        if len(kinds) > 1:
            rare = min(kinds, key=lambda x: kinds[x])
            where = next(
                p.name
                for p, one in chosen
                if str(np.round(np.atleast_1d(np.asarray(one[tag].value, float)), 3)) == rare
            )
            raise ImageError(
                f"{len(kinds)} different {tag} in one series ({', '.join(f'{n} of {k}' for k, n in kinds.items())})",
                expected="one", where=where, remedy="a localiser may be among the files; take it out, or name another --series",
            )  # fmt: skip
    turn = np.asarray(chosen[0][1].ImageOrientationPatient, float)
    normal = np.cross(turn[:3], turn[3:])
    places = np.stack([np.asarray(one.ImagePositionPatient, float) for _, one in chosen])
    order = np.argsort(places @ normal, kind="stable")
    slices = [Slice(*chosen[int(k)], float(places[k] @ normal)) for k in order]
    step = np.diff([one.along for one in slices])
    usual = float(np.median(step))
    if (step < 1e-3).any():
        k = int(np.argmax(step < 1e-3))
        raise ImageError(
            f"{int((step < 1e-3).sum())} slices that lie where another one lies", expected="one slice at each place",
            where=f"{slices[k].path.name} and {slices[k + 1].path.name}",
            remedy="two phases or two copies are in one series: separate them",
        )  # fmt: skip
    odd = np.flatnonzero(np.abs(step - usual) > max(UNEVEN * usual, 0.02))
    if len(odd):
        k = int(odd[0])
        multiple = step[odd] / usual
        gaps = bool((np.abs(multiple - np.round(multiple)) < 0.1).all() and (multiple > 1.5).all())
        raise ImageError(
            f"{int(np.round(multiple - 1).sum())} slices missing in {len(odd)} places" if gaps
            else f"slices {float(step.min()):.3f} to {float(step.max()):.3f} mm apart",
            expected=f"every {usual:.3f} mm", where=f"after {slices[k].path.name}, at {slices[k].along:.2f} mm",
            remedy="copy the series again" if gaps else "two series were mixed, or the step changed: export one of them",
        )  # fmt: skip
    places = places[order]
    way = (places[-1] - places[0]) / (len(places) - 1)
    drift = np.array([way @ turn[:3], way @ turn[3:]]) / usual
    lean = float(np.degrees(np.arctan(np.linalg.norm(drift))))
    axis = float(np.degrees(np.arccos(np.clip(abs(normal[2]), 0.0, 1.0))))
    if axis > AXIAL:
        raise ImageError(f"slices that stand {axis:.0f} degrees from axial", expected=f"axial slices, within {AXIAL:g}",
                         where=slices[0].path.name, remedy="choose the original axial series")  # fmt: skip
    return slices, (drift, lean if lean > LEANS else 0.0)


def _pixels(slices: list[Slice], tell: Callable[[str, int, int], None]) -> NDArray[np.float32]:
    """``(i, j, k)``, HU."""
    made: NDArray[np.float32] | None = None
    for k, one in enumerate(slices):
        tell(one.path.name, k, len(slices))
        try:
            whole = pydicom.dcmread(one.path)
            plane = whole.pixel_array
        except (AttributeError, ValueError, EOFError, IndexError) as error:
            raise ImageError(
                "a file whose pixels end early or cannot be read", expected="a whole image", where=one.path.name,
                remedy=f"copy the series again ({str(error)[:120]})",
            ) from error  # fmt: skip
        except (RuntimeError, NotImplementedError) as error:
            raise ImageError(
                "a compression that is not read here", expected="uncompressed or run-length pixels", where=one.path.name,
                remedy="pip install pylibjpeg pylibjpeg-openjpeg, or export the series uncompressed",
            ) from error  # fmt: skip
        if plane.ndim != 2:
            raise ImageError(f"{plane.ndim}-dimensional pixels", expected="one grey image a file", where=one.path.name)
        if made is None:
            made = np.empty((plane.shape[1], plane.shape[0], len(slices)), np.float32)
        values = plane.astype(np.float32) * float(whole.get("RescaleSlope", 1.0)) + float(whole.RescaleIntercept)
        padding = whole.get("PixelPaddingValue")
        if padding is not None:
            values[plane == padding] = -1024.0
        made[:, :, k] = values.T
    assert made is not None
    return np.maximum(made, -1024.0)


def _placed(slices: list[Slice], values: NDArray[np.float32]) -> Volume:
    header = slices[0].header
    turn = np.asarray(header.ImageOrientationPatient, float)
    i, j = turn[:3] / np.linalg.norm(turn[:3]), turn[3:] / np.linalg.norm(turn[3:])
    rows, columns = (float(x) for x in header.PixelSpacing)
    step = (slices[-1].along - slices[0].along) / (len(slices) - 1)
    return Volume(
        values,
        np.asarray(header.ImagePositionPatient, float),
        np.array([columns, rows, step]),
        np.stack([i, j, np.cross(i, j)], 1),
    )


def _upright(volume: Volume, lean: Array) -> Volume:
    """Each slice moved back in its plane, so that the stack stands on its normal about its middle."""
    count = volume.values.shape[2]
    middle = (count - 1) / 2.0
    made = np.empty_like(volume.values)
    for k in range(count):
        shift = lean * volume.spacing[2] * (k - middle) / volume.spacing[:2]
        made[:, :, k] = ndimage.shift(volume.values[:, :, k], shift, order=1, mode="nearest")
    origin = volume.origin + volume.direction[:, :2] @ (lean * volume.spacing[2] * middle)
    return replace(volume, values=made, origin=origin)


def _to_head(volume: Volume) -> Volume:
    """With its third axis to the head, and the first two to the left and the back, whichever way the files had them."""
    for axis, along in ((0, 0), (1, 1), (2, 2)):
        if volume.direction[along, axis] < 0:
            last = np.zeros((1, 3))
            last[0, axis] = volume.values.shape[axis] - 1
            turned = volume.direction.copy()
            turned[:, axis] *= -1.0
            volume = replace(
                volume, values=np.flip(volume.values, axis), origin=volume.world(last)[0], direction=turned
            )
    return replace(volume, values=np.ascontiguousarray(volume.values))
