"""A fleet believes what each of its patients' own twins believe, whatever comes, and after every restart."""

from dataclasses import replace
from datetime import timedelta

import jax
import numpy as np
import pytest

from medtwin.errors import AccessDenied
from medtwin.inference.belief import Mixture
from medtwin.record import Moment, SourcePatient, Status
from medtwin.record.home import open_store
from medtwin.twin.choice import Choice, choose, structure
from medtwin.twin.fleet import Fleet
from medtwin.twin.fleet_rows import Layout
from medtwin.twin.twin import assimilate
from twin.people import NOW, event

MODEL = Choice("glucose", "a test", *structure("glucose_insulin"))
PATIENTS = ("ada", "bob", "cleo", "dan")
HOURS = timedelta(minutes=90)


@pytest.fixture
def store(own_home):
    with open_store(own_home) as store:
        yield store


@pytest.fixture
def begun(short):
    """Facts of the newest hours, by patient: one life at four phases of the five minutes, of four weights."""
    kept = [e for e in short.events if e.instant >= NOW - HOURS or e.quantity not in ("glucose", "carbohydrate_intake")]
    made = {}
    for i, patient in enumerate(PATIENTS):
        subject, away = SourcePatient("world", patient), timedelta(minutes=i, seconds=7 * i)
        made[patient] = [
            replace(
                e, subject=subject, key=f"{patient}/{e.key}", time=Moment.of(e.instant + away), available=e.available + away,
                value=e.value + 3.0 * i if e.quantity == "body_weight" else e.value,
            )
            for e in kept
        ]  # fmt: skip
    return made


def home(store, lives, until):
    grant = store.issue_grant()
    for i, (patient, events) in enumerate(lives.items()):
        store.link(SourcePatient("world", patient), patient, grant, zone=["Europe/Berlin", "America/New_York"][i % 2])
        store.append([e for e in events if e.instant <= until], grant)
    return grant


def own(store, grant, patient, at):
    record = store.record(patient, grant)
    return assimilate(patient, choose(record), record, at)[0]


def assert_same(fleet, store, grant, patients=PATIENTS):
    """The state in its scale, deviates in prior sds, probabilities: all to 1e-8 of what the patient's own twin believes."""
    for patient in patients:
        at = fleet.at(patient) + timedelta(seconds=29)  # a reading stands at the boundary nearest to it
        twin, belief = own(store, grant, patient, at), fleet.belief(patient)
        assert (belief.names, belief.hypotheses) == (twin.belief.names, twin.belief.hypotheses)
        np.testing.assert_allclose(belief.probability, twin.belief.probability, atol=1e-8, err_msg=patient)
        for found, expected in zip(belief.moments(), twin.belief.moments(), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-8, rtol=1e-8)


def feed(store, grant, lives, since, until):
    store.append([e for events in lives.values() for e in events if since < e.instant <= until], grant)


def test_rounds_in_order_are_the_twins_own(store, begun, monkeypatch):
    monkeypatch.setattr("medtwin.twin.fleet.LOT", 3)  # facts of one commit are read in several lots, and fold together
    grant = home(store, begun, NOW - timedelta(minutes=40))
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW)
    first = fleet.follow()
    assert (first.anew, first.quick) == (4, 0)
    assert_same(fleet, store, grant)
    at = NOW - timedelta(minutes=40)
    for minutes in (5, 5, 13):  # the last one after a gap of a few readings
        feed(store, grant, begun, at, at + timedelta(minutes=minutes))
        at += timedelta(minutes=minutes)
        done = fleet.follow()
        assert (done.anew, done.quick) == (0, 4)
        assert {met.patient for met in done.met} == set(PATIENTS)
    assert_same(fleet, store, grant)
    assert fleet.follow().facts == 0


def test_what_comes_late_or_is_mended_goes_the_ordinary_way(store, begun):
    at = NOW - timedelta(minutes=20)
    grant = home(store, begun, at)
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW)
    fleet.follow()
    before = fleet.belief("ada").moments()[0]
    readings = {p: [e for e in begun[p] if e.quantity == "glucose" and e.instant <= at] for p in PATIENTS}
    wrong, ghost = readings["bob"][-3], readings["cleo"][-4]
    store.append(
        [
            event("carbohydrate_intake", 45.0, at - timedelta(minutes=50)),
            replace(wrong, value=wrong.value + 40.0, status=Status.CORRECTED, available=at),
            replace(ghost, status=Status.ENTERED_IN_ERROR, available=at),
        ],
        grant,
    )
    done = fleet.follow()
    assert (done.anew, done.quick) == (3, 0)
    assert np.abs(fleet.belief("ada").moments()[0] - before).max() > 1e-3
    assert_same(fleet, store, grant)
    feed(store, grant, begun, at, NOW)
    injected = event("insulin_long_acting", 8.0, NOW - timedelta(minutes=1))
    store.append([replace(injected, subject=SourcePatient("world", "dan"))], grant)  # acts as a basal rate
    done = fleet.follow()
    assert (done.anew, done.quick) == (1, 3)
    assert_same(fleet, store, grant)


