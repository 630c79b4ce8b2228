"""The simulator: trials of a scenario, analysed by one or several analyses, in chunks, on one process or several.

Every analysis sees the same trials. The result does not depend on the number of processes, nor on the order in which chunks
end: each chunk has its own random stream, and sums are exact.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.simulate.decide import tally
from medtwin.trials.simulate.draw import draw
from medtwin.trials.simulate.fits import Analyser
from medtwin.trials.simulate.scenario import Scenario
from medtwin.trials.simulate.seeds import chunk_trials
from medtwin.trials.simulate.tally import Characteristics, Tally, characteristics, merged

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Neighbouring chunks of one scenario."""

    scenario: Scenario
    analyses: tuple[Analyser, ...]
    seed: int
    first: int  #: chunk
    trials: int  #: from the first of that chunk on


def work(task: Task) -> tuple[Tally, ...]:
    """A tally for each analysis."""
    # Freed at once: glibc then keeps blocks of up to this size for the next chunk, instead of handing each back to the system
    # and faulting every page in anew (a third of the logistic kernel's time).
    np.empty(2_000_000)
    size = chunk_trials(task.scenario)
    parts: list[list[Tally]] = [[] for _ in task.analyses]
    left, chunk = task.trials, task.first
    while left > 0:
        batch = draw(task.scenario, task.seed, chunk)
        if left < size:
            batch = batch.trials(left)
        for place, analyser in enumerate(task.analyses):
            parts[place].append(tally(analyser, task.scenario, batch))
        left, chunk = left - size, chunk + 1
    return tuple(merged(part) for part in parts)


def tasks_of(scenario: Scenario, analyses: Sequence[Analyser], trials: int, seed: int, chunks: int = 10) -> list[Task]:
    """``chunks`` chunks a task."""
    if trials < 1 or not analyses:
        raise AnalysisError(
            f"{trials} trials, {len(analyses)} analyses", expected="at least one of each", where="simulator"
        )
    for analyser in analyses:
        if scenario.endpoint not in analyser.endpoints:
            raise AnalysisError(f"{analyser.name} of a {scenario.endpoint} endpoint", where="simulator",
                                expected=f"an endpoint among {analyser.endpoints}")  # fmt: skip
    size = chunk_trials(scenario) * chunks
    return [
        Task(
            scenario=scenario,
            analyses=tuple(analyses),
            seed=seed,
            first=begin // size * chunks,
            trials=min(size, trials - begin),
        )
        for begin in range(0, trials, size)
    ]  # fmt: skip


@contextmanager
def workers(processes: int) -> Iterator[Callable[[list[Task]], Iterator[tuple[Tally, ...]]]]:
    """``work`` over tasks, in their order. One process: here; more: fresh ones, with one thread of linear algebra each."""
    if processes < 2:
        yield lambda tasks: map(work, tasks)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            try:
                yield lambda tasks: pool.map(work, tasks)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def collect(
    scenario: Scenario, analyses: Sequence[Analyser], parts: Sequence[tuple[Tally, ...]]
) -> tuple[Characteristics, ...]:
    """The characteristics of each analysis from the tallies of all tasks."""
    return tuple(
        characteristics(merged(one[place] for one in parts), analyser.name, analyser.truth(scenario),
                        events=scenario.endpoint == "survival")
        for place, analyser in enumerate(analyses)
    )  # fmt: skip


def simulate(
    scenario: Scenario, analyses: Sequence[Analyser], *, trials: int = 10_000, seed: int = 0, processes: int = 1,
    tell: Callable[[str, int, int], None] | None = None,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """One result an analysis. ``tell``: called with (name, trials done, trials in all)."""
    tasks = tasks_of(scenario, analyses, trials, seed)
    parts: list[tuple[Tally, ...]] = []
    done = 0
    with workers(processes if len(tasks) > 1 else 1) as run:
        for task, part in zip(tasks, run(tasks), strict=True):
            parts.append(part)
            done += task.trials
            if tell is not None:
                tell("", done, trials)
    return collect(scenario, analyses, parts)
