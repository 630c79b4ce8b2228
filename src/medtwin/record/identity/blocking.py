"""Which people are compared at all: those who share one of a handful of keys, kept as keyed hashes of 8 bytes.

The hash hides names from whoever sees the table without the home's key; that two people share a key can be seen.
"""

from __future__ import annotations

from hashlib import blake2b

from medtwin.record.database import Connection
from medtwin.record.identity.compare import Person

FULL = 200  #: people under one key above which the key finds nobody: it tells people apart no more
EVERYBODY = "everybody"  #: a key of all
SHARED = 3  #: other people above which a number is nobody's own: a placeholder, or an authority left at its default


def keys(one: Person) -> list[str]:
    """The keys under which a person is found. Any one in common makes a pair that is scored."""
    found = [f"number|{value}" for _, value in sorted(one.numbers)]
    date = one.birth_date if len(one.birth_date) == 8 else ""
    names = sorted((one.given[:4], one.family[:4]))  # an exchange of the two changes nothing
    if date:
        found.append(f"born|{date}")
        if one.given or one.family:
            # any exchange of digits, days and months; with the initials of both names
            found.append(f"digits|{''.join(sorted(date))}|{names[0][:1]}{names[1][:1]}")
    if one.given and one.family:
        found.append(f"names|{names[0]}|{names[1]}")
    if one.postal_code:
        found += [f"place|{one.postal_code}|{word[:4]}" for word in dict.fromkeys((one.given, one.family)) if word]
        if one.street and one.house:
            found.append(f"house|{one.postal_code}|{one.house}")
    if one.phone:
        found.append(f"phone|{one.phone}")
    return list(dict.fromkeys(found))


def names(one: Person) -> dict[str, str]:
    """Keys that only count how common a name is."""
    return {field: f"{field}|{value}" for field in ("given", "family") if (value := getattr(one, field))}


def digest(key: str, secret: bytes) -> int:
    """A keyed hash as a signed integer of 64 bits."""
    return int.from_bytes(blake2b(key.encode(), key=secret, digest_size=8).digest(), "little", signed=True)


class Census:
    """How many people are known, and how many bear a name; the first is counted anew now and then, since it takes a while."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._people, self._asked = 0, 0

    def people(self, connection: Connection) -> int:
        if self._asked <= 0:
            self._people = self.bearers(connection, EVERYBODY)
            self._asked = max(self._people // 20, 10)
        self._asked -= 1
        return self._people

    def bearers(self, connection: Connection, key: str) -> int:
        rows = connection.rows("SELECT COUNT(*) FROM blocking WHERE digest = ?", (digest(key, self._secret),))
        return int(rows[0][0])
