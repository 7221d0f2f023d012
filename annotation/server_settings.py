"""The settings of a Label Studio server: quiet, offline, who may open it, which database."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas.errors import InputError, Issue

SQLITE_RATERS = 5
"""Most raters at a time for whom SQLite is recommended."""


def environment(folder: Path, host: str, port: int) -> dict[str, str]:
    """Return the environment of the server: this one's, without settings for another Label Studio.

    Args:
        folder: The folder of the server: its data, and what it shows.
        host: Address to listen on.
        port: Port to listen on.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LABEL_STUDIO", "DJANGO", "POSTGRE", "SENTRY", "PYTHONPATH"))
    }
    off = (
        "LABEL_STUDIO_COLLECT_ANALYTICS LABEL_STUDIO_LATEST_VERSION_CHECK LABEL_STUDIO_DEBUG "
        "LABEL_STUDIO_ALLOW_ORGANIZATION_WEBHOOKS"
    ).split()
    on = (
        "LABEL_STUDIO_FEATURE_FLAGS_OFFLINE LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED "
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"
    ).split()
    empty = "SENTRY_DSN LABEL_STUDIO_SENTRY_DSN FRONTEND_SENTRY_DSN LABEL_STUDIO_FRONTEND_SENTRY_DSN".split()
    return {
        **kept,
        **dict.fromkeys(off, "false"),
        **dict.fromkeys(on, "true"),
        **dict.fromkeys(empty, ""),
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder / "shown"),
        "LABEL_STUDIO_CSRF_TRUSTED_ORIGINS": ",".join(_origins(host, port)),
        "PYTHONUNBUFFERED": "1",
    }


def _origins(host: str, port: int) -> list[str]:
    """Return under which addresses annotators open the server."""
    names = {host, "127.0.0.1", "localhost"}
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the lead asked for it
        names |= {socket.gethostname(), socket.getfqdn()}
        with suppress(OSError):
            names |= {str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None)}
    return [f"http://{bracketed(name)}:{port}" for name in sorted(names)]


def bracketed(name: str) -> str:
    """Write a host as addresses do."""
    return f"[{name}]" if ":" in name else name


def shown(host: str) -> str:
    """Return the name under which other machines reach this one."""
    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - the lead asked for it


def reachable(host: str) -> str:
    """Return the name under which this machine reaches the server."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - the lead asked for it


def database(url: str | None) -> dict[str, str]:
    """Return the settings of the database.

    Raises:
        InputError: The address is not that of a PostgreSQL database; it is not repeated, it holds a password.
    """
    if url is None:
        return {"DJANGO_DB": "sqlite"}
    fault = InputError(
        Issue("this is not postgresql://USER:PASSWORD@HOST:PORT/NAME (shown without what was given)",
              "--database-url")
    )  # fmt: skip
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        # Its text repeats what was given.
        raise fault from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or len(parts.path) < 2:
        raise fault
    return {
        "DJANGO_DB": "default",
        "POSTGRE_USER": unquote(parts.username or ""),
        "POSTGRE_PASSWORD": unquote(parts.password or ""),
        "POSTGRE_HOST": parts.hostname,
        "POSTGRE_PORT": str(port),
        "POSTGRE_NAME": unquote(parts.path[1:]),
    }


def advice(host: str, database_url: str | None) -> list[str]:
    """Return what the lead should know of these settings."""
    notices = []
    if host not in ("127.0.0.1", "localhost", "::1"):
        notices.append(
            f"the server listens on {host}: whoever can reach this machine sees its login page, every "
            "account can open every project, and nothing is encrypted; use it in a network you trust, or "
            "behind a proxy that adds HTTPS"
        )
    if database_url is None:
        notices.append(
            f"the database is SQLite, which serves up to {SQLITE_RATERS} raters at a time; from "
            f"{SQLITE_RATERS + 1} raters on, use PostgreSQL: --database-url postgresql://USER@HOST/NAME"
        )
    return notices
