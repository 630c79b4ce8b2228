"""The crash tests share the PostgreSQL server of the record's tests."""

from record.server import postgres

__all__ = ["postgres"]
