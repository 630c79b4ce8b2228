"""Whether a model fits a person at all: readings that pull parameters to the edge of what is known of anybody.

Intervals of parameters are right only if the model is. Simulation shows that they are right then
(:mod:`medtwin.evidence.calibration`); it cannot show that the model is. Where it is not, readings drag deviates to the edge
of their prior, one after the other, and the posterior there is narrow and worth nothing. Under a right model two or three
in a hundred stand beyond ``EDGE``. So a parameter that stands there is not shown for this person; where more than ``SHARE``
of all inferred ones do, none is.
"""

from __future__ import annotations

import numpy as np

from medtwin.twin.twin import Twin

EDGE = 2.5  #: prior standard deviations; the filter itself stops at three
SHARE = 0.2
LEAST_COVERAGE = (
    0.8  #: of 90 % bands an hour ahead on days not seen before; below it no insulin is suggested (judgement)
)


def at_edge(twin: Twin) -> tuple[str, ...]:
    """Inferred parameters, shown ones and others, whose believed deviate lies beyond ``EDGE``."""
    mean = np.asarray(twin.belief.moments()[0])
    place = {name: i for i, name in enumerate(twin.belief.names)}
    return tuple(name for name in twin.problem.inferred if abs(mean[place[name]]) > EDGE)


def misfit(twin: Twin, parameter: str | None = None) -> str | None:
    """Why this parameter (None: the model as a whole) says nothing of this person; None where it does."""
    beyond, every = at_edge(twin), len(twin.problem.inferred)
    if len(beyond) > SHARE * every:
        return (
            f"the model does not fit this person: {len(beyond)} of its {every} parameters are pulled to the edge of what is "
            "plausible, so their intervals cannot be trusted"
        )
    if parameter in beyond:
        return (
            "readings pull it to the edge of what is plausible: it stands in for something that the model does not know"
        )
    return None
