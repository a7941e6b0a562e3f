"""Public names as an editor, a REPL and ``help`` show them."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import pkgutil
import pydoc
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, UnionType
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

import breaker_exporter
from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
    CircuitState,
    CircuitTransition,
    ExportReport,
    ReportingSpanExporter,
    Retention,
    SharedCircuit,
    Verdict,
)
from breaker_exporter.gunicorn import hooks
from breaker_exporter.otlp import (
    CooperativeOTLPLogRecordExporter,
    CooperativeOTLPMetricExporter,
    CooperativeOTLPSpanExporter,
    OTLPGrpcLogRecordExporter,
    OTLPGrpcMetricExporter,
    OTLPGrpcSpanExporter,
)
from breaker_exporter.sentry import Sentry, SentryMode
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import (
    Call,
    FaultyCollector,
    ManualClock,
    ReceivedCounts,
    ReceivedDataPoint,
    ReceivedLogRecord,
    ReceivedSentryItem,
    ReceivedSpan,
    ScriptedExporter,
    ScriptedLogRecordExporter,
    ScriptedMetricExporter,
    hang,
)

MODULES = ("gunicorn", "instrumentation", "otlp", "sentry", "telemetry", "testing")
NAMES = [
    (module, name)
    for module in ("breaker_exporter", *(f"breaker_exporter.{each}" for each in MODULES))
    for name in importlib.import_module(module).__all__
]
EVERY_NAME = pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(each) for each in NAMES])
BY_CONTRACT = ("MetricExporter.export", "MetricExporter.shutdown")
"""OpenTelemetry's own have ``**kwargs``, as do those of ours with such an ending."""
NOT_AT_THE_BEGINNING = ("who", "what", "whether", "where", "how")

INSTANCES: dict[str, Callable[[], object]] = {
    "Call": lambda: Call((), 1, 0.0),
    "CircuitBreakerLogRecordExporter": lambda: CircuitBreakerLogRecordExporter(ConsoleLogRecordExporter()),
    "CircuitBreakerMetricExporter": lambda: CircuitBreakerMetricExporter(ConsoleMetricExporter()),
    "CircuitBreakerSpanExporter": lambda: CircuitBreakerSpanExporter(ScriptedExporter(), name="otlp"),
    "CircuitTransition": lambda: CircuitTransition(
        "otlp", CircuitState.CLOSED, CircuitState.OPEN, 0.0, "connection refused", 15.0, 3
    ),
    "CooperativeOTLPLogRecordExporter": lambda: CooperativeOTLPLogRecordExporter("http://collector:4318"),
    "CooperativeOTLPMetricExporter": lambda: CooperativeOTLPMetricExporter("http://collector:4318"),
    "CooperativeOTLPSpanExporter": lambda: CooperativeOTLPSpanExporter("http://collector:4318/v1/traces"),
    "ExporterHealth": lambda: CircuitBreakerSpanExporter(ScriptedExporter()).health(),
    "ExportReport": lambda: ExportReport(Verdict.FAILED, reason="HTTP 503"),
    "FaultyCollector": FaultyCollector,
    "Hooks": lambda: hooks(Telemetry(service_name="shop")),
    "ManualClock": ManualClock,
    "OTLPGrpcLogRecordExporter": lambda: OTLPGrpcLogRecordExporter("http://collector:4317"),
    "OTLPGrpcMetricExporter": lambda: OTLPGrpcMetricExporter("http://collector:4317"),
    "OTLPGrpcSpanExporter": lambda: OTLPGrpcSpanExporter("http://collector:4317"),
    "Outcome": lambda: hang,
    "ReceivedCounts": lambda: ReceivedCounts(0, 0, 0, 0, 0, 0, 0, 0, 0),
    "ReceivedDataPoint": lambda: ReceivedDataPoint(
        "sold", "sum", "1", "delta", True, 2, None, None, (), 0, 0, "", {}, {}
    ),
    "ReceivedLogRecord": lambda: ReceivedLogRecord("sold", 9, "INFO", None, None, None, 0, 0, "", {}, {}),
    "ReceivedSentryItem": lambda: ReceivedSentryItem("event", None, {}, 0, None),
    "ReceivedSpan": lambda: ReceivedSpan("0", "0", None, "sell", "internal", "ok", 0, 0, "", {}, {}),
    "Retention": Retention,
    "ScriptedExporter": lambda: ScriptedExporter([len, hang]),
    "ScriptedLogRecordExporter": lambda: ScriptedLogRecordExporter([len, hang]),
    "ScriptedMetricExporter": lambda: ScriptedMetricExporter([len, hang]),
    "Sentry": lambda: Sentry(mode=SentryMode.OTLP),
    "SharedCircuit": SharedCircuit,
    "Telemetry": lambda: Telemetry(service_name="shop"),
}


