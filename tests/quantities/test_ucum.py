"""Terms of UCUM whose powers nobody measures end at once."""

import time

import pytest

from medtwin.quantities.ucum import UnreadableUnit, read


@pytest.mark.parametrize("term", ["10*99999999", "10^-99999999", "krad99999999", "rad.10*9999999", "[car_au]99999"])
def test_a_power_that_nobody_measures_is_refused_at_once(term):
    before = time.process_time()
    with pytest.raises(UnreadableUnit):
        read(term)
    assert time.process_time() - before < 2.0


def test_powers_that_laboratories_write_are_read():
    assert read("10*9/L") == read("10*3/uL")
    assert read("10*12/L").factor == 10**15
