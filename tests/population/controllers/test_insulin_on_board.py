"""The curve against numbers of oref0's own code."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from medtwin.population.controllers.insulin_on_board import activity, ages, nothing, on_board, remaining, remember

#: hours, peak, minutes, remaining, activity of one unit, printed by lib/iob/calculate.js of openaps/oref0 (MIT, commit 88cf032).
REFERENCE = (
    (5, 75, 1, 0.999894547766301, 0.00021004551686537956),
    (5, 75, 30, 0.9249701856314995, 0.004397195558815253),
    (5, 75, 75, 0.6726398904581075, 0.006140684019609894),
    (5, 75, 180, 0.15879641537283806, 0.003090901773437026),
    (5, 75, 299, 0.00000741451802288573, 0.00001485646858449592),
    (5, 75, 300, 0, 0),
    (5, 55, 30, 0.8843166919212472, 0.0064095732707394925),
    (5, 55, 120, 0.2882542500311185, 0.004804751152084165),
    (6, 75, 60, 0.7792959813945408, 0.0055753367822407454),
    (6, 75, 240, 0.07266610353203562, 0.0015218630901838392),
)


@pytest.mark.parametrize("hours, peak, minutes, left, acts", REFERENCE)
def test_oref0(hours, peak, minutes, left, acts):
    assert remaining(minutes, 60.0 * hours, peak) == pytest.approx(left, rel=1e-9, abs=1e-12)
    assert activity(minutes, 60.0 * hours, peak) == pytest.approx(acts, rel=1e-9, abs=1e-12)


def test_all_of_a_dose_acts():
    assert quad(activity, 0.0, 300.0)[0] == pytest.approx(1.0, abs=1e-8)
    assert quad(activity, 0.0, 90.0)[0] == pytest.approx(1.0 - remaining(90.0), abs=1e-8)


def test_memory():
    memory = nothing(jnp.zeros(2))
    memory = remember(memory, jnp.asarray([1.0, 2.0]))
    for _ in range(11):
        memory = remember(memory, jnp.zeros(2))
    expected = float(remaining(57.5))  # given an hour to 55 min ago
    np.testing.assert_allclose(on_board(memory), [expected, 2 * expected], rtol=1e-12)
    for _ in range(len(ages())):
        memory = remember(memory, jnp.zeros(2))
    assert not np.asarray(on_board(memory)).any()
