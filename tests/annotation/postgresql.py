"""A real PostgreSQL for tests, from Debian's package ``postgresql``, migrated once and copied."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from annotation import server_settings
from tests.annotation.label_studio import made_once, running
from tests.annotation.served import free_port
from tests.availability import unavailable

WHAT = "Label Studio with PostgreSQL"
LOGIN, PASSWORD, NAME = "lead", "p@ss:w/rd", "labels"
ACCOUNT = "postgres"
"""Account of Debian's package: who runs the server where the tests are root's, which PostgreSQL refuses."""


@dataclass(frozen=True)
class Database:
    """A database of a running server."""

    programs: Path
    port: int

    def url(self, password: str | None = PASSWORD) -> str:
        """Return its address as ``--database-url`` takes it."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{LOGIN}{secret}@127.0.0.1:{self.port}/{NAME}"

    def password_file(self, path: Path) -> Path:
        """Write a file as ``~/.pgpass`` is one."""
        secret = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        path.write_text(f"127.0.0.1:{self.port}:{NAME}:{LOGIN}:{secret}\n", "utf-8")
        path.chmod(0o600)
        return path

    def ask(self, query: str) -> str:
        """Ask the database itself."""
        return self._run("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", query, NAME)

    def create(self) -> None:
        self._run("createdb", NAME)

    def is_ready(self) -> bool:
        return (
            subprocess.run([self.programs / "pg_isready", *self._place], capture_output=True).returncode == 0
        )

    @property
    def _place(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self.port), "--username", LOGIN]

    def _run(self, program: str, *arguments: str) -> str:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        command = [self.programs / program, *self._place, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def programs() -> Path:
    """Return the folder of PostgreSQL's programs; Debian puts most of them on no path."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve())
    if not found:
        unavailable(WHAT, "there is no PostgreSQL on this machine")
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0)).parent


def _unprivileged() -> dict[str, Any]:
    """Return how a process is started that may not be root's."""
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}


def _give(folder: Path) -> None:
    """Give a folder to whoever runs the server."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, ACCOUNT, ACCOUNT)


def _initialise(cluster: Path) -> None:
    secret = cluster.with_name("password")
    secret.write_text(PASSWORD, "utf-8")
    _give(secret.parent)
    command = [programs() / "initdb", "--pgdata", cluster, "--username", LOGIN, "--pwfile", secret]
    command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    subprocess.run(command, cwd=cluster.parent, capture_output=True, check=True, **_unprivileged())


@contextmanager
def _serving(cluster: Path) -> Iterator[Database]:
    """Run a server on a cluster; in the end it is stopped, and its files are complete."""
    found = Database(programs(), free_port())
    command = [found.programs / "postgres", "-D", cluster, "-p", str(found.port), "-h", "127.0.0.1"]
    command += ["-k", "", "-c", "fsync=off"]
    log = cluster.with_name("log")
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=cluster.parent, stdout=out, stderr=out, **_unprivileged())
    try:
        deadline = time.monotonic() + 60
        while not found.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-800:]}")
            time.sleep(0.1)
        yield found
    finally:
        process.send_signal(signal.SIGINT)  # as TERM, but does not wait for connections to end
        process.wait(60)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder that whoever runs the server can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="affect-corpus-") as name:
        _give(Path(name))
        yield Path(name)


def _template() -> Path:
    """Return a cluster whose database Label Studio has migrated."""
    version = programs().parts[-2]

    def migrate(folder: Path) -> None:
        with _scratch() as scratch:
            _initialise(scratch / "cluster")
            with _serving(scratch / "cluster") as database:
                database.create()
                with running(folder, folder, **server_settings.database(database.url())):
                    pass
            shutil.copytree(scratch / "cluster", folder / "cluster")

    return made_once(f"migrated-postgresql-{version}", migrate) / "cluster"


@contextmanager
def postgresql() -> Iterator[Database]:
    """Run PostgreSQL with a migrated database in which nobody has worked."""
    with _scratch() as scratch:
        try:
            shutil.copytree(_template(), scratch / "cluster")
            _give(scratch)
        except (OSError, LookupError, RuntimeError, subprocess.SubprocessError) as error:
            unavailable(WHAT, error)
        with _serving(scratch / "cluster") as database:
            yield database
