"""A check of an environment, and what all checks do: name a collector, and wait for what arrives there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from breaker_exporter.testing import FaultyCollector

from .environment import BOOT, Environment
from .processes import Failed

ARRIVAL = 30.0
"""Seconds that a span may take to arrive once its process has ended."""


@dataclass(frozen=True)
class Check:
    """A check, called `name` in the report; `run` raises `Failed` where it does not hold."""

    name: str
    run: Callable[[Environment], None]


def boot(name: str) -> str:
    """Return the source of a program in ``boot/``."""
    return (BOOT / name).read_text()


def otlp(collector: FaultyCollector, protocol: str = "http/protobuf") -> dict[str, str]:
    """Return the variables that send spans to a collector."""
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}


def spoken(protocol: str) -> str:
    """Return the protocol as the report names it."""
    return "gRPC" if protocol == "grpc" else "HTTP"


def arrived(collector: FaultyCollector, log: str = "") -> None:
    """Wait until a span has arrived.

    Raises:
        Failed: None has; `log` is shown with it.
    """
    if not collector.wait_for_spans(1, ARRIVAL):
        raise Failed("no span arrived", log)


def reported(sentry: FaultyCollector, log: str = "") -> None:
    """Wait until an error has arrived at Sentry.

    Raises:
        Failed: None has; `log` is shown with it.
    """
    if not sentry.wait_for_sentry_items(1, "event", ARRIVAL):
        raise Failed("no error arrived at Sentry", log)
