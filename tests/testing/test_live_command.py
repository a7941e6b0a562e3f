"""``python -m breaker_exporter.testing`` on a terminal: real senders, keys, and the terminal given back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._pseudo_terminal import PseudoTerminal

MakeSpans = Callable[[int], Sequence[ReadableSpan]]
Start = Callable[..., PseudoTerminal]

PORTS = ("--http-port", "0", "--grpc-port", "0")
COMMAND = (sys.executable, "-m", "breaker_exporter.testing", *PORTS)
AFTER = "from breaker_exporter.testing.__main__ import main\nraise SystemExit(main())"
SHOWN = "keys for all signals: n none"
ALTERNATE, MAIN = "\x1b[?1049h", "\x1b[?1049l"
"""The escape sequences that lead to the alternate screen and back."""


@pytest.fixture
def environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name not in ("TERM", "COLUMNS", "LINES")}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    started: list[PseudoTerminal] = []

    def start(*options: str, before: str = "", **variables: str) -> PseudoTerminal:
        command = [sys.executable, "-c", before + AFTER, *PORTS] if before else COMMAND
        terminal = PseudoTerminal([*command, *options], {**environment, **variables})
        started.append(terminal)
        return terminal

    yield start
    for terminal in started:
        terminal.__exit__(None, None, None)


def address(terminal: PseudoTerminal, name: str) -> str:
    return terminal.until(rf"{name} (http://\S+)")[1]


def state(control: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{control}/state", timeout=10) as answer:
        answered: dict[str, Any] = json.load(answer)
    return answered


def until_the_fault_is(control: str, fault: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while (now := state(control))["fault"] != fault:
        assert time.monotonic() < deadline, now
    return now


def send(url: str, spans: Sequence[ReadableSpan], **headers: str) -> bool:
    exporter: SpanExporter = HTTPExporter(url, timeout=1, headers=headers)
    try:
        return exporter.export(spans) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()


def test_what_arrives_is_shown_and_the_end_says_its_total(start: Start, make_spans: MakeSpans) -> None:
    terminal = start()
    url, dsn = address(terminal, "OTLP/HTTP"), address(terminal, "Sentry")
    terminal.until("Nothing has arrived yet")
    assert not terminal.echoes()
    spans = make_spans(3)

    assert send(url, spans)
    terminal.until(r"collector shop spans 3 0 \d\.\d \d s ago")
    assert send(url, spans[:1])
    terminal.until(r"collector shop spans 4 1 ")
    exporter: SpanExporter = GRPCExporter(address(terminal, "OTLP/gRPC"), timeout=5)
    assert exporter.export(make_spans(2)) is SpanExportResult.SUCCESS
    exporter.shutdown()
    terminal.until(r"collector shop spans 6 1 ")
    key = re.sub(r"http://(\w+)@.*", r"\1", dsn)
    to_sentry = url.replace("/v1/traces", "/api/1/integration/otlp/v1/traces")
    assert send(to_sentry, spans, **{"x-sentry-auth": f"sentry sentry_key={key}"})
    terminal.until(r"Sentry OTLP shop spans 3 0 ")
    client = sentry_sdk.Client(
        dsn=dsn, release="shop@1", default_integrations=False, auto_enabling_integrations=False
    )
    client.capture_event({"message": "sold out"})
    client.close(timeout=10)
    terminal.until(r"Sentry envelope shop@1 event 1 0 ")

    terminal.type("q")
    assert terminal.end() == 0
    closing = terminal.text.rpartition("Received in ")[2]
    assert re.search(r"collector shop spans 6, 1 of them again", closing)
    assert re.search(r"Sentry OTLP shop spans 3 Sentry envelope shop@1 event 1", closing)
    assert terminal.mode == terminal.before
    assert terminal.raw.rindex(MAIN) > terminal.raw.rindex(ALTERNATE)


def test_a_secret_of_a_sender_is_not_shown(start: Start, make_spans: MakeSpans) -> None:
    terminal = start()
    url = address(terminal, "OTLP/HTTP")

    assert send(url, make_spans(1), authorization="Bearer hunter2")
    terminal.until("collector shop spans 1 ")
    to_sentry = url.replace("/v1/traces", "/api/1/integration/otlp/v1/traces")
    assert not send(to_sentry, make_spans(1), **{"x-sentry-auth": "sentry sentry_key=hunter2"})
    terminal.until("2 requests")
    terminal.type("q")

    assert terminal.end() == 0
    assert "hunter2" not in terminal.raw


def test_keys_switch_the_fault_and_forget_what_came(start: Start, make_spans: MakeSpans) -> None:
    terminal = start("--fault", "unavailable")
    url, control = address(terminal, "OTLP/HTTP"), address(terminal, "control")
    terminal.until("fault unavailable")

    terminal.type("b")
    terminal.until("fault blackhole for")
    assert state(control)["fault"] == "blackhole"
    assert not send(url, make_spans(1))
    terminal.type("n")
    terminal.until("fault none for")
    assert send(url, make_spans(1))
    terminal.until("collector shop spans 1 ")
    terminal.type("\t5")
    terminal.until("fault none, traces alone: status 503 for")
    assert state(control)["alone"] == {
        "traces": {"fault": "status", "status": 503, "code": None, "retry_after": None}
    }
    terminal.type("r")
    terminal.until("cannot have fault 'refuse' alone: all signals share the ports")
    terminal.type("\x1b[Az\t")
    terminal.until("keys for logs alone: n none")
    terminal.type("\t\tr")
    until_the_fault_is(control, "refuse")
    terminal.type("c")
    terminal.until("Nothing has arrived yet")
    assert state(control)["spans"] == 0
    terminal.type("\x04")

    assert terminal.end() == 0
    assert "Received nothing in" in terminal.text


def test_a_request_that_cannot_be_taken_is_named(start: Start) -> None:
    terminal = start()
    url = address(terminal, "OTLP/HTTP")
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})

    with pytest.raises(urllib.error.HTTPError, match="415") as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()

    terminal.until("refused: 415, Content-Type is 'application/json', not 'application/x-protobuf'")
    terminal.type("q")
    assert terminal.end() == 0
    assert "Refused 1 request; the latest: 415, Content-Type is 'application/json'" in terminal.text


def test_signals_that_its_parent_ignores_stay_ignored(start: Start) -> None:
    ignored = signal.SIGHUP, signal.SIGTSTP
    terminal = start(before=f"import signal\nfor each in {[*map(int, ignored)]}: signal.signal(each, 1)\n")
    terminal.until(SHOWN)

    for number in ignored:
        terminal.process.send_signal(number)
    terminal.type("b")
    terminal.until("fault blackhole for")
    terminal.type("q")

    assert terminal.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_with_the_terminal_as_it_was(start: Start, number: signal.Signals) -> None:
    terminal = start()
    terminal.until(SHOWN)

    terminal.process.send_signal(number)

    assert terminal.end() == 0
    assert terminal.mode == terminal.before
    assert terminal.raw.rindex(MAIN) > terminal.raw.rindex(ALTERNATE)
    assert "Received nothing in" in terminal.text


def test_an_exception_ends_it_with_the_terminal_as_it_was(start: Start) -> None:
    terminal = start(before="import rich.text\nrich.text.Text.assemble = None  # which each picture calls\n")

    assert terminal.end() == 1
    assert terminal.mode == terminal.before
    assert "TypeError: 'NoneType' object is not callable" in terminal.text
    assert "Traceback" in terminal.raw.rpartition(MAIN)[2]
    assert "Received" not in terminal.text


def test_a_window_that_is_closed_ends_it(start: Start) -> None:
    terminal = start()
    terminal.until(SHOWN)

    terminal.hang_up()

    assert terminal.process.wait(20) == 0


def test_a_terminal_that_is_stopped_does_not_stop_the_collector(start: Start, make_spans: MakeSpans) -> None:
    terminal = start()
    url = address(terminal, "OTLP/HTTP")
    terminal.until(SHOWN)

    terminal.type("\x13")  # Ctrl-S
    for _ in range(3):
        assert send(url, make_spans(1))
    terminal.type("q")

    assert terminal.end() == 0
    assert "collector shop spans 3" in terminal.text
    assert terminal.mode == terminal.before


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(environment: dict[str, str]) -> None:
    variables = {**environment, "PS1": "$ ", "ENV": ""}
    with PseudoTerminal(["sh", "-i"], variables) as terminal:
        terminal.until(r"\$ ")
        terminal.type(f"{subprocess.list2cmdline(COMMAND)}\n")
        control = address(terminal, "control")
        terminal.until(SHOWN)
        assert not terminal.echoes()

        terminal.type("\x1a")
        terminal.until("Stopped")
        assert terminal.echoes()
        terminal.type("bg\n")
        assert state(control)["fault"] == "none"
        terminal.type("echo in the background\n")
        terminal.until("in the background .*in the background ")
        assert terminal.echoes()
        terminal.type("fg\n")
        terminal.until(SHOWN)
        terminal.type("q")
        terminal.until("Received nothing in")
        terminal.type("exit\n")
        terminal.end()


WARNS = """
import sys
from breaker_exporter.testing._live import view
draw = view.frame
def warn(*shown):
    view.frame = draw
    sys.stderr.write("a warning\\n")
    return draw(*shown)
