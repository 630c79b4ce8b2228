"""Tables of people's haemodynamics: reading, the regression beside it, and the real people."""

from pathlib import Path

import numpy as np
import pytest

from medtwin.errors import FormatError
from medtwin.evidence.haemodynamic_table import evaluate, read, regression, score

MAPPING = Path("docs/mappings/sparse_clinical_42.yaml")


@pytest.fixture
def table(tmp_path):
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "dialect: medtwin-table/1\npeople: rows\nnames: id\nmissing: ['', NA]\nquantities:\n"
        "  sbp: {quantity: systolic_pressure, unit: kPa}\n  hr: {quantity: heart_rate, unit: /min}\n"
    )
    people = tmp_path / "t.csv"
    people.write_text("id,sbp,hr\nanna,16,70\nben,NA,80\n")
    return people, mapping


def test_units_are_converted_and_absent_values_left_out(table):
    anna, ben = read(*table)
    assert anna.name == "anna"
    assert anna.readings["systolic_pressure"] == pytest.approx(120.0, abs=0.1)
    assert ben.readings == {"heart_rate": 80.0}


def test_a_table_that_does_not_fit_is_refused(table):
    people, mapping = table
    people.write_text("id,hr\nanna,70\n")
    with pytest.raises(FormatError, match="sbp"):
        read(people, mapping)
    people.write_text("id,sbp,hr\nanna,high,70\n")
    with pytest.raises(FormatError, match="a number"):
        read(people, mapping)
    people.write_text("id,sbp,hr\nanna,16,70\n")
    few = read(people, mapping)
    with pytest.raises(FormatError, match="nobody with 7 readings"):
        evaluate(few, [])


def test_the_regression_never_sees_the_value_that_it_predicts():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 3))
    y = x @ np.array([2.0, -1.0, 0.0]) + 0.1 * rng.normal(size=20)
    mean, sd = regression(x, y)
    assert np.corrcoef(mean, y)[0, 1] > 0.97
    moved = y.copy()
    moved[4] += 100.0
    assert regression(x, moved)[0][4] == pytest.approx(mean[4])
    assert (sd > 0).all()
    scored = score("ridge", y, mean, sd)
    assert scored.n == 20
    assert scored.low <= scored.inside / 20 <= scored.high


@pytest.mark.shared
@pytest.mark.slow
def test_real_people_are_fitted_and_their_wedge_pressure_predicted(shared_data):
    found = evaluate(
        read(shared_data / "haemodynamics" / "sparse_clinical_42.csv", MAPPING), ["pulmonary_wedge_pressure"]
    )
    assert (found.people, found.entered) == (42, 26)
    assert found.misfit <= 0.5
    ours, ridge = found.left_out[0].scores
    assert ours.rmse <= 3.3
    assert ours.correlation >= 0.87
    assert ours.low <= 0.9 <= ours.high
    assert ours.crps < ridge.crps
