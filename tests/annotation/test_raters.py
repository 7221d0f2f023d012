"""Raters against the others: hand-made answers, simulated raters of known behaviour, and the report."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console

from annotation.aggregation.answers import Rows, read_answers
from annotation.agreement.consensus import majority
from annotation.rater_measures import NOBODY_ELSE, _evidence_of_dependence, compare
from annotation.rater_report import Why
from annotation.raters import measure_raters, write_report
from annotation.raters_page import raters_page
from corpus.sample.packaged import create_sample
from corpus.sample.raters import RATERS, confusion, simulate
from schemas import load_schema
from schemas.errors import InputError
from schemas.records import answer_columns

SCHEMA = load_schema("affect")


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """A rating a row; what it lacks was not rated, ``FIELD: "!cannot_tell"`` is a kind of no answer."""
    columns = {
        name: pa.array([row.get(name) for row in rows], pa.string())
        for name in ("utterance_id", "rater", "dialogue_id", "language")
    }
    columns["seconds"] = pa.array([row.get("seconds") for row in rows], pa.float32())
    for field in SCHEMA:
        cells = [row.get(field.name, "!not_rated") for row in rows]
        reasons = [cell[1:] if isinstance(cell, str) and cell[0] == "!" else None for cell in cells]
        for column in answer_columns(field):
            columns[column.name] = pa.nulls(len(rows), column.type)
        values = [None if reason else cell for cell, reason in zip(cells, reasons, strict=True)]
        columns[field.name] = pa.array(values, columns[field.name].type)
        columns[f"{field.name}_missing"] = pa.array(reasons, pa.string())
    return pa.table(columns)


def panel(**answers: list[Any]) -> list[dict[str, Any]]:
    """Answers of three raters a, b, c to one item after another, by field."""
    length = len(next(iter(answers.values())))
    return [
        {
            "utterance_id": f"u{item}",
            "dialogue_id": f"d{item // 2}",
            "language": ("en", "zh")[item % 2],
            "rater": "abc"[rater],
            "seconds": 10.0 * (rater + 1),
            **{name: one[item][rater] for name, one in answers.items()},
        }
        for item in range(length)
        for rater in range(3)
    ]


def test_one_value_against_the_majority_of_the_others() -> None:
    sentiment = [
        ("positive", "positive", "positive"),
        ("negative", "positive", "positive"),
        ("neutral", "positive", "negative"),
        ("!cannot_tell", "neutral", "neutral"),
    ]
    report = measure_raters(table(panel(sentiment=sentiment)), SCHEMA)
    a, b, c = (one.fields["sentiment"] for one in report.raters)
    # Item 2 ties for a; b meets neutral and negative, which tie as well.
    assert (a.answers, a.compared, a.cannot_tell) == (4, 3, 0.25)
    assert a.accuracy.value == pytest.approx(1 / 3)
    assert a.bias.value == pytest.approx((0 - 1) / 2)  # same, and two steps of two below
    order = report.options["sentiment"]
    assert order == ("negative", "neutral", "positive", "cannot_tell")
    assert a.confusion["sentiment"] == ((0, 0, 0, 0), (0, 0, 0, 1), (1, 0, 1, 0), (0, 0, 0, 0))
    assert a.by_language == {"en": (1.0, 1), "zh": (0.0, 2)}
    assert b.compared == c.compared == 1  # elsewhere the other two differ
    assert [one.seconds.median for one in report.raters] == [10, 20, 30]
    assert report.raters[0].by_dialogue == {"d0": (0.5, 2), "d1": (0.0, 1)}


def test_sets_and_numbers() -> None:
    emotion = [(["joy"], ["joy", "surprise"], ["joy", "surprise"]), ([], [], ["anger"]), (["fear"], [], [])]
    valence = [(1.0, 5.0, 9.0), (3.0, 3.0, 3.0), (5.0, 5.0, 1.0)]
    report = measure_raters(table(panel(emotion=emotion, valence=valence)), SCHEMA)
    a = report.raters[0].fields
    assert a["emotion"].compared == 2  # the others tie on the second
    assert a["emotion"].accuracy.value == pytest.approx((0.5 + 0) / 2)
    assert a["emotion"].confusion["surprise"] == ((1, 0), (1, 0))
    assert a["emotion"].use["fear"] == 0.5
    # Means of the others 7, 3, 3: distances 6, 0, 2 of a range of 8.
    assert a["valence"].accuracy.value == pytest.approx(1 - 1 / 3)
    assert a["valence"].bias.value == pytest.approx((-6 + 0 + 2) / 24)


def test_the_consensus_leaves_the_rater_out() -> None:
    random = np.random.default_rng(0)
    values = ["none", "humorous", "!cannot_tell"]
    humor = [tuple(values[one] for one in random.integers(0, 3, 3)) for _ in range(80)]
    ratings = table(panel(humor=humor))
    answers = read_answers(ratings, SCHEMA["humor"], Rows.of(ratings))
    found = compare(answers)
    for place in range(len(answers.item)):
        counts = np.zeros((1, 3))
        for other in np.flatnonzero(answers.item == answers.item[place]):
            if other != place:
                counts[0, answers.votes().option[other]] += 1
        assert found.consensus[place] == majority(counts)[0]


def drawn(items: int, seed: int = 3) -> pa.Table:
    """Ratings of the sample's simulated raters, whose behaviour is known."""
    random = np.random.default_rng(seed)
    truths = [
        {"humor": "humorous" if random.random() < 0.4 else "none",
         "sarcasm": "sarcastic" if random.random() < 0.4 else "none"}
        for _ in range(items)
    ]  # fmt: skip
    rows = []
    for one in simulate(truths, SCHEMA, seed=seed):
        item = int(str(one["item"]))
        row = {"utterance_id": f"u{item}", "dialogue_id": f"d{item // 10}"}
        row |= {"rater": one["rater"], "seconds": one["seconds"]}
        for field in SCHEMA:
            row[field.name] = (
                f"!{one[f'{field.name}_missing']}" if one[f"{field.name}_missing"] else one[field.name]
            )
        rows.append(row)
    return table(rows)


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    return {one.rater: one for one in measure_raters(drawn(1200), SCHEMA).raters}


