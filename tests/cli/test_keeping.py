"""erase, withdraw, audit, doctor."""

import re
import sqlite3
from datetime import datetime

import pytest

from cli.conftest import taken_in


@pytest.fixture
def home(tmp_path, tmp_path_factory):
    return taken_in(tmp_path_factory.mktemp("kept"), tmp_path, days=0.1)


def test_erase_asks_for_the_id(home):
    assert "Nothing was erased" in home("erase", "anna", stdin="anne\n", code=1).stderr
    assert len(home.json("patients")["patients"]) == 1
    done = home("erase", "anna", stdin="anna\n")
    assert "Not erased: backups" in done.stdout
    assert home.json("patients")["patients"] == []


def test_erase_says_truthfully_what_it_did(home):
    said = home.json("erase", "anna", "--yes")
    assert said["erased"]["facts"] == 28 + 1
    assert said["erased"]["keys"] >= 2
    assert "backups" in said["not_erased"]
    assert "unknown patient" in home("erase", "anna", "--yes", code=1).stderr
    assert "unknown patient" in home("erase", "anna", code=1).stderr


def test_a_withdrawn_consent_bites_at_once(home):
    home("withdraw", "anna")
    assert "withdrew consent" in home("show", "anna", code=1).stderr
    assert home.json("patients")["patients"] == []
    assert home.json("withdraw", "anna", "--undo")["withdrawn"] is False
    assert len(home.json("patients")["patients"]) == 1


def test_the_first_altered_row_is_named(home):
    said = home.json("audit", "verify")
    assert said["first_altered"] is None
    assert said["rows"] > 4
    connection = sqlite3.connect(home.home / "store.sqlite")
    connection.execute("UPDATE audit SET count = count + 1 WHERE number = 3")
    connection.commit()
    connection.close()
    said = home.json("audit", "verify", code=1)
    assert (said["first_altered"], said["rows"]) == (3, 3)
    assert said["exist"] > 6
    told = home("audit", "verify", code=1).stderr
    assert "altered at row 3;" in told
    assert "reading stopped at the first wrong" in told
    exist = int(re.search(r"(\d+) rows exist", told)[1])
    assert exist > said["exist"]  # each command leaves its own row
    assert any(not check["well"] for check in home.json("doctor", code=1)["checks"])


def test_the_trail_lists_who_did_what(home):
    rows = home.json("audit", "list", "--patient", "anna", "--limit", 5)["rows"]
    assert rows
    assert all(row["patient"] for row in rows)
    assert "anna" not in home("audit", "list").stdout
    numbers = [row["number"] for row in home.json("audit", "list", "--limit", 5)["rows"]]
    assert numbers == list(range(numbers[0], numbers[0] - 5, -1))
    assert all(datetime.fromisoformat(row["time"]).tzinfo for row in rows)
    assert re.search(rf"^\s*{numbers[-1]} +20\d\d-", home("audit", "list").stdout, re.MULTILINE)


def test_a_well_home(home):
    said = home.json("doctor", "--thorough")
    assert said["well"]
    assert "state" in {check["name"] for check in said["checks"]}
    assert "well" in home("doctor").stdout
