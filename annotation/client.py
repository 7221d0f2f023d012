"""Talking to a Label Studio server over its REST interface; every failure has a type and a remedy.

Label Studio's own SDK is not used: it pins an OpenCV that excludes the tested NumPy, repeats requests that
write, and parses every task twice.

Reading is repeated when it fails in a way that may pass. Writing is not: a request that was cut may have been
carried out, so whoever writes looks at what stands there before writing again (`annotation.pushing`).
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from annotation.server import read_credentials
from schemas.errors import InputError, Issue
from schemas.project import Project

OWN = "own"
"""Name of the project's own server, whatever its address is today."""

PAGE = 1000
"""Tasks listed, exported or imported by one request."""

TIMEOUT = 120.0
"""Seconds that a request may take; an export of a thousand dialogues takes a few."""

_TRIES = 5
_FIRST_PAUSE = 0.5
_CONTINUES = "run this again, it continues where it stopped"
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")

Json = dict[str, Any]


class ServerFault(InputError):  # noqa: N818 - a fault of the outside, as InputError is one of the input
    """A request that failed; what to do stands in the message."""


class ServerDown(ServerFault):
    """Nobody answers at the address."""


class ConnectionCut(ServerFault):
    """The connection broke, or the answer is incomplete; a request to write may have been carried out."""


class TimedOut(ServerFault):
    """No answer came in time; a request to write may have been carried out."""


class ServerFailed(ServerFault):
    """The server answered with 5xx; a request to write may have been carried out in part."""


class Unauthorised(ServerFault):
    """The server does not accept the key (401, 403)."""


class NotFound(ServerFault):
    """The server has no such thing, or is no Label Studio (404, or an HTML page for an answer)."""


class Refused(ServerFault):
    """The server does not accept what was sent (400 and its like)."""


PASSING = (ConnectionCut, TimedOut, ServerFailed, ServerDown)
"""Failures that may pass by themselves."""


