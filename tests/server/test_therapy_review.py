"""The review of insulin settings over the API: in words, as HTML, once for a piece of a life, and why there is none."""

import pytest

from medtwin.applications.therapy_review import replay, review
from medtwin.server import shapes
from medtwin.server.guard import REPORT_POLICY
from server.test_contract import conforms

PATH = "/api/v1/patients/ada/therapy-review"


@pytest.fixture
def one_day_is_enough(monkeypatch):
    """The home of these tests holds two days; a real review asks for seven."""
    monkeypatch.setattr(review, "FEWEST", 1)
    monkeypatch.setattr(replay, "MEMBERS", 15)


def test_the_review_in_words_and_as_html(served, one_day_is_enough):
    made = served.get(PATH)
    conforms(made, shapes.TherapyReviewPage)
    assert made["days"] == 1
    assert made["synthetic"] is True
    assert "a clinician decides" in made["limit"]
    assert any("days are few" in note for note in made["notes"])
    assert made["rows"]
    printed = served.client.get(f"/{made['files'][0]['path']}")
    assert printed.status_code == 200
    assert printed.headers["content-security-policy"] == REPORT_POLICY
    assert printed.headers["cache-control"] == "no-store"
    assert "SYNTHETIC DATA" in printed.text
    assert made["rows"][0]["in_use"] in printed.text
    held = served.context.living._reviews
    assert len(held) == 1  # the HTML is of the same review


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("ada/therapy-review?days=8", 422, "at least 7"), ("ada/therapy-review?days=6", 400, "between 7 and 60"),
        ("deniz/therapy-review", 422, "no physiological model"), ("clara/therapy-review", 422, "No review"),
        ("nobody/therapy-review", 404, "patient"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_says_why(served, asked, status, words):
    assert words in str(served.get(f"/patients/{asked}", status))
