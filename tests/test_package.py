"""What is handed out: locks without private addresses, a wheel that carries the page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src" / "medtwin" / "server" / "static"


def test_python_lock_names_only_the_public_index() -> None:
    text = (ROOT / "uv.lock").read_text()
    hosts = {urlsplit(address).netloc for address in re.findall(r'https?://[^"\s]+', text)}
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    for package in tomllib.loads(text)["package"]:
        if package["name"] == "medtwin":
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, f"{package['name']} can be installed from nothing"
        assert all(file["hash"].startswith("sha256:") for file in files)


def test_page_lock_names_no_registry() -> None:
    packages = json.loads((ROOT / "ui" / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in packages.items() if name)


def test_page_has_no_inline_script_or_style_and_asks_no_other_origin() -> None:
    if not (STATIC / "index.html").is_file():
        pytest.fail(f"the page is not built: expected {STATIC / 'index.html'}. Run `make ui`.")
    index = (STATIC / "index.html").read_text()
    assert "<style" not in index
    assert " style=" not in index
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
    assert not re.search(r'(?:src|href)="(?!\./)', index)
    for script in STATIC.glob("assets/*.js"):
        text = script.read_text()
        assert not re.search(r"\beval\(|new Function\(", text), script.name


def test_wheel_carries_the_page(tmp_path: Path) -> None:
    if not (STATIC / "index.html").is_file():
        pytest.fail(f"the page is not built: expected {STATIC / 'index.html'}. Run `make ui`.")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in STATIC.rglob("*"):
        if file.is_file():
            assert f"medtwin/server/static/{file.relative_to(STATIC).as_posix()}" in names
    for licence in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f"licenses/{licence}") for name in names)
    assert not [name for name in names if not name.startswith(("medtwin/", "medtwin-"))]


def test_the_notice_names_what_others_wrote() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    named = re.findall(r"(?:src|tests)/[\w./]+\.(?:json|py|txt)", notice)
    assert len(named) == 6
    assert all((ROOT / path).is_file() for path in named)
    assert "Permission is hereby granted" in notice
    assert "Redistributions of source code must retain" in notice
