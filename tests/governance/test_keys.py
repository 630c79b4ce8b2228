import os

import pytest

from medtwin.errors import StoreError
from medtwin.governance import keys
from medtwin.governance.keys import DataKey, MasterKey


def test_sealed_bytes_open_under_their_own_key_and_place_only():
    key, other = DataKey.new(), DataKey.new()
    sealed = key.seal(b"plain", b"place")
    assert b"plain" not in sealed
    assert sealed != key.seal(b"plain", b"place")
    assert key.open(sealed, b"place") == b"plain"
    for wrong in (
        lambda: other.open(sealed, b"place"),
        lambda: key.open(sealed, b"elsewhere"),
        lambda: key.open(sealed[:-1], b"place"),
        lambda: key.open(bytes([sealed[0] ^ 1]) + sealed[1:], b"place"),
        lambda: key.open(sealed[:12] + bytes([sealed[12] ^ 1]) + sealed[13:], b"place"),
    ):
        with pytest.raises(StoreError, match="do not open"):
            wrong()


def test_bytes_too_short_to_be_sealed_are_a_clear_error():
    for sealed in (b"", b"x", b"x" * 20):
        with pytest.raises(StoreError):
            DataKey.new().open(sealed, b"")


def test_a_data_key_is_unwrapped_by_its_master_and_context_only():
    master, key = MasterKey.new(), DataKey.new()
    wrapped = master.wrap(key, b"owner:1")
    assert key.secret not in wrapped
    assert master.unwrap(wrapped, b"owner:1").secret == key.secret
    for wrong in (lambda: master.unwrap(wrapped, b"owner:2"), lambda: MasterKey.new().unwrap(wrapped, b"owner:1")):
        with pytest.raises(StoreError):
            wrong()


def test_derived_keys_differ_by_purpose_and_home():
    master = MasterKey.new()
    assert master.derived(b"audit") == master.derived(b"audit")
    assert len({master.derived(b"audit"), master.derived(b"raw"), MasterKey.new().derived(b"audit")}) == 3


def test_a_key_file_is_private_and_never_overwritten(tmp_path):
    old = os.umask(0)
    try:
        key = keys.create(tmp_path / "k")
    finally:
        os.umask(old)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert keys.load(tmp_path / "k") == key
    with pytest.raises(FileExistsError):
        keys.create(tmp_path / "k")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"medtwin-master-key/2\nhome\nAAAA\n",
        b"medtwin-master-key/1\nhome\nAAAA\n",
        b"a b !!",
        b"\xff",
    ],
)
def test_a_key_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(StoreError, match="master key"):
        keys.load(tmp_path / "k")


def test_a_missing_or_open_key_file_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no readable master key"):
        keys.load(tmp_path / "k")
    keys.create(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(StoreError, match="0640"):
        keys.load(tmp_path / "k")
