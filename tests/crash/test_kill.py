"""Killed at random moments, hundreds of times, on one home: nothing acknowledged is lost, nothing is doubled.

The oracle is not the store's: it is what the children said, on a pipe, after each acknowledgement.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from medtwin.record.facts import unfolded
from medtwin.record.home import open_store

pytestmark = pytest.mark.crash


class Oracle:
    """Runs the victim, kills its children, remembers what they were promised."""

    def __init__(self, home, url):
        self.promised = Counter()
        self.facts, self.raws, self.artifacts = set(), set(), set()
        self.early = 0  # killed before the store was open
        command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(home), url or "-"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, number, chance):
        self.process.stdin.write(b"%d\n" % number)
        self.process.stdin.flush()
        pid = self._hear_until("born")
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0, 0.04))
            self.early += 1
        else:
            self._hear_until("ready")
            time.sleep(chance.uniform(0, 0.05))
        os.kill(int(pid), signal.SIGKILL)
        self._hear_until("dead")

    def _hear_until(self, wanted):
        while line := self.process.stdout.readline().decode():
            word, *rest = line.split()
            self.promised[word] += 1
            if word == "failed":
                pytest.fail(f"the store refused: {line}")
            for kind, kept in (("fact", self.facts), ("raw", self.raws), ("artifact", self.artifacts)):
                if word == kind:
                    kept.add(rest[0])
            if word == wanted:
                return rest[0] if rest else ""
        pytest.fail("the victim's parent died")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def killed(home, url, times):
    oracle, chance = Oracle(home, url), random.Random(times)
    try:
        for number in range(times):
            oracle.run(number, chance)
    finally:
        oracle.close()
    return oracle


def assert_kept(home, url, oracle):
    with open_store(home, url) as store:
        assert store.verify_audit()[1] is None
        grant = store.issue_grant()
        with store.access.database.reading(snapshot=True) as connection:
            assert unfolded(connection) == [], "state is not the fold of the log"
            found = Counter(bytes(row[0]).hex() for row in connection.rows("SELECT id FROM fact"))
            sequences = sorted(row[0] for row in connection.rows("SELECT sequence FROM fact"))
            rows = connection.rows("SELECT action, COUNT(*), SUM(count) FROM audit GROUP BY action")
            totals = connection.rows(
                "SELECT owner.id, owner.events, owner.first, owner.last, owner.sequence, COUNT(fact.id),"
                " MIN(CASE WHEN standing = 1 THEN fact.start END), MAX(CASE WHEN standing = 1 THEN fact.start END),"
                " MAX(fact.sequence) FROM owner JOIN fact ON fact.owner = owner.id GROUP BY owner.id, owner.events,"
                " owner.first, owner.last, owner.sequence"
            )
        assert oracle.facts - set(found) == set(), "acknowledged and lost"
        assert [identity for identity, times in found.items() if times > 1] == [], "doubled"
        assert sequences == list(range(1, len(sequences) + 1)), "a commit sequence with gaps"
        audited = {action: (int(times), int(total)) for action, times, total in rows}
        assert audited["append"][1] == len(found), "facts and the audit rows of their writes differ"
        assert audited.get("record", (0, 0))[0] >= oracle.promised["read"], "a read without its audit row"
        for row in totals:
            assert tuple(row[1:5]) == tuple(row[5:9]), "an owner's totals are not the fold of the log"
        raws = {entry.hash for entry in store.raw_entries(None, grant)}
        assert oracle.raws <= raws
        assert all(len(store.raw(None, raw, grant)) > 0 for raw in sorted(raws)[:20])
        assert oracle.artifacts <= {name for name, _ in store.artifacts("P", "snapshot", grant)}


def test_two_hundred_kills(own_home):
    oracle = killed(own_home, None, 200)
    assert len(oracle.facts) > 500, "too little was written for the kills to mean anything"
    assert oracle.promised["read"] > 10
    assert 10 < oracle.early < 100
    assert_kept(own_home, None, oracle)


@pytest.mark.postgres
def test_kills_of_clients_of_postgresql(own_home, postgres):
    url = f"{postgres}&schema=crash"
    oracle = killed(own_home, url, 30)
    assert len(oracle.facts) > 100
    assert_kept(own_home, url, oracle)
