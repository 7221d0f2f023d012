"""Runs side by side: seeds, pairs, pages and tables; over evaluations of drawn answers."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from baselines.calibration import BINS
from baselines.cli import app
from baselines.comparison import SHOWN, Estimate, compare
from baselines.comparison_page import comparison_page
from baselines.comparison_tables import tables
from baselines.comparison_terminal import short_interval, terminal_tables
from baselines.comparison_text import METRICS, WORDS
from baselines.comparison_writing import comparison_json
from baselines.cost import Cost
from baselines.data import Description
from baselines.evaluation import as_evaluation
from baselines.evaluation_files import write_evaluation
from baselines.judging import Bench, judge
from baselines.latex import escape, latex
from baselines.metrics import metric_names
from baselines.modalities import Masked
from baselines.ratings import Ratings
from baselines.scoring import Answers
from baselines.seen import Seen
from schemas.errors import InputError
from schemas.fields import IntervalField
from schemas.label_schema import LabelSchema

N = {"n_boot": 40, "n_permutations": 60}


@pytest.fixture
def bench(maker):
    split = maker.split(maker.rows(12), "test")
    soft = {
        name: dataclasses.replace(one, soft=np.full((len(split), 3), 1 / 3))
        for name, one in split.labels.items()
        if name != "valence"
    }
    split = dataclasses.replace(split, labels={**split.labels, **soft})
    utterance = np.repeat(np.arange(len(split)), 3)
    answers = {
        name: dataclasses.replace(one, values=one.values[utterance], known=one.known[utterance], soft=None)
        for name, one in split.labels.items()
    }
    # Two raters agree with the labels, the third says the first thing that there is.
    third = np.tile(np.arange(3), len(split)) == 2
    for name, one in answers.items():
        one.values[third] = 5.0 if name == "valence" else 0
    ratings = Ratings(
        utterance, np.tile(np.arange(3), len(split)), ("a", "b", "c"), answers, ("full",), ("past",), 0, True
    )
    return Bench(Description(maker.schema, maker.text, "digest", {}), split, ratings, n_boot=20)


def drawn(bench, fields, skill, seed):
    """Answers that are right with a probability."""
    random = np.random.default_rng(seed)
    found = {}
    for field in bench.schema:
        if field.name not in fields:
            continue
        values = bench.split.labels[field.name].values
        right = random.random(len(values)) < skill
        if isinstance(field, IntervalField):
            found[field.name] = Answers(np.where(right, values, random.uniform(1, 9, len(values))))
        else:
            others = random.permutation(values)
            kept = right[:, None] if values.ndim == 2 else right
            scores = random.dirichlet(np.ones(3), len(values))
            found[field.name] = Answers(np.where(kept, values, others), scores)
    return found


def write(bench, folder, model, skill, seed, fields=None, **more):
    folder.mkdir(parents=True)
    fields = list(bench.schema.by_name) if fields is None else fields
    seen = more.pop("seen", Seen())
    answers = drawn(bench, fields, skill, seed or 0)
    judged, sums = judge(model, bench.schema, answers, bench, seen, Cost(10 + len(fields)))
    floor, floor_sums = judge("majority", bench.schema, drawn(bench, fields, 0.2, 99), bench, Seen(), Cost())
    evaluation = dataclasses.replace(
        as_evaluation(judged, bench),
        **{"seed": seed, "settings": {"fields": fields}, "floors": {"majority": floor}, **more},
    )
    write_evaluation(folder, dataclasses.asdict(evaluation), {"": sums, "majority": floor_sums})
    return folder


@pytest.fixture
def runs(bench, tmp_path):
    found = [write(bench, tmp_path / f"good-{seed}", "good", 0.8, seed) for seed in range(3)]
    found += [write(bench, tmp_path / "weak-0", "weak", 0.3, 7)]
    return found


def test_runs_of_one_model_are_one_and_floors_come_along(runs):
    found = compare(runs, **N)
    assert [(one.name, one.kind, one.seeds) for one in found.groups] == [
        ("good", "model", (0, 1, 2)),
        ("weak", "model", (7,)),
        ("majority", "floor", ()),
    ]
    for row in found.rows:
        if row.kind != "labels":
            continue
        each = [json.loads((run / "evaluation.json").read_text("utf-8")) for run in runs[:3]]
        values = [one["fields"][row.field]["metrics"][row.metric]["value"] for one in each]
        assert row.cells[0].value == pytest.approx(np.mean(values), abs=1e-9)
        assert row.cells[0].sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
        assert row.cells[1].sd is None
        assert row.cells[0].low <= row.cells[0].value <= row.cells[0].high
    assert {row.kind for row in found.rows} == {"labels", "calibration", "soft", "ratings"}


def test_one_run_is_as_it_was_evaluated(bench, tmp_path):
    run = write(bench, tmp_path / "one", "one", 0.6, 1)
    found = compare([run], n_boot=bench.n_boot, n_permutations=10)
    content = json.loads((run / "evaluation.json").read_text("utf-8"))
    for row in found.rows:
        kind = {"labels": "metrics", "calibration": "metrics"}.get(row.kind, row.kind)
        score = content["fields"][row.field][kind][row.metric]
        assert row.cells[0].value == pytest.approx(score["value"], abs=1e-9)
        assert row.cells[0].low == pytest.approx(score["low"], abs=1e-9)
        assert row.cells[0].high == pytest.approx(score["high"], abs=1e-9)


def test_a_better_model_is_found_better_and_all_tests_are_corrected_together(runs):
    found = compare(runs, n_boot=40, n_permutations=499)
    one = next(test for test in found.tests if (test.field, test.first, test.second) == ("sentiment", 0, 1))
    assert one.difference > 0
    assert one.low < one.difference < one.high
    assert one.p < 0.05
    assert len(found.tests) == 5 * 3
    assert one.p <= one.p_holm <= len(found.tests) * one.p
    back = compare([*runs[3:], *runs[:3]], n_boot=40, n_permutations=499)
    same = next(test for test in back.tests if (test.field, test.first, test.second) == ("sentiment", 0, 1))
    assert same.difference == pytest.approx(-one.difference)
    assert same.p == pytest.approx(one.p)


def test_single_task_and_multitask_runs_of_one_model_meet(bench, tmp_path):
    both = [write(bench, tmp_path / "multi", "net", 0.7, 0)]
    both += [
        write(bench, tmp_path / f"only-{name}", "net", 0.5, 0, [name]) for name in ("emotion", "valence")
    ]
    found = compare(both[::-1], **N)
    assert [one.name for one in found.groups[:3]] == [
        "net (only-valence)",
        "net (only-emotion)",
        "net (multi)",
    ]
    pairs = [(one.field, one.first, one.second) for one in found.tests if one.multitask]
    assert pairs == [("emotion", 2, 1), ("valence", 2, 0)]
    single = next(row for row in found.rows if row.field == "emotion").cells[0]
    assert single.reason == "the model does not predict this field"
    assert [one.key for one in tables(found)].count("multitask") == 1


def test_faults_all_at_once(bench, runs, tmp_path):
    other = json.loads((runs[0] / "evaluation.json").read_text("utf-8"))
    (runs[1] / "evaluation.json").write_text(json.dumps({**other, "dataset": "x"}), "utf-8")
    (runs[2] / "evaluation.json").write_text(json.dumps({**other, "protocol": "5 folds"}), "utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "evaluation.json").write_text("{}", "utf-8")
    with pytest.raises(InputError) as caught:
        compare([*runs, runs[0], tmp_path / "empty", tmp_path / "old"], **N)
    found = "\n".join(map(str, caught.value.issues))
    for part in ("other data", "another protocol", "named twice", "is not there", "another version"):
        assert part in found
    assert len(caught.value.issues) == 5


def test_notes(bench, tmp_path):
    seen = Seen(("text", "audio"), "whole")
    one = write(bench, tmp_path / "a", "net", 0.5, 0, seen=seen, trained_on="elsewhere")
    two = write(bench, tmp_path / "b", "net", 0.5, 0, seen=seen)
    notes = [note.what for note in compare([one, two], **N).notes]
    assert notes == ["turns_to_come", "same_seed", "other_data", "simulated"]


def test_a_folder_of_runs_stands_for_them(runs):
    assert len(compare([runs[0].parent], **N).groups) == 3


class Checker(HTMLParser):
    """Counts elements and the text that is shown."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_everything_in_its_language(bench, runs, tmp_path, language):
    hidden = Masked(("text",), 1.0, dict.fromkeys(bench.schema.by_name, 0.25))
    write(bench, tmp_path / "masked", "masked", 0.5, 0, modalities=(hidden,), seen=Seen(("text", "audio")))
    choice = {"honest": 0.5, "dishonest": 0.6, "gap": 0.1}
    report = {"fields": {"emotion": choice}}
    (runs[3] / "epochs.json").write_text(json.dumps(report), "utf-8")
    comparison = compare([*runs, tmp_path / "masked"], **N)
    html = comparison_page(comparison, language)
    assert html == comparison_page(comparison, language)
    seen = Checker()
    seen.feed(html)
    text = " ".join(seen.text)
    shown = ["models", "tests", "disagreement", "ceiling", "hidden", "epochs", "confusion", "reliability"]
    assert all(WORDS[key].get(language) in text for key in shown)
    assert "src=" not in html.replace("img-src", "")
    assert ("各取值" in text) == (language == "zh")
    assert ("joy" in seen.text) == (language == "en")  # confusion matrices
    assert ("值" in seen.text) == (language == "zh")
    # Per group: three confusion matrices, four reliability diagrams; and five forest plots.
    pictures = re.findall(r"<svg aria-labelledby|<svg [^>]*aria-labelledby", html)
    assert len(pictures) >= 4 * (3 + 4)
    assert len(comparison.pictures[0].reliability) == BINS


