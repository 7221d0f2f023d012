"""What a pull asks the server for, and when: a stand-in for the server notes every request."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from filelock import FileLock

from annotation import pulled, pulling, rounds
from annotation.assignment import Stop
from annotation.pulled_table import TABLE, Reader
from annotation.pulling import pull
from annotation.sheet import Design
from annotation.taking_turns import PULL_LOCK
from annotation.tasks import read_dialogues, utterance_task
from schemas.errors import InputError
from schemas.records import Condition, Context
from schemas.tables import read_table
from tests.annotation.served import results, small_project

RATERS = ("r1", "r2", "r3")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class StandIn:
    """A server of tasks by project. Its clock stands still until it is set.

    Attributes:
        date: The server's time.
        tasks_of: The tasks of each project, as an export gives them.
        asked: What was asked for, in order: project, and how many tasks were exported.
        page: How many tasks one answer holds.
    """

    name = url = "stand-in"

    def __init__(self):
        self.date = NOON
        self.tasks_of = {}
        self.asked = []
        self.page = 1000

    def project(self, number):
        tasks = self.tasks_of[number]
        counted = sum(len(task["annotations"]) for task in tasks)
        return {
            "task_number": len(tasks),
            "useful_annotation_number": counted,
            "skipped_annotations_number": 0,
        }

    def drafts(self, number):
        return 0

    def tasks(self, number, since):
        return [task for task in self.tasks_of[number] if datetime.fromisoformat(task["updated_at"]) > since]

    def pages(self, number, tasks=None):
        found = [task for task in self.tasks_of[number] if tasks is None or task["id"] in tasks]
        for first in range(0, len(found), self.page):
            some = found[first : first + self.page]
            self.asked.append((number, len(some)))
            yield deepcopy(some)

    def answer(self, task, sentiment):
        """Submit an answer now, or change the one that stands."""
        now = self.date.isoformat()
        new = {"unique_id": f"a{task['id']}", "created_at": now, "was_cancelled": False}
        new["completed_by"] = task["id"] // 1000
        one = {**(task["annotations"] or [new])[0], "updated_at": now, "lead_time": 9.0}
        task["annotations"] = [{**one, "result": results({"sentiment": sentiment, "sarcasm": "none"})}]
        task["updated_at"] = now


@pytest.fixture
def project(tmp_path):
    return small_project(tmp_path / "p", dialogues=4)


@pytest.fixture
def server(project):
    """A server on which three raters have just answered everything, within one second."""
    found, dialogues = StandIn(), read_dialogues(project)
    queue = tuple(Stop(one.dialogue_id) for one in dialogues)
    made = rounds.Round(
        "pilot", 1, found.name, ("sentiment", "sarcasm"), "1.0.0", "1.0.0", Design.UTTERANCE, Condition.TEXT,
        Context.PAST, 20, 3, 0.0, 0, None, dict.fromkeys(RATERS, "en"), dict.fromkeys(RATERS, queue),
        {rater: number for number, rater in enumerate(RATERS, 1)},
    )  # fmt: skip
    rounds.write_round(project, made)
    for rater, number in made.projects.items():
        turns = [
            (one, place) for one in dialogues for place, turn in enumerate(one.turns) if not turn.context_only
        ]
        found.tasks_of[number] = [
            {
                "id": 1000 * number + place,
                "created_at": (NOON - timedelta(hours=1)).isoformat(),
                "data": utterance_task(dialogue, turn, made.sheet(rater))["data"],
                "annotations": [],
            }
            for place, (dialogue, turn) in enumerate(turns)
        ]
        for task in found.tasks_of[number]:
            found.answer(task, "positive")
    return found


def test_a_pull_with_nothing_new_exports_nothing_even_right_after_everything_changed(project, server):
    found = pull(project, client=server)
    everything = {number: len(tasks) for number, tasks in server.tasks_of.items()}
    assert found.new == sum(everything.values())
    assert dict(server.asked) == everything
    server.asked.clear()
    for seconds in (0, 5, 30, 3600):
        server.date = NOON + timedelta(seconds=seconds)
        found = pull(project, client=server)
        assert (found.new, found.wrote, server.asked) == (0, False, [])


def test_what_changes_right_after_a_pull_is_exported_alone(project, server):
    late = server.tasks_of[2][4]
    late["annotations"].clear()
    pull(project, client=server)
    server.asked.clear()
    server.date = NOON + timedelta(seconds=1)
    server.answer(server.tasks_of[2][3], "negative")
    found = pull(project, client=server)
    assert (found.new, found.changed, server.asked) == (0, 1, [(2, 1)])
    # Visible late: its time is before that of the pulls, and after what counts as seen for sure.
    server.date = NOON - timedelta(seconds=2)
    server.answer(late, "neutral")
    server.date = NOON + timedelta(minutes=1)
    server.asked.clear()
    found = pull(project, client=server)
    assert (found.new, found.changed, server.asked) == (1, 0, [(2, 1)])
    rows = read_table(project.path(TABLE)).to_pylist()
    standing = [row["sentiment"] for row in rows if row["status"] == "submitted"]
    assert sorted(set(standing)) == ["negative", "neutral", "positive"]
    assert len(standing) == sum(map(len, server.tasks_of.values()))


def test_what_was_changed_recently_is_forgotten_when_it_is_old(project, server):
    pull(project, client=server)
    assert sum(map(len, pulled.read_index(project).recent.values())) == sum(
        map(len, server.tasks_of.values())
    )
    server.date = NOON + timedelta(minutes=5)
    server.answer(server.tasks_of[1][0], "negative")
    pull(project, client=server)
    assert list(pulled.read_index(project).recent["pilot|r1"]) == [str(server.tasks_of[1][0]["id"])]


def test_no_more_than_one_page_is_fetched_ahead(project, server, monkeypatch):
    """Exports are large: while one is read, the next may arrive, and no third."""
    server.page, ahead, done = 3, [], []
    read = Reader.read

    def noted(self, one):
        done.append(one)
        asked = [number for number, tasks in server.asked for _ in range(tasks)]
        ahead.append((len(asked) - len(done)) // server.page)
        read(self, one)

    monkeypatch.setattr(Reader, "read", noted)
    assert pull(project, client=server).new == sum(map(len, server.tasks_of.values()))
    assert set(ahead) <= {0, 1}
    assert len(server.asked) > 3 * len(server.tasks_of)


def test_a_second_pull_waits_for_the_first(project, server):
    pull(project, client=server)
    other, told = FileLock(project.path(PULL_LOCK)), []
    other.acquire()

    def tell(line):
        if not told:
            # What the other one found is known to this one.
            server.answer(server.tasks_of[1][0], "negative")
            other.release()
        told.append(line)

    server.date = NOON + timedelta(minutes=1)
    assert pull(project, client=server, tell=tell).changed == 1
    assert "another pull" in told[0]


def test_the_watch_outlasts_a_command_that_writes(project, server, monkeypatch):
    monkeypatch.setattr(pulling.Client, "of", lambda _: server)
    other, told, found = FileLock(project.path(".lock")), [], []
    other.acquire()

    def tell(line):
        told.append(line)
        other.release()

    def after(pulled):
        found.append(pulled)
        raise KeyboardInterrupt

    pulling.watch(project, every=0.01, after=after, tell=tell)
    assert "is writing to this project" in told[0]
    assert [one.wrote for one in found] == [True]


def test_the_table_from_the_journal_equals_the_one_that_was_written_as_it_came(project, server):
    pull(project, client=server)
    for turn, minutes in enumerate((1, 2, 3)):
        server.date = NOON + timedelta(minutes=minutes)
        server.answer(server.tasks_of[1][turn], "negative")
        server.answer(server.tasks_of[1][0], ("neutral", "negative", "positive")[turn])
        pull(project, client=server)
    table, index = project.path(TABLE).read_bytes(), pulled.read_index(project)
    journal = list(pulled.read_journal(project))
    assert len(journal) == sum(len(one.versions) for one in index.annotations.values())
    project.path(TABLE).unlink()
    found = pull(project, client=server)
    assert (found.new, found.wrote) == (0, True)
    assert project.path(TABLE).read_bytes() == table
    assert pulled.read_index(project) == index


def test_a_table_of_another_moment_than_the_journal_is_made_again(project, server):
    """One of the two was restored from a backup: of ``private/``, or of the rest."""
    pull(project, client=server)
    early = project.path(TABLE).read_bytes()
    private = project.path(pulled.FOLDER)
    shutil.copytree(private, project.path("then"))
    server.date = NOON + timedelta(minutes=1)
    server.answer(server.tasks_of[1][0], "negative")
    pull(project, client=server)
    late = project.path(TABLE).read_bytes()
    # The table goes back, the journal stays.
    project.path(TABLE).write_bytes(early)
    found = pull(project, client=server)
    assert (found.new, found.wrote, found.aside) == (0, True, None)
    assert project.path(TABLE).read_bytes() == late
    # The journal goes back, the table stays; so does the server.
    shutil.rmtree(private)
    shutil.copytree(project.path("then"), private)
    server.tasks_of[1][0] = deepcopy(server.tasks_of[1][0])
    server.date = NOON
    server.answer(server.tasks_of[1][0], "positive")
    found = pull(project, client=server)
    assert project.path(TABLE).read_bytes() == early
    assert project.path(found.aside).read_bytes() == late
    assert not pull(project, client=server).wrote


def test_a_backup_of_before_the_first_pull(project, server):
    tasks = [deepcopy(task) for task in server.tasks_of[1]]
    pull(project, client=server)
    shutil.rmtree(project.path(pulled.FOLDER))
    for number in server.tasks_of:
        for task in server.tasks_of[number]:
            task["annotations"].clear()
    found = pull(project, client=server)
    assert (found.rows, found.wrote) == (0, True)
    assert read_table(project.path(found.aside)).num_rows == 3 * len(tasks)
    assert not pull(project, client=server).wrote


def test_a_rating_that_the_server_gives_back_counts_again(project, server):
    """Its database was restored from before the deletion; a file of before brings nothing back."""
    pull(project, client=server)
    whole, task = project.path(TABLE).read_bytes(), server.tasks_of[1][0]
    before = deepcopy(task)
    task["annotations"].clear()
    assert pull(project, client=server).withdrawn == 1
    withdrawn = project.path(TABLE).read_bytes()
    assert withdrawn != whole
    (project.root / "before.json").write_text(json.dumps([{**before, "project": 1}]))
    assert not pull(project, [project.root / "before.json"]).wrote
    server.tasks_of[1][0] = before
    found = pull(project, client=server)
    assert (found.returned, found.new, found.wrote) == (1, 0, True)
    assert project.path(TABLE).read_bytes() == whole
    again = pull(project, client=server)
    assert (again.returned, again.wrote) == (0, False)


def test_a_file_with_news_brings_nothing_back_either(project, server):
    late = server.tasks_of[1][1]
    late["annotations"].clear()
    pull(project, client=server)
    early = deepcopy(server.tasks_of[1][0])
    server.tasks_of[1][0]["annotations"].clear()
    pull(project, client=server)
    server.date = NOON + timedelta(minutes=1)
    server.answer(late, "negative")
    (project.root / "some.json").write_text(json.dumps([{**one, "project": 1} for one in (early, late)]))
    found = pull(project, [project.root / "some.json"])
    assert (found.new, found.returned) == (1, 0)
    rows = read_table(project.path(TABLE)).to_pylist()
    assert [row["annotation_id"].partition("@")[0] for row in rows if row["status"] == "superseded"] == [
        early["annotations"][0]["unique_id"]
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", None])
def test_damaged_files_of_what_was_pulled_are_named(project, server, content):
    """The index; and the journal, which is read when the table is to be made again."""
    pull(project, client=server)
    index, [journal] = project.path(pulled.INDEX), project.path(pulled.FOLDER).glob("*.gz")
    sound = index.read_bytes()
    if content is not None:
        index.write_bytes(content)
        with pytest.raises(InputError, match=r"index.json: this file is damaged.* from a backup"):
            pull(project, client=server)
        index.write_bytes(sound)
    project.path(TABLE).unlink()
    journal.write_bytes(journal.read_bytes()[:-40] if content is None else content or b"x")
    with pytest.raises(InputError, match=r"000001.jsonl.gz: this file is damaged.* from a backup"):
        pull(project, client=server)
    assert not project.has(TABLE)


def test_how_fast_an_annotation_was_is_said_of_its_latest_version(project, server):
    """Exported files may bring an older version later."""
    task = server.tasks_of[1][0]
    older = deepcopy(task)
    older["annotations"][0]["lead_time"] = 0.01
    server.date = NOON + timedelta(minutes=1)
    server.answer(task, "negative")
    for name, one in (("new.json", task), ("old.json", older)):
        (project.root / name).write_text(json.dumps([{**one, "project": 1}]))
        found = pull(project, [project.root / name])
        assert found.fast == 0
    assert found.changed == 1
    rows = read_table(project.path(TABLE)).to_pylist()
    assert sorted((row["status"], row["sentiment"]) for row in rows) == [
        ("submitted", "negative"),
        ("superseded", "positive"),
    ]


def test_malformed_exports_are_told_all_at_once_and_nothing_is_taken(project, server):
    """Every fault of every file, with its row; the sound tasks around them are not taken either."""
    sound = {**server.tasks_of[1][0], "project": 1}
    rating = sound["annotations"][0]
    nameless = {name: value for name, value in rating.items() if name != "unique_id"}
    undated = {name: value for name, value in rating.items() if name != "updated_at"}
    first = [
        sound,
        {**sound, "annotations": [rating, {**rating, "updated_at": "yesterday"}]},
        {**sound, "annotations": [{**rating, "updated_at": None}, undated]},
        {**sound, "annotations": [nameless]},
    ]
    second = [{**sound, "id": "abc", "created_at": None, "project": [1]}, {**sound, "id": True}]
    for name, tasks in (("1.json", first), ("2.json", second)):
        (project.root / name).write_text(json.dumps(tasks))
    files = [project.root / "1.json", project.root / "2.json"]
    with pytest.raises(InputError) as caught:
        pull(project, files)
    assert [(one.where, one.row, one.column) for one in caught.value.issues] == [
        (str(files[0]), 2, "annotations, 2"),
        (str(files[0]), 3, "annotations, 1"),
        (str(files[0]), 3, "annotations, 2"),
        (str(files[0]), 4, "annotations, 1"),
        (str(files[1]), 1, "id"),
        (str(files[1]), 1, "project"),
        (str(files[1]), 1, "created_at"),
        (str(files[1]), 2, "id"),
    ]
    assert "got 'yesterday'" in str(caught.value)
    assert not project.has(TABLE)
    files[0].write_text(json.dumps([{**sound, "annotations": [{**nameless, "id": 7, "created_at": None}]}]))
    assert pull(project, files[:1]).new == 1
