"""The registry: unique codes, insulins kept apart, notices shipped."""

from importlib.resources import files

import pytest

from medtwin.errors import MedtwinError
from medtwin.quantities import registry


def test_a_code_names_one_quantity() -> None:
    assert registry.by_code("http://loinc.org", "99504-3") is registry.get("glucose")
    assert registry.by_code("loinc", "2339-0") is registry.get("blood_glucose")
    assert registry.by_code("http://loinc.org", "no-such-code") is None


def test_rapid_and_long_acting_insulin_are_never_one() -> None:
    """RxNorm ingredients: glargine, detemir and degludec last a day; a bolus of them would act in an hour."""
    rapid, long = registry.get("insulin_bolus"), registry.get("insulin_long_acting")
    assert set(rapid.rxnorm) == {"86009", "51428", "400008", "253182"}
    assert set(long.rxnorm) == {"274783", "139825", "1670007"}


def test_an_unknown_name_names_its_neighbours() -> None:
    with pytest.raises(MedtwinError, match="glucose"):
        registry.get("glukose")


def test_notices_are_in_the_package() -> None:
    text = files("medtwin.quantities").joinpath("NOTICE.txt").read_text()
    assert "LOINC is copyright Regenstrief Institute" in text
    assert "UCUM" in text
    assert "copyright Regenstrief Institute" in registry.LOINC_NOTICE