def test_simulated_raters_show_what_they_were_made_to_do(simulated: dict[str, Any]) -> None:
    accuracy = {name: one.fields["humor"].accuracy.value for name, one in simulated.items()}
    assert accuracy["r1"] > accuracy["r4"] > accuracy["r5"]
    # r3 takes 85% of sarcasm for none.
    use = {name: one.fields["sarcasm"].use["sarcastic"] for name, one in simulated.items()}
    assert use["r3"] == min(use.values()) < -0.15
    # r4 tires, r1 does not.
    tired, fresh = simulated["r4"].fields["humor"].drift, simulated["r1"].fields["humor"].drift
    assert tired.high < 0
    assert fresh.low < 0.02
    assert tired.value < fresh.value - 0.1
    for field in ("humor", "sarcasm"):
        for one in RATERS:
            table_ = confusion(one, SCHEMA[field])
            guesses = table_[0, 1] + table_[1, 0]  # of two values: the rows are one but for what was known
            assert simulated[one.name].fields[field].guessing == pytest.approx(guesses, abs=0.12)
    assert [simulated[name].fields["emotion"].guessing for name in ("r1", "r5")] == pytest.approx(
        [0.12, 0.84], abs=0.1
    )
    assert simulated["r1"].fields["valence"].guessing is None
    unrelated = {name: one.fields["humor"].no_information for name, one in simulated.items()}
    assert max(unrelated, key=unrelated.__getitem__) == "r5"
    assert all(unrelated[name] < 0.01 for name in ("r1", "r2", "r3", "r4"))
    assert simulated["r5"].seconds.median < simulated["r1"].seconds.median


