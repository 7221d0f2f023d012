"""Who the raters are, and under which pseudonym everybody else knows them.

The lead writes ``private/raters.private.yaml``. A rater's key there is their identity: it never changes, so
a rater may be renamed, and it never leaves ``private/``. Pseudonyms, accounts and passwords are kept in
``private/accounts.private.json``; both files are readable by their owner only. All other files, the labeling
server included, know pseudonyms alone, unless the lead gives a rater a login of their own.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas import project as folder
from schemas import records
from schemas.errors import InputError, Issue
from schemas.located_yaml import KeyPath, load_located
from schemas.project import Project
from schemas.tables import concat, from_rows, read_table, write_table

ROSTER = "private/raters.private.yaml"
ACCOUNTS = "private/accounts.private.json"
INVITATIONS = "private/invitations.private.txt"
ORIGIN = "label-studio"
"""Name of the rating table that is pulled, and source of its raters."""

_INVITATIONS_HEAD = "Private: cut apart, hand over one by one, then delete this file.\n"
_KEYS = ("name", "login", "language", "role", "attributes")
_LANGUAGES = ("en", "zh")
_TEMPLATE = """\
# Who rates. This file is private: readable by you alone, ignored by git, never published.
# KEY:                     yours, short; it is the rater's identity and never changes
#   name: Anna Example     for you; it never leaves this file
#   language: en           wording of the pages: en or zh
#   role: rater            rater (default) or adjudicator
#   login: a@example.org   only if the rater is to see their own address; else a pseudonymous one is made
#   attributes: {age: 30s} published with the ratings under the pseudonym; leave out what identifies
raters:
  anna: {name: Anna Example, language: en}
"""


class Role(StrEnum):
    """What somebody of the roster does."""

    RATER = "rater"
    ADJUDICATOR = "adjudicator"


@dataclass(frozen=True)
class Person:
    """Somebody of the roster.

    Attributes:
        key: Their identity, as the lead calls them; private.
        name: Their name; private.
        language: Language of their pages, ``en`` or ``zh``.
        role: What they do.
        login: The address they log in with; None for a pseudonymous one.
        attributes: What is published of them.
    """

    key: str
    name: str
    language: str = "en"
    role: Role = Role.RATER
    login: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Account:
    """An account on a labeling server.

    Attributes:
        login: The address to log in with.
        password: The one-time password that was made for it.
        user: The server's number of the account; None while it is not made.
    """

    login: str
    password: str
    user: int | None = None


@dataclass
class Accounts:
    """Pseudonyms by key, and accounts by server and key.

    Attributes:
        pseudonyms: Pseudonym of everybody who ever stood in the roster.
        servers: Accounts by address of the server.
    """

    pseudonyms: dict[str, str] = field(default_factory=dict)
    servers: dict[str, dict[str, Account]] = field(default_factory=dict)

    def on(self, server: str) -> dict[str, Account]:
        """Return the accounts on a server by key; to be filled."""
        return self.servers.setdefault(server, {})

    def pseudonym_of_user(self, server: str) -> dict[int, str]:
        """Return the pseudonym of every known account of a server by its number."""
        return {
            account.user: self.pseudonyms[key]
            for key, account in self.on(server).items()
            if account.user is not None
        }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def read_private(path: Path) -> str:
    """Read a file of ``private/`` that the lead writes, and leave it readable by its owner only.

    Raises:
        InputError: It is not UTF-8 text.
    """
    path.chmod(0o600)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"this is not UTF-8 text (byte {error.start}): save this as UTF-8"
        raise InputError(Issue(message, str(path))) from None


def read_kept(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """Read a JSON file of ``private/`` that `write_private` wrote.

    Raises:
        InputError: It is damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        message = f"this file is damaged ({error}); put it back from a backup of private/"
        raise InputError(Issue(message, str(path))) from None


def read_roster(project: Project) -> list[Person]:
    """Read who the raters are.

    Raises:
        InputError: With every fault and its line. Where there is no roster, a template is put there first.
    """
    path = project.path(ROSTER)
    if not path.exists():
        write_private(path, _TEMPLATE)
        raise InputError(
            Issue("say here who the raters are (a template stands there), then run this again", str(path))
        )
    return parse_roster(read_private(path), str(path))


def parse_roster(text: str, where: str) -> list[Person]:
    """Read the text of a roster.

    Raises:
        InputError: With every fault and its line.
    """
    data, lines = load_located(text, where)
    raters = data.get("raters") if isinstance(data, dict) else None
    if not isinstance(raters, dict) or not raters:
        raise InputError(Issue("a mapping of raters by key is expected under 'raters'", where, 1))
    issues = [
        Issue("unknown key", where, lines[(key,)], value=key, choices=["raters"])
        for key in data
        if key != "raters"
    ]
    people = []
    for key, about in raters.items():
        faults = list(_faults(key, about, lines, where))
        issues += faults
        if not faults:
            people.append(_person(key, about or {}))
    logins = [one.login.casefold() for one in people if one.login]
    issues += [
        Issue("two raters cannot share a login", where, lines[("raters", one.key)], None, "login", one.login)
        for one in people
        if one.login and logins.count(one.login.casefold()) > 1
    ]
    if issues:
        raise InputError(issues)
    return people


