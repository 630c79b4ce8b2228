"""Parameter sets of health and disease for the four-chamber circulation, and the published values behind each.

A set is the median person with some parameters replaced. What is replaced was found by
``python -m medtwin.evidence.circulation_sets`` from the published group values below (:data:`GROUPS`) and stands in
``circulation_sets.json``: a group mean is taken for one circulation, which it is not. What no publication of the group states
stays at the prior's median. Valve areas and leaks are held or chosen from a short grid by what is stated of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from medtwin.errors import ModelError
from medtwin.physiology.circulation_four_chambers import CirculationFourChambers, CirculationFourChambersParameters
from medtwin.physiology.model import parameters_at


@dataclass(frozen=True, slots=True)
class Group:
    """People of a publication: ``values`` by quantity in its unit; ``held`` parameters, each with the values to choose from."""

    name: str
    meaning: str
    source: str
    values: Mapping[str, float]
    held: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


GROUPS: tuple[Group, ...] = (
    Group(
        "healthy",
        "Controls without diastolic heart failure",
        "Cardiol Res Pract 2011;692862, table 2, 12 controls, medians (conductance catheter); mean pulmonary artery pressure of "
        "healthy people Kovacs 2009 (doi 10.1183/09031936.00145608)",
        {"heart_rate": 81, "systolic_pressure": 117, "left_ventricular_end_systolic_volume": 53, "stroke_volume": 105,
         "left_ventricular_end_diastolic_volume": 149, "left_ventricular_end_diastolic_pressure": 7,
         "pulmonary_artery_mean_pressure": 14.0},
    ),
    Group(
        "preserved_ejection_fraction",
        "Heart failure with preserved ejection fraction",
        "Cardiol Res Pract 2011;692862, table 2, 27 patients with diastolic heart failure, medians (conductance catheter)",
        {"heart_rate": 75, "systolic_pressure": 130, "left_ventricular_end_systolic_volume": 57, "stroke_volume": 95,
         "left_ventricular_end_diastolic_volume": 141, "left_ventricular_end_diastolic_pressure": 12},
    ),
    Group(
        "moderate_heart_failure",
        "Acute heart failure with reduced ejection fraction",
        "Sodium nitroprusside in acute heart failure, 36 patients before the drug, medians "
        "(discovery.researcher.life/article/854-sodium-nitroprusside-in-acute-heart-failure-effects-on-lv-afterload-and-ventriculoarterial-coupling)",
        {"heart_rate": 83, "systolic_pressure": 158, "stroke_volume": 50, "left_ventricular_end_diastolic_volume": 146,
         "left_ventricular_ejection_fraction": 30},
    ),
    Group(
        "severe_heart_failure",
        "Severe heart failure with functional mitral regurgitation",
        "N Engl J Med 1974;291:587 (18 patients before nitroprusside: filling pressure 32.2, 2.98 L/min); ESCAPE, JAMA "
        "2005;294:1625 (ejection fraction 19 %, systolic pressure 106); Circ Heart Fail 2013, ESCAPE (right "
        "atrial over wedge pressure 0.41 to 0.615 in the middle third: 16); Am J Cardiol 1986;58:1046 (regurgitant "
        "fraction 0.44 of those with a leak)",
        {"cardiac_output": 2.98, "pulmonary_wedge_pressure": 32.2, "left_ventricular_ejection_fraction": 19,
         "systolic_pressure": 106, "right_atrial_mean_pressure": 16, "mitral_regurgitant_fraction": 44},
        {"mitral_leak_reference": (230.0,), "mitral_leak_growth": (0.006,), "mitral_leak_area": (0.05, 0.1, 0.15, 0.2, 0.25)},
    ),
    Group(
        "pulmonary_hypertension",
        "Pulmonary hypertension, most of it arterial",
        "ERJ Open Res, table of 242 patients, medians (openres.ersjournals.com/highwire/markup/17498): right atrium 10, "
        "pulmonary artery 47, wedge 10, 4.7 L/min",
        {"right_atrial_mean_pressure": 10, "pulmonary_artery_mean_pressure": 47, "pulmonary_wedge_pressure": 10,
         "cardiac_output": 4.7},
    ),
    Group(
        "aortic_stenosis",
        "Severe aortic stenosis",
        "J Am Coll Cardiol 2013;61:1799 (22 patients: mean gradient 51 by echocardiography, area 0.72 by echocardiography and "
        "0.68 by thermodilution; ejection fraction at least 50 %, here 60)",
        {"aortic_valve_mean_gradient": 51, "left_ventricular_ejection_fraction": 60},
        {"aortic_valve_area": (0.68, 0.72)},
    ),
    Group(
        "mitral_regurgitation",
        "Chronic mitral regurgitation",
        "Effect of nitroprusside on left ventricular dynamics in mitral regurgitation, 14 patients before the drug "
        "(scilit.net/publications/e3ef2cf34df33aa8381af9609e52ae56)",
        {"mean_arterial_pressure": 88, "pulmonary_artery_mean_pressure": 27.4, "left_ventricular_end_diastolic_pressure": 16.7,
         "left_ventricular_end_diastolic_volume": 196, "left_ventricular_end_systolic_volume": 90,
         "mitral_regurgitant_fraction": 57},
        {"mitral_leak_area": (0.3, 0.4, 0.5, 0.6)},
    ),
    Group(
        "aortic_regurgitation",
        "Aortic regurgitation at the border of surgery",
        "CMR follow-up of 113 patients (rdm.ox.ac.uk/publications/345645): regurgitant fraction 33 % and "
        "end-diastolic volume 246 mL, the limits that told who came to surgery",
        {"aortic_regurgitant_fraction": 33, "left_ventricular_end_diastolic_volume": 246},
        {"aortic_leak_area": (0.10, 0.15, 0.20, 0.25)},
    ),
)  # fmt: skip


@cache
def values_of(name: str) -> Mapping[str, float]:
    """What a set replaces: parameter -> value in its unit. Raises ModelError for an unknown name."""
    sets = json.loads(files("medtwin.physiology").joinpath("circulation_sets.json").read_text())["sets"]
    if name not in sets:
        raise ModelError(f"the parameter set {name!r}", expected=f"one of {', '.join(sets)}")
    return dict(sets[name])


def parameters(name: str) -> CirculationFourChambersParameters:
    """The parameters of a set, of shape ``()``."""
    medians: Any = parameters_at(CirculationFourChambers(), {})
    values = values_of(name)
    keys = list(values)
    return eqx.tree_at(lambda p: [getattr(p, key) for key in keys], medians, [jnp.asarray(values[key]) for key in keys])
