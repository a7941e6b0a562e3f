"""What an answer to the empty OTLP request means, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._base.redaction import message
from .finding import Finding, broken, ok, warning

_SLOW = 1.0
"""Seconds."""
_SERVER, _CLIENT = "the server fails: look at its log", "look at host and path of the endpoint"
_PROTOBUF = "application/x-protobuf"
_OF_OTLP = re.compile(rb"""\s*(\{\s*("partial_?[sS]uccess"|\}\s*$)|$)""")
"""How JSON begins that answers an OTLP request, or nothing."""
_ADVICE = {
    400: "the empty request is valid OTLP: something that is no OTLP receiver may answer, or TLS is expected",
    401: "the credentials are missing or wrong: look at OTEL_EXPORTER_OTLP_HEADERS",
    403: "the credentials are known but may not do this, or a firewall for the web stands before it: look at "
    "OTEL_EXPORTER_OTLP_HEADERS",
    404: "the path is wrong: collectors take traces at /v1/traces, and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is "
    "used as it is, while OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces added",
    405: "something that takes no POST answers: look at host and path of the endpoint",
    407: "the proxy wants credentials",
    408: "the server or a proxy gave up waiting for the request",
    411: "a proxy does not take requests as they are sent: look at it",
    413: "even an empty request is too large for it: look at the limit of the proxy before the collector",
    415: "it does not take protobuf, or not this compression: look at OTEL_EXPORTER_OTLP_COMPRESSION, and "
    "whether this is an OTLP receiver",
    426: "another version of HTTP is wanted: this may be the port for gRPC",
    429: "the collector or backend limits the rate: send less, or ask for more",
    500: "the collector fails: look at its log",
    501: "the server does not know this kind of request: is it an OTLP receiver?",
    502: "a proxy answers, and what is behind it does not: look at the collector",
    503: "the collector, or what a proxy has behind it, is not ready: look at its log and memory limiter",
    504: "a proxy waited in vain for what is behind it: look at the collector",
    505: "another version of HTTP is wanted: this may be the port for gRPC",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; `took` is seconds from the request on."""

    status: int
    body: bytes
    content_type: str
    retry_after: str | None
    location: str | None
    took: float


def judge(answer: Answer, timeout: float) -> Finding:
    """What it means to an exporter with this timeout in seconds."""
    if not 200 <= answer.status < 300:
        return _refused(answer)
    if answer.took > timeout:
        return too_slow(answer.took, timeout)
    return judge_message(answer.body, answer.took, f"HTTP {answer.status}", answer.content_type)


def judge_message(body: bytes, took: float, success: str, content_type: str = _PROTOBUF) -> Finding:
    """What a successful answer says, as the exporter reads it."""
    from ..otlp._send.words import Kind, media_type, partial_success

    kind, rejected, words = partial_success(body, content_type)
    given = media_type(content_type)
    if kind is Kind.PAGE:
        return _not_otlp(f"{success}, but the answer is {kind.value}: no span is delivered there")
    if rejected or words:
        return warning(
            "otlp-partial",
            f"the collector takes requests with a reservation (partial_success, {rejected} spans rejected)"
            + quoted(words),
            "its log says more: rejected spans are counted as failed, and the circuit stays closed",
        )
    if given == "application/json" and not _OF_OTLP.match(body):
        return warning(
            "http-wrong-content",
            f"{success}, but the answer is JSON that says nothing of OTLP",
            "if spans arrive all is well; else it may be no OTLP receiver: look at the endpoint",
        )
    if kind is Kind.OTHER or not (given in ("", _PROTOBUF) or _OF_OTLP.match(body)):
        return _not_otlp(
            f"{success}, but the answer is no OTLP ({message(given) or 'of no content type'}): spans would "
            "count as exported and be lost"
        )
    if took > _SLOW:
        return warning(
            "otlp-slow",
            f"the empty request is answered well, but only after {took:.1f} s",
            "look at the collector's load; each batch of a worker waits as long",
        )
    return ok("otlp", f"an empty request is answered: {success}, {took * 1000:.0f} ms")


def quoted(words: str) -> str:
    """The words of the other side, without secrets; the report hides those that it knows."""
    told = message(words)
    return f': "{told}"' if told else ""


def too_slow(took: float, timeout: float) -> Finding:
    """The answer is good, but comes when the exporter has given up."""
    return broken(
        "otlp-too-slow",
        f"the empty request is answered after {took:.1f} s, and the exporter gives up after {timeout:g} s",
        "look at the collector's load, or raise OTEL_EXPORTER_OTLP_TIMEOUT",
    )


def _refused(answer: Answer) -> Finding:
    from ..otlp._send.answer import seconds_of
    from ..otlp._send.words import error_message

    status = answer.status
    again = seconds_of(answer.retry_after)
    wait = f"; it asks to wait {again:.0f} s (Retry-After)" if again else ""
    if 300 <= status < 400:
        advice = "make the address that it redirects to the endpoint: this one is not followed"
    else:
        family = _SERVER if status >= 500 else _CLIENT
        advice = _ADVICE.get(status, family)
    words = quoted(error_message(answer.body, answer.content_type))
    return broken(f"http-{status}", f"the collector's answer is HTTP {status}{wait}{words}", advice)


def _not_otlp(text: str) -> Finding:
    return broken(
        "http-wrong-content",
        text,
        "something that is no OTLP receiver answers there: mend host, port and path of the endpoint",
    )
