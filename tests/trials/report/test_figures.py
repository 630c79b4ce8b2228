"""Figures stand where their numbers say, within their frame, and hold hostile names harmlessly."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.kaplan import kaplan_meier as estimated
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.balance import Balance, BalanceRow
from medtwin.trials.planning.curve import Curve, Figure
from medtwin.trials.report.figures.axis import Axis, labels, linear_ticks, named
from medtwin.trials.report.figures.balance import love
from medtwin.trials.report.figures.drawing import COLOURS, Scene, Text
from medtwin.trials.report.figures.forest import Row, forest
from medtwin.trials.report.figures.kaplan_meier import at_risk, kaplan_meier
from medtwin.trials.report.figures.pdf import printable
from medtwin.trials.report.figures.power import power
from medtwin.trials.report.figures.svg import dark_rules, svg
from medtwin.trials.report.figures.text import clean, fitted, one_line, width, wrapped
from medtwin.trials.report.figures.tipping import tipping
from trials.report.example import example
from trials.report.scale import SPACE, everything, keyed, parsed, points, ticks

NAMES = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["</text><script>alert(1)</script>", '" onload="x', "]]>", "&amp;", "\u202egnp.exe", "a\x00b", "x" * 4000, "<![CDATA["]
)  # fmt: skip


def estimate(value, error, **more):
    return Estimate(name="treated - control", value=value, standard_error=error, method="m", **more)


def result(name):
    return next(one for one in example().results if one.name == name)


def scenes():
    survived = result("time to relapse")
    rows = [Row(label=f"row {n}", estimate=estimate(n - 1.0, 0.3 + n)) for n in range(4)]
    return {
        "forest": forest(rows, title="Forest", across="difference", worse="worse", better="better"),
        "balance": love(result("against the register").balance),
        "curves": kaplan_meier(survived.curves, censored=survived.further["censored"]),
        "bounds": kaplan_meier(survived.curves, patients=survived.analysis.patients),
        "tipping": tipping(result("missing not at random").tipping),
        "power": power(Figure(title="Power", across="patients", target=0.9, marked=120.0, curves=(
            Curve("exact", (50.0, 100.0, 200.0), (0.4, 0.75, 0.97), "quadrature"),
            Curve("asymptotic", (50.0, 100.0, 200.0), (0.45, 0.78, 0.98), "normal"),
        ))),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["forest", "balance", "curves", "bounds", "tipping", "power"])
def test_a_figure_is_one_well_formed_element_within_its_frame(name):
    scene = scenes()[name]
    text = svg(scene, name)
    root = parsed(text)
    _, _, wide, high = (float(part) for part in root.get("viewBox").split())
    every = everything(root)
    assert every.min() >= 0.0
    assert every[:, 0].max() <= wide
    assert every[:, 1].max() <= high
    for one in root.iter(f"{SPACE}text"):  # words end within it too
        x, size = float(one.get("x")), float(one.get("font-size"))
        room = width(one.text or "", size, one.get("font-weight") == "bold")
        left = {"middle": x - room / 2.0, "end": x - room}.get(one.get("text-anchor"), x)
        assert left >= -0.5, one.text
        assert left + room <= wide + 0.5, one.text
    assert root.find(f"{SPACE}title").text == scene.title
    assert root.find(f"{SPACE}desc").text
    labelled = root.get("aria-labelledby").split()
    assert [one.get("id") for one in root if one.get("id")] == labelled
    assert not re.search(r"<script|<style|<image|<use|href|url\(|font-face", text)
    assert svg(scenes()[name], name) == text


@pytest.mark.parametrize("name", ["forest", "balance", "curves", "bounds", "tipping"])
def test_words_do_not_lie_on_each_other(name):
    root = parsed(svg(scenes()[name]))
    boxes = []
    for one in root.iter(f"{SPACE}text"):
        x, y, size = float(one.get("x")), float(one.get("y")), float(one.get("font-size"))
        room = width(one.text or "", size, one.get("font-weight") == "bold") * 0.97
        left = {"middle": x - room / 2.0, "end": x - room}.get(one.get("text-anchor"), x)
        boxes.append((left, left + room, y - 0.7 * size, y, one.text))
    for number, (a, b, top, floor, words) in enumerate(boxes):
        for c, d, other_top, other_floor, other in boxes[number + 1 :]:
            assert not (a < d and c < b and top < other_floor and other_top < floor), (words, other)


@pytest.mark.parametrize("scale", ["identity", "log"])
def test_the_square_stands_at_the_estimate(scale):
    rows = [Row(label=f"{n}", estimate=estimate(v, s, scale=scale), strong=not n)
            for n, (v, s) in enumerate([(0.5, 0.2), (-0.3, 0.4), (0.05, 0.1), (1.1, 0.35)])]  # fmt: skip
    scene = forest(rows, title="t")
    root = parsed(svg(scene))
    floor = max(points(one)[:, 1].max() for one in keyed(root, "null"))
    value = ticks(root, upright=False, near=floor + 16.0, log=scale == "log")
    assert value(points(keyed(root, "null")[0])[0, 0]) == pytest.approx(float(scale == "log"), abs=5e-3)
    for number, row in enumerate(rows):
        centre = points(keyed(root, f"estimate {number}")[0]).mean(axis=0)
        ends = points(keyed(root, f"interval {number}")[0])
        shown = [value(centre[0]), *value(ends[:, 0])]
        assert shown == pytest.approx(row.estimate.reported, rel=5e-3, abs=5e-3)
        assert ends[:, 1] == pytest.approx(centre[1])


def test_what_goes_far_is_cut_with_an_arrow_and_said():
    rows = [
        Row(label=str(n), estimate=estimate(v, s)) for n, (v, s) in enumerate([(0, 1), (1, 1), (0.5, 80), (500, 1)])
    ]
    root = parsed(svg(forest(rows, title="t")))
    heads = [points(one) for one in keyed(root, "cut 2")]
    assert len(heads) == 2
    assert heads[0][:, 0].argmin() == 0  # tips point outwards
    assert heads[1][:, 0].argmax() == 0
    assert not keyed(root, "estimate 3")
    assert keyed(root, "cut 3")
    words = " ".join(one.text or "" for one in root.iter(f"{SPACE}text"))
    assert "beyond the axis" in words
    assert "500.0" in words.replace("500.00", "500.0")  # the numbers beside are never cut
    plain = parsed(svg(forest(rows[:2], title="t")))
    assert "beyond" not in "".join(plain.itertext())


def test_a_forest_keeps_to_one_scale():
    rows = [Row(label="a", estimate=estimate(0, 1)), Row(label="b", estimate=estimate(0, 1, scale="log"))]
    with pytest.raises(AnalysisError, match="one of each"):
        forest(rows, title="t")
    with pytest.raises(AnalysisError, match="without estimates"):
        forest([], title="t")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e12, 1e12), st.floats(0.0, 1e12)), min_size=1, max_size=5),
    st.sampled_from(["identity", "log"]),
)
def test_any_estimates_can_be_drawn(pairs, scale):
    shrink = 1e-9 if scale == "log" else 1.0
    rows = [Row(label="x", estimate=estimate(v * shrink, s * shrink, scale=scale)) for v, s in pairs]
    scene = forest(rows, title="t")
    every = everything(parsed(svg(scene)))
    assert np.isfinite(every).all()
    assert every.min() >= 0.0
    assert every[:, 0].max() <= scene.width
    assert every[:, 1].max() <= scene.height


def test_marks_of_balance_stand_at_the_differences():
    rows = [("a", -0.4, 0.01), ("b", 0.2, 0.19), ("c", 5.0, -0.02), ("d", float("nan"), float("nan"))]
    table = Balance(effective_treated=10, effective_control=8, rows=tuple(
        BalanceRow(name=n, mean_treated=0, mean_control=0, difference_before=b, difference_after=a, variance_ratio_before=1,
                   variance_ratio_after=1) for n, b, a in rows))  # fmt: skip
    root = parsed(svg(love(table)))
    floor = points(keyed(root, "zero")[0])[:, 1].max()
    value = ticks(root, upright=False, near=floor + 16.0)
    order = [("c", None, -0.02), ("a", -0.4, 0.01), ("b", 0.2, 0.19), ("d", None, None)]  # by the larger of the two
    for number, (_, before, after) in enumerate(order):
        for key, wanted in (("before", before), ("after", after)):
            found = keyed(root, f"{key} {number}")
            assert bool(found) == (wanted is not None)
            if found:
                assert value(points(found[0])[:, 0].mean()) == pytest.approx(wanted, abs=0.01)
    words = "".join(root.itertext())
    assert "before 5" in words
    assert "no spread to compare" in words
    assert [value(points(one)[0, 0]) for one in keyed(root, "bound")] == pytest.approx([-0.1, 0.1], abs=0.01)


def test_many_covariates_are_told_of():
    row = result("against the register").balance.rows[0]
    table = Balance(rows=tuple(replace(row, name=f"x{n}") for n in range(55)), effective_control=1, effective_treated=1)
    assert "15 further covariates" in "".join(parsed(svg(love(table))).itertext())
    with pytest.raises(AnalysisError, match="without covariates"):
        love(replace(table, rows=()))


def test_a_curve_goes_through_the_product_limit():
    rng = np.random.default_rng(5)
    time, event = np.round(rng.exponential(10.0, 60), 1) + 0.1, rng.random(60) < 0.6
    curve = estimated(time, event)
    root = parsed(svg(kaplan_meier({"a": curve}, censored={"a": time[~event]})))
    line = points(keyed(root, "curve 0")[0])
    axis = [one for one in root.iter(f"{SPACE}text") if one.text == "0 %"][0]
    up = ticks(root, upright=True, near=points(axis)[0, 0])
    floor = points(axis)[0, 1] - 3.5
    across = ticks(root, upright=False, near=floor + 16.0)
    for at in (0.05, 3.03, 7.77, 15.01, time.max() - 0.1):  # by hand, not by the code that made the curve
        left = 1.0
        for moment in np.unique(time[event & (time <= at)]):
            left *= 1.0 - (event & (time == moment)).sum() / (time >= moment).sum()
        before = line[np.searchsorted(across(line[:, 0]), at + 0.02) - 1]
        assert up(before[1]) == pytest.approx(left, abs=4e-3)
    marks = sorted(across(points(one)[0, 0]) for one in keyed(root, "censored 0"))
    assert marks == pytest.approx(sorted(set(time[~event])), abs=0.05)
    shown = keyed(root, "at risk 0")
    assert len(shown) >= 4
    for one in shown:
        place = across(points(one)[0, 0])
        assert int(one.text) == (time >= place - 1e-6 - 0.01).sum()


def test_many_steps_are_drawn_as_few_that_look_the_same():
    rng = np.random.default_rng(8)
    time, event = rng.exponential(10.0, 8000), rng.random(8000) < 0.7
    root = parsed(svg(kaplan_meier({"a": (curve := estimated(time, event))})))
    line = points(keyed(root, "curve 0")[0])
    assert len(line) < 0.5 * 2 * len(curve.times)
    x = np.interp(np.linspace(0.0, 1.0, 200), [0.0, 1.0], [line[0, 0], line[-1, 0]])
    drawn = line[np.searchsorted(line[:, 0], x, side="right") - 1, 1]
    at = (x - line[0, 0]) / (line[-1, 0] - line[0, 0]) * curve.followed_until
    true = np.array([curve.at(moment)[0] for moment in np.minimum(at, curve.followed_until)])
    full = line[0, 1] + (1.0 - true) * (304.0 - line[0, 1])
    assert np.abs(drawn - full).max() < 0.5


def test_numbers_at_risk_are_bounds_where_censoring_is_not_known():
    rng = np.random.default_rng(6)
    time, event = rng.exponential(10.0, 40), rng.random(40) < 0.5
    curve = estimated(time, event)
    for at in np.linspace(0.0, time.max() * 1.1, 50):
        true = int((time >= at).sum())
        least, most = at_risk(curve, at, None, 40)
        assert least <= true <= most
        assert at_risk(curve, at, time[~event]) == (true, true)
        if most != least:
            assert at > 0.0
    early = estimated(np.array([1.0, 5.0, 6.0]), np.array([False, True, True]))
    assert at_risk(early, 0.5) == (2, None)
    assert "2+" in "".join(parsed(svg(kaplan_meier({"a": early}))).itertext())


def test_the_tipping_point_stands_where_p_crosses():
    found = result("missing not at random").tipping
    root = parsed(svg(tipping(found)))
    line = points(keyed(root, "p")[0])
    level = points(keyed(root, "level")[0])[0, 1]
    tips = [points(keyed(root, f"tip {number}")[0])[0, 0] for number in range(len(found.tips))]
    crossings = [
        a[0] + (level - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        for a, b in pairwise(line)
        if (a[1] - level) * (b[1] - level) < 0.0
    ]
    assert len(tips) >= 1
    assert crossings == pytest.approx(tips, abs=6.0)  # the line between two grid points is straight, p is not
    assert np.interp(tips, line[:, 0], found.factors) == pytest.approx(found.tips, abs=0.02)
    height = points(keyed(root, "value")[0])[:, 1]
    fitted_line = np.polyfit(found.values, height, 1)
    assert np.polyval(fitted_line, found.values) == pytest.approx(height, abs=0.02)
    assert points(keyed(root, "null")[0])[0, 1] == pytest.approx(np.polyval(fitted_line, 0.0), abs=0.05)
    with pytest.raises(AnalysisError):
        tipping(replace(found, factors=found.factors[:1]))


def test_the_power_curve_passes_its_points():
    root = parsed(svg(scenes()["power"]))
    axis = [one for one in root.iter(f"{SPACE}text") if one.text == "0 %"][0]
    up = ticks(root, upright=True, near=points(axis)[0, 0])
    across = ticks(root, upright=False, near=points(axis)[0, 1] - 3.5 + 17.0)
    line = points(keyed(root, "curve 0")[0])
    assert up(line[:, 1]) == pytest.approx([0.4, 0.75, 0.97], abs=0.003)
    assert across(line[:, 0]) == pytest.approx([50.0, 100.0, 200.0], abs=0.5)
    assert across(points(keyed(root, "marked")[0])[0, 0]) == pytest.approx(120.0, abs=0.5)
    assert up(points(keyed(root, "target")[0])[0, 1]) == pytest.approx(0.9, abs=0.003)


@settings(max_examples=80, deadline=None)
@given(NAMES)
def test_hostile_names_stay_words(name):
    survived = result("time to relapse")
    held = result("against the register").balance
    for scene in (
        forest([Row(label=name, estimate=estimate(0, 1))], title=name, across=name[:30], worse="a", better="b"),
        kaplan_meier({name or "a": next(iter(survived.curves.values()))}, title=name, across=name),
        love(replace(held, rows=(replace(held.rows[0], name=name),)), title=name),
    ):
        root = parsed(svg(scene, key=name))
        kinds = {one.tag.removeprefix(SPACE) for one in root.iter()}
        assert kinds <= {"svg", "title", "desc", "rect", "text", "line", "polyline", "polygon", "circle"}
        assert not {key for one in root.iter() for key in one.attrib if key.lower().startswith("on")}
        assert all("\u202e" not in (one.text or "") for one in root.iter())


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 10))
def test_ticks_are_round_inside_and_apart(low, span, about):
    found = linear_ticks(low, low + span, about)
    assert all(low <= tick <= low + span for tick in found)
    if len(found) > 2:
        assert np.diff(found) == pytest.approx(np.diff(found)[0], rel=1e-3, abs=1e-9 * (abs(low) + span))
    axis = Axis(low=low, high=low + span, start=0.0, end=300.0)
    shown = [(axis(tick), width(words, 9.0)) for tick, words in named(axis, about)]
    assert all(b - a >= (half + more) / 2.0 for (a, half), (b, more) in pairwise(shown))


@pytest.mark.parametrize(("low", "high", "held"), [
    (0.0, 35.0, (0, 5, 10, 15, 20, 25, 30, 35)), (-1.0, 1.0, (-1.0, -0.8)), (0.2, 0.9, (0.2, 0.3)), (0.0, 1e6, (0.0, 200000.0)),
])  # fmt: skip
def test_known_ticks(low, high, held):
    found = linear_ticks(low, high, 8 if high == 35 else 6 if high != 1.0 else 10)
    assert found[: len(held)] == pytest.approx(held)
    assert len(set(labels(found))) == len(found)


def test_logarithmic_ticks():
    assert Axis(low=0.1, high=10.0, start=0, end=1, log=True).ticks(6) == pytest.approx((0.1, 0.2, 0.5, 1, 2, 5, 10))
    assert Axis(low=0.8, high=1.3, start=0, end=1, log=True).ticks(5) == pytest.approx((0.8, 0.9, 1.0, 1.1, 1.2, 1.3))
    assert 2 <= len(Axis(low=1e-200, high=1e200, start=0, end=1, log=True).ticks(6)) <= 9
    with pytest.raises(AnalysisError):
        Axis(low=0.0, high=1.0, start=0, end=1, log=True)
    with pytest.raises(AnalysisError):
        Axis(low=1.0, high=1.0, start=0, end=1)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.floats(20.0, 300.0))
def test_words_fit(words, room):
    short = fitted(words, room)
    assert width(short) <= room or short == "..."
    assert short == one_line(words) or short.endswith("...")
    lines = wrapped(words, room, lines=3)
    assert 1 <= len(lines) <= 3
    assert all(width(one) <= room or one == "..." or len(one) == 1 for one in lines)


def test_what_cannot_be_printed_is_named():
    assert printable("ρ = 0.5 ≥ 中") == "<U+03C1> = 0.5 ≥ <U+4E2D>"
    assert clean("a\u202eb\x00c") == "a\ufffdb\ufffdc"


def test_colours_can_be_told_on_both_papers():
    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for side in (0, 1):
        paper = light(COLOURS["paper"][side])
        for role, pair in COLOURS.items():
            if role in ("paper", "grid"):
                continue
            high, low = max(paper, light(pair[side])), min(paper, light(pair[side]))
            assert (high + 0.05) / (low + 0.05) >= (4.5 if role in ("ink", "muted") else 3.0), (
                role,
                side,
            )  # WCAG 2.2, 1.4
    assert dark_rules().count("fill:") == len(COLOURS)


def test_a_scene_needs_a_size():
    with pytest.raises(AnalysisError):
        Scene(width=0.0, height=1.0, title="", description="", shapes=(Text(0, 0, ""),))
