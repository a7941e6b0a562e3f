"""What a Sentry client is told and has to show: the DSN, the paths below it, the key. No payload."""

from __future__ import annotations

import enum
import re

_PUBLIC_KEY = "fa4e" * 8
"""No secret but a fake, as it says itself: 32 hex digits that open nothing anywhere."""
_PROJECT = "1"


class SentryPath(enum.Enum):
    """What follows ``/api/<project>/`` where something is taken."""

    ENVELOPE = "envelope"
    """Any item, in Sentry's own format."""
    TRACES = "integration/otlp/v1/traces"
    """OTLP trace requests."""


_PATH = re.compile(rf"/api/([^/]+)/({'|'.join(path.value for path in SentryPath)})/?")


def dsn(port: int) -> str:
    """The DSN of the project whose server listens on ``port`` of this machine."""
    return f"http://{_PUBLIC_KEY}@127.0.0.1:{port}/{_PROJECT}"


def sentry_path(target: str) -> SentryPath | None:
    """What a request's target names below a project, whichever; ``None`` for no path of Sentry's."""
    found = _PATH.fullmatch(target.partition("?")[0])
    return None if found is None else SentryPath(found[2])


def is_admitted(target: str, auth: str) -> bool:
    """Whether ``target`` is of the project here and ``auth``, its ``X-Sentry-Auth``, holds the key.

    Where not, 403 is due, which is Sentry's answer to a wrong key or project. To a header that is missing it
    has 401; neither ``sentry_sdk`` nor an OTLP exporter tells the two apart.
    """
    scheme, *pairs = re.split(r"[,\s]+", auth)
    shown = scheme.lower() == "sentry" and f"sentry_key={_PUBLIC_KEY}" in pairs
    return shown and target.startswith(f"/api/{_PROJECT}/")
