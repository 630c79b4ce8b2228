"""Keys: one master key of a home, one data key per owner of facts, and what is derived from them.

The master key lies in a file of its own (mode 0600) beside the database, so that neither the file nor the database
alone reads a name or a raw byte. Each data key is random (AES-256-GCM) and is kept wrapped under the master key;
destroying the wrapped key makes whatever it sealed unreadable, wherever a copy of the sealed bytes may still lie.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from medtwin.errors import StoreError

DIALECT = "medtwin-master-key/1"
_NONCE = 12


class DataKey:
    """A data key in use. ``seal`` and ``open`` bind the bytes to their place through ``context``."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)

    @classmethod
    def new(cls) -> DataKey:
        return cls(os.urandom(32))

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Nonce (12 bytes), ciphertext and tag (16 bytes)."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plain bytes; raises :class:`StoreError` when the bytes, their place or the key are not the right ones."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise StoreError(
                "sealed bytes that do not open",
                expected="the bytes as they were written, under their own key",
                where=context.decode("ascii", "replace"),
                remedy="restore this home from a backup",
            ) from None

    @property
    def secret(self) -> bytes:
        return self._key


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The root of a home's keys. ``home`` (16 hex digits) names the home; it is no secret."""

    secret: bytes
    home: str

    def derived(self, purpose: bytes) -> bytes:
        """32 bytes for one purpose: keyed BLAKE2b of the purpose under the master secret."""
        return blake2b(purpose, key=self.secret, digest_size=32, person=b"medtwin/keys").digest()

    def wrap(self, key: DataKey, context: bytes) -> bytes:
        """The data key, sealed under the master key and bound to its owner by ``context``."""
        return DataKey(self.derived(b"wrap")).seal(key.secret, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> DataKey:
        """The data key again; raises :class:`StoreError` when another master key or context wrapped it."""
        return DataKey(DataKey(self.derived(b"wrap")).open(wrapped, context))

    def written(self) -> bytes:
        """The file's content: dialect, home and secret, one a line."""
        return f"{DIALECT}\n{self.home}\n{base64.b64encode(self.secret).decode('ascii')}\n".encode("ascii")

    @classmethod
    def read(cls, content: bytes, where: str = "") -> MasterKey:
        """The key in a file's content; raises :class:`StoreError` for anything else."""
        try:
            dialect, home, secret = content.decode("ascii").split()
            key = cls(base64.b64decode(secret, validate=True), home)
        except ValueError:
            dialect, key = "something else", None
        if dialect != DIALECT or key is None or len(key.secret) != 32:
            raise StoreError(
                f"a master key file of {dialect}", expected=DIALECT, where=where, remedy="restore it from a backup"
            )
        return key

    @classmethod
    def new(cls) -> MasterKey:
        return cls(os.urandom(32), os.urandom(8).hex())


def load(path: Path) -> MasterKey:
    """The master key of a home; raises :class:`StoreError` when it is missing, open to others or not readable."""
    try:
        mode = path.stat().st_mode & 0o777
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"no readable master key ({error.strerror})",
            where=str(path),
            remedy="restore this home from a backup; without its key nothing that was sealed can be read",
        ) from None
    if mode & 0o077:
        raise StoreError(
            f"a master key file of mode {mode:04o}", expected="0600", where=str(path), remedy=f"chmod 600 {path}"
        )
    return MasterKey.read(content, str(path))


def create(path: Path, key: MasterKey | None = None) -> MasterKey:
    """Write a new master key durably (mode 0600), never over an existing one."""
    key = key or MasterKey.new()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key.written())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
