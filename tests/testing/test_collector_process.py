"""The collector's own process: started, ended with its parent, and nobody else's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from breaker_exporter.testing import Fault, FaultyCollector
from breaker_exporter.testing.__main__ import main

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
ByHand = Callable[..., tuple["subprocess.Popen[str]", dict[str, str]]]
Start = Callable[[str], tuple["subprocess.Popen[str]", str, int]]

START = """
import os, sys, time
from breaker_exporter.testing import FaultyCollector
collector = FaultyCollector().start()
print(collector.control_url, flush=True)
"""


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def pid_at(control_url: str) -> int | None:
    """The process that answers at a control URL.

    Not only whether anybody does: a port that is free again may be given to another.
    """
    connection = http.client.HTTPConnection(urlsplit(control_url).netloc, timeout=5.0)
    try:
        connection.request("GET", "/state")
        return int(json.loads(connection.getresponse().read())["pid"])
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def ends(control_url: str, pid: int, timeout: float = 10.0) -> bool:
    """Wait until a process has ended; return false at the deadline."""
    deadline = time.monotonic() + timeout
    while pid_at(control_url) == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_listening(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=5.0).close()
    except OSError:
        return False
    return True


def test_the_collector_starts_and_ends_once(run_python: RunPython) -> None:
    with FaultyCollector() as collector:
        control, pid = collector.control_url, pid_at(collector.control_url)
        assert pid not in (None, os.getpid())
        assert collector.start() is collector
        assert collector.control_url == control
    assert pid_at(control) != pid
    collector.close()
    with collector:
        assert collector.fault is Fault.NONE


def test_closing_leaves_no_zombie_and_an_exit_closes_the_collector(run_python: RunPython) -> None:
    script = (
        START
        + """
collector.close()
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no child")
collector.start()
print(collector.control_url)
"""
    )
    done = run_python(script)

    first, no_child, second = done.stdout.split("\n")[:3]
    assert (done.returncode, no_child, done.stderr) == (0, "no child", "")
    assert (pid_at(first), pid_at(second)) == (None, None)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    """Starts a script with a collector; returns its process, the collector's control URL and process id."""
    processes: list[subprocess.Popen[str]] = []

    def start(more: str) -> tuple[subprocess.Popen[str], str, int]:
        script = tmp_path / "script.py"
        script.write_text(START + more)
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        control = process.stdout.readline().strip()
        pid = pid_at(control)
        assert pid
        return process, control, pid

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_killed_parent_ends_the_collector(started: Start) -> None:
    process, control, pid = started("time.sleep(60)")

    process.kill()

    assert ends(control, pid)


def test_ctrl_c_in_a_terminal_does_not_end_the_collector(started: Start) -> None:
    process, _, pid = started("time.sleep(60)")

    assert os.getpgid(pid) != os.getpgid(process.pid), "Ctrl-C goes to a process group"


def test_a_killed_parent_ends_the_collector_though_a_fork_holds_its_input(started: Start) -> None:
    process, control, pid = started("""
pid = os.fork()
if pid == 0:
    time.sleep(20)
    os._exit(0)
print(pid, flush=True)
time.sleep(60)
""")
    assert process.stdout is not None
    fork = int(process.stdout.readline())
    try:
        process.kill()
        assert ends(control, pid)
    finally:
        os.kill(fork, signal.SIGKILL)


@pytest.mark.parametrize(
    "patch", ["", "from gevent import monkey; monkey.patch_all()"], ids=["plain", "gevent"]
)
@pytest.mark.parametrize("leave", ["sys.exit(0)", "collector.close(); sys.exit(0)", "os._exit(0)"])
def test_a_fork_may_use_the_collector_and_cannot_end_it(
    run_python: RunPython, patch: str, leave: str
) -> None:
    script = (
        patch
        + START
        + f"""
pid = os.fork()
if pid == 0:
    from breaker_exporter.testing import Fault
    collector.fault = Fault.SLOW
    {leave}
assert os.waitpid(pid, 0)[1] == 0
print(collector.fault)
"""
    )
    done = run_python(script)

    assert (done.returncode, done.stdout.split("\n")[1:2], done.stderr) == (0, ["Fault.SLOW"], "")


