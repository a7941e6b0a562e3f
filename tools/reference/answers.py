"""The table of the answers page, from the meaning of each status in the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from breaker_exporter._core.report import Verdict
from breaker_exporter.otlp._send.statuses import GRPC, GRPC_OTHERS, HTTP, HTTP_OTHERS, Status

from .markdown import table

_MEANINGS = {
    "too large": (
        "sent in smaller requests where its size is the reason; a span that is too large alone has failed",
        "as the smaller requests are answered",
    ),
    "rejected": ("failed", "success: the collector is alive"),
    "misconfigured": ("failed", "opens at once; reason and log line say what to look at"),
    "busy": (
        "failed",
        "failure; `Retry-After` (seconds or date) or `RetryInfo` keeps it open at least that long, up to "
        "`max_cooldown`",
    ),
    "failed": ("failed", "failure"),
}
"""For each meaning of an answer: the outcome of the spans, and the effect on the circuit."""


def _meanings(status: Status) -> Iterator[str]:
    if status.may_be_size:
        yield "too large"
    if status.verdict is Verdict.FAILED:
        yield "busy" if status.may_ask_for_pause else "failed"
    else:
        yield status.verdict.name.lower()


def _named(statuses: Mapping[str, Status] | Mapping[int, Status], others: Status, meaning: str) -> str:
    named = [str(name) for name, status in statuses.items() if meaning in _meanings(status)]
    return ", ".join([*named, *(["any other"] if meaning in _meanings(others) else [])])


def _answers() -> str:
    return table(
        ("HTTP", "gRPC", "the spans", "the circuit"),
        [
            ("2xx", "OK", "exported; what `partial_success` rejects: failed", "success"),
            *(
                (_named(HTTP, HTTP_OTHERS, meaning), _named(GRPC, GRPC_OTHERS, meaning), spans, circuit)
                for meaning, (spans, circuit) in _MEANINGS.items()
            ),
            ("no answer in time, no connection", "likewise", *_MEANINGS["failed"]),
            ("2xx with a web page; a redirect that is not followed", "", *_MEANINGS["misconfigured"]),
        ],
    )


TABLES: dict[str, Callable[[], str]] = {"answers": _answers}