class Client:
    """A labeling server, as the annotation lead.

    ``date`` is the time of the server's last answer by its own clock, to the second.

    Args:
        url: Its address.
        key: The lead's access token.
        timeout: Seconds that a request may take.
        name: By what rounds and accounts know the server; None for its address.
    """

    def __init__(self, url: str, key: str, timeout: float = TIMEOUT, name: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self.date = datetime.now(UTC)
        self._timeout = timeout
        self._web = httpx.Client(base_url=self.url, auth=_Key(self.url, key), timeout=timeout)

    @classmethod
    def of(cls, project: Project) -> Client:
        """Return a client of the server that a project works with.

        That is the one that ``LABEL_STUDIO_URL`` and ``LABEL_STUDIO_API_KEY`` name, else the project's own.

        Raises:
            InputError: Only one of the two is set, or there is no server yet.
        """
        url, key = os.environ.get("LABEL_STUDIO_URL"), os.environ.get("LABEL_STUDIO_API_KEY")
        if bool(url) != bool(key):
            lacking = "LABEL_STUDIO_API_KEY" if url else "LABEL_STUDIO_URL"
            raise InputError(f"of LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, {lacking} is not set")
        if url and key:
            return cls(url, key)
        credentials = read_credentials(project)
        return cls(credentials.url, credentials.token, name=OWN)

    # -- failures ---------------------------------------------------------------------------------------

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn failures of requests into typed ones."""
        try:
            yield
        except httpx.ConnectError:
            message = "nobody answers here; start the server with 'annotation serve', then run this again"
            raise self._because(ServerDown, message) from None
        except httpx.TimeoutException:
            message = f"no answer within {self._timeout:g} s; is the server overloaded? {_CONTINUES}"
            raise self._because(TimedOut, message) from None
        except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
            message = f"the connection was cut ({type(error).__name__}); {_CONTINUES}"
            raise self._because(ConnectionCut, message) from None

    def _because(self, kind: type[ServerFault], message: str) -> ServerFault:
        return kind(Issue(message, self.url))

    def _fault(self, status: int, body: str) -> ServerFault:
        said = f"{status}{_said(body)}"
        if status in (401, 403):
            message = (
                f"the server does not accept the key ({said}); is it the access token of this very server?"
            )
            return self._because(Unauthorised, message)
        if status >= 500:
            message = f"the server failed ({said}); its log says more; {_CONTINUES}"
            return self._because(ServerFailed, message)
        if status == 404 or _is_page(body):
            message = (
                f"there is no such thing here ({said}): either somebody deleted it, or this address is not "
                "that of a Label Studio 1.23"
            )
            return self._because(NotFound, message)
        return self._because(Refused, f"the server refuses this ({said})")

    def _send(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401 - any JSON
        """Carry out a request once."""
        with self._faults():
            answer = self._web.request(method, path, **arguments)
            if date := answer.headers.get("Date"):
                self.date = parsedate_to_datetime(date)
            if answer.is_error or _is_page(answer.text[:200]):
                raise self._fault(answer.status_code, answer.text)
            return json.loads(answer.content) if answer.content else None

    def _read(self, path: str, **parameters: Any) -> Any:  # noqa: ANN401 - any JSON
        """Read; again, after growing pauses, when it fails in a way that may pass."""
        for attempt in range(_TRIES):
            try:
                return self._send("GET", path, params=parameters)
            except PASSING as fault:
                # A server that is down stays down: one more look is enough.
                if attempt == _TRIES - 1 or (isinstance(fault, ServerDown) and attempt):
                    raise
            pause(attempt)
        raise AssertionError("unreachable")

    # -- the lead, accounts -----------------------------------------------------------------------------

    def who(self) -> Json:
        """Return the account that this client works as."""
        found: Json = self._read("/api/current-user/whoami")
        return found

    def users(self) -> list[Json]:
        """Return all accounts of the server."""
        found: list[Json] = self._read("/api/users/")
        return found

    def sign_up(self, login: str, password: str, hotkeys: Mapping[str, Any]) -> int:
        """Make an account through an invitation, as a person would, with a map of hotkeys.

        Returns:
            The server's number of the account.

        Raises:
            Refused: The server did not make the account; its form says why.
        """
        path = str(self._read("/api/invite")["invite_url"])
        return self._enter(path[path.index("/user/") :], login, password, hotkeys)

    def finish_account(self, login: str, password: str, hotkeys: Mapping[str, Any]) -> int:
        """Give an account that an earlier attempt made its map of hotkeys, and return its number.

        Raises:
            Refused: The account has another password.
        """
        return self._enter("/user/login/", login, password, hotkeys)

    def _enter(self, path: str, login: str, password: str, hotkeys: Mapping[str, Any]) -> int:
        with self._faults(), httpx.Client(base_url=self.url, timeout=self._timeout) as web:
            fields = {
                "csrfmiddlewaretoken": _csrf(web.get(path).text),
                "email": login,
                "password": password,
                "allow_newsletters": "false",
            }
            answer = web.post(path, data=fields, headers={"Referer": self.url})
            if answer.status_code != 302:
                why = "; ".join(re.findall(r'class="field_errors"[^>]*>\s*([^<]+?)\s*<', answer.text))
                message = (
                    f"the account {login} cannot be entered: {why.strip(' ;') or 'the form is shown again'}"
                )
                raise self._because(Refused, message)
            headers = {"X-CSRFToken": web.cookies["csrftoken"], "Referer": self.url}
            keys = web.patch("/api/current-user/hotkeys/", json=dict(hotkeys), headers=headers)
            if keys.is_error:
                raise self._fault(keys.status_code, keys.text)
            return int(web.get("/api/current-user/whoami").json()["id"])

    # -- projects ---------------------------------------------------------------------------------------

    def projects(self) -> list[Json]:
        """Return all projects, with the counts of what they hold."""
        found: list[Json] = []
        while True:
            answer = self._read("/api/projects/", page=len(found) // 100 + 1, page_size=100)
            found += answer["results"]
            if not answer.get("next"):
                return found

    def project(self, number: int) -> Json:
        """Return a project with the counts of what it holds."""
        found: Json = self._read(f"/api/projects/{number}/")
        return found

    def create_project(self, title: str, config: str, **settings: Any) -> int:  # noqa: ANN401 - any JSON
        """Make a project that gives its tasks in their order, and return its number.

        Raises:
            Refused: The server does not accept the labeling page.
        """
        body = {"title": title, "label_config": config, "sampling": "Sequential sampling", **settings}
        return int(self._send("POST", "/api/projects/", json=body)["id"])

    def update_project(self, number: int, **settings: Any) -> None:  # noqa: ANN401 - any JSON
        """Change settings of a project."""
        self._send("PATCH", f"/api/projects/{number}/", json=settings)

    def show_files(self, number: int, path: str) -> None:
        """Let a project show the files of a folder of the server's machine, once."""
        known = self._read("/api/storages/localfiles", project=number)
        if all(str(one["path"]).rstrip("/") != path.rstrip("/") for one in known):
            body = {"project": number, "path": path, "use_blob_urls": True, "title": "media"}
            self._send("POST", "/api/storages/localfiles", json=body)

    # -- tasks ------------------------------------------------------------------------------------------

    def import_tasks(self, project: int, tasks: Sequence[Json]) -> list[int]:
        """Import tasks and return their numbers, in their order.

        Lone surrogates and NUL, which neither JSON nor databases hold, are replaced by U+FFFD.
        """
        made = self._send(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            content=sendable(tasks),
            headers={"Content-Type": "application/json"},
        )
        return [int(one) for one in made["task_ids"]]

    def tasks(self, project: int, since: datetime | None = None) -> list[Json]:
        """List tasks without their annotations.

        Args:
            project: The project.
            since: Only those that changed after this moment; a new, changed or deleted annotation changes its
                task.
        """
        query: Json = {"ordering": ["tasks:id"]}
        if since is not None:
            item = {
                "filter": "filter:tasks:updated_at",
                "operator": "greater",
                "type": "Datetime",
                "value": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            query["filters"] = {"conjunction": "and", "items": [item]}
        found: list[Json] = []
        while True:
            answer = self._read(
                "/api/tasks",
                project=project,
                fields="task_only",
                page=len(found) // PAGE + 1,
                page_size=PAGE,
                query=json.dumps(query),
                resolve_uri="false",
            )
            found += answer["tasks"]
            if len(found) >= answer["total"] or not answer["tasks"]:
                return found

    def drafts(self, project: int) -> int:
        """Count the tasks that have a draft, which no export of annotations holds."""
        item = {"filter": "filter:tasks:draft_exists", "operator": "equal", "type": "Boolean", "value": True}
        query = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
        answer = self._read("/api/tasks", project=project, query=query, page_size=1, resolve_uri="false")
        return int(answer["total"])

    def export(self, project: int, tasks: Iterable[int] | None = None) -> list[Json]:
        """Return tasks with their annotations, drafts and predictions.

        Args:
            project: The project.
            tasks: Numbers of tasks; None for all.
        """
        if tasks is None:
            return self._export(project, [])
        numbers = list(tasks)
        pieces = (numbers[first : first + PAGE] for first in range(0, len(numbers), PAGE))
        return [one for piece in pieces for one in self._export(project, piece)]

    def _export(self, project: int, tasks: list[int]) -> list[Json]:
        parameters = {"exportType": "JSON", "download_all_tasks": "true", "ids[]": tasks}
        found: list[Json] = self._read(f"/api/projects/{project}/export", **parameters)
        return found

    def delete_task(self, number: int) -> None:
        """Delete a task."""
        self._send("DELETE", f"/api/tasks/{number}/")


class _Key(httpx.Auth):
    """The lead's key: a legacy token as it stands, or a personal access token that buys short-lived ones."""

    requires_response_body = True

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._personal = key.count(".") == 2
        self._bought: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the key to a request; buy another short-lived one when the last has expired."""
        if not self._personal:
            request.headers["Authorization"] = f"Token {self._key}"
            yield request
            return
        if self._bought is not None:
            request.headers["Authorization"] = f"Bearer {self._bought}"
            if (yield request).status_code != 401:
                return
        answer = yield httpx.Request("POST", f"{self._url}/api/token/refresh/", json={"refresh": self._key})
        if answer.status_code == 200:
            self._bought = str(answer.json()["access"])
        request.headers["Authorization"] = f"Bearer {self._bought}"
        yield request


def pause(attempt: int) -> None:
    """Wait before the next attempt: half a second at first, twice as long each time, never two alike."""
    time.sleep(_FIRST_PAUSE * 2**attempt * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


def sendable(content: object) -> bytes:
    """Write JSON without what no JSON and no database can hold."""
    text = json.dumps(content, ensure_ascii=False)
    if "\\u0000" in text or _UNSENDABLE.search(text):
        text = json.dumps(_replaced(content), ensure_ascii=False)
    return text.encode()


def _replaced(content: object) -> object:
    if isinstance(content, str):
        return _UNSENDABLE.sub("\ufffd", content)
    if isinstance(content, Mapping):
        return {_replaced(key): _replaced(value) for key, value in content.items()}
    return [_replaced(one) for one in content] if isinstance(content, list | tuple) else content


def _is_page(body: str) -> bool:
    return body.lstrip()[:15].lower().startswith(("<!doctype", "<html"))


def _said(body: str) -> str:
    """Return what the server says of a failure, in one line; nothing of an HTML page."""
    try:
        details = json.loads(body)
    except json.JSONDecodeError:
        details = "" if _is_page(body) else body
    if isinstance(details, Mapping):
        details = details.get("validation_errors") or details.get("detail") or details
    text = details if isinstance(details, str) else json.dumps(details, ensure_ascii=False)
    line = " ".join(text.split())[:500]
    return f": {line}" if line else ""


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return found[1] if found else ""
