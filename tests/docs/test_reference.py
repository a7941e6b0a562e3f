"""The tables of the reference pages say what the code says."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitTransition, ExporterHealth, Verdict
from breaker_exporter.instrumentation import observe
from breaker_exporter.otlp._send.statuses import GRPC, HTTP
from breaker_exporter.otlp._signals import SIGNALS
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault
from breaker_exporter.testing._fault_settings import SETTINGS

from ._pages import ROOT

_BY_SIGNAL = ("exported", "inflight")
"""The ends of metrics' names that have the signal in them."""
SOURCE = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(r"^#+ ", (ROOT / "docs" / page).read_text().split(f"# {heading}\n", 1)[1], flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in `text`, without headers."""
    tables = re.findall(r"^\|.*\n\|[ -|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(text: str) -> set[str]:
    """Return the code in the first column of all tables."""
    return {name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize(
    ("kind", "heading"), [(ExporterHealth, "health()"), (CircuitTransition, "Transitions")]
)
def test_each_field_is_explained(kind: type, heading: str) -> None:
    fields = {field.name for field in dataclasses.fields(kind)}
    assert names(section("reference/health-and-metrics.md", heading)) == fields


def test_each_metric_is_explained() -> None:
    documented = names(section("reference/health-and-metrics.md", "Metrics"))
    found = set(re.findall(r"``((?:otel|breaker_exporter)\.[\w.]+)``", inspect.getdoc(observe) or ""))

    assert found - {"otel.component.name", "otel.component.type"} <= documented
    made = {f"otel.sdk.exporter.{signal.counted}.{what}" for signal in SIGNALS for what in _BY_SIGNAL}
    assert made <= documented
    assert all(f'"{name}"' in SOURCE for name in documented - made)


def test_each_argument_of_the_span_exporter_is_explained_with_its_default() -> None:
    documented = rows(section("reference/settings.md", "Arguments of CircuitBreakerSpanExporter"))
    parameters = inspect.signature(CircuitBreakerSpanExporter).parameters

    assert {row[0].strip("`") for row in documented} == set(parameters)
    for name, default in ((row[0].strip("`"), row[1]) for row in documented):
        if re.fullmatch(r"[\d.]+", default):
            assert parameters[name].default == float(default), name


def test_each_argument_of_telemetry_is_explained() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for name in inspect.signature(Telemetry).parameters:
        assert f"| `{name}` |" in page, name


def test_each_fault_is_explained_with_its_settings_and_their_defaults() -> None:
    table = rows(section("reference/faults.md", "Faults"))

    assert [row[0].strip("`") for row in table] == [fault.value for fault in Fault]
    for row in table:
        known = SETTINGS.get(Fault(row[0].strip("`")), {})
        assert set(re.findall(r"`(\w+)`", row[4])) == known.keys()
        for name, (_, default) in known.items():
            if default is not None:
                shown = "4 MiB" if default == 4 << 20 else f"{default:g}"
                assert f"`{name}`, {shown}" in row[4]


def test_each_status_has_a_row_by_either_protocol() -> None:
    lines = rows(section("reference/answers.md", "Statuses"))

    for column, statuses in enumerate([map(str, HTTP), iter(GRPC)]):
        named = {name for row in lines for name in row[column].split(", ")}
        assert {*statuses, "any other"} <= named


def test_each_verdict_is_explained() -> None:
    text = section("how-to/wrap-an-official-exporter.md", "An exporter of your own")
    assert names(text) == {verdict.name for verdict in Verdict}


@pytest.mark.parametrize(
    "page",
    [
        ROOT / "docs/reference/log-lines.md",
        ROOT / "docs/tutorial/first-outage.md",
        ROOT / "docs/how-to/gunicorn-and-gevent.md",
        ROOT / "docs/how-to/logs-and-metrics.md",
    ],
    ids=lambda path: path.stem,
)
def test_each_log_line_that_is_shown_can_be_logged(page: Path) -> None:
    shown = re.findall(r"^\[?(?:INFO|WARNING)\]? (.+)$", page.read_text(), re.MULTILINE)

    assert shown
    for line in shown:
        text = re.sub(r"^collector[\w, ]* \([^)]*\): (\d+ spans )?", "", line)
        words = re.match(r"[a-z ]+", text)
        assert words is not None, line
        assert words[0].strip() in SOURCE, line
    for first in names(section("reference/log-lines.md", "Log lines")):
        for part in first.replace(" spans", "").split("..."):
            assert part.strip(" :;") in SOURCE, first