def test_an_interval_is_not_empty_where_all_answers_are_alike() -> None:
    humor = [["humorous", "none", "none"]] * 18  # nine dialogues
    differs, same, _ = measure_raters(table(panel(humor=humor)), SCHEMA).raters
    few = differs.fields["humor"]
    # Of nine trials all fail once in forty where a third succeeds: 0.664 ** 9 = 0.025.
    assert (few.accuracy.value, few.accuracy.low) == (0, 0)
    assert few.accuracy.high == pytest.approx(0.3363, abs=1e-4)
    assert same.fields["humor"].compared == 0  # the others tie
    alike = measure_raters(table(panel(humor=[["none"] * 3] * 18)), SCHEMA).raters[0].fields["humor"]
    assert alike.accuracy.low == pytest.approx(0.6637, abs=1e-4)
    assert (alike.accuracy.value, alike.accuracy.high) == (1, 1)
    assert alike.guessing is None  # nothing tells a guess from knowledge


def test_two_answers_make_no_third() -> None:
    right, wrong = ["none"] * 3, ["humorous", "none", "none"]
    few, more = (
        measure_raters(table(panel(humor=[right] * n + [wrong] * n)), SCHEMA).raters[0].fields["humor"].drift
        for n in (4, 5)
    )
    assert few.value is None
    assert more.value == -1


def test_answers_without_information() -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, 2, 300)
    names = np.array(["none", "humorous"])
    humor = [
        (names[random.integers(2)], names[one], names[one if random.random() < 0.9 else 1 - one])
        for one in truth
    ]
    # The others agree with each other only where they say the same.
    a, b, _ = measure_raters(table(panel(humor=humor)), SCHEMA).raters
    assert a.fields["humor"].no_information > 0.7
    assert b.fields["humor"].no_information < 0.01 or b.fields["humor"].compared < 200
    # Being wrong throughout is information.
    inverted = [(names[1 - one], names[one], names[one]) for one in truth]
    found = measure_raters(table(panel(humor=inverted)), SCHEMA).raters[0].fields["humor"]
    assert found.accuracy.value == 0
    assert found.no_information < 1e-6


def test_evidence_of_dependence_is_that_of_all_sequences() -> None:
    # Two rows of one answer each, two options: P(same) is 1/3 + 1/3 under one distribution, 1/2 under two.
    same, other = np.array([[1.0, 0], [1, 0]]), np.array([[1.0, 0], [0, 1]])
    assert np.exp(_evidence_of_dependence(other)) == pytest.approx((1 / 4) / (1 / 6))
    # The others use both options, this rater one: both answers alike are likelier under one distribution.
    assert np.exp(_evidence_of_dependence(same)) == pytest.approx((1 / 4) / (1 / 3))
    nothing = np.array([[2.0, 0], [0, 0]])  # one option in use tells nothing
    assert _evidence_of_dependence(nothing) == pytest.approx(0)