def test_closing_ends_the_collector_though_a_fork_holds_its_input(run_python: RunPython) -> None:
    script = (
        START
        + """
import signal
pid = os.fork()
if pid == 0:
    time.sleep(30)
    os._exit(0)
began = time.monotonic()
collector.close()
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print(time.monotonic() - began < 15.0)
"""
    )
    done = run_python(script)

    assert (done.returncode, done.stdout.split("\n")[1:2], done.stderr) == (0, ["True"], "")


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    from breaker_exporter.testing import _process

    monkeypatch.setattr(_process, "_STOP", 0.05)
    collector = FaultyCollector().start()
    control, pid = collector.control_url, pid_at(collector.control_url)
    assert pid
    os.kill(pid, signal.SIGSTOP)

    collector.close()

    assert pid_at(control) is None


def test_a_collector_that_has_died_says_so() -> None:
    with FaultyCollector() as collector:
        control, pid = collector.control_url, pid_at(collector.control_url)
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert ends(control, pid)

        with pytest.raises(RuntimeError, match="the collector's process cannot be reached"):
            _ = collector.fault


@pytest.mark.parametrize("name", ["http_port", "grpc_port", "control_port"])
def test_a_port_that_is_taken_is_named(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            RuntimeError, match=f"cannot bind port {port} of 127.0.0.1: Address already in use"
        ):
            FaultyCollector(**{name: port}).start()


def test_given_port_numbers_are_used_and_kept() -> None:
    with FaultyCollector() as collector:
        ports = {
            "http_port": port_of(collector.http_endpoint),
            "grpc_port": port_of(collector.grpc_endpoint),
            "control_port": port_of(collector.control_url),
        }
    with FaultyCollector(**ports) as collector:
        collector.renew()
        assert [
            port_of(url) for url in (collector.http_base, collector.grpc_endpoint, collector.control_url)
        ] == list(ports.values())


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a package, or what it needs, look not installed to every process started from here."""

    def hide(package: str, missing: str | None = None) -> None:
        room = tmp_path / package
        room.mkdir()
        error = f"ModuleNotFoundError('no such module', name={missing or package!r})"
        (room / "__init__.py").write_text(f"raise {error}")
        monkeypatch.syspath_prepend(tmp_path)

    return hide


def test_without_grpcio_the_collector_has_http(without: Callable[..., None]) -> None:
    without("grpc")

    with FaultyCollector() as collector:
        collector.fault = Fault.REFUSE
        collector.renew()
        assert is_listening(collector.http_base)
        with pytest.raises(
            RuntimeError, match=r"no gRPC port without grpcio: pip install 'breaker-exporter\[grpc\]'"
        ):
            _ = collector.grpc_endpoint


@pytest.mark.parametrize(("package", "missing"), [("google", "google.rpc"), ("grpc", "a_part_of_grpc")])
def test_a_missing_package_is_named_with_what_to_install(
    without: Callable[..., None], package: str, missing: str
) -> None:
    without(package, missing)

    with pytest.raises(
        RuntimeError, match=r"no such module\): pip install --upgrade 'breaker-exporter\[grpc\]'"
    ):
        FaultyCollector().start()


@pytest.mark.parametrize(
    "error",
    [
        "ImportError(\"cannot import name 'runtime_version' from 'google.protobuf'\")",
        "TypeError('Descriptors cannot be created directly')",
    ],
)
def test_a_package_that_is_too_old_is_reported_with_its_own_error(tmp_path: Path, error: str) -> None:
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "__init__.py").write_text(f"raise {error}\n")
    done = subprocess.run(
        [sys.executable, "-m", "breaker_exporter.testing"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert error.partition("(")[0] in done.stderr
    assert "pip install --upgrade 'breaker-exporter[grpc]'" in done.stderr


def test_a_collector_that_breaks_at_the_start_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "asyncio.py").write_text("raise SystemExit('broken interpreter')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(RuntimeError, match="ended at once; its standard error says why"):
        FaultyCollector().start()

    assert "broken interpreter" in capfd.readouterr().err


def test_a_collector_that_does_not_start_in_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from breaker_exporter.testing import _process

    monkeypatch.setattr(_process, "_START", 0.05)
    (tmp_path / "asyncio.py").write_text("import time; time.sleep(60)")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(RuntimeError, match=r"did not start within 0\.05 s"):
        FaultyCollector().start()


def test_importing_the_collector_loads_nothing_heavy(run_python: RunPython) -> None:
    script = """
