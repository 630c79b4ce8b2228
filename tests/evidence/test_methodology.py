"""The methodology pages are what the models say, and say everything."""

import re
from pathlib import Path

import pytest

from medtwin.evidence import methodology
from medtwin.physiology.check import check_model
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import variables
from medtwin.physiology.models import all_models, weight_and_glucose

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_pages_on_disk_are_current(at_root):
    assert methodology.stale() == []
    assert methodology.main(["--check"]) == 0


def test_a_change_of_a_model_makes_its_page_stale(at_root, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / methodology.FOLDER).mkdir(parents=True)
    for path, text in methodology.pages(run_checks=False):
        path.write_text(text, encoding="utf-8")
    assert methodology.stale() == []
    edited = methodology.FOLDER / "body_weight.md"
    edited.write_text(edited.read_text(encoding="utf-8").replace("| 14 |", "| 15 |"), encoding="utf-8")
    (methodology.FOLDER / "of_no_model.md").write_text("", encoding="utf-8")
    assert methodology.main(["--check"]) == 1
    assert {path.name for path in methodology.stale()} == {"body_weight.md", "of_no_model.md"}
    assert "body_weight.md is stale" in capsys.readouterr().err


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.name)
def test_a_page_names_everything(at_root, model):
    text = (methodology.FOLDER / f"{model.name}.md").read_text(encoding="utf-8")
    for variable in (*variables(model.Parameters), *variables(model.State)):
        assert f"| `{variable.name}`" in text, variable.name
        assert variable.meaning in text
    for reference in model.references:
        assert reference.text in text
    for heading in ("Drawing", "Equations", "Assumptions"):
        assert f"\n{heading}\n---" in text
    results = re.findall(r"^\| [a-z ]+ \| (passed|failed|blocked|not declared) \|", text, flags=re.MULTILINE)
    assert len(results) == 13
    assert set(results) <= {"passed", "not declared"}


@pytest.mark.slow
def test_a_page_shows_priors_and_results():
    text = methodology.page(GlucoseInsulin(), check_model(GlucoseInsulin()))
    line = next(row for row in text.splitlines() if row.startswith("| `insulin_sensitivity` *"))
    assert "0.047" in line
    assert "0.0224 to 0.0985" in line
    assert "Cappon2023" in line
    assert "| conservation | passed |" in text
    assert "46635009" in text
    weight = methodology.page(weight_and_glucose(), None)
    assert (
        "| `glucose_insulin.carbohydrate_intake` | `body_weight.energy_intake` | sets or feeds | 8 kcal/g |" in weight
    )