def _faults(key: str, about: object, lines: Mapping[KeyPath, int], where: str) -> Iterator[Issue]:
    line = lines[("raters", key)]
    if not key.strip():
        yield Issue("a rater needs a key", where, line)
    if not isinstance(about, dict | None):
        yield Issue("what is known of a rater is a mapping", where, line, None, key, about, _KEYS)
        return
    for name, value in (about or {}).items():
        line = lines[("raters", key, name)]
        if name not in _KEYS:
            yield Issue("unknown key of a rater", where, line, value=name, choices=_KEYS)
        elif name == "attributes":
            if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
                yield Issue("a mapping of texts is expected here", where, line, None, name, value)
        elif not isinstance(value, str):
            yield Issue("a text is expected here", where, line, None, name, value)
        elif name == "language" and value not in _LANGUAGES:
            yield Issue("no page is written in this language", where, line, None, name, value, _LANGUAGES)
        elif name == "role" and value not in list(Role):
            yield Issue("unknown role", where, line, None, name, value, list(Role))
        elif name == "login" and ("@" not in value or any(letter.isspace() for letter in value)):
            yield Issue("a login has the form of an e-mail address", where, line, None, name, value)


def _person(key: str, about: Mapping[str, Any]) -> Person:
    return Person(
        key,
        about.get("name", key),
        about.get("language", "en"),
        Role(about.get("role", Role.RATER)),
        about.get("login"),
        dict(about.get("attributes", {})),
    )


def read_accounts(project: Project) -> Accounts:
    """Read pseudonyms and accounts; there are none before the first ``annotation setup``."""
    path = project.path(ACCOUNTS)
    if not path.exists():
        return Accounts()
    known = read_kept(path)
    return Accounts(
        known["pseudonyms"],
        {
            server: {key: Account(**account) for key, account in accounts.items()}
            for server, accounts in known["servers"].items()
        },
    )


def write_accounts(project: Project, accounts: Accounts) -> None:
    """Write pseudonyms and accounts, for their owner's eyes only."""
    text = json.dumps(asdict(accounts), indent=1, sort_keys=True, ensure_ascii=False)
    write_private(project.path(ACCOUNTS), text + "\n")


def enrol(people: Sequence[Person], accounts: Accounts, server: str) -> list[Person]:
    """Give everybody a pseudonym and, on this server, a login and a one-time password.

    Numbers are dealt at random among newcomers, so that a pseudonym does not tell the order of the roster.
    Those who have a pseudonym or an account keep it.

    Returns:
        Those who are new on this server.
    """
    newcomers = [one for one in people if one.key not in accounts.pseudonyms]
    secrets.SystemRandom().shuffle(newcomers)
    for one in newcomers:
        accounts.pseudonyms[one.key] = f"{ORIGIN}:r{len(accounts.pseudonyms) + 1}"
    here = accounts.on(server)
    new = [one for one in people if one.key not in here]
    for one in new:
        number = accounts.pseudonyms[one.key].rpartition(":")[2]
        # Other projects on the same server have raters of the same numbers.
        login = one.login or f"{number}.{secrets.token_hex(3)}@raters.invalid"
        here[one.key] = Account(login, secrets.token_urlsafe(12))
    return new


def invite(project: Project, people: Sequence[Person], accounts: Accounts, server: str, url: str) -> None:
    """Add what newcomers need for the first login at ``url`` to the file of invitations.

    What stands there stays until the lead has handed it over and deletes it. Nobody is added twice, so it can
    be called before accounts are made, and again after a failure.
    """
    path, here = project.path(INVITATIONS), accounts.on(server)
    text = read_private(path) if path.exists() else _INVITATIONS_HEAD
    for one in people:
        account = here[one.key]
        lines = f"  login:    {account.login}\n  password: {account.password}\n"
        if lines not in text:
            text += f"\n{one.name}\n  address:  {url}\n{lines}"
    write_private(path, text)


def publish_raters(project: Project, people: Sequence[Person], accounts: Accounts, command: str) -> None:
    """Bring the raters' published attributes into ``raters.parquet``, under their pseudonyms.

    Those who are there and not among these people stay: their ratings do. Nothing is written when nothing
    changes.

    Args:
        project: The project.
        people: People who have pseudonyms.
        accounts: Their pseudonyms.
        command: Who writes, for another command that would write, too.
    """
    old = records.RATERS.empty_table()
    if project.has(folder.RATERS):
        old = read_table(project.path(folder.RATERS))
    rows = [
        {
            "rater": accounts.pseudonyms[one.key],
            "source": ORIGIN,
            "attributes": sorted({**one.attributes, "role": one.role.value}.items()),
        }
        for one in people
    ]
    new = from_rows(sorted(rows, key=lambda row: _number(str(row["rater"]))), records.RATERS)
    kept = old.filter(
        pc.invert(pc.is_in(old.column("rater"), value_set=new.column("rater").combine_chunks()))
    )
    here = pc.equal(kept.column("source"), ORIGIN)
    mine = concat([kept.filter(here), new], records.RATERS)
    mine = mine.take(
        pa.array(sorted(range(mine.num_rows), key=lambda row: _number(mine["rater"][row].as_py())))
    )
    rows_now = concat([kept.filter(pc.invert(here)), mine], records.RATERS)
    if project.has(folder.RATERS) and rows_now.to_pylist() == old.to_pylist():
        return
    with project.writing(command) as staging:
        write_table(staging / folder.RATERS, rows_now, records.RATERS)


def short(pseudonym: str) -> str:
    """Return a pseudonym without the source, which is the same of all who rate on the server."""
    return pseudonym.removeprefix(f"{ORIGIN}:")


def _number(pseudonym: str) -> int:
    return int(pseudonym.rpartition(":r")[2])
