"""Every failure has a type and says what to do; reading is tried again where a failure may pass."""

from __future__ import annotations

import pytest

from annotation import client as module
from annotation.client import Client, sendable
from annotation.hotkeys import USER_HOTKEYS
from annotation.server import read_credentials
from annotation.server_faults import (
    ConnectionCut,
    NoLabelStudio,
    NotFound,
    Refused,
    ServerDown,
    ServerFailed,
    TimedOut,
    Unauthorised,
    fault_of,
)
from schemas import InputError
from tests.annotation.proxy import Rule, faulty
from tests.annotation.served import free_port, serving, small_project

CONFIG = (
    '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="x"/></Choices></View>'
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(small_project(tmp_path_factory.mktemp("client") / "p", dialogues=2)) as running:
        yield running


@pytest.fixture
def proxied(served, monkeypatch):
    """A client behind a proxy that does what it is told, and the proxy."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    with faulty(served.url) as proxy:
        yield Client(proxy.url, read_credentials(served.project).token, timeout=1.0), proxy


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("503", ServerFailed, "the database is locked"),
        ("cut before", ConnectionCut, "run this again"),
        ("cut after", ConnectionCut, "run this again"),
        ("cut within", ConnectionCut, "run this again"),
        ("hang", TimedOut, "no answer within 1 s"),
    ],
)
def test_what_passes_by_itself_is_read_again_but_not_for_ever(proxied, fault, kind, words):
    client, proxy = proxied
    proxy.hang = 1.5
    proxy.rules = [Rule(fault, times=2)]
    assert client.who()["id"] > 0
    assert [one[2] for one in proxy.seen] == [fault, fault, ""]
    proxy.seen.clear()
    proxy.rules = [Rule(fault, times=100)]
    with pytest.raises(kind, match=words):
        client.who()
    assert len(proxy.seen) == 5


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("401", Unauthorised, "LABEL_STUDIO_API_KEY|access token"),
        ("html", NoLabelStudio, "no Label Studio 1.23"),
    ],
)
def test_what_does_not_pass_is_told_at_once(proxied, fault, kind, words):
    client, proxy = proxied
    proxy.rules = [Rule(fault)]
    with pytest.raises(kind, match=words):
        client.who()
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("fault", ["503", "cut before", "cut after", "hang"])
def test_writing_is_never_repeated_blindly(proxied, fault):
    client, proxy = proxied
    proxy.hang = 1.5
    number = client.create_project("writing", CONFIG)
    proxy.seen.clear()
    proxy.rules = [Rule(fault, "POST", "/import")]
    with pytest.raises((ServerFailed, ConnectionCut, TimedOut)):
        client.import_tasks(number, [{"data": {"text": "a"}}])
    assert [one[0] for one in proxy.seen] == ["POST"]
    assert len(client.tasks(number)) == (fault in ("cut after", "hang"))


def test_nobody_answers():
    with pytest.raises(ServerDown, match="annotation serve"):
        Client(f"http://127.0.0.1:{free_port()}", "key").who()


def test_a_wrong_key_and_a_wrong_thing(served):
    with pytest.raises(Unauthorised, match="Invalid token"):
        Client(served.url, "0" * 40).who()
    with pytest.raises(NotFound, match="did somebody delete it"):
        served.client.project(10**6)


def test_a_server_that_is_no_label_studio(proxied):
    client, proxy = proxied
    proxy.rules = [Rule("html", times=9)]
    with pytest.raises(NoLabelStudio) as caught:
        client.projects()
    assert "<html" not in str(caught.value)


def test_an_address_that_leads_elsewhere_or_is_none(monkeypatch):
    assert isinstance(fault_of("http://host", 301, ""), NoLabelStudio)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 60.0)  # it is told at once
    for url in ("127.0.0.1:8080", "htp://127.0.0.1", "http://[::1"):
        with pytest.raises(NoLabelStudio, match="no address"):
            Client(url, "key").who()


def test_an_invalid_page_is_refused_with_the_reason(served):
    with pytest.raises(Refused, match="toName"):
        served.client.create_project("bad page", CONFIG.replace('toName="t"', 'toName="q"'))


def test_a_personal_access_token_works_too(served):
    client = Client(served.url, served.client.sdk.tokens.create().token)
    assert client.who()["id"] == served.client.who()["id"]


def test_what_no_json_and_no_database_holds_is_replaced_and_the_rest_arrives(served):
    texts = ["\ud83d alone", "nul \x00 here", "字" * 20_000, '"quotes" \\ \u2028 🙂 <b>&amp;</b>', "\\u0000"]
    number = served.client.create_project("odd texts", CONFIG)
    ids = served.client.import_tasks(number, [{"data": {"text": text}} for text in texts])
    found = {task["id"]: task["data"]["text"] for task in served.client.tasks(number)}
    arrived = [found[one] for one in ids]
    assert arrived == ["\ufffd alone", "nul \ufffd here", *texts[2:]]


def test_sendable_leaves_alone_what_can_be_sent():
    content = {"a": ["\\u0000", 1, None, {"b": "字"}]}
    assert sendable(content) == content


def test_long_lists_come_whole(served, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 7)
    number = served.client.create_project("pages", CONFIG)
    ids = served.client.import_tasks(number, [{"data": {"text": f"{n}"}} for n in range(30)])
    assert [one["id"] for one in served.client.tasks(number)] == ids
    assert {one["id"] for one in served.client.export(number, ids)} == set(ids)


def test_an_account_cannot_be_made_twice(served):
    first = served.client.sign_up("twice@raters.invalid", "a-long-password", USER_HOTKEYS)
    assert first in {one["id"] for one in served.client.users()}
    with pytest.raises(Refused, match="twice@raters"):
        served.client.sign_up("twice@raters.invalid", "a-long-password", USER_HOTKEYS)


def test_the_environment_names_an_existing_server(served, monkeypatch):
    token = read_credentials(served.project).token
    monkeypatch.setenv("LABEL_STUDIO_URL", f"{served.url}/")
    with pytest.raises(InputError, match="LABEL_STUDIO_API_KEY is not set"):
        Client.of(served.project)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "密钥")
    with pytest.raises(InputError, match="LABEL_STUDIO_API_KEY holds"):
        Client.of(served.project)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", f"{token}\n")
    assert Client.of(served.project).url == served.url
    assert Client.of(served.project).who()["email"]
