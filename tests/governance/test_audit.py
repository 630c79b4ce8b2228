from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.governance.audit import START, AuditEntry, HeadFile, chain, pseudonym, verify

KEY = b"k" * 32
PLAIN = AuditEntry(
    time=1, who="w", role="owner", purpose="self", action="record", patient=None, quantities="", count=1, sequence=2,
    entry="e",
)  # fmt: skip


def rows(count, key=KEY):
    previous, made = START, []
    for number in range(1, count + 1):
        fields = replace(PLAIN, count=number).fields()
        previous = chain(number, fields, previous, key)
        made.append((number, fields, previous))
    return made


def test_a_whole_chain_is_whole():
    made = rows(5)
    assert verify(made, KEY, [(5, made[-1][2])]) == (5, None)
    assert verify([], KEY, []) == (0, None)


@given(st.integers(1, 8), st.integers(0, 9), st.data())
def test_any_single_change_is_named(number, field, data):
    made = rows(8)
    at = number - 1
    fields = list(made[at][1])
    fields[field] = data.draw(st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=3)))
    if tuple(fields) == made[at][1]:
        return
    made[at] = (number, tuple(fields), made[at][2])
    assert verify(made, KEY, []) == (number, number)


@given(st.integers(1, 7))
def test_a_row_taken_out_is_named(number):
    made = rows(8)
    del made[number - 1]
    assert verify(made, KEY, []) == (number, number)


def test_exchanged_rows_are_named():
    made = rows(4)
    made[1], made[2] = made[2], made[1]
    assert verify(made, KEY, [])[1] == 2


def test_a_chain_made_again_without_the_key_is_no_chain():
    assert verify(rows(3, key=b"x" * 32), KEY, []) == (1, 1)


def test_rows_cut_off_the_end_are_missed_by_the_head_alone():
    made = rows(5)
    assert verify(made[:3], KEY, []) == (3, None)
    assert verify(made[:3], KEY, [(5, made[4][2])]) == (3, 4)
    assert verify(made, KEY, [(3, made[2][2])]) == (5, None)
    assert verify(made, KEY, [(3, b"x" * 32)]) == (3, 3)


def test_heads_that_contradict_each_other_are_never_both_true():
    """The rows were cut back and grew again to the same number: the database's own head is true, the other one is not."""
    made = rows(5)
    for heads in ([(5, b"x" * 32), (5, made[4][2])], [(5, made[4][2]), (5, b"x" * 32)]):
        assert verify(made, KEY, heads) == (5, 5)
    assert verify(made[:1], KEY, [(1, b""), (1, made[0][2])]) == (1, 1), (
        "an unsealed head file beside a chain of one row"
    )
    assert verify(made, KEY, [(5, made[4][2])] * 2) == (5, None)


def test_a_head_file_keeps_the_head(tmp_path):
    head = HeadFile(tmp_path / "h", KEY)
    assert head.read() is None
    for number in (9, 100_000, 10):
        head.write(number, b"%032d" % number)
        assert head.read() == (number, b"%032d" % number)
    assert (tmp_path / "h").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("forge", [
    lambda content: content.replace(b'"number":10', b'"number":11'),
    lambda content: b"{}",
    lambda content: b"",
    lambda content: content.replace(b"head/1", b"head/2"),
])  # fmt: skip
def test_a_head_file_written_by_hand_is_not_believed(tmp_path, forge):
    HeadFile(tmp_path / "h", KEY).write(10, b"x" * 32)
    path = tmp_path / "h"
    path.write_bytes(forge(path.read_bytes()))
    assert HeadFile(path, KEY).read() == (0, b"")
    HeadFile(path, KEY).write(10, b"x" * 32)
    assert HeadFile(path, b"y" * 32).read() == (0, b"")


def test_a_pseudonym_is_steady_and_says_nothing():
    assert pseudonym(None, KEY) is None
    assert pseudonym("jane", KEY) == pseudonym("jane", KEY)
    assert len({pseudonym("jane", KEY), pseudonym("joan", KEY), pseudonym("jane", b"x" * 32)}) == 3
    assert "jane" not in pseudonym("jane", KEY)
