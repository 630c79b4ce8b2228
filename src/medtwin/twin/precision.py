"""64 bit, and a compilation cache that only this user can read: set before the first compilation."""

from __future__ import annotations

import os
from pathlib import Path

import jax
from platformdirs import user_cache_path


def prepare() -> None:
    """Idempotent. ``MEDTWIN_CACHE`` names another folder for compiled code; a cache that cannot be made is done without."""
    jax.config.update("jax_enable_x64", True)
    if getattr(jax.config, "jax_compilation_cache_dir", None) is not None:
        return
    folder = Path(os.environ.get("MEDTWIN_CACHE") or user_cache_path("medtwin")) / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
