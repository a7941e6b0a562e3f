"""L3: what exports log is not exported. Each function runs in a plain process and in a patched one."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerSpanExporter,
    CircuitState,
    CircuitTransition,
    Retention,
)
from breaker_exporter._concurrency.disk_thread import run_here, start_job
from breaker_exporter._concurrency.export_thread import Job, Worker
from breaker_exporter._concurrency.exporting import is_exporting
from breaker_exporter._core.payload import Delivery, ObjectPayload
from breaker_exporter._core.report import ExportReport, Verdict
from breaker_exporter._core.sender import Sender
from breaker_exporter.testing import ManualClock, ScriptedExporter

from ._exported_logs import ExportedLogs, exporting_what_is_logged, handler_kinds, make_handler, on_root
from ._exporters import FAILURE, SUCCESS
from ._spans import spans
from ._waiting import Gate, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

foreign = logging.getLogger("foreign")


def _chatty(answer: object = SUCCESS) -> Callable[[object], object]:
    def chat(_: object) -> object:
        foreign.debug("inside")
        return answer

    return chat


class _Cooperative(ScriptedExporter):
    """Runs in a greenlet where there are greenlets, else on a thread as any."""

    cooperative = True


class _Encoding(ScriptedExporter):
    def encode_batch(self, batch: Sequence[object]) -> ObjectPayload:
        foreign.debug("inside")
        return ObjectPayload(batch, len(batch), 1)

    def send_payload(self, payload: object) -> Delivery:
        return Delivery(ExportReport(Verdict.DELIVERED))

    def drop_payload(self, payload: object) -> None: ...


def what_a_wrapped_exporter_logs_is_not_exported() -> None:
    """In whatever call, and though the handler is younger than the exporter."""
    for kind in (ScriptedExporter, _Cooperative):
        for retention in (None, Retention()):
            exporter = CircuitBreakerSpanExporter(
                kind(default=_chatty(), on_flush=_chatty(True), on_shutdown=_chatty()), retention=retention
            )
            for logs in exporting_what_is_logged():
                foreign.debug("before")
                exporter.export(spans(1))
                exporter.force_flush()
                foreign.debug("after")

                logs.wait_for("inside", 2)
                assert logs.lines == ["before", "after"]
            logs = ExportedLogs()
            with logs.attached():
                exporter.shutdown()

                logs.wait_for("inside", 1)
                assert logs.lines == []


def what_is_logged_while_a_batch_is_encoded_is_not_exported() -> None:
    """On the caller's side."""
    exporter = CircuitBreakerSpanExporter(_Encoding(), retention=Retention())
    for logs in exporting_what_is_logged():
        exporter.export(spans(1))

        logs.wait_for("inside", 1)
        assert logs.lines == []
        assert not is_exporting()


def of_our_own_lines_the_transitions_alone_are_exported_and_each_once() -> None:
    for logs in exporting_what_is_logged():
        clock = ManualClock()
        exporter = CircuitBreakerSpanExporter(
            ScriptedExporter([FAILURE, FAILURE]),
            name="traces",
            failure_threshold=1,
            cooldown=10,
            jitter=0,
            clock=clock,
        )
        for seconds in (0, 0, 10, 20):
            clock.advance(seconds)
            exporter.export(spans(1))
        exporter.shutdown()

        said = "\n".join(logs.everything)
        assert "refused" in said
        assert "probe failed" in said
        assert "stopped" in said
        opened, closed = logs.lines
        assert opened.startswith("traces: circuit opened")
        assert closed.startswith("traces: circuit closed")


class _Backend(InMemoryLogRecordExporter):
    is_down = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        foreign.debug("inside")
        return LogRecordExportResult.FAILURE if self.is_down else super().export(batch)


def a_record_that_is_exported_where_it_is_logged_makes_no_other() -> None:
    """But for the line of a transition, in the midst of the handler's work on another record."""
    for kind in handler_kinds():
        backend = _Backend()  # type: ignore[no-untyped-call]
        transitions: list[CircuitState] = []
        exporter = CircuitBreakerLogRecordExporter(
            backend,
            name="logs",
            failure_threshold=1,
            cooldown=0.02,
            listeners=[lambda transition, seen=transitions: seen.append(transition.new)],  # type: ignore[misc]
            retention=Retention(),
        )
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        with on_root(make_handler(kind, provider)):
            foreign.info("1")
            backend.is_down = True
            foreign.info("2")
            until(lambda seen=transitions: CircuitState.OPEN in seen)  # type: ignore[misc]
            foreign.info("3")
            backend.is_down = False
            until(lambda seen=transitions: CircuitState.CLOSED in seen)  # type: ignore[misc]
            foreign.info("4")
            exporter.shutdown()

        records = [record.log_record for record in backend.get_finished_logs()]
        said = sorted(str(record.body) for record in records)
        assert said[:4] == ["1", "2", "3", "4"]
        assert [line.split(" ")[2] for line in said[4:]] == ["closed", "opened:"], said