def test_a_restart_goes_on_from_what_was_kept(store, begun):
    at = NOW - timedelta(minutes=30)
    grant = home(store, begun, at)
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW)
    fleet.follow()
    assert fleet.keep() == 4
    feed(store, grant, begun, at, at + timedelta(minutes=10))
    fleet.follow()  # and is lost before it is kept
    again = Fleet(store, grant, MODEL, clock=lambda: NOW)
    assert again.load() == 4
    assert again.at("ada") < fleet.at("ada")
    done = again.follow()
    assert (done.anew, done.quick) == (0, 4)
    for patient in PATIENTS:
        assert again.members[patient].row == fleet.members[patient].row
    assert again.keep() == 4
    assert again.keep() == 0
    assert Fleet(store, grant, MODEL).follow().anew == 4  # without what was kept: from the records
    with store.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM artifact")[0][0] == 4  # the newest one replaced the other


def test_whoever_withdraws_is_gone_at_once(store, begun):
    at = NOW - timedelta(minutes=30)
    grant = home(store, begun, at)
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW, renew=store.issue_grant)
    fleet.follow()
    feed(store, grant, begun, at, at + timedelta(minutes=10))
    store.withdraw("bob", grant)
    done = fleet.follow()
    assert done.quick == 3
    with pytest.raises(KeyError):
        fleet.belief("bob")
    assert fleet.keep() == 3
    assert_same(fleet, store, store.issue_grant(), ("ada", "cleo", "dan"))
    stale = Fleet(store, grant, MODEL, clock=lambda: NOW)
    with pytest.raises(AccessDenied):
        stale.load()
    store.readmit("bob", store.issue_grant())
    feed(store, store.issue_grant(), {"bob": begun["bob"]}, at + timedelta(minutes=10), NOW)
    assert fleet.follow().anew == 1
    assert_same(fleet, store, store.issue_grant())


def test_a_standing_is_sealed_and_goes_with_the_patient(store, begun):
    grant = home(store, {"ada": begun["ada"]}, NOW)
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW)
    fleet.follow()
    fleet.keep()
    whole = fleet.members["ada"].row[2:66]
    with store.access.database.reading() as connection:
        sealed = b"".join(bytes(row[0]) for row in connection.rows("SELECT sealed FROM piece"))
    assert len(sealed) > 30_000
    assert whole not in sealed
    store.erase("ada", grant)
    with store.access.database.reading() as connection:
        assert connection.rows("SELECT COUNT(*) FROM artifact")[0][0] == 0
    assert store.verify_audit()[1] is None


def test_for_whom_the_model_does_not_speak_nothing_is_believed(store, begun):
    grant = home(store, {"ada": [e for e in begun["ada"] if e.quantity != "diagnosis"]}, NOW - timedelta(minutes=30))
    fleet = Fleet(store, grant, MODEL, clock=lambda: NOW)
    assert fleet.follow().without == 1
    feed(store, grant, begun, NOW - timedelta(minutes=30), NOW - timedelta(minutes=10))
    assert fleet.follow().without == 0  # nothing to look at again
    store.append([e for e in begun["ada"] if e.quantity == "diagnosis"], grant)
    assert fleet.follow().anew == 1
    assert_same(fleet, store, grant, ("ada",))


def test_a_row_at_rest_comes_back_to_the_bit_and_leaves_out_what_is_zero():
    """Roots with nothing above the diagonal, with two columns above it, and with all of them."""
    rng = np.random.default_rng(0)
    n, hypotheses, people = 5, 2, 3
    root = np.tril(rng.standard_normal((people, hypotheses, n, n)))
    root[1, 0, 0, 1] = 1e-300
    root[2] = rng.standard_normal((hypotheses, n, n))
    belief = Mixture(
        names=tuple("abcde"), hypotheses=("one", "two"), step=np.int32(0), evidence=rng.standard_normal(people),
        log_probability=rng.standard_normal((hypotheses, people)), mean=rng.standard_normal((n, hypotheses, people)),
        memory=rng.standard_normal((1, hypotheses, people)), root=np.moveaxis(root, (0, 1), (3, 2)),
    )  # fmt: skip
    layout = Layout(jax.tree.map(lambda leaf: leaf[..., 0] if leaf.ndim else leaf, belief))
    rows = layout.rows(belief)
    packed = layout.packed(rows)
    np.testing.assert_array_equal(layout.unpacked(packed), rows)
    rest = hypotheses * (1 + n + 1) + 1
    assert [len(one) for one in packed] == [2 + 8 * (rest + hypotheses * k) for k in (15, 16, 25)]
    whole = layout.one(layout.unpacked(packed[1:2])[0], 0)
    np.testing.assert_array_equal(whole.root, belief.root[..., 1])
