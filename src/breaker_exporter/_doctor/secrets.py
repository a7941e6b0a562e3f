"""Values that must never be shown, whatever text they turn up in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

from .._base.environment import Environment
from ..otlp._settings import ENDPOINT, HEADERS
from ..otlp._signals import SIGNALS, for_signal
from ..sentry._settings import DSN
from .settings.given import Given

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def secrets_of(given: Given, environment: Environment) -> Iterator[str]:
    """Return header values, and what URLs have of users, passwords and queries, well-formed or not.

    Each as it stands, quoted and unquoted.
    """
    headers, endpoints = (
        [name for signal in SIGNALS for name in for_signal(setting, signal).variables]
        for setting in (HEADERS, ENDPOINT)
    )
    pairs = [pair for name in headers for pair in (environment.value(name) or "").split(",")]
    values = [re.split("[=:]", pair, maxsplit=1)[-1].strip() for pair in pairs]
    values += (given.arguments.headers or {}).values()
    # A scheme such as Bearer is no secret, the credentials after it are.
    found = [part for value in values for part in (value, *unquote(value).split(" ")[1:])]
    urls = [environment.value(name) for name in (*endpoints, DSN.variable, *_PROXIES)]
    for url in (*urls, given.arguments.endpoint, given.sentry and given.sentry.dsn):
        found += of_url(url or "")
    for text in found:
        yield from (text, unquote(text), quote(text))


def of_url(url: str) -> Iterator[str]:
    """Return what a URL has of user, password and query."""
    user, at, _ = url.partition("://")[2].rpartition("@") if "://" in url else url.rpartition("@")
    if at:
        yield from (user, *user.split(":", 1))
    _, mark, query = url.partition("?")
    if mark:
        yield query
        yield from (value for pair in query.split("&") for value in re.split("=", pair, maxsplit=1)[1:])
    try:
        yield from filter(None, (urlsplit(url).username, urlsplit(url).password))
    except ValueError:
        return
