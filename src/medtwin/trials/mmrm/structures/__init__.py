"""Covariance structures: one file each; a new one is a :class:`~.scaled.Shape` in a file of its own, named in ``STRUCTURES``."""

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.structures.ante_dependence import AnteDependence
from medtwin.trials.mmrm.structures.autoregressive import Autoregressive
from medtwin.trials.mmrm.structures.compound_symmetry import CompoundSymmetry
from medtwin.trials.mmrm.structures.scaled import Shape, Structure
from medtwin.trials.mmrm.structures.spatial import SpatialExponential
from medtwin.trials.mmrm.structures.toeplitz import Toeplitz
from medtwin.trials.mmrm.structures.unstructured import Unstructured

#: What an analysis plan may name. ``heterogeneous``: a standard deviation for each visit.
STRUCTURES: dict[str, Structure] = {
    "unstructured": Structure(Unstructured(), True),
    "ar1": Structure(Autoregressive(), False),
    "ar1 heterogeneous": Structure(Autoregressive(), True),
    "compound symmetry": Structure(CompoundSymmetry(), False),
    "compound symmetry heterogeneous": Structure(CompoundSymmetry(), True),
    "toeplitz": Structure(Toeplitz(), False),
    "toeplitz heterogeneous": Structure(Toeplitz(), True),
    "ante-dependence": Structure(AnteDependence(), False),
    "ante-dependence heterogeneous": Structure(AnteDependence(), True),
    "spatial exponential": Structure(SpatialExponential(), False),
    "spatial gaussian": Structure(SpatialExponential("spatial gaussian", exponent=2.0), False),
}


def structure(name: str | Structure) -> Structure:
    """By its name in :data:`STRUCTURES`, or itself. Raises :class:`AnalysisError`."""
    if isinstance(name, Structure):
        return name
    if name not in STRUCTURES:
        raise AnalysisError(f"covariance structure {name!r}", expected=f"one of {', '.join(STRUCTURES)}")
    return STRUCTURES[name]


__all__ = ["STRUCTURES", "Shape", "Structure", "structure"]
