"""A frozen score is numbers and words: read back it predicts the same, and any change of it is refused."""

import json
import subprocess
import sys

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.score import freeze, read_score, train
from medtwin.trials.score.boosting import _machine
from medtwin.trials.score.boosting import fit as boost
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.score import TrainedScore, score_from
from trials.score.simulated import asked, patients


@pytest.fixture(scope="module")
def boosted():
    return train(patients(120, 1), asked("boosting", covariates=["base", "x", "site"]), evaluate=False)


@pytest.fixture(scope="module")
def line():
    return train(patients(120, 1), asked(covariates=["base", "x", "site"]))


def packed(held):
    """The bytes of a document, with the hash that belongs to it."""
    plain = {name: value for name, value in held.items() if name != "sha256"}
    return json.dumps({"sha256": msgspec.convert(plain, TrainedScore).sha256, **plain}).encode()


def test_read_back_it_predicts_the_same(boosted, line, tmp_path):
    new = patients(500, 2)
    for score in (boosted, line):
        path = tmp_path / "score.json"
        digest = freeze(score, path)
        again = read_score(path)
        assert again == score
        assert again.sha256 == digest
        np.testing.assert_array_equal(again.predict(new), score.predict(new))


def test_the_same_data_and_specification_make_the_same_hash(line):
    assert train(patients(120, 1), asked(covariates=["base", "x", "site"])).sha256 == line.sha256
    assert train(patients(120, 1), asked(covariates=["base", "x", "site"], version="2")).sha256 != line.sha256


def test_prediction_needs_no_scikit_learn(boosted, tmp_path):
    freeze(boosted, tmp_path / "score.json")
    patients(50, 3).write_csv(tmp_path / "new.csv")
    code = (
        "import sys, polars as pl\nfrom pathlib import Path\nfrom medtwin.trials.score import read_score\n"
        f"read_score(Path({str(tmp_path / 'score.json')!r})).predict(pl.read_csv({str(tmp_path / 'new.csv')!r}))\n"
        "assert not {'sklearn', 'jax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("endpoint", ["continuous", "binary"])
def test_trees_say_what_scikit_learn_says(endpoint):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 5)) * np.array([1.0, 1e-3, 1e4, 1.0, 7.0])
    x[:, 3] = np.round(x[:, 3])
    y = x[:, 0] ** 2 + (x[:, 4] > 0) + 0.3 * rng.normal(size=400)
    if endpoint == "binary":
        y = (y > np.median(y)).astype(float)
    history = History(known=Known(design=x, names=tuple("abcde")), endpoint=endpoint, outcome=y)
    made, _ = boost(history, folds=3, seed=7)
    machine = _machine(history, made.depth, len(made.trees), 7)
    new = np.vstack([x, rng.normal(size=(2000, 5)) * np.array([1.0, 1e-3, 1e4, 3.0, 7.0])])
    theirs = machine.predict(new) if endpoint == "continuous" else machine.decision_function(new)
    np.testing.assert_allclose(made.predict(Known(design=new, names=())), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda held: held["model"].update(intercept=held["model"]["intercept"] + 1e-9),
        lambda held: held["specification"]["context"].update(population="everybody"),
        lambda held: held["figures"]["r_squared"].update(value=0.9),
        lambda held: held.update(sha256="0" * 64),
        lambda held: held.pop("sha256"),
        lambda held: held["prints"]["rows"].pop(),
    ],
)
def test_a_changed_file_is_refused(line, tmp_path, spoil):
    path = tmp_path / "score.json"
    freeze(line, path)
    held = json.loads(path.read_text())
    spoil(held)
    path.write_text(json.dumps(held))
    with pytest.raises(AnalysisError, match="not that of its hash"):
        read_score(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda held: held.update(more=1), "more"),
        (lambda held: held["model"].update(more=1), "more"),
        (lambda held: held.update(dialect="medtwin-prognostic-score/2"), "no frozen score"),
        (lambda held: held["model"].update(intercept=None), "float"),
        (lambda held: held["model"].update(type="pickle"), "pickle"),
    ],
)
def test_an_unknown_field_kind_or_dialect_is_refused(line, tmp_path, spoil, message):
    path = tmp_path / "score.json"
    freeze(line, path)
    held = json.loads(path.read_text())
    spoil(held)
    path.write_text(json.dumps(held))
    with pytest.raises(AnalysisError, match=message):
        read_score(path)


