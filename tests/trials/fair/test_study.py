"""The study of levels runs; its page is committed with the figures of a full run."""

from pathlib import Path

import pytest

from medtwin.trials.fair.study import coverage, main, whole_truth


@pytest.mark.parametrize("kind", ["binary", "measured"])
def test_intervals_hold_their_level(kind):
    """150 groups of 200 patients with a right score: the truth lies inside 95 of 100, for each figure."""
    truth = whole_truth(kind, 60_000, 1)
    assert len(truth) >= 6
    held = coverage(kind, 200, 150, 2, truth)
    for name in truth:
        assert abs(held[name] / 150 - 0.95) < 3.5 * 0.0178, name


def test_it_runs(tmp_path):
    path = tmp_path / "page.md"
    assert main(["--repeats", "2", "--report", str(path)]) == 0
    assert "nobody wronged, events | 300" in path.read_text()


def test_the_page_is_of_a_full_run():
    page = (Path(__file__).parents[3] / "docs/evidence/fair-use.md").read_text()
    assert "python -m medtwin.trials.fair.study --repeats 400 --seed 1`" in page
