"""The lines that a worker and the load write into their pipes, also while a hub stands still."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from breaker_exporter._demo.plan import BARE, OURS, Plan
from breaker_exporter._demo.services import variables
from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.load import Load
from breaker_exporter._harness.pipe import FD_VARIABLE, Lines
from breaker_exporter._harness.received import is_of_work, requests_counted, written_by
from breaker_exporter.testing import FaultyCollector

METER = """
import os
from gevent import monkey
monkey.patch_all()
import time
import gevent
from breaker_exporter._harness.work import LOG_RECORDS_VARIABLE, SERIES_VARIABLE
os.environ.update({LOG_RECORDS_VARIABLE: "1.5", SERIES_VARIABLE: "2"})
from breaker_exporter import CircuitState, CircuitTransition
from breaker_exporter._demo.app import app
from breaker_exporter._demo.meter import REPORT, meter

for name in ("collector logs", "collector of traces, logs, metrics", "collector metrics"):
    meter.note(CircuitTransition(name, CircuitState.CLOSED, CircuitState.OPEN, 0.0, "too bad", 1.0, 3))
meter.sdk.join()  # none is set, so there is nothing to join
answers = []
body = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, headers: answers.append(status))
assert (b"".join(body), answers) == (b"hello\\n", ["200 OK"])
app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, headers: None)
gevent.sleep(REPORT * 1.5)
monkey.get_original("time", "sleep")(REPORT)  # the hub stands still
gevent.sleep(REPORT)
"""
PLAIN = """
from breaker_exporter._demo.app import app

app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, headers: None)
"""
FILL = f"""
import os
os.set_blocking(fd := int(os.environ["{FD_VARIABLE}"]), False)
try:
    while os.write(fd, b" " * 64):
        pass
except BlockingIOError:
    pass
"""
CONFIGURED = """
import sys

if {without_handler}:
    sys.modules["opentelemetry.instrumentation.logging.handler"] = None
from breaker_exporter._demo.app import app
from breaker_exporter._demo.conf_{name} import post_worker_init

