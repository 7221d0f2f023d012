"""A Label Studio server of the project's own: installed beside the toolkit, its data in ``private/``.

The server lives in a virtual environment under the user's cache folder, because it needs other versions of
the toolkit's libraries. Its database is SQLite in ``private/server/``, or an existing PostgreSQL. It is quiet
and offline, serves the project's ``media/`` and ``clips/`` and nothing else, and listens on 127.0.0.1 unless
told otherwise. Backups are in `annotation.backup`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from annotation.installation import LABEL_STUDIO, Tell, install, installation
from annotation.roster import read_kept, write_private
from annotation.server_settings import advice, bracketed, database, environment, reachable, shown
from schemas.errors import InputError, Issue
from schemas.project import Project

FOLDER = "private/server"
CREDENTIALS = f"{FOLDER}/credentials.private.json"
DATABASE = f"{FOLDER}/data/label_studio.sqlite3"
LOG = f"{FOLDER}/server.log"
LOCK = f"{FOLDER}/.lock"
MEDIA = ("media", "clips")
"""Folders of the project that the server may show to raters."""

MARK = "affect-corpus"
"""Parameter of the toolkit's own exports; Label Studio ignores it and notes it beside its copy."""

_EXPORTS = f"{FOLDER}/data/export"
_VERSION = f"{FOLDER}/version"
_FIRST_START = 900.0  # seconds; the migrations of a new database take half a minute on a good machine
_STOP = 15.0
# Label Studio begins transactions by reading. SQLite then fails at once when somebody else writes before the
# transaction does; begun as writers, transactions queue, so raters who submit together lose nothing.
_LAUNCH = """\
import signal
import sys
from label_studio import server
# Whoever starts commands in the background may have them ignore Ctrl-C, by which this one is stopped.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, server.LS_PATH)
from core.settings import base
base.DATABASES_ALL["sqlite"]["OPTIONS"].update(
    timeout=120, transaction_mode="IMMEDIATE", init_command="PRAGMA journal_mode=WAL"
)
server.main()
"""


@dataclass(frozen=True)
class Credentials:
    """How the toolkit logs in to a server.

    Attributes:
        url: Address of the server, without a slash at the end.
        login: The lead's login.
        password: The lead's password.
        token: The lead's key for programs.
        address: Where raters open it, who may sit at other machines.
    """

    url: str
    login: str
    password: str
    token: str
    address: str = ""


@dataclass
class Server:
    """A server that runs.

    Attributes:
        url: Its address.
        address: Where raters open it, who may sit at other machines.
        process: The process.
        notices: What the lead should know.
    """

    url: str
    address: str
    process: subprocess.Popen[bytes]
    notices: tuple[str, ...] = ()


def read_credentials(project: Project) -> Credentials:
    """Return how to log in to the project's own server.

    Raises:
        InputError: The project has none.
    """
    path = project.path(CREDENTIALS)
    if not path.exists():
        raise InputError(
            Issue(
                "this project has no labeling server yet; start one with 'annotation serve', or name an "
                "existing one by the environment variables LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
                str(project.root),
            )
        )
    return Credentials(**read_kept(path))


