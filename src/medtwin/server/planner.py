"""Where trials are planned: one thread of its own, with an end to every piece of work.

At most ``WAITING`` requests at a time, ``SECONDS`` each. A request whose sender has gone is not worked on any further, so that
a slider that moves leaves no queue behind.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from starlette.requests import Request

from medtwin.errors import AnalysisError
from medtwin.server.http import Refusal
from medtwin.server.shapes import PlanInput

SECONDS = 15.0  #: for one plan
WAITING = 8


class Stopped(Exception):
    """The work is ended: its time is over, or nobody waits for it."""


class Planner:
    """One thread that plans, and how many wait for it."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, "medtwin-plan")
        self.waiting = 0
        self.stops: set[threading.Event] = set()

    def close(self) -> None:
        for stop in list(self.stops):
            stop.set()
        self.pool.shutdown(wait=True, cancel_futures=True)

    async def plan(self, asked: PlanInput, request: Request) -> dict[str, Any]:
        """The plan in plain values."""
        if self.waiting >= WAITING:
            raise Refusal(503, "Busy", f"found {self.waiting} plans being worked on", "Try again in a moment.")
        stop = threading.Event()
        self.waiting += 1
        self.stops.add(stop)
        work = asyncio.get_running_loop().run_in_executor(self.pool, _worked, asked, stop)
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=0.1)
                if not work.done() and await request.is_disconnected():
                    stop.set()
            return await work
        except asyncio.CancelledError:
            stop.set()
            raise
        finally:
            self.waiting -= 1
            self.stops.discard(stop)


def refusal(error: AnalysisError, endpoint: str) -> Refusal:
    from medtwin.trials.planning.faults import field_of

    words = f"found {error.found}" + (f"; expected {error.expected}" if error.expected else "")
    return Refusal(422, "Cannot be planned", words, error.remedy or None, field=field_of(error.found, endpoint))


def _worked(asked: PlanInput, stop: threading.Event) -> dict[str, Any]:
    """In the planner's thread: the plan, its text and its file; Refusal where there is none."""
    import numpy as np

    from medtwin.trials.planning.inputs import written
    from medtwin.trials.planning.plan import plan_trial
    from medtwin.trials.planning.wording import analysis_plan

    end = time.monotonic() + SECONDS

    def watch() -> None:
        if stop.is_set() or time.monotonic() > end:
            raise Stopped

    try:
        watch()
        with np.errstate(all="ignore"):  # what it leaves behind is looked for in the answer
            made = plan_trial(asked, watch=watch)
        plain: dict[str, Any] = msgspec.to_builtins(made)
        if not _finite(plain):
            raise ArithmeticError
        return {**plain, "text": analysis_plan(made), "file": written(asked)}
    except AnalysisError as error:
        raise refusal(error, asked.endpoint) from None
    except Stopped:
        raise Refusal(
            422, "Too much work", f"found a plan that takes more than {SECONDS:g} s",
            "Plan for a larger effect or fewer looks, or use `medtwin trial plan`.",
        ) from None  # fmt: skip
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        raise Refusal(
            422, "Cannot be planned", "found numbers so large or so small that nothing can be worked out of them",
            "Give the effect and its spread in a unit in which they are between 0.001 and 1000.",
        ) from None  # fmt: skip


def _finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(_finite(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(_finite(inner) for inner in value)
    return not isinstance(value, float) or math.isfinite(value)
