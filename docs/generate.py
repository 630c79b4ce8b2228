"""The generated pages: methodology from the models, the command line's reference, evidence from committed results.

    python -m docs.generate [--check]

``--check`` writes nothing and exits 1 where a page on disk is not what would be written. Evidence is made by studies
that take minutes; each page in ``docs/evidence`` names the command that makes it, and this command leaves them alone.
"""

from __future__ import annotations

import subprocess
import sys

GENERATORS = ("medtwin.evidence.methodology", "medtwin.cli.reference", "medtwin.trials.analysis_plan.reference")


def main() -> int:
    """Run each generator in a process of its own; the worst exit code."""
    codes = []
    for module in GENERATORS:
        done = subprocess.run([sys.executable, "-m", module, *sys.argv[1:]], check=False)  # noqa: S603
        codes.append(done.returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
