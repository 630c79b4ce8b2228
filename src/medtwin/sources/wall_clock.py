"""Wall clocks of a file whose zone shows them twice: the order of the rows tells which of the two hours is meant.

When the clock is set back, a file in order of time jumps back once within the hour that is shown twice: the rows before
the jump lie in the first hour, those after it in the second. Nothing else tells them apart. A row before the hour and one
after it leave open whether the hour between is the first or the second, and rows in no order say nothing: then the
offset stays unknown.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import pairwise

from medtwin.record.moment import Moment, Precision, Shown


def told_apart(times: Sequence[Moment], streams: Sequence[Hashable] = ()) -> list[Moment]:
    """``times`` in the order of their rows, each that is shown twice settled where that order tells.

    ``streams`` names for each row what wrote it: where the rows as a whole are in no order, those of one stream may be.
    """
    found = list(times)
    twice = [place for place, time in enumerate(found) if time.shown is Shown.TWICE and not time.settled]
    if not twice:
        return found
    clocks = [place for place, time in enumerate(found) if time.precision > Precision.DAY and time.offset is None]
    for place, fold in _folds(found, clocks, set(twice)).items():
        found[place] = replace(found[place], local=found[place].local.replace(fold=fold), settled=True)
    if any(not found[place].settled for place in twice) and len(streams) == len(found):
        for stream in {streams[place] for place in twice}:
            own = [place for place in clocks if streams[place] == stream]
            for place, fold in _folds(found, own, {p for p in twice if not found[p].settled}).items():
                found[place] = replace(found[place], local=found[place].local.replace(fold=fold), settled=True)
    return found


def _folds(times: Sequence[Moment], places: Sequence[int], twice: set[int]) -> dict[int, int]:
    """Which hour each of the rows at ``places`` lies in that is shown twice; none where their order does not tell."""
    runs: list[list[int]] = []  # neighbouring rows within one hour that is shown twice
    outside: set[int] = set()  # the directions of all other steps: 1 forward, -1 back
    within = [False] * len(places)
    for number, (one, two) in enumerate(pairwise(places)):
        within[number + 1] = one in twice and two in twice and _near(times[one], times[two])
        if not within[number + 1]:
            outside.add(_step(times[one], times[two]))
    for number, place in enumerate(places):
        if place in twice:
            if within[number]:
                runs[-1].append(place)
            else:
                runs.append([place])
    ways = outside - {0}
    if len(ways) > 1:
        return {}
    folds: dict[int, int] = {}
    for run in runs:
        for way in ways or {1, -1}:
            steps = [_step(times[one], times[two]) * way for one, two in pairwise(run)]
            # a file that holds nothing else is in order only where several steps say the same and one the contrary
            if steps.count(-1) == 1 and (ways or steps.count(1) > 1):
                back = steps.index(-1)
                for number, place in enumerate(run):
                    folds[place] = int((number > back) == (way == 1))
    return folds


def _near(one: Moment, two: Moment) -> bool:
    """Whether two wall clocks that are shown twice belong to one change of the clock."""
    return abs((one.local - two.local).total_seconds()) < 86400


def _step(one: Moment, two: Moment) -> int:
    return (two.local > one.local) - (two.local < one.local)
