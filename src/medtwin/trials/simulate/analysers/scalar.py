"""Any analysis: a function of one simulated trial, called for one trial after the other.

    Scalar("my test", my_function)       my_function(trial: TrialData) -> Estimate

The function must be importable by name (not a lambda) to run on several processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medtwin.trials.analysis.data import TrialData
from medtwin.trials.estimate import Estimate
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import ENDPOINTS, Scenario


@dataclass(frozen=True, slots=True)
class Scalar:
    """``function`` of a trial with the covariates of ``adjust``; ``of``: the truth, from the scenario."""

    name: str
    function: Callable[[TrialData], Estimate]
    adjust: str = "all"
    of: Callable[[Scenario], float] | None = None
    endpoints: tuple[str, ...] = ENDPOINTS[:4]

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """One after the other."""
        return loop(lambda held, number, _: self.function(held.trial(number, self.adjust)), batch, scenario)

    def truth(self, scenario: Scenario) -> float | None:
        """As said."""
        return None if self.of is None else self.of(scenario)
