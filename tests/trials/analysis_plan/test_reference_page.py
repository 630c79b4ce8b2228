"""The page of every word of a plan is what the types say."""

from pathlib import Path

from medtwin.trials.analysis_plan import reference
from medtwin.trials.analysis_plan.methods import RUNS

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_current_and_whole():
    text = (ROOT / reference.PAGE).read_text()
    assert text == reference.page(), "run python -m medtwin.trials.analysis_plan.reference"
    for method in RUNS:
        assert f"### `{method.__struct_config__.tag}`" in text


def test_a_page_that_is_not_current_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/reference").mkdir(parents=True)
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert "as generated" in capsys.readouterr().out
