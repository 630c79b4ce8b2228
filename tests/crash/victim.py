"""A process that is killed: it forks children that write to one home and say on standard output what was acknowledged.

Started with a home, a store address ("-" for none); each line on standard input is the number of a run. Forking from a
process that has imported everything, and opened nothing, makes two hundred runs cheap.
"""

import os
import random
import sys
import threading
from datetime import UTC, datetime, timedelta

from medtwin.errors import MedtwinError
from medtwin.record import Event, Moment, Precision, Source, SourcePatient, Status
from medtwin.record.home import open_store

START = datetime(2024, 3, 1, tzinfo=UTC)


def events(run, thread, chance):
    """A few new facts, some of which are versions of facts of earlier runs."""
    for _ in range(chance.randint(1, 12)):
        shared = chance.random() < 0.2
        number = chance.randrange(40) if shared else chance.getrandbits(60)
        minute = number % 5000
        yield Event(
            subject=SourcePatient("crash", str(number % 3)),
            quantity="glucose",
            value=float(chance.randint(40, 400)),
            time=Moment((START + timedelta(minutes=minute)).replace(tzinfo=None), Precision.SECOND, 0),
            available=START + timedelta(minutes=minute + chance.randrange(6)),
            source=Source("crash", "crash/1", "00", f"run {run}"),
            key=f"shared {number}" if shared else f"{run}/{thread}/{number}",
            status=chance.choice([Status.FINAL, Status.FINAL, Status.CORRECTED, Status.ENTERED_IN_ERROR]),
        )


def say(*words):
    os.write(1, (" ".join(words) + "\n").encode())


def work(store, run, thread):
    chance, grant = random.Random(f"{run}/{thread}"), store.issue_grant(who=f"run {run}")
    while True:
        batch = list(events(run, thread, chance))
        store.append(batch, grant)
        for event in batch:
            say("fact", event.id)
        choice = chance.random()
        if choice < 0.2:
            store.record("P", grant)
            say("read")
        elif choice < 0.4:
            kept = store.keep_raw(
                f"{run}/{thread}/{choice}".encode() * 200, SourcePatient("crash", "0"), grant,
                media_type="text/plain", file="f", source="crash",
            )  # fmt: skip
            say("raw", kept.hash)
        elif choice < 0.6:
            say("artifact", store.put_artifact("P", "snapshot", os.urandom(2000), {"run": run}, grant))


def child(home, url, run):
    try:
        store = open_store(home, url)
        store.link(SourcePatient("crash", "0"), "P", store.issue_grant())
        say("ready")
        other = threading.Thread(target=work, args=(store, run, 1), daemon=True)
        other.start()
        work(store, run, 0)
    except MedtwinError as error:
        say("failed", str(error).replace("\n", " "))
        os._exit(1)


def main():
    home, url = sys.argv[1], None if sys.argv[2] == "-" else sys.argv[2]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(home, url, int(line))
        say("born", str(pid))
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
