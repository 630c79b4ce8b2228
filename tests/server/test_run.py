"""Starting a server: its address, its login, its home to itself."""

import http.client
import json
import subprocess
import sys

import pytest

from medtwin.record.home import open_store
from medtwin.server import run
from medtwin.server.app import make_app
from server.conftest import BASE, WRITES, Clock, Running, TestClient


def test_a_taken_address_is_told_with_what_to_do():
    held = run.bind("127.0.0.1", 0)
    port = held.getsockname()[1]
    with pytest.raises(run.ServeError, match=rf"127.0.0.1:{port}.*--port {port + 1}"):
        run.bind("127.0.0.1", port)
    held.close()


def test_beyond_this_machine_only_with_a_login(tmp_path):
    with pytest.raises(run.ServeError, match=r"without a login.*--new-token"):
        run.refuse_beyond_loopback("0.0.0.0", None)
    run.refuse_beyond_loopback("127.0.0.1", None)
    token = run.new_token(tmp_path / "home")
    assert run.token_of(tmp_path / "home") == token
    run.refuse_beyond_loopback("0.0.0.0", token)
    assert (tmp_path / "home" / run.TOKEN_FILE).stat().st_mode & 0o077 == 0


def test_a_token_that_others_can_read_or_that_is_short_is_refused(tmp_path):
    run.new_token(tmp_path)
    (tmp_path / run.TOKEN_FILE).chmod(0o644)
    with pytest.raises(run.ServeError, match="other users can read"):
        run.token_of(tmp_path)
    (tmp_path / run.TOKEN_FILE).chmod(0o600)
    (tmp_path / run.TOKEN_FILE).write_text("short")
    with pytest.raises(run.ServeError, match="shorter"):
        run.token_of(tmp_path)
    assert run.token_of(tmp_path / "none") is None


def test_with_a_login_the_api_asks_for_it(own_home):
    token = "t" * 40
    with open_store(own_home) as store:
        app = make_app(store, store.issue_grant(), Clock(), token=token, hosts=("ward.example",), warm_up=False)
        with TestClient(app, base_url=BASE) as client:
            assert client.get("/api/v1/status").status_code == 401
            assert client.get("/api/v1/status", headers={"Authorization": "Bearer wrong"}).status_code == 401
            assert client.get("/api/v1/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            assert client.post("/api/v1/facts", content=b"{}", headers=WRITES).status_code == 401
            assert client.get("/login?token=wrong", follow_redirects=False).status_code == 401
            answer = client.get(f"/login?token={token}", follow_redirects=False)
            assert answer.status_code == 303
            assert "HttpOnly" in answer.headers["set-cookie"]
            assert "SameSite=Strict" in answer.headers["set-cookie"]
            assert client.get("/api/v1/status").status_code == 200
            assert client.get("/api/v1/status", headers={"Host": "ward.example"}).status_code == 200


def test_one_server_over_one_home(own_home):
    with Running(own_home, Clock()):
        with pytest.raises(run.ServeError, match="another server over this home"):
            run.server(own_home, run.bind("127.0.0.1", 0))
    with Running(own_home, Clock()) as again:
        connection = http.client.HTTPConnection("127.0.0.1", again.port)
        connection.request("GET", "/api/v1/status")
        assert connection.getresponse().status == 200
        connection.close()


def test_an_empty_home_is_served(own_home):
    with open_store(own_home) as store:
        with TestClient(make_app(store, store.issue_grant(), Clock()), base_url=BASE) as client:
            assert client.get("/api/v1/patients").json()["patients"] == []
            assert client.get("/api/v1/sources").json()["sources"] == []
            assert client.get("/api/v1/quarantine").json()["items"] == []
            metrics = client.get("/api/v1/metrics")
            assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert "# TYPE medtwin_source_facts_total counter" in metrics.text


def test_serve_prints_one_line_of_json_when_it_listens(own_home):
    line = [sys.executable, "-m", "medtwin.cli.main", "serve", "--home", str(own_home), "--port", "0", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as served:
        try:
            said = json.loads(served.stdout.readline())
            assert said["schema"] == "medtwin/serve/1"
            assert said["address"] == said["open"] == f"http://127.0.0.1:{said['port']}/"
            connection = http.client.HTTPConnection("127.0.0.1", said["port"], timeout=60)
            connection.request("GET", "/api/v1/status")
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            served.terminate()
        assert served.stdout.read() == ""
        assert served.wait(30) == 0
