"""The report of a project and of a table: right numbers, stable JSON, no rerun without need, safe pages."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pytest
from sklearn.metrics import cohen_kappa_score

from annotation.agreement import agreement, read_ratings
from annotation.agreement.content import MEASURES
from annotation.agreement.field_report import Options, field_report
from annotation.agreement.html import agreement_page
from annotation.agreement.html_text import landis_koch
from annotation.agreement.naming import answers_of, names_of
from annotation.agreement.rater_pairs import rater_pairs
from annotation.agreement.report import (
    HTML_FILE,
    JSON_FILE,
    json_text,
    measure_project,
    measure_table,
    project_report,
    stored_report,
)
from annotation.agreement.source import Source
from annotation.agreement.tables import csv_text, field_table, latex_text, only, overview, reasons
from annotation.ratings import project_ratings
from schemas import project as folder
from schemas import records
from schemas.errors import InputError
from schemas.project import Project
from schemas.sampling import draw_corpus
from schemas.tables import from_rows, read_table, write_table

QUICK = Options(n_boot=20)
HOSTILE = "<script>alert(1)</script> & \"'‮"
COEFFICIENTS = (
    "alpha fleiss_kappa conger_kappa scott_pi cohen_kappa gwet_ac1 gwet_ac2 brennan_prediger "
    "percent_agreement icc_1_1 icc_2_1 icc_2_k"
).split()


def make_project(path: Path, schema: str = "affect", dialogues: int = 5) -> Project:
    """A project of drawn dialogues, ratings and raters."""
    project = Project.create(path, schema)
    for name, table in draw_corpus(project.schema, dialogues, seed=3).items():
        write_table(project.path(name), table, table.schema)
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "p")


def rate(project: Project, rows: list[dict], origin: str = "rated") -> None:
    """Replace the ratings of an origin; rows need utterance_id, rater and answers."""
    full = [
        {"annotation_id": f"{origin}{place}", "status": "submitted"} | row for place, row in enumerate(rows)
    ]
    table = from_rows(full, records.annotations_schema(project.schema))
    write_table(project.path(f"annotations/{origin}.parquet"), table, table.schema)


@pytest.fixture
def small(tmp_path: Path) -> Project:
    """Six utterances of two dialogues, rated for sarcasm by two raters; only u2 is disputed."""
    project = Project.create(tmp_path / "small", "csc")
    ids = [f"u{place}" for place in range(6)]
    dialogues = [{"dialogue_id": f"d{place}", "source": "s"} for place in range(2)]
    utterances = [
        {
            "utterance_id": one,
            "dialogue_id": f"d{place // 3}",
            "index": place % 3,
            "text": f"text of {one}",
            "text_original": "",
            "context_only": False,
            "language": "en",
        }
        for place, one in enumerate(ids)
    ]
    write_table(project.path(folder.DIALOGUES), from_rows(dialogues, records.DIALOGUES), records.DIALOGUES)
    write_table(
        project.path(folder.UTTERANCES), from_rows(utterances, records.UTTERANCES), records.UTTERANCES
    )
    answers = {"a": "114162", "b": "116162"}
    rate(
        project,
        [
            {"utterance_id": one, "rater": rater, "sarcasm": answers[rater][place]}
            for place, one in enumerate(ids)
            for rater in answers
        ],
    )
    return project


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read_html(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert not tags.open
    return tags


# -- a project ----------------------------------------------------------------------------------------


def test_the_json_is_the_stable_form(project):
    report = project_report(project, QUICK)
    content = json.loads(project.path(JSON_FILE).read_text("utf-8"))
    assert content == json.loads(json_text(report))
    assert list(content["fields"]) == list(project.schema.by_name)
    for field in content["fields"].values():
        assert list(field) == ["level", "items", "raters", "ratings", "missing", "coefficients"]
        assert sorted(field["coefficients"]) == sorted(COEFFICIENTS)
        for one in field["coefficients"].values():
            assert list(one) == ["value", "se", "low", "high", "definition", "reason"]
            assert one["value"] is not None or one["reason"]


def test_numbers_of_a_small_project_by_hand(small):
    report = measure_project(small, QUICK)
    (one,) = report.fields
    direct = agreement(
        project_ratings(small), small.schema["sarcasm"],
        item="utterance_id", rater="rater", cluster="dialogue_id", n_boot=20,
    )  # fmt: skip
    assert one.agreement == direct
    assert one.counts == {"1": 6, "2": 2, "3": 0, "4": 1, "5": 0, "6": 3}
    assert [(found.item, dict(found.answers)) for found in one.disputed] == [
        ("u2", {"4": ("a",), "6": ("b",)})
    ]
    assert one.disputed[0].about["text"] == "text of u2"
    assert one.disputed[0].change == pytest.approx(1 - direct.coefficients["alpha"].value)
    assert one.names.raters == ("a", "b")


def test_a_rerun_does_nothing_until_something_changes(small):
    assert project_report(small, QUICK) is not None
    before = [small.path(name).read_bytes() for name in (JSON_FILE, HTML_FILE)]
    assert project_report(small, QUICK) is None
    assert stored_report(small, QUICK)["fields"]["sarcasm"]["items"] == 6
    assert stored_report(small, Options(n_boot=30)) is None
    rate(small, [{"utterance_id": "u0", "rater": "c", "sarcasm": "1"}], "more")
    assert project_report(small, QUICK) is not None
    small.path("annotations/more.parquet").unlink()
    assert project_report(small, QUICK) is not None
    assert [small.path(name).read_bytes() for name in (JSON_FILE, HTML_FILE)] == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"made_from": 3}', "no json"])
def test_a_report_that_somebody_broke_is_made_again(small, text):
    project_report(small, QUICK)
    small.path(JSON_FILE).write_text(text, "utf-8")
    assert project_report(small, QUICK) is not None
    assert stored_report(small, QUICK) is not None


def test_a_project_without_ratings(tmp_path):
    project = Project.create(tmp_path / "p", "csc")
    with pytest.raises(InputError, match="no ratings"):
        project_report(project)
    assert not project.has(JSON_FILE)


def test_ratings_that_do_not_fit_leave_the_project_as_it_was(small):
    project_report(small, QUICK)
    before = small.path(JSON_FILE).read_bytes()
    rate(small, [{"utterance_id": "u0", "rater": "c", "sarcasm": "9"}], "bad")
    with pytest.raises(InputError, match="not a value of this field"):
        project_report(small, QUICK)
    assert small.path(JSON_FILE).read_bytes() == before


def test_the_latest_rating_counts_and_adjudication_does_not(small):
    before = measure_project(small, QUICK).fields[0].agreement
    rate(
        small,
        [
            {
                "utterance_id": "u2",
                "rater": "b",
                "sarcasm": answer,
                "updated": np.datetime64(day, "ms").item(),
            }
            for answer, day in (("4", "2026-01-02"), ("1", "2026-01-01"))
        ],
        "again",
    )
    rate(
        small, [{"utterance_id": f"u{n}", "rater": "judge", "sarcasm": "6"} for n in range(6)], "adjudication"
    )
    after = measure_project(small, QUICK).fields[0].agreement
    assert after.raters == 2
    assert before.coefficients["alpha"].value < after.coefficients["alpha"].value == 1


def test_a_rating_without_a_rater_makes_the_raters_unknown(small):
    rate(
        small,
        [{"utterance_id": "u0", "sarcasm": "1"}, {"utterance_id": "u0", "rater": None, "sarcasm": "2"}],
        "x",
    )
    (one,) = measure_project(small, QUICK).fields
    assert one.agreement.ratings == 14
    assert one.agreement.coefficients["cohen_kappa"].reason == "raters are unknown"
    assert one.names.raters == ()
    assert "raters unknown" in agreement_page(measure_project(small, QUICK))


def test_a_rater_missing_where_nothing_was_answered_does_no_harm(small):
    rate(small, [{"utterance_id": "u0", "rater": None, "sarcasm_missing": "cannot_tell"}], "x")
    (one,) = measure_project(small, QUICK).fields
    assert one.agreement.raters == 2
    assert one.unanswered == {"cannot_tell": 1}
    assert "cannot tell: 1" in agreement_page(measure_project(small, QUICK))


def test_conditions_select_ratings(project):
    every = measure_project(project, QUICK)
    split = read_table(project.path(folder.DIALOGUES)).column("source_split")[0].as_py()
    some = measure_project(project, Options(20, 0, (f"source_split={split}",)))
    assert 0 < some.fields[0].agreement.ratings < every.fields[0].agreement.ratings
    assert some.made_from["parameters"]["where"] == [f"source_split={split}"]
    assert f"source_split={split}" in agreement_page(some)


def test_simulated_raters_are_named(small):
    rows = [
        {"rater": name, "source": "s", "attributes": [("simulated", told)]}
        for name, told in (("a", "true"), ("b", "false"), ("nobody", "true"))
    ]
    assert "SIMULATED RATERS" not in agreement_page(measure_project(small, QUICK))
    write_table(small.path(folder.RATERS), from_rows(rows, records.RATERS), records.RATERS)
    report = measure_project(small, QUICK)
    assert report.simulated == ("a",)
    assert report.to_dict()["simulated_raters"] == ["a"]
    assert "SIMULATED RATERS" in agreement_page(report)
    assert "Simulated raters" in latex_text(report.to_dict())


@pytest.mark.parametrize("schema", ["affect", "cmma", "crema-d", "emobank", "mosei"])
def test_every_field_of_every_kind_of_schema_is_reported(tmp_path, schema):
    project = make_project(tmp_path / "p", schema)
    report = project_report(project, Options(n_boot=0))
    tags = read_html(project.path(HTML_FILE).read_text("utf-8"))
    for field in project.schema:
        assert field.title.zh in tags.text
        assert field.name in report.to_dict()["fields"]
    assert set(report.to_dict()["relations"]) == {one.name for one in project.schema.relations}
    assert "nan" not in project.path(JSON_FILE).read_text("utf-8").lower().split()


def test_hostile_names_and_texts_are_shown_and_do_nothing(small):
    utterances = read_table(small.path(folder.UTTERANCES)).to_pylist()
    for row in utterances:
        row["text"] = HOSTILE
    table = from_rows(utterances, records.UTTERANCES)
    write_table(small.path(folder.UTTERANCES), table, table.schema)
    plain = read_html(agreement_page(measure_project(small, QUICK)))
    rows = read_table(small.path("annotations/rated.parquet")).to_pylist()
    rate(small, [row | {"rater": row["rater"] + HOSTILE} for row in rows])
    html = agreement_page(measure_project(small, QUICK))
    tags = read_html(html)
    assert tags.seen == plain.seen
    assert tags.seen.count("script") == 1
    assert HOSTILE in tags.text
    assert "http:" not in html
    assert "https:" not in html


def test_the_page_says_what_reviewers_ask(project):
    text = read_html(agreement_page(measure_project(project, QUICK))).text
    for words in (
        "Landis and Koch (Biometrics 33, 1977)",
        "Rater by rater",
        "Confusion of values",
        "Most disputed utterances",
        "20 resamples of dialogues",
        "Agreement on the relation",
        "Planning",
        "Alpha by language",
        "of the cells utterances × raters missing",
    ):
        assert words in text


# -- parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "weights"), [("nominal", None), ("ordinal", "linear"), ("interval", "quadratic")]
)
def test_rater_by_rater_is_cohens_kappa(level, weights):
    random = np.random.default_rng(5)
    answers = random.integers(1, 5, (60, 3))
    answers[:, 1] = np.where(random.random(60) < 0.6, answers[:, 0], answers[:, 1])
    rows = [
        {"i": str(item), "r": f"r{rater}", "v": int(answers[item, rater])}
        for item in range(60)
        for rater in range(3)
        if (item + rater) % 4
    ]
    table = pa.Table.from_pylist(rows)
    coded = read_ratings(table, f"v:{level}", item="i", rater="r")
    found = rater_pairs(coded)
    names = names_of(coded, table, item="i", rater="r").raters
    for one in range(3):
        for two in range(3):
            if one == two:
                assert found.kappa[one][two] is None
                continue
            a, b = (int(names[code][1:]) for code in (one, two))
            both = [item for item in range(60) if (item + a) % 4 and (item + b) % 4]
            expected = cohen_kappa_score(
                answers[both, a], answers[both, b], weights=weights, labels=[1, 2, 3, 4]
            )
            assert found.kappa[one][two] == pytest.approx(expected)
            assert found.items[one][two] == len(both)


def test_rater_pairs_keep_those_with_most_ratings():
    rows = [{"i": str(item), "r": f"r{rater}", "v": "x"} for rater in range(5) for item in range(rater + 1)]
    coded = read_ratings(pa.Table.from_pylist(rows), "v:nominal", item="i", rater="r")
    assert rater_pairs(coded, most=2).raters == (3, 4)
    alone = read_ratings(pa.Table.from_pylist(rows[:1]), "v:nominal", item="i", rater="r")
    assert rater_pairs(alone).reason == "there is only one rater"


def test_ac1_of_a_value_is_that_of_the_value_against_the_rest():
    random = np.random.default_rng(2)
    rows = [
        {"i": str(item), "r": str(rater), "v": str(random.integers(3)), "d": str(item // 4)}
        for item in range(40)
        for rater in range(3)
    ]
    table = pa.Table.from_pylist(rows)
    one = field_report(Source(table, "i", "r", "d", "error"), "v:nominal", None, QUICK)
    for value in "012":
        binary = table.append_column("b", pa.compute.equal(table.column("v"), value).cast(pa.string()))
        expected = agreement(binary, "b:nominal", item="i", rater="r", cluster="d", n_boot=20)
        assert one.value_ac1[value].value == pytest.approx(expected.coefficients["gwet_ac1"].value)
        assert one.value_ac1[value].low == pytest.approx(expected.coefficients["gwet_ac1"].low)


@pytest.mark.parametrize("encoded", [False, True])
def test_names_skip_what_was_not_rated(encoded):
    table = pa.table(
        {
            "i": ["x", "y", "z", "x", "z", "y"],
            "r": ["c", "nobody", "a", "a", "c", "nobody"],
            "v": ["1", " ", "2", "1", "3", None],
        }
    )
    if encoded:
        table = pa.table({name: table.column(name).dictionary_encode() for name in table.column_names})
    for level in ("nominal", "ordinal", "interval"):
        coded = read_ratings(table, f"v:{level}", item="i", rater="r")
        names = names_of(coded, table, item="i", rater="r")
        assert names.items == ("x", "z")
        assert names.raters == ("c", "a")
        assert answers_of(coded, names, np.array([1])) == [{"2": ("a",), "3": ("c",)}]


def test_names_of_sets_and_of_another_table():
    table = pa.table({"i": ["x", "x", "y"], "r": ["a", "b", "a"], "v": ["q|p", "[]", "p"]})
    coded = read_ratings(table, "v:set", item="i", rater="r")
    names = names_of(coded, table, item="i", rater="r")
    assert answers_of(coded, names, np.array([0, 1])) == [{"[]": ("b",), "p|q": ("a",)}, {"p": ("a",)}]
    with pytest.raises(ValueError, match="not read from this table"):
        names_of(coded, table.slice(0, 1), item="i", rater="r")


def test_landis_and_koch():
    kappas = (None, -0.1, 0.0, 0.2, 0.21, 0.4, 0.6, 0.8, 0.81, 1.0)
    assert [landis_koch(kappa) for kappa in kappas] == [
        "", "poor", "slight", "slight", "fair", "fair", "moderate", "substantial", "almost perfect",
        "almost perfect",
    ]  # fmt: skip


# -- tables -------------------------------------------------------------------------------------------


def test_csv_has_every_value_with_its_numbers(project):
    content = measure_project(project, QUICK).to_dict()
    rows = list(csv.DictReader(io.StringIO(csv_text(content))))
    for row in rows:
        field = content["fields"][row["field"]]
        line = next(one for one in content["summary"][row["field"]] if one["value"] == row["value"])
        assert int(row["raters"]) == field["raters"]
        for key in MEASURES:
            known = line["measures"].get(key, {}).get("value")
            assert row[key] == ("" if known is None else repr(known))
    assert sum(row["field"] == "emotion" for row in rows) == 1 + len(project.schema["emotion"].categories) + 1


def test_latex_is_escaped_and_balanced(small):
    content = measure_project(small, QUICK).to_dict()
    content["summary"]["sarcasm"][1]["value"] = r"50% of_a & \b #{x}$~^[1]"
    text = latex_text(content)
    assert r"50\% of\_a \& \textbackslash{}b \#\{x\}\$\textasciitilde{}\textasciicircum{}{[}1]" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.replace(r"\&", "").count("&") for line in rows}) == 1
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_terminal_tables_fit_80_columns(project):
    from rich.console import Console

    content = measure_project(project, QUICK).to_dict()
    for table in (overview(content), *(field_table(content, name) for name in content["fields"])):
        out = io.StringIO()
        Console(file=out, width=80).print(table)
        assert "…" not in out.getvalue()
        assert all(len(line.rstrip()) <= 80 for line in out.getvalue().splitlines())
        assert table.row_count > 1


def test_only_some_fields(project):
    content = measure_project(project, QUICK).to_dict()
    assert list(only(content, ["humor"])["summary"]) == ["humor"]
    with pytest.raises(InputError) as found:
        only(content, ["x", "y"])
    assert len(found.value.issues) == 2


def test_reasons_are_told():
    table = pa.table({"i": ["x", "y"], "r": ["a", "a"], "v": ["1", "1"]})
    one = field_report(Source(table, "i", "r", None, "error"), "v:nominal", None, QUICK)
    content = {"fields": {"v": one.agreement.to_dict()}}
    assert reasons(content) == [
        "v: alpha: no item has two ratings",
        "v: AC1: no item has two ratings",
    ]


@pytest.mark.parametrize(
    ("values", "level"),
    [
        (["1", "1", "1", "1"], "nominal"),
        (["[]", "[]", "[]", "[]"], "set"),
        (["1", "2", "", ""], "ordinal"),
        (["", "", "", ""], "interval"),
        (["1.5", "2.5", "9007199254740993", "-3"], "interval"),
        (["a|b", "b|a", "a", "[]"], "set"),
        (["0", "0", "0", "0"], "ratio"),
    ],
)
def test_degenerate_ratings_make_a_page_too(tmp_path, values, level):
    path = tmp_path / "r.csv"
    lines = [
        f"{item},{rater},{value}"
        for (item, rater), value in zip(("xa", "xb", "ya", "yb"), values, strict=True)
    ]
    path.write_text("i,r,v\n" + "\n".join(lines) + "\n", "utf-8")
    report = measure_table(path, [f"v:{level}"], item="i", rater="r", options=QUICK)
    read_html(agreement_page(report))
    coefficients = json.loads(json_text(report))["fields"]["v"]["coefficients"]
    assert all(one["reason"] for one in coefficients.values() if one["value"] is None)
    assert latex_text(report.to_dict())
    assert field_table(report.to_dict(), "v").row_count >= 1


# -- any table ----------------------------------------------------------------------------------------


def test_all_faults_of_a_table_at_once_with_file_and_row(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("i,r,s,v,w\nx,a,t,1,p\nx,b,u,two,p\n,c,t,inf,q\ny,a,t,3,\n", "utf-8")
    with pytest.raises(InputError) as found:
        measure_table(path, ["v:interval", "w:nominal"], item="i", rater="r", options=Options(0, 0, ("s=t",)))
    said = [(issue.where, issue.row, issue.column, issue.value) for issue in found.value.issues]
    assert said == [(str(path), 3, "i", None), (str(path), 3, "v", "inf")]
    with pytest.raises(InputError) as found:
        measure_table(path, ["v:interval"], item="i", rater="r")
    assert {issue.row for issue in found.value.issues} == {2, 3}
    with pytest.raises(InputError) as found:
        measure_table(
            path,
            ["v:nominal", "q:nominal", "w:level"],
            item="i",
            rater="who",
            options=Options(0, 0, ("z=1",)),
        )
    assert {issue.column or issue.value for issue in found.value.issues} == {"q", "who", "z", "w:level"}


def test_repeated_ratings_are_the_callers_choice(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("i,r,v\nx,a,1\nx,a,2\nx,b,2\ny,a,1\ny,b,1\n", "utf-8")
    with pytest.raises(InputError, match="again"):
        measure_table(path, ["v:nominal"], item="i", rater="r")
    latest = measure_table(path, ["v:nominal"], item="i", rater="r", duplicates="latest", options=QUICK)
    assert latest.fields[0].agreement.coefficients["alpha"].value == 1
    both = measure_table(path, ["v:nominal"], item="i", rater="r", duplicates="both", options=QUICK)
    assert both.fields[0].agreement.ratings == 5


def test_lewidi_as_a_project_and_as_a_table(shared, tmp_path):
    from corpus.importers import import_source

    project = Project.create(tmp_path / "csc", "csc")
    import_source(project, "lewidi", [shared / "data" / "LeWiDi_CSC"])
    columns = ["utterance_id", "rater", "dialogue_id", "source_split", "sarcasm"]
    path = tmp_path / "long.csv"
    pa.csv.write_csv(project_ratings(project).select(columns), path)
    for split, alpha in (("validation", 0.328), ("test", 0.375)):
        options = Options(0, 0, (f"source_split={split}",))
        (one,) = measure_project(project, options).fields
        assert round(one.agreement.coefficients["alpha"].value, 3) == alpha
        table = measure_table(path, ["sarcasm:ordinal"], item="utterance_id", rater="rater", options=options)
        assert (
            table.fields[0].agreement.coefficients["alpha"].value == one.agreement.coefficients["alpha"].value
        )
