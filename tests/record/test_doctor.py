import pytest

from medtwin.record.doctor import checks
from medtwin.record.home import open_store
from record.making import JANE, fact, readings


def sick(folder, url=None, **more):
    return {check.name for check in checks(folder, url, **more) if not check.well}


def test_a_sound_home_is_well(store, grant, own_home, url):
    store.append(readings(3), grant)
    store.link(JANE, "P1", grant)
    said = checks(own_home, url, thorough=True)
    assert [(check.name, check.found) for check in said if not check.well] == []
    assert {check.name for check in said} == {
        "clock", "time zones", "home", "disk", "permissions", "key", "schema", "store", "database", "data keys",
        "audit", "facts' times", "state",
    }  # fmt: skip


def test_a_home_that_is_not_there_or_is_new(own_home, tmp_path):
    assert sick(tmp_path / "absent") == {"home"}
    assert sick(own_home) == set()


@pytest.fixture
def home(own_home):
    with open_store(own_home) as store:
        store.append([*readings(3), fact(0, 1.0, key="k"), fact(0, 2.0, key="k", issued=5)], store.issue_grant())
    return own_home


def alter(home, statement, values=()):
    with open_store(home) as store, store.access.database.writing() as connection:
        connection.run(statement, values)


@pytest.mark.parametrize(
    ("illness", "name"),
    [
        (lambda home: (home / "store.sqlite").chmod(0o644), "permissions"),
        (lambda home: (home / "master.key").write_text("x"), "key"),
        (lambda home: alter(home, "INSERT INTO schema VALUES (99, 'future')"), "schema"),
        (lambda home: alter(home, "UPDATE owner SET wrapped = ?", (b"x" * 60,)), "data keys"),
        (lambda home: alter(home, "UPDATE audit SET who = 'forged' WHERE number = 1"), "audit"),
        (lambda home: alter(home, "UPDATE batch SET time = time + 3600000000"), "facts' times"),
        (lambda home: alter(home, "UPDATE fact SET standing = 1"), "state"),
    ],
    ids=["readable by others", "key", "newer schema", "wrapped key", "audit", "clock", "state"],
)
def test_each_illness_is_named_with_a_remedy(home, illness, name):
    illness(home)
    found = [check for check in checks(home, thorough=True) if not check.well]
    assert [check.name for check in found] == [name]
    assert found[0].remedy


def test_a_damaged_file_is_found(home):
    path = home / "store.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    assert sick(home) & {"store", "database", "schema"}
