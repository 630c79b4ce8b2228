"""Text as identity compares it: plain letters and digits, placeholders seen as nothing, similarity of two strings."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORDS = re.compile(r"[^a-z0-9]+")
_NOBODY = frozenset(
    ("unknown", "unk", "unbekannt", "inconnu", "none", "null", "na", "nn", "nil", "test", "baby", "babyboy", "babygirl",
     "newborn", "infant", "male", "female", "anonymous", "xxx", "notknown", "notstated", "refused", "pending", "patient")
)  # fmt: skip
_FILLED = frozenset(("123456789", "1234567890", "12345678", "1234567", "987654321", "9876543210"))
#: numbers of cards in advertisements, used by thousands (US Social Security Administration, "Misused SSNs"; from memory)
_ADVERTISED = frozenset(("078051120", "219099999", "457555462"))
#: what stands where somebody has no address (judgement)
_NOWHERE = frozenset(
    ("nofixedabode", "nofixedaddress", "nofixaddress", "nfa", "homeless", "noaddress", "unknownaddress", "addressunknown",
     "notavailable", "notgiven", "withoutaddress", "obdachlos", "ohnefestenwohnsitz", "wohnungslos", "ofw", "sansdomicilefixe")
)  # fmt: skip
_NO_DATE = frozenset(
    ("00000000", "19000101", "18000101", "18991231", "00010101", "11111111", "99991231", "99999999", "20991231")
)


@lru_cache(maxsize=100_000)
def plain(written: str) -> str:
    """Lower case, without accents, with one space between words: ``Müller-Lüdenscheidt`` is ``muller ludenscheidt``."""
    letters = unicodedata.normalize("NFKD", written.casefold())
    kept = "".join(one for one in letters if not unicodedata.combining(one))
    if kept.isascii():
        return _WORDS.sub(" ", kept).strip()
    return " ".join("".join(one if one.isalnum() else " " for one in kept).split())


@lru_cache(maxsize=100_000)
def name(written: str) -> str:
    """A name as :func:`plain`; nothing where it stands for no name (``UNKNOWN``, ``Baby Boy``, ``xxx``)."""
    said = plain(written)
    joined = said.replace(" ", "")
    return "" if joined in _NOBODY or (len(joined) > 2 and len(set(joined)) == 1) else said


@lru_cache(maxsize=100_000)
def place(written: str) -> str:
    """A part of an address as :func:`plain`; nothing where it stands for no address (``unknown``, ``No fixed abode``)."""
    said = name(written)
    return "" if said.replace(" ", "") in _NOWHERE else said


@lru_cache(maxsize=100_000)
def postal_code(written: str) -> str:
    """As :func:`number`; nothing for ZZ99 either, with which British codes of no address begin (from memory)."""
    said = number(written)
    return "" if said.startswith("zz99") or said in _NOWHERE else said


@lru_cache(maxsize=100_000)
def phone(written: str) -> str:
    """The last nine digits; nothing for a placeholder, such as any number that ends in six equal digits."""
    said = number("".join(one for one in written if one.isdigit()))
    return "" if len(said) >= 6 and len(set(said[-6:])) == 1 else said[-9:]


@lru_cache(maxsize=100_000)
def number(written: str) -> str:
    """An identifier's letters and digits; nothing where it is a placeholder: one character repeated, 1234..., ``none``."""
    said = plain(written).replace(" ", "")
    if len(said) < 2 or len(set(said)) == 1 or said in _NOBODY or said in _FILLED or said in _ADVERTISED:
        return ""
    return said


@lru_cache(maxsize=100_000)
def date(written: str) -> str:
    """The digits of a date of birth, YYYYMMDD or fewer where less is known; nothing for a placeholder such as 1900-01-01."""
    said = re.sub(r"[^0-9]", "", written[:10])
    return "" if said in _NO_DATE or len(said) < 4 or len(set(said)) == 1 else said


@lru_cache(maxsize=400_000)
def jaro_winkler(first: str, second: str) -> float:
    """Similarity of two strings, 0 to 1: Jaro 1989 with Winkler's 1990 bonus of 0.1 for each of four equal first letters."""
    if first == second:
        return 1.0 if first else 0.0
    reach = max(max(len(first), len(second)) // 2 - 1, 0)
    free = [True] * len(second)
    ours: list[str] = []
    for at, letter in enumerate(first):
        for there in range(max(0, at - reach), min(at + reach + 1, len(second))):
            if free[there] and second[there] == letter:
                free[there] = False
                ours.append(letter)
                break
    if not ours:
        return 0.0
    theirs = [letter for letter, unmet in zip(second, free, strict=True) if not unmet]
    moved = sum(a != b for a, b in zip(ours, theirs, strict=True)) / 2
    met = len(ours)
    jaro = (met / len(first) + met / len(second) + (met - moved) / met) / 3
    prefix = 0
    for a, b in zip(first[:4], second[:4], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + 0.1 * prefix * (1 - jaro)


@lru_cache(maxsize=400_000)
def edits(first: str, second: str) -> int:
    """Optimal string alignment distance: insertions, deletions, changes, and exchanges of two neighbours (Damerau 1964)."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        older, before, row = before, row, [i] + [0] * len(second)
        for j, b in enumerate(second, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]
