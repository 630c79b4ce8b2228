"""The one reader of plan-like files: what it takes, what it refuses by name, and that no text makes it fail otherwise."""

import random
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError, MedtwinError
from medtwin.trials.fair.margins import read_margins
from medtwin.trials.planning.inputs import plan_input, read
from medtwin.trials.score.specification import read_specification
from medtwin.trials.simulate.grid import read_grid
from medtwin.trials.yaml_file import LARGEST, read_yaml, read_yaml_text

DIALECT = "medtwin-test/1"
HEAD = f"dialect: {DIALECT}\n"


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(
        b"\xef\xbb\xbf" + (HEAD + "n: 3\ncut: 2025-01-31\nlabels: {0: a, yes: b}\nlist: [1.5, µ]\n").encode()
    )
    assert read_yaml(path, DIALECT, "a plan") == {
        "dialect": DIALECT, "n": 3, "cut": date(2025, 1, 31), "labels": {0: "a", True: "b"}, "list": [1.5, "µ"],
    }  # fmt: skip
    few = HEAD + "usual: &usual {a: 1, b: 2}\none: {<<: *usual, b: 3}\ntwo: *usual\n"
    assert read_yaml_text(few, DIALECT)["one"] == {"a": 1, "b": 3}
    assert read_yaml_text("age: {mean: 38}", None) == {"age": {"mean": 38}}


def laughs(levels):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, levels)]
    return HEAD + "\n".join(lines) + "\n"


@pytest.mark.parametrize(("text", "message"), [
    ("", "not a plan"), ("[]\n", "not a plan"), ("a: 1\n", "not a plan"), ("dialect: medtwin-test/2\n", DIALECT),
    ("a: [\n", "not YAML"), (HEAD + "a: 1\nb: 2\na: 3\n", "'a' twice.*line 4"),
    (HEAD + "x: {y: [{k: 1, 'k': 2}]}\n", "'k' twice"), (HEAD + "x: {1: a, 1.0: b}\n", "'1.0' twice"),
    (HEAD + "x: {yes: a, true: b}\n", "'true' twice"), (HEAD + "x: {<<: {a: 1}, <<: {b: 1}}\n", "'<<' twice"),
    (HEAD + HEAD, "'dialect' twice"), (HEAD + "cut: 2025-13-45\n", "2025-13-45.*line 2"),
    (HEAD + f"n: {'9' * 5000}\n", "999"), (HEAD + f"n: 0x{'f' * 5000}\n", "64 bits"),
    (HEAD + f"? {'9' * 5000}\n: 1\n", "999"), (HEAD + "2025-02-30: 1\n", "2025-02-30"),
    (HEAD + "n: !!int x\n", "'x'"), (HEAD + "n: !!bool x\n", "'x'"), (HEAD + "n: !!timestamp x\n", "'x'"),
    (HEAD + "n: !!int ''\n", "''"), (HEAD + "n: !!python/object/apply:os.system [id]\n", "not YAML"),
    (HEAD + "? [a]\n: 1\n", "not YAML"), (HEAD + "1: a\n", "1 as a name"), (laughs(3), "repeat more"),
    (laughs(40), "repeat more"), (HEAD + "a: &a [*a]\n", "repeat more"), (HEAD + "a: &a {b: *a}\n", "repeat more"),
    (HEAD + "a: &a {<<: *a}\n", "repeat more"), (HEAD + "a: *b\n", "not YAML"),
    (HEAD + "a: " + "[" * 50_000, "not YAML"), (HEAD + "a: b\n" * 10 + "---\nb: 1\n", "not YAML"),
    (HEAD + "a: \x07\n", "not YAML"), (HEAD + "a: \udc80\n", "UTF-8"),
])  # fmt: skip
def test_what_is_refused(text, message):
    with pytest.raises(AnalysisError, match=message) as found:
        read_yaml_text(text, DIALECT, "a plan", "plan.yaml")
    assert found.value.where.startswith("plan.yaml")
    assert len(str(found.value)) < 500


def test_bytes_and_sizes(tmp_path):
    path = tmp_path / "plan.yaml"
    with pytest.raises(AnalysisError, match="no readable file"):
        read_yaml(path, DIALECT)
    with pytest.raises(AnalysisError, match="no readable file"):
        read_yaml(tmp_path, DIALECT)
    path.write_bytes(HEAD.encode() + b"a: \xff\n")
    with pytest.raises(AnalysisError, match="UTF-8"):
        read_yaml(path, DIALECT)
    path.write_bytes(HEAD.encode("utf-16"))
    with pytest.raises(AnalysisError, match="UTF-8"):
        read_yaml(path, DIALECT)
    path.write_text(HEAD + "# " + "x" * (LARGEST - len(HEAD) - 2))
    assert read_yaml(path, DIALECT) == {"dialect": DIALECT}
    path.write_text(path.read_text() + "x")
    with pytest.raises(AnalysisError, match="more than 1000000 bytes"):
        read_yaml(path, DIALECT)


@pytest.mark.parametrize("reader", [read, read_specification, read_grid, read_margins])
def test_every_reader_of_such_files_is_this_one(tmp_path, reader):
    path = tmp_path / "file.yaml"
    for text, message in (("a: 1\na: 2\n", "'a' twice"), ("a: 2025-13-45\n", "2025-13-45"), (laughs(9), "repeat more")):
        path.write_text(text)
        with pytest.raises(AnalysisError, match=message):
            reader(path)


def agrees(text):
    """Read as PyYAML alone reads it, or refused by name."""
    try:
        made = read_yaml_text(text, None)
    except MedtwinError:
        return None
    again = yaml.safe_load(text.encode("utf-8") if isinstance(text, str) else text.decode("utf-8-sig"))
    assert repr(made) == repr(again)  # .nan is not equal to itself
    return made


PIECES = st.sampled_from([
    "a", "b: ", ": ", "- ", "\n", "\n  ", "  ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "? ", "| \n", "> ",
    "'", '"', "#", "!!int ", "!!set ", "!!binary ", "!!timestamp ", "!!omap ", "!!float ", "!!null ", "---\n",
    "...\n", "%YAML 1.1\n", "=", "~", "1", "0x", "1_0", "1:61", ".inf", ".nan", "1e9", "yes", "2025-13-45",
    "2001-01-01 00:00:00 +99:99", "0001-01-01T00:00:00+23:59", "9" * 5000, "\\x", "\t", "\r", "\x85", "\ufeff",
    "\x00", "é", "\U0001f600",
])  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    agrees(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content):
    agrees(content)


PLAN = """\
dialect: medtwin-trial-plan/1
endpoint: continuous   # of the trial
effect: 3.0
sd: 10.0
power: 0.9
correlation: 0.5
looks: [0.5, 1.0]
"""


def test_a_plan_with_a_few_bytes_changed_is_a_plan_or_refused(tmp_path):
    path, chance = tmp_path / "plan.yaml", random.Random(7)
    words = [
        b"9" * 5000,
        b"2025-13-45",
        b"&a ",
        b"*a",
        b"\xff",
        b"- ",
        b": ",
        b"\n",
        b"{",
        b"]",
        b"1e400",
        b".nan",
        b"0x" + b"f" * 40,
    ]
    made = 0
    for _ in range(400):
        content = bytearray(PLAN.encode())
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(content))
            content[place : place + chance.choice((0, 1, 4))] = chance.choice(words)
        path.write_bytes(content)
        try:
            plan_input(read(path))
            made += 1
        except MedtwinError:
            continue
    assert 0 < made < 400
