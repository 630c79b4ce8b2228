"""Random numbers by place: any chunk of any scenario alone gives the same numbers, on any number of processes.

A counter-based generator (Philox, Salmon et al. 2011, as numpy has it) is keyed by numpy's ``SeedSequence`` from the seed and
the scenario's digest, with the chunk's number as the spawn key: no chunk waits for another, and no two share a stream.
"""

from __future__ import annotations

import numpy as np

from medtwin.trials.simulate.scenario import Scenario

NUMBERS = (
    32_768  #: patients of a chunk: 0.26 MB a column (float64), so that a chunk stays in the cache, as the kernels' own
)


def generator(scenario: Scenario, seed: int, chunk: int) -> np.random.Generator:
    """The stream of one chunk."""
    words = np.frombuffer(bytes.fromhex(scenario.digest()), dtype=np.uint32)
    sequence = np.random.SeedSequence([seed, *(int(word) for word in words)], spawn_key=(chunk,))
    return np.random.Generator(np.random.Philox(sequence))


def chunk_trials(scenario: Scenario) -> int:
    """Trials of one chunk: so many as fit the cache, always the same for a scenario."""
    return max(1, min(1000, NUMBERS // ((scenario.patients + scenario.n_external) * max(1, len(scenario.covariance)))))


def memory(scenario: Scenario) -> float:
    """Megabytes that the numbers of a chunk take (float64), without an analysis' own work space."""
    columns = 4 + scenario.baseline + len(scenario.covariance)
    return chunk_trials(scenario) * (scenario.patients + scenario.n_external) * columns * 8e-6
