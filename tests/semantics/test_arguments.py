"""Constructors are strict: a bad value names the argument, the value and the allowed range."""

from __future__ import annotations

import inspect
import math
import threading
from typing import TYPE_CHECKING, Any

import pybreaker
import pytest

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail

from ._spans import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

NUMBERS = ["cooldown", "max_cooldown", "jitter", "export_timeout", "switch_interval"]


def _make(**arguments: Any) -> CircuitBreakerSpanExporter:
    return CircuitBreakerSpanExporter(ScriptedExporter(), **arguments)


@pytest.mark.parametrize("argument", ["failure_threshold", *NUMBERS])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, True, False, "3", b"3", [3], {}, 3j])
def test_a_number_out_of_its_range_or_no_number_is_refused(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        _make(**{argument: value})

    said = str(caught.value)
    assert argument in said
    assert repr(value) in said
    assert len(said) > len(argument) + len(repr(value)) + 10, "the allowed range belongs into the message"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("failure_threshold", 0),
        ("failure_threshold", 1.5),
        ("failure_threshold", 3.0),
        ("jitter", 1.01),
        ("export_timeout", 0),
        ("switch_interval", 0),
        ("export_timeout", 0.0),
        ("name", ""),
        ("name", 5),
        ("name", b"otlp"),
        ("listeners", 5),
        ("listeners", [5]),
        ("listeners", ["listener"]),
        ("listeners", print),
        ("breaker", "closed"),
        ("breaker", pybreaker.CircuitBreaker),
        ("clock", 5),
        ("retention", 16 << 20),
        ("retention", True),
        ("retention", Retention),
    ],
)
def test_a_bad_value_is_refused_by_name(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match=argument):
        _make(**{argument: value})


def test_a_wrong_kind_is_a_type_error_and_a_wrong_size_a_value_error() -> None:
    with pytest.raises(TypeError):
        _make(cooldown="15")
    with pytest.raises(ValueError, match="cooldown"):
        _make(cooldown=-15)
    with pytest.raises(TypeError):
        _make(failure_threshold=2.5)
    with pytest.raises(ValueError, match="failure_threshold"):
        _make(failure_threshold=0)


def test_none_means_the_default() -> None:
    names = (
        "name",
        "failure_threshold",
        "cooldown",
        "max_cooldown",
        "jitter",
        "export_timeout",
        "listeners",
        "clock",
        "retention",
    )

    assert _make(**dict.fromkeys(names)).health() == _make().health()


def test_a_maximum_below_the_cooldown_is_refused_when_given() -> None:
    """C11."""
    with pytest.raises(ValueError, match="max_cooldown") as caught:
        _make(cooldown=30, max_cooldown=20)
    assert "20" in str(caught.value)
    assert "30" in str(caught.value)

    _make(cooldown=30, max_cooldown=30)
    _make(cooldown=300)


@pytest.mark.parametrize(
    "arguments",
    [
        {"failure_threshold": 3},
        {"cooldown": 15.0},
        {"max_cooldown": 60.0},
        {"jitter": 0.2},
        {"clock": ManualClock()},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_what_a_given_breaker_brings_along_cannot_be_given_beside_it(arguments: dict[str, Any]) -> None:
    """Not even a default, written out: it would be ignored."""
    with pytest.raises(TypeError, match=next(iter(arguments))):
        _make(breaker=pybreaker.CircuitBreaker(), **arguments)


def test_what_a_given_breaker_does_not_bring_along_can_be() -> None:
    _make(breaker=pybreaker.CircuitBreaker(), name="mine", export_timeout=3.0, listeners=[print])


@pytest.mark.parametrize("thing", [None, 5, "otlp", object(), lambda spans: None])
def test_only_something_with_an_export_can_be_wrapped(thing: object) -> None:
    with pytest.raises(TypeError, match="export"):
        CircuitBreakerSpanExporter(thing)  # type: ignore[call-overload]


def test_a_class_in_place_of_an_instance_is_refused_in_so_many_words() -> None:
    with pytest.raises(TypeError, match="class") as caught:
        CircuitBreakerSpanExporter(ScriptedExporter)  # type: ignore[call-overload]
    assert "ScriptedExporter" in str(caught.value)


def test_something_whose_export_cannot_be_called_is_refused() -> None:
    class Odd:
        export = 5

    with pytest.raises(TypeError, match="export"):
        CircuitBreakerSpanExporter(Odd())  # type: ignore[call-overload]


def test_our_own_exporter_is_not_wrapped_in_itself() -> None:
    with pytest.raises(ValueError, match="CircuitBreakerSpanExporter"):
        CircuitBreakerSpanExporter(_make())


def test_every_argument_after_the_first_is_keyword_only() -> None:
    parameters = list(inspect.signature(CircuitBreakerSpanExporter).parameters.values())

    assert parameters[0].name == "exporter"
    assert {parameter.kind for parameter in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}
    assert [parameter.name for parameter in parameters[1:]] == [
        "name",
        "failure_threshold",
        "cooldown",
        "max_cooldown",
        "jitter",
        "export_timeout",
        "listeners",
        "breaker",
        "circuit",
        "clock",
        "switch_interval",
        "retention",
    ]


def test_the_defaults_are_those_of_the_design() -> None:
    health = _make().health()

    assert (health.name, health.cooldown) == ("ScriptedExporter", 15.0)
    assert _make(name="otlp").health().name == "otlp"
    assert inspect.signature(CircuitBreakerSpanExporter).parameters["export_timeout"].default == 15.0


def test_the_default_circuit_opens_at_three_failures_and_doubles_from_15_to_60_seconds() -> None:
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), clock=clock)
    for failures in range(3):
        assert exporter.health().opened == 0, failures
        exporter.export(spans(1))

    seen = []
    for _ in range(4):
        health = exporter.health()
        seen.append(health.cooldown)
        assert health.retry_in is not None
        assert 0.8 * health.cooldown - 1e-6 <= health.retry_in <= health.cooldown
        clock.advance(health.cooldown)
        exporter.export(spans(1))

    assert seen == [15, 30, 60, 60]


def test_whole_numbers_are_seconds_too() -> None:
    assert _make(cooldown=5, max_cooldown=9, jitter=0, export_timeout=3).health().cooldown == 5


def test_anything_with_an_export_will_do() -> None:
    """P4: no base class is asked for."""

    class Duck:
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise NotImplementedError

    assert CircuitBreakerSpanExporter(Duck()).health().name == "Duck"  # type: ignore[call-overload]


def test_listeners_are_copied() -> None:
    """Changes of the list after that change nothing."""
    seen: list[object] = []
    listeners = [seen.append]
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, listeners=listeners)
    listeners.clear()

    exporter.export(spans(1))

    assert len(seen) == 1


def test_a_breakers_state_can_be_asked_for_before_the_first_export() -> None:
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=60)
    breaker.open()

    health = _make(breaker=breaker).health()

    assert health.retry_in is not None
    assert 0 < health.retry_in <= 60


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FAILURE_THRESHOLD", "COOLDOWN", "MAX_COOLDOWN", "EXPORT_TIMEOUT", "SHUTDOWN_TIMEOUT"):
        monkeypatch.setenv(f"BREAKER_EXPORTER_{name}", "7")

    assert _make().health().cooldown == 15.0


def test_the_constructor_starts_no_thread() -> None:
    """P4: made before a fork or a monkey patch, it must carry nothing over."""
    before = threading.active_count()
    _make()
    assert threading.active_count() == before
