"""Sentry: its DSN, its package, and whether its host is there. Nothing is sent to it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from .._base.environment import any_set
from .._base.redaction import shown
from ..sentry._settings import DSN, MODE, TRACES_SAMPLE_RATE, Sentry, SentrySettings
from . import proxies, versions
from .detours import is_there
from .finding import Setting, Steps, broken, ok, warning
from .listening import InForce
from .reach import Place, reach
from .tls import Trust, secure


def settle(force: InForce) -> Steps[SentrySettings | None]:
    """Sentry's settings, or ``None`` where it is off."""
    environment, given = force.environment, force.given.sentry
    if given is None and not any_set((*DSN.variables, *MODE.variables)):
        yield ok("sentry", "no Sentry: SENTRY_DSN is not set")
        return None
    before = len(environment.complaints)
    settings = (given or Sentry()).settled(environment, None)
    for text in environment.complaints[before:]:
        yield (broken if environment.strict else warning)("variable", text, "write a value that is allowed")
    if settings is None:
        yield ok("sentry", "Sentry is left alone: its mode is off")
    return settings


def rows(settings: SentrySettings, force: InForce) -> list[Setting]:
    """Sentry's settings with their sources."""
    given = force.given.sentry or Sentry()

    def source(argument: object, name: str) -> str:
        return "code" if argument is not None else name if force.environment.is_set(name) else "default"

    dsn = None
    if settings.dsn:
        # One that is malformed may have its key anywhere.
        dsn = shown(settings.dsn).strip("'") if place_of(settings.dsn) else "***"
    rate = settings.traces_sample_rate
    return [
        Setting("sentry_dsn", dsn, "", source(given.dsn, DSN.variable)),
        Setting("sentry_mode", settings.mode.value, "", source(given.mode, MODE.variable)),
        Setting(
            "sentry_traces_sample_rate",
            rate,
            "",
            source(given.traces_sample_rate, TRACES_SAMPLE_RATE.variable),
        ),
    ]


def examine(settings: SentrySettings, step: float) -> Steps[None]:
    """The package, the DSN, and the way to its host; `step` seconds for each step."""
    yield from versions.check(["sentry-sdk"])
    if settings.dsn is None:
        yield ok("sentry", "no DSN: an application's own Sentry client is attached to, if there is one")
        return
    place = place_of(settings.dsn)
    if place is None:
        yield broken(
            "sentry-dsn",
            "the DSN of Sentry is malformed: Sentry stays off",
            "it is like https://key@o0.ingest.sentry.io/0, with a key and a number at its end",
        )
        return
    yield ok("sentry", f"the DSN of Sentry is well-formed, for {place}")
    if used := list(_proxies(place)):
        for proxy, what in used:
            yield ok(
                "sentry-proxy",
                f"{what} go to {place} through the proxy {shown(proxy.url)}, which {proxy.source} has",
                f"where that is not meant, put {place.host} into NO_PROXY",
            )
        for url in dict.fromkeys(proxy.url for proxy, _ in used):
            yield from is_there(url, step)
        return
    connected = yield from reach(place, step)
    if connected is not None:
        talking = (yield from secure(place, Trust(), connected, step)) if place.tls else connected.socket
        if talking is not None:
            talking.close()


def place_of(dsn: str) -> Place | None:
    """Where a DSN leads; ``None`` where it is none."""
    try:
        url = urlsplit(dsn.encode("ascii").decode())
        port = url.port or (443 if url.scheme == "https" else 80)
        int(url.path.rpartition("/")[2])
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not url.hostname or not url.username:
        return None
    return Place("Sentry", "sentry-", url.hostname, port, url.scheme == "https", "HTTP")


def _proxies(place: Place) -> Iterator[tuple[proxies.Proxy, str]]:
    """The proxies in force, with what goes through each: sentry-sdk and the exporter read other variables."""
    if urllib.request.proxy_bypass(str(place)):
        return
    scheme = "https" if place.tls else "http"
    of_events = proxies.chosen(scheme, may_be_any=False) or proxies.chosen("http", may_be_any=False)
    of_spans = proxies.chosen(scheme)
    if of_events == of_spans and of_events:
        yield of_events, "events and spans"
        return
    if of_events:
        yield of_events, "events"
    if of_spans:
        yield of_spans, "spans"
