"""What can go wrong between the toolkit and a labeling server: every failure has a type and a remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from schemas.errors import InputError, Issue

_CONTINUES = "run this again, it continues where it stopped"


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
    """The server has no such thing (404)."""


class NoLabelStudio(ServerFault):
    """What answers is no Label Studio: an HTML page, or something else than was asked for."""


class Refused(ServerFault):
    """The server does not accept what was sent (400 and its like)."""


PASSING = (ConnectionCut, TimedOut, ServerFailed, ServerDown)
"""Failures that may pass by themselves."""


@contextmanager
def typed_faults(url: str, timeout: float) -> Iterator[None]:
    """Turn failures of the requests in the block into typed ones.

    Args:
        url: Address of the server, for the messages.
        timeout: Seconds that a request may take.
    """
    from label_studio_sdk.core import ApiError
    from label_studio_sdk.core.parse_error import ParsingError

    try:
        yield
    except ApiError as error:
        raise fault_of(url, error.status_code or 0, error.body) from None
    except ParsingError:
        raise no_label_studio(url) from None
    except httpx.ConnectError:
        message = "nobody answers here; start the server with 'annotation serve', then run this again"
        raise ServerDown(Issue(message, url)) from None
    except httpx.TimeoutException:
        message = f"no answer within {timeout:g} s; is the server overloaded? {_CONTINUES}"
        raise TimedOut(Issue(message, url)) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        message = "this is no address of a server; one is http://HOST:PORT or https://HOST"
        raise NoLabelStudio(Issue(message, url)) from None
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        message = f"the connection was cut ({type(error).__name__}); {_CONTINUES}"
        raise ConnectionCut(Issue(message, url)) from None


def fault_of(url: str, status: int, body: object) -> ServerFault:
    """Return the failure that an answer says.

    Args:
        url: Address of the server, for the message.
        status: Status of the answer.
        body: Its body, parsed or as text.
    """
    said = f"{status}{_said(body)}"
    if status in (401, 403):
        message = f"the server does not accept the key ({said}); is it the access token of this very server?"
        return Unauthorised(Issue(message, url))
    if status >= 500:
        return ServerFailed(Issue(f"the server failed ({said}); its log says more; {_CONTINUES}", url))
    if is_page(body) or 300 <= status < 400:
        return no_label_studio(url)
    if status == 404:
        return NotFound(Issue(f"there is no such thing here any more ({said}); did somebody delete it?", url))
    if status < 300:
        return ConnectionCut(Issue(f"the answer is incomplete; {_CONTINUES}", url))
    return Refused(Issue(f"the server refuses this ({said})", url))


def no_label_studio(url: str) -> NoLabelStudio:
    """Return the failure of an address at which something else answers."""
    message = (
        "what answers here is no Label Studio 1.23; is the address right (https, not http?), or does a proxy "
        "stand before it that asks for a login?"
    )
    return NoLabelStudio(Issue(message, url))


def is_page(body: object) -> bool:
    """Say whether an answer is an HTML page."""
    return isinstance(body, str) and body.lstrip()[:15].lower().startswith(("<!doctype", "<html"))


def _said(body: object) -> str:
    """Return what the server says of a failure, in one line; nothing of an HTML page."""
    details = "" if is_page(body) else body
    if isinstance(details, Mapping):
        details = details.get("validation_errors") or details.get("detail") or details
    text = details if isinstance(details, str) else json.dumps(details, ensure_ascii=False, default=str)
    line = " ".join(text.split())[:500]
    return f": {line}" if line else ""
