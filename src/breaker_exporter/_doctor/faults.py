"""What goes wrong between the connection and a whole answer, by either protocol."""

from __future__ import annotations

from .finding import Finding, broken
from .reach import Place


def timed_out(place: Place | str, count: int, patience: float) -> Finding:
    """No whole answer within the deadline."""
    if count:
        return broken(
            "otlp-drips",
            f"the answer of {place} is not whole within {patience:g} s: {count} bytes came, bit by bit",
            "look at the collector's load and at proxies on the way; OpenTelemetry's own exporter would hang "
            "for good here, this one gives up at its timeout",
        )
    return broken(
        "otlp-silent",
        f"{place} takes the connection and says nothing within {patience:g} s",
        "the collector hangs, or something else listens there: look at its log and its load",
    )


def reset(place: Place | str) -> Finding:
    """The connection was reset."""
    return broken(
        "otlp-reset",
        f"{place} resets the connection in the middle of the request",
        "the collector crashes or is restarted, or a proxy or firewall on the way cuts the connection",
    )


def garbage(place: Place | str) -> Finding:
    """Something came that no protocol of ours knows."""
    return broken(
        "otlp-garbage",
        f"what {place} answers is neither HTTP nor TLS",
        "another kind of server listens there: mend the port in the endpoint",
    )


def endless(place: Place | str, count: int) -> Finding:
    """More came than an answer may have, and no end of it."""
    return broken(
        "otlp-garbage",
        f"what {place} answers has no end: {count} bytes came, and no whole answer",
        "something that is no OTLP receiver listens there: mend the port in the endpoint",
    )


def truncated(place: Place | str, count: int) -> Finding:
    """The answer broke off."""
    return broken(
        "otlp-truncated",
        f"the answer of {place} breaks off" + (f" after {count} bytes" if count else ""),
        "the collector or a proxy before it ends the connection too early: look at their logs",
    )


def no_answer(place: Place | str) -> Finding:
    """The connection was closed in good order, and nothing was said."""
    return broken(
        "otlp-no-answer",
        f"{place} closes the connection without an answer",
        "something that is no OTLP receiver may listen there, or a proxy before it has no backend",
    )


def certificate_wanted(place: Place | str) -> Finding:
    """Clients have to show a certificate."""
    return broken(
        "tls-client-certificate",
        f"{place} wants a certificate of its clients",
        "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY",
    )


def tls_wanted(place: Place | str) -> Finding:
    """TLS is spoken there, and was not asked for."""
    return broken(
        "tls-wanted",
        f"{place} speaks TLS, and was asked without",
        "write https:// instead of http:// in the endpoint, and for gRPC look at OTEL_EXPORTER_OTLP_INSECURE",
    )
