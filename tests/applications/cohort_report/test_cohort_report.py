"""The page of a cohort: labelled synthetic, its numbers those of the outcomes, in every format."""

import json

import numpy as np
import polars as pl
import pytest

from medtwin.applications.cohort_report.content import SHOWN, content, refusals
from medtwin.applications.cohort_report.write import document, save
from medtwin.population.cohort import cohort, compared
from medtwin.population.controllers import controller_of
from medtwin.population.people import virtual_people
from medtwin.reports.document import Figure, Table
from medtwin.reports.html import page


@pytest.fixture(scope="module")
def both():
    people = virtual_people("t1d", 12, seed=3)
    return [cohort(people, controller_of(name), 1) for name in ("bolus-wizard", "open-loop")]


@pytest.mark.slow
def test_document(both):
    made = document(*both, compared(*both))
    assert made.label == "SYNTHETIC DATA"
    tables = [block for block in made.blocks if isinstance(block, Table)]
    assert len(tables) == 2
    row = next(row for row in tables[0].rows if row[0].startswith("in range"))
    assert float(row[2]) == pytest.approx(both[0].outcomes["in_range"].mean(), abs=0.005)
    change = next(row for row in tables[1].rows if row[0].startswith("in range"))
    expected = (both[0].outcomes["in_range"] - both[1].outcomes["in_range"]).mean()
    assert float(change[2]) == pytest.approx(expected, abs=0.0005)
    figures = [block.scene for block in made.blocks if isinstance(block, Figure)]
    assert "12 virtual people" in figures[0].title
    assert sum(getattr(shape, "radius", 0) > 0 for shape in figures[2].shapes) == 12
    assert "SYNTHETIC DATA" in page(made)
    assert "refused" in refusals(both[0])


def test_files(both, tmp_path):
    for name, begins in (("a.html", b"<!doctype html>"), ("a.pdf", b"%PDF")):
        save(both[0], tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begins)
    save(both[0], tmp_path / "a.parquet", both[1], compared(*both))
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.height == 24
    assert frame["synthetic"].all()
    held = frame.filter(pl.col("controller") == "open-loop")["in_range"].to_numpy()
    np.testing.assert_allclose(held, both[1].outcomes["in_range"])


def test_content(both):
    said = json.loads(json.dumps(content(*both, compared(*both)), allow_nan=False))
    assert said["synthetic"] is True
    assert set(said["outcomes"]) == set(SHOWN) == set(said["differences"])
    assert sum(said["risk_zones"].values()) == 12
    assert said["differences"]["in_range"]["lower"] < said["differences"]["in_range"]["value"]
