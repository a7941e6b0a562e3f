"""The gRPC sender over forks, and beside the hub of gevent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._processes import run_patched, run_plain
from . import grpc_scenarios as scenarios


@pytest.fixture
def target(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> str:
    target = collector.grpc_endpoint.removeprefix("http://")
    monkeypatch.setenv(scenarios.TARGET, target)
    return target


@pytest.mark.parametrize(
    ("run", "scenario"),
    [
        (run_plain, scenarios.a_fork_with_a_channel_open),
        (run_plain, scenarios.a_child_that_sends_first),
        (run_patched, scenarios.a_fork_under_gevent),
        (run_patched, scenarios.a_fork_under_gevent_with_grpcs_own_support),
    ],
)
@pytest.mark.usefixtures("target")
def test_a_child_has_a_channel_of_its_own_and_the_parents_goes_on(
    run: Callable[[Callable[[], None]], str], scenario: Callable[[], None]
) -> None:
    """R5: also where the parent's channel is open, and where the child shuts the exporter down."""
    run(scenario)


@pytest.mark.parametrize(
    ("fault", "scenario"),
    [
        (Fault.BLACKHOLE, scenarios.a_fault_under_gevent),
        (Fault.BLACKHOLE, scenarios.a_fault_under_gevent_with_grpcs_own_support),
        (Fault.BLACKHOLE, scenarios.a_fault_in_the_handshake_under_gevent),
        (Fault.DRIP, scenarios.a_fault_under_gevent),
        (Fault.GOAWAY, scenarios.a_fault_under_gevent),
    ],
)
def test_no_fault_holds_the_hub(
    collector: FaultyCollector, target: str, fault: Fault, scenario: Callable[[], None]
) -> None:
    """P1: on a native thread, as the circuit breaker runs it, also with gRPC's own support of gevent."""
    collector.fault = fault
    run_patched(scenario)
