"""Raters stay pseudonymous, keep their pseudonym whatever happens to their name, and files stay private."""

from __future__ import annotations

import re
import stat

import pytest

from annotation import roster
from annotation.roster import Accounts, Role, enrol, parse_roster, publish_raters
from schemas import InputError
from schemas import project as folder
from schemas.project import Project
from schemas.tables import read_table

PEOPLE = """\
raters:
  ann: {name: Ann Lee, language: en}
  bo: {name: Bo Wang, language: zh, attributes: {age: 30s}}
  judge: {name: Judy Hall, role: adjudicator, login: judy@example.org}
"""
SERVER = "http://127.0.0.1:8080"


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "p")
    roster.write_private(made.path(roster.ROSTER), PEOPLE)
    return made


def test_a_roster_is_read(project):
    ann, bo, judge = roster.read_roster(project)
    assert (ann.key, ann.name, ann.language, ann.role, ann.login) == (
        "ann",
        "Ann Lee",
        "en",
        Role.RATER,
        None,
    )
    assert (bo.language, bo.attributes) == ("zh", {"age": "30s"})
    assert (judge.role, judge.login) == (Role.ADJUDICATOR, "judy@example.org")


def test_another_encoding_is_a_fault(project):
    project.path(roster.ROSTER).write_bytes("raters:\n  wang: {name: 王小明}\n".encode("gbk"))
    with pytest.raises(InputError, match="save this as UTF-8"):
        roster.read_roster(project)


def test_every_fault_is_told_with_its_line():
    text = """\
raters:
  ann: {language: de, rolle: rater}
  bo: [1]
  cy: {role: chief, login: nobody}
  d1: {login: a@b.c, attributes: x}
  e1: {login: A@b.c}
  e2: {login: a@B.c}
other: 1
"""
    with pytest.raises(InputError) as caught:
        parse_roster(text, "raters.yaml")
    found = {(issue.line, issue.message) for issue in caught.value.issues}
    assert found == {
        (2, "no page is written in this language"),
        (2, "unknown key of a rater"),
        (3, "what is known of a rater is a mapping"),
        (4, "unknown role"),
        (4, "a login has the form of an e-mail address"),
        (5, "a mapping of texts is expected here"),
        (6, "two raters cannot share a login"),
        (7, "two raters cannot share a login"),
        (8, "unknown key"),
    }


@pytest.mark.parametrize("text", ["", "raters: {}", "raters: [a]", "- 1"])
def test_no_rater_at_all_is_a_fault(text):
    with pytest.raises(InputError, match="raters by key"):
        parse_roster(text, "raters.yaml")


def test_without_a_roster_a_template_is_put_there(tmp_path):
    project = Project.create(tmp_path / "p")
    with pytest.raises(InputError, match="say here who the raters are"):
        roster.read_roster(project)
    path = project.path(roster.ROSTER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.key for one in roster.read_roster(project)] == ["anna"]


def test_pseudonyms_are_kept_and_tell_nothing(project):
    people = roster.read_roster(project)
    accounts = Accounts()
    assert enrol(people, accounts, SERVER) == people
    assert set(accounts.pseudonyms.values()) == {"label-studio:r1", "label-studio:r2", "label-studio:r3"}
    roster.write_accounts(project, accounts)
    renamed = parse_roster(PEOPLE.replace("Ann Lee", "Ann Fox") + "  new: {name: Zed}\n", "x")
    known = roster.read_accounts(project)
    assert [one.key for one in enrol(renamed, known, SERVER)] == ["new"]
    assert {key: known.pseudonyms[key] for key in accounts.pseudonyms} == accounts.pseudonyms
    assert known.pseudonyms["new"] == "label-studio:r4"
    assert known.on(SERVER)["ann"] == accounts.on(SERVER)["ann"]


def test_pseudonyms_are_not_in_the_order_of_the_roster():
    people = parse_roster("raters:\n" + "".join(f"  k{n}: {{name: N{n}}}\n" for n in range(30)), "x")
    accounts = Accounts()
    enrol(people, accounts, SERVER)
    assert [accounts.pseudonyms[one.key] for one in people] != [f"label-studio:r{n + 1}" for n in range(30)]


def test_logins_are_pseudonymous_and_passwords_differ(project):
    people = roster.read_roster(project)
    accounts = Accounts()
    enrol(people, accounts, SERVER)
    here = accounts.on(SERVER)
    number = accounts.pseudonyms["ann"].rpartition(":")[2]
    assert re.fullmatch(rf"{number}\.[0-9a-f]{{6}}@raters\.invalid", here["ann"].login)
    assert here["judge"].login == "judy@example.org"
    assert len({one.password for one in here.values()}) == 3
    assert all(len(one.password) >= 12 for one in here.values())
    enrol(people, accounts, "http://other")
    assert accounts.on("http://other")["ann"].password != here["ann"].password


def test_private_files_are_readable_by_their_owner_alone(project):
    accounts = Accounts()
    people = roster.read_roster(project)
    enrol(people, accounts, SERVER)
    roster.write_accounts(project, accounts)
    roster.invite(project, people, accounts, SERVER, SERVER)
    for name in (roster.ROSTER, roster.ACCOUNTS, roster.INVITATIONS):
        assert stat.S_IMODE(project.path(name).stat().st_mode) == 0o600
    text = project.path(roster.INVITATIONS).read_text("utf-8")
    for key, account in accounts.on(SERVER).items():
        assert account.login in text
        assert account.password in text
        assert key == "judge" or f"{key}:" not in text


def test_a_roster_that_others_can_read_is_closed(project):
    path = project.path(roster.ROSTER)
    path.chmod(0o644)
    roster.read_roster(project)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_attributes_are_published_under_pseudonyms_only(project):
    people = roster.read_roster(project)
    accounts = Accounts()
    enrol(people, accounts, SERVER)
    publish_raters(project, people, accounts, "a test")
    table = read_table(project.path(folder.RATERS)).to_pylist()
    assert [row["rater"] for row in table] == [f"label-studio:r{n}" for n in (1, 2, 3)]
    by_name = {row["rater"]: dict(row["attributes"]) for row in table}
    assert by_name[accounts.pseudonyms["bo"]] == {"age": "30s", "role": "rater"}
    assert by_name[accounts.pseudonyms["judge"]] == {"role": "adjudicator"}
    written = project.path(folder.RATERS).read_bytes()
    for secret in (b"Ann", b"Bo Wang", b"Judy", b"judy@", b"judge"):
        assert secret not in written


def test_publishing_again_changes_nothing_and_keeps_who_left_and_other_sources(project):
    import pyarrow as pa

    from schemas.records import RATERS
    from schemas.tables import from_rows, write_table

    other = from_rows([{"rater": "meld:r1", "source": "meld", "attributes": [("age", "20s")]}], RATERS)
    write_table(project.path(folder.RATERS), other, RATERS)
    people = roster.read_roster(project)
    accounts = Accounts()
    enrol(people, accounts, SERVER)
    publish_raters(project, people, accounts, "a test")
    first = project.path(folder.RATERS).stat().st_mtime_ns
    publish_raters(project, people, accounts, "a test")
    assert project.path(folder.RATERS).stat().st_mtime_ns == first
    publish_raters(project, people[:1], accounts, "a test")
    table = read_table(project.path(folder.RATERS))
    assert isinstance(table, pa.Table)
    assert table.column("rater").to_pylist() == ["meld:r1", *(f"label-studio:r{n}" for n in (1, 2, 3))]
