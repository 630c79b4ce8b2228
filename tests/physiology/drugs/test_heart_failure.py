"""Heart-failure drugs: sources, doses and sums by hand, what is written and what is refused."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.errors import FormatError
from medtwin.physiology.circulation_sets import parameters
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.drug import TARGETS
from medtwin.physiology.drugs.heart_failure.regimen import agents, combination, parse
from medtwin.physiology.drugs.heart_failure.response import changes, draw, log_factors, medians, moved
from medtwin.physiology.heart_chambers import pressure

CLASSES = tuple(DRUGS)
LATE = 1e6  #: days


def severe():
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], parameters("severe_heart_failure"))


def factors(plan, days, taking=()):
    planned, before = combination(plan), combination(taking)
    return log_factors(planned, before, {n: medians(DRUGS[n]) for n in changes(planned, before)}, days)


def dose(agent, share):
    """A regimen text at a share of the target dose."""
    return f"{agent.name}:{share * agent.target:.6g}{'ug/kg/min' if agent.infused else 'mg:qd'}"


def test_the_classes_that_were_asked_for_are_here():
    assert len(DRUGS) == 14
    wanted = "enalapril losartan sacubitril/valsartan carvedilol spironolactone empagliflozin furosemide isosorbide-dinitrate"
    for name in f"{wanted} nitroprusside hydralazine ivabradine dobutamine milrinone digoxin".split():
        assert name in agents()


@pytest.mark.parametrize("name", CLASSES)
def test_every_number_has_a_source(name):
    drug = DRUGS[name]
    keys = {reference.key for reference in drug.references}
    for effect in drug.effects:
        assert effect.source
        assert effect.target in TARGETS
        assert effect.direction in (-1, 1)
        assert effect.days > 0
        assert set(effect.studies) <= keys
        assert effect.studies or "judgement" in effect.source
        assert effect.size.quantile(0.01) > 0  # a size; the direction is beside it
    assert drug.half_dose_source
    for agent in drug.agents:
        assert agent.source
        assert 0 < agent.low <= agent.target <= agent.high


@pytest.mark.parametrize("name", CLASSES)
def test_no_dose_is_no_change_and_more_is_more(name):
    drug = DRUGS[name]
    agent = drug.agents[0]
    assert changes(combination([dose(agent, 0.0)]), ()) == {}
    shares = sorted({agent.low / agent.target, 0.5 * (agent.low / agent.target + 1.0), 1.0, agent.high / agent.target})
    for days in (0.1, LATE):
        seen = [factors([dose(agent, share)], days) for share in shares]
        first = drug.effects[0].target
        sizes = [abs(float(one[first][0])) for one in seen]
        assert sizes[0] > 0
        assert all(
            a < b or share_a == share_b
            for (a, share_a), (b, share_b) in itertools.pairwise(zip(sizes, shares, strict=True))
        )


def test_captopril_by_hand():
    """6.25 mg three times a day is an eighth of the target, h a tenth; after one time constant 1 - 1/e of the effect."""
    r = 0.125 * 1.1 / 0.225
    found = factors(["captopril:6.25mg:tid"], 0.1)
    assert float(found["systemic_resistance"][0]) == pytest.approx(-0.22 * r * (1 - np.exp(-1.0)), rel=1e-6)
    at_target = moved(severe(), factors(["captopril:50mg:tid"], LATE)).parameters
    assert float(at_target.systemic_resistance[0]) == pytest.approx(1.543514 * np.exp(-0.22), rel=1e-6)
    assert float(at_target.heart_rate[0]) == pytest.approx(100.29227 * np.exp(-0.05), rel=1e-6)


def test_dobutamine_at_the_dose_of_its_source_is_the_resistance_of_its_source():
    """1858 to 1442 dyn s/cm5 (80 of them are 0.06 mm[Hg] s/mL) at 6.25 ug/kg/min, the mean of the two rates."""
    found = float(jnp.exp(factors(["dobutamine:6.25ug/kg/min"], 1.0)["systemic_resistance"][0]))
    before, after = (value / 1333.22 for value in (1858.0, 1442.0))
    assert found == pytest.approx(after / before, rel=0.01)


def test_effects_of_months_come_in_months():
    early, late = (factors(["enalapril:10mg:bid"], days) for days in (1.0, 137.0))
    assert float(early["ventricular_size"][0]) == pytest.approx(0.0, abs=0.002)
    assert float(late["ventricular_size"][0]) == pytest.approx(-0.11 * (1 - np.exp(-1.0)), rel=0.01)


def test_only_a_combination_has_a_dose_in_parts():
    with pytest.raises(FormatError, match="only a combination has parts"):
        parse("carvedilol:25/25mg:bid")
    assert parse("sacubitril/valsartan:97/103mg:bid").dose == pytest.approx(400.0)
    assert "succinate" in parse("metoprolol:50mg:bid").words


def test_the_order_of_a_combination_does_not_matter():
    texts = [
        "enalapril:10mg:bid",
        "carvedilol:25mg:bid",
        "spironolactone:25mg:qd",
        "empagliflozin:10mg:qd",
        "furosemide:40mg:qd",
    ]
    first = moved(severe(), factors(texts, 60.0))
    for other in (texts[::-1], texts[2:] + texts[:2]):
        again = moved(severe(), factors(other, 60.0))
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first, again))


def test_blood_is_conserved():
    """What was stressed is stressed, held by wider veins, or lost; diuretics lose, nitrates hold."""
    before = float(severe().stressed_blood_volume[0])
    for texts, loses, holds in (
        (["furosemide:80mg:qd"], True, False),
        (["isosorbide dinitrate:40mg:tid"], False, True),
        (["furosemide:80mg:qd", "isosorbide dinitrate:40mg:tid", "empagliflozin:10mg:qd"], True, True),
    ):
        found = moved(severe(), factors(texts, 30.0))
        total = found.parameters.stressed_blood_volume + found.lost + found.held
        assert float(total[0]) == pytest.approx(before, rel=1e-12)
        assert (float(found.lost[0]) > 1.0) == loses
        assert (float(found.held[0]) > 1.0) == holds


def test_a_smaller_ventricle_holds_that_share_of_its_volume_at_every_pressure():
    p = severe()
    scaled = moved(p, {"ventricular_size": jnp.log(jnp.asarray([0.8]))}).parameters
    for activation in (0.0, 0.4, 1.0):
        for volume in (120.0, 200.0):
            there, here = (
                pressure(
                    jnp.asarray([activation]), jnp.asarray([v]) - q.left_ventricular_unstressed_volume,
                    q.left_ventricular_elastance, q.left_ventricular_passive_pressure, q.left_ventricular_stiffness,
                )
                for q, v in ((p, volume), (scaled, 0.8 * volume))
            )  # fmt: skip
            assert float(here[0]) == pytest.approx(float(there[0]), rel=1e-9)


def test_a_drug_that_is_taken_already_changes_nothing_and_a_higher_dose_the_rest():
    assert factors(["carvedilol:25mg:bid"], 30.0, taking=["carvedilol:25mg:bid"]) == {}
    whole = factors(["carvedilol:25mg:bid"], 30.0)["heart_rate"]
    first = factors(["carvedilol:6.25mg:bid"], 30.0)["heart_rate"]
    rest = factors(["carvedilol:25mg:bid"], 30.0, taking=["carvedilol:6.25mg:bid"])["heart_rate"]
    assert float(first[0] + rest[0]) == pytest.approx(float(whole[0]), rel=1e-9)


def test_a_new_class_takes_the_place_of_one_that_it_excludes():
    planned, before = (
        combination(["sacubitril/valsartan:200mg:bid"]),
        combination(["enalapril:10mg:bid", "carvedilol:25mg:bid"]),
    )
    assert changes(planned, before) == {"ace_inhibitor": (1.0, 0.0), "neprilysin_inhibitor": (0.0, 1.0)}


def test_another_drug_on_the_renin_system_at_the_same_share_changes_nothing():
    """In every person: sizes are shared; only the half dose is not, and at the target dose it does not count."""
    planned, before = combination(["valsartan:160mg:bid"]), combination(["enalapril:10mg:bid"])
    draws = {name: draw(DRUGS[name], jax.random.key(2), 8) for name in changes(planned, before)}
    for logarithm in log_factors(planned, before, draws, 84.0).values():
        np.testing.assert_allclose(logarithm, 0.0, atol=1e-12)


def test_an_effect_that_two_classes_share_is_drawn_once():
    """Valsartan's part of sacubitril/valsartan is the same in a person."""
    key = jax.random.key(1)
    alone, joined = (draw(DRUGS[n], key, 5) for n in ("angiotensin_receptor_blocker", "neprilysin_inhibitor"))
    np.testing.assert_array_equal(alone.size, joined.size[:4])
    assert not np.array_equal(joined.size[0], joined.size[4])


