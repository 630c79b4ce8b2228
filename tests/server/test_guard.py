"""Who may speak to the server, and what its answers carry."""

import pytest

from medtwin.server.guard import POLICY, loopback
from server.conftest import BASE, WRITES

NEAR = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]
FAR = ["0.0.0.0", "192.168.1.5", "example.org", "::"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "[::2]", "8.8.8.8"]
)
def test_a_foreign_host_is_turned_away(served, host):
    answer = served.client.get("/api/v1/status", headers={"Host": host})
    assert answer.status_code == 421
    assert served.client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765", "LOCALHOST:8765"])
def test_loopback_names_are_answered(served, host):
    assert served.client.get("/api/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:9"])
def test_a_foreign_origin_is_turned_away(served, origin):
    for method in ("GET", "POST"):
        headers = {"Origin": origin, **WRITES}
        assert served.client.request(method, "/api/v1/status", headers=headers).status_code == 403


def test_its_own_origin_is_answered(served):
    assert served.client.get("/api/v1/status", headers={"Origin": BASE}).status_code == 200


def test_another_sites_page_is_turned_away(served):
    answer = served.client.get("/api/v1/status", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/facts", "/patients/ada/what-if", "/quarantine/1/replay", "/patients/ada/disagreements/x/answer"]
)
def test_a_writing_request_needs_the_pages_header(served, path):
    before = served.store.sequence()
    answer = served.client.post(f"/api/v1{path}", json={})
    assert answer.status_code == 403
    assert answer.json()["title"] == "Not from the page"
    assert served.store.sequence() == before


def test_every_answer_carries_the_headers(served):
    for path in ("/", "/api/v1/status", "/api/v1/nothing", "/nothing.js"):
        headers = served.client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert served.client.get("/api/v1/patients").headers["cache-control"] == "no-store"
    assert "'unsafe" not in POLICY
    assert POLICY.startswith("default-src 'self'")


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/assets/..%2f..%2fapp.py", "/assets/%2e%2e/%2e%2e/guard.py",
        "//etc/passwd", "/%2fetc%2fpasswd", "/index.html%00.js", "/..%5capp.py", "/assets", "/" + "a" * 5000,
    ],
)  # fmt: skip
def test_nothing_outside_the_page_is_ever_sent(served, path):
    answer = served.client.get(path)
    assert answer.status_code == 404
    assert b"import" not in answer.content
    assert b"root:" not in answer.content


def test_the_page_is_sent_with_its_types(served):
    index = served.client.get("/")
    if index.status_code == 503:
        assert b"make ui" in index.content
        return
    assert index.headers["content-type"].startswith("text/html")
    assert index.headers["cache-control"] == "no-cache"
    script = index.text.partition('src="./')[2].partition('"')[0]
    asset = served.client.get(f"/{script}")
    assert asset.headers["content-type"].startswith("text/javascript")
    assert "immutable" in asset.headers["cache-control"]


@pytest.mark.parametrize("host", [*NEAR, *FAR])
def test_what_is_loopback(host):
    assert loopback(host) is (host in NEAR)
