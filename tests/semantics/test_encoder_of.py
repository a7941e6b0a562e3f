"""Which exporters are kept as what they encode (K5), on a disk too (K15), and which as objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.payload import Delivery, ObjectPayload, Payload
from breaker_exporter._results import encoder_of, storing_encoder_of
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

from ..otlp._exporters import KINDS, Kind


class Encoding(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError

    def encode_batch(self, batch: object) -> Payload:
        return ObjectPayload(batch, 1, 1)

    def send_payload(self, payload: Payload) -> Delivery:
        return Delivery(ExportReport(Verdict.DELIVERED))

    def drop_payload(self, payload: Payload) -> None:
        pass


class Named(Encoding):
    """Overrides nothing."""


class EncodingOtherwise(Encoding):
    def encode_batch(self, batch: object) -> Payload:
        return ObjectPayload(batch, 2, 2)


class ExportingOtherwise(Encoding):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class ReportingOtherwise(Encoding):
    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        return ExportReport(Verdict.DELIVERED)


class EncodingAHalf(ExportingOtherwise):
    def encode_batch(self, batch: object) -> Payload:
        return ObjectPayload(batch, 3, 3)


class AllOtherwise(ExportingOtherwise):
    def encode_batch(self, batch: object) -> Payload:
        return ObjectPayload(batch, 4, 4)

    def send_payload(self, payload: Payload) -> Delivery:
        return Delivery(ExportReport(Verdict.REJECTED))

    def drop_payload(self, payload: Payload) -> None:
        raise AssertionError


class Filtering(CooperativeOTLPSpanExporter):
    """As users write them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([span for span in spans if span.name])


class Delegating:
    """Has every method, and no class of its own for it."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("kind", [Encoding, Named, EncodingOtherwise, AllOtherwise])
def test_an_exporter_that_can_encode_is_its_own_encoder(kind: type[Encoding]) -> None:
    exporter = kind()
    assert encoder_of(exporter) is exporter


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_those_of_this_package_are_also_on_a_disk(kind: Kind) -> None:
    exporter = kind.make("http://127.0.0.1:9")
    found: tuple[object, object] = encoder_of(exporter), storing_encoder_of(exporter)
    assert found == (exporter, exporter)
    assert exporter.signal == kind.signal.name
    exporter.shutdown()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("method", ["export", "export_and_report"])
def test_a_subclass_of_them_that_exports_in_a_way_of_its_own_is_none(kind: Kind, method: str) -> None:
    own = type("Own", (kind.make,), {method: getattr(kind.make, method)})  # type: ignore[arg-type]
    exporter = own("http://127.0.0.1:9")
    assert encoder_of(exporter) is None
    exporter.shutdown()


@pytest.mark.parametrize("kind", [ExportingOtherwise, ReportingOtherwise, EncodingAHalf])
def test_a_subclass_that_exports_in_a_way_of_its_own_is_not_bypassed(kind: type[Encoding]) -> None:
    assert encoder_of(kind()) is None


def test_a_filter_is_not_bypassed() -> None:
    exporter = Filtering("http://127.0.0.1:9")
    assert encoder_of(exporter) is None
    exporter.shutdown()


def test_an_exporter_that_cannot_encode_has_no_encoder() -> None:
    assert encoder_of(ConsoleSpanExporter()) is None
    assert encoder_of(SpanExporter()) is None
    delegating: Any = Delegating(Encoding())
    assert encoder_of(delegating) is None


class EncodingInAnotherForm(CooperativeOTLPSpanExporter):
    """Its payloads are none that the inherited methods write."""

    def encode_batch(self, batch: object) -> Any:
        return ObjectPayload(batch, 5, 5)

    def send_payload(self, payload: Payload) -> Delivery:
        return Delivery(ExportReport(Verdict.DELIVERED))

    def drop_payload(self, payload: Payload) -> None:
        pass


class NamedOTLP(CooperativeOTLPSpanExporter):
    """Overrides nothing."""


def test_what_a_subclass_encodes_that_overrides_nothing_can_lie_on_a_disk() -> None:
    exporter = NamedOTLP("http://127.0.0.1:9")
    found: object = storing_encoder_of(exporter)
    assert found is exporter
    assert exporter.signal == "spans"
    exporter.shutdown()


@pytest.mark.parametrize("kind", [Filtering, EncodingInAnotherForm])
def test_a_subclass_with_a_way_of_its_own_stays_in_memory(kind: type[CooperativeOTLPSpanExporter]) -> None:
    exporter = kind("http://127.0.0.1:9")
    assert storing_encoder_of(exporter) is None
    exporter.shutdown()


@pytest.mark.parametrize("exporter", [Encoding(), AllOtherwise(), ConsoleSpanExporter(), SpanExporter()])
def test_other_exporters_stay_in_memory(exporter: SpanExporter) -> None:
    assert storing_encoder_of(exporter) is None
