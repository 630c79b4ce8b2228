"""One reader of what people write as YAML: plans, scenarios, grids, specifications, margins.

Nothing in such a file is guessed or dropped. Refused are: more than 1 MB, bytes that are not UTF-8, a key that is given twice in
one place (PyYAML takes the last), values that their own form contradicts (2025-13-45), whole numbers that 64 bits do not hold,
aliases that repeat more than ``MOST_REPEATED`` values or themselves, and a file of another dialect. The limits keep a small
file from becoming a large one in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from medtwin.errors import AnalysisError

LARGEST = 1_000_000  #: bytes
MOST_REPEATED = 200  #: values that come from aliases, each as often as it is repeated
MERGE = "tag:yaml.org,2002:merge"  #: the key <<
#: what PyYAML's constructors raise at a value that its tag does not fit: dates, !!int, !!bool, !!timestamp
_FAULTS = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)


def read_yaml(path: Path, dialect: str | None, what: str = "a plan") -> dict[str, Any]:
    """The keys of a file whose line ``dialect:`` is this one (none: it needs none); ``what`` it should be, for the message.

    Raises :class:`AnalysisError`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise AnalysisError(f"no readable file ({error.strerror})", expected=what, where=str(path)) from error
    return read_yaml_text(content, dialect, what, str(path))


def read_yaml_text(content: bytes | str, dialect: str | None, what: str = "a plan", where: str = "") -> dict[str, Any]:
    """The same of bytes or text."""
    where = where or what
    held = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(held) > LARGEST:
        raise AnalysisError(f"more than {LARGEST} bytes", expected=f"{what} of at most that", where=where)
    try:
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnalysisError(f"{what} that is not YAML: a byte that is not UTF-8, at {error.start}", expected="UTF-8", where=where,
                            remedy="save the file again as UTF-8") from error  # fmt: skip
    written = _constructed(text, what, where)
    if not isinstance(written, dict) or (dialect is not None and written.get("dialect") != dialect):
        expected = "names with their values" if dialect is None else f"a first line `dialect: {dialect}`"
        raise AnalysisError(f"a file that is not {what}", expected=expected, where=where)
    if dialect is not None and (strange := [key for key in written if not isinstance(key, str)]):
        raise AnalysisError(f"{str(strange[0])[:60]} as a name", expected="words", where=where, remedy="quote it")
    return written


def _constructed(text: str, what: str, where: str) -> Any:
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _examined(loader, root, where)
        return loader.construct_document(root)
    except _FAULTS as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise AnalysisError(f"{what} that is not YAML", expected="YAML", where=f"{where}{line}",
                            remedy=str(said)[:120]) from error  # fmt: skip
    finally:
        if loader is not None:
            loader.dispose()


def _examined(loader: yaml.SafeLoader, root: yaml.Node, where: str) -> None:
    """Every value as often as it stands in the whole; aliases are the same node again."""
    seen: set[int] = set()
    mappings: set[int] = set()
    again = 0
    waiting = [root]
    while waiting:
        node = waiting.pop()
        again += id(node) in seen
        if again > MOST_REPEATED:
            raise AnalysisError(f"aliases that repeat more than {MOST_REPEATED} values", expected="fewer, none of itself",
                                where=_at(where, node), remedy="write the values out")  # fmt: skip
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            _scalar(loader, node, where)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting.extend(one for pair in node.value for one in pair)
            if id(node) not in mappings:
                mappings.add(id(node))
                _once(loader, node, where)


def _once(loader: yaml.SafeLoader, node: yaml.MappingNode, where: str) -> None:
    names = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # the loader refuses what cannot be a key
        name = ("<<",) if key.tag == MERGE else _scalar(loader, key, where)
        if name in names:
            raise AnalysisError(f"the key {key.value[:60]!r} twice", expected="each once", where=_at(where, key),
                                remedy="remove one of them")  # fmt: skip
        names.add(name)


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode, where: str) -> Any:
    """Its value; Python finds 1, 1.0 and true the same key, and so does the check."""
    if node.tag == MERGE:
        return None
    try:
        value = loader.construct_object(node)
    except _FAULTS as error:
        raise AnalysisError(f"the value {node.value[:60]!r}", expected=f"a value of its form ({node.tag.rsplit(':', 1)[-1]})",
                            where=_at(where, node), remedy="quote it where it is words") from error  # fmt: skip
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise AnalysisError(f"the number {node.value[:20]!r}...", expected="whole numbers of at most 64 bits",
                            where=_at(where, node), remedy="quote it where it is a name")  # fmt: skip
    return value


def _at(where: str, node: yaml.Node) -> str:
    return f"{where}, line {node.start_mark.line + 1}"
