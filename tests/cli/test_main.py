"""The command as a whole: quick help, the same options everywhere, examples that parse, a page that is current."""

import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner

from medtwin.cli import reference
from medtwin.cli.main import app

ALL = dict(reference.commands())
ROOT = Path(__file__).resolve().parents[2]
PLAN = [
    "trial",
    "plan",
    "--endpoint",
    "survival",
    "--ratio",
    "0.7",
    "--median-control",
    "9",
    "--accrual",
    "9",
    "--followup",
    "9",
]
WITHOUT_JSON = {"medtwin serve"}  # it never ends by itself: it has no result


def cpu(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick():
    assert median(cpu("-m", "medtwin.cli.main", "--help") for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["forecast", "--help"], ["ingest", "--help"], ["serve", "--help"], ["trial", "plan", "--help"]],
)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom medtwin.cli.main import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'jax', 'numpy', 'polars', 'starlette', 'rich', 'cryptography', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["patients"], ["quantities"], ["audit", "verify"], ["doctor"], PLAN])
def test_what_needs_no_model_never_imports_jax(anna, arguments):
    code = (
        "import sys\nfrom medtwin.cli.main import app\n"
        f"try:\n    app({[*arguments, '--home', str(anna.home)]!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'jax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_takes_a_home_and_answers_in_json():
    for name, command in ALL.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--home" in options, name
        assert "--json" in options or name in WITHOUT_JSON, name


@pytest.mark.parametrize("name", ALL)
def test_every_command_teaches_with_examples_that_parse(name):
    command = ALL[name]
    lines = reference.example_lines(command)
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        if ">" in words:
            words = words[: words.index(">")]
        typed = name.split()
        assert words[: len(typed)] == typed, line
        with command.make_context(name, words[len(typed) :], resilient_parsing=False) as context:
            assert context.params


def test_the_examples_of_the_front_page_name_commands():
    lines = re.findall(r"medtwin ([a-z-]+)", app.info.epilog)
    assert len(lines) >= 5
    assert {f"medtwin {name}" for name in lines} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_argument_and_option_says_what_it_is(name):
    assert len(ALL[name].help) > 20
    for parameter in ALL[name].params:
        assert getattr(parameter, "help", None), parameter.name


def test_the_reference_page_is_current_and_whole():
    written = (ROOT / reference.PAGE).read_text()
    assert written == reference.page(), "run python -m medtwin.cli.reference"
    for name, command in ALL.items():
        part = written.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert part, name
        for parameter in command.params:
            for option in getattr(parameter, "opts", []):
                assert option.startswith("-") is False or option in part, (name, option)


def test_the_reference_check_notices_a_stale_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / reference.PAGE).write_text("old")
    assert reference.main(["--check"]) == 1
    assert "medtwin.cli.reference" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["forecast"], ["forecast", "anna", "--hours", "x"], ["nothing"], ["patients", "--strange"]]
)
def test_wrong_usage_ends_with_two(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_error_is_one_sentence_on_standard_error(anna):
    done = anna("show", "nobody", code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("found an unknown patient")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_home_that_is_not_there_is_not_made(run, tmp_path):
    run.home = tmp_path / "typo"
    assert "no home" in run("patients", code=1).stderr
    assert not run.home.exists()


def test_a_fault_of_our_own_is_named_without_a_traceback(monkeypatch, run):
    def broken(*_, **__):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("medtwin.record.doctor.checks", broken)
    done = run("doctor", code=1)
    assert "ZeroDivisionError: planted" in done.stderr
    assert "MEDTWIN_DEBUG=1" in done.stderr
    monkeypatch.setenv("MEDTWIN_DEBUG", "1")
    shown = CliRunner().invoke(app, ["doctor", "--home", str(run.home)])
    assert isinstance(shown.exception, ZeroDivisionError)


def test_the_version_is_printed():
    import medtwin

    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == f"medtwin {medtwin.__version__}"


def test_groups_hold_their_commands():
    assert {"medtwin audit verify", "medtwin audit list", "medtwin quarantine list", "medtwin quarantine show"} <= set(
        ALL
    )
