"""Attempts and who may rate, from ratings that are written by hand; no server."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from annotation.answer_key import ANSWER_KEY
from annotation.assignment import Stop
from annotation.key_scores import Score
from annotation.label_studio_cli import add_to
from annotation.qualification import (
    STATE,
    attempts,
    close_attempts,
    control_scores,
    fields_with_threshold,
    override,
    passed_fields,
    read_state,
    require_qualified,
    still_to_train,
)
from annotation.qualification_report import project_qualification, qualify
from annotation.roster import Accounts, write_accounts, write_private
from annotation.rounds import TRAINING, Round, read_rounds, write_round
from annotation.sheet import Design
from schemas import InputError
from schemas import project as folder
from schemas.command_line import application
from schemas.records import Condition, Context, annotations_schema
from schemas.round_settings import RoundKind
from schemas.tables import from_rows, read_table, write_table
from tests.annotation.served import small_project

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
VALUES = ("negative", "neutral", "positive")
ANN = "label-studio:r1"
FIELDS = ("sentiment", "sarcasm")


@pytest.fixture
def project(tmp_path):
    """A project whose first two dialogues are for training; ann is the only rater."""
    made = small_project(tmp_path / "p", dialogues=4)
    write_accounts(made, Accounts({"ann": ANN}))
    dialogues = read_table(made.path(folder.DIALOGUES)).column("dialogue_id").to_pylist()[:2]
    write_key(made)
    write_round(
        made,
        Round(
            "training", 1, "own", ("sentiment",), "1.0.0", "g", Design.UTTERANCE, Condition.TEXT,
            Context.PAST, 4, 0, 0.0, 0, None, {ANN: "en"}, {ANN: tuple(map(Stop, dialogues))},
            kind=RoundKind.TRAINING, threshold={"sentiment": 0.6},
        ),
    )  # fmt: skip
    return made


def ids(project):
    rows = read_table(project.path(folder.UTTERANCES)).to_pylist()
    dialogues = list(dict.fromkeys(row["dialogue_id"] for row in rows))[:2]
    return [
        row["utterance_id"] for row in rows if row["dialogue_id"] in dialogues and not row["context_only"]
    ]


def known(place):
    return VALUES[place % 3]


def sarcastic(place):
    return ("none", "sarcastic")[place % 2]


def write_key(project, shift=0, fields=("sentiment",)):
    lines = ["training:"]
    for place, name in enumerate(ids(project)):
        answers = {"sentiment": known(place + shift), "sarcasm": sarcastic(place)}
        said = ", ".join(f"{field}: {answers[field]}" for field in fields)
        lines.append(f"  {name}: {{answers: {{{said}}}, reason: {{en: a, zh: b}}}}")
    write_private(project.path(ANSWER_KEY), "\n".join(lines) + "\n")


def rating(place, utterance, value, minute, status="submitted"):
    moment = START + timedelta(minutes=minute)
    return {
        "annotation_id": f"{utterance}@{minute}",
        "utterance_id": utterance,
        "rater": ANN,
        "round": "training",
        "status": status,
        "created": moment,
        "updated": moment,
        "sentiment": value,
        "sentiment_missing": None if value else "not_rated",
        "sarcasm_missing": "not_rated",
    }


def rate(project, rows):
    arrow = annotations_schema(project.schema)
    write_table(project.path(TRAINING), from_rows(rows, arrow), arrow)


def right(project):
    return [rating(place, name, known(place), place) for place, name in enumerate(ids(project))]


def test_an_attempt_is_closed_when_every_item_is_submitted_or_skipped(project):
    rows = right(project)
    rate(project, rows[:-1])
    (one,) = close_attempts(project)
    assert (one.closed, one.passed, one.done) == (False, False, one.items - 1)
    rows[-1] = rating(0, rows[-1]["utterance_id"], None, 99, "skipped")
    rate(project, rows)
    (one,) = close_attempts(project)
    assert one.closed
    assert one.scores["sentiment"].same == one.items - 1, "what is skipped is not right"


def test_nothing_is_closed_without_ratings(project):
    (one,) = close_attempts(project)
    assert (one.done, one.closed) == (0, False)
    assert read_state(project).closed == {}


def test_later_changes_and_deletions_do_not_count(project):
    rows = right(project)
    rate(project, rows)
    before = close_attempts(project)
    changed = [{**row, "status": "superseded"} for row in rows]
    changed += [rating(place, row["utterance_id"], "neutral", 500 + place) for place, row in enumerate(rows)]
    rate(project, changed)
    assert attempts(project) == before
    rate(project, changed[: len(rows)])
    assert attempts(project) == before


def test_what_is_changed_before_closing_counts(project):
    rows = right(project)
    first = rating(0, rows[0]["utterance_id"], "positive", -5, "superseded")
    rate(project, [first, *rows])
    (one,) = close_attempts(project)
    assert one.scores["sentiment"].value == 1


def test_a_corrected_key_corrects_the_scores(project):
    rate(project, right(project))
    write_key(project, shift=1)
    (one,) = close_attempts(project)
    assert not one.passed
    write_key(project)
    (one,) = attempts(project)
    assert one.passed


def test_who_may_rate(project):
    accounts = Accounts({"ann": ANN, "bo": "label-studio:r2"})
    with pytest.raises(InputError) as refused:
        require_qualified(project, [ANN, "label-studio:r2"], ["sentiment"], accounts)
    assert len(refused.value.issues) == 2
    assert "no training round has them" in str(refused.value)
    rate(project, right(project))
    with pytest.raises(InputError, match="waits for 'annotation qualify'"):
        require_qualified(project, [ANN], ["sentiment"], accounts)
    close_attempts(project)
    require_qualified(project, [ANN], ["sentiment"], accounts)


def training(project, name, number, threshold):
    """Set up a further training round over the same dialogues."""
    first = read_rounds(project)[0]
    write_round(project, replace(first, name=name, number=number, fields=FIELDS, threshold=threshold))


def both(project, name, minute, sentiment=True, sarcasm=True):
    """Ratings of a round by the key, or always the same value."""
    rows = []
    for place, row in enumerate(right(project)):
        moment = START + timedelta(minutes=minute + place)
        rows.append(
            row
            | {
                "annotation_id": f"{name}{place}",
                "round": name,
                "created": moment,
                "updated": moment,
                "sentiment": known(place) if sentiment else "neutral",
                "sarcasm": sarcastic(place) if sarcasm else "none",
                "sarcasm_missing": None,
            }
        )
    return rows


def test_each_field_needs_its_own_threshold(project):
    """One passed round is no admission to fields that it did not test or that were failed."""
    write_key(project, fields=FIELDS)
    training(project, "sarcasm", 2, {"sarcasm": 0.6})
    accounts = Accounts({"ann": ANN})
    first = right(project)
    rate(project, first)
    close_attempts(project)
    require_qualified(project, [ANN], ["sentiment"], accounts)
    with pytest.raises(InputError, match=r"0 of \d+ items of round 'sarcasm' are done"):
        require_qualified(project, [ANN], FIELDS, accounts)
    failed = both(project, "sarcasm", 100, sarcasm=False)
    rate(project, first + failed)
    close_attempts(project)
    with pytest.raises(InputError, match=r"sarcasm 0\.00 of 0\.60") as refused:
        require_qualified(project, [ANN], FIELDS, accounts)
    assert "sentiment" not in str(refused.value)
    assert still_to_train(project, [ANN], {"sarcasm": 0.6}) == [ANN]
    assert project_qualification(project, attempts(project)).attempts[0].passed
    override(project, "ann", "seen at work")
    require_qualified(project, [ANN], FIELDS, accounts)


def test_fields_reached_in_different_attempts_add_up(project):
    write_key(project, fields=FIELDS)
    for place, name in enumerate(("second", "third")):
        training(project, name, place + 2, {"sentiment": 0.6, "sarcasm": 0.6})
    accounts = Accounts({"ann": ANN})
    rows = both(project, "second", 100, sarcasm=False)
    rate(project, rows)
    close_attempts(project)
    with pytest.raises(InputError, match="items of round 'third' are done"):
        require_qualified(project, [ANN], FIELDS, accounts)
    rate(project, rows + both(project, "third", 200, sentiment=False))
    found = close_attempts(project)
    assert not any(one.passed for one in found)
    assert passed_fields(found) == {ANN: frozenset(FIELDS)}
    require_qualified(project, [ANN], FIELDS, accounts)
    assert still_to_train(project, [ANN], {"sentiment": 0.6, "sarcasm": 0.6}) == []


def test_fields_without_a_threshold_need_none(project):
    require_qualified(project, [ANN], ["sarcasm"], Accounts())
    assert fields_with_threshold(project) == ["sentiment"]


def test_a_threshold_of_a_round_to_come_counts(project):
    """What corpus.yaml asks is asked, although nobody could be tested yet."""
    rate(project, right(project))
    close_attempts(project)
    settings = project.path(folder.SETTINGS)
    text, later = settings.read_text("utf-8"), "{later: {kind: training, threshold: {sarcasm: 0.5}}}"
    assert "\nrounds: {} " in text
    settings.write_text(text.replace("\nrounds: {} ", f"\nrounds: {later} "), "utf-8")
    again = type(project)(project.root)
    with pytest.raises(InputError, match="no training round has tested them on sarcasm"):
        require_qualified(again, [ANN], FIELDS, Accounts())


def test_a_threshold_on_a_field_that_is_none_admits_nobody(project):
    settings = project.path(folder.SETTINGS)
    text, later = settings.read_text("utf-8"), "{later: {kind: training, threshold: {sarcam: 0.5}}}"
    settings.write_text(text.replace("\nrounds: {} ", f"\nrounds: {later} "), "utf-8")
    again = type(project)(project.root)
    with pytest.raises(InputError, match=r"rounds\.later\.threshold.*'sarcam'; did you mean 'sarcasm'"):
        require_qualified(again, [ANN], FIELDS, Accounts())


@pytest.mark.parametrize(("rater", "why"), [("nobody", "x"), ("ann", " "), ("nobody", "")])
def test_an_override_needs_a_rater_and_a_reason(project, rater, why):
    with pytest.raises(InputError):
        override(project, rater, why)
    assert read_state(project).overrides == []


def test_an_override_is_kept_beside_the_attempts(project):
    close_attempts(project)
    override(project, "ann", "first")
    override(project, ANN, "second")
    assert [(one.rater, one.why) for one in read_state(project).overrides] == [
        (ANN, "first"),
        (ANN, "second"),
    ]
    require_qualified(project, [ANN], ["sentiment"], Accounts())
    rate(project, right(project))
    close_attempts(project)
    assert len(read_state(project).overrides) == 2


def test_without_a_server_the_page_is_written_all_the_same(project):
    rate(project, right(project))
    told = []
    found = qualify(project, tell=told.append)
    assert found.pages == ("private/feedback/training-r1-en.html",)
    assert "≠" not in project.path(found.pages[0]).read_text("utf-8")
    assert any("not shown on the server" in line for line in told)


def test_the_attempts_fit_a_narrow_terminal_whole(project):
    """Every score and threshold of a schema of many fields is read at 80 columns."""
    write_key(project, fields=FIELDS)
    long = "how_far_the_speaker_is_at_ease"
    training(project, "second", 2, {"sentiment": 0.6, "sarcasm": 0.6})
    rate(project, both(project, "second", 100, sarcasm=False))
    made = project_qualification(project, close_attempts(project))
    made = replace(made, types={**made.types, long: "nominal"}, attempts=tuple(
        replace(one, scores={**one.scores, long: Score(8, 8, 0.987)}) for one in made.attempts
    ))  # fmt: skip
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(made.table())
    out = console.export_text()
    assert max(map(len, out.splitlines())) <= 80
    cells = "".join(line.split("│")[5].strip() for line in out.splitlines() if line.count("│") == 7)
    for part in ("sarcasm 0.00 / 0.60", "sentiment 1.00 / 0.60", long, "0.99"):
        assert part.replace(" ", "") in cells.replace(" ", ""), part


def test_progress_stands_beside_json(project):
    rate(project, right(project))
    app = application("test")
    add_to(app)
    words = ["qualify", "--project", str(project.root), "--override", "ann", "--why", "known", "--json"]
    answer = CliRunner().invoke(app, words, catch_exceptions=False)
    assert [one["why"] for one in json.loads(answer.stdout)["overrides"]] == ["known"]
    assert "may rate" in answer.stderr
    assert "not shown on the server" in answer.stderr


def test_a_reason_without_a_rater_is_refused(project):
    app = application("test")
    add_to(app)
    with pytest.raises(InputError, match="--override RATER"):
        CliRunner().invoke(
            app, ["qualify", "--project", str(project.root), "--why", "x"], catch_exceptions=False
        )


def test_damaged_decisions_are_no_traceback(project):
    write_private(project.path(STATE), "{")
    with pytest.raises(InputError, match=r"qualification\.json: this file is damaged"):
        read_state(project)


def test_without_training_there_is_nothing_to_do(tmp_path):
    project = small_project(tmp_path / "p", dialogues=2)
    assert attempts(project) == []
    assert control_scores(project) == {}
    require_qualified(project, [ANN], ["sentiment"], Accounts())
    with pytest.raises(InputError, match="kind: training"):
        qualify(project)
    settings = project.path(folder.SETTINGS)
    rounds = "{training: {kind: training, threshold: {sentiment: 0.5}}}"
    settings.write_text(settings.read_text("utf-8").replace("\nrounds: {} ", f"\nrounds: {rounds} "), "utf-8")
    (line,) = qualify(type(project)(project.root)).lines()
    assert "annotation setup" in line
