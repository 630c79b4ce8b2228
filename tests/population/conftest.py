"""One small cohort for all tests of the room."""

import pytest

from medtwin.population.people import virtual_people


@pytest.fixture(scope="session")
def people():
    """Forty people with type 1 diabetes. Tests only read of them."""
    return virtual_people("t1d", 40, seed=5)
