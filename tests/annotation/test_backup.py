"""A restored backup: what is pulled of it has the bytes of then, and what came later is kept aside."""

from __future__ import annotations

import shutil
import stat

from annotation.backup import back_up, restore
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.workflow import Plan, set_up
from annotation.workflow_text import pull_lines
from schemas.records import Condition
from schemas.tables import read_table
from tests.annotation.served import serving, small_project, submit


def test_a_restored_backup_pulls_the_bytes_of_then_though_the_table_is_newer(tmp_path):
    """The project goes on after the backup; only ``private/`` goes back, ``annotations/`` stays as it is."""
    project = small_project(tmp_path / "p", dialogues=3)
    with serving(project) as served:
        made = set_up(project, Plan("main", k=2, condition=Condition.TEXT)).round
        push(project)
        served.annotate(made, "ann", lambda _: {"sentiment": "neutral", "sarcasm": "none"}, most=3)
        pull(project)
        then = project.path(TABLE).read_bytes()
        back_up(project, tmp_path / "then.tar")
        number = served.number(made, "ann")
        tasks = served.client.tasks(number)
        with served.log_in("ann") as web:
            for task in tasks[3:]:
                submit(web, number, task["id"], {"sentiment": "negative", "sarcasm": "none"})
        served.client.sdk.annotations.delete(served.client.export(number)[0]["annotations"][0]["id"])
        pull(project)
        later = project.path(TABLE).read_bytes()
        assert later != then
    shutil.rmtree(project.path("private"))
    restore(project, tmp_path / "then.tar")
    folders = [project.path("private"), *project.path("private").rglob("*/")]
    assert {stat.S_IMODE(one.stat().st_mode) for one in folders if one.is_dir()} == {0o700}
    with serving(project):
        found = pull(project)
        assert project.path(TABLE).read_bytes() == then
        assert (found.new, found.changed, found.wrote) == (0, 0, True)
        assert any(found.aside in line for line in pull_lines(found))
        assert project.path(found.aside).read_bytes() == later
        assert read_table(project.path(found.aside)).num_rows == len(tasks)
        assert not pull(project).wrote
