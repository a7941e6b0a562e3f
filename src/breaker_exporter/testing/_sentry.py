"""The fake Sentry project: its DSN, its paths, and the check of its key."""

from __future__ import annotations

import enum
import re

_PUBLIC_KEY = "fa4e" * 8
"""A fake, not a secret: 32 hex digits that open nothing."""
_PROJECT = "1"


class SentryPath(enum.Enum):
    """The paths below ``/api/<project>/`` that the collector serves."""

    ENVELOPE = "envelope"
    """Envelopes, Sentry's own format, of any items."""
    TRACES = "integration/otlp/v1/traces"
    """OTLP trace requests."""
    LOGS = "integration/otlp/v1/logs"
    """OTLP log requests."""


_PATH = re.compile(rf"/api/([^/]+)/({'|'.join(path.value for path in SentryPath)})/?")


def dsn(port: int) -> str:
    """Return the DSN of the project whose server listens on `port` of this machine."""
    return f"http://{_PUBLIC_KEY}@127.0.0.1:{port}/{_PROJECT}"


def sentry_path(target: str) -> SentryPath | None:
    """Return the path below any project that a request's target names; ``None`` if it is not Sentry's."""
    found = _PATH.fullmatch(target.partition("?")[0])
    return None if found is None else SentryPath(found[2])


def is_admitted(target: str, auth: str) -> bool:
    """Return whether `target` is of this project and `auth`, its ``X-Sentry-Auth``, has the key.

    If not, the answer is 403, as Sentry's is to a wrong key or project. Sentry answers 401 to a missing
    header; neither ``sentry_sdk`` nor an OTLP exporter treats them differently.
    """
    scheme, *pairs = re.split(r"[,\s]+", auth)
    has_key = scheme.lower() == "sentry" and f"sentry_key={_PUBLIC_KEY}" in pairs
    return has_key and target.startswith(f"/api/{_PROJECT}/")
