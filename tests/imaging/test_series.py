"""DICOM folders become volumes, whatever the sender's habits; or the refusal names what is wrong, where, and what to do."""

import shutil

import numpy as np
import pydicom
import pytest

from medtwin.errors import ImageError
from medtwin.imaging import series
from medtwin.imaging.phantoms.dicom import HABITS, write_series
from medtwin.imaging.volume import Volume


def volume():
    i, j, k = np.mgrid[:24, :20, :24].astype(float)
    values = 200 * np.sin(i / 5) + 150 * np.cos(j / 6) + 100 * np.sin(k / 4)
    return Volume(values.round().astype(np.float32), np.array([-8.0, -7, -9]), np.array([0.4, 0.45, 0.5]), np.eye(3))


@pytest.fixture
def folder(tmp_path):
    write_series(volume(), tmp_path / "series")
    return tmp_path / "series"


def change(path, **tags):
    one = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    one.save_as(path)


@pytest.mark.parametrize("habit", HABITS)
def test_a_volume_comes_back_from_each_habit(habit, tmp_path):
    truth = volume()
    write_series(truth, tmp_path, habit=habit)
    found = series.read(tmp_path)
    assert found.synthetic
    assert len(found.files) == 24
    np.testing.assert_allclose(found.volume.origin, truth.origin, atol=1e-3)
    np.testing.assert_allclose(found.volume.spacing, truth.spacing)
    if habit == "tilted":
        assert "leans by 10.0 degrees" in found.notes[0]
        inner = np.s_[4:-4, 8:-8]
        assert np.abs(found.volume.values[inner] - truth.values[inner]).max() < 3.0
    else:
        assert found.notes == ()
        np.testing.assert_array_equal(found.volume.values, truth.values)


def test_slices_with_rows_to_the_head_are_turned(tmp_path):
    truth = volume()
    flipped = Volume(
        truth.values[:, ::-1], truth.world(np.array([[0, 19, 0]]))[0], truth.spacing, np.diag([1.0, -1, 1])
    )
    # a frame must be right-handed: the files then run from the head down
    turned = Volume(
        flipped.values[:, :, ::-1], flipped.world(np.array([[0, 0, 23]]))[0], truth.spacing, np.diag([1.0, -1, -1])
    )
    write_series(turned, tmp_path)
    found = series.read(tmp_path).volume
    np.testing.assert_array_equal(found.values, truth.values)
    np.testing.assert_allclose(found.origin, truth.origin, atol=1e-6)
    np.testing.assert_array_equal(found.direction, np.eye(3))


def refused(folder, *words, **more):
    with pytest.raises(ImageError) as caught:
        series.read(folder, **more)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_slice_is_named(folder):
    (folder / "IM0011.dcm").unlink()
    refused(folder, "1 slices missing", "every 0.500 mm", "after IM0010.dcm", "copy the series again")


def test_mixed_spacing_is_named(folder):
    change(folder / "IM0024.dcm", ImagePositionPatient=[-8.0, -7.0, -9.0 + 23.3 * 0.5])
    refused(folder, "0.500 to 0.650 mm apart", "IM0023.dcm")


def test_two_slices_at_one_place_are_named(folder):
    shutil.copy(folder / "IM0005.dcm", folder / "copy.dcm")
    refused(folder, "1 slices that lie where another one lies", "copy.dcm", "two phases or two copies")


def test_two_series_are_told_apart(folder, tmp_path):
    write_series(volume(), tmp_path / "series" / "second", seed=1, description="another")
    refused(folder, "2 series mixed", "another", "--series")
    uid = str(pydicom.dcmread(folder / "second" / "IM0001.dcm").SeriesInstanceUID)
    assert series.read(folder, series=uid).description == "another (SYNTHETIC)"
    refused(folder, "0 series '77'", series="77")


def test_a_truncated_file_is_named(folder):
    whole = (folder / "IM0003.dcm").read_bytes()
    (folder / "IM0003.dcm").write_bytes(whole[:-200])
    refused(folder, "pixels end early", "IM0003.dcm")
    (folder / "IM0003.dcm").write_bytes(whole[:400])
    refused(folder, "IM0003.dcm")


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "MR"}, ("modality MR", "expected CT")),
        ({"ImagePositionPatient": None}, ("no ImagePositionPatient in 24 of 24",)),
        ({"PixelSpacing": None}, ("no PixelSpacing",)),
        ({"RescaleIntercept": None}, ("no RescaleIntercept",)),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, ("ImagePositionPatient", "")),
    ],
)
def test_what_a_volume_needs_is_asked_for(folder, tags, words):
    for path in folder.iterdir():
        change(path, **tags)
    if "ImageOrientationPatient" in tags:
        with pytest.raises(ImageError):
            series.read(folder)
        return
    refused(folder, *words)


def test_one_slice_of_another_patient_or_direction_is_found(folder):
    change(folder / "IM0007.dcm", PatientID="somebody else")
    refused(folder, "2 patients in one series")
    change(folder / "IM0007.dcm", PatientID="SYNTHETIC-0", PixelSpacing=[0.5, 0.5])
    refused(folder, "2 different PixelSpacing", "IM0007.dcm", "localiser")


def test_what_is_no_series_is_refused(tmp_path):
    refused(tmp_path / "nowhere", "no such folder")
    (tmp_path / "a.txt").write_text("words")
    refused(tmp_path, "no DICOM image among 1 files")
    write_series(Volume(volume().values[:, :, :5], volume().origin, volume().spacing, np.eye(3)), tmp_path)
    refused(tmp_path, "5 slices", "20 and more")
