"""What can be wrong with a home, as a list of named checks; ``medtwin doctor`` prints it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from medtwin.errors import MedtwinError, StoreError
from medtwin.governance import keys
from medtwin.record import facts, home, schema
from medtwin.record.codec import moment
from medtwin.record.sql import SqlStore

_ROOM = 1 << 30  #: bytes that a home should have left
_PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a home and its answer. ``remedy`` is empty where all is well."""

    name: str
    well: bool
    found: str
    remedy: str = ""


def checks(folder: str | Path | None = None, url: str | None = None, *, thorough: bool = False) -> tuple[Check, ...]:
    """All checks of a home. They change nothing but the audit journal, and never raise for a sick home.

    ``thorough`` also compares the whole materialised state with the fold of the log (about 10 s for a million facts).
    """
    path = home.home_path(folder)
    said = [_asked("clock", _clock), _asked("time zones", _zones), _asked("home", lambda: _home(path))]
    if not said[-1].well:
        return tuple(said)
    said += [_asked("disk", lambda: _disk(path)), _asked("permissions", lambda: _permissions(path))]
    if not (path / home.KEY_FILE).exists():
        return (*said, Check("store", True, "nothing was recorded here yet"))
    said += [_asked("key", lambda: _key(path)), _asked("schema", lambda: _schema(path, url))]
    if not all(check.well for check in said[-2:]):
        return tuple(said)
    try:
        with home.open_store(path, url, timeout=5.0) as store:
            said.append(Check("store", True, f"{store.access.database.place()} answers"))
            said.extend(_inside(store, thorough=thorough))
    except MedtwinError as error:
        said.append(Check("store", False, error.found, error.remedy or "restore this home from a backup"))
    return tuple(said)


def _asked(name: str, question: Callable[[], str]) -> Check:
    try:
        return Check(name, True, question())
    except MedtwinError as error:
        return Check(name, False, error.found, error.remedy)
    except OSError as error:
        return Check(name, False, str(error), "check the folder and the disk")


def _inside(store: SqlStore, *, thorough: bool) -> Iterator[Check]:
    yield _asked("database", lambda: _whole(store))
    yield _asked("data keys", lambda: _data_keys(store))
    yield _asked("audit", lambda: _audit(store))
    yield _asked("facts' times", lambda: _last_commit(store))
    if thorough:
        yield _asked("state", lambda: _state(store))


def _clock() -> str:
    now = time.time()
    if now < 1_767_225_600:  # 2026-01-01
        raise StoreError(f"a clock that says {moment(int(now * 1e6)):%Y-%m-%d}", remedy="set this machine's clock")
    return f"{moment(int(now * 1e6)):%Y-%m-%d %H:%M} UTC"


def _zones() -> str:
    try:
        return f"{ZoneInfo('Europe/Berlin').key} is known"
    except (ZoneInfoNotFoundError, OSError):
        raise StoreError("no time zone database", remedy="install tzdata: pip install tzdata") from None


def _home(path: Path) -> str:
    if not path.is_dir():
        raise StoreError(f"no home at {path}", remedy="ingest something, or give --home")
    return str(path)


def _disk(path: Path) -> str:
    free = shutil.disk_usage(path).free
    if free < _ROOM:
        raise StoreError(f"{free / 2**20:.0f} MiB free", remedy="free at least 1 GiB, or move the home")
    return f"{free / 2**30:.1f} GiB free"


def _permissions(path: Path) -> str:
    open_to_others = [
        item for item in (path, *path.glob("*"), *path.glob("journal/*")) if item.stat().st_mode & _PRIVATE
    ]
    private = {home.KEY_FILE, home.STORE_FILE, home.HEAD_FILE, path.name}
    wrong = [item for item in open_to_others if item.name in private or item.name.startswith(home.STORE_FILE)]
    if wrong:
        raise StoreError(
            f"{len(wrong)} files that other users can read, first {wrong[0].name}",
            remedy=f"chmod -R go-rwx {path}",
        )
    return "readable by this user only"


def _key(path: Path) -> str:
    return f"master key of home {keys.load(path / home.KEY_FILE).home}"


def _schema(path: Path, url: str | None) -> str:
    with home.opening(path, url, timeout=5.0) as (_, database), database.reading() as connection:
        found = schema.recorded(connection)
    if found > schema.latest():
        raise StoreError(f"schema version {found}", remedy="open it with the newer medtwin that wrote it")
    if found < schema.latest():
        return f"version {found}, to be brought to {schema.latest()} when it is opened next"
    return f"version {found}"


def _whole(store: SqlStore) -> str:
    with store.access.database.reading() as connection:
        if store.access.database.dialect != "sqlite":
            rows = connection.rows("SELECT COUNT(*) FROM owner")
            return f"{rows[0][0]} owners of facts"
        said = connection.rows("PRAGMA quick_check(1)")[0][0]
    if said != "ok":
        raise StoreError(f"a damaged database file ({said})", remedy="restore this home from a backup")
    return "the file is whole"


def _data_keys(store: SqlStore) -> str:
    with store.access.database.reading() as connection:
        return f"{store.access.read_names.check_keys(connection)} open"


def _audit(store: SqlStore) -> str:
    rows, altered = store.verify_audit()
    if altered is not None:
        raise StoreError(
            f"an audit trail that was altered at row {altered} ({store.audit_rows()} rows exist; the rest was not read)",
            remedy="find out who could write to this home; compare with a backup",
        )
    return f"{rows} rows, none altered"


def _last_commit(store: SqlStore) -> str:
    with store.access.database.reading() as connection:
        rows = connection.rows("SELECT time FROM batch ORDER BY sequence DESC LIMIT 1")
    if not rows:
        return "no facts yet"
    ahead = int(rows[0][0]) / 1e6 - time.time()
    if ahead > 60:
        raise StoreError(
            f"facts recorded {ahead / 60:.0f} min ahead of this machine's clock", remedy="set this machine's clock"
        )
    return f"newest recorded {moment(int(rows[0][0])):%Y-%m-%d %H:%M} UTC"


def _state(store: SqlStore) -> str:
    with store.access.database.reading(snapshot=True) as connection:
        wrong = facts.unfolded(connection)
    if wrong:
        raise StoreError(
            f"{len(wrong)} facts whose standing is not that of the log, first at sequence {wrong[0]}",
            remedy="restore this home from a backup",
        )
    return "equals the fold of the log"
