"""The build hook: a wheel or an sdist carries the built page, so that it runs without Node and without a network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def page(root: str) -> ModuleType:
    """The page's build script, loaded from its file: it is not part of the package."""
    path = Path(root) / "scripts" / "build_page.py"
    spec = importlib.util.spec_from_file_location("build_page", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page when it is missing. An editable install is left alone: there `make ui` builds it."""

    def dependencies(self) -> list[str]:
        script = page(self.root)
        return [] if script.is_built() or script.system_node() is not None else [script.WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        script = page(self.root)
        if version != "editable" and not script.is_built():
            script.build()
