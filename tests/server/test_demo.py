"""The demo, whole: files, server, live events, what they must change, and a clean end."""

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

COMMAND = [sys.executable, "-m", "medtwin.cli.main", "demo"]
pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("demo-home")


def test_the_check_passes_and_says_what_it_saw(home):
    said = checked(home)
    assert said["schema"] == "medtwin/demo-check/1"
    assert said["passed"] is True
    before, after = said["before"], said["after"]
    assert (after["mean"] - before["mean"]) * (said["reading"] - before["mean"]) > 0
    assert after["half_width"] < before["half_width"]
    assert said["forecast_moved"] > 0
    assert said["latency_ms"] > 0
    assert sorted(p.name for p in (home / "demo" / "incoming").iterdir()) == ["ada", "ben", "clara", "deniz"]
    assert not (home / "store.sqlite").exists(), "the user's own home was touched"


def checked(home):
    done = subprocess.run(
        [*COMMAND, "--home", str(home), "--check", "--json"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ask(port, path):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1{path}")
    said = json.loads(connection.getresponse().read())
    connection.close()
    return said


def test_it_runs_streams_and_ends_cleanly_on_an_interrupt(home):
    started = subprocess.Popen(
        [*COMMAND, "--home", str(home), "--port", "0", "--factor", "600"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        port = 0
        for line in started.stdout:
            if "open http://127.0.0.1:" in line:
                port = int(line.rpartition(":")[2].strip().strip("/"))
            if line.startswith("Live:"):
                break
        assert port
        before = ask(port, "/status")
        assert before["warm"] is True
        assert before["patients"] == 4
        assert before["quarantined"] == 0
        end = time.monotonic() + 60
        while ask(port, "/status")["events"] <= before["events"]:
            assert time.monotonic() < end, "no live event came"
            time.sleep(0.2)
        busy = subprocess.run(
            [*COMMAND, "--home", str(home / "other"), "--port", str(port)], capture_output=True, text=True, timeout=60
        )
        assert busy.returncode == 1
        assert f"127.0.0.1:{port}" in busy.stderr
        assert "--port" in busy.stderr
    finally:
        started.send_signal(signal.SIGINT)
        rest, errors = started.communicate(timeout=60)
    assert started.returncode == 0, errors
    assert "Ended." in rest
    assert errors.strip() == ""


def test_a_check_after_that_goes_on_from_there(home):
    state = json.loads((home / "demo" / "demo.json").read_text())
    said = checked(home)
    assert said["passed"] is True
    assert json.loads((home / "demo" / "demo.json").read_text()) == state
