"""Each parser under a coverage-guided fuzzer for a bounded time; only a FormatError may leave it.

pytest -m fuzz tests/sources/test_fuzz.py        (needs atheris: the extra `fuzz`)
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sources.test_properties import GOOD

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None, reason="atheris is not installed: the extra `fuzz`"
    ),
]
SECONDS = int(os.environ.get("MEDTWIN_FUZZ_SECONDS", "1"))
TARGET = """
import sys
import atheris

with atheris.instrument_imports(include=["medtwin.sources"]):
    from medtwin.errors import FormatError
    from medtwin.sources import archives
    from medtwin.sources.item import Intake
    from medtwin.sources.mllp import Frames, answer
    from medtwin.sources.recognise import dialects, recognise
    sys.path.insert(0, {tests!r})
    from sources.reading import NOW, items, payload
    from sources.test_table import mapping

name, tables = {name!r}, mapping()
reader = {{dialect.name: dialect for dialect in dialects()}}.get(name)


def once(raw):
    try:
        if reader is not None:
            items(raw, reader, tables=tables)
        elif name == "mllp":
            for found in [raw, *Frames(10_000).feed(raw)]:
                assert b"MSA" in answer(found, "AE", raw.decode("latin-1"))
        else:
            for found in archives.walk(payload(raw)):
                if not isinstance(found, archives.Refused):
                    recognise(found, Intake(file="x", now=NOW, tables=tables))
    except FormatError:
        pass


atheris.Setup([sys.argv[0], {corpus!r}, "-max_total_time={seconds}", "-max_len=20000", "-rss_limit_mb=2048", "-timeout=20"], once)
atheris.Fuzz()
"""


@pytest.mark.parametrize("name", [*GOOD, "archives", "mllp"])
def test_only_a_format_error_leaves_a_parser(name: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for other, raw in GOOD.items():
        if name in (other, "archives"):
            (corpus / other).write_bytes(raw)
        if name == "mllp":
            (corpus / other).write_bytes(b"\x0b" + raw + b"\x1c\r")
    script = tmp_path / "target.py"
    tests = str(Path(__file__).resolve().parents[1])
    script.write_text(TARGET.format(tests=tests, name=name, corpus=str(corpus), seconds=SECONDS))
    # A process inherits the greatest memory that its parent ever used as its own mark, and the fuzzer's limit counts it:
    # a small shell in between makes the limit that of the parser alone.
    ran = subprocess.run(
        ["/bin/sh", "-c", '"$0" "$1"; exit $?', sys.executable, str(script)],
        capture_output=True, text=True, cwd=tmp_path, timeout=SECONDS + 120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "Done" in ran.stderr