def test_the_terminal_and_json_hold_no_sums(runs):
    comparison = compare(runs, **N)
    texts = [part for part in terminal_tables(comparison) if isinstance(part, str)]
    assert any("simulated" in text for text in texts)
    found = json.loads(json.dumps(comparison_json(comparison)))
    assert [one["name"] for one in found["models"]] == ["good", "weak", "majority"]
    assert {row["field"] for row in found["rows"]} == {"emotion", "sentiment", "tags", "valence", "pull"}
    assert len(found["tests"]) == 15
    assert "sums" not in json.dumps(found)


def test_an_interval_takes_ten_letters():
    assert short_interval(Estimate(0.2, None, -0.001, 0.4)) == ".00 to .40"
    assert short_interval(Estimate(0.2, None, -0.51, 1.0)) == "-.51 to 1.00"


def test_latex_escapes_and_marks_the_best(runs):
    text = latex(compare(runs, **N))
    rows = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(rows) > 5
    for kinds, body in rows:
        for line in body.split("\\\\")[:-1]:
            assert line.count("&") - line.count(r"\&") == len(kinds) - 1
    good = next(line for line in text.splitlines() if line.startswith("good &") and "textbf" in line)
    assert good.count("textbf") >= 3
    assert not any(line.startswith("majority &") and "textbf" in line for line in text.splitlines())
    assert escape("50% of a_b & {c} ~ $x$ #1 \\ ^ <±") == (
        r"50\% of a\_b \& \{c\} \textasciitilde{} \$x\$ \#1 \textbackslash{} \textasciicircum{} "
        r"\textless{}$\pm$"
    )


def test_the_command_writes_files(runs, tmp_path):
    html, tex = tmp_path / "c.html", tmp_path / "c.tex"
    arguments = ["compare", *map(str, runs), "--html", str(html), "--latex", str(tex), "--language", "zh"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert html.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "\\toprule" in tex.read_text("utf-8")
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(app, [*arguments[:-1], "fr"], catch_exceptions=False)
    assert caught.value.issues[0].choices == ("en", "zh")


def test_every_metric_that_is_shown_has_a_name(maker: LabelSchema):
    for field in maker.schema:
        assert set(SHOWN[field.type]) <= set(metric_names(field)) <= set(METRICS)
    placeholders = re.compile(r"\{\w+\}")
    for key, text in WORDS.items():
        assert set(placeholders.findall(text.en)) == set(placeholders.findall(text.zh)), key
