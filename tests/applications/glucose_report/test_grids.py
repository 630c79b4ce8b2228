"""Pairs of a file."""

import numpy as np
import pytest

from medtwin.applications.glucose_report.grids import error_grids, read_pairs
from medtwin.errors import FormatError, UnitError
from medtwin.statistics.glucose.clarke import clarke
from medtwin.statistics.glucose.parkes import parkes


def written(folder, *rows, head="reference,estimate,unit"):
    path = folder / "pairs.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_every_row_has_its_own_unit(tmp_path):
    found = read_pairs(written(tmp_path, "100,110,mg/dL", "5.55,6.105,mmol/L"))
    assert found.reference == pytest.approx([100.0, 100.0], abs=0.05)
    assert found.mean_relative == pytest.approx(10.0)
    assert found.counts("clarke") == {"A": 2, "B": 0, "C": 0, "D": 0, "E": 0}


@pytest.mark.parametrize(
    ("rows", "head", "error", "said"),
    [
        (["100,110"], "reference,estimate", FormatError, "no column unit"),
        (["100,,mg/dL"], "reference,estimate,unit", FormatError, "line 2"),
        (["100,-5,mg/dL"], "reference,estimate,unit", FormatError, "positive"),
        (["100,110,mmol/L", "9999,110,mg/dL"], "reference,estimate,unit", FormatError, "line 3"),
        (["100,110,stone"], "reference,estimate,unit", UnitError, "stone"),
        (["100,110,"], "reference,estimate,unit", UnitError, "no unit"),
        ([], "reference,estimate,unit", FormatError, "no row"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path, rows, head, error, said):
    with pytest.raises(error, match=said):
        read_pairs(written(tmp_path, *rows, head=head))


def test_perfect_pairs_are_a_and_opposites_are_e():
    at = np.arange(20.0, 500.0, 7.0)
    same = error_grids(at, at)
    assert all(same.counts(grid)["A"] == at.size for grid in same.zones)
    assert clarke([50.0, 300.0], [300.0, 50.0]).tolist() == ["E", "E"]
    assert parkes([20.0], [400.0], 1).tolist() == ["E"]


@pytest.mark.parametrize("diabetes", [1, 2])
def test_zones_grow_worse_away_from_the_diagonal(diabetes):
    for at in np.arange(10.0, 600.0, 10.0):
        up = parkes(np.full(200, at), np.linspace(at, 1000.0, 200), diabetes)
        down = parkes(np.full(200, at), np.linspace(at, 1.0, 200), diabetes)
        for zones in (up, down):
            assert (np.diff([ord(zone) for zone in zones.tolist()]) >= 0).all()
