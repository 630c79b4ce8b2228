"""Controllers of insulin, one file each. A new one is one line here, or a name ``module:Class`` on the command line."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medtwin.errors import ModelError
from medtwin.population.controllers.bolus_wizard import BolusWizard
from medtwin.population.controllers.controller import Controller, Dose, Seen
from medtwin.population.controllers.open_loop import OpenLoop
from medtwin.population.controllers.pid import ProportionalIntegralDerivative
from medtwin.population.controllers.predictive import Predictive
from medtwin.population.controllers.python import PythonController

__all__ = ["BUILT_IN", "Controller", "Dose", "Seen", "controller_of"]

BUILT_IN: Mapping[str, Callable[[], Controller]] = {
    one.name: one for one in (OpenLoop, BolusWizard, ProportionalIntegralDerivative, Predictive)
}


def controller_of(name: str) -> Controller:
    """A built-in one, or ``module:Class`` of a module that Python finds (the current folder too).

    The class is a :class:`Controller`, or any other callable: it is called with a person's settings (a dict) and answers
    a function of one person's readings, see ``controllers/python.py``. Raises :class:`ModelError`.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ModelError(f"the controller {name!r}", expected=f"one of {', '.join(BUILT_IN)}, or module:Class")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ModelError(
            f"no module {module_name!r} ({error})", where="the name of a controller",
            remedy="run the command in the folder of the file, or put that folder on PYTHONPATH",
        ) from error  # fmt: skip
    except Exception as error:
        raise _faulty(name, error) from error
    finally:
        sys.path.remove(here)
    made: Any = getattr(module, attribute, None)
    if isinstance(made, Controller):
        return made
    if isinstance(made, type) and issubclass(made, Controller):
        try:
            return made()
        except Exception as error:
            raise _faulty(name, error) from error
    if callable(made):
        return PythonController(made, label=name)
    raise ModelError(
        f"{attribute!r} in {module_name!r}" if made is not None else f"no {attribute!r} in {module_name!r}",
        expected="a subclass of Controller, or a function that makes a person's controller",
    )


def _faulty(name: str, error: Exception) -> ModelError:
    """The user's own file raised: what, and in which line of it."""
    if isinstance(error, SyntaxError):
        place, line = error.filename, error.lineno
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place, line = last.filename, last.lineno
    return ModelError(
        f"{type(error).__name__}: {error}", where=f"the controller {name}, {Path(place or '').name} line {line}",
        remedy="mend the file, then run the command again",
    )  # fmt: skip
