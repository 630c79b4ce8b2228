"""Groups, small cells, and what the rules withhold."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.fair.groups import find_groups
from medtwin.trials.fair.rules import Rules, shown


def test_the_unknown_are_a_group():
    frame = pl.DataFrame({"sex": ["F", None, "M", " "], "site": [1.0, 2.0, None, float("nan")]})
    found = {(g.column, g.level): g.members.sum() for g in find_groups(frame, ["sex", "site"], intersections=False)}
    assert found == {
        ("all", "all"): 4, ("sex", "F"): 1, ("sex", "M"): 1, ("sex", "unknown"): 2, ("site", "1"): 1, ("site", "2"): 1,
        ("site", "unknown"): 2,
    }  # fmt: skip


def test_bands_hold_their_lower_edge():
    frame = pl.DataFrame({"age": [39.9, 40.0, 64.0, 65.0, None]})
    found = find_groups(frame, ["age"], bands={"age": (40, 65)})
    assert [(g.level, g.members.tolist().index(True)) for g in found[1:]] == [
        ("40 to below 65", 1), ("65 or more", 3), ("below 40", 0), ("unknown", 4),
    ]  # fmt: skip


def test_crossings_hold_everybody_once():
    frame = pl.DataFrame({"a": [0, 1, 0, 1], "b": ["x", "x", "y", None]})
    crossed = [g for g in find_groups(frame, ["a", "b"]) if g.column == "a x b"]
    assert [g.level for g in crossed] == ["a 0, b x", "a 0, b y", "a 1, b unknown", "a 1, b x"]
    assert sum(g.members.astype(int) for g in crossed).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("columns", "bands", "found"),
    [
        ([], None, "columns"), (["a", "a"], None, "columns"), (["n"], None, "30 values"), (["n"], {"n": (5, 3)}, "bands"),
        (["a"], {"a": (1,)}, "bands"), (["a"], {"z": (1,)}, "bands"),
    ],
)  # fmt: skip
def test_refused(columns, bands, found):
    frame = pl.DataFrame({"a": ["x"] * 30, "n": list(range(30))})
    with pytest.raises(AnalysisError, match=found):
        find_groups(frame, columns, bands=bands)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 10))
def test_a_hidden_count_cannot_be_worked_out(counts, small):
    """From the total and what is shown: either nothing is hidden, or two or more are, or there is no other to hide."""
    out = shown(counts, small)
    hidden = [n for n, s in zip(counts, out, strict=True) if s is None]
    assert all(s is None or s == n for n, s in zip(counts, out, strict=True))
    assert all(s is None or s == 0 or s >= small for s in out)
    assert len(hidden) != 1 or all(n == 0 for n, s in zip(counts, out, strict=True) if s is not None)


def test_rules_that_make_no_sense():
    with pytest.raises(AnalysisError, match="rules"):
        Rules(min_patients=1)
    with pytest.raises(AnalysisError, match="rules"):
        Rules(alpha=0.0)