view.frame = warn
"""


def test_what_is_written_to_standard_error_comes_after_the_table(start: Start) -> None:
    terminal = start(before=WARNS)
    terminal.until(SHOWN)

    terminal.type("q")

    assert terminal.end() == 0
    assert terminal.raw.count("a warning") == terminal.raw.rpartition(MAIN)[2].count("a warning") == 1


def test_standard_error_that_is_a_file_stays_one(environment: dict[str, str], tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    words = ["sh", "-c", f'exec "$@" 2>{errors}', "sh", sys.executable, "-c", WARNS + AFTER, *PORTS]
    with PseudoTerminal(words, environment) as terminal:
        terminal.until(SHOWN)
        terminal.type("q")
        assert terminal.end() == 0

    assert errors.read_text() == "a warning\n"


def test_a_terminal_without_a_name_gets_lines(start: Start) -> None:
    terminal = start(before="import os\ndef ttyname(_):\n    raise OSError\nos.ttyname = ttyname\n")
    terminal.until("export OTEL_EXPORTER_OTLP_ENDPOINT=http://")

    terminal.type("\x03")

    assert terminal.end() == 0
    assert ALTERNATE not in terminal.raw


def test_with_the_option_plain_a_terminal_gets_lines(start: Start) -> None:
    terminal = start("--plain", "--until-eof")
    terminal.until("export OTEL_EXPORTER_OTLP_ENDPOINT=http://")
    assert terminal.echoes()

    terminal.type("\x04")

    assert terminal.end() == 0
    assert "Received nothing in" in terminal.text
    assert ALTERNATE not in terminal.raw


def test_a_dumb_terminal_gets_lines(start: Start) -> None:
    terminal = start(TERM="dumb")
    terminal.until("export OTEL_EXPORTER_OTLP_ENDPOINT=http://")

    terminal.type("\x03")

    assert terminal.end() == 0
    assert "\x1b" not in terminal.raw


def test_without_rich_it_says_what_to_install(start: Start) -> None:
    terminal = start(before="import sys\nsys.modules['rich'] = None\n")
    terminal.until(re.escape("For a live table of what arrives: pip install 'breaker-exporter[live]'"))

    terminal.process.terminate()

    assert terminal.end() == 0
    assert ALTERNATE not in terminal.raw


def test_through_a_pipe_it_prints_lines_and_its_total(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(8)]
        process.terminate()
        rest = process.stdout.read()

    assert first[-1].startswith("  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:")
    assert rest.startswith("Received nothing in 0 s; 0 requests.")
    assert process.returncode == 0