def test_numbers_that_are_none_are_refused(line, tmp_path):
    path = tmp_path / "score.json"
    freeze(line, path)
    whole = path.read_text()
    for value in ("NaN", "1e999", "-Infinity"):
        spoilt = whole.replace(f'"intercept": {line.model.intercept!r}', f'"intercept": {value}')
        assert spoilt != whole
        path.write_text(spoilt)
        with pytest.raises(AnalysisError):
            read_score(path)


def test_trees_that_lead_nowhere_are_refused_even_with_their_hash(boosted):
    for change in ({"left": 0}, {"left": 10**6}, {"feature": 99}, {"right": -1}):
        held = msgspec.to_builtins(boosted)
        name, value = next(iter(change.items()))
        part = list(held["model"]["trees"][0][name])
        part[0] = value
        held["model"]["trees"][0][name] = part
        with pytest.raises(AnalysisError, match="leads nowhere"):
            score_from(packed(held))
    score_from(packed(msgspec.to_builtins(boosted)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_reader(content):
    with pytest.raises(AnalysisError):
        score_from(content)


def places(held, path=()):
    """Every leaf of a document."""
    if isinstance(held, dict):
        for key, value in held.items():
            yield from places(value, (*path, key))
    elif isinstance(held, (list, tuple)):
        for key, value in enumerate(held):
            yield from places(value, (*path, key))
    else:
        yield path


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_any_value_changed_predicts_numbers_or_is_refused(boosted, line, data):
    """The hash made anew: the reader must stand on its own checks."""
    held = json.loads(msgspec.json.encode(data.draw(st.sampled_from([boosted, line]))))
    where = data.draw(st.sampled_from(list(places(held))))
    inner = held
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = data.draw(
        st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5) | st.none()
    )
    try:
        score = score_from(packed(held))
        values = score.predict(patients(30, 5))
    except (AnalysisError, msgspec.ValidationError):  # the latter from packed
        return
    assert np.isfinite(values).all()


def test_what_is_missing_follows_the_training_data_alone():
    table = patients(200, 6)
    holes = table.with_columns(pl.when(pl.col("id") % 5 == 0).then(None).otherwise(pl.col("x")).alias("x"))
    made = train(holes, asked(covariates=["base", "x", "site"]), evaluate=False)
    assert made.columns[1].encoded == ("x", "x (missing)")
    new = patients(40, 7).with_columns(pl.lit(None, dtype=pl.Float64).alias("x"))
    applied = made.apply(new)
    filled = made.predict(new.with_columns(pl.lit(made.columns[1].median).alias("x")))
    indicator = made.model.coefficients[2]
    assert applied.values == pytest.approx(filled + indicator)
    assert applied.counted[1].missing == 40
    assert "40 of 40 patients without x" in " ".join(applied.notes)
    # the arm and the outcome may hold anything, or be absent
    np.testing.assert_array_equal(made.predict(new.drop("arm", "y")), applied.values)


def test_values_out_of_range_are_counted():
    made = train(patients(200, 8), asked(), evaluate=False)
    new = patients(20, 9).with_columns(pl.Series("x", [100.0] * 3 + [-100.0] * 2 + [0.0] * 15))
    count = made.apply(new).counted[1]
    assert (count.below, count.above) == (2, 3)


def test_a_level_that_training_never_saw():
    table = patients(200, 10)
    new = patients(20, 11).with_columns(pl.lit("east").alias("site"))
    strict = train(table, asked(covariates=["base", "site"]), evaluate=False)
    with pytest.raises(AnalysisError, match="east"):
        strict.predict(new)
    usual = train(table, asked(covariates=["base", "site"], unseen="usual"), evaluate=False)
    most = usual.columns[1].levels[0]
    np.testing.assert_array_equal(usual.predict(new), usual.predict(new.with_columns(pl.lit(most).alias("site"))))
    assert usual.apply(new).counted[1].unseen == 20
    # missing words count as the most frequent level, too
    gone = new.with_columns(pl.lit(None, dtype=pl.String).alias("site"))
    np.testing.assert_array_equal(strict.predict(gone), strict.predict(new.with_columns(pl.lit(most).alias("site"))))
