"""Spans queued when a process ends arrive, in whatever order things were imported and made (R4, S4, S5)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("grpc")
pytest.importorskip("gevent")

from breaker_exporter.testing import Fault

from . import exit_programs
from ._processes import run_patched, run_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter.testing import FaultyCollector

_ALL = [
    program
    for name, program in vars(exit_programs).items()
    if inspect.isfunction(program) and program.__module__ == exit_programs.__name__ and name[0] != "_"
]
_OURS = (
    exit_programs.telemetry_without_a_stop,
    exit_programs.telemetry_stopped_by_a_thread_that_nobody_joins,
    exit_programs.telemetry_with_a_given_provider,
    exit_programs.zero_code,
)


def _cases(*programs: Callable[[], None], early: tuple[str, ...]) -> list[object]:
    """Return each program with each protocol once, which takes turns with ``early``: every pair is there."""
    return [
        pytest.param(program, protocol, when, id=f"{program.__name__}-{protocol}-{when or 'first'}")
        for first, program in enumerate(programs)
        for turn, protocol in enumerate(
            ("http", "grpc") if program in _OURS else ("http", "official http", "grpc"), first
        )
        for when in early[turn % len(early) :][:1]
    ]


@pytest.fixture
def arriving(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, no_variables_from_outside: None
) -> Callable[[Callable[[], None], str, str, Callable[..., str]], None]:
    """Runs a program; fails where its last span does not arrive once, or its end takes long.

    A call that is given to a thread that has ended waits for two minutes in these programs.
    """

    def check(program: Callable[[], None], protocol: str, early: str, run: Callable[..., str]) -> None:
        ours = program in _OURS
        http = collector.http_base if ours else collector.http_endpoint
        endpoint = collector.grpc_endpoint if protocol == "grpc" else http
        monkeypatch.setenv(exit_programs.ENDPOINT, endpoint)
        monkeypatch.setenv(exit_programs.PROTOCOL, protocol)
        monkeypatch.setenv(exit_programs.NAME, "last")
        monkeypatch.setenv(exit_programs.EARLY, early)
        if ours:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            monkeypatch.setenv(
                "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc" if protocol == "grpc" else "http/protobuf"
            )
        run(program, patience=60)
        names = sorted(span.name for span in collector.latest_spans)
        assert names == (["early", "last"] if early else ["last"])

    return check


@pytest.mark.parametrize(("program", "protocol", "early"), _cases(*_ALL, early=("early", "")))
def test_what_is_queued_under_gevent_arrives(
    program: Callable[[], None],
    protocol: str,
    early: str,
    arriving: Callable[[Callable[[], None], str, str, Callable[..., str]], None],
) -> None:
    arriving(program, protocol, early, run_patched)


@pytest.mark.parametrize(
    ("program", "protocol", "early"),
    _cases(
        exit_programs.provider_made_before_the_import,
        exit_programs.telemetry_without_a_stop,
        exit_programs.telemetry_stopped_by_a_thread_that_nobody_joins,
        exit_programs.zero_code,
        early=("",),
    ),
)
def test_what_is_queued_without_gevent_arrives(
    program: Callable[[], None],
    protocol: str,
    early: str,
    arriving: Callable[[Callable[[], None], str, str, Callable[..., str]], None],
) -> None:
    arriving(program, protocol, early, run_plain)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_first_export_at_exit_that_fails_says_its_loss_and_no_traceback(
    protocol: str,
    collector: FaultyCollector,
    monkeypatch: pytest.MonkeyPatch,
    no_variables_from_outside: None,
) -> None:
    collector.fault = Fault.REFUSE
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    for name, value in {
        exit_programs.ENDPOINT: endpoint,
        exit_programs.PROTOCOL: protocol,
        exit_programs.NAME: "last",
        exit_programs.EARLY: "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
    }.items():
        monkeypatch.setenv(name, value)

    said = run_patched(exit_programs.telemetry_without_a_stop, patience=60)

    assert "1 lost since this process began" in said
    assert "Traceback" not in said
