"""export, import, backup, restore."""

import zipfile


def test_export_and_import_give_the_same_twin(anna, run, tmp_path):
    said = anna.json("export", "anna", "-o", tmp_path / "anna.zip")
    assert said["manifest"]["facts"] == 4 * 288 + 1 + 4 * 6 + 1
    assert (tmp_path / "anna.zip").stat().st_mode & 0o077 == 0
    assert "a file of that name" in anna("export", "anna", "-o", tmp_path / "anna.zip", code=1).stderr
    found = run.json("import", tmp_path / "anna.zip")
    assert found["same"] is True
    assert found["snapshot"] == said["manifest"]["snapshot"]
    assert "the same belief" in run("import", tmp_path / "anna.zip").stderr
    there, here = (one.json("show", "anna", "--as-of", "last") for one in (anna, run))
    for part in ("belief", "parameters", "latest", "snapshot", "diagnoses"):
        assert there[part] == here[part], part


def test_an_archive_that_was_touched_is_refused(anna, run, tmp_path):
    anna("export", "anna", "-o", tmp_path / "anna.zip")
    with zipfile.ZipFile(tmp_path / "anna.zip") as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b'"number":50.0', b'"number":90.0') if "events" in name else content)
    assert "observed/events.jsonl" in run("import", tmp_path / "bad.zip", code=1).stderr
    assert run.json("patients")["patients"] == []
    (tmp_path / "no.zip").write_bytes(b"nothing")
    assert "no export" in run("import", tmp_path / "no.zip", code=1).stderr


def test_a_backup_is_the_whole_home(anna, run, tmp_path):
    anna("backup", tmp_path / "all")
    assert run.json("restore", tmp_path / "all")["manifest"]["dialect"].startswith("medtwin-backup/")
    assert run.json("patients")["patients"] == anna.json("patients")["patients"]
    assert "already" in run("restore", tmp_path / "all", code=1).stderr