def test_what_rises_with_the_others_is_told_from_sparse_tables() -> None:
    def no_information(pairs: list[tuple[int, int]]) -> float:
        rows = panel(
            emotion=[[["joy"]] * 3] * len(pairs),
            sentiment=[["positive"] * 3] * len(pairs),
            emotion_sentiment=[(own, others, others) for others, own in pairs],
        )
        found = measure_raters(table(rows), SCHEMA).raters[0].fields["emotion_sentiment"].no_information
        assert found is not None
        return found

    # Others and own, of a careful simulated rater; the correlation is 0.35, for which p = 0.02.
    counts = [[0, 0, 0, 1, 0], [0, 3, 4, 1, 0], [0, 2, 13, 6, 0], [0, 1, 3, 3, 0], [0, 0, 2, 1, 2]]
    pairs = [(i - 2, j - 2) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    assert _evidence_of_dependence(np.array(counts, dtype=float)) < -3, "too many cells for so few answers"
    assert 0.1 < no_information(pairs) < 0.6
    assert no_information(pairs * 3) < 0.05
    # No less where the scale is turned round; and one answer to everything rises with nothing.
    assert no_information([(others, -own) for others, own in pairs * 3]) < 0.05
    assert no_information([(others, 1) for others, _ in pairs]) > 0.9


def test_one_answer_to_everything_carries_no_information() -> None:
    truth = np.random.default_rng(5).choice(["none", "humorous"], 200)
    found = measure_raters(table(panel(humor=[("none", one, one) for one in truth])), SCHEMA).raters
    assert found[0].fields["humor"].no_information > 0.9


def test_intervals_cover(simulated: dict[str, Any]) -> None:
    for one in simulated.values():
        for found in one.fields.values():
            for interval in (found.accuracy, found.drift, found.bias):
                assert interval.value is None or interval.low <= interval.value <= interval.high


def test_bad_input_gives_reasons() -> None:
    alone = measure_raters(table([{"utterance_id": "u", "rater": "a", "humor": "none"}]), SCHEMA)
    found = alone.raters[0].fields
    assert found["humor"].reason == "no utterance has a consensus of other raters to compare with"
    assert found["emotion"].reason == "no answers"
    assert found["humor"].accuracy.value is None
    unknown = measure_raters(table([{"utterance_id": "u", "humor": "none"}] * 3), SCHEMA)
    assert (unknown.raters, unknown.unknown) == ((), 3)
    empty = measure_raters(table([]), SCHEMA)
    for report in (alone, unknown, empty):
        json.dumps(report.to_dict(), allow_nan=False)
        assert report.tables() == []
        lines = list(report.lines())
        assert lines[0] == f"nothing to compare: {NOBODY_ELSE}"
        assert not any("order of the tables" in line for line in lines)
        assert lines[1:] == ["3 ratings have no rater; they count among the others only"] * (
            report is unknown
        )


def test_whether_later_is_known_is_said() -> None:
    rows = table(panel(humor=[["none", "none", "humorous"]] * 6))
    moments = pa.array(range(rows.num_rows), pa.timestamp("ms", tz="UTC"))
    some = pa.array([None, *range(1, rows.num_rows)], pa.timestamp("ms", tz="UTC"))
    for ratings, timed in (
        (rows, False),
        (rows.append_column("created", moments), True),
        (rows.append_column("created", some), False),
        (rows.append_column("created", some).append_column("updated", moments), True),
    ):
        report = measure_raters(ratings, SCHEMA)
        assert report.to_dict()["timed"] is timed
        assert any("order of the tables" in line for line in report.lines()) is not timed
        for language, words in (("en", "Not all ratings say when"), ("zh", "先后按表中顺序")):
            assert (words in raters_page(report, SCHEMA, language)) is not timed


@pytest.mark.parametrize("rater", ["unknown", "[/red]", "[x]"])
def test_raters_are_shown_whatever_they_are_called(rater: str) -> None:
    rows = [*panel(humor=[["none", "none", "humorous"]] * 6), {"utterance_id": "u0", "humor": "none"}]
    rows = [row | {"rater": rater} if row.get("rater") == "b" else row for row in rows]
    report = measure_raters(table(rows), SCHEMA, title="[/b]")
    assert [one.rater for one in report.raters] == sorted(["a", rater, "c"])
    assert report.unknown == 1
    assert rater in on_terminal(report)
    crowded = measure_raters(table(rows), SCHEMA)
    crowded = replace(crowded, raters=crowded.raters * 3, title="[/b]")
    assert rater in raters_page(crowded, SCHEMA)
    assert "raters of [/b]" in on_terminal(crowded)


def on_terminal(report: Any, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for one in report.tables():
        console.print(one)
    return console.export_text()


def crowd(raters: int, items: int) -> pa.Table:
    """Many raters, Chinese names among them; one tires, one answers at random."""
    random = np.random.default_rng(8)
    names = [f"评分者{place:03d}" if place % 2 else f"crowd-worker-{place:03d}" for place in range(raters)]
    rows = []
    for item in range(items):
        truth = random.integers(2)
        chosen = {0, 1, *(2 + random.permutation(raters - 2)[:3]).tolist()}
        for place in sorted(chosen):
            right = {0: 0.98 if item < items / 2 else 0.55, 1: 0.5}.get(place, 0.9)
            answer = truth if random.random() < right else 1 - truth
            rows.append(
                {"utterance_id": f"u{item}", "dialogue_id": f"d{item // 4}", "rater": names[place],
                 "humor": ("none", "humorous")[answer]}
            )  # fmt: skip
    return table(rows)


def test_of_many_raters_a_terminal_shows_a_summary_and_where_to_look() -> None:
    report = measure_raters(crowd(300, 400), SCHEMA, title="语料")
    out = on_terminal(report)
    lines = out.splitlines()
    assert max(cell_len(line) for line in lines) <= 80
    assert len(lines) < 120
    assert "298 raters of 语料" in out  # two of the 300 got nothing
    (humor,) = [line for line in lines if line.startswith("│ humor") and line.count("│") == 9]
    assert int(humor.split("│")[2]) > 280
    looks = {(look.rater, why) for look in report.looks() for why in look.why}
    assert ("crowd-worker-000", Why.DRIFTS) in looks
    assert ("评分者001", Why.DIFFERS) in looks
    assert len(looks) < 40, "no crowd of careful raters"
    assert "评分者001" in out
    assert [look.measures.compared for look in report.looks()] == sorted(
        (look.measures.compared for look in report.looks()), reverse=True
    )
    listed = json.loads(json.dumps(report.to_dict()))["look_at"]
    assert [one["why"] for one in listed if one["rater"] == "crowd-worker-000"] == [["differs", "drifts"]]


def test_of_many_raters_the_page_shows_those_to_look_at(tmp_path: Path) -> None:
    report = measure_raters(crowd(300, 400), SCHEMA, title="x")
    html = raters_page(report, SCHEMA)
    assert html.count("<section") < 60
    assert all(one.rater in html for one in report.raters), "the table has all"
    assert len(html) < 2_000_000
    assert len(raters_page(measure_raters(crowd(12, 100), SCHEMA, title="x"), SCHEMA).split("<section")) > 12


def test_marks_of_a_rater() -> None:
    report = measure_raters(drawn(1200), SCHEMA)
    names = (replace(one, rater=f"simulated-{one.rater}") for one in report.raters)
    report = replace(report, raters=tuple(names))
    (shown,) = report.tables()
    out = on_terminal(report)
    assert shown.row_count == len(tuple(SCHEMA))
    assert "↓" in out
    assert max(map(len, out.splitlines())) <= 80
    assert all(f"│ {field.name} " in out for field in SCHEMA), "names of fields stand whole"


def test_the_page_has_the_confusion_of_each_value_of_a_set() -> None:
    emotion = [(["joy"], ["joy"], ["joy"])] * 3 + [(["joy", "fear"], ["joy"], ["joy"])] * 2
    emotion += [([], ["joy"], ["joy"])]
    html = raters_page(measure_raters(table(panel(emotion=emotion)), SCHEMA, title="x"), SCHEMA)
    rows = re.sub(r"<[^>]+>", " ", html.partition("values chosen by the others")[2]).split()
    place = rows.index("joy")
    assert rows[place : place + 6] == ["joy", "5", "1", "0", "0", "−16.7%"]
    place = rows.index("fear")
    assert rows[place : place + 6] == ["fear", "0", "0", "2", "4", "33.3%"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_of_a_project(tmp_path: Path, language: str) -> None:
    project, _ = create_sample(tmp_path / "p")
    report = write_report(project, language)
    content = json.loads(project.path("private/raters.json").read_text("utf-8"))
    assert list(content["raters"]) == [f"simulated-{one.name}" for one in RATERS]
    assert content["raters"]["simulated-r1"]["simulated"] is True
    assert content["raters"]["simulated-r1"]["fields"]["humor"]["by_language"].keys() == {"en", "zh"}
    html = project.path("private/raters.html").read_text("utf-8")
    assert all(one.rater in html for one in report.raters)
    assert html.count("<svg") > 50
    assert {"en": "simulated, not people", "zh": "程序模拟"}[language] in html
    text = re.sub(r"<[^>]+>", " ", html).casefold()
    for word in ("bad", "worst", "poor", "careless", "spam", "error", "fail", "rank"):
        assert not re.search(rf"\b{word}", text.replace("not a judgement", "")), word
    before = project.path("private/raters.html").read_bytes()
    write_report(project, language)
    assert project.path("private/raters.html").read_bytes() == before


def test_a_page_in_another_language_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    with pytest.raises(InputError, match=r"two languages.*'fr'.*en, zh"):
        write_report(project, "fr")
    assert not project.path("private/raters.json").exists()
