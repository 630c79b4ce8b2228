"""Each controller does what its docstring says; the pump's limits hold; one's own are found."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import ModelError
from medtwin.population.cohort import cohort, compared
from medtwin.population.controllers import BUILT_IN, Controller, Dose, Seen, controller_of
from medtwin.population.controllers.bolus_wizard import wizard
from medtwin.population.controllers.pump import Pump
from medtwin.population.controllers.python import PythonController
from medtwin.population.therapy import Therapy


def therapy(n=1, **more):
    held = {
        "body_weight": 75.0,
        "basal": 1.0,
        "carbohydrate_ratio": 10.0,
        "correction_factor": 50.0,
        "target": 110.0,
    } | more
    return Therapy(**{name: jnp.full(n, value) for name, value in held.items()})


def told(controller, glucose, carbohydrate=None, settings=None):
    """Rates and boluses over slots in which the sensor reads ``glucose``; what is asked is given."""
    settings = therapy() if settings is None else settings
    state, delivered, bolus, said = controller.begin(settings), jnp.ones(1) / 12.0, jnp.zeros(1), []
    for i, value in enumerate(glucose):
        grams = 0.0 if carbohydrate is None else carbohydrate.get(i, 0.0)
        seen = Seen(jnp.full(1, float(value)), jnp.full(1, grams), delivered, bolus, jnp.asarray(5.0 * i))
        state, dose = controller.decide(state, seen, settings)
        delivered, bolus = dose.basal / 12.0 + dose.bolus, dose.bolus
        said.append((float(dose.basal[0]), float(dose.bolus[0])))
    return np.array(said)


@pytest.mark.parametrize(
    "grams, glucose, board, units",
    [
        (60.0, 210.0, 1.5, 6.5),  # 60/10 + (210 - 110)/50 - 1.5
        (60.0, 210.0, 3.0, 6.0),  # insulin on board never takes from the meal
        (60.0, 60.0, 0.0, 5.0),  # a low takes 1 U off
        (0.0, 60.0, 0.0, 0.0),  # never less than nothing
        (0.0, 260.0, 1.0, 2.0),
    ],
)
def test_wizard_by_hand(grams, glucose, board, units):
    found = wizard(*(jnp.full(1, value) for value in (grams, glucose, board)), therapy())
    assert float(found[0]) == pytest.approx(units)


def test_wizard_is_not_asked_twice():
    said = told(controller_of("bolus-wizard"), [260.0] * 40)
    assert said[0, 1] == pytest.approx(3.0)
    assert not said[1:36, 1].any()
    assert 0.0 < said[36, 1] < 3.0  # three hours later, less what is on board


def test_open_loop():
    said = told(controller_of("open-loop"), [40.0, 400.0, 90.0], {1: 55.0})
    np.testing.assert_allclose(said, [[1.0, 0.0], [1.0, 5.5], [1.0, 0.0]])


@pytest.mark.parametrize("name", ["pid", "predictive"])
def test_suspends_before_a_low(name):
    """Glucose falls by 2 mg/dL/min from 180: nothing is given well before 70, and basal again when it is steady."""
    falling = [*np.arange(180.0, 75.0, -10.0), *[75.0] * 3]
    said = told(controller_of(name), falling)
    at = falling.index(next(value for value, (rate, _) in zip(falling, said, strict=True) if rate == 0.0))
    assert falling[at] >= 90.0
    assert not said[at:, 0].any()


@pytest.mark.parametrize(("name", "share"), [("pid", 0.9), ("predictive", 1.0)])
def test_suspended_a_said_meal_still_gets_its_bolus(name, share):
    """As their documents say: at 55 mg/dL no basal insulin, and the bolus of 60 g."""
    said = told(controller_of(name), [55.0] * 3, {2: 60.0})
    assert said[0].tolist() == [0.0, 0.0]
    assert said[2].tolist() == pytest.approx([0.0, share * 6.0])
    words = " ".join(sys.modules[type(controller_of(name)).__module__].__doc__.split())
    assert "no basal insulin" in words.lower()
    assert "also at a low" in words
    assert "othing is given" not in words


@pytest.mark.parametrize("name", ["pid", "predictive"])
def test_rest_and_highs(name):
    steady = told(controller_of(name), [110.0] * 30)
    np.testing.assert_allclose(steady[:, 0], 1.0, atol=1e-4)
    high = told(controller_of(name), [220.0] * 12)
    assert high[5, 0] > 1.3


def test_predictive_waits_for_announced_food():
    """A meal with its bolus on board: no suspension while carbohydrate is expected, though insulin alone brings a low."""
    with_food = told(controller_of("predictive"), [130.0] * 8, {2: 60.0})
    assert with_food[2, 1] == pytest.approx(6.0)
    assert with_food[3:5, 0].min() > 0.0

    class Secret(type(controller_of("predictive"))):  # the same bolus, nothing said of food
        def decide(self, state, seen, settings):
            state, dose = super().decide(
                state, Seen(seen.glucose, jnp.zeros(1), seen.delivered, seen.bolus, seen.minute), settings
            )
            return state, Dose(dose.basal, seen.carbohydrate / settings.carbohydrate_ratio)

    assert not told(Secret(), [130.0] * 8, {2: 60.0})[3:5, 0].any()


def test_predictive_keeps_max_iob():
    """400 mg/dL for hours: the loop's own insulin above basal does not pass 0.05 U/kg, 3.75 U."""
    from medtwin.population.controllers.insulin_on_board import nothing, on_board, remember

    said = told(controller_of("predictive"), [300.0] * 90)
    memory, most = nothing(jnp.zeros(1)), 0.0
    for rate, _ in said:
        memory = remember(memory, jnp.full(1, (rate - 1.0) / 12.0))
        most = max(most, float(on_board(memory)[0]))
    assert 3.0 < most < 3.75 + 4.0 / 12.0  # one slot may overshoot
    assert said[:, 0].max() <= 4.0


