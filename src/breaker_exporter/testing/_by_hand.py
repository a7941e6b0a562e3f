"""What the collector by hand says in plain lines: its addresses, and in the end what it has received."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ._arrivals import Arrivals


def base(state: Mapping[str, object]) -> str:
    """Return the URL that ``OTEL_EXPORTER_OTLP_ENDPOINT`` takes."""
    return f"http://{urlsplit(str(state['http_endpoint'])).netloc}"


def grpc(state: Mapping[str, object]) -> str:
    """Return the URL of the gRPC port, or what to install for it."""
    return str(state["grpc_endpoint"] or "none: pip install breaker-exporter[grpc]")


def greeting(state: Mapping[str, object]) -> Iterator[str]:
    """Yield the addresses, how to switch the fault, and the environment of a service that sends here."""
    yield f"OTLP/HTTP  {state['http_endpoint']}"
    yield f"OTLP/gRPC  {grpc(state)}"
    yield f"Sentry     {state['sentry_dsn']}"
    yield f"control    {state['control_url']}"
    yield f"fault      {state['fault']}; to switch it:"
    yield f"""  curl -d '{{"fault": "blackhole"}}' {state["control_url"]}/fault"""
    yield "Start your service with:"
    yield f"  export {endpoint(state)}"


def endpoint(state: Mapping[str, object]) -> str:
    """Return the variable that leads a service here."""
    return f"OTEL_EXPORTER_OTLP_ENDPOINT={base(state)}"


def closing(arrivals: Arrivals, requests: int) -> Iterator[str]:
    """Yield what was received in total, by so many requests."""
    came, time = counted(requests, "request"), duration(arrivals.seconds)
    rows = arrivals.rows()
    yield f"Received in {time}, by {came}:" if rows else f"Received nothing in {time}; {came}."
    cells = [(row.source.value, row.service, row.kind, f"{row.items:,}") for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, (*words, items) in zip(rows, cells, strict=True):
        left = "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=False))
        again = f", {row.duplicates:,} of them again" if row.duplicates else ""
        yield f"  {left}  {items.rjust(widths[-1])}{again}"
    if arrivals.refused:
        yield f"Refused {counted(arrivals.refused, 'request')}; the latest: {arrivals.refusal}"


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s ago"
    return f"{whole // 60} min ago" if whole < 3600 else f"{whole // 3600} h ago"


def duration(seconds: float) -> str:
    """Return a time in its two largest units."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
