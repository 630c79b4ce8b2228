"""The table of published studies: its rows, what may not set and test at once, the page; and the comparison itself."""

from pathlib import Path

import pytest

from medtwin.evidence.heart_failure_drugs import PAGE, SEED, compare, spread, studies
from medtwin.physiology.circulation_beat import OBSERVED
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import combination
from medtwin.quantities import registry

ROOT = Path(__file__).parents[2]


def test_at_least_ten_studies_with_their_sentence_and_address():
    those = studies()
    assert len({one.address for one in those}) >= 10
    for one in those:
        assert one.sentence
        assert "." in one.address
        assert one.grade in "AB"
        assert one.changes
        combination(one.plan)
        combination(one.taking)


def test_baselines_and_changes_are_of_quantities_within_their_range():
    for one in studies():
        for name, value in {**one.assumed, **one.baseline}.items():
            assert name in OBSERVED
            quantity = registry.get(name)
            assert quantity.low <= value <= quantity.high
        assert not set(one.assumed) & set(one.baseline)
        for change in one.changes:
            assert change.quantity in OBSERVED


def test_no_study_both_sets_an_effect_and_tests_it():
    """By key, and by the address of what was read: what sets an effect says where it was read in its reference."""
    setting = {key for drug in DRUGS.values() for key in drug.studies}
    testing = {one.study for one in studies()}
    assert not setting & testing
    texts = " ".join(
        reference.text for drug in DRUGS.values() for reference in drug.references if reference.key in setting
    )
    for one in studies():
        tail = one.address.split(" ")[0].rstrip("/").split("/")[-1]
        assert tail not in texts


def test_every_class_that_was_tested_has_a_row_and_the_page_shows_all():
    page = (ROOT / PAGE).read_text()
    for one in studies():
        assert one.sentence in page
        assert one.address in page
    for drug in DRUGS.values():
        assert f"| {drug.name} |" in page


@pytest.mark.slow
def test_the_twin_against_the_studies():
    """Directions of published changes; nitroprusside raises flow in severe failure; the page holds these very figures."""
    made = compare(studies())
    moving = [one for one in made if not one.published.none]
    assert sum(one.sign for one in moving) >= 0.9 * len(moving)
    for one in made:
        if "nitroprusside" in one.study.drug and one.published.quantity == "cardiac_output":
            assert one.low > 0
    page = (ROOT / PAGE).read_text()
    assert f"robust sd of {spread(made):.2f}" in page
    assert SEED == 7
