"""A fleet killed while it appends, folds and keeps: nothing acknowledged is lost, and the next one catches up.

The oracle is what the children said on a pipe after each acknowledgement.
"""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from crash.fleet_victim import PATIENTS, fleet, readings, told
from medtwin.record import SourcePatient
from medtwin.record.home import open_store
from medtwin.twin.choice import choose
from medtwin.twin.twin import assimilate

pytestmark = pytest.mark.crash

#: after which word, heard so often since the child was ready, it is killed, and up to how many seconds later
KILLS = (("acknowledged", 3, 0.0), ("following", 2, 0.05), ("keeping", 2, 0.0), ("keeping", 3, 0.02), ("kept", 2, 0.03))


def heard(process, wanted, last):
    """Read until a word was said; the number of the newest round that was acknowledged on the way."""
    while line := process.stdout.readline().decode():
        word, *rest = line.split()
        last = int(rest[0]) if word == "acknowledged" else last
        if word == wanted:
            return (rest[0] if rest else ""), last
    pytest.fail("the victim's parent died")


def test_a_killed_fleet_loses_nothing_and_catches_up(own_home):
    with open_store(own_home) as store:
        for patient in PATIENTS:
            store.link(SourcePatient("crash", patient), patient, store.issue_grant(), zone="Europe/Berlin")
            store.append(told(patient), store.issue_grant())
    victim, chance, last = Path(__file__).with_name("fleet_victim.py"), random.Random(5), -1
    process = subprocess.Popen(
        [sys.executable, str(victim), str(own_home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        for word, times, later in KILLS:
            process.stdin.write(b"%d\n" % (last + 1))
            process.stdin.flush()
            pid, last = heard(process, "born", last)
            _, last = heard(process, "ready", last)
            for _ in range(times):
                _, last = heard(process, word, last)
            time.sleep(chance.uniform(0.0, later))
            os.kill(int(pid), signal.SIGKILL)
            _, last = heard(process, "dead", last)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
    assert last >= 7
    with open_store(own_home) as store:
        assert store.verify_audit()[1] is None
        grant = store.issue_grant()
        for i, patient in enumerate(PATIENTS):
            held = [e.id for e in store.record(patient, grant).of("glucose")]
            promised = {readings(turn)[i].id for turn in range(last + 1)}
            assert promised <= set(held), "acknowledged and lost"
            assert len(held) == len(set(held)), "doubled"
        after = fleet(store)
        assert after.load() == len(PATIENTS)
        assert after.follow().anew == 0  # from what was kept: nobody is made from the record again
        for patient in PATIENTS:
            record = store.record(patient, grant)
            newest = record.of("glucose")[-1].instant
            assert abs(after.at(patient) - newest) <= timedelta(seconds=30)
            twin, _ = assimilate(patient, choose(record), record, after.at(patient) + timedelta(seconds=29))
            for found, expected in zip(after.belief(patient).moments(), twin.belief.moments(), strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-8, rtol=1e-8)
