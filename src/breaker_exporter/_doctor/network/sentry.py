"""Sentry: its DSN, its package, and the way to its host. Nothing is sent to it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..._base.environment import any_set
from ..._base.redaction import shown
from ..._wiring.exporter_names import chosen, listed
from ...otlp._signals import LOGS as SIGNAL_LOGS
from ...sentry._settings import DSN, LOGS, MODE, TRACES_SAMPLE_RATE, Sentry
from ...sentry._settings_in_force import SentrySettings, settings_in_force
from .. import versions
from ..report import Setting, Steps, broken, ok, warning_or_fatal
from ..settings import log_handler
from ..settings.effective import EffectiveSettings
from . import proxies
from .connection import Place
from .tls import Trust, approach


def settled(effective: EffectiveSettings) -> Steps[SentrySettings | None]:
    """Return Sentry's settings, or ``None`` where it is off."""
    environment, given = effective.environment, effective.given.sentry
    if given is None and not any_set((*DSN.variables, *MODE.variables)):
        yield ok("sentry", "no Sentry: SENTRY_DSN is not set")
        return None
    before = len(environment.complaints)
    settings = settings_in_force(given or Sentry(), environment, None)
    for text in environment.complaints[before:]:
        advice = "write a value that is allowed"
        yield warning_or_fatal("variable", text, advice, is_fatal=environment.strict)
    if settings is None:
        yield ok("sentry", "Sentry is left alone: its mode is off")
    elif settings.logs and not any(chosen(listed(environment, SIGNAL_LOGS), SIGNAL_LOGS)):
        yield from log_handler.check(environment)  # else it was looked at for the other exporters
    return settings


def rows(settings: SentrySettings, effective: EffectiveSettings) -> Iterator[Setting]:
    """Return Sentry's settings with their sources."""
    given = effective.given.sentry or Sentry()
    # A DSN that is malformed may have its key anywhere.
    dsn = (shown(settings.dsn).strip("'") if _place_of(settings.dsn) else "***") if settings.dsn else None
    for declared, value, argument in (
        (DSN, dsn, given.dsn),
        (MODE, settings.mode.value, given.mode),
        (TRACES_SAMPLE_RATE, settings.traces_sample_rate, given.traces_sample_rate),
        (LOGS, settings.logs, given.logs),
    ):
        variable = declared.variable
        source = variable if effective.environment.is_set(variable) else "default"
        yield Setting(f"sentry_{declared.argument}", value, "", source if argument is None else "code")


def examine(settings: SentrySettings, step: float) -> Steps[None]:
    """Find what is wrong with package, DSN and the way to its host; `step` seconds for each step."""
    yield from versions.check(["sentry-sdk"])
    if settings.dsn is None:
        text = "no DSN: an application's own Sentry client is attached to, if there is one"
        yield ok("sentry", text, brief="the application's own client is attached to")
        return
    place = _place_of(settings.dsn)
    if place is None:
        yield broken(
            "sentry-dsn",
            "the DSN of Sentry is malformed: Sentry stays off",
            "write one like https://key@o0.ingest.sentry.io/0, with a key and a number at its end",
        )
        return
    yield ok("sentry", f"the DSN of Sentry is well-formed, for {place}", brief="the DSN is well-formed")
    used = list(_proxies(place))
    for proxy, items in used:
        yield ok(
            "sentry-proxy",
            f"{items} go to {place} through the proxy {shown(proxy.url)}, which {proxy.source} has",
            f"where that is not meant, put {place.host} into NO_PROXY",
        )
    for url in dict.fromkeys(proxy.url for proxy, _ in used):
        yield from proxies.is_there(url, step)
    if not used and (connected := (yield from approach(place, Trust(), step))):
        connected.socket.close()


def _place_of(dsn: str) -> Place | None:
    """Return the place that a DSN leads to; ``None`` where it is none."""
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
    """Return the proxies in force: sentry-sdk reads other variables for events than requests for spans."""
    if urllib.request.proxy_bypass(str(place)):
        return
    scheme = "https" if place.tls else "http"
    of_events = proxies.chosen(scheme, may_be_any=False) or proxies.chosen("http", may_be_any=False)
    of_spans = proxies.chosen(scheme)
    if of_events and of_events == of_spans:
        yield of_events, "events and spans"
        return
    for proxy, items in ((of_events, "events"), (of_spans, "spans")):
        if proxy:
            yield proxy, items
