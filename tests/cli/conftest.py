"""One home with one person in it, made by the commands themselves; and a way to run them in process."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import files
from medtwin.cli.main import app

VERSIONS = {"audit-list": 2}  #: of the documents that are no longer as they were first


class Run:
    """Runs commands; ``home`` goes along with each."""

    def __init__(self, home):
        self.home = home

    def __call__(self, *arguments, code=0, stdin=None):
        line = [*(str(a) for a in arguments), "--home", str(self.home)]
        # as wide as a pipe gets it, whatever the terminal that the tests run in
        result = CliRunner().invoke(app, line, input=stdin, env={"COLUMNS": "132"})
        shown = f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
        assert result.exit_code == code, shown
        assert "Traceback" not in shown
        return result

    def plain(self, *arguments, code=0):
        """What a command without a home of its own says, both streams."""
        result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "132"})
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
        return result.stdout + result.stderr

    def document(self, *arguments):
        """The document of such a command."""
        return json.loads(CliRunner().invoke(app, [*(str(a) for a in arguments), "--json"]).stdout)

    def json(self, *arguments, code=0):
        """The document, whose schema must name the command."""
        said = json.loads(self(*arguments, "--json", code=code).stdout)
        command = (
            arguments[0]
            if arguments[0] not in ("quarantine", "audit", "trial", "people", "webhook")
            else "-".join(arguments[:2])
        )
        assert said["schema"] == f"medtwin/{command}/{VERSIONS.get(command, 1)}"
        return said


def taken_in(home, folder, **more):
    run = Run(home)
    glucose, given, mapping = files.write(folder, **more)
    said = run.json("ingest", glucose, given, "--patient", "anna", "--timezone", "Europe/London", "--mapping", mapping)
    assert said["not_stored"] == []
    return run


@pytest.fixture(scope="session")
def anna(tmp_path_factory):
    """A person with type 1 diabetes and four days of readings. Tests only read of her."""
    run = taken_in(tmp_path_factory.mktemp("anna"), tmp_path_factory.mktemp("files"))
    run("state", "anna", "diagnosis", "46635009", "--at", "2010")
    return run


@pytest.fixture
def run(own_home: Path):
    """Commands in an empty home."""
    return Run(own_home)
