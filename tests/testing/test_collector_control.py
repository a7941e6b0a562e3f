"""The control URL and the arguments of the facade: what is allowed, and what is said where it is not."""

from __future__ import annotations

import http.client
import json
import math
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from breaker_exporter.testing import Fault, FaultyCollector


def ask(
    collector: FaultyCollector,
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(collector.control_url).netloc, timeout=5.0)
    try:
        connection.request(method, target, None if body is None else json.dumps(body), dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_state_is_shown(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.STATUS, status=429, retry_after="2")

    for target in ("/", "/state"):
        status, text = ask(collector, "GET", target)
        state = json.loads(text)
        assert status == 200
        assert (state["fault"], state["status"], state["retry_after"]) == ("status", 429, "2")
        assert state["http_endpoint"] == collector.http_endpoint == f"{collector.http_base}/v1/traces"
        assert state["grpc_endpoint"] == collector.grpc_endpoint
        assert state["pid"] > 0


def test_the_fault_is_switched(collector: FaultyCollector) -> None:
    status, text = ask(collector, "POST", "/fault", {"fault": "slow", "seconds": 0.5, "connections": "keep"})

    assert (status, json.loads(text)["seconds"]) == (200, 0.5)
    assert collector.fault is Fault.SLOW


def test_a_fault_needs_no_settings(collector: FaultyCollector) -> None:
    assert ask(collector, "POST", "/fault", {"fault": "refuse"})[0] == 200
    assert collector.fault is Fault.REFUSE


@pytest.mark.parametrize("target", ["/clear", "/renew"])
def test_ids_spans_items_and_waits_can_be_asked_for(collector: FaultyCollector, target: str) -> None:
    assert ask(collector, "POST", target)[0] == 200
    assert json.loads(ask(collector, "GET", "/latest_spans")[1]) == []
    assert json.loads(ask(collector, "GET", "/span_ids")[1]) == []
    assert json.loads(ask(collector, "GET", "/wait?for=spans&count=0&timeout=0")[1]) == {"reached": True}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "[bad"},
        {"Host": ""},
    ],
)
def test_a_page_in_a_browser_cannot_drive_it(collector: FaultyCollector, headers: Mapping[str, str]) -> None:
    status, text = ask(collector, "POST", "/fault", {"fault": "refuse"}, headers)

    assert status == 403
    assert text.strip()
    assert collector.fault is Fault.NONE


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80"])
def test_each_name_of_the_loopback_interface_is_allowed_as_host(
    collector: FaultyCollector, host: str
) -> None:
    assert ask(collector, "GET", "/state", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("POST", "/fault", {}, 400, "fault must be one of 'none', 'refuse', .*, not None"),
        ("POST", "/fault", {"fault": "meteor"}, 400, "fault must be one of .*, not 'meteor'"),
        ("POST", "/fault", {"fault": ["slow"]}, 400, "fault must be one of .*, not \\['slow'\\]"),
        (
            "POST",
            "/fault",
            {"fault": "slow", "seconds": -1},
            400,
            "seconds must be .* from 0 to 86400, not -1",
        ),
        (
            "POST",
            "/fault",
            {"fault": "slow", "speed": 1},
            400,
            "unknown fields speed; known are code, connections, .*",
        ),
        (
            "POST",
            "/fault",
            {"fault": "none", "connections": "cut"},
            400,
            "connections must be one of 'drop', 'keep'",
        ),
        ("POST", "/fault", ["slow"], 400, "body must be a JSON object"),
        ("POST", "/fault", None, 400, "body is no JSON"),
        ("GET", "/wait?for=godot", None, 400, "for=spans|requests|connections"),
        ("GET", "/wait?count=two", None, 400, "count=N"),
        ("GET", "/wait?timeout=-1", None, 400, "timeout=0 to 3600"),
        ("GET", "/wait?timeout=nan", None, 400, "timeout=0 to 3600"),
        ("GET", "/fault", None, 404, "POST /fault"),
        ("POST", "/nowhere", None, 404, "GET /state"),
    ],
)
def test_a_bad_request_is_answered_with_what_is_allowed(
    collector: FaultyCollector, method: str, target: str, body: Any, status: int, words: str
) -> None:
    got, text = ask(collector, method, target, body)

    assert got == status
    with pytest.raises(ValueError, match=words):
        raise ValueError(text)
    assert collector.fault is Fault.NONE


