"""The meaning of an exporter's result, and the contract of one that says more than a result can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol, cast

from ._base.signatures import showing_no_arguments
from ._core.payload import Encoder, StoringEncoder
from ._core.report import ExportReport, Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_DELIVERED = ExportReport(Verdict.DELIVERED)
_OF_ENCODER = {"encode_batch", "send_payload", "drop_payload"}
_OF_STORING = {"signal", "join_payloads", "dump_payload", "release_payload", "load_payload"}
_RETURNED_FAILURE = ExportReport(Verdict.FAILED, reason="returned FAILURE")


@showing_no_arguments
class ReportingSpanExporter(Protocol):
    """A span exporter that tells the circuit breaker more than ``SUCCESS`` or ``FAILURE``.

    Where the class of a wrapped exporter has this method, it is called instead of ``export``, under the same
    rules: it may raise, which is a failure, and overrunning ``export_timeout`` opens the circuit. For a
    subclass that overrides ``export`` alone, ``export`` is called.
    """

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans` and report the result."""
        ...


def report_of_result(results: Sequence[type[Enum]], value: object, logged: str = "") -> ExportReport:
    """The report that an exporter's result stands for.

    Args:
        results: The types of results, each with ``SUCCESS`` and ``FAILURE``; the first is the one of today.
        value: What ``export`` or ``export_and_report`` returned.
        logged: What the exporter logged meanwhile, without secrets. It explains a ``FAILURE``.
    """
    if isinstance(value, ExportReport):
        report = value
    elif type(value) not in results:
        kind = type(value).__qualname__
        return ExportReport(Verdict.FAILED, reason=f"returned {kind}, no {results[0].__name__}")
    elif cast(Enum, value).name == "SUCCESS":
        return _DELIVERED
    else:
        report = _RETURNED_FAILURE
    if logged and report.reason == _RETURNED_FAILURE.reason:
        return replace(report, reason=f"{report.reason} and logged: {logged}")
    return report


def export_method(exporter: object) -> Callable[..., object]:
    """The method to export with: ``export_and_report``, unless a subclass overrides ``export`` alone."""
    name = "export"
    for kind in type(exporter).__mro__:
        if "export_and_report" in vars(kind):
            name = "export_and_report"
            break
        if "export" in vars(kind):
            break
    return cast("Callable[..., object]", getattr(exporter, name))


def encoder_of(exporter: object) -> Encoder | None:
    """`exporter` itself where its class can encode now and send later, else ``None``.

    That is a class with all methods of :class:`Encoder`. A subclass that overrides ``export`` or
    ``export_and_report`` without them means what it overrides: it is exported by.
    """
    return cast(Encoder, exporter) if _encoding_class(exporter) is not None else None


def storing_encoder_of(exporter: object) -> StoringEncoder | None:
    """`exporter` itself where what it encodes can lie on a disk, else ``None``.

    The class that makes it an encoder has all of :class:`StoringEncoder`: one that encodes in a way of its
    own inherits nothing that reads and writes another form.
    """
    kind = _encoding_class(exporter)
    is_storing = kind is not None and vars(kind).keys() >= _OF_STORING
    return cast(StoringEncoder, exporter) if is_storing else None


def _encoding_class(exporter: object) -> type | None:
    for kind in type(exporter).__mro__:
        if vars(kind).keys() >= _OF_ENCODER:
            return kind
        if not vars(kind).keys().isdisjoint({"export", "export_and_report"}):
            break
    return None
