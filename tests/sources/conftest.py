"""A store of its own for tests of intake."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medtwin.governance.grant import Grant
from medtwin.record.home import open_store
from medtwin.record.sql import SqlStore


@pytest.fixture
def store(own_home: Path) -> Iterator[SqlStore]:
    with open_store(own_home) as opened:
        yield opened


@pytest.fixture
def grant(store: SqlStore) -> Grant:
    return store.issue_grant()