@contextmanager
def running(
    project: Project,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    database_url: str | None = None,
    python: Path | None = None,
    tell: Tell = lambda _: None,
) -> Iterator[Server]:
    """Run the project's server while the block runs.

    Args:
        project: The project.
        host: Address to listen on; 0.0.0.0 for all of this machine.
        port: Port to listen on.
        database_url: ``postgresql://USER:PASSWORD@HOST:PORT/NAME`` of an existing, empty or earlier used
            database; None for SQLite in ``private/``.
        python: The Python of an environment with Label Studio; None installs it where it is lacking.
        tell: Gets a line for each step.

    Raises:
        InputError: The port is busy, the server runs already, the data are of another version of Label
            Studio, the database or the installation does not work.
    """
    settings = {**environment(project.path(FOLDER).resolve(), host, port), **database(database_url)}
    project.path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(project.path(LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            Issue(
                f"this project's server runs already, at {read_credentials(project).url}", str(project.root)
            )
        ) from None
    try:
        _refuse_busy(host, port)
        notices = [*_check_version(project, database_url), *advice(host, database_url)]
        python = python or install(installation(), tell)
        url = f"http://{bracketed(reachable(host))}:{port}"
        address = f"http://{bracketed(shown(host))}:{port}"
        credentials = _credentials(project, url, address)
        settings |= {
            "LABEL_STUDIO_USERNAME": credentials.login,
            "LABEL_STUDIO_PASSWORD": credentials.password,
            "LABEL_STUDIO_USER_TOKEN": credentials.token,
        }
        _prepare(project)
        tell(f"starting Label Studio {LABEL_STUDIO} at {url}")
        process = _start(project, python, host, port, settings)
        try:
            _await_health(project, process, url)
            write_private(project.path(_VERSION), LABEL_STUDIO)
            yield Server(url, address, process, tuple(notices))
        finally:
            _stop(process)
    finally:
        lock.release()


def serve(project: Project, *, host: str, port: int, database_url: str | None, tell: Tell) -> None:
    """Run the project's server until Ctrl-C (or SIGTERM); arguments and faults as in `running`."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # Started in the background of a script, a command ignores Ctrl-C unless it says what to do.
    before = [(one, signal.signal(one, interrupt)) for one in (signal.SIGTERM, signal.SIGINT)]
    try:
        with running(project, host=host, port=port, database_url=database_url, tell=tell) as server:
            for notice in server.notices:
                tell(f"note: {notice}")
            tell(
                f"Label Studio runs at {server.address}; login and password stand in {CREDENTIALS}; "
                "Ctrl-C stops it"
            )
            status = server.process.wait()
            raise InputError(
                Issue(f"the server ended by itself (status {status}){_last_words(project)}", LOG)
            )
    except KeyboardInterrupt:
        tell("the server is stopped")
    finally:
        for one, handler in before:
            signal.signal(one, handler)


def _refuse_busy(host: str, port: int) -> None:
    """Refuse a port that somebody listens on; Label Studio would quietly take another one."""
    try:
        socket.getaddrinfo(host, port)
    except (socket.gaierror, UnicodeError):
        raise InputError(Issue("this machine has no such address", "--host", value=host)) from None
    for name in dict.fromkeys((reachable(host), "127.0.0.1")):
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            if probe.connect_ex((name, port)) == 0:
                raise InputError(
                    Issue("another program listens on this port; stop it, or take another one with --port",
                          name, column="--port", value=port)
                )  # fmt: skip
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"the server cannot listen here: {error.strerror or error}"
            raise InputError(Issue(message, "--host", value=f"{host}:{port}")) from None


def _check_version(project: Project, database_url: str | None) -> list[str]:
    """Refuse data of a newer Label Studio, or of unknown origin; say that older ones will be changed.

    Raises:
        InputError: The data cannot be used.
    """
    version = project.path(_VERSION)
    if not version.exists():
        if (
            database_url is None
            and project.path(DATABASE).exists()
            and not project.path(CREDENTIALS).exists()
        ):
            raise InputError(
                Issue(
                    "these Label Studio data were not made by 'annotation serve'; move them away, or serve "
                    "them yourself and name that server by LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
                    str(project.path(DATABASE)),
                )
            )
        return []
    found = version.read_text("utf-8").strip()
    if _parts(found) > _parts(LABEL_STUDIO):
        raise InputError(
            Issue(f"these data are of Label Studio {found}; this toolkit runs {LABEL_STUDIO}, which cannot "
                  "read them: update affect-corpus, or restore a backup of before", str(project.path(FOLDER)))
        )  # fmt: skip
    if _parts(found) < _parts(LABEL_STUDIO):
        from annotation.backup import back_up

        copy = project.path(f"private/before-{LABEL_STUDIO}.backup.tar")
        if database_url is None and not copy.exists():
            back_up(project, copy)
        return [
            f"data of Label Studio {found} are brought to {LABEL_STUDIO}; a backup of before is {copy.name}"
        ]
    return []


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _credentials(project: Project, url: str, address: str) -> Credentials:
    """Return the lead's credentials at these addresses, made at the first start."""
    try:
        known = asdict(read_credentials(project))
    except InputError:
        known = {
            "login": "lead@affect-corpus.invalid",
            "password": secrets.token_urlsafe(18),
            "token": secrets.token_hex(20),
        }
    found = Credentials(**{**known, "url": url, "address": address})
    write_private(project.path(CREDENTIALS), json.dumps(asdict(found), indent=1) + "\n")
    return found


def _prepare(project: Project) -> None:
    """Make what the server reads: a root that shows the project's media alone."""
    folder = project.path(FOLDER)
    for name in ("data", "shown"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for name in MEDIA:
        project.path(name).mkdir(exist_ok=True)
        link = folder / "shown" / name
        if not link.is_symlink():
            link.symlink_to(project.path(name).resolve(), target_is_directory=True)


def clear_exports(project: Project) -> None:
    """Delete the copies that Label Studio keeps of what the toolkit exported; those of people's stay."""
    for about in project.path(_EXPORTS).glob("*-info.json"):
        with suppress(FileNotFoundError, json.JSONDecodeError):  # of an export that is just being written
            if MARK in json.loads(about.read_text("utf-8"))["download"]["GET"]:
                about.with_name(f"{about.name.removesuffix('-info.json')}.json").unlink()
                about.unlink()


def _start(
    project: Project, python: Path, host: str, port: int, settings: dict[str, str]
) -> subprocess.Popen[bytes]:
    arguments: Sequence[str | Path] = (
        *(python, "-c", _LAUNCH, "start", "--no-browser"),
        *("--internal-host", host, "--port", str(port), "--log-level", "ERROR"),
    )
    log = os.open(project.path(LOG), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the server in order.
        return subprocess.Popen(  # noqa: S603 - a fixed command
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings,
            cwd=project.path(FOLDER), start_new_session=True, umask=0o077,
        )  # fmt: skip
    finally:
        os.close(log)


def _await_health(project: Project, process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _FIRST_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise InputError(
                Issue(f"the server did not start (status {process.returncode}){_last_words(project)}", LOG)
            )
        with (
            suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{url}/health", timeout=5) as one,  # noqa: S310 - always http
        ):
            if one.status == 200:
                return
        time.sleep(0.3)
    raise InputError(
        Issue(f"the server did not answer within {_FIRST_START:.0f} s{_last_words(project)}", LOG)
    )


def _last_words(project: Project) -> str:
    lines = project.path(LOG).read_text("utf-8", "replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server as Ctrl-C would; kill it when it does not heed."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
