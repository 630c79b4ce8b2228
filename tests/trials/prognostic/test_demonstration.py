"""The public data are read as the reference was made, and the page says what was found."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic import Mean, fit_boosted
from medtwin.trials.prognostic.demonstration import study
from medtwin.trials.prognostic.demonstration.__main__ import write
from medtwin.trials.prognostic.demonstration.data import OUTCOMES, REFERENCE, WINDOWS, read, reported
from medtwin.trials.prognostic.demonstration.page import best_marked
from medtwin.trials.prognostic.evaluation.accuracy import accuracy
from medtwin.trials.prognostic.persistence import own_baseline


@pytest.fixture(scope="module")
def patients(shared_data):
    return read(shared_data / "trials")


@pytest.mark.shared
def test_persistence_is_that_of_the_reference(patients):
    cohort, reference = patients.cohort, patients.reference
    assert len(cohort.time) == reference["n_visits"]
    assert len(np.unique(cohort.subject)) == reference["n_pat"]
    truth = reported(cohort.values)
    first = reported(own_baseline(cohort.baseline, OUTCOMES))[cohort.subject]
    for o, name in enumerate(REFERENCE):
        for year in (None, *WINDOWS):
            held = np.ones(len(truth), bool) if year is None else patients.window(year)
            theirs = reference[name]["persist"] if year is None else reference[name][f"year{year:g}"]["persist"]
            ours = accuracy(first[held, o], truth[held, o], cohort.subject[held])
            assert ours.visits == theirs["n"]
            assert ours.rmse == pytest.approx(theirs["rmse"], rel=1e-9)
            assert ours.correlation == pytest.approx(theirs["r"], rel=1e-9)


@pytest.mark.shared
def test_nearest_visit_is_the_patients_own_and_in_the_window(patients):
    visit = patients.nearest(2.0)
    found = np.flatnonzero(visit >= 0)
    assert len(found) == len(np.unique(patients.cohort.subject[patients.window(2.0)]))
    np.testing.assert_array_equal(patients.cohort.subject[visit[found]], found)
    assert (np.abs(patients.cohort.time[visit[found]] - 2.0) <= 0.5).all()


@pytest.mark.slow
@pytest.mark.shared
def test_the_page_is_written_from_a_run(patients, monkeypatch):
    few = tuple(f"baseline {one.label}" for one in OUTCOMES)
    monkeypatch.setattr(study, "MEAN", Mean(covariates=few, changing=()))  # a small model, half of the patients: quick
    monkeypatch.setattr(study, "fit_boosted", partial(fit_boosted, trees=5))
    rows = np.arange(0, 312, 2)
    some = replace(
        patients,
        cohort=patients.cohort.take(rows),
        end=patients.end[rows],
        left=patients.left[rows],
        fold=patients.fold[rows],
    )
    text = write(some, 40, 1, "the command")
    assert "**Where persistence wins**" in text
    assert "nan" not in text
    assert "leaving is drawn" in text
    assert "the command" in text


def test_a_folder_without_the_data_is_an_error(tmp_path):
    with pytest.raises(AnalysisError, match="no pbcseq"):
        read(tmp_path)


def test_the_best_of_a_row_is_bold_whoever_it_is():
    assert best_marked([(0.52, 0.8), (0.5, 0.7), (0.50004, 0.9)]) == [
        "0.520, 0.800", "**0.500**, 0.700", "**0.500**, **0.900**",
    ]  # fmt: skip
