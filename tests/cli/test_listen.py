"""``medtwin listen mllp`` as a process of its own: it says its port, takes a message, ends when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from medtwin.record.home import open_store
from medtwin.sources.mllp import framed
from sources.test_hl7v2 import message, result


def test_a_listener_from_the_command_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "medtwin", "listen", "mllp", "--port", "0", "--json", "--home", str(home)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert child.stdout is not None
    begun = json.loads(child.stdout.readline())
    assert begun["schema"] == "medtwin/listen/1"
    with socket.create_connection(("127.0.0.1", begun["port"])) as sender:
        sender.sendall(framed(message(*result())))
        assert b"MSA|AA|1" in sender.recv(4096)
        sender.sendall(framed(message("MRG|4712^^^HOSPITAL^MR", kind="ADT^A40")))
        assert b"MSA|AA|1" in sender.recv(4096)
    time.sleep(0.5)  # the facts follow; whether they were in time is said
    child.send_signal(signal.SIGTERM)
    rest, _ = child.communicate(timeout=30)
    assert json.loads(rest)["received"] == 2
    assert json.loads(rest)["waiting"] or "A40 of HOSPITAL" in json.loads(rest)["notes"][0]
    assert child.returncode == 0
    with open_store(home) as store:
        grant = store.issue_grant()
        (patient,) = store.patients(grant)
        waiting = json.loads(rest)["waiting"]
        assert len(store.record(patient.id, grant).of("blood_glucose")) + waiting in (1, 2)