def value_of(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def described(value: Any) -> Iterator[tuple[str, str]]:
    """The docstring of a public name, and of what a class of ours defines for its users."""
    yield "", inspect.getdoc(value) or ""
    members: dict[str, Any] = {}
    for kind in reversed(value.__mro__) if isinstance(value, type) else ():
        if kind.__module__.startswith("breaker_exporter."):
            members |= vars(kind)
    for name, member in members.items():
        if not name.startswith("_") and isinstance(member, FunctionType | property | classmethod):
            yield f".{name}", inspect.getdoc(member) or ""


def without_address(text: str) -> bool:
    return re.search(r"\bat 0x[0-9a-f]+", text) is None


def test_all_public_modules_are_looked_at() -> None:
    found = {each.name for each in pkgutil.iter_modules(breaker_exporter.__path__)}

    assert sorted(name for name in found if not name.startswith("_")) == list(MODULES)


@pytest.mark.parametrize("module", dict.fromkeys(module for module, _ in NAMES))
def test_a_module_lists_its_public_names_in_order_and_says_what_it_is_for(module: str) -> None:
    found = importlib.import_module(module)

    assert found.__all__ == sorted(found.__all__)
    assert set(found.__all__) <= set(dir(found))
    summary, _, rest = (found.__doc__ or "").partition("\n")
    assert summary.endswith(".")
    assert rest.startswith("\n") or not rest


@EVERY_NAME
def test_a_public_name_has_a_docstring_with_one_summary_line(module: str, name: str) -> None:
    value = value_of(module, name)
    if isinstance(value, UnionType):
        return
    for member, doc in described(value):
        summary, _, rest = doc.partition("\n")
        assert summary.endswith("."), f"{name}{member}: {summary!r}"
        assert not rest or rest.startswith("\n"), f"{name}{member}: more than one line: {doc!r}"
        assert summary.split()[0].lower() not in NOT_AT_THE_BEGINNING, f"{name}{member}: {summary!r}"


@EVERY_NAME
def test_a_public_name_has_a_signature_that_tells_its_arguments(module: str, name: str) -> None:
    value = value_of(module, name)
    callables = [value] if callable(value) else []
    if isinstance(value, type):
        callables += [each for key, each in vars(value).items() if key[0] != "_" and inspect.isfunction(each)]
        if issubclass(value, enum.Enum | BaseException):
            callables.remove(value)
    for each in callables:
        shown = str(inspect.signature(each))
        assert "*args" not in shown, shown
        assert "**kwargs" not in shown or each.__qualname__.endswith(BY_CONTRACT), shown
        assert without_address(shown), shown


@EVERY_NAME
def test_help_reads_without_an_error_and_shows_no_address(module: str, name: str) -> None:
    value = value_of(module, name)
    text = pydoc.plain(pydoc.render_doc(value))
    text = re.sub(r"__classdictcell__ = .*", "", text)  # Python 3.15 leaves one in each NamedTuple

    assert getattr(value, "__name__", "") in text
    assert without_address(text), text


@EVERY_NAME
def test_a_representation_of_its_own_has_no_address(module: str, name: str) -> None:
    value = value_of(module, name)
    if not isinstance(value, type):
        assert isinstance(value, FunctionType) or without_address(repr(value))
    elif name in INSTANCES:
        assert without_address(repr(INSTANCES[name]()))
    else:
        assert issubclass(value, enum.Enum | BaseException) or value is ReportingSpanExporter


def test_help_opens_with_what_the_package_is_for() -> None:
    opening = pydoc.plain(pydoc.render_doc(breaker_exporter))[:400]

    assert "A circuit breaker around any OpenTelemetry exporter" in opening


@pytest.mark.parametrize(
    "kind", [CircuitBreakerSpanExporter, CircuitBreakerLogRecordExporter, CircuitBreakerMetricExporter]
)
def test_help_explains_each_argument_of_a_circuit_breaker(kind: type) -> None:
    """They have the constructor of one base class."""
    text = pydoc.plain(pydoc.render_doc(kind))

    for name in list(inspect.signature(kind).parameters)[1:]:
        assert re.search(rf"^ +\|  +{name}: [A-Z`]", text, re.M), name


def test_the_defaults_of_the_circuit_breaker_are_those_in_force() -> None:
    shown = inspect.signature(CircuitBreakerSpanExporter).parameters
    defaults = {name: each.default for name, each in shown.items() if name != "exporter"}
    without = CircuitBreakerSpanExporter(ScriptedExporter())
    given = CircuitBreakerSpanExporter(ScriptedExporter(), **defaults)

    assert defaults["failure_threshold"] == 3
    assert given.health() == without.health()
    assert given.health().cooldown == defaults["cooldown"] == 15.0


def test_a_class_that_reports_shows_its_own_arguments() -> None:
    class Mine(ReportingSpanExporter):
        def __init__(self, endpoint: str) -> None: ...

    assert str(inspect.signature(ReportingSpanExporter)) == "()"
    assert str(inspect.signature(Mine)) == "(endpoint: 'str') -> 'None'"


def test_a_hook_says_what_it_is_and_where_it_goes() -> None:
    for name, hook in hooks(Telemetry(service_name="shop"))._asdict().items():
        assert repr(hook) == (
            f"<breaker_exporter's {name} hook for gunicorn.conf.py, over <Telemetry of 'shop', not running>>"
        )
        assert hook.__doc__


def test_what_a_user_writes_is_type_checked_for_every_public_name() -> None:
    tree = ast.parse(Path(__file__).with_name("api.py").read_text())
    written = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    written |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert {name for _, name in NAMES} - written == set()
