"""Headers between services: Sentry's stand beside those that the process propagates already."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import TraceFlags, format_span_id, format_trace_id

from breaker_exporter.sentry import SentryMode

from ._sentry import Connected, Ids, MakeProvider, ids_of

MODES = pytest.mark.parametrize("mode", [SentryMode.OTLP, SentryMode.SPAN_PROCESSOR])
W3C = Ids("aa" * 16, "bb" * 8)
SENTRYS = Ids("cc" * 16, "dd" * 8)
TRACEPARENT = f"00-{W3C.trace_id}-{W3C.span_id}-01"
SENTRY_TRACE = f"{SENTRYS.trace_id}-{SENTRYS.span_id}-1"


class House(TextMapPropagator):
    """A propagator of the application's own."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        found = getter.get(carrier, "x-house")
        return baggage.set_baggage("house", found[0], context) if found else context or Context()

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        setter.set(carrier, "x-house", "blue")

    @property
    def fields(self) -> set[str]:
        return {"x-house"}


def members(carrier: dict[str, str]) -> dict[str, str]:
    """The members of the baggage header; each name once."""
    pairs = [member.strip().split("=", 1) for member in carrier["baggage"].split(",")]
    found = dict(pairs)
    assert len(found) == len(pairs), f"twice the same: {pairs}"
    return found


def seen(context: Context) -> Ids:
    found = trace.get_current_span(context).get_span_context()
    return Ids(format_trace_id(found.trace_id), format_span_id(found.span_id))


@MODES
def test_both_trace_headers_are_propagated_and_name_the_same_span(
    provider: TracerProvider, connected: Connected, mode: SentryMode
) -> None:
    connected(mode=mode)
    carrier: dict[str, str] = {}

    with provider.get_tracer("shop").start_as_current_span("request") as span:
        propagate.inject(carrier)

    ids = ids_of(span)
    w3c = carrier["traceparent"].split("-")
    assert (w3c[:3], int(w3c[3]) & TraceFlags.SAMPLED) == (["00", ids.trace_id, ids.span_id], 1)
    assert carrier["sentry-trace"] == f"{ids.trace_id}-{ids.span_id}-1"


def test_the_rate_for_sentry_does_not_decide_for_other_services(
    provider: TracerProvider, connected: Connected
) -> None:
    connected(mode=SentryMode.SPAN_PROCESSOR, traces_sample_rate=0)
    carrier: dict[str, str] = {}

    with provider.get_tracer("shop").start_as_current_span("request"):
        propagate.inject(carrier)

    assert int(carrier["traceparent"][-2:]) & TraceFlags.SAMPLED
    assert carrier["sentry-trace"].endswith("-0")


@MODES
@pytest.mark.parametrize("arrives", ["sentry-trace", "both"])
def test_one_baggage_header_has_the_applications_members_and_sentrys_once_each(
    provider: TracerProvider, connected: Connected, mode: SentryMode, arrives: str
) -> None:
    connected(mode=mode)
    headers = {
        "sentry-trace": f"{W3C.trace_id}-{W3C.span_id}-1",
        "baggage": f"tenant=north%20sea,sentry-trace_id={W3C.trace_id},sentry-release=web%401",
    }
    if arrives == "both":
        headers["traceparent"] = TRACEPARENT
    carrier: dict[str, str] = {}

    context = baggage.set_baggage("cart", "7", propagate.extract(headers))
    with provider.get_tracer("shop").start_as_current_span("request", context=context) as span:
        propagate.inject(carrier, trace.set_span_in_context(span, context))

    assert ids_of(span).trace_id == W3C.trace_id
    found = members(carrier)
    assert (found["tenant"], found["cart"]) in {("north+sea", "7"), ("north%20sea", "7")}
    assert (found["sentry-trace_id"], found["sentry-release"]) == (W3C.trace_id, "web%401")


@MODES
def test_baggage_without_a_trace_is_propagated(
    provider: TracerProvider, connected: Connected, mode: SentryMode
) -> None:
    connected(mode=mode)
    carrier: dict[str, str] = {}

    with provider.get_tracer("shop").start_as_current_span("request") as span:
        propagate.inject(carrier, baggage.set_baggage("cart", "7", trace.set_span_in_context(span)))

    assert members(carrier)["cart"] == "7"


def test_the_first_service_of_a_trace_writes_sentrys_baggage_itself(
    provider: TracerProvider, connected: Connected
) -> None:
    connected(mode=SentryMode.SPAN_PROCESSOR)
    carrier: dict[str, str] = {}

    with provider.get_tracer("shop").start_as_current_span("request") as span:
        propagate.inject(carrier, baggage.set_baggage("cart", "7", trace.set_span_in_context(span)))

    found = members(carrier)
    assert (found["cart"], found["sentry-trace_id"]) == ("7", ids_of(span).trace_id)


