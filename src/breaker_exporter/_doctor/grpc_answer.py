"""What an error of gRPC means, and what to do about it."""

from __future__ import annotations

from . import faults
from .answer import quoted
from .finding import Finding, broken
from .reach import Place

_ADVICE = {
    "UNAUTHENTICATED": "the credentials are missing or wrong: look at OTEL_EXPORTER_OTLP_HEADERS",
    "PERMISSION_DENIED": "the credentials are known but may not do this: look at OTEL_EXPORTER_OTLP_HEADERS",
    "UNIMPLEMENTED": "a gRPC server answers that takes no traces: mend host and port, or enable its OTLP "
    "receiver",
    "UNAVAILABLE": "the collector, or what a proxy has behind it, is not ready: look at its log",
    "RESOURCE_EXHAUSTED": "the collector or backend limits the rate or size: send less, or ask for more",
    "DEADLINE_EXCEEDED": "the collector itself waited in vain for what is behind it: look at its exporters",
    "INVALID_ARGUMENT": "the empty request is valid OTLP: look at what answers there",
    "INTERNAL": "the collector fails: look at its log",
}

# gRPC's own texts, by their beginning: a server may write anything into the details.
_WRAPPED = "stream removed ("
_RESET = ("connection reset by peer", "recvmsg:connection reset", "sendmsg:connection reset")
_CUT = ("socket closed", "connection closed", "stream removed", "goaway", "received goaway")
_METADATA = ("invalid metadata", "metadata was invalid")
_UNCONNECTED = ("failed to connect to ", "errors resolving ", "dns resolution ", "name resolution ")


def failure(place: Place | str, error: object, took: float, patience: float, slowly: int) -> Finding:
    """What an ``RpcError`` means.

    Args:
        place: Where it comes from.
        error: The error.
        took: Seconds that it took to come.
        patience: Seconds that it had at most.
        slowly: Bytes of a greeting that took its time, else 0.
    """
    code = error.code().name  # type: ignore[attr-defined]
    details = (error.details() or "").lower()  # type: ignore[attr-defined]
    if code == "DEADLINE_EXCEEDED" and took >= patience * 0.9:
        return faults.timed_out(place, slowly, patience)
    if code == "UNAVAILABLE" and details.removeprefix(_WRAPPED).startswith(_RESET):
        return faults.reset(place)
    if code in ("UNAVAILABLE", "CANCELLED", "INTERNAL") and details.startswith(_CUT):
        return faults.truncated(place, 0)
    if code == "INTERNAL" and details.startswith(_METADATA):
        return unusable()
    if code == "UNAVAILABLE" and details.startswith(_UNCONNECTED):
        return broken(
            "grpc-no-connection",
            f"gRPC cannot connect to {place}",
            "look at https_proxy, http_proxy and no_proxy, which gRPC reads too, and at its certificates",
        )
    return broken(
        f"grpc-{code.lower().replace('_', '-')}",
        f"the collector's answer is {code}{quoted(error.details() or '')}",  # type: ignore[attr-defined]
        _ADVICE.get(code, "look at the collector's log, and at what else may answer there"),
    )


def unusable() -> Finding:
    """Headers that gRPC does not take."""
    return broken(
        "headers-unusable",
        "the request cannot be made: a header holds what gRPC does not allow",
        "names in OTEL_EXPORTER_OTLP_HEADERS in lower case, values in printable ASCII",
    )
