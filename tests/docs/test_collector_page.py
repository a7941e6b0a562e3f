"""The page of the collector by hand: its table, keys, options, and each request of the control URL."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shlex
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest
from rich.console import Console

from breaker_exporter.testing import Fault, FaultyCollector, Signal
from breaker_exporter.testing._arrivals import Row, Source
from breaker_exporter.testing._control import COUNTED
from breaker_exporter.testing._fault_settings import SETTINGS, FaultSetting
from breaker_exporter.testing._live.frame import Glance, frame
from breaker_exporter.testing._live.keys import FAULTS, name
from tests.testing._pseudo_terminal import PseudoTerminal

from ._pages import ROOT, blocks, programs
from .test_reference import names, rows, section

PAGE = "reference/collector.md"
TUTORIAL = "tutorial/first-outage.md"
CONTROL = "http://127.0.0.1:4319"


def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def documented(heading: str) -> list[str]:
    """Return the code in the first column of each row below a heading, in order."""
    return [code for row in rows(section(PAGE, heading)) for code in re.findall(r"`([^`]+)`", row[0])]


def test_each_request_is_explained_and_answered(collector: FaultyCollector) -> None:
    requests = [row[0].strip("`") for row in rows(section(PAGE, "Control URL"))]

    status, text = ask(f"{collector.control_url}/nowhere")
    assert (status, text.strip()) == (404, f"known are {', '.join(requests)}")
    for request in requests:
        method, path = request.split()
        query = "?count=0" if path == "/wait" else ""
        body = {"POST": b'{"fault": "none"}', "GET": None}[method]
        assert ask(f"{collector.control_url}{path}{query}", method, body)[0] == 200, request


def test_each_curl_on_the_page_does_what_it_says(collector: FaultyCollector) -> None:
    lines = [line for block in blocks(ROOT / "docs" / PAGE) for line in block.text.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("curl ")]

    assert len(commands) >= 5
    for words in commands:
        url = words[-1].replace(CONTROL, collector.control_url).replace("timeout=30", "timeout=0")
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        method = "POST" if body or "-X" in words else "GET"
        assert ask(url, method, body)[0] == 200, words
    assert collector.fault is Fault.SLOW
    alone = json.loads(ask(f"{collector.control_url}/state")[1])["alone"]
    assert alone == {"logs": FaultSetting.of("status", {"status": 404}).as_json()}


def test_each_field_of_the_state_is_explained(collector: FaultyCollector) -> None:
    assert set(json.loads(ask(f"{collector.control_url}/state")[1])) == set(documented("State"))


def test_the_settings_of_a_fault_are_explained_where_the_page_leads() -> None:
    settings = {field.name for field in dataclasses.fields(FaultSetting)} - {"fault"}

    assert "faults.md#switch-a-fault" in section(PAGE, "Control URL")
    assert settings | {"connections", "signal"} == names(section("reference/faults.md", "Switch a fault"))
    assert {name for known in SETTINGS.values() for name in known} == settings


def test_each_parameter_of_a_wait_is_explained(collector: FaultyCollector) -> None:
    lines = {row[0].strip("`"): row[1] for row in rows(section(PAGE, "Wait"))}

    assert tuple(re.findall(r"`(\w+)`", lines["for"].partition(";")[0])) == COUNTED
    status, text = ask(f"{collector.control_url}/wait?for=nothing")
    assert status == 400
    said = {*re.findall(r"(\w+)=", text), *re.findall(r"(kind)=K", text)}
    assert said == set(lines)


@pytest.mark.parametrize("header", ["Origin", "Host"])
def test_a_browser_is_refused_as_the_page_says(collector: FaultyCollector, header: str) -> None:
    headers = {header: "http://example.com"}
    request = urllib.request.Request(f"{collector.control_url}/state", headers=headers)

    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()


def test_each_key_is_explained() -> None:
    documented = [(row[0].strip("`"), row[1].strip("`")) for row in rows(section(PAGE, "Keys"))]

    assert documented == [(key, name(setting)) for key, setting in FAULTS.items()]


def test_each_option_is_explained() -> None:
    from breaker_exporter.testing.__main__ import parser

    shown = set(re.findall(r"(--[\w-]+)", parser().format_help())) - {"--help"}
    assert {option.split()[0] for option in documented("Options")} == shown


def drawn(
    rows: tuple[Row, ...], width: int = 80, requests: int = 0, connections: int = 0, **more: Any
) -> str:
    """Return the picture of a collector without a fault."""
    state = {
        "http_endpoint": "http://127.0.0.1:4318/v1/traces",
        "grpc_endpoint": None,
        "sentry_dsn": "",
        "control_url": "",
        "requests": requests,
        "open_connections": connections,
    }
    times = {"seconds": 1.0, "fault_seconds": 1.0, **more}
    glance = Glance(state=state, rows=rows, fault=FaultSetting(), alone={}, **times)
    file = io.StringIO()
    Console(file=file, width=80, color_system=None).print(frame(glance, 80, 24))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def texts(page: str) -> list[str]:
    return [block.text for block in blocks(ROOT / "docs" / page) if block.language == "text"]


def test_the_table_on_the_page_is_what_is_drawn() -> None:
    service = "shop/checkout"
    items = (
        Row(Source.COLLECTOR, service, "spans", 19_950, 0, 150.0, 0.0),
        Row(Source.COLLECTOR, service, "log records", 1_995, 0, 15.0, 0.0),
        Row(Source.COLLECTOR, service, "data points", 260, 0, 0.0, 8.0),
        Row(Source.SENTRY_OTLP, service, "spans", 1_990, 0, 15.0, 1.0),
        Row(Source.SENTRY_ENVELOPE, "shop@1.4.2", "event", 3, 0, 0.0, 40.0),
    )

    (shown,) = texts(PAGE)
    picture = drawn(items, requests=457, connections=3, seconds=133.0, fault_seconds=21.0)
    assert picture.startswith(shown)
    columns = re.split(r" {2,}| (?=items|duplicates|per s)", shown.splitlines()[2])
    assert sorted(columns) == sorted(documented("The table"))
    assert all(signal.value in section(PAGE, "Keys") for signal in Signal)


def test_what_the_tutorial_shows_of_the_table_is_what_is_drawn() -> None:
    first, row = [text for text in texts(TUTORIAL) if text.startswith(("What arrives", "sent to"))]

    assert drawn(()).startswith(first)
    spans = (Row(Source.COLLECTOR, "shop", "spans", 3, 0, 0.6, 0.0),)
    assert row in drawn(spans)


def test_the_tutorials_outage_is_survived_with_two_terminals_and_two_keys() -> None:
    """The first five minutes, with the commands and keys of the page."""
    ((_, program),) = programs(ROOT / "docs" / TUTORIAL)
    command = [sys.executable, "-m", "breaker_exporter.testing", "--http-port", "0", "--grpc-port", "0"]
    with PseudoTerminal(command, os.environ) as terminal:
        endpoint = terminal.until(r"export OTEL_EXPORTER_OTLP_ENDPOINT=(http://\S+)")[1]
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "shop"}
        shop = PseudoTerminal(
            [sys.executable, "-u", "-c", program.replace("time.sleep(1)", "time.sleep(0.1)")],
            {**os.environ, **variables},
        )
        with shop:
            terminal.until("collector shop spans ")
            terminal.type("b")
            shop.until("circuit opened: no answer from")
            terminal.until("fault blackhole for")
            terminal.type("n")
            shop.until("circuit closed after")
            terminal.until("collector shop spans ")
            shop.type("\x03")
            assert shop.end() == 0
        terminal.type("q")
        assert terminal.end() == 0

    assert "Received in" in terminal.text
