"""The made-up content behind the page's own tests: which answer belongs to which address, and live messages.

The answers are deterministic synthetic numbers in the JSON that `ui/src/lib/api.ts` states.
"""

from __future__ import annotations

import math
import queue
import time
from datetime import datetime
from typing import Any

from browser import fixture_curves as curves
from browser import fixture_people as people
from browser import fixture_record as record
from browser.fixture_day import iso


class Fixture:
    """What the server answers, and the door through which a test pushes live messages."""

    def __init__(self) -> None:
        self.start = math.floor(time.time() / 300) * 300
        self.listeners: list[queue.Queue[tuple[int, str, dict[str, Any]]]] = []
        self.serial = 0
        self.what_ifs: list[dict[str, Any]] = []
        self.guarded: list[str | None] = []
        self.answered: dict[str, Any] | None = None
        self.quarantined = True
        self.matched = True
        self.decided: list[tuple[str, dict[str, Any]]] = []
        self.latest: tuple[float, float] | None = None

    def push(self, kind: str, message: dict[str, Any]) -> None:
        self.serial += 1
        for listener in list(self.listeners):
            listener.put((self.serial, kind, message))

    def cut(self) -> None:
        """Drop every live connection, as a restart does."""
        for listener in list(self.listeners):
            listener.put((-1, "cut", {}))

    def push_reading(self, value: float, seconds: float | None = None) -> None:
        """A sensor reading and the belief that follows it."""
        self.latest = (seconds if seconds is not None else time.time(), value)
        at = iso(self.latest[0])
        event = f"live-{self.serial}"
        fact = {"patient": "ada", "event": event, "quantity": "glucose", "label": "Glucose (CGM)", "time": at}
        self.push(
            "event",
            {
                **fact,
                "value": value,
                "unit": "mg/dL",
                "text": f"Glucose {value:.0f} mg/dL",
                "intent": "happened",
                "flag": None,
            },
        )
        belief = {"patient": "ada", "quantity": "glucose", "time": at, "mean": value - 1, "lower": value - 9}
        self.push(
            "belief",
            {**belief, "upper": value + 8, "unit": "mg/dL", "event": event, "latency_ms": 23.4, "replayed_since": None},
        )

    def get(self, parts: list[str], query: dict[str, str]) -> dict[str, Any] | None:
        def moment(name: str, default: float) -> float:
            return datetime.fromisoformat(query[name]).timestamp() if name in query else default

        match parts:
            case ["patients"]:
                return people.worklist(self)
            case ["patients", ("ada" | "ben" | "cleo") as identity, *rest]:
                match rest:
                    case []:
                        return people.patient(self, identity)
                    case ["timeline"]:
                        until = moment("until", time.time())
                        quantity = query.get("quantity", "glucose")
                        return curves.timeline(self, identity, quantity, moment("since", until - 12 * 3600), until)
                    case ["forecast"]:
                        return curves.forecast(
                            self, identity, query.get("quantity", "glucose"), float(query.get("hours", 6))
                        )
                    case ["parameters"]:
                        return curves.parameters(self, identity)
                    case ["events"]:
                        return record.events(self, identity, int(query.get("offset", 0)), int(query.get("limit", 100)))
                    case ["events", event]:
                        return record.event_detail(self, identity, event)
                    case ["raw", digest]:
                        return record.raw(digest, query.get("locator"))
                    case ["disagreements"]:
                        found = [record.disagreement(self)] if identity == "ada" else []
                        return {"now": iso(time.time()), "patient": identity, "disagreements": found}
            case ["quarantine"]:
                return record.quarantine(self)
            case ["people", "matches"]:
                return record.matches(self)
            case ["sources"]:
                return {"now": iso(time.time()), "sources": [{**people.source(self), "patients": 2}], "unassigned": 14}
            case ["status"]:
                return people.status(self)
        return None

    def post(self, parts: list[str], body: dict[str, Any]) -> dict[str, Any] | None:
        match parts:
            case ["patients", identity, "what-if"]:
                self.what_ifs.append(body)
                return curves.what_if(self, identity, body)
            case ["patients", "ada", "disagreements", "d-1", "answer"]:
                label = {a["answer"]: a["label"] for a in record.disagreement(self)["answers"]}[body["answer"]]
                self.answered = {"answer": body["answer"], "label": label, "time": iso(time.time()), "by": "local user"}
                message = {"patient": "ada", "id": "d-1", "status": "answered", "question": "", "open": 0}
                self.push("disagreement", message)
                return record.disagreement(self)
            case ["people", ("link" | "refuse") as verdict]:
                self.matched = False
                self.decided.append((verdict, body))
                return {"one": body["one"], "other": body["other"], "keys": 1}
            case ["quarantine", "q-1", "replay"]:
                self.quarantined = False
                self.push("quarantine", {"id": "q-1", "file": "export", "resolved": True, "total": 0})
                return {"id": "q-1", "resolved": True, "new_facts": 288, "duplicates": 0, "still": None}
        return None
