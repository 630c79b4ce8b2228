"""The command as a whole: quick help, the same options everywhere, examples that parse, a page that is current."""

import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from typer.main import get_command
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


def cpu(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick():
    """Against what the library of commands itself costs, in turns, so that a slow machine slows both."""
    runs = [
        (cpu("-m", "medtwin.cli.main", "--help"), cpu("-c", "import typer, typer.core, typer.main")) for _ in range(3)
    ]
    assert median(ours / theirs for ours, theirs in runs) < 4.0


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
    """All of the tree, and not as the reference page walks it: whatever does something, a group too."""

    def walk(name, command):
        inner = getattr(command, "commands", {})
        if not inner or (command.invoke_without_command and name != "medtwin"):
            yield name, command
        for key, value in inner.items():
            yield from walk(f"{name} {key}", value)

    found = dict(walk("medtwin", get_command(app)))
    assert set(found) == set(ALL)
    assert len(found) > 20
    for name, command in found.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert options >= {"--home", "--json"}, name


PAGES = [
    "README.md", "docs/tutorial.md", "docs/tutorial-glucose.md", "docs/tutorial-trials.md", "docs/write-a-controller.md",
    "docs/mappings/README.md", "docs/write-a-model.md", "docs/hospital-messages.md", "docs/coronary.md",
    "docs/genome.md",
]  # fmt: skip


def typed_in(page):
    """The commands that a page shows: whole lines of blocks of code, and words between backticks."""
    text = (ROOT / page).read_text()
    lines = re.findall(r"^(?:    |\$ )?(?:\.venv/bin/)?(medtwin .*)$", text, re.MULTILINE)
    return [*lines, *re.findall(r"`(medtwin [^`\n]*)`", text)]


@pytest.mark.parametrize(("page", "line"), [(page, line) for page in PAGES for line in typed_in(page)])
def test_every_command_of_the_pages_is_one(page, line):
    words = [word.strip("[]") for word in shlex.split(line, comments=True)[1:]]
    if ">" in words:
        words = words[: words.index(">")]
    if words[:1] in (["COMMAND"], ["--version"]):
        return
    name = next(n for n in sorted(ALL, key=len, reverse=True) if f"medtwin {' '.join(words)} ".startswith(f"{n} "))
    command, rest = ALL[name], words[len(name.split()) - 1 :]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in rest if re.match(r"--?[a-z]", word)} <= known
    if rest and "--help" not in rest:
        command.make_context(name, rest).close()


def test_the_tutorial_shows_commands():
    assert len(typed_in("docs/tutorial.md")) > 15


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


def test_python_runs_the_package_as_the_command():
    import medtwin

    done = subprocess.run([sys.executable, "-m", "medtwin", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"medtwin {medtwin.__version__}"


def test_groups_hold_their_commands():
    assert {"medtwin audit verify", "medtwin audit list", "medtwin quarantine list", "medtwin quarantine show"} <= set(
        ALL
    )