def test_the_pump_limits_any_controller():
    settings, pump = therapy(4), Pump()
    wild = Dose(jnp.asarray([99.0, -3.0, jnp.nan, 1.0]), jnp.asarray([-1.0, 99.0, 5.0, jnp.inf]))
    given, recent = pump.within(wild, jnp.zeros(4), settings)
    np.testing.assert_allclose(given.basal, [5.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(given.bolus, [0.0, 0.35 * 75, 0.0, 0.0])
    for _ in range(6):
        given, recent = pump.within(wild, recent, settings)
    assert float(recent.max()) <= 0.5 * 75 + 1e-6


@pytest.mark.slow
def test_better_than_open_loop_on_the_same_people(people):
    """In the expected direction, with the interval clear of zero: more time in range and less below 70."""
    open_loop = cohort(people, controller_of("open-loop"), 4)
    loop = compared(cohort(people, controller_of("predictive"), 4), open_loop)
    assert loop["in_range"].lower > 2.0
    assert loop["below_70"].upper < 0.0
    pid = compared(cohort(people, controller_of("pid"), 4), open_loop)
    assert pid["in_range"].lower > 0.0
    assert pid["below_70"].upper < 0.0
    wizard = compared(cohort(people, controller_of("bolus-wizard"), 4), open_loop)
    assert wizard["above_180"].upper < 0.0


@pytest.mark.slow
def test_plain_python_is_the_same_as_jax(people):
    """The slow path gives what the compiled one gives, and forgets its people between blocks and runs."""

    def make(settings):
        return lambda seen: (settings["basal"], seen["carbohydrate"] / settings["carbohydrate_ratio"])

    few = people.some(slice(0, 5))
    slow = PythonController(make, label="mine")
    fast = cohort(few, controller_of("open-loop"), 1)
    for _ in range(2):
        made = cohort(few, slow, 1, block=2)
        assert made.controller == "mine"
        for name in ("in_range", "insulin_a_day"):
            np.testing.assert_allclose(made.outcomes[name], fast.outcomes[name], rtol=1e-5)


def test_names(tmp_path, monkeypatch):
    assert list(BUILT_IN) == ["open-loop", "bolus-wizard", "pid", "predictive"]
    (tmp_path / "of_mine.py").write_text(
        "from medtwin.population.controllers import Controller\n"
        "from medtwin.population.controllers.open_loop import OpenLoop\n"
        "class Mine(OpenLoop):\n    name = 'mine'\n"
        "def made(settings):\n    return lambda seen: (0.0, 0.0)\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert controller_of("of_mine:Mine").name == "mine"
    assert isinstance(controller_of("of_mine:made"), PythonController)
    assert isinstance(controller_of("of_mine:Mine"), Controller)
    for wrong, said in (
        ("clever", "open-loop, bolus-wizard"), ("nowhere_at_all:X", "no module"), ("of_mine:Y", "no 'Y'"),
        ("of_mine:number", "subclass of Controller"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            controller_of(wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = (\n", "SyntaxError.*line 1"),
        ("a = 1\nb = a / 0\n", "ZeroDivisionError.*line 2"),
        ("import nowhere_x\n", "no module"),
    ],
)
def test_a_faulty_file_of_the_users_is_said_with_its_line(text, said, tmp_path, monkeypatch):
    name = f"faulty_{len(text)}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=said):
        controller_of(f"{name}:Mine")


def test_a_class_that_cannot_be_made_is_said_too(tmp_path, monkeypatch):
    (tmp_path / "needy.py").write_text(
        "from medtwin.population.controllers.open_loop import OpenLoop\n"
        "class Mine(OpenLoop):\n    def __init__(self):\n        raise ValueError('no settings')\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"ValueError.*line 4"):
        controller_of("needy:Mine")
