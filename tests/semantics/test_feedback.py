"""L3: what exports log is not exported, in plain processes and in those that gevent patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter._concurrency import log_feedback
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

from . import feedback_programs, feedback_scenarios
from ._batches import scenarios
from ._exported_logs import exporting_what_is_logged
from ._processes import run_code, run_patched, run_plain
from ._spans import spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter.testing import FaultyCollector

    from ._batches import Batches


@pytest.mark.parametrize("scenario", scenarios(feedback_scenarios))
def test_in_a_plain_process(scenario: Callable[[], None]) -> None:
    scenario()


@pytest.mark.parametrize("scenario", scenarios(feedback_scenarios))
def test_in_a_patched_process(scenario: Callable[[], None], batches: Batches) -> None:
    """A scenario that did not run in the shared process, or hung there, gets a process of its own."""
    pytest.importorskip("gevent")
    failure = batches.became(scenario)
    if failure is None:
        run_patched(scenario)
    else:
        assert not failure, failure


def test_real_exporters_of_a_plain_process() -> None:
    run_plain(feedback_programs.all_exporters_export_the_applications_records_and_the_transitions_alone)


def test_real_exporters_of_a_patched_process() -> None:
    pytest.importorskip("gevent")
    run_patched(feedback_programs.all_exporters_export_the_applications_records_and_the_transitions_alone)


def test_without_pythons_list_of_handlers_those_of_loggers_are_guarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_feedback, "_made", [])

    feedback_scenarios.what_a_wrapped_exporter_logs_is_not_exported()


def test_an_otlp_exporter_needs_no_circuit_breaker_for_that(collector: FaultyCollector) -> None:
    exporter = CooperativeOTLPSpanExporter(collector.http_endpoint)
    for logs in exporting_what_is_logged():
        assert exporter.export(spans(1)) is SpanExportResult.SUCCESS

        assert any("/v1/traces" in line for line in logs.everything)
        assert logs.lines == []
    exporter.shutdown()


UNHEARD = """
import logging, sys, warnings
warnings.simplefilter("ignore")
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._base.log import logger, say
from breaker_exporter.testing import ScriptedExporter

CircuitBreakerSpanExporter(ScriptedExporter())
root = logging.getLogger()
root.setLevel("INFO")
root.addHandler(LoggingHandler(logger_provider=LoggerProvider()))
say(logging.INFO, "quiet")
say(logging.WARNING, "lost")
logger.propagate = False
logger.addHandler(root.handlers[0])
say(logging.WARNING, "lost too")
logger.addHandler(logging.NullHandler())
say(logging.WARNING, "heard")
logger.handlers.pop()
logging.lastResort = None
say(logging.WARNING, "unwanted")
"""


def test_a_loss_is_told_as_by_a_logger_without_handlers_where_all_handlers_export() -> None:
    # At an exit of Python 3.12, the SDK's handler fails to start a thread, and Python says so.
    said = run_code(UNHEARD).splitlines()
    assert [line for line in said if line in {"lost", "lost too", "unwanted"}] == ["lost", "lost too"]


def test_traces_alone_load_no_logs() -> None:
    run_code(
        "import sys\n"
        "from breaker_exporter import CircuitBreakerSpanExporter\n"
        "from breaker_exporter.testing import ScriptedExporter\n"
        "CircuitBreakerSpanExporter(ScriptedExporter()).shutdown()\n"
        "assert not [name for name in sys.modules if '_logs' in name], sorted(sys.modules)"
    )
