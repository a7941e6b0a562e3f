"""Gunicorn's workers at their end: every class, every signal, and classes that end in ways of their own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter._concurrency.state_lock import new_state_lock
from breaker_exporter._wiring.worker_checks import check_patch, check_start
from breaker_exporter._wiring.worker_end import prepare_end
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._waiting import until

CONF = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit\n"

WSGI = """
import os
from opentelemetry import trace

tracer = trace.get_tracer("shop")

def app(environ, start_response):
    with tracer.start_as_current_span("request") as span:
        pass
    while environ["PATH_INFO"] == "/hang":
        pass
    start_response("200 OK", [])
    return [f"{os.getpid()} {span.get_span_context().span_id:016x}".encode()]
"""

ASGI = """
import os
from opentelemetry import trace

tracer = trace.get_tracer("shop")

async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    with tracer.start_as_current_span("request") as span:
        pass
    while scope["path"] == "/hang":
        pass
    body = f"{os.getpid()} {span.get_span_context().span_id:016x}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""

HOSTILE = """
import os, signal, sys
from gunicorn.workers.sync import SyncWorker

class ExitsWhereItStarted(SyncWorker):
    def init_process(self):
        super().init_process()
        os._exit(0)

class ExitsAfterItsRun(SyncWorker):
    def run(self):
        super().run()
        os._exit(0)

class ExitsInItsHandler(SyncWorker):
    def init_signals(self):
        super().init_signals()
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))

class LeavesByException(SyncWorker):
    def run(self):
        super().run()
        raise RuntimeError("the end")

class IsAliveToTheEnd(SyncWorker):
    told = False

    def handle_exit(self, number, frame):
        self.told = True

    def wait(self, timeout):
        if self.told:
            sys.exit(0)
        return super().wait(timeout)

class HasNoHandlers(SyncWorker):
    def init_signals(self):
        super().init_signals()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

class LosesItsHandlerLater(SyncWorker):
    def run(self):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        super().run()

class StartsByItself(SyncWorker):
    def init_process(self):
        self.PIPE = os.pipe()
        for end in self.PIPE:
            os.set_blocking(end, False)
        self.wait_fds = [*self.sockets, self.PIPE[0]]
        self.init_signals()
        self.load_wsgi()
        self.run()
"""

UVICORN = ("uvicorn.workers.UvicornWorker", "uvicorn_worker.UvicornWorker", "uvicorn_worker.UvicornH11Worker")


def served(collector: FaultyCollector, worker: str, *args: str) -> GunicornService:
    return GunicornService(
        ASGI if worker in (*UVICORN, "asgi") else WSGI,
        conf=CONF,
        more={"hostile.py": HOSTILE},
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, "OTEL_BSP_SCHEDULE_DELAY": "60000"},
        args=["-k", worker, *args],
    )


def ask(service: GunicornService) -> tuple[int, str]:
    pid, span = service.get().split()
    return int(pid), span


@pytest.mark.parametrize(
    "worker",
    [
        *("gevent_pywsgi", "tornado", "asgi", *UVICORN),
        *("hostile.LeavesByException", "hostile.IsAliveToTheEnd", "hostile.HasNoHandlers"),
    ],
)
def test_the_queue_at_sigterm_arrives_once_from_every_kind_of_worker(
    collector: FaultyCollector, worker: str
) -> None:
    with served(collector, worker) as service:
        spans = {ask(service)[1] for _ in range(3)}
        ended = service.terminate()

    assert collector.span_ids == spans
    assert collector.duplicates == 0
    assert ended.returncode == 0
    assert "may be lost" not in service.output


@pytest.mark.parametrize("worker", ["ExitsWhereItStarted", "ExitsAfterItsRun", "ExitsInItsHandler"])
def test_a_worker_that_calls_os_exit_is_flushed_when_it_is_told_to_stop_and_named(
    collector: FaultyCollector, worker: str
) -> None:
    with served(collector, f"hostile.{worker}") as service:
        spans = {ask(service)[1] for _ in range(3)}
        service.terminate()

    assert collector.span_ids == spans
    assert service.output.count(f"{worker} calls os._exit") == 1


def test_a_worker_that_a_signal_will_end_without_notice_is_named(collector: FaultyCollector) -> None:
    with served(collector, "hostile.LosesItsHandlerLater") as service:
        ask(service)
        service.wait_for_line("SIGTERM ends this LosesItsHandlerLater at once")
        service.terminate()

    assert service.output.count("SIGTERM ends this") == 1


def test_a_worker_in_which_no_telemetry_will_start_is_named(collector: FaultyCollector) -> None:
    with served(collector, "hostile.StartsByItself") as service:
        service.wait_for_line("no spans are exported: StartsByItself.init_process does not call Gunicorn's")
        service.get()
        service.terminate()

    assert service.output.count("no spans are exported") == 1


@pytest.mark.parametrize(
    ("worker", "number"),
    [
        ("sync", signal.SIGHUP),
        ("gevent", signal.SIGHUP),
        ("gevent", signal.SIGQUIT),
        ("sync", signal.SIGINT),
        (UVICORN[1], signal.SIGINT),
        (UVICORN[1], signal.SIGHUP),
    ],
)
def test_the_queue_is_exported_before_any_signal_ends_a_worker(
    collector: FaultyCollector, worker: str, number: signal.Signals
) -> None:
    with served(collector, worker) as service:
        pid, span = ask(service)
        os.kill(pid, number)
        service.wait_for_line(rf"Worker exiting \(pid: {pid}\)|Worker \(pid:{pid}\) was sent {number.name}")
        service.wait_for_line("Booting worker with pid: (?!" + str(pid) + ")")

        assert span in collector.span_ids
        assert collector.duplicates == 0


