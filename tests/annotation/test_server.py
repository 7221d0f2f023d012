"""The project's own server: real starts and stops, private files, clear messages, backups."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from annotation import installation, roster, server
from annotation.backup import back_up, restore
from annotation.client import OWN, Client
from annotation.hotkeys import USER_HOTKEYS
from schemas import InputError
from schemas.project import Project
from tests.annotation.served import free_port, migrated, python, serving, small_project


@pytest.fixture
def project(tmp_path):
    return small_project(tmp_path / "p", dialogues=2)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(small_project(tmp_path_factory.mktemp("server") / "p", dialogues=2)) as running:
        yield running


def test_a_first_start_makes_a_quiet_offline_private_server(project, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://elsewhere.invalid")
    told = []
    with server.running(project, port=free_port(), python=python(), tell=told.append) as one:
        assert httpx.get(f"{one.url}/health").json() == {"status": "UP"}
        assert Client.of(project).who()["email"] == server.read_credentials(project).login
        assert any("from 6 raters on" in notice for notice in one.notices)
        page = httpx.get(f"{one.url}/user/login/").text
        for address in ("sentry.io", "elsewhere.invalid", "collect_analytics = true"):
            assert address not in page
        with httpx.Client(base_url=one.url) as stranger:
            form = stranger.get("/user/signup/").text
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
            fields = {"csrfmiddlewaretoken": token[1], "email": "x@y.zz", "password": "a-long-password"}
            stranger.post("/user/signup/", data=fields, headers={"Referer": one.url})
        assert all(user["email"] != "x@y.zz" for user in Client.of(project).users()), "without an invitation"
        arguments = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(one.process.pid)],
                                   capture_output=True, text=True).stdout  # fmt: skip
    secrets = server.read_credentials(project)
    log = project.path(server.LOG).read_text("utf-8", "replace")
    for secret in (secrets.password, secrets.token):
        assert secret not in arguments
        assert secret not in log
        assert secret not in " ".join(told)
    for path in project.path("private").rglob("*"):
        if path.is_file() and not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert path.name == ".lock" or not mode & 0o077, (path, oct(mode))
    assert (project.root / ".gitignore").read_text().startswith("/private/")
    assert one.process.returncode is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{one.url}/health")


def test_only_media_and_clips_are_served_and_only_to_those_who_logged_in(served):
    project, client = served.project, served.client
    (project.root / "clips").mkdir(exist_ok=True)
    (project.root / "clips" / "a b.wav").write_bytes(b"RIFF-not-really")
    number = client.create_project("media", "<View></View>")
    shown = project.path(f"{server.FOLDER}/shown").resolve()
    for name in server.MEDIA:
        client.show_files(number, str(shown / name))
        client.show_files(number, str(shown / name))
    assert len(client.sdk.import_storage.local.list(project=number)) == 2
    files = f"{served.url}/data/local-files/"
    key = {"Authorization": f"Token {server.read_credentials(project).token}"}
    found = httpx.get(files, params={"d": "clips/a b.wav"}, headers=key)
    assert (found.status_code, found.content) == (200, b"RIFF-not-really")
    assert httpx.get(files, params={"d": "clips/a b.wav"}).status_code in (302, 401, 403)
    for name in (
        "../credentials.private.json",
        "clips/../../credentials.private.json",
        "clips/../../../../schema.yaml",
        "/etc/passwd",
        "media/../../data/label_studio.sqlite3",
    ):
        assert httpx.get(files, params={"d": name}, headers=key).status_code >= 400
    with pytest.raises(InputError, match="subdirectory"):
        client.show_files(number, str(project.root / "private"))


def test_a_second_server_of_the_project_is_refused(served):
    with (
        pytest.raises(InputError, match=f"runs already, at {served.url}"),
        server.running(served.project, port=free_port(), python=python()),
    ):
        pass


def test_a_busy_port_is_refused(project):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with (
            pytest.raises(InputError, match=r"another program listens on this port.*--port"),
            server.running(project, port=busy.getsockname()[1], python=python()),
        ):
            pass


def test_an_address_of_another_machine_is_refused(project):
    with (
        pytest.raises(InputError, match="cannot listen here"),
        server.running(project, host="192.0.2.1", port=free_port(), python=python()),
    ):
        pass


def test_an_address_that_is_none_is_refused(project):
    with (
        pytest.raises(InputError, match="--host: this machine has no such address, got 'no such host'"),
        server.running(project, host="no such host", port=free_port(), python=python()),
    ):
        pass


def test_data_that_somebody_else_made_are_refused(project):
    project.path(f"{server.FOLDER}/data").mkdir(parents=True)
    project.path(server.DATABASE).write_bytes(b"")
    with (
        pytest.raises(InputError, match="not made by 'annotation serve'"),
        server.running(project, port=free_port(), python=python()),
    ):
        pass


def test_data_of_a_newer_version_are_refused(project):
    roster.write_private(project.path(f"{server.FOLDER}/version"), "9.0.0")
    with (
        pytest.raises(InputError, match=r"of Label Studio 9\.0\.0"),
        server.running(project, port=free_port(), python=python()),
    ):
        pass


def test_data_of_an_older_version_are_backed_up_and_brought_up_to_date(project):
    migrated(project)
    roster.write_private(project.path(f"{server.FOLDER}/version"), "1.22.0")
    with server.running(project, port=free_port(), python=python()) as one:
        assert any("of Label Studio 1.22.0 are brought to" in notice for notice in one.notices)
    assert project.path(f"{server.FOLDER}/version").read_text() == installation.LABEL_STUDIO
    copies = list(project.path("private").glob("before-*.tar"))
    assert [stat.S_IMODE(one.stat().st_mode) for one in copies] == [0o600]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret-word@h/n",
        "postgresql://h",
        "h/secret-word",
        "postgresql:///secret-word",
        "postgresql://u:p@h:secret-word/n",
        "postgresql://u:secret-word@h:99999/n",
        "postgresql://u:secret-word@[h/n",
    ],
)
def test_a_wrong_database_is_refused_without_repeating_its_password(project, url):
    with (
        pytest.raises(InputError, match="postgresql://USER") as caught,
        server.running(project, database_url=url, port=free_port(), python=python()),
    ):
        pass
    assert "secret-word" not in str(caught.value)


def test_a_database_that_is_not_there_is_told(project):
    url = f"postgresql://nobody:secret-word@127.0.0.1:{free_port()}/nothing"
    with (
        pytest.raises(InputError, match=r"did not start.*(refused|connect)") as caught,
        server.running(project, database_url=url, port=free_port(), python=python()),
    ):
        pass
    assert "secret-word" not in str(caught.value)


def test_a_broken_installation_is_told(tmp_path):
    folder = tmp_path / "label-studio"
    folder.mkdir()
    (folder / ".complete").write_text(installation.LABEL_STUDIO)
    with pytest.raises(InputError, match="broken; delete this folder"):
        installation.install(folder, lambda _: None)


def test_an_installation_without_network_is_told_and_tried_again_next_time(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    told = []
    for _ in range(2):
        with pytest.raises(InputError, match="could not be installed"):
            installation.install(tmp_path / "label-studio", told.append)
    assert sum("about 1 GB" in line for line in told) == 2


def test_ctrl_c_stops_the_command_and_the_server(tmp_path):
    project = small_project(tmp_path / "p", dialogues=2)
    migrated(project)
    port = free_port()
    code = (
        "import sys; from annotation import server; from pathlib import Path\n"
        "from schemas.project import Project\n"
        "server.install = lambda folder, tell: Path(sys.argv[3])\n"
        "server.serve(Project(sys.argv[1]), host='127.0.0.1', port=int(sys.argv[2]), database_url=None,\n"
        "             tell=lambda line: print(line, flush=True))\n"
    )
    # As a shell starts what is to run in the background: with Ctrl-C ignored.
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", code]
    command += [str(project.root), str(port), str(python())]
    for stop in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
            for line in one.stdout:
                if "Label Studio runs at" in line:
                    break
            os.kill(one.pid, stop)
            rest, errors = one.communicate(timeout=60)
        assert (one.returncode, errors) == (0, "")
        assert "the server is stopped" in rest
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
            except httpx.HTTPError:
                break
        else:
            pytest.fail("the server still answers")


def test_a_backup_of_a_running_server_can_be_restored_elsewhere(served, tmp_path):
    file = tmp_path / "copy.tar"
    back_up(served.project, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="stands there already"):
        back_up(served.project, file)
    with pytest.raises(InputError, match="stop it first"):
        restore(served.project, file)
    other = small_project(tmp_path / "q", dialogues=2)
    with pytest.raises(InputError, match="move private/ away first"):
        restore(other, file)
    other.path(roster.ROSTER).unlink()
    restore(other, file)
    assert other.path(server.CREDENTIALS).read_text() == served.project.path(server.CREDENTIALS).read_text()
    with sqlite3.connect(other.path(server.DATABASE)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    with serving(other) as again:
        assert again.client.who()["email"] == served.client.who()["email"]
        assert [one["title"] for one in again.client.projects()] == [
            one["title"] for one in served.client.projects()
        ]


def test_a_backup_inside_private_holds_neither_itself_nor_earlier_ones(project):
    private = project.path("private")
    for name in ("first.tar", "second"):
        back_up(project, private / name)
        with tarfile.open(private / name) as tar:
            assert tar.getnames() == [roster.ROSTER]


@pytest.mark.parametrize("content", [b"no tar", b""])
def test_what_is_no_backup_is_refused(project, tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=r"x: this is not a backup: .*\Z"):
        restore(project, tmp_path / "x")
    with pytest.raises(InputError, match="z: this file cannot be read: No such file"):
        restore(project, tmp_path / "z")
    with pytest.raises(InputError, match="nothing to back up"):
        back_up(Project.create(tmp_path / "empty"), tmp_path / "y")


def test_six_people_on_another_address_lose_nothing(tmp_path):
    """Opened with --host on 127.0.0.2, six sessions submit at once; no answer is 403 and none is lost."""
    from tests.annotation.served import submit

    project = small_project(tmp_path / "p", dialogues=2)
    with serving(project, host="127.0.0.2") as served:
        config = (
            '<View><Text name="utterance" value="$text"/>'
            '<Choices name="c" toName="utterance"><Choice value="x"/></Choices></View>'
        )
        client, rounds = served.client, 12
        number = client.create_project("together", config)
        tasks = client.import_tasks(number, [{"data": {"text": str(n)}} for n in range(6 * rounds)])
        people = [f"p{n}@raters.invalid" for n in range(6)]
        accounts = roster.Accounts(servers={OWN: {}})
        for login in people:
            user = client.sign_up(login, "a-long-password", USER_HOTKEYS)
            accounts.on(OWN)[login] = roster.Account(login, "a-long-password", user)
        roster.write_accounts(project, accounts)

        def work(place: int) -> None:
            with served.log_in(people[place]) as web:
                for task in tasks[place::6]:
                    draft = {"result": [], "lead_time": 1.0}
                    made = web.post(f"/api/tasks/{task}/drafts", params={"project": number}, json=draft)
                    assert made.status_code == 201, made.text
                    submit(web, number, task, {"c": "x"})

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        exported = client.export(number)
        who = [one["completed_by"] for task in exported for one in task["annotations"]]
        assert len(who) == 6 * rounds
        assert all(len(task["annotations"]) == 1 for task in exported)
        assert {who.count(one) for one in set(who)} == {rounds}
