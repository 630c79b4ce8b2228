"""The model of ``docs/write-a-model.md``, as the page has it, so that the page is run and faults can be planted in it."""

import re
import sys
from itertools import count
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).resolve().parents[2] / "docs" / "write-a-model.md"
_numbers = count()


def blocks() -> list[str]:
    """The page's Python, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def model_source() -> str:
    """Paper, variables, model: the file that the page writes."""
    return "\n".join(blocks()[:3])


def load(source: str) -> ModuleType:
    """The source as a module of its own, which keeps its docstring."""
    module = ModuleType(f"written_model_{next(_numbers)}")
    sys.modules[module.__name__] = module
    exec(compile(source, f"{module.__name__}.py", "exec"), module.__dict__)
    return module
