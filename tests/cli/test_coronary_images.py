"""medtwin coronary analyse and phantom: from files to a document, and refusals that tell the way out."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from medtwin.cli.main import app
from medtwin.imaging.phantoms.dicom import write_series
from medtwin.imaging.phantoms.phantom import tube
from medtwin.imaging.phantoms.vessels import Lesion
from medtwin.imaging.volume import Volume


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    made = tube((Lesion(24.0, 10.0, 0.6, profile="trapezoid"),))
    folder = tmp_path_factory.mktemp("images") / "series"
    write_series(made.volume, folder)
    seed = ",".join(f"{x:.2f}" for x in made.heart.vessels[0].axis[4])
    return folder, seed


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["coronary", *map(str, arguments)], env={"COLUMNS": "160"})
    assert result.exit_code == code, f"{result.stdout}{result.stderr}{result.exception!r}"
    assert "Traceback" not in result.stderr
    return result


def test_analyse_goes_from_files_to_ffr_and_is_found_again(series, tmp_path):
    folder, seed = series
    line = (
        "analyse",
        folder,
        "--seed",
        seed,
        "--into",
        tmp_path / "results",
        "--mass",
        60,
        "--pressure",
        93,
        "--samples",
        100,
    )
    said = json.loads(run(*line, "--json").stdout)
    assert said["schema"] == "medtwin/coronary-analyse/1"
    assert said["synthetic"] is True
    assert said["resumed"] is False
    (side,) = said["sides"]
    (narrowing,) = side["narrowings"]
    assert narrowing["stenosis"] == pytest.approx(60.0, abs=8.0)
    (segment,) = side["segments"]
    assert segment["ffr_end_low"] < segment["ffr_end"] < segment["ffr_end_high"] < 1.0
    assert segment["refused"] is None
    assert "geometry" in side["variance_shares"]
    again = json.loads(run(*line, "--json").stdout)
    assert again["resumed"] is True
    assert again["sides"][0]["segments"] == side["segments"]
    shown = run(*line)
    assert "(SYNTHETIC DATA)" in shown.stdout
    assert "diameter stenosis" in shown.stdout
    assert "Research output" in shown.stderr


def test_without_mass_the_geometry_is_told_and_what_ffr_needs(series):
    folder, seed = series
    shown = run("analyse", folder, "--seed", seed, "--into", folder.parent / "results")
    assert "state --mass GRAMS" in shown.stderr


def test_images_and_tree_go_into_the_record(series, own_home):
    folder, seed = series
    home = ("--home", own_home)
    line = ("analyse", folder, "--seed", seed, "--patient", "phantom-7", "--into", folder.parent / "results")
    said = json.loads(run(*line, "--json", *home).stdout)
    from medtwin.cli.common import opened

    with opened(own_home) as (store, grant):
        manifest, content = store.artifact("phantom-7", said["sides"][0]["artifact"], grant)
        assert json.loads(content)["dialect"] == "medtwin-vessel-tree/1"
        assert manifest["units"] == "mm"
        first = store.keep_raw(
            (folder / "IM0001.dcm").read_bytes(), _owner(), grant, media_type="x", file="x", source="x"
        )
        assert first.duplicate  # it is there already


def _owner():
    from medtwin.record.event import SourcePatient

    return SourcePatient("dicom", "phantom-7")


def test_refusals_say_what_to_do(series, tmp_path):
    folder, _ = series
    assert "--seed" in run("analyse", folder, code=1).stderr  # no aorta in this volume
    assert "expected X,Y,Z" in run("analyse", folder, "--seed", "1,2", code=2).stderr
    assert "no such folder" in run("analyse", tmp_path / "nowhere", code=1).stderr
    assert "expected one of plain" in run("phantom", tmp_path / "new", "--habit", "odd", code=2).stderr
    assert "not empty" in run("phantom", folder, code=1).stderr


def test_phantom_writes_a_series_and_its_truth(tmp_path, monkeypatch):
    from medtwin.imaging.phantoms import phantom as phantoms

    small = tube(seed=3)
    cut = Volume(small.volume.values[:8, :8, :24], small.volume.origin, small.volume.spacing, np.eye(3))
    asked = {}

    def make(seed, **how):
        asked.update(seed=seed, **how)
        return phantoms.Phantom(seed, cut, small.mask, small.heart, small.contrast, small.scanner, held_out=False)

    monkeypatch.setattr(phantoms, "make", make)
    said = json.loads(
        run(
            "phantom", tmp_path / "new", "--seed", 5, "--step", 1.0, "--noise", 30, "--habit", "reversed", "--json"
        ).stdout
    )
    assert said["synthetic"] is True
    assert said["files"] == 24
    assert asked == {"seed": 5, "artefacts": {"noise": 30.0, "steps": (0.0, 1.0, 0.0)}, "clean": False}
    truth = json.loads((tmp_path / "new" / "truth" / "truth.json").read_text())
    assert truth["dialect"] == "medtwin-coronary-phantom/1"
