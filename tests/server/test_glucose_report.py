"""The report of sensor glucose over the API: the same numbers in words, HTML, PDF and figures."""

from xml.etree import ElementTree

import pytest

from medtwin.server.guard import POLICY, REPORT_POLICY

PATH = "/api/v1/patients/ada/glucose-report"


def test_the_page_s_rows_are_those_of_the_printed_report(served):
    made = served.get("/patients/ada/glucose-report?days=2")
    rows = {row["name"]: row for row in made["rows"]}
    assert made["unit"] == "mg/dL"
    assert made["synthetic"] is True
    assert "days" in made["rule"]  # two days are fewer than are asked for
    printed = served.client.get(f"{PATH}.html?days=2&until={made['until'].replace('+', '%2B')}")
    assert printed.status_code == 200
    assert rows["mean"]["value"] in printed.text
    assert made["summary"].split(",")[0] in printed.text
    assert "SYNTHETIC DATA" in printed.text


def test_in_millimoles(served):
    milligrams = served.get("/patients/ada/glucose-report?days=2")
    millimoles = served.get("/patients/ada/glucose-report?days=2&unit=mmol/L")
    mean = [next(row for row in made["rows"] if row["name"] == "mean") for made in (milligrams, millimoles)]
    assert float(mean[1]["value"]) == pytest.approx(float(mean[0]["value"]) / 18.0156, abs=0.008)
    assert mean[1]["unit"] == "mmol/L"


def test_each_figure_and_file_is_served(served):
    made = served.get("/patients/ada/glucose-report?days=2")
    assert [figure["path"].partition("?")[0].rpartition("/")[2] for figure in made["figures"]] == [
        "overview",
        "profile",
        "days",
    ]
    for figure in made["figures"]:
        answer = served.client.get(f"/{figure['path']}")
        assert answer.headers["content-type"].startswith("image/svg+xml")
        root = ElementTree.fromstring(answer.text)
        assert float(root.get("width")) == figure["width"]
        assert b"style=" not in answer.content  # the page's policy forbids it
    for file in made["files"]:
        assert served.client.get(f"/{file['path']}").status_code == 200
    assert served.client.get(f"/{made['files'][1]['path']}").content.startswith(b"%PDF")


def test_the_html_has_a_policy_of_its_own_and_the_rest_the_page_s(served):
    answer = served.client.get(f"{PATH}.html")
    assert answer.headers["content-security-policy"] == REPORT_POLICY
    assert "script" not in REPORT_POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert served.client.get(PATH).headers["content-security-policy"] == POLICY


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("ada/glucose-report?unit=g/L", 422, "mg/dL or mmol/L"), ("ada/glucose-report?days=0", 400, "between 1 and 366"),
        ("ada/glucose-report?goals=mine", 422, "adult"), ("ada/glucose-report?until=2001-01-01T00:00:00Z", 422, "no reading"),
        ("ada/glucose-report?until=soon", 400, "ISO 8601"), ("clara/glucose-report", 422, "no sensor glucose"),
        ("ada/glucose-report/figures/none", 404, "overview"), ("nobody/glucose-report", 404, "patient"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_says_why(served, asked, status, words):
    assert words in str(served.get(f"/patients/{asked}", status))
