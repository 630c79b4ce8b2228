"""Any order of arrival gives the same record, and the materialised state is the fold of the log."""

from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.record import Intent, Record, SourcePatient, Status
from medtwin.record.facts import unfolded
from record.making import JANE, fact

_versions = st.lists(
    st.builds(
        lambda key, value, issued, status, intent: (key, value, issued, status, intent),
        st.integers(0, 4),
        st.integers(0, 3),
        st.integers(0, 5),
        st.sampled_from(Status),
        st.sampled_from([Intent.HAPPENED, Intent.PLANNED]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda version: (version[0], version[2], version[3]),  # else the order of recording may decide
)


@given(_versions, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_arrival_gives_the_same_record(store, versions, random, lot):
    grant = store.issue_grant()
    seen = []
    for turn in range(2):
        name = uuid4().hex
        owner, patient = SourcePatient("dexcom", name), f"P-{name}"
        store.link(owner, patient, grant)
        events = [
            fact(key, float(value), owner=owner, key=f"k{key}", issued=issued, status=status, intent=intent)
            for key, value, issued, status, intent in versions
        ]
        if turn:
            random.shuffle(events)
        for start in range(0, len(events), lot):
            store.append(events[start : start + lot], grant)
        record = store.record(patient, grant)
        names = {event.id: (event.key, event.value, event.available, event.status) for event in record.history}
        seen.append(
            (
                [(event.time, names[event.id], names.get(event.supersedes)) for event in record.events],
                sorted((names[event.id], names.get(event.supersedes)) for event in record.history if event.supersedes),
            )
        )
        assert_state_is_the_fold(store, record)
    assert seen[0] == seen[1]


def assert_state_is_the_fold(store, record):
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == []
        rows = connection.rows("SELECT id, standing FROM fact")
    standing = {bytes(identity).hex(): now for identity, now in rows}
    current = {event.id for event in Record("x", record.history).events}  # the fold, written a second time
    assert {event.id for event in record.history if standing[event.id] in (1, 3)} == current


def test_a_state_that_is_not_the_fold_is_found(store, grant):
    store.append([fact(0, 1.0, key="k"), fact(0, 2.0, key="k", issued=3), fact(9, 3.0)], grant)
    with store.access.database.writing() as connection:
        connection.run("UPDATE fact SET standing = 1 WHERE sequence = 1")
        connection.run("UPDATE fact SET standing = 0 WHERE sequence = 3")
    with store.access.database.reading(snapshot=True) as connection:
        assert unfolded(connection) == [1, 3]


def test_where_a_source_states_no_issue_time_the_order_of_recording_decides(store, grant):
    store.link(JANE, "P1", grant)
    store.append([fact(0, 2.0, key="k")], grant)
    store.append([fact(0, 1.0, key="k")], grant)
    assert [event.value for event in store.record("P1", grant).events] == [1.0]
