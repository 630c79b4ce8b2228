"""A belief as bytes, with dialect, and back."""

from __future__ import annotations

from dataclasses import fields

import jax.numpy as jnp
import msgspec
import numpy as np

from medtwin.errors import FormatError
from medtwin.inference.belief import Belief, Mixture

DIALECT = "medtwin-belief/1"


def to_bytes(belief: Belief) -> bytes:
    """Bytes of a mixture: its names and arrays, exactly."""
    assert isinstance(belief, Mixture)
    arrays = {
        name: (str(array.dtype), list(array.shape), np.ascontiguousarray(array).tobytes())
        for name, array in ((n, np.asarray(getattr(belief, n))) for n in _arrays())
    }
    return msgspec.msgpack.encode((DIALECT, list(belief.names), list(belief.hypotheses), arrays))


def from_bytes(content: bytes) -> Mixture:
    """Inverse of :func:`to_bytes`; raises FormatError for another dialect."""
    dialect, names, hypotheses, arrays = msgspec.msgpack.decode(content)
    if dialect != DIALECT:
        raise FormatError(f"a belief of dialect {dialect!r}", expected=DIALECT, remedy="assimilate anew")
    values = {n: jnp.asarray(np.frombuffer(raw, kind).reshape(shape)) for n, (kind, shape, raw) in arrays.items()}
    return Mixture(names=tuple(names), hypotheses=tuple(hypotheses), **values)


def _arrays() -> tuple[str, ...]:
    return tuple(f.name for f in fields(Mixture) if not f.metadata.get("static", False))
