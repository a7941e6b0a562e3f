"""Fixtures of the tests of the wiring: nothing is left running for the next test."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.testing import FaultyCollector

from .._strict import STRICT

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _no_variables(no_variables_from_outside: None) -> None:
    """For all tests here."""


@pytest.fixture(autouse=True)
def _no_sentry() -> None:
    """A client of a test that ran before, elsewhere, is not this test's."""
    if (sdk := sys.modules.get("sentry_sdk")) is not None:
        for each in (sdk.get_global_scope(), sdk.get_isolation_scope(), sdk.get_current_scope()):
            each.set_client(None)


@pytest.fixture
def collector(faulty_collector: FaultyCollector) -> Iterator[FaultyCollector]:
    """A running collector, as new, and no call into it that outlives the test and logs into the next one."""
    before = set(threading.enumerate())
    yield faulty_collector
    faulty_collector.renew()
    deadline = time.monotonic() + 40  # seconds: a call may take 13, on an idle machine
    while any(thread.name == "breaker-exporter" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < deadline, "a call of this test does not end"
        time.sleep(0.001)


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    """A provider of the application's."""
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.fixture
def run(tmp_path: Path, collector: FaultyCollector) -> Run:
    """Runs a script in a fresh interpreter; what it wrote, to either stream."""

    def run_script(source: str, **env: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(source)
        done = subprocess.run(
            [sys.executable, *STRICT, str(path)],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run_script
