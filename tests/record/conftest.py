"""Every test that takes ``store`` runs twice: on SQLite and on a real PostgreSQL."""

import os
from contextlib import ExitStack

import pytest

from medtwin.record.home import open_store
from record.server import postgres

__all__ = ["backend", "grant", "opened", "postgres", "store", "url"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def backend(request):
    return request.param


@pytest.fixture
def url(backend, request):
    """A store address for this test alone; None for SQLite."""
    if backend == "sqlite":
        return None
    address = request.getfixturevalue("postgres")
    return f"{address}&schema=t_{os.urandom(6).hex()}"


@pytest.fixture
def opened(own_home, url):
    """Opens this test's home (again); all that was opened is closed at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(open_store(own_home, url))


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
def grant(store):
    return store.issue_grant(who="tester")
