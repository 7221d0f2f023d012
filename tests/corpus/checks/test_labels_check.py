from __future__ import annotations

from corpus.checks import Severity, check
from corpus.checks import labels as module
from corpus.checks.labels import check_labels

PUBLISHED = "labels/published.parquet"


def test_labels_that_fit_pass(make, of) -> None:
    project = make(labels={"published": [{"pride": "none"}, {"pride": "pride"}]})
    found = list(check_labels(project, PUBLISHED))
    assert of(found, "labels.invalid") == []
    assert [one for one in found if one.subject == "pride"] == []


def test_an_unknown_value_is_an_error_in_labels_and_in_ratings(make, of) -> None:
    project = make(
        [{}] * 3,
        labels={"published": [{}, {"emotion": "happy"}, {"emotion": "happy"}]},
        ratings=[{"rater": "r", "emotion_sentiment": 5}],
    )
    found = of(list(check_labels(project, PUBLISHED)), "labels.invalid")
    assert [(one.severity, one.subject, one.count, one.examples) for one in found] == [
        (Severity.ERROR, "emotion", 2, ("u1",)),
        (Severity.ERROR, "emotion_sentiment", 1, ("u0",)),
    ]
    assert "'happy'" in found[0].message


def test_a_fault_is_counted_over_all_batches(make, monkeypatch, only) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    labels = [{}, {}, {"emotion": "happy"}, {"emotion": "happy"}, {"emotion": "happy"}]
    found = only(
        list(check_labels(make([{}] * 5, labels={"published": labels}), PUBLISHED)), "labels.invalid"
    )
    assert (found.count, found.examples) == (3, ("u2",))


def test_skipped_and_superseded_ratings_are_left_alone(make, of) -> None:
    ratings = [{"rater": "r", "emotion": "happy", "status": status} for status in ("skipped", "superseded")]
    assert of(list(check_labels(make(ratings=ratings), None)), "labels.invalid") == []


def test_a_table_that_lacks_a_field_of_the_schema_is_an_error_and_no_crash(make, of) -> None:
    project = make(labels={"published": [{}, {}]})
    path = project.path("schema.yaml")
    path.write_text(path.read_text("utf-8").replace("\n  pride:", "\n  boast:"), "utf-8")
    found = of(check(type(project)(project.root)), "labels.invalid")
    assert [(one.subject, one.count) for one in found] == [("boast", 1), ("boast_missing", 1)]


def test_which_labels_are_built_must_be_known(make, only, of) -> None:
    project = make(labels={"a": [{}, {}], "b": [{}, {}]})
    found = only(check(project), "labels.ambiguous")
    assert (found.severity, found.examples) == (Severity.ERROR, ("a", "b"))
    settings = project.path("corpus.yaml")
    text = settings.read_text("utf-8")
    settings.write_text(text.replace('labels: ""', "labels: b"), "utf-8")
    assert of(check(type(project)(project.root)), "labels.ambiguous") == []
    settings.write_text(text.replace('labels: ""', "labels: c"), "utf-8")
    assert len(of(check(type(project)(project.root)), "labels.ambiguous")) == 1


def test_nulls_are_told_by_reason_and_those_by_design_are_left_out(make, only) -> None:
    reasons = ["undecided", "undecided", "not_rated", "not_applicable", "context_only"]
    rows = [{"emotion": "joy"}, *({"emotion_missing": reason} for reason in reasons)]
    found = list(check_labels(make([{}] * 6, labels={"published": rows}), PUBLISHED))
    null = only(found, "labels.null", "emotion")
    assert (null.count, null.of, null.examples) == (3, 4, ("u1", "u2", "u3"))
    assert "1 not_rated, 2 undecided" in null.message
    none = only(found, "labels.no_label", "love")
    assert (none.severity, none.count, none.of) == (Severity.WARNING, 6, 6)


def test_unused_values_of_labels_or_else_of_ratings(make, only) -> None:
    project = make(labels={"published": [{"love": "none"}, {"love": "empty"}]}, ratings=[{"love": "growing"}])
    found = only(list(check_labels(project, PUBLISHED)), "labels.unused_value", "love")
    assert (found.count, found.of, found.examples) == (2, 4, ("growing", "immediate"))
    project = make(ratings=[{"rater": "r", "love": "growing"}])
    assert only(list(check_labels(project, None)), "labels.unused_value", "love").count == 3
    project = make(schema="affect", labels={"published": [{"emotion": ["joy", "fear"]}, {"emotion": []}]})
    found = only(list(check_labels(project, PUBLISHED)), "labels.unused_value", "emotion")
    assert found.of is not None
    assert found.count == found.of - 2
