"""Talking to a Label Studio server through its SDK; every failure has a type and a remedy.

Reading is repeated when it fails in a way that may pass. Writing is not: a request that was cut may have been
carried out, so whoever writes looks at what stands there before writing again (`annotation.pushing`). The
SDK's own repetition, which does not tell the two apart, is off (docs/decisions/0006).
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from annotation.server import MARK, read_credentials
from annotation.server_faults import (
    PASSING,
    Refused,
    ServerDown,
    fault_of,
    is_page,
    no_label_studio,
    typed_faults,
)
from schemas.errors import InputError, Issue
from schemas.project import Project

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

OWN = "own"
"""Name of the project's own server, whatever its address is today."""

PAGE = 1000
"""Tasks listed by one request."""

EXPORTED = 400
"""Tasks exported by one request: their numbers stand in its address, which proxies take up to 8 KB of, and
a busy server answers well before the time is out."""

TIMEOUT = 120.0
"""Seconds that a request may take."""

_DENSE = 4
"""Tasks of a project are exported by all numbers from its first to its last where these are at most so many
times its tasks; where other projects' tasks lie between, they are listed first, which is slower."""

_TRIES = 5
_FIRST_PAUSE = 0.5
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")

Json = dict[str, Any]
T = TypeVar("T")


class Client:
    """A labeling server, as the annotation lead.

    ``date`` is the time of the server's last answer by its own clock, to the second.

    Args:
        url: Its address.
        key: The lead's access token.
        timeout: Seconds that a request may take.
        name: By what rounds and accounts know the server; None for its address.
        address: Where raters open it; None for ``url``.
    """

    def __init__(
        self,
        url: str,
        key: str,
        timeout: float = TIMEOUT,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self.address = address or self.url
        self.date = datetime.now(UTC)
        self._timeout = timeout
        self._key = key

    @classmethod
    def of(cls, project: Project) -> Client:
        """Return a client of the server that a project works with.

        That is the one that ``LABEL_STUDIO_URL`` and ``LABEL_STUDIO_API_KEY`` name, else the project's own.

        Raises:
            InputError: Only one of the two is set, the key cannot be one, or there is no server yet.
        """
        url, key = os.environ.get("LABEL_STUDIO_URL"), os.environ.get("LABEL_STUDIO_API_KEY")
        if bool(url) != bool(key):
            lacking = "LABEL_STUDIO_API_KEY" if url else "LABEL_STUDIO_URL"
            raise InputError(f"of LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, {lacking} is not set")
        if url and key:
            if not key.isascii():
                raise InputError("LABEL_STUDIO_API_KEY holds letters that no access token has")
            return cls(url.strip(), key.strip())
        credentials = read_credentials(project)
        return cls(credentials.url, credentials.token, name=OWN, address=credentials.address)

    @cached_property
    def sdk(self) -> LabelStudio:
        """The SDK's client, whose failures are not typed."""
        # Its import takes a second.
        from label_studio_sdk import LabelStudio

        web = httpx.Client(timeout=self._timeout, event_hooks={"response": [self._note_date]})
        return LabelStudio(
            base_url=self.url, api_key=self._key, httpx_client=web, timeout=self._timeout, max_retries=0
        )

    def _note_date(self, answer: httpx.Response) -> None:
        if date := answer.headers.get("Date"):
            self.date = parsedate_to_datetime(date)

    def _read(self, request: Callable[[], T]) -> T:
        """Read; again, after growing pauses, when it fails in a way that may pass."""
        for attempt in range(_TRIES):
            try:
                with self._faults():
                    return request()
            except PASSING as fault:
                # A server that is down stays down: one more look is enough.
                if attempt == _TRIES - 1 or (isinstance(fault, ServerDown) and attempt):
                    raise
            pause(attempt)
        raise AssertionError("unreachable")

    def _faults(self) -> AbstractContextManager[None]:
        return typed_faults(self.url, self._timeout)

    # -- the lead, accounts -----------------------------------------------------------------------------

    def who(self) -> Json:
        """Return the account that this client works as."""
        return self._read(lambda: _plain(self.sdk.users.whoami()))

    def users(self) -> list[Json]:
        """Return all accounts of the server."""
        return self._read(lambda: [_plain(one) for one in self.sdk.users.list()])

    def sign_up(self, login: str, password: str, hotkeys: Mapping[str, Any]) -> int:
        """Make an account through an invitation, as a person would, with a map of hotkeys.

        Returns:
            The server's number of the account.

        Raises:
            Refused: The server did not make the account; its form says why.
        """
        path = str(self._read(lambda: self.sdk.organizations.invites.get_invite_link()).invite_url)
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
                raise Refused(Issue(message, self.url))
            headers = {"X-CSRFToken": web.cookies["csrftoken"], "Referer": self.url}
            keys = web.patch("/api/current-user/hotkeys/", json=dict(hotkeys), headers=headers)
            if keys.is_error:
                raise fault_of(self.url, keys.status_code, keys.text)
            return int(web.get("/api/current-user/whoami").json()["id"])

    # -- projects ---------------------------------------------------------------------------------------

    def projects(self) -> list[Json]:
        """Return all projects, with the counts of what they hold."""
        return self._read(lambda: [_plain(one) for one in self.sdk.projects.list(page_size=100)])

    def project(self, number: int) -> Json:
        """Return a project with the counts of what it holds."""
        return self._read(lambda: _plain(self.sdk.projects.get(number)))

    def create_project(self, title: str, config: str, **settings: Any) -> int:  # noqa: ANN401 - any JSON
        """Make a project that gives its tasks in their order, and return its number.

        Raises:
            Refused: The server does not accept the labeling page.
        """
        with self._faults():
            made = self.sdk.projects.create(
                title=title, label_config=config, sampling="Sequential sampling", **settings
            )
        return int(made.id)

    def show_files(self, number: int, path: str) -> None:
        """Let a project show the files of a folder of the server's machine, once."""
        folders = self.sdk.import_storage.local
        known = self._read(lambda: folders.list(project=number))
        if all(str(one.path).rstrip("/") != path.rstrip("/") for one in known):
            with self._faults():
                folders.create(project=number, path=path, use_blob_urls=True, title="media")

    # -- tasks ------------------------------------------------------------------------------------------

    def import_tasks(self, project: int, tasks: Sequence[Json]) -> list[int]:
        """Import tasks and return their numbers, in their order.

        Lone surrogates and NUL, which neither JSON nor databases hold, are replaced by U+FFFD.
        """
        with self._faults():
            made = self.sdk.projects.import_tasks(project, request=sendable(tasks), return_task_ids=True)
        return [int(one) for one in made.task_ids]

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
            answer = self._list_tasks(project, query, len(found) // PAGE + 1, PAGE)
            found += [_plain(one) for one in answer.tasks]
            if len(found) >= answer.total or not answer.tasks:
                return found

    def end(self, project: int, *, newest: bool) -> tuple[int, Json | None]:
        """Return how many tasks a project has, and its newest or oldest one."""
        query = {"ordering": ["-tasks:id" if newest else "tasks:id"]}
        answer = self._list_tasks(project, query, 1, 1)
        return int(answer.total), _plain(answer.tasks[0]) if answer.tasks else None

    def drafts(self, project: int) -> int:
        """Count the tasks that have a draft, which no export of annotations holds."""
        item = {"filter": "filter:tasks:draft_exists", "operator": "equal", "type": "Boolean", "value": True}
        query = {"filters": {"conjunction": "and", "items": [item]}}
        return int(self._list_tasks(project, query, 1, 1).total)

    def _list_tasks(self, project: int, query: Json, page: int, size: int) -> Any:  # noqa: ANN401 - untyped
        request = partial(
            self.sdk.tasks.list,
            project=project,
            query=json.dumps(query),
            fields="task_only",
            page=page,
            page_size=size,
            resolve_uri=False,
        )
        return self._read(lambda: request().response)

    def export(self, project: int, tasks: Sequence[int] | None = None) -> list[Json]:
        """Return tasks with their annotations and predictions, as `pages` yields them."""
        return [one for page in self.pages(project, tasks) for one in page]

    def pages(self, project: int, tasks: Sequence[int] | None = None) -> Iterator[list[Json]]:
        """Yield tasks with their annotations and predictions, some at a time.

        The server writes an answer whole before it sends any of it: all tasks at once would outlast every
        time-out some day.

        Args:
            project: The project.
            tasks: Numbers of tasks; None for all.
        """
        numbers = self._numbers(project) if tasks is None else tasks
        for first in range(0, len(numbers), EXPORTED):
            yield self._read(partial(self._export, project, list(numbers[first : first + EXPORTED])))

    def _numbers(self, project: int) -> Sequence[int]:
        """Return numbers among which all tasks of a project are."""
        total, newest = self.end(project, newest=True)
        oldest = self.end(project, newest=False)[1]
        if newest is None or oldest is None:
            return ()
        span = range(int(oldest["id"]), int(newest["id"]) + 1)
        return span if len(span) <= _DENSE * total else [int(one["id"]) for one in self.tasks(project)]

    def _export(self, project: int, tasks: list[int]) -> list[Json]:
        # The SDK has other names for these two than the server, which would export everything.
        names = {"additional_query_parameters": {"exportType": "JSON", "ids[]": tasks, MARK: MARK}}
        pieces = self.sdk.projects.exports.download_sync(
            project, download_all_tasks=True, request_options=names
        )
        text = b"".join(pieces)
        if is_page(text[:200].decode(errors="replace")):
            raise no_label_studio(self.url)
        found: list[Json] = json.loads(text)
        return found

    def update_task(self, number: int, data: Json) -> None:
        """Put other data into a task; its annotations stay."""
        with self._faults():
            self.sdk.tasks.update(str(number), data=sendable(data))

    def delete_task(self, number: int) -> None:
        """Delete a task."""
        with self._faults():
            self.sdk.tasks.delete(str(number))


def pause(attempt: int) -> None:
    """Wait before the next attempt: half a second at first, twice as long each time, never two alike."""
    time.sleep(_FIRST_PAUSE * 2**attempt * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


def sendable(content: T) -> T:
    """Return the content without what no JSON and no database can hold."""
    text = json.dumps(content, ensure_ascii=False)
    if "\\u0000" in text or _UNSENDABLE.search(text):
        content = _replaced(content)
    return content


def _replaced(content: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(content, str):
        return _UNSENDABLE.sub("\ufffd", content)
    if isinstance(content, Mapping):
        return {_replaced(key): _replaced(value) for key, value in content.items()}
    return [_replaced(one) for one in content] if isinstance(content, list | tuple) else content


def _plain(model: Any) -> Json:  # noqa: ANN401 - any model of the SDK
    """Return what the SDK made of an answer as JSON again."""
    found: Json = model.model_dump(mode="json")
    return found


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return found[1] if found else ""
