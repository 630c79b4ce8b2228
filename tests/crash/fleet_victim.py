"""A fleet that is killed: it appends a reading of each patient, says so, moves their beliefs, keeps them, and says so.

Started with a home; each line on standard input is the number of a round from which a new child goes on. It says
``acknowledged N`` when the readings of round N are durable, then ``following``, ``keeping`` and ``kept``.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from medtwin.record import Code, Event, Moment, Source, SourcePatient
from medtwin.record.home import open_store
from medtwin.twin.choice import Choice, structure
from medtwin.twin.fleet import Fleet

PATIENTS = ("ada", "bob", "cleo")
BEGIN = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
TYPE_1 = Code("http://snomed.info/sct", "46635009", "Diabetes mellitus type 1")


def fact(patient, quantity, value, at):
    return Event(
        subject=SourcePatient("crash", patient), quantity=quantity, value=value, time=Moment.of(at), available=at,
        source=Source("crash", "crash/1", "00", "fact"), key=f"{patient}/{quantity}/{at.isoformat()}",
    )  # fmt: skip


def told(patient):
    day = BEGIN - timedelta(hours=1)
    weight = 60.0 + 10.0 * PATIENTS.index(patient)
    facts = (("diagnosis", TYPE_1), ("body_weight", weight), ("insulin_basal_rate", 0.8))
    return [fact(patient, quantity, value, day) for quantity, value in facts]


def readings(turn):
    at = BEGIN + timedelta(minutes=5 * turn)
    return [
        fact(patient, "glucose", 110.0 + 20.0 * i + 3.0 * (turn % 7), at + timedelta(minutes=i))
        for i, patient in enumerate(PATIENTS)
    ]


def fleet(store):
    return Fleet(store, store.issue_grant(), Choice("glucose", "a test", *structure("glucose_insulin")))


def say(*words):
    os.write(1, (" ".join(words) + "\n").encode())


def child(home, turn):
    store = open_store(home)
    mine = fleet(store)
    mine.load()
    mine.follow()
    say("ready")
    while True:
        store.append(readings(turn), mine.grant)
        say("acknowledged", str(turn))
        say("following")
        mine.follow()
        say("keeping")
        mine.keep()
        say("kept")
        turn += 1


def main():
    for line in sys.stdin:
        pid = os.fork()  # nothing has opened a device or a store here
        if pid == 0:
            child(sys.argv[1], int(line))
        say("born", str(pid))
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