def test_draws_have_the_middle_and_the_spread_of_their_prior():
    drug = DRUGS["ace_inhibitor"]
    found = draw(drug, jax.random.key(0), 64)
    for sizes, effect in zip(np.asarray(found.size), drug.effects, strict=True):
        for level in (0.05, 0.5, 0.95):
            assert np.quantile(sizes, level) == pytest.approx(effect.size.quantile(level), rel=0.06)
    assert abs(np.corrcoef(np.log(found.size[0]), np.log(found.size[2]))[0, 1]) < 0.4
    single = draw(drug, jax.random.key(0), 1)
    np.testing.assert_allclose(single.size[:, 0], [effect.size.quantile(0.5) for effect in drug.effects])


@pytest.mark.parametrize(
    ("text", "name", "daily"),
    [
        ("sacubitril/valsartan:200mg:bid", "sacubitril/valsartan", 400.0),
        ("Valsartan/Sacubitril:97/103mg:BID", "sacubitril/valsartan", 400.0),
        ("empagliflozin:10mg:qd", "empagliflozin", 10.0),
        ("carvedilol: 25 mg: twice daily", "carvedilol", 50.0),
        ("metoprolol:200mg:od", "metoprolol succinate", 200.0),
        ("isosorbide-dinitrate:40mg:tid", "isosorbide dinitrate", 120.0),
        ("digoxin:250mcg:daily", "digoxin", 0.25),
        ("torsemide:20mg:qd", "torasemide", 20.0),
        ("nitroprusside:1.5ug/kg/min", "nitroprusside", 1.5),
        ("milrinone:0.5mcg/kg/min", "milrinone", 0.5),
    ],
)
def test_what_is_written_is_read(text, name, daily):
    found = parse(text)
    assert found.agent.name == name
    assert found.dose == pytest.approx(daily)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("carvedilo:25mg:bid", "was carvedilol meant"),
        ("aspirin:100mg:qd", "one of"),
        ("carvedilol", "expected such as carvedilol:25mg:bid"),
        ("carvedilol:25mg", "how often"),
        ("carvedilol:25mg:hourly", "how often"),
        ("carvedilol:25:bid", "as a dose"),
        ("carvedilol:2.5.5mg:bid", "as a dose"),
        ("carvedilol:25kg:bid", "unit 'kg'"),
        ("carvedilol:250mg:bid", "what was studied"),
        ("enalapril:0.5mg:qd", "what was studied"),
        ("nitroprusside:1.5mg:bid", "which is infused"),
        ("nitroprusside:1.5ug/kg/min:bid", "no frequency"),
        ("carvedilol:1ug/kg/min", "how often"),
        ("lvad:5000rpm", "assist device"),
        ("crt", "walls of the heart"),
        ("lbbb", "walls of the heart"),
        ("amiodarone:200mg:qd", "regular beat"),
        ("", "one of"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_lesson(text, says):
    with pytest.raises(FormatError) as refused:
        parse(text)
    assert says in str(refused.value)


def test_what_is_not_combined_is_refused():
    with pytest.raises(FormatError, match="both of the class"):
        combination(["enalapril:10mg:bid", "lisinopril:10mg:qd"])
    with pytest.raises(FormatError, match="angioedema"):
        combination(["sacubitril/valsartan:200mg:bid", "enalapril:10mg:bid"])