post_worker_init(object())
app({{"REQUEST_METHOD": "GET", "PATH_INFO": "/"}}, lambda status, headers: None)
"""


@dataclass
class Told:
    """A child that has ended, and its lines."""

    returncode: int
    errors: str
    lines: list[dict[str, Any]]


def told_by(code: str, **environment: str) -> Told:
    lines = Lines()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, FD_VARIABLE: str(lines.writing)},
        pass_fds=[lines.writing],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(lines.writing)
    _, errors = child.communicate(timeout=30)
    told: list[dict[str, Any]] = []
    while (more := lines.read()) is not None:
        told += more
    lines.close()
    return Told(child.returncode, errors, told)


def test_a_worker_reports_gaps_spans_and_transitions() -> None:
    told = told_by(METER, OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED="true")

    assert (told.returncode, told.errors) == (0, "")
    first, *beats, last = told.lines
    assert (first["kind"], first["old"], first["new"], first["reason"]) == (
        *("change", "closed", "open"),
        "too bad",
    )
    assert {beat["kind"] for beat in beats} == {"beat"}
    assert max(beat["gap"] for beat in beats) >= 0.2
    counts = [(beat["started"], beat["logs"]["started"], beat["counted"]) for beat in (*beats, last)]
    assert counts == [(20, 3, 2)] * (len(beats) + 1)
    assert (last["kind"], last["last"], last["health"]) == ("beat", True, None)
    assert last["at"] > beats[-1]["at"]


def test_a_worker_without_greenlets_reports_the_same() -> None:
    told = told_by(PLAIN)

    assert (told.returncode, told.errors) == (0, "")
    assert {line["kind"] for line in told.lines} == {"beat"}
    assert [told.lines[-1][name] for name in ("started", "counted")] == [10, 0]
    assert told.lines[-1]["logs"] == {"started": 0, "dropped": None, "failed": None, "health": None}
    assert told.lines[-1]["last"]


def test_a_worker_ends_when_the_demo_is_gone() -> None:
    lines = Lines()
    child = subprocess.Popen(
        [sys.executable, "-c", METER + "gevent.sleep(60)"],
        env={**os.environ, FD_VARIABLE: str(lines.writing)},
        pass_fds=[lines.writing],
        start_new_session=True,
    )
    os.close(lines.writing)
    lines.close()

    assert child.wait(30) == -signal.SIGTERM


def test_a_worker_does_not_wait_for_a_demo_that_does_not_read() -> None:
    assert told_by(FILL + METER).returncode == 0


@pytest.mark.parametrize(("protocol", "without_handler"), [("grpc", False), ("http/protobuf", True)])
@pytest.mark.parametrize("name", [BARE, OURS])
def test_both_configurations_export_all_signals(name: str, protocol: str, without_handler: bool) -> None:
    """The bare one does it as the documentation shows it; what the SDK counts of both is read.

    Where opentelemetry-instrumentation-logging is not installed, the SDK's handler stands in.
    """
    with FaultyCollector() as collector:
        told = told_by(
            CONFIGURED.format(name=name, without_handler=without_handler),
            **variables(name, Plan("grpc" if protocol == "grpc" else "http"), collector, Path()),
        )
        counts, bodies = collector.counts(), collector.log_bodies
        counted, spans = requests_counted(collector.latest_data_points), collector.latest_spans

    assert (told.returncode, told.errors) == (0, "")
    last = told.lines[-1]
    assert (counts.spans, {span.resource["service.name"] for span in spans}) == (10, {"shop"})
    assert bodies == written_by(last["pid"], 2)
    assert all(map(is_of_work, bodies))
    assert counted == {last["pid"]: (1, 1)}
    assert (last["started"], last["logs"]["started"], last["counted"]) == (10, 2, 1)
    healths = [counts["health"] and counts["health"]["name"] for counts in (last, last["logs"])]
    assert healths == ([None, None] if name == BARE else ["collector", "collector logs"])
    if hasattr(MeterProvider, "add_metric_reader"):
        assert [counts[kind] for counts in (last, last["logs"]) for kind in ("dropped", "failed")] == [0] * 4


def test_half_a_line_waits_for_its_other_half() -> None:
    lines = Lines()
    try:
        assert lines.read() == []
        os.write(lines.writing, b'{"a": 1}\n{"b"')
        assert lines.read() == [{"a": 1}]
        os.write(lines.writing, b": 2}\n")
        assert lines.read() == [{"b": 2}]
    finally:
        os.close(lines.writing)
    assert lines.read() is None
    lines.close()


def test_lines_of_several_processes_are_read_with_their_names_until_each_has_ended() -> None:
    first, second = Lines(), Lines()
    with LineReader({"first": first, "second": second}) as reader:
        os.write(first.writing, b'{"a": 1}\n{"a": 2}\n')
        os.close(second.writing)

        assert reader.read(5.0) == [("first", {"a": 1}), ("first", {"a": 2})]
        assert reader.open == {"first"}
        assert reader.read(0.0) == []

        os.close(first.writing)
        assert reader.read(5.0) == []
        assert reader.open == frozenset()
    first.close()
    second.close()


class Server:
    """An HTTP server on the running loop that answers as a test wants, or not at all.

    Attributes:
        port: Its port.
        asked: The times of its requests.
    """

    def __init__(self, answer: Callable[[int], bytes | None]) -> None:
        self._answer = answer
        self.asked: list[float] = []
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.append(time.monotonic())
        answer = self._answer(len(self.asked))
        if answer is None:
            await reader.read()  # until the client has had enough
        else:
            writer.write(answer)
        writer.close()


OK, BUSY = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n"


def load(
    answers: Mapping[str, Callable[[int], bytes | None]],
    rate: float,
    monkeypatch: pytest.MonkeyPatch,
    wait: float = 5.0,
) -> list[dict[str, Any]]:
    """Run a load of half a second on servers with these answers; return its lines."""
    lines = Lines()
    monkeypatch.setenv(FD_VARIABLE, str(lines.writing))

    async def run() -> None:
        servers = {name: Server(answer) for name, answer in answers.items()}
        async with contextlib.AsyncExitStack() as stack:
            for server in servers.values():
                await stack.enter_async_context(await server.start())
            ports = {name: server.port for name, server in servers.items()}
            await Load(ports, rate, 0.5, wait).run()

    asyncio.run(run())
    os.close(lines.writing)
    told: list[dict[str, Any]] = []
    while (more := lines.read()) is not None:
        told += more
    lines.close()
    return told


def test_the_load_sends_on_a_schedule_and_reports_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.monotonic()
    told = load(
        {"good": lambda number: OK, "bad": lambda number: OK if number == 1 else [BUSY, b""][number % 2]},
        20.0,
        monkeypatch,
    )

    (start,) = [line["start"] for line in told if line["kind"] == "load"]
    assert started < start < time.monotonic()
    done = [tuple(entry) for line in told if line["kind"] == "requests" for entry in line["done"]]
    assert sorted((name, number) for name, number, _, _ in done) == [
        (name, number) for name in ("bad", "good") for number in range(10)
    ]
    assert {status for name, _, _, status in done if name == "good"} == {200}
    assert {status for name, _, _, status in done if name == "bad"} == {0, 503}
    assert all(latency > 0 for _, _, latency, _ in done)
    assert all(line["late"] >= 0 for line in told if line["kind"] == "requests")


def test_the_load_begins_once_both_services_have_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    told = load({"slow": lambda number: OK if number > 3 else BUSY}, 20.0, monkeypatch)

    kinds = [line["kind"] for line in told]
    assert kinds.count("load") == 1
    statuses = {entry[3] for line in told if line["kind"] == "requests" for entry in line["done"]}
    assert statuses == {200}


def test_the_load_gives_up_late_answers_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    told = load({"mute": lambda number: OK if number < 5 else None}, 20.0, monkeypatch, wait=0.2)

    done = [entry for line in told if line["kind"] == "requests" for entry in line["done"]]
    assert [status for *_, status in done] == [200] * 3


def test_a_load_that_is_behind_does_not_skip_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lateness is reported, and is part of the latencies."""

    def slow(number: int) -> bytes:
        if number == 2:
            time.sleep(0.2)  # the loop of server and load alike
        return OK

    told = load({"one": slow}, 100.0, monkeypatch)

    done = [entry for line in told if line["kind"] == "requests" for entry in line["done"]]
    assert len(done) == 50
    assert told[-1]["late"] >= 0.15
    assert max(latency for _, _, latency, _ in done) >= 0.2
