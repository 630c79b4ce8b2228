"""``python -m medtwin.trials.prognostic.demonstration DATA_FOLDER [--draws 300] [--seed 1]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from medtwin.trials.prognostic.demonstration import data as source
from medtwin.trials.prognostic.demonstration import page, study


def main(argv: list[str] | None = None) -> int:
    """Run the study and write the page."""
    name = "python -m medtwin.trials.prognostic.demonstration"
    parser = argparse.ArgumentParser(prog=name, description=source.__doc__)
    parser.add_argument("folder", type=Path, help="folder with pbcseq.csv and reference_pbcseq_twin_baselines.json")
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("docs/evidence/prognostic-twins.md"))
    given = parser.parse_args(argv)
    command = f"{name} DATA_FOLDER --draws {given.draws} --seed {given.seed}"
    text = write(source.read(given.folder), given.draws, given.seed, command)
    given.report.write_text(text)
    print(text)
    return 0


def write(patients: source.Patients, draws: int, seed: int, command: str) -> str:
    """The page of a run."""
    made = study.forecasts(patients, draws, seed)
    print("draws are made", file=sys.stderr, flush=True)
    return page.page(
        patients, made, study.ranking(patients, made), study.rows(patients, made, seed),
        study.discriminations(patients, made, seed), study.dependences(patients, made),
        study.conformed(patients, draws, seed), study.landmarks(patients, made, draws, seed), study.copies(patients, seed),
        command, draws,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
