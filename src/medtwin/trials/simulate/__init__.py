"""Whole trials simulated and analysed in batches: power, type I error, bias and coverage, with their Monte Carlo errors.

``scenario`` says what is simulated, ``outcomes/`` draw it (one file an endpoint), ``analysers/`` analyse it (one file a family),
``run`` does many trials, ``grid`` many scenarios; ``type_one`` and ``planned_power`` write the pages of evidence.
"""

from medtwin.trials.simulate.run import simulate
from medtwin.trials.simulate.scenario import Scenario

__all__ = ["Scenario", "simulate"]
