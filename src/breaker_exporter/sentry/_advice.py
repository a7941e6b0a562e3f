"""Advice on the application's Sentry client: what it lacks for a mode, and the line that adds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.address import place
from ._settings import SentryMode

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations.otlp import OTLPIntegration

_WITH = 'instrumenter="otel", traces_sample_rate=1.0'
_LACKS = "makes no transactions of them"
_SAMPLING = (
    "errors are not linked to traces while sentry-sdk samples traces itself",
    "take traces_sample_rate and traces_sampler away",
)
_IMPORT = "from sentry_sdk.integrations.otlp import OTLPIntegration"


def advice(client: BaseClient, mode: SentryMode) -> str | None:
    """One line that says what is missing and where to add it; ``None`` where nothing is missing."""
    missing = _missing(client, mode)
    return missing and f"{missing[0]}; where the application calls sentry_sdk.init, {missing[1]}"


def takes_spans(client: BaseClient, mode: SentryMode) -> bool:
    """True where this package has to send the spans, and the client makes use of them."""
    if mode is SentryMode.SPAN_PROCESSOR:
        return bool(client.options.get("instrumenter") == "otel")
    integration = _integration(client)
    return integration is None or not integration.setup_otlp_traces_exporter


def collector_of(client: BaseClient) -> str | None:
    """The URL of the collector that passes the application's spans on to Sentry, if it has named one.

    Only newer releases of sentry-sdk have this setting.
    """
    url = getattr(_integration(client), "collector_url", None)
    return str(url) if url else None


def _missing(client: BaseClient, mode: SentryMode) -> tuple[str, str] | None:
    """The lack, and the remedy."""
    if mode is SentryMode.SPAN_PROCESSOR:
        is_ready = takes_spans(client, mode) and _samples(client)
        return None if is_ready else (f"no spans go there: the client of sentry-sdk {_LACKS}", f"add {_WITH}")
    if integration := _integration(client):
        return _of_integration(integration, collector_of(client)) or (_SAMPLING if _samples(client) else None)
    return (
        "errors are not linked to traces without the OTLPIntegration of sentry-sdk",
        f"add {_line()} ({_IMPORT})",
    )


def _of_integration(integration: OTLPIntegration, url: str | None) -> tuple[str, str] | None:
    if integration.setup_otlp_traces_exporter and url:
        return (
            f"the OTLPIntegration of sentry-sdk sends every span to {place(url)} by an exporter of its own, "
            "without a circuit, and beside any other exporter to that collector",
            f"use {_line('collector_url=..., ')}: every span then goes there once, behind a circuit, and "
            "from there to Sentry",
        )
    if integration.setup_otlp_traces_exporter:
        return "spans go there by an exporter of sentry-sdk, without a circuit", f"use {_line()}"
    if integration.setup_propagator:
        given = "collector_url=..., " if url else ""
        return "the propagator of sentry-sdk takes the place of the W3C one", f"use {_line(given)}"
    return None


def _line(more: str = "") -> str:
    ours = "setup_otlp_traces_exporter=False, setup_propagator=False"
    return f"integrations=[OTLPIntegration({more}{ours})]"


def _integration(client: BaseClient) -> OTLPIntegration | None:
    from sentry_sdk.integrations.otlp import OTLPIntegration

    return client.get_integration(OTLPIntegration)


def _samples(client: BaseClient) -> bool:
    return any(client.options.get(name) is not None for name in ("traces_sample_rate", "traces_sampler"))