import sys
import breaker_exporter.testing as testing
assert set(testing.__all__) <= set(dir(testing))
for name in testing.__all__:
    getattr(testing, name)
heavy = "ssl", "grpc", "requests", "gevent", "http.client", "google.protobuf"
print([module for module in heavy if module in sys.modules])
with testing.FaultyCollector() as collector:
    collector.counts()
print("ssl" in sys.modules)
try:
    testing.nothing
except AttributeError as error:
    print(error)
"""
    done = run_python(script)

    assert done.stderr == ""
    assert done.stdout.split("\n") == [
        "[]",
        "False",
        "module 'breaker_exporter.testing' has no attribute 'nothing'",
        "",
    ]


GEVENT = """
from gevent import monkey
monkey.patch_all()
import logging
import time
import gevent
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from breaker_exporter.testing import Fault, FaultyCollector
from breaker_exporter.testing.__main__ import main

beats = 0
def beat():
    global beats
    while True:
        gevent.sleep(0.002)
        beats += 1

collector = FaultyCollector().start()
provider = TracerProvider()
exporter = OTLPSpanExporter(collector.http_endpoint, timeout=0.3)
provider.add_span_processor(SimpleSpanProcessor(exporter))
provider.get_tracer("x").start_span("one").end()
assert collector.wait_for_spans(1)

gevent.spawn(beat)
assert not collector.wait_for_spans(2, timeout=1.0)
assert beats > 20, beats  # a hub that is held has one or two
collector.fault = Fault.BLACKHOLE
waiting = gevent.spawn(collector.wait_for_requests, 2)
logging.disable()  # older exporters log the timeout with its traceback
provider.get_tracer("x").start_span("two").end()
assert waiting.get(timeout=10)
assert collector.fault is Fault.BLACKHOLE
assert [span.name for span in collector.latest_spans] == ["one"]
provider.shutdown()
{end}
print(collector.control_url if collector._process else "closed", flush=True)
"""


@pytest.mark.parametrize("end", ["collector.close()", ""], ids=["closed", "left to the exit"])
def test_the_hub_runs_on_while_a_patched_process_asks_the_collector(run_python: RunPython, end: str) -> None:
    done = run_python(GEVENT.format(end=end))

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    if not end:
        assert pid_at(done.stdout.strip()) is None


class TestByHand:
    """``python -m breaker_exporter.testing``."""

    COMMAND = (sys.executable, "-m", "breaker_exporter.testing")
    PORTS = ("--http-port", "0", "--grpc-port", "0")

    @pytest.fixture
    def start(self) -> Iterator[ByHand]:
        processes: list[subprocess.Popen[str]] = []

        def start(*options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
            command = [*self.COMMAND, *self.PORTS, *options]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(6)]
            return process, dict(line.rstrip("\n").split(None, 1) for line in lines)

        yield start
        for process in processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()

    def test_the_command_prints_its_ports_and_ends_with_its_input(self, start: ByHand) -> None:
        process, said = start("--until-eof", "--fault", "blackhole")

        assert said["OTLP/HTTP"].startswith("http://127.0.0.1:")
        assert said["OTLP/HTTP"].endswith("/v1/traces")
        assert is_listening(said["OTLP/gRPC"])
        assert port_of(said["Sentry"]) == port_of(said["OTLP/HTTP"])
        assert said["fault"] == "blackhole; to switch it:"
        assert said["curl"] == f"""-d '{{"fault": "blackhole"}}' {said["control"]}/fault"""
        process.communicate("something\n", timeout=10)
        assert process.returncode == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_command_runs_until_it_is_interrupted(self, start: ByHand, number: signal.Signals) -> None:
        process, said = start()
        assert process.stdin is not None
        process.stdin.close()
        assert pid_at(said["control"]) == process.pid

        process.send_signal(number)

        assert process.wait(10) == 0

    def test_a_taken_port_is_reported_in_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            command = [*self.COMMAND, *self.PORTS, "--control-port", str(port)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"cannot bind port {port} of 127.0.0.1: Address already in use\n"

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            (("--http-port", "70000"), "must be a port from 0 (any free one) to 65535, not '70000'"),
            (("--fault", "meteor"), "fault must be one of 'none', 'refuse'"),
        ],
    )
    def test_a_bad_option_is_explained(
        self, option: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(option)

        assert words in capsys.readouterr().err
