from datetime import UTC, datetime

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.record import ArtifactId, Code, Moment, Precision, SourcePatient, frames
from medtwin.record.store import Demographics
from record.making import JANE, START, fact, odd_events, readings

SINCE, UNTIL = START.replace(tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)


def test_one_row_a_fact_in_the_quantitys_own_unit(store, grant):
    store.link(JANE, "P1", grant)
    date = Moment(datetime(2024, 3, 2), Precision.DAY)  # noqa: DTZ001
    events = [
        fact(0, 100.0),
        fact(1, Code("s", "c", "shown", True), quantity="condition", unit_text=None),
        fact(2, ArtifactId("ff"), quantity="scan"),
        fact(3, None, time=date),
    ]
    store.append(events, grant)
    table = frames.frame(store.record("P1", grant).events)
    rows = {row["key"]: row for row in table.iter_rows(named=True)}
    assert table.schema["time"] == pl.Datetime("us", "UTC")
    plain = rows["0/glucose"]
    assert (plain["value"], plain["unit"], plain["time"], plain["id"]) == (100.0, "mg/dL", SINCE, events[0].id)
    assert (plain["recorded"], plain["source"], plain["locator"]) == (1, "dexcom", "line 0")
    code = rows["1/condition"]
    assert (code["code_system"], code["code"], code["display"], code["negated"]) == ("s", "c", "shown", True)
    assert rows["2/scan"]["artifact"] == "ff"
    assert (rows["3/glucose"]["precision"], rows["3/glucose"]["offset_known"]) == ("day", False)


@given(st.lists(odd_events, max_size=5))
@settings(max_examples=30, deadline=None)
def test_any_facts_make_a_frame(events):
    assert frames.frame(events).height == len(events)


def test_an_empty_record_is_an_empty_frame_with_its_columns():
    assert frames.frame([]).columns == frames.frame([fact(0)]).columns


def test_signals_and_patients(store, grant):
    store.link(JANE, "P1", grant)
    store.describe(JANE, Demographics(name="Jane"), grant)
    store.append(readings(4), grant)
    assert frames.signal(store, "P1", "glucose", SINCE, UNTIL, grant)["value"].to_list() == [80.0, 81.0, 82.0, 83.0]
    assert frames.signal(store, "P1", "heart_rate", SINCE, UNTIL, grant).height == 0
    assert frames.patients(store, grant).row(0, named=True)["name"] == "Jane"


def test_parquet_is_sorted_and_read_by_duckdb_and_polars(store, grant, tmp_path):
    bob = SourcePatient("dexcom", "bob")
    store.link(JANE, "P 1/ä", grant)
    store.link(bob, "P2", grant)
    late = [fact(3, 1.0, key="k"), fact(1, 2.0, quantity="body_weight"), fact(3, 9.0, key="k", issued=60)]
    store.append([*reversed(readings(5)), *late, fact(0, owner=bob)], grant)
    files = frames.export_parquet(store, tmp_path / "out", grant)
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    table = pl.read_parquet(files[0], hive_partitioning=False)
    assert table.select("quantity", "time").rows() == sorted(table.select("quantity", "time").rows())
    assert table.filter(pl.col("key") == "k")["value"].to_list() == [9.0]
    pattern = f"{tmp_path}/out/*/*.parquet"
    query = f"SELECT patient, COUNT(*) FROM read_parquet('{pattern}', hive_partitioning = true) GROUP BY ALL ORDER BY 2"
    assert duckdb.sql(query).fetchall() == [("P2", 1), ("P 1/ä", 7)]
    assert pl.scan_parquet(pattern, hive_partitioning=True).filter(pl.col("patient") == "P2").collect().height == 1
    (path,) = frames.export_parquet(store, tmp_path / "all", grant, ["P 1/ä"], history=True)
    assert pl.read_parquet(path, hive_partitioning=False).height == 8
