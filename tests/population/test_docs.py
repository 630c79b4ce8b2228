"""The page on controllers runs as it stands."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "write-a-controller.md"


@pytest.mark.slow
def test_the_page_runs():
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) == 3
    held: dict[str, object] = {"__name__": "my_module"}
    for block in code:
        exec(compile(block, str(PAGE), "exec"), held)
    assert held["MyController"]
