"""Senders that may push to a home: each with a name, a secret of its own, and what is known of what it sends.

A request is signed as Standard Webhooks 1.0 has it (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
HMAC-SHA256 over ``id.timestamp.body``, base64, in the header ``webhook-signature`` as ``v1,...``, with ``webhook-id`` and
``webhook-timestamp`` (seconds since 1970) beside it. The secret is derived from the home's master key, the name, a number that
grows with each registration and a random one that the registration keeps. So nothing secret lies in the file, and a removed or
renewed sender's old secret is void, also where the file was lost meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import msgspec

from medtwin.errors import AccessDenied, FormatError, StoreError
from medtwin.governance.keys import MasterKey
from medtwin.record.home import write_private

FILE = "webhooks.json"
TOLERANCE = 300.0  #: s that a request's timestamp may be off, as the standard advises
PREFIX = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One sender. ``number`` is that of its registration in this home."""

    name: str
    number: int
    created: datetime
    patient: str | None = None
    timezone: str | None = None
    source: str | None = None
    nonce: str = ""  #: random; without it, as in registrations of before, a number that comes again voids nothing


class _Held(msgspec.Struct):
    last: int = 0
    webhooks: list[Webhook] = []


def webhooks(folder: Path) -> tuple[Webhook, ...]:
    """All that are registered, by name."""
    return tuple(sorted(_read(folder).webhooks, key=lambda one: one.name))


def find(folder: Path, name: str) -> Webhook | None:
    """The sender of that name, if it is registered."""
    return next((one for one in _read(folder).webhooks if one.name == name), None)


def add(
    folder: Path, name: str, *, patient: str | None = None, timezone: str | None = None, source: str | None = None
) -> Webhook:
    """Register a sender; one of the same name is replaced, and its secret is void from then on."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise FormatError(f"the name {name[:80]!r}", expected="lower-case letters, digits, - and _, up to 63")
    held = _read(folder)
    made = Webhook(
        name=name, number=held.last + 1, created=datetime.now(UTC), patient=patient, timezone=timezone, source=source,
        nonce=token_hex(16),
    )  # fmt: skip
    _write(folder, _Held(held.last + 1, [one for one in held.webhooks if one.name != name] + [made]))
    return made


def remove(folder: Path, name: str) -> None:
    """From now on nothing of this sender is taken. Raises :class:`FormatError` for a name that is not registered."""
    held = _read(folder)
    left = [one for one in held.webhooks if one.name != name]
    if len(left) == len(held.webhooks):
        raise FormatError(
            f"the name {name[:80]!r}", expected="a registered sender", remedy="see `medtwin webhook list`"
        )
    _write(folder, _Held(held.last, left))


def forget(folder: Path, patient: str) -> int:
    """Remove all senders that are registered for a patient; how many there were."""
    held = _read(folder)
    left = [one for one in held.webhooks if one.patient != patient]
    if len(left) < len(held.webhooks):
        _write(folder, _Held(held.last, left))
    return len(held.webhooks) - len(left)


def secret_of(webhook: Webhook, master: MasterKey) -> str:
    """The secret that its sender signs with, ``whsec_`` and base64."""
    what = f"webhook/{webhook.number}/{webhook.name}" + (f"/{webhook.nonce}" if webhook.nonce else "")
    return PREFIX + base64.b64encode(master.derived(what.encode())).decode()


def signature(secret: str, identifier: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and base64 of what the standard has signed."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise FormatError("a secret that is not base64", expected="whsec_ and base64") from error
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()


def check(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise :class:`AccessDenied` unless the request is signed with the secret and new. Headers by lower-case name."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (identifier and timestamp and given):
        raise AccessDenied(
            "a request without its signature", expected="the headers webhook-id, webhook-timestamp and webhook-signature",
            remedy="sign it as Standard Webhooks 1.0 has it",
        )  # fmt: skip
    if not re.fullmatch(r"\d{1,12}", timestamp) or abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        raise AccessDenied(
            "a webhook-timestamp that is not of now",
            expected=f"seconds since 1970, within {TOLERANCE:g} s of this server's clock",
            remedy="set the sender's clock; sign each attempt anew",
        )
    right = signature(secret, identifier, timestamp, body).encode()
    if sum(hmac.compare_digest(right, one.encode()) for one in given.split()[:16]) == 0:
        raise AccessDenied(
            "a signature that is not this sender's", expected="v1,base64 of HMAC-SHA256 over id.timestamp.body"
        )


def _read(folder: Path) -> _Held:
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return _Held()
    try:
        return msgspec.json.decode(content, type=_Held)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"senders that cannot be read ({error})", expected="the file as medtwin wrote it", where=FILE,
            remedy="put it back from a backup, or remove it and register the senders anew",
        ) from None  # fmt: skip


def _write(folder: Path, held: _Held) -> None:
    """Whole or not at all."""
    fresh = folder / f".{FILE}.new"
    write_private(fresh, msgspec.json.format(msgspec.json.encode(held)))
    fresh.replace(folder / FILE)


def described(webhook: Webhook) -> dict[str, object]:
    """As JSON values, without the secret."""
    return {name: value for name, value in asdict(webhook).items() if name != "nonce"}