def what_a_listener_logs_is_the_applications() -> None:
    seen: list[bool] = []

    def listener(transition: CircuitTransition) -> None:
        seen.append(is_exporting())
        foreign.info("now %s", transition.new)

    for retention in (None, Retention()):
        exporter = CircuitBreakerSpanExporter(
            ScriptedExporter(default=FAILURE), failure_threshold=1, listeners=[listener], retention=retention
        )
        logs = ExportedLogs()
        with logs.attached():
            exporter.export(spans(1))
            until(lambda logs=logs: len(logs.lines) == 2)  # type: ignore[misc]

        assert logs.lines[1:] == ["now open"]
    assert seen == [False, False]


def what_the_sdk_logs_of_its_queue_is_not_exported() -> None:
    """Nor where that comes before anything of ours: no export has begun since the handler was made."""
    gate = Gate()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=lambda _: gate.wait() and SUCCESS))
    processor = BatchSpanProcessor(exporter, max_queue_size=2, max_export_batch_size=2)
    sdk = logging.getLogger("opentelemetry.sdk._shared_internal")
    for logs in exporting_what_is_logged():
        for duplicates in sdk.filters:  # which drops what it let through a moment ago
            vars(duplicates).pop("last_log", None) if isinstance(duplicates, logging.Filter) else None
        for span in spans(8):
            processor.on_end(span)

        if "Queue full, dropping Span." not in logs.everything:  # SDK 1.39 does not say it
            sdk.warning("Queue full, dropping Span.")

        assert "Queue full, dropping Span." in logs.everything
        assert logs.lines == []
    gate.open()
    processor.shutdown()  # type: ignore[no-untyped-call]


def what_the_sdks_exporters_log_is_not_exported() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    for logs in exporting_what_is_logged():
        exporter.export(spans(1))
        logging.getLogger("opentelemetry.exporter.otlp.proto.http").warning("theirs")
        logging.getLogger("opentelemetry.exporters").warning("mine")

        assert logs.everything == ["theirs", "mine"]
        assert logs.lines == ["mine"]


def a_record_that_is_handed_on_later_is_not_exported_either() -> None:
    """By a queue and its thread, and by a buffer: both in another context."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty()))
    for kind in handler_kinds():
        logs = ExportedLogs(kind)
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        listener = logging.handlers.QueueListener(waiting, logs.handler, logs.beside)
        buffer = logging.handlers.MemoryHandler(1000, target=logs.handler)
        with on_root(logging.handlers.QueueHandler(waiting), buffer):
            foreign.debug("before")
            exporter.export(spans(1))
            until(lambda waiting=waiting: waiting.qsize() == 2)  # type: ignore[misc]
            foreign.debug("after")
            listener.start()
            listener.stop()
            buffer.close()

        assert logs.everything == ["before", "inside", "after"]
        assert logs.lines == ["before", "after"] * 2


def a_handler_gets_one_filter_in_front_of_the_applications() -> None:
    for logs in exporting_what_is_logged():
        asked: list[str] = []
        logs.handler.addFilter(lambda record, asked=asked: asked.append(record.msg) or True)  # type: ignore[misc]
        for _ in range(2):
            another = logging.NullHandler()  # all are looked at again
            CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty())).export(spans(1))
            del another
        foreign.info("mine")

        assert len(logs.handler.filters) == 2
        assert asked == logs.lines == ["mine"]


def what_the_sender_sends_is_an_export_too() -> None:
    seen: list[bool] = []
    answers = iter([FAILURE, SUCCESS])

    def answer(_: object) -> object:
        seen.append(is_exporting())
        return next(answers)

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=answer), cooldown=0.02, failure_threshold=1, retention=Retention()
    )
    logs = ExportedLogs()
    with logs.attached():
        exporter.export(spans(1))
        until(lambda: len(logs.lines) == 2)

    assert seen == [True, True]
    assert [line.split(" ")[2] for line in logs.lines] == ["opened:", "closed"]
    assert run_here(lambda _: is_exporting()) is True
    assert not is_exporting()


def all_that_our_threads_do_is_work_for_an_exporter() -> None:
    """Also between two calls: what they log there is not exported."""
    on_disk = start_job(lambda _: is_exporting(), lambda: None)
    between: list[bool] = []
    sending: list[bool] = []
    worker = Worker()
    worker.submit(Job(lambda: between.append(is_exporting()) or True, lambda: None))  # type: ignore[func-returns-value]
    Sender("traces", lambda: sending.append(is_exporting())).wake()
    until(lambda: on_disk.is_done and between and sending)

    assert [on_disk.result()] == between == sending == [True]


def a_forked_child_exports_the_applications_lines_alone() -> None:
    """R5."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty()))
    logs = ExportedLogs()
    with logs.attached():
        exporter.export(spans(1))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                exporter.export(spans(1))
                foreign.debug("of the child")
                status = 0 if logs.lines == ["of the child"] else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
