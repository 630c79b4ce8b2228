"""webhook: a secret is printed once, a list shows none."""


def test_a_sender_is_registered_listed_and_removed(run):
    made = run.json("webhook", "add", "scale", "--timezone", "Europe/Berlin")
    assert made["path"] == "/hooks/scale"
    assert made["secret"].startswith("whsec_")
    shown = run("webhook", "list").stdout
    assert "scale" in shown
    assert "whsec" not in shown
    (listed,) = run.json("webhook", "list")["webhooks"]
    assert (listed["timezone"], "secret" in listed) == ("Europe/Berlin", False)
    assert run.json("webhook", "remove", "scale")["removed"] is True
    assert "registered sender" in run("webhook", "remove", "scale", code=1).stderr
    assert "zone" in run("webhook", "add", "scale", "--timezone", "Nowhere/Atall", code=1).stderr