@MODES
@pytest.mark.parametrize(
    ("headers", "joined"),
    [
        ({"traceparent": TRACEPARENT, "sentry-trace": SENTRY_TRACE}, W3C),
        ({"traceparent": TRACEPARENT}, W3C),
        ({"sentry-trace": SENTRY_TRACE}, SENTRYS),
        ({"traceparent": "00-nonsense", "sentry-trace": SENTRY_TRACE}, SENTRYS),
        ({"traceparent": TRACEPARENT, "sentry-trace": "nonsense"}, W3C),
    ],
)
def test_a_request_joins_the_w3c_trace_else_sentrys(
    provider: TracerProvider,
    connected: Connected,
    mode: SentryMode,
    headers: dict[str, str],
    joined: Ids,
) -> None:
    connected(mode=mode)

    context = propagate.extract(headers)
    with provider.get_tracer("shop").start_as_current_span("request", context=context) as span:
        parent = span.parent  # type: ignore[attr-defined]

    assert seen(context) == joined
    assert ids_of(span).trace_id == joined.trace_id
    assert (format_span_id(parent.span_id), parent.trace_flags) == (joined.span_id, TraceFlags.SAMPLED)


@MODES
def test_a_message_without_headers_joins_nothing_even_within_a_span(
    provider: TracerProvider, connected: Connected, mode: SentryMode
) -> None:
    """As without Sentry: what is extracted from a carrier is the carrier's."""
    with provider.get_tracer("shop").start_as_current_span("poll"):
        assert seen(propagate.extract({})) == Ids("0" * 32, "0" * 16)
        connected(mode=mode)
        assert seen(propagate.extract({})) == Ids("0" * 32, "0" * 16)


@MODES
def test_a_second_connection_adds_no_second_propagator(
    make_provider: MakeProvider, connected: Connected, mode: SentryMode
) -> None:
    connected(mode=mode)
    once = propagate.get_global_textmap()

    connected(mode=mode)
    Connected(make_provider(), connected.dsn)(mode=mode)

    assert propagate.get_global_textmap() is once


@MODES
def test_the_applications_propagator_stays(
    provider: TracerProvider, connected: Connected, mode: SentryMode
) -> None:
    propagate.set_global_textmap(House())
    connected(mode=mode)
    carrier: dict[str, str] = {}

    with provider.get_tracer("shop").start_as_current_span("request"):
        propagate.inject(carrier)

    assert carrier["x-house"] == "blue"
    assert "sentry-trace" in carrier
    assert "traceparent" not in carrier
    assert baggage.get_baggage("house", propagate.extract({"x-house": "red"})) == "red"
    assert {"x-house", "sentry-trace"} <= propagate.get_global_textmap().fields


@MODES
def test_without_a_span_no_trace_header_is_propagated(connected: Connected, mode: SentryMode) -> None:
    connected(mode=mode)
    carrier: dict[str, str] = {}

    propagate.inject(carrier, baggage.set_baggage("cart", "7"))

    assert carrier == {"baggage": "cart=7"}


@MODES
@pytest.mark.parametrize("header", ["1", "-", "ee" * 16, "ee" * 16 + "-1", "", "nonsense"])
def test_a_header_that_sentrys_propagator_cannot_read_raises_nothing(
    connected: Connected, mode: SentryMode, header: str
) -> None:
    """It raised for some of these, and each request with one was a 500 and an event."""
    connected(mode=mode)

    alone = propagate.extract({"sentry-trace": header})
    beside = propagate.extract({"sentry-trace": header, "traceparent": TRACEPARENT})

    assert not trace.get_current_span(alone).get_span_context().is_valid
    assert seen(beside) == W3C


@MODES
def test_sentrys_baggage_of_a_trace_that_is_not_joined_is_not_passed_on(
    provider: TracerProvider, connected: Connected, mode: SentryMode
) -> None:
    connected(mode=mode)
    incoming = {
        "traceparent": TRACEPARENT,
        "sentry-trace": SENTRY_TRACE,
        "baggage": f"sentry-trace_id={SENTRYS.trace_id}",
    }

    outgoing: dict[str, str] = {}
    with provider.get_tracer("shop").start_as_current_span("request", propagate.extract(incoming)):
        propagate.inject(outgoing)

    assert outgoing["sentry-trace"].startswith(W3C.trace_id)
    others = members(outgoing).get("sentry-trace_id") if mode is SentryMode.SPAN_PROCESSOR else None
    assert others in (None, W3C.trace_id)
