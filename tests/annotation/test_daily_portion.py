"""The daily load cap: no day offers more than the limit, and every task gets its day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation import pushing
from annotation.daily_portion import midnight, portion
from annotation.pushing import push
from annotation.workflow import Plan, set_up
from schemas import InputError
from schemas import project as folder
from schemas.project import Project
from schemas.records import Condition
from tests.annotation.served import serving, small_project

DAY = datetime(2026, 3, 5, tzinfo=UTC)
NOTHING: frozenset[str] = frozenset()


def wanted(sizes):
    return {
        f"k{place}": lambda size=size: {"data": {"turns": ["u"] * size} if size else {}}
        for place, size in enumerate(sizes)
    }


def on_server(key, rated, moment, size=0):
    data = {"key": key, **({"turns": ["u"] * size} if size else {})}
    return {
        "data": data,
        "total_annotations": int(rated),
        "cancelled_annotations": 0,
        "updated_at": moment.isoformat(),
    }


def test_open_tasks_and_todays_work_count():
    tasks = [
        on_server("k0", True, DAY - timedelta(hours=1)),  # yesterday's work
        on_server("k1", True, DAY + timedelta(hours=9)),
        on_server("k2", False, DAY - timedelta(days=1)),
    ]
    found = portion(wanted([0] * 10), tasks, frozenset({"k9"}), 4, DAY)
    assert list(found) == ["k0", "k1", "k2", "k3", "k4", "k9"]


def test_a_dialogue_larger_than_the_limit_is_a_days_work():
    assert list(portion(wanted([9, 2]), [], NOTHING, 4, DAY)) == ["k0"]
    assert list(portion(wanted([2, 9, 1]), [], NOTHING, 4, DAY)) == ["k0"]
    assert list(portion(wanted([2, 2, 1]), [], NOTHING, 4, DAY)) == ["k0", "k1"]


def test_days_are_local():
    shanghai = timezone(timedelta(hours=8))
    assert midnight(DAY + timedelta(hours=17), shanghai) == DAY + timedelta(hours=16)


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 10))
def test_no_day_offers_more_and_all_gets_done(limit, diligence, count):
    """A rater does what they like of what is there; pushes run at any time of the day."""
    tasks, done = {}, {}
    for place in range(50):
        day = DAY + timedelta(days=place)
        for hour in (8, 12):
            found = portion(wanted([0] * count), list(tasks.values()), NOTHING, limit, day)
            for key in found.keys() - tasks.keys():
                tasks[key] = on_server(key, False, day + timedelta(hours=hour))
            free = [key for key in tasks if not tasks[key]["total_annotations"]]
            for key in free[: diligence[place % len(diligence)]]:
                tasks[key] = on_server(key, True, day + timedelta(hours=hour))
                done[place] = done.get(place, 0) + 1
    assert max(done.values(), default=0) <= limit
    assert len(tasks) == count or not any(diligence)


def test_with_a_server(tmp_path, monkeypatch):
    project = small_project(tmp_path / "p", dialogues=6)
    settings = project.path(folder.SETTINGS)
    text = settings.read_text("utf-8").partition("rounds:")[0]
    settings.write_text(text + "rounds: {main: {daily_limit: 3}}\n", "utf-8")
    project = Project(project.root)
    with serving(project) as served:
        made = set_up(project, Plan("main", k=2, condition=Condition.TEXT)).round
        first = {one.rater: one for one in push(project)}
        assert {one.new for one in first.values()} == {3}
        served.annotate(made, "ann", lambda data: {"sentiment": "neutral", "sarcasm": "none"}, most=2)
        assert {one.new for one in push(project)} == {0}
        monkeypatch.setattr(pushing, "midnight", lambda now, zone: now + timedelta(hours=1))  # tomorrow
        second = {one.rater: one for one in push(project)}
        ann = served.pseudonym("ann")
        assert {rater: one.new for rater, one in second.items() if one.new} == {ann: 2}
        assert second[ann].held == first[ann].held - 2
        tasks = served.client.tasks(made.projects[ann])
        assert sum(not one["total_annotations"] for one in tasks) == 3
        settings.write_text(text, "utf-8")
        rest = {one.rater: one for one in push(Project(project.root))}
        assert rest[ann].new == second[ann].held
        with pytest.raises(InputError, match="time zone"):
            push(project, zone="Mars/Base")
