"""A volume written as a DICOM series, in the habits of several vendors.

The data set is CT Image Storage (PS3.3 A.3) as far as a reader needs it. Every file says that it is synthetic:
``SyntheticData`` (0008,001C) is YES, the patient is called SYNTHETIC^PHANTOM. Habits, none of them a real vendor's:

- ``plain``: one file a slice, from the feet up, all tags there;
- ``reversed``: instance numbers count from the head down, file names are random;
- ``bare``: no SpacingBetweenSlices, no SliceLocation, SliceThickness thicker than the distance of slices (overlap);
- ``unsigned``: unsigned pixels with an intercept of -8192 and a slope of 1, padding outside of the field of view;
- ``tilted``: slices are parallel but the stack leans by 10 degrees, as with a tilted gantry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

from medtwin.imaging.volume import Volume

HABITS = ("plain", "reversed", "bare", "unsigned", "tilted")
TILT = 10.0  #: degrees
ROOT = "2.25."  #: UIDs made from a UUID (PS3.5 B.2)


def write_series(
    volume: Volume, folder: Path, *, habit: str = "plain", seed: int = 0, description: str = "synthetic phantom"
) -> list[Path]:
    """Write one file a slice; the same seed gives the same files. The files, from the feet up."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"IM{k + 1:04d}.dcm" for k in range(volume.values.shape[2])]
    if habit == "reversed":
        order = np.random.default_rng([seed, 9]).permutation(len(names))
        names = [f"{number:08X}" for number in (order * 2654435761 % 2**32)]
    files = []
    for name, one in zip(names, datasets(volume, habit=habit, seed=seed, description=description), strict=True):
        path = folder / name
        one.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def datasets(volume: Volume, *, habit: str, seed: int, description: str) -> Iterator[FileDataset]:
    """The slices' data sets, from the feet up."""
    uid = lambda *what: generate_uid(prefix=ROOT, entropy_srcs=[f"medtwin phantom {seed}", habit, *map(str, what)])  # noqa: E731
    count = volume.values.shape[2]
    lean = np.tan(np.radians(TILT)) if habit == "tilted" else 0.0
    low = -8192 if habit == "unsigned" else -1024
    study, series, frame = uid("study"), uid("series"), uid("frame")
    for k in range(count):
        plane = volume.values[:, :, k]
        # the stack leans towards the front: slice k sees what lies further back in its own frame
        shift = lean * volume.spacing[2] * (k - (count - 1) / 2.0)
        position = volume.world(np.array([[0, 0, k]]))[0]
        if lean:
            plane = ndimage.shift(plane, (0.0, -shift / volume.spacing[1]), order=1, mode="nearest")
            position = position + np.array([0.0, shift, 0.0])
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = uid("image", k)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        one.SyntheticData = "YES"
        one.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        one.Modality, one.Manufacturer = "CT", "medtwin phantom"
        one.PatientName, one.PatientID = "SYNTHETIC^PHANTOM", f"SYNTHETIC-{seed}"
        one.PatientBirthDate, one.PatientSex = "", ""
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, series, frame
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber, one.ReferringPhysicianName = (
            "20260101",
            "120000",
            "1",
            "",
            "",
        )
        one.SeriesNumber, one.SeriesDescription = 1, f"{description} (SYNTHETIC)"
        one.ImageComments = "Synthetic phantom, not a patient"
        one.InstanceNumber = count - k if habit == "reversed" else k + 1
        one.ImageOrientationPatient = [*map(float, volume.direction[:, 0]), *map(float, volume.direction[:, 1])]
        one.ImagePositionPatient = [round(float(x), 4) for x in position]
        one.PixelSpacing = [float(volume.spacing[1]), float(volume.spacing[0])]  # rows first
        thickness = float(volume.spacing[2])
        if habit == "bare":
            one.SliceThickness = round(thickness * 1.5, 3)
        else:
            one.SliceThickness = one.SpacingBetweenSlices = thickness
            one.SliceLocation = round(float(position[2]), 4)
        if habit == "tilted":
            one.GantryDetectorTilt = TILT
        one.ContrastBolusAgent = "synthetic"
        one.Rows, one.Columns = int(plane.shape[1]), int(plane.shape[0])
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
        one.PixelRepresentation = 0 if habit == "unsigned" else 1
        one.RescaleIntercept, one.RescaleSlope, one.RescaleType = low, 1, "HU"
        kind = np.uint16 if habit == "unsigned" else np.int16
        one.PixelData = np.ascontiguousarray((np.round(plane) - low).T.astype(kind)).tobytes()
        yield one
