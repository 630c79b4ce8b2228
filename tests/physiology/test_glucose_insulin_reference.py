"""S2008 equals its reference: thirty subjects, five meals, basal and boluses, one day; and simglucose itself."""

import csv
import warnings
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.glucose_insulin_subjects import parameters_of, read_subjects
from medtwin.physiology.model import Clock

MINUTES_OF_DAY = 1440
STATES = (
    "stomach_solid", "stomach_liquid", "gut_glucose", "plasma_glucose", "tissue_glucose", "plasma_insulin",
    "remote_insulin", "delayed_insulin_1", "delayed_insulin_2", "liver_insulin", "insulin_depot_1", "insulin_depot_2",
    "sensor_glucose",
)  # fmt: skip


def minute_inputs(rows, names):
    """Each meal is eaten from its minute on at 5 g/min; a bolus is given in its minute; the basal holds."""
    carbohydrate, bolus = np.zeros((MINUTES_OF_DAY, len(names))), np.zeros((MINUTES_OF_DAY, len(names)))
    basal = np.zeros(len(names))
    for row in rows:
        i, minute, left = names.index(row["name"]), int(row["minute"]), float(row["cho_g_announced"])
        bolus[minute, i] += float(row["bolus_U"])
        basal[i] = float(row["basal_U_per_min"]) * 60
        while left > 0:
            carbohydrate[minute, i] = min(5.0, left)
            left -= 5.0
            minute += 1
    return {
        "carbohydrate_intake": jnp.asarray(carbohydrate),
        "insulin_bolus": jnp.asarray(bolus),
        "insulin_basal_rate": jnp.broadcast_to(jnp.asarray(basal), bolus.shape),
    }


@eqx.filter_jit
def run(model, parameters, inputs):
    """Every state and the sensor glucose at every minute, from 0 to 1440."""

    def advance(now, held):
        state, i = now
        t = i.astype(float)
        after = model.step(t, jnp.asarray(1.0), state, parameters, held)
        return (after, i + 1), (after, model.observe(t + 1, after, parameters)["glucose"])

    start = model.initial(parameters)
    _, (states, glucose) = jax.lax.scan(advance, (start, jnp.asarray(0)), inputs)
    first = model.observe(jnp.asarray(0.0), start, parameters)["glucose"]
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, states)
    return states, jnp.concatenate([first[None], glucose])


@pytest.fixture(scope="module")
def reference(request):
    from conftest import SHARED

    folder = SHARED / "metabolism" / "reference"
    if not folder.is_dir():
        pytest.skip(f"the folder {folder} is missing: set MEDTWIN_SHARED_DATA to where the data lie")
    subjects = read_subjects(folder / "simglucose_vpatient_params.csv")
    with (folder / "simglucose_S2008_reference_inputs.csv").open(newline="") as lines:
        inputs = minute_inputs(list(csv.DictReader(lines)), list(subjects))
    with (folder / "simglucose_S2008_reference_Gsub_5min.csv").open(newline="") as lines:
        header, *rows = list(csv.reader(lines))
    assert header[1:] == list(subjects)
    rows = np.array(rows, dtype=float)
    return folder, subjects, inputs, rows[:, 0].astype(int), rows[:, 1:]


def stacked(subjects):
    return jax.tree.map(lambda *x: jnp.stack(x), *[parameters_of(row) for row in subjects.values()])


@pytest.mark.shared
@pytest.mark.parametrize("substeps, tolerance", [(1, 0.1), (4, 0.01)])
def test_glucose_of_all_thirty_subjects(reference, substeps, tolerance):
    _, subjects, inputs, minutes, expected = reference
    model = GlucoseInsulin(clock=Clock(unit=60.0, step=1.0, substeps=substeps))
    _, glucose = run(model, stacked(subjects), inputs)
    difference = np.abs(np.asarray(glucose)[minutes] - expected)
    assert expected.max() > 300  # the reference is a real excursion, not a flat line
    assert expected.min() < 60
    assert difference.max() <= tolerance, f"largest difference {difference.max():.4g} mg/dL at dt = 1/{substeps} min"


@pytest.mark.shared
@pytest.mark.parametrize("name", ["adolescent#001", "adult#001", "child#001"])
def test_every_state_of_three_subjects(reference, name):
    folder, subjects, inputs, _, _ = reference
    one = list(subjects).index(name)
    model = GlucoseInsulin(clock=Clock(unit=60.0, step=1.0, substeps=4))
    states, _ = run(model, stacked(subjects), inputs)
    file = folder / f"simglucose_S2008_reference_states_{name.replace('#', '')}.csv"
    expected = np.loadtxt(file, delimiter=",", skiprows=1)
    minutes = expected[:, 0].astype(int)
    for column, state in enumerate(STATES, start=1):
        got = np.asarray(getattr(states, state))[minutes, one]
        assert got == pytest.approx(
            expected[:, column], rel=1e-5, abs=1e-5 * max(1.0, np.abs(expected[:, column]).max())
        ), state


@pytest.mark.shared
def test_rest_and_basal_of_the_subjects(reference):
    _, subjects, inputs, _, _ = reference
    model, parameters = GlucoseInsulin(), stacked(subjects)
    start = model.initial(parameters)
    for column, state in enumerate(STATES, start=1):
        stated = [row[f"x0_{column:2d}"] for row in subjects.values()]
        assert np.asarray(getattr(start, state)) == pytest.approx(stated, rel=1e-8, abs=1e-7), state
    assert np.asarray(model.resting(parameters)["insulin_basal_rate"]) == pytest.approx(
        np.asarray(inputs["insulin_basal_rate"][0]), rel=1e-8
    )


def test_equals_simglucose_itself():
    """Three hours of one subject, run by the package: so that there is a check without the data folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependency gym has invalid escapes and deprecated imports
        import simglucose
        from simglucose.patient.t1dpatient import Action, T1DPatient

    minutes, basal, subject = 180, 0.02, "adult#001"
    patient = T1DPatient.withName(subject)
    expected = []
    for minute in range(minutes):
        meal, bolus = (50.0, 3.0) if minute == 10 else (0.0, 0.0)
        patient.step(Action(insulin=basal + bolus, CHO=meal))
        expected.append(float(patient.observation.Gsub))

    file = Path(simglucose.__file__).parent / "params" / "vpatient_params.csv"
    row = read_subjects(file)[subject]
    carbohydrate = np.zeros(minutes)
    carbohydrate[10:20] = 5.0
    inputs = {
        "carbohydrate_intake": jnp.asarray(carbohydrate),
        "insulin_bolus": jnp.zeros(minutes).at[10].set(3.0),
        "insulin_basal_rate": jnp.full(minutes, basal * 60),
    }
    _, glucose = run(GlucoseInsulin(), parameters_of(row), inputs)
    assert max(expected) - min(expected) > 40
    assert np.asarray(glucose)[1:] == pytest.approx(np.array(expected), abs=0.1)
