"""Who may speak to this server: the names it answers to, the origins it takes requests from, the login.

A page of another origin can make a browser send requests here, and a rebound name can make it read the answers. So the
Host must be a name of this server, an Origin must be this server's own, and a request that writes carries a header that
no foreign form can set. A server that listens beyond this machine also asks for a token.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medtwin.server.http import PREFIX, Refusal, refused

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
MARK = b"x-medtwin-request"
HOOKS = "/hooks/"
COOKIE = "medtwin_token"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: of a report as one HTML file: it has its style within and no script at all
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


def loopback(host: str) -> bool:
    """Whether an address to bind to is reachable from this machine only."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The host's name without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if ":" in host else host


class Guard:
    """ASGI middleware: checks each request, and puts the headers on each answer."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self.app, self.token = app, token
        self.hosts = LOOPBACK | frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        api = scope["path"].startswith(PREFIX)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(n, v) for n, v in message.get("headers", []) if n.lower() not in dict(HEADERS)]
                report = api and any(n.lower() == b"content-type" and v.startswith(b"text/html") for n, v in own)
                policy = (b"content-security-policy", (REPORT_POLICY if report else POLICY).encode())
                own.extend((policy, *HEADERS[1:]))
                if api and not any(n.lower() == b"cache-control" for n, _ in own):
                    own.append((b"cache-control", b"no-store"))
                message["headers"] = own
            await send(message)

        refusal = self.refusal(scope, headers, api)
        if refusal is None:
            await self.app(scope, receive, guarded)
            return
        await refused(refusal)(scope, receive, guarded)

    def refusal(self, scope: Scope, headers: dict[bytes, str], api: bool) -> Refusal | None:
        """Why a request is not let through."""
        host = headers.get(b"host", "")
        if _name(host.lower()) not in self.hosts:
            return Refusal(
                421, "Not this server", f"found the Host {host[:80]!r}; expected {', '.join(sorted(self.hosts))}",
                "Open the address that `medtwin serve` printed.",
            )  # fmt: skip
        origin = headers.get(b"origin")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            return Refusal(
                403, "Another origin", f"found the Origin {origin[:80]!r}; expected {scope['scheme']}://{host}"
            )
        if headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin") and api:
            return Refusal(403, "Another site", "found a request that another site's page made")
        signed = scope["path"].startswith(HOOKS)  # is checked against its sender's own secret instead
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and headers.get(MARK) != "1" and not signed:
            return Refusal(
                403, "Not from the page", "found a writing request without X-Medtwin-Request: 1; expected the header",
                "Send the header X-Medtwin-Request: 1.",
            )  # fmt: skip
        if self.token is not None and api and not self._known(scope, headers):
            return Refusal(
                401, "Log in first", "found no valid token; expected `Authorization: Bearer TOKEN`",
                "Open the address with its token, as `medtwin serve` printed it.",
            )  # fmt: skip
        return None

    def _known(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        assert self.token is not None
        said = headers.get(b"authorization", "")
        given = said[7:] if said[:7].lower() == "bearer " else ""
        if not given:
            cookie = SimpleCookie()
            cookie.load(headers.get(b"cookie", ""))
            given = cookie[COOKIE].value if COOKIE in cookie else ""
        return hmac.compare_digest(given.encode(), self.token.encode())


class Login:
    """ASGI middleware: ``/login?token=...`` turns the token of the printed address into a cookie and forgets the address."""

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/login" or self.token is None:
            await self.app(scope, receive, send)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            await refused(Refusal(401, "Not the token", "found another token than this server's"))(scope, receive, send)
            return
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200{secure}"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


__all__ = ["HEADERS", "LOOPBACK", "POLICY", "Guard", "Login", "loopback"]
