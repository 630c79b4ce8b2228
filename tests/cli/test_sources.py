"""sources: in a table, as JSON, and for Prometheus."""

from cli.conftest import taken_in
from medtwin.record.home import open_store


def test_a_home_that_nothing_came_into_says_what_to_do(run):
    with open_store(run.home):
        pass
    said = run("sources")
    assert "Nothing has come in yet" in said.stdout
    assert "medtwin ingest" in said.stderr
    assert run.json("sources")["sources"] == []


def test_what_came_in_is_counted(tmp_path, tmp_path_factory):
    home = taken_in(tmp_path_factory.mktemp("kept"), tmp_path, days=0.1)
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01 nobody knows this")
    home("ingest", tmp_path / "odd.bin")
    said = home.json("sources", "--hours", "2")
    facts = sum(one["facts"] for one in said["sources"])
    assert facts == 28 + 1
    assert sum(one["facts_per_hour"] for one in said["sources"]) == facts / 2  # all came within the last two hours
    nobody = next(one for one in said["sources"] if one["system"] == "quarantine")
    assert nobody["quarantined"] == 1
    assert {"found", "expected", "todo"} <= set(nobody["last_error"])
    shown = home("sources")
    assert "(no person)" in shown.stdout
    assert "medtwin quarantine" in shown.stderr
    metrics = home("sources", "--prometheus").stdout
    assert 'medtwin_source_quarantined{system="quarantine"} 1\n' in metrics
    assert "anna" not in metrics
