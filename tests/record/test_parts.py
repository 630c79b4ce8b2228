"""The store is put together from parts, none of which changes another."""

from medtwin.record.sql import SqlStore


def test_each_verb_is_written_once():
    parts = [part for part in SqlStore.__mro__ if part is not object]
    assert len(parts) == 9
    written = [name for part in parts for name, made in vars(part).items() if callable(made) or name == "access"]
    assert sorted(written) == sorted(set(written))
    assert all(part.__bases__ == (object,) for part in parts[1:])
    assert [part for part in parts if "__init__" in vars(part)] == [SqlStore]
