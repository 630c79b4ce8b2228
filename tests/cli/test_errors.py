"""No error without a way out: each that is raised on purpose says what was expected, or what to do."""

import ast
import builtins
from pathlib import Path

import pytest

import medtwin

ROOT = Path(medtwin.__file__).parent
ROOMS = ("cli", "applications", "twin")


def raised(tree):
    """(line, keywords) of each error of medtwin's own that is raised with words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            name = node.exc.func.id
            if (name.endswith("Error") and not hasattr(builtins, name)) or name == "UnknownPatient":
                yield node.lineno, {keyword.arg for keyword in node.exc.keywords}


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_says_what_was_expected_or_what_to_do(room):
    files = sorted((ROOT / room).rglob("*.py"))
    seen = [
        (f"{file.relative_to(ROOT)}:{line}", keywords)
        for file in files
        for line, keywords in raised(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert len(seen) > 5
    assert [where for where, keywords in seen if not keywords & {"expected", "remedy"}] == []


def test_a_file_that_is_not_there_is_named_with_what_to_look_at(anna):
    said = anna("what-if", "anna", "--scenario", "missing.yaml", "--as-of", "last", code=1).stderr
    assert "missing.yaml; look at its name and its rights" in said