@pytest.mark.parametrize("worker", ["sync", "gevent", UVICORN[1]])
def test_a_reload_lets_the_old_workers_export_their_queue(collector: FaultyCollector, worker: str) -> None:
    with served(collector, worker) as service:
        pid, span = ask(service)
        os.kill(service.pid, signal.SIGHUP)
        service.wait_for_line("Booting worker with pid: (?!" + str(pid) + ")")
        until(lambda: span in collector.span_ids)
        service.terminate()

    assert collector.duplicates == 0


def test_a_uvicorn_worker_that_is_recycled_exports_its_queue_first(collector: FaultyCollector) -> None:
    with served(collector, UVICORN[1], "--max-requests", "2") as service:
        pid, first = ask(service)
        ask(service)
        service.wait_for_line("Booting worker with pid: (?!" + str(pid) + ")")
        until(lambda: first in collector.span_ids)
        service.terminate()

    assert collector.duplicates == 0


@pytest.mark.parametrize("worker", ["sync", "asgi", UVICORN[1]])
def test_a_worker_that_hangs_is_flushed_before_gunicorn_kills_it(
    collector: FaultyCollector, worker: str
) -> None:
    """SIGABRT, and SIGKILL a second later."""
    with served(collector, worker, "--timeout", "2") as service:
        pid, span = ask(service)

        def ask_for_long() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                service.get("/hang", timeout=20)

        asking = threading.Thread(target=ask_for_long)
        asking.start()
        service.wait_for_line(rf"WORKER TIMEOUT \(pid:{pid}\)", timeout=30)
        service.wait_for_line("Booting worker with pid: (?!" + str(pid) + ")", timeout=30)
        asking.join()

    assert span in collector.span_ids
    assert collector.duplicates == 0


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signal handlers as they were, afterwards; by default, meanwhile."""
    numbers = (signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGURG)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def telemetry(collector: FaultyCollector, provider: TracerProvider) -> Iterator[Telemetry]:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    yield telemetry
    telemetry.stop()


class Quiet:
    """A worker that does not say whether it goes on."""


def sell(telemetry: Telemetry) -> None:
    assert telemetry.provider is not None
    telemetry.provider.get_tracer("tests").start_span("sell").end()


def test_a_signals_default_action_follows_the_stop(
    handlers: None, telemetry: Telemetry, collector: FaultyCollector
) -> None:
    prepare_end(Quiet(), telemetry._lifecycle)
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    sell(telemetry)

    handler(signal.SIGURG, None)  # whose default action is none

    assert len(collector.span_ids) == 1
    assert telemetry.exporters == ()
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL


def test_a_handler_that_a_flush_precedes_is_still_called(
    handlers: None, telemetry: Telemetry, collector: FaultyCollector
) -> None:
    seen: list[int] = []
    signal.signal(signal.SIGABRT, lambda number, frame: seen.append(len(collector.span_ids)))
    prepare_end(Quiet(), telemetry._lifecycle)
    sell(telemetry)

    signal.raise_signal(signal.SIGABRT)

    assert seen == [1]


def test_a_signal_that_interrupts_code_under_a_lock_of_ours_is_handled_afterwards(
    handlers: None, telemetry: Telemetry, collector: FaultyCollector
) -> None:
    """The flush waits for a thread, which would wait for that lock."""
    seen: list[int] = []
    signal.signal(signal.SIGABRT, lambda number, frame: seen.append(len(collector.span_ids)))
    prepare_end(Quiet(), telemetry._lifecycle)
    sell(telemetry)

    with new_state_lock():
        signal.raise_signal(signal.SIGABRT)
        assert seen == []
    until(lambda: seen)

    assert seen == [1]


class Running:
    """A worker that says whether it goes on."""

    alive = True


def test_a_handler_taken_away_is_one_warning_and_the_end_is_still_seen(
    handlers: None, telemetry: Telemetry, collector: FaultyCollector, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Running()
    prepare_end(worker, telemetry._lifecycle)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    until(lambda: "SIGTERM ends this Running at once" in caplog.text)

    sell(telemetry)
    worker.alive = False
    until(lambda: len(collector.span_ids) == 1)

    assert caplog.text.count("SIGTERM ends") == 1


def test_the_fault_handler_keeps_its_signal(
    handlers: None, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faulthandler.is_enabled", lambda: True)

    prepare_end(Quiet(), telemetry._lifecycle)

    assert signal.getsignal(signal.SIGABRT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_beside_the_main_thread_signals_are_left_alone(handlers: None, telemetry: Telemetry) -> None:
    thread = threading.Thread(target=prepare_end, args=(Quiet(), telemetry._lifecycle))
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("patched", "warnings"), [(True, 1), (False, 0)])
def test_eventlet_is_said_to_be_unsupported_where_it_has_patched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, patched: bool, warnings: int
) -> None:
    patcher = types.ModuleType("eventlet.patcher")
    vars(patcher)["is_monkey_patched"] = lambda module: patched
    monkeypatch.setitem(sys.modules, "eventlet.patcher", patcher)

    check_patch()

    assert caplog.text.count("eventlet is not supported") == warnings


def test_a_worker_without_init_process_is_not_warned_about() -> None:
    check_start(Quiet())