def test_a_caller_may_close_its_connection_without_a_request(collector: FaultyCollector) -> None:
    url = urlsplit(collector.control_url)
    with socket.create_connection(("127.0.0.1", url.port or 0), timeout=5.0) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


BAD: list[tuple[Any, dict[str, Any], str]] = [
    ("meteor", {}, "fault must be one of 'none', .*, not 'meteor'"),
    (Fault.SLOW, {"seconds": -0.5}, "seconds must be a number of seconds from 0 to 86400, not -0.5"),
    (Fault.SLOW, {"seconds": math.nan}, "seconds must be .*, not nan"),
    (Fault.SLOW, {"seconds": math.inf}, "seconds must be .*, not inf"),
    (Fault.SLOW, {"seconds": True}, "seconds must be .*, not True"),
    (Fault.SLOW, {"seconds": "3"}, "seconds must be .*, not '3'"),
    (Fault.DRIP, {"interval": -1}, "interval must be .*, not -1"),
    (Fault.STATUS, {"status": 99}, "status must be an HTTP status from 100 to 599, not 99"),
    (Fault.STATUS, {"status": 600}, "status must be .*, not 600"),
    (Fault.STATUS, {"status": "503"}, "status must be .*, not '503'"),
    (Fault.STATUS, {"retry_after": "soon"}, "retry_after must be seconds .* or an HTTP date .*, not 'soon'"),
    (Fault.STATUS, {"retry_after": "9" * 9}, "retry_after must be .*, not '999999999'"),
    (Fault.STATUS, {"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT\r\nX: y"}, "retry_after must be"),
    (Fault.STATUS, {"retry_after": -2}, "retry_after must be .*, not -2"),
    (Fault.STATUS, {"code": "out_of_range"}, "code must be one of OK, .*, not 'out_of_range'"),
    (Fault.TOO_LARGE, {"limit": True}, "limit must be a number of bytes, at least 0, not True"),
    (Fault.PARTIAL_SUCCESS, {"rejected": -1}, "rejected must be a number of items, at least 0, not -1"),
    (Fault.PARTIAL_SUCCESS, {"rejected": 1.5}, "rejected must be .*, not 1.5"),
    (Fault.NONE, {"status": 500}, "status=500 is no setting of fault 'none', which takes no settings"),
    (Fault.SLOW, {"interval": 1.0}, "interval=1.0 is no setting of fault 'slow', which takes seconds"),
    (Fault.NONE, {"connections": "cut"}, "connections must be one of 'drop', 'keep', not 'cut'"),
]


@pytest.mark.parametrize(("fault", "settings", "words"), BAD)
def test_a_bad_setting_is_a_value_error_that_says_what_is_allowed(
    collector: FaultyCollector, fault: Any, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        collector.set_fault(fault, **settings)

    assert collector.fault is Fault.NONE


def test_a_fault_may_be_given_by_its_name(collector: FaultyCollector) -> None:
    named: Any = "slow"
    collector.fault = named
    assert collector.counts().requests == 0
    assert collector.fault is Fault.SLOW


def test_a_bad_wait_is_a_value_error(collector: FaultyCollector) -> None:
    with pytest.raises(ValueError, match="timeout=0 to 3600"):
        collector.wait_for_spans(1, timeout=-1.0)


@pytest.mark.parametrize("port", [-1, 65_536, True, "4318", 1.0])
@pytest.mark.parametrize("name", ["http_port", "grpc_port", "control_port"])
def test_a_bad_port_is_named(name: str, port: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"{name} must be a port from 0 \(any free one\) to 65535, not {port!r}"
    ):
        FaultyCollector(**{name: port})


def test_a_collector_shows_its_addresses(collector: FaultyCollector) -> None:
    assert repr(collector) == (
        f"<FaultyCollector: HTTP {collector.http_endpoint}, gRPC {collector.grpc_endpoint}, "
        f"control {collector.control_url}>"
    )


def test_a_collector_that_does_not_run_says_so() -> None:
    collector = FaultyCollector()
    collector.close()
    assert repr(collector) == "<FaultyCollector, not running>"

    for use in (
        lambda: collector.http_endpoint,
        collector.counts,
        lambda: collector.fault,
        collector.clear,
    ):
        with pytest.raises(RuntimeError, match="not running: use `with FaultyCollector"):
            use()
