"""The text that Prometheus reads, by the grammar of its exposition format."""

import re
from datetime import UTC, datetime

from medtwin.record.system_verbs import SystemStanding
from medtwin.sources.metrics import METRICS, exposition

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LINE = re.compile(r'(medtwin_\w+)\{system="((?:[^"\\\n]|\\["\\n])*)"\} (-?[0-9.e+]+)')


def standing(system, **more):
    fields = {
        "system": system, "patients": 2, "unassigned": 1, "facts": 12345678, "recent": 3, "newest": AT, "recorded": None,
        "raws": 4, "bytes": 5, "received": None, "quarantined": 6, "last_error": None,
    }  # fmt: skip
    return SystemStanding(**fields | more)


def test_every_line_is_of_the_grammar_and_says_what_is_held():
    odd = 'a "b"\\c\nd'
    text = exposition([standing("dexcom"), standing(odd, newest=None)])
    assert text.endswith("\n")
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP medtwin_\w+ [A-Z].*|TYPE medtwin_\w+ (counter|gauge))", line)
            continue
        name, label, value = LINE.fullmatch(line).groups()
        label = re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), label)
        found[name, label] = float(value)
    assert found["medtwin_source_facts_total", "dexcom"] == 12345678
    assert found["medtwin_source_newest_fact_seconds", "dexcom"] == AT.timestamp()
    assert ("medtwin_source_newest_fact_seconds", odd) not in found
    assert found["medtwin_source_quarantined", odd] == 6
    assert not [key for key in found if key[0] == "medtwin_source_last_recorded_seconds"]
    assert {name for name, _ in found} <= {row[0] for row in METRICS}


def test_nothing_to_tell_is_a_valid_answer():
    assert exposition([]).count("# TYPE") == len(METRICS)
