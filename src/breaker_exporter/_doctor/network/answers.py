"""The meaning of an answer to the empty OTLP request, by HTTP and by gRPC, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._base.log import counted
from ..._base.redaction import message
from ..._wiring.exporter_names import SETTINGS
from ...otlp._send.grpc_answer import UNCONNECTED
from ...otlp._send.statuses import GRPC, HTTP
from ...otlp._signals import TRACES, Signal
from ..report import Finding, broken, ok, warning
from ..settings.routes import Route
from . import failures
from .connection import Place

if TYPE_CHECKING:
    from ...otlp._send.http import Response

_SLOW = 1.0
"""Seconds."""
_PROTOBUF = "application/x-protobuf"
_OF_OTLP = re.compile(rb"""\s*(\{\s*("partial_?[sS]uccess"|\}\s*$)|$)""")
"""The beginning of JSON that answers an OTLP request, or nothing."""
_HEADERS = "look at OTEL_EXPORTER_OTLP_HEADERS"
_ADVICE = {
    401: _HEADERS,
    403: f"{_HEADERS}, or at a firewall for the web before it",
    404: "collectors take {unit} at {path}, and OTEL_EXPORTER_OTLP_{word}_ENDPOINT is used as it is, while "
    "OTEL_EXPORTER_OTLP_ENDPOINT gets {path} added",
    407: "give the proxy's credentials in its URL",
    413: "raise the limit of the proxy before the collector: even an empty request is too large for it",
    415: "look at OTEL_EXPORTER_OTLP_COMPRESSION: it does not take protobuf, or not this compression",
    426: "use the port for HTTP/1: this may be the one for gRPC",
    429: "send less, or ask for more: the collector or backend limits the rate",
    502: "look at the collector: a proxy answers, and what is behind it does not",
    503: "look at the log and memory limiter of the collector, or of what a proxy has behind it",
    504: "look at the collector: a proxy waited in vain for what is behind it",
    "UNAUTHENTICATED": _HEADERS,
    "PERMISSION_DENIED": _HEADERS,
    "UNIMPLEMENTED": "correct host and port, or enable the OTLP receiver of what listens there",
    "UNAVAILABLE": "look at the log of the collector, or of what a proxy has behind it: it is not ready",
    "RESOURCE_EXHAUSTED": "send less, or ask for more: the collector or backend limits the rate or size",
    "DEADLINE_EXCEEDED": "look at the collector's exporters: it waited in vain for what is behind it",
    "INTERNAL": "look at the collector's log: it fails",
}
"""By status; more than the hint that the exporter logs with it."""
_UNKNOWN_THERE = (404, "UNIMPLEMENTED")
"""Statuses of a backend that does not take a signal at all, as Jaeger takes neither logs nor metrics."""
_SERVER_FAILS = "look at the server's log: it fails"
_NO_RECEIVER = "look at host, port and path of the endpoint: something that is no OTLP receiver may answer"

# gRPC's own texts, by their beginning: a server may write anything into the details.
_WRAPPED = "stream removed ("
_RESET = ("connection reset by peer", "recvmsg:connection reset", "sendmsg:connection reset")
_CUT = ("socket closed", "connection closed", "stream removed", "goaway", "received goaway")
_METADATA = ("invalid metadata", "metadata was invalid")


def of_http(answer: Response, took: float, route: Route) -> Finding:
    """Return the meaning of an HTTP answer that took so many seconds, to the exporter of that route."""
    from ...otlp._send.answer import seconds_of
    from ...otlp._send.compression import unpacked
    from ...otlp._send.http import MOST_READ
    from ...otlp._send.words import error_message

    status = answer.status
    body = unpacked(answer.body, answer.content_encoding, MOST_READ)
    if body is None:
        body = answer.body
    if 200 <= status < 300:
        return of_success(body, f"HTTP {status}", took, route, answer.content_type)
    again = seconds_of(answer.retry_after)
    wait = f"; it asks to wait {again:.0f} s (Retry-After)" if again else ""
    advice = _advice(status, HTTP[status].hint if status in HTTP else "", route.signal)
    words = _quoted(error_message(body, answer.content_type))
    text = f"the collector's answer to {route.signal.unit} is HTTP {status}{wait}{words}"
    return broken(f"http-{status}", text, advice or (_SERVER_FAILS if status >= 500 else _NO_RECEIVER))


def of_success(
    body: bytes, success: str, took: float, route: Route, content_type: str = _PROTOBUF
) -> Finding:
    """Return what a successful answer says, read as the exporter of that route reads it."""
    return next(_meanings(body, success, took, route, content_type))


def _meanings(body: bytes, success: str, took: float, route: Route, content_type: str) -> Iterator[Finding]:
    from ...otlp._send.words import Kind, media_type, partial_success

    timeout, unit = route.settings.timeout, route.signal.unit
    if took > timeout:
        text = f"the empty request for {unit} is answered after {took:.1f} s"
        text += f"; the exporter gives up after {timeout:g} s"
        advice = "look at the collector's load, or raise OTEL_EXPORTER_OTLP_TIMEOUT"
        yield broken("otlp-too-slow", text, advice)
    kind, rejected, words = partial_success(body, content_type)
    given = media_type(content_type)
    if kind is Kind.PAGE:
        text = f"{success}, but the answer is {kind.value}: none of the {unit} are delivered there"
        yield broken("http-wrong-content", text, _NO_RECEIVER)
    if rejected or words:
        does = f"rejects {counted(rejected, unit)}" if rejected else "takes the request with a warning"
        text = f"the collector {does} (partial_success){_quoted(words)}"
        advice = f"look at its log: rejected {unit} are counted as failed, and the circuit stays closed"
        yield warning("otlp-partial", text, advice)
    if given == "application/json" and not _OF_OTLP.match(body):
        text = f"{success}, but the answer is JSON that says nothing of OTLP"
        yield warning("http-wrong-content", text, f"look at the endpoint, unless {unit} arrive there")
    if kind is Kind.OTHER or not (given in ("", _PROTOBUF) or _OF_OTLP.match(body)):
        shown = message(given) or "of no content type"
        text = f"{success}, but the answer is no OTLP ({shown}): {unit} would count as exported, and be lost"
        yield broken("http-wrong-content", text, _NO_RECEIVER)
    if took > _SLOW:
        text = f"the empty request for {unit} is answered well, but only after {took:.1f} s"
        yield warning("otlp-slow", text, "look at the collector's load: each batch of a worker waits as long")
    text = f"an empty request for {unit} is answered: {success}, {took * 1000:.0f} ms"
    yield ok("otlp", text, brief=f"takes {route.signal.word.lower()}")


def of_grpc_failure(code: str, said: str, place: Place | str, signal: Signal) -> Finding:
    """Return the meaning of a gRPC status that is not OK, with what was said with it."""
    details = said.lower()
    if code == "UNAVAILABLE" and details.removeprefix(_WRAPPED).startswith(_RESET):
        return failures.reset(place)
    if code in ("UNAVAILABLE", "CANCELLED", "INTERNAL") and details.startswith(_CUT):
        return failures.truncated(place, 0)
    if code == "INTERNAL" and details.startswith(_METADATA):
        return unsendable()
    if code == "UNAVAILABLE" and details.startswith(UNCONNECTED):
        advice = "look at https_proxy, http_proxy and no_proxy, which gRPC reads too, and at its certificates"
        return broken("grpc-no-connection", f"gRPC cannot connect to {place}", advice)
    advice = _advice(code, GRPC[code].hint if code in GRPC else "", signal)
    text = f"the collector's answer to {signal.unit} is {code}{_quoted(said)}"
    return broken(f"grpc-{code.lower().replace('_', '-')}", text, advice or _NO_RECEIVER)


def unsendable() -> Finding:
    """Return the finding for a request that holds what its protocol does not allow."""
    return broken(
        "headers-unusable",
        "the request cannot be sent: a header or the path holds what is not allowed",
        f"{_HEADERS} and at the path of the endpoint: names in lower case, values in printable ASCII",
    )


def _advice(status: int | str, hint: str, signal: Signal) -> str:
    """Return the exporter's hint, and what the doctor adds to it."""
    more = _ADVICE.get(status, "").format(unit=signal.unit, path=signal.path, word=signal.word)
    if status in _UNKNOWN_THERE and signal is not TRACES:
        variable = SETTINGS[signal].variable
        return (
            f"where the backend takes no {signal.unit}, as Jaeger, set {variable}=none; else {hint}; {more}"
        )
    return "; ".join(filter(None, (hint, more)))


def _quoted(words: str) -> str:
    """Return the words of the other side, without secrets; the report hides those that it knows."""
    shown = message(words)
    return f': "{shown}"' if shown else ""
