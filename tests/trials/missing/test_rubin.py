"""Rubin's rules against figures worked out by hand."""

import math

import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.missing import pool


def test_by_hand():
    """Q 1, 2, 3 and U 4, 5, 6: W = 5, B = 1, T = 5 + 4/3 = 19/3, λ = (4/3) / (19/3) = 4/19."""
    got = pool([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert (got.value, got.within, got.between) == (2.0, 5.0, 1.0)
    assert got.standard_error == pytest.approx(math.sqrt(19 / 3), rel=1e-14)
    assert got.missing_information == pytest.approx(4 / 19, rel=1e-14)
    assert got.df == pytest.approx(2 / (4 / 19) ** 2, rel=1e-14)  # 45.125
    small = pool([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 20.0)
    observed = 21 / 23 * 20 * 15 / 19
    assert small.df == pytest.approx(1 / (1 / 45.125 + 1 / observed), rel=1e-14)


def test_sets_that_do_not_differ_change_nothing():
    got = pool([2.0, 2.0], [9.0, 9.0], 17.5)
    assert (got.value, got.standard_error, got.df, got.missing_information) == (2.0, 3.0, 17.5, 0.0)


@pytest.mark.parametrize(
    ("q", "u", "df"), [([1.0], [1.0], 5.0), ([1.0, 2.0], [1.0], 5.0), ([1.0, math.nan], [1.0, 1.0], 5.0),
                       ([1.0, 2.0], [1.0, -1.0], 5.0), ([1.0, 2.0], [1.0, 1.0], 0.0)],
)  # fmt: skip
def test_bad_input(q, u, df):
    with pytest.raises(AnalysisError):
        pool(q, u, df)
