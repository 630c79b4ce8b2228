"""map suggest: a draft that the intake takes as it is, once the person and the zone are said."""


def test_a_draft_is_written_read_and_taken_in(run, tmp_path):
    made = tmp_path / "export.csv"
    made.write_text(
        "Time,Sensor Glucose (mmol/L),Carbs (g),Device\n"
        + "".join(
            f"2026-01-05 {8 + i // 12:02d}:{5 * (i % 12):02d},{5.0 + i / 10},{40 if i == 3 else ''},X\n"
            for i in range(24)
        )
    )
    draft = tmp_path / "draft.yaml"
    said = run("map", "suggest", made, "--source", "pump", "--out", draft)
    assert "2 columns understood" in said.stderr
    assert "CHECK nothing names the person" in said.stderr
    report = run.json("ingest", made, "--mapping", draft, "--patient", "anna", "--timezone", "Europe/Berlin")
    assert report["not_stored"] == []
    assert "there already" in run("map", "suggest", made, "--out", draft, code=1).stderr
    assert run("map", "suggest", made).stdout.startswith("# A draft by `medtwin map`")


def test_json_has_the_tables_and_the_text(run, tmp_path):
    made = tmp_path / "w.csv"
    made.write_text("patient_id,date,weight_kg\n1,2026-01-05,80\n1,2026-01-06,79.5\n2,2026-01-06,66\n")
    said = run.json("map", "suggest", made)
    (table,) = said["tables"]
    assert (table["subject"], table["values"][0]["quantity"], table["values"][0]["unit"]) == (
        "patient_id",
        "body_weight",
        "kg",
    )
    assert "body_weight" in said["mapping"]
    (tmp_path / "no.csv").write_text("nothing")
    assert "a header and rows" in run("map", "suggest", tmp_path / "no.csv", code=1).stderr
