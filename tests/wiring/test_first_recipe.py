"""The first recipes, word for word: spans arrive, a dead port opens the circuit, the end is in time."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._strict import STRICT
from ..metrics._recipes import FIRST, WRAPPED

SELL = """
import logging, sys, time
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stdout)
tracer = trace.get_tracer("shop")
def sell():
    tracer.start_span("request").end()
"""
ONE = FIRST + SELL + "sell()\n"
UNTIL_OPEN = """
deadline = time.monotonic() + 60
while exporter.state != "open" and time.monotonic() < deadline:
    sell()
    time.sleep(0.01)
sell()
"""
LONGEST_WITHOUT = 30.0
"""Seconds that the processor's own shutdown may take."""

Run = Callable[[str], tuple[str, float]]


@pytest.fixture
def run(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs code in a fresh process; gives what it said, and the seconds it took."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)

    def run(code: str) -> tuple[str, float]:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *STRICT, "-c", code],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, time.monotonic() - began

    return run


def test_the_last_spans_arrive_by_themselves(run: Run, collector: FaultyCollector) -> None:
    output, _ = run(ONE)

    assert len(collector.span_ids) == 1
    assert "stopped: 1 span exported, none lost" in output


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_dead_port_opens_the_circuit_after_few_calls(
    run: Run, collector: FaultyCollector, wrapped: bool
) -> None:
    collector.fault = Fault.REFUSE
    recipe = FIRST
    if wrapped:
        made = re.search(r"otlp = .*\nexporter = .*\n", FIRST)
        assert made is not None
        recipe = FIRST.replace(made.group(), WRAPPED)

    output, seconds = run(recipe + SELL + UNTIL_OPEN)

    assert re.search(r"WARNING .*circuit opened: .*refused", output)
    assert re.search(r"WARNING .*stopped: 0 spans exported, \d+ lost since this process began", output)
    assert seconds < LONGEST_WITHOUT


def test_a_process_ends_in_time_though_nobody_answers(run: Run, collector: FaultyCollector) -> None:
    collector.fault = Fault.BLACKHOLE

    output, seconds = run(
        ONE.replace("timeout=5", "timeout=60").replace("export_timeout=7", "export_timeout=70")
    )

    assert "1 lost since this process began: 1 dropped since the process ended" in output
    assert seconds < LONGEST_WITHOUT
