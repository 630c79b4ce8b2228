"""Open loop: the basal rate and a bolus for each meal that is said, by the carbohydrate ratio. The sensor is not looked at."""

from __future__ import annotations

from typing import Any, ClassVar

from medtwin.population.controllers.controller import Controller, Dose, Seen
from medtwin.population.therapy import Therapy


class OpenLoop(Controller):
    """The baseline of a comparison."""

    name: ClassVar[str] = "open-loop"

    def begin(self, therapy: Therapy) -> Any:
        return ()

    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        return state, Dose(basal=therapy.basal, bolus=seen.carbohydrate / therapy.carbohydrate_ratio)
