"""The table of the answers page, from the meaning of each status in the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from breaker_exporter._core.report import Cause, Verdict
from breaker_exporter.otlp._send.statuses import GRPC, GRPC_OTHERS, HTTP, HTTP_OTHERS, Status

from .markdown import table

_ROWS = {
    "too large": (
        "sent in smaller requests where its size is the reason; a span that is too large alone has failed",
        "as the smaller requests are answered",
        "as the smaller requests are answered",
    ),
    "rejected": ("failed", "success: the collector is alive", "final"),
    "misconfigured": (
        "failed",
        "opens at once; reason and log line say what to look at",
        "kept and sent again: somebody may mend it",
    ),
}
"""For each meaning of an answer: the outcome of the spans, the effect on the circuit, and with retention."""
_FAILURE = "failure"
_AFTER_PAUSE = "failure; a pause that is asked for is kept"
_WITH_RETENTION = {
    Cause.BUSY: "kept and sent again; where it was kept before, this pauses the replay and says nothing to "
    "the circuit, unless it was the probe",
    Cause.GATEWAY: "kept and sent again: it may arrive twice",
    Cause.UNKNOWN: "kept and sent again: it may arrive twice",
    Cause.UNREACHABLE: "kept and sent again",
    Cause.ANSWERED: "kept and sent again; final with the fifth such answer while others are accepted",
}

_Statuses = Mapping[str, Status] | Mapping[int, Status]
_Row = tuple[str, str, str, str, str]


def _named(statuses: _Statuses, others: Status, is_meant: Callable[[Status], bool]) -> str:
    named = [str(name) for name, status in statuses.items() if is_meant(status)]
    return ", ".join([*named, *(["any other"] if is_meant(others) else [])])


def _is_of_kind(kind: str, status: Status) -> bool:
    return status.may_be_size if kind == "too large" else status.verdict.value == kind


def _fails_for(cause: Cause, pause: bool, status: Status) -> bool:
    is_failure = status.verdict is Verdict.FAILED
    return is_failure and (status.cause, status.may_ask_for_pause) == (cause, pause)


def _rows() -> Iterator[_Row]:
    yield "2xx", "OK", "exported; what `partial_success` rejects: failed", "success", "final"
    for kind, (spans, circuit, kept) in _ROWS.items():
        is_meant = partial(_is_of_kind, kind)
        yield _named(HTTP, HTTP_OTHERS, is_meant), _named(GRPC, GRPC_OTHERS, is_meant), spans, circuit, kept
    for cause, kept in _WITH_RETENTION.items():
        for pause in (True, False):
            is_meant = partial(_fails_for, cause, pause)
            by_http, by_grpc = _named(HTTP, HTTP_OTHERS, is_meant), _named(GRPC, GRPC_OTHERS, is_meant)
            if cause is Cause.BUSY and pause:
                by_grpc += ", UNAVAILABLE with `RetryInfo`"
            if by_http or by_grpc:
                yield by_http, by_grpc, "failed", _AFTER_PAUSE if pause else _FAILURE, kept
    no_answer = _WITH_RETENTION[Cause.UNKNOWN]
    no_connection = _WITH_RETENTION[Cause.UNREACHABLE]
    yield "no answer in time, a connection lost meanwhile", "likewise", "failed", _FAILURE, no_answer
    yield (
        "no address, no connection, no TLS, a proxy that refuses",
        "likewise",
        "failed",
        _FAILURE,
        no_connection,
    )
    yield "2xx with a web page; a redirect that is not followed", "", *_ROWS["misconfigured"]


def _answers() -> str:
    return table(("HTTP", "gRPC", "the spans", "the circuit", "with retention"), list(_rows()))


TABLES: dict[str, Callable[[], str]] = {"answers": _answers}
